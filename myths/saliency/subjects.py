"""What is attacked: a network, images that it gets right, and the reference that an image is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from myths.lab.errors import UsageError
from myths.lab.vision.memory_format import place
from myths.lab.vision.networks import Standardize
from myths.lab.vision.training import predict


@dataclass(frozen=True)
class Subject:
    """A network without gradients of its own, n images with pixel values 0..1 and the labels it predicts for them."""

    network: nn.Module
    images: Float[Tensor, "n c h w"]
    labels: Int64[Tensor, " n"]
    indices: tuple[int, ...]
    """Places of the images in the test set."""
    reference: Float[Tensor, "c 1 1"]
    """The mean color, which a network of standardized pixels sees as zero."""

    def __len__(self) -> int:
        return len(self.images)


def subject(
    network: nn.Module,
    reference: Float[Tensor, "c 1 1"],
    x: UInt8[Tensor, "m c h w"],
    y: Int64[Tensor, " m"],
    n: int,
    rng: np.random.Generator,
) -> Subject:
    """The first ``n`` of shuffled images that the network classifies correctly, as in the paper; on the device that they are on.

    Raises UsageError when there are fewer, and for what ``check`` refuses.
    """
    network, device = network.requires_grad_(False).eval(), str(x.device)
    order = rng.permutation(len(x))
    chosen: list[int] = []
    for block in np.array_split(order, max(1, len(order) // max(4 * n, 64))):
        images = x[torch.from_numpy(block).to(x.device)]
        check_size(network, images[:1].float() / 255, device)
        right = predict(network, images, device=device).argmax(1) == y[torch.from_numpy(block).to(y.device)].cpu()
        chosen += block[right.numpy()].tolist()
        if len(chosen) >= n:
            break
    if len(chosen) < n:
        raise UsageError(f"images={n}: the network gets only {len(chosen)} of the {len(x)} test images right")
    place(network, device, second_derivatives=True)
    kept = torch.tensor(chosen[:n], device=x.device)
    images, labels = (x[kept].float() / 255).to(device), y[kept].to(device)
    check(network, images, labels)
    return Subject(network, images, labels, tuple(chosen[:n]), reference.to(images))


def check(network: nn.Module, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"]) -> None:
    """Raises UsageError for images with values that are none or outside 0..1, of a size or mode that the network does not take,
    and for labels that it has no output for."""
    if not bool(images.isfinite().all()):
        raise UsageError(f"{_which(~images.isfinite())} has pixel values that are no numbers (NaN or infinite)")
    outside = (images < 0) | (images > 1)
    if bool(outside.any()):
        raise UsageError(
            f"{_which(outside)} has pixel values outside 0..1 ({float(images.min()):g} to {float(images.max()):g}): divide bytes by 255; "
            "for a network of normalized pixels give pixels 0..1 and wrap it: saliency.normalized(model, mean, std)"
        )
    classes = check_size(network, images[:1], str(images.device))
    if len(labels) and not (int(labels.min()) >= 0 and int(labels.max()) < classes):
        wrong = int(labels.max()) if int(labels.max()) >= classes else int(labels.min())
        raise UsageError(f"class {wrong}: the network has the classes 0 to {classes - 1}")


def check_size(network: nn.Module, image: Float[Tensor, "1 c h w"], device: str) -> int:
    """How many classes the network has; raises UsageError when it does not take an image of this shape."""
    _, c, h, w = image.shape
    standardize = next((m for m in network.modules() if isinstance(m, Standardize)), None)
    if standardize is not None and len(standardize.mean) != c:  # one channel would be taken for all of them without a word
        raise UsageError(f"the network takes images of {len(standardize.mean)} channels, not of {c} ({h} x {w} pixels)")
    try:
        with torch.no_grad():
            logits = network(image.to(device))
    except RuntimeError as error:
        first = str(error).split("\n")[0]
        raise UsageError(f"the network does not take images of {h} x {w} pixels and {c} channels ({first})") from error
    if not isinstance(logits, Tensor):
        raise UsageError(f"the network returns a {type(logits).__name__}: wrap it in a module whose forward returns logits [n, classes]")
    if not bool(logits.isfinite().all()):
        raise UsageError("the network's outputs are not finite (NaN or infinite): check its weights and its normalization")
    if logits.ndim != 2:
        raise UsageError(f"the network gives {tuple(logits.shape)} for one image: a classifier gives one row of logits")
    return logits.shape[1]


def _which(bad: Tensor) -> str:
    return f"image {int(bad.flatten(1).any(1).nonzero()[0])}"
