"""Influence functions before and after a perturbation of the test image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from myths.lab.data.images import ImageSet
from myths.lab.errors import UsageError
from myths.lab.trial import Context
from myths.lab.vision.networks import Classifier
from myths.saliency.attributions.influence import LastLayer, last_layer
from myths.saliency.metrics import ranks
from myths.saliency.names import LEVEL

MOST_HELPFUL = 5


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What is retrained, perturbed and compared.

    Attributes:
        classes: The two classes that the last layer is retrained to tell apart.
        train: Training examples of both together.
        l2: Weight decay of the retrained layer.
        images: Test images that are perturbed.
        top: Most helpful training examples that the attack works against.
        epsilons: Perturbation budgets, in levels of 255.
    """

    classes: tuple[int, int]
    train: int
    l2: float
    images: int
    top: int
    epsilons: tuple[float, ...]


def perturbed_influences(network: Classifier, images: ImageSet, setup: Setup, context: Context) -> list[dict[str, Any]]:
    """Perturb test images and compare the influences of the training examples. Return a row for each direction and budget.

    Raises:
        UsageError: The retrained layer gets too few test images right.
    """
    x_train, y_train = _some(*images.training_split(), setup.classes, setup.train, context.rng("training examples"))
    with torch.no_grad():
        features = torch.cat([network.features(chunk) for chunk in x_train.split(500)])
    layer = last_layer(features, y_train, setup.l2)
    x, y = _some(images.x_test, images.y_test, setup.classes, 0, context.rng("images"))
    with torch.no_grad():
        right = (layer.logits(torch.cat([network.features(chunk) for chunk in x.split(500)])) > 0) == y.bool()
    if int(right.sum()) < setup.images:
        raise UsageError(f"images={setup.images}: the retrained layer gets only {int(right.sum())} of {len(x)} test images right")
    x, y = x[right][: setup.images], y[right][: setup.images]
    before, slopes = influences(network, layer, x, y, setup.top)
    drawn = torch.randint(0, 2, x.shape, generator=context.generator("signs", context.device), device=x.device)
    directions = {"attack": -slopes.sign(), "random signs": (2 * drawn - 1).to(x)}
    rows = []
    for name, direction in directions.items():
        for epsilon in setup.epsilons:
            moved = (x + epsilon * LEVEL * direction).clamp(0, 1)
            after, _ = influences(network, layer, moved, y, setup.top)
            with torch.no_grad():
                kept = (layer.logits(network.features(moved)) > 0) == y.bool()
            rows.append({"attack": name, "epsilon": epsilon, **_compared(before, after), "label_kept": kept.tolist()})
    return rows


def influences(
    network: nn.Module, layer: LastLayer, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"], top: int
) -> tuple[Float[Tensor, "n m"], Float[Tensor, "n c h w"]]:
    """What each training example does for each image, and the gradient, by the pixels, of the sum of the ``top`` most helpful.

    It needs no second derivative of the features, so that no surrogate stands in.
    """
    at = images.detach().requires_grad_()
    with torch.enable_grad():
        found = layer.attribute(network.features(at), labels)  # type: ignore[operator]
        (slopes,) = torch.autograd.grad(found.topk(top, 1).values.sum(), at)
    return found.detach(), slopes


def _compared(before: Tensor, after: Tensor) -> dict[str, Any]:
    a, b = (ranks(values) for values in (before, after))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    best, now = (values.topk(MOST_HELPFUL, 1).indices for values in (before, after))
    same = (best[:, :, None] == now[:, None]).any(2).sum(1) / MOST_HELPFUL
    return {
        "spearman": [round(v, 5) for v in ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))).tolist()],
        "top5_overlap": [round(v, 5) for v in same.tolist()],
    }


def _some(x: Tensor, y: Tensor, classes: tuple[int, int], n: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Up to ``n`` (0: all) shuffled images of two classes as pixel values, with labels 0 and 1."""
    members = ((y == classes[0]) | (y == classes[1])).nonzero()[:, 0].cpu().numpy()
    chosen = torch.from_numpy(rng.permutation(members)[: n or None]).to(x.device)
    return x[chosen].float() / 255, (y[chosen] == classes[1]).long()
