"""Average precision of classifiers of one dataset on another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray as Array
from torch import Tensor


@dataclass(frozen=True)
class Labeled:
    """Features and labels of the examples of one dataset, on one device."""

    features: Float[Tensor, "examples dimensions"]
    labels: Int[Tensor, " examples"]


Scores = Callable[[Tensor], Tensor]
"""Maps features [examples dimensions] to scores [examples classes]. A higher score is more likely."""

Fit = Callable[[Tensor, Tensor], Scores]
"""Maps training features and labels to the scores of the trained classifier."""


def average_precision(
    scores: Float[Tensor, "*batch examples"],
    positive: Bool[Tensor, "*batch examples"],
    weights: Float[Tensor, "*batch examples"] | None = None,
) -> Float[Tensor, "*batch"]:
    """Return the area under the precision-recall steps (0 to 1) for a batch of rankings. Equal scores are one threshold.

    The result equals ``sklearn.metrics.average_precision_score`` in double precision.

    Args:
        scores: Scores of the examples.
        positive: Whether each example is positive.
        weights: Weights of the examples (``sample_weight`` in scikit-learn). Default: 1.

    Raises:
        ValueError: No example is positive, or a score is NaN.
    """
    weights = torch.ones_like(scores, dtype=torch.float64) if weights is None else weights.double()
    if bool(scores.isnan().any()):
        raise ValueError("scores must not be NaN")
    if not bool(((weights * positive).sum(-1) > 0).all()):
        raise ValueError("average precision requires at least one positive example")
    ranked, order = scores.sort(-1, descending=True)
    weight, hit = weights.gather(-1, order), (weights * positive).gather(-1, order)
    precision = hit.cumsum(-1) / weight.cumsum(-1).clamp_min(torch.finfo(torch.float64).tiny)
    n = scores.shape[-1]
    closes = torch.ones_like(ranked, dtype=torch.bool)  # last of a run of equal scores
    closes[..., :-1] = ranked[..., :-1] != ranked[..., 1:]
    place = torch.where(closes, torch.arange(n, device=scores.device), n)
    threshold = place.flip(-1).cummin(-1).values.flip(-1)
    return (hit * precision.gather(-1, threshold)).sum(-1) / hit.sum(-1)


def mean_average_precision(
    scores: Float[Tensor, "examples classes"], labels: Int[Tensor, " examples"], classes: Sequence[int] | None = None
) -> float:
    """Return the mean over ``classes`` (default: all) of the one-vs-rest average precision (0 to 1).

    Raises:
        ValueError: A class has no examples.
    """
    chosen = torch.arange(scores.shape[1], device=scores.device) if classes is None else torch.tensor(classes, device=scores.device)
    return float(average_precision(scores[:, chosen].T, labels == chosen[:, None]).mean())


def cross_set_ap(
    train: Sequence[Labeled], test: Sequence[Labeled], fit: Fit, classes: Sequence[int] | None = None
) -> Float[Array, "train test"]:
    """Return the mean AP (0 to 1) of the classifier of every training set on every test set (Table 1).

    Args:
        train: Training examples of each dataset.
        test: Test examples of each dataset, in the same order.
        fit: Trains a classifier.
        classes: Classes of the mean. A detector of one class passes ``[1]``. Default: all.

    Raises:
        ValueError: A test set lacks a class.
    """
    classifiers = [fit(s.features, s.labels) for s in train]
    return np.array([[mean_average_precision(c(s.features), s.labels, classes) for s in test] for c in classifiers])


def negative_set_ap(train: Sequence[Labeled], test: Sequence[Labeled], fit: Fit) -> Float[Array, "sets 2"]:
    """Return the AP (0 to 1) of each dataset's detector on its own positives, with its own negatives and with all negatives (Table 2).

    Label 1 is the object, label 0 the rest; the score is column 1. Both cases use the same positives and the same classifier. AP depends on
    the
    fraction of positives. The negatives of all datasets are therefore weighted to the same total as the dataset's own negatives, with equal
    weight per dataset.

    Raises:
        ValueError: A dataset has no positives or no negatives.
    """
    if any(not bool((s.labels == value).any()) for s in test for value in (0, 1)):
        raise ValueError("every dataset must have positives and negatives")
    negatives = [s.features[s.labels == 0] for s in test]
    source = torch.cat([torch.full((len(x),), k) for k, x in enumerate(negatives)])
    size = torch.tensor([len(x) for x in negatives], dtype=torch.float64)
    values = []
    for k, (own_train, own_test) in enumerate(zip(train, test, strict=True)):
        positives = own_test.features[own_test.labels == 1]
        scores = fit(own_train.features, own_train.labels)(torch.cat([positives, *negatives]))[:, 1]
        ones = torch.ones(len(positives), dtype=torch.float64)
        own, everywhere = (source == k).double(), (size[k] / len(size) / size)[source]
        weights = torch.stack([torch.cat([ones, w]) for w in (own, everywhere)]).to(scores.device)
        positive = (torch.arange(len(scores), device=scores.device) < len(positives)).expand(2, -1)
        values.append(average_precision(scores.expand(2, -1), positive, weights).tolist())
    return np.array(values)
