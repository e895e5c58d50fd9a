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
from myths.saliency.attributions.influence import LastLayer, fit_last_layer
from myths.saliency.metrics import ranks
from myths.saliency.names import PIXEL_STEP

TOP = 5
"""Number of most helpful training examples whose overlap is measured."""


@dataclass(frozen=True, kw_only=True)
class InfluenceConfig:
    """What is retrained, perturbed and compared.

    Attributes:
        classes: The two classes of the retrained last layer.
        n_train: Number of training examples, both classes together.
        l2: L2 penalty of the retrained layer.
        images: Number of test images that are perturbed.
        n_helpful: Number of most helpful training examples that the attack targets.
        epsilons: Perturbation budgets, in units of 1/255.
    """

    classes: tuple[int, int]
    n_train: int
    l2: float
    images: int
    n_helpful: int
    epsilons: tuple[float, ...]


def perturbed_influences(network: Classifier, images: ImageSet, config: InfluenceConfig, context: Context) -> list[dict[str, Any]]:
    """Perturb test images and compare the influences of the training examples. Return one row per direction and budget.

    Args:
        network: A trained network.
        images: The dataset that it was trained on.
        config: What is retrained, perturbed and compared.
        context: Source of the random streams.

    Raises:
        UsageError: The retrained layer classifies too few test images correctly.
    """
    x_train, y_train = _two_classes(*images.training_split(), config.classes, config.n_train, context.rng("training examples"))
    with torch.no_grad():
        features = torch.cat([network.features(batch) for batch in x_train.split(500)])
    layer = fit_last_layer(features, y_train, config.l2)
    x, y = _two_classes(images.x_test, images.y_test, config.classes, 0, context.rng("images"))
    with torch.no_grad():
        correct = (layer.logits(torch.cat([network.features(batch) for batch in x.split(500)])) > 0) == y.bool()
    n_correct = int(correct.sum())
    if n_correct < config.images:
        raise UsageError(f"images={config.images}: the retrained layer classifies only {n_correct} of {len(x)} test images correctly")
    x, y = x[correct][: config.images], y[correct][: config.images]
    before, gradients = influences(network, layer, x, y, config.n_helpful)
    drawn = torch.randint(0, 2, x.shape, generator=context.generator("signs", context.device), device=x.device)
    directions = {"attack": -gradients.sign(), "random signs": (2 * drawn - 1).to(x)}
    rows = []
    for name, direction in directions.items():
        for epsilon in config.epsilons:
            perturbed = (x + epsilon * PIXEL_STEP * direction).clamp(0, 1)
            after, _ = influences(network, layer, perturbed, y, config.n_helpful)
            with torch.no_grad():
                kept = (layer.logits(network.features(perturbed)) > 0) == y.bool()
            rows.append({"attack": name, "epsilon": epsilon, **_similarity(before, after), "label_kept": kept.tolist()})
    return rows


def influences(
    network: nn.Module, layer: LastLayer, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"], n_helpful: int
) -> tuple[Float[Tensor, "n m"], Float[Tensor, "n c h w"]]:
    """Return the influence of m training examples on n images, and the gradient of the sum of the ``n_helpful`` largest influences.

    The gradient needs no second derivative of the features, and therefore no softplus surrogate.
    """
    at = images.detach().requires_grad_()
    with torch.enable_grad():
        found = layer.attribute(network.features(at), labels)  # type: ignore[operator]
        (gradients,) = torch.autograd.grad(found.topk(n_helpful, 1).values.sum(), at)
    return found.detach(), gradients


def _similarity(before: Tensor, after: Tensor) -> dict[str, Any]:
    a, b = (ranks(values) for values in (before, after))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    top_before, top_after = (values.topk(TOP, 1).indices for values in (before, after))
    overlap = (top_before[:, :, None] == top_after[:, None]).any(2).sum(1) / TOP
    return {
        "spearman": [round(v, 5) for v in ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))).tolist()],
        "top5_overlap": [round(v, 5) for v in overlap.tolist()],
    }


def _two_classes(x: Tensor, y: Tensor, classes: tuple[int, int], n: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return up to ``n`` (0: all) shuffled images of two classes as pixel values 0..1, with labels 0 and 1."""
    members = ((y == classes[0]) | (y == classes[1])).nonzero()[:, 0].cpu().numpy()
    chosen = torch.from_numpy(rng.permutation(members)[: n or None]).to(x.device)
    return x[chosen].float() / 255, (y[chosen] == classes[1]).long()
