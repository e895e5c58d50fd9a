"""A network with images that it classifies correctly, and checks of both."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from myths.lab.errors import UsageError
from myths.lab.vision.memory_format import place
from myths.lab.vision.networks import Standardize
from myths.lab.vision.training import predict


@dataclass(frozen=True)
class ExplainedModel:
    """A network with frozen parameters, images with pixel values 0..1, and the labels that it predicts for them."""

    network: nn.Module
    images: Float[Tensor, "n c h w"]
    labels: Int64[Tensor, " n"]
    indices: tuple[int, ...]
    """Indices of the images in the test set."""
    baseline: Float[Tensor, "c 1 1"]
    """Mean color. A network of standardized pixels sees it as zero."""

    def __len__(self) -> int:
        return len(self.images)

    def after(self, first: int) -> ExplainedModel:
        """Return the model without its ``first`` images."""
        return replace(self, images=self.images[first:], labels=self.labels[first:], indices=self.indices[first:])


def explained_model(
    network: nn.Module,
    baseline: Float[Tensor, "c 1 1"],
    x: UInt8[Tensor, "m c h w"],
    y: Int64[Tensor, " m"],
    n: int,
    rng: np.random.Generator,
) -> ExplainedModel:
    """Select the first ``n`` shuffled images that a network classifies correctly, as the paper does.

    Args:
        network: The network. It is put into evaluation mode, and its parameters are frozen.
        baseline: Baseline color of attribution methods.
        x: Images to select from. Their device is used.
        y: Classes of the images.
        n: Number of images.
        rng: Generator of the shuffled order.

    Raises:
        UsageError: The network classifies fewer images correctly, or ``check_inputs`` rejects the images.
    """
    network, device = network.requires_grad_(False).eval(), str(x.device)
    order = rng.permutation(len(x))
    chosen: list[int] = []
    for block in np.array_split(order, max(1, len(order) // max(4 * n, 64))):
        images = x[torch.from_numpy(block).to(x.device)]
        check_shape(network, images[:1].float() / 255, device)
        correct = predict(network, images, device=device).argmax(1) == y[torch.from_numpy(block).to(y.device)].cpu()
        chosen += block[correct.numpy()].tolist()
        if len(chosen) >= n:
            break
    if len(chosen) < n:
        raise UsageError(f"images={n}: the network classifies only {len(chosen)} of {len(x)} test images correctly")
    place(network, device)
    kept = torch.tensor(chosen[:n], device=x.device)
    images, labels = (x[kept].float() / 255).to(device), y[kept].to(device)
    check_inputs(network, images, labels)
    return ExplainedModel(network, images, labels, tuple(chosen[:n]), baseline.to(images))


def check_inputs(network: nn.Module, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"]) -> None:
    """Check that a network accepts images and labels.

    Raises:
        UsageError: Pixel values are not finite or outside 0..1, the network does not accept the shape of the images, or it has no output
            for a label.
    """
    if not bool(images.isfinite().all()):
        raise UsageError(f"{_first(~images.isfinite())} has pixel values that are NaN or infinite")
    outside = (images < 0) | (images > 1)
    if bool(outside.any()):
        raise UsageError(
            f"{_first(outside)} has pixel values outside 0..1 ({float(images.min()):g} to {float(images.max()):g}): divide bytes by 255; "
            "for a model of normalized pixels, pass pixel values 0..1 and wrap the model: saliency.normalized(model, mean, std)"
        )
    classes = check_shape(network, images[:1], str(images.device))
    if len(labels) and not (int(labels.min()) >= 0 and int(labels.max()) < classes):
        wrong = int(labels.max()) if int(labels.max()) >= classes else int(labels.min())
        raise UsageError(f"class {wrong}: the network has the classes 0 to {classes - 1}")


def check_shape(network: nn.Module, image: Float[Tensor, "1 c h w"], device: str) -> int:
    """Return the number of classes of a network.

    Raises:
        UsageError: The network does not accept an image of this shape, or does not return finite logits [n, classes].
    """
    _, c, h, w = image.shape
    standardize = next((m for m in network.modules() if isinstance(m, Standardize)), None)
    if standardize is not None and len(standardize.mean) != c:  # a single channel would be broadcast without an error
        raise UsageError(f"the network expects images with {len(standardize.mean)} channels, not {c} ({h} x {w} pixels)")
    try:
        with torch.no_grad():
            logits = network(image.to(device))
    except RuntimeError as error:
        first = str(error).split("\n")[0]
        raise UsageError(f"the network does not accept images of {h} x {w} pixels and {c} channels ({first})") from error
    if not isinstance(logits, Tensor):
        raise UsageError(f"the network returns a {type(logits).__name__}: wrap it in a module whose forward returns logits [n, classes]")
    if not bool(logits.isfinite().all()):
        raise UsageError("the network's outputs are not finite (NaN or infinite): check its weights and its normalization")
    if logits.ndim != 2:
        raise UsageError(f"the network returns shape {tuple(logits.shape)} for one image: expected logits [n, classes]")
    return logits.shape[1]


def _first(bad: Tensor) -> str:
    return f"image {int(bad.flatten(1).any(1).nonzero()[0])}"
