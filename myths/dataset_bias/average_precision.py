"""Train on one data set, test on another: the average precision of each on each."""

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
    """Features and class numbers of the examples of one data set, on one device."""

    features: Float[Tensor, "examples dimensions"]
    labels: Int[Tensor, " examples"]


Scores = Callable[[Tensor], Tensor]
"""Features [examples, dimensions] to scores [examples, classes], higher for more likely."""

Fit = Callable[[Tensor, Tensor], Scores]
"""Training features and class numbers to the scores of the trained classifier."""


def average_precision(
    scores: Float[Tensor, "*batch examples"],
    positive: Bool[Tensor, "*batch examples"],
    weights: Float[Tensor, "*batch examples"] | None = None,
) -> Float[Tensor, "*batch"]:
    """Area under the precision-recall steps, 0..1, for many rankings at once; equal scores count as one threshold.

    The same number as ``sklearn.metrics.average_precision_score``, with ``weights`` as its ``sample_weight``, in double precision.
    Raises ValueError where nothing is positive and for scores that are no numbers.
    """
    weights = torch.ones_like(scores, dtype=torch.float64) if weights is None else weights.double()
    if bool(scores.isnan().any()):
        raise ValueError("scores that are not a number cannot be ranked")
    if not bool(((weights * positive).sum(-1) > 0).all()):
        raise ValueError("average precision needs at least one positive example")
    ranked, order = scores.sort(-1, descending=True)
    weight, hit = weights.gather(-1, order), (weights * positive).gather(-1, order)
    precision = hit.cumsum(-1) / weight.cumsum(-1).clamp_min(torch.finfo(torch.float64).tiny)
    n = scores.shape[-1]
    closes = torch.ones_like(ranked, dtype=torch.bool)  # the last of a run of equal scores
    closes[..., :-1] = ranked[..., :-1] != ranked[..., 1:]
    place = torch.where(closes, torch.arange(n, device=scores.device), n)
    threshold = place.flip(-1).cummin(-1).values.flip(-1)
    return (hit * precision.gather(-1, threshold)).sum(-1) / hit.sum(-1)


def mean_average_precision(
    scores: Float[Tensor, "examples classes"], labels: Int[Tensor, " examples"], classes: Sequence[int] | None = None
) -> float:
    """Mean over ``classes`` (all by default) of the AP of one class against the rest, 0..1.

    Raises ValueError for a class without examples.
    """
    chosen = torch.arange(scores.shape[1], device=scores.device) if classes is None else torch.tensor(classes, device=scores.device)
    return float(average_precision(scores[:, chosen].T, labels == chosen[:, None]).mean())


def cross_set_ap(
    train: Sequence[Labeled], test: Sequence[Labeled], fit: Fit, classes: Sequence[int] | None = None
) -> Float[Array, "train test"]:
    """Mean AP (0..1) of a classifier of every training set on every test set (Table 1); ``train[i]`` and ``test[i]`` are one data set.

    A detector of one class passes ``classes=[1]``. Raises ValueError where a test set lacks a class.
    """
    classifiers = [fit(s.features, s.labels) for s in train]
    return np.array([[mean_average_precision(c(s.features), s.labels, classes) for s in test] for c in classifiers])


def negative_set_ap(train: Sequence[Labeled], test: Sequence[Labeled], fit: Fit) -> Float[Array, "sets 2"]:
    """AP (0..1) of each set's detector on its own test positives, against its own negatives and against those of all sets (Table 2).

    Label 1 is the object, 0 the rest; the score is column 1. Positives and classifier are the same in both; the negatives of all sets
    are weighted to the same total as the own ones, each set an equal share, since AP depends on how rare the positives are.
    Raises ValueError for a set without positives or without negatives.
    """
    if any(not bool((s.labels == value).any()) for s in test for value in (0, 1)):
        raise ValueError("the negative-set test needs positives and negatives of every set")
    negatives = [s.features[s.labels == 0] for s in test]
    home = torch.cat([torch.full((len(x),), k) for k, x in enumerate(negatives)])
    size = torch.tensor([len(x) for x in negatives], dtype=torch.float64)
    values = []
    for k, (own_train, own_test) in enumerate(zip(train, test, strict=True)):
        positives = own_test.features[own_test.labels == 1]
        scores = fit(own_train.features, own_train.labels)(torch.cat([positives, *negatives]))[:, 1]
        ones = torch.ones(len(positives), dtype=torch.float64)
        own, everywhere = (home == k).double(), (size[k] / len(size) / size)[home]
        weights = torch.stack([torch.cat([ones, w]) for w in (own, everywhere)]).to(scores.device)
        positive = (torch.arange(len(scores), device=scores.device) < len(positives)).expand(2, -1)
        values.append(average_precision(scores.expand(2, -1), positive, weights).tolist())
    return np.array(values)
