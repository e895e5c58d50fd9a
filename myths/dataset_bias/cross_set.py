"""Train on one data set, test on another: average precision, its drop away from home, and whether home matters at all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray as Array
from torch import Tensor

from myths.lab.estimate import Estimate, student_t

EXACT_PERMUTATIONS = 50_000  # all of them up to eight sets


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


def at_home(ap: Float[Array, "*splits sets sets"]) -> Float[Array, "*splits sets"]:
    """AP of every set's classifier on that set: the paper's "self"."""
    return np.diagonal(ap, axis1=-2, axis2=-1)


def elsewhere(ap: Float[Array, "*splits sets sets"]) -> Float[Array, "*splits sets"]:
    """Mean AP of every set's classifier on the other sets: the paper's "mean others". Of the transpose: of others' classifiers here."""
    return (ap.sum(-1) - at_home(ap)) / (ap.shape[-1] - 1)


def percent_drop(home: Float[Array, "*shape"], away: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """How many percent of the AP at home are lost away; negative where away is better."""
    return 100 * (1 - away / home)


def drop_by_set(ap: Float[Array, "*splits sets sets"]) -> Float[Array, "*splits sets"]:
    """Percent drop of every training set, the last column of Table 1."""
    return percent_drop(at_home(ap), elsewhere(ap))


def drop_of_means(ap: Float[Array, "*splits sets sets"]) -> Float[Array, "*splits"]:
    """Percent drop of the mean over sets of self to the mean over sets of mean others: the last cell of Table 1."""
    return percent_drop(at_home(ap).mean(-1, keepdims=True), elsewhere(ap).mean(-1, keepdims=True))[..., 0]


def home_advantage(ap: Float[Array, "*splits sets sets"]) -> Float[Array, "*splits sets"]:
    """AP at home minus what a good training set (row) and an easy test set (column) explain; in the unit of ``ap``.

    AP = mean + row + column is fitted by least squares to the cells off the diagonal; this is the residual of each diagonal cell. Unlike
    the drop it does not take an easy test set for bias. The mean over sets is mean self minus mean of all others, exactly.
    Raises ValueError for fewer than three sets, where the cells do not determine the fit.
    """
    k = ap.shape[-1]
    if k < 3:
        raise ValueError("the additive fit needs at least three sets")
    row, column = elsewhere(ap), elsewhere(ap.swapaxes(-1, -2))
    mean = row.mean(-1, keepdims=True)
    # The normal equations of row i and column i, added, hold their two effects alone: (k-2)(r+c) = (k-1)(row + column - 2 mean).
    return at_home(ap) - mean - (k - 1) / (k - 2) * (row + column - 2 * mean)


@dataclass(frozen=True)
class HomeTest:
    """Mean home advantage, one-sided p-value of the permutation test, permutations looked at, and whether those are all."""

    advantage: float
    p_value: float
    permutations: int
    exact: bool


def home_test(ap: Float[Array, "*splits sets sets"], rng: np.random.Generator, samples: int = 9_999) -> HomeTest:
    """Whether classifiers do better at home than when the test sets are dealt out as homes at random.

    Null: a training set has no tie to its own column, so that any one-to-one map of training to test sets is as good a "diagonal". Row and
    column means are the same for all of them, so effects of rows and columns cancel. Splits are averaged first: the sets are what is
    exchanged. All permutations up to eight sets, else ``samples`` random ones and the observed one. The p-value cannot be less than one
    over the permutations: 1/6 for three sets, 1/24 for four, so three sets never decide at 5 %. Raises ValueError for fewer than two sets.
    """
    k = ap.shape[-1]
    if k < 2:
        raise ValueError("the permutation test needs at least two sets")
    mean = ap.reshape(-1, k, k).mean(0)
    exact = math.factorial(k) <= EXACT_PERMUTATIONS
    if exact:
        homes = np.array(list(itertools.permutations(range(k))))
    else:
        homes = np.vstack([np.arange(k), rng.permuted(np.tile(np.arange(k), (samples, 1)), axis=1)])
    totals = mean[np.arange(k), homes].sum(1)  # the observed one comes first in both
    at_least = totals >= totals[0] - 1e-9 * np.abs(mean).sum()  # sums in another order round differently
    advantage = at_home(mean).mean() - elsewhere(mean).mean()
    return HomeTest(float(advantage), float(at_least.mean()), len(homes), exact)


def over_splits(statistic: Callable[[Array], Array], ap: Float[Array, "splits sets sets"]) -> Estimate:
    """A statistic's mean over random splits with Student's t interval, as in ``over_splits(drop_of_means, ap)``.

    The splits are of the same data sets and share images: the interval covers the draw of images, not of data sets. Raises ValueError for
    fewer than two splits.
    """
    return student_t(statistic(ap), "seeds")
