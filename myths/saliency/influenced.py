"""Influence functions before and after a perturbation of the test image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from myths.lab.errors import UsageError
from myths.lab.trial import Context
from myths.saliency.attacks import check_epsilons
from myths.saliency.attributions.influence import LastLayer, last_layer
from myths.saliency.metrics import ranks
from myths.saliency.names import LEVEL

if TYPE_CHECKING:
    from myths.saliency.trials import Influence

MOST_HELPFUL = 5


def perturbed_influences(trial: Influence, context: Context) -> list[dict[str, Any]]:
    """The rows of ``Influence``: of each budget, for the attack and for random signs."""
    from myths.lab.vision.classifier import load_classifier
    from myths.saliency.networks import TrainNetwork

    check_epsilons(trial.epsilons)
    assert isinstance(trial.network, TrainNetwork)
    network = load_classifier(trial.network, context.outcome(trial.network), context.device).requires_grad_(False)
    images = trial.network.images(context.device)
    if not all(0 <= c < len(images.classes) for c in trial.classes) or trial.classes[0] == trial.classes[1]:
        raise UsageError(f"classes={trial.classes[0]},{trial.classes[1]}: {trial.network.dataset} has 0 to {len(images.classes) - 1}")
    assert images.x_train is not None
    assert images.y_train is not None
    x_train, y_train = _some(images.x_train, images.y_train, trial.classes, trial.train, context.rng("training examples"))
    with torch.no_grad():
        features = torch.cat([network.features(chunk) for chunk in x_train.split(500)])
    layer = last_layer(features, y_train, trial.l2)
    x, y = _some(images.x_test, images.y_test, trial.classes, 0, context.rng("images"))
    with torch.no_grad():
        right = (layer.logits(torch.cat([network.features(chunk) for chunk in x.split(500)])) > 0) == y.bool()
    if int(right.sum()) < trial.images:
        raise UsageError(f"images={trial.images}: the retrained layer gets only {int(right.sum())} of {len(x)} test images right")
    x, y = x[right][: trial.images], y[right][: trial.images]
    before, slopes = influences(network, layer, x, y, trial.top)
    drawn = torch.randint(0, 2, x.shape, generator=context.generator("signs", context.device), device=x.device)
    directions = {"attack": -slopes.sign(), "random signs": (2 * drawn - 1).to(x)}
    rows = []
    for name, direction in directions.items():
        for epsilon in trial.epsilons:
            moved = (x + epsilon * LEVEL * direction).clamp(0, 1)
            after, _ = influences(network, layer, moved, y, trial.top)
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
