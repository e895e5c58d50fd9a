"""Series of images under one attack, and differences between series with intervals over images.

Series on the same network are compared image by image, over the images of both. Series on different images (another network or dataset)
are compared by Welch's t interval. An image counts if its label is kept and it has a map in all series that are compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray as Array

from myths.lab.estimate import Estimate, bootstrap, student_t

RESAMPLES = 4000


@dataclass(frozen=True)
class AttackSeries:
    """One attack on one method at one budget: the measures of each image, and the null similarity."""

    images: Int[Array, " n"]
    """Indices in the test set."""
    values: Mapping[str, Float[Array, " n"]]
    kept: Bool[Array, " n"]
    null: Mapping[str, Float[Array, " n"]]
    """Similarity of maps of different images."""
    provenance: Mapping[str, Any]
    """Columns that describe the trial."""


def paired(one: AttackSeries, other: AttackSeries, measure: str) -> Estimate | None:
    """Return the mean of one minus the other over their common images, or None for fewer than two."""
    here, there = _common_indices(one, other)
    difference = one.values[measure][here] - other.values[measure][there]
    return student_t(difference, "test examples") if len(difference) > 1 else None


def unpaired(one: Float[Array, " n"], other: Float[Array, " m"]) -> Estimate | None:
    """Return the difference of the means of different images with Welch's t interval, or None for fewer than two in either."""
    from scipy import stats

    if min(len(one), len(other)) < 2:
        return None
    value = float(one.mean() - other.mean())
    if not (np.ptp(one) or np.ptp(other)):
        return Estimate(value, value, value, "test examples", min(len(one), len(other)))
    ends = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    return Estimate(value, float(ends.low), float(ends.high), "test examples", min(len(one), len(other)))


def difference_from_best(one: AttackSeries, others: tuple[AttackSeries, AttackSeries]) -> Estimate | None:
    """Return the mean intersection of one minus the larger of two others, bootstrapped over the images common to all."""
    series = (one, *others)
    a, b, c = (s.values["intersection"][indices] for s, indices in zip(series, _common_indices(*series), strict=True))
    if len(a) < 2:
        return None

    def statistic(i: Array) -> Array:
        return a[i].mean(1) - np.maximum(b[i].mean(1), c[i].mean(1))

    return bootstrap(statistic, len(a), "test examples", np.random.default_rng(0), RESAMPLES)


def lens_gain(series: AttackSeries) -> Estimate | None:
    """Return LENS recall minus intersection, both rescaled: 0 is the null similarity, which is larger for LENS, and 1 is the same map."""
    kept = series.kept & np.isfinite(series.null["intersection"])
    if kept.sum() < 2:
        return None
    lens, top_k, null_lens, null_top_k = (
        values[kept]
        for values in (
            series.values["lens_recall"], series.values["intersection"], series.null["lens_recall"], series.null["intersection"],
        )
    )  # fmt: skip

    def statistic(i: Array) -> Array:
        return rescaled(lens[i].mean(1), null_lens[i].mean(1)) - rescaled(top_k[i].mean(1), null_top_k[i].mean(1))

    return bootstrap(statistic, int(kept.sum()), "test examples", np.random.default_rng(0), RESAMPLES)


def rescaled(value: Any, null: Any) -> Any:
    """Rescale similarities: ``null`` becomes 0 and 1 stays 1."""
    return (value - null) / np.maximum(1 - null, 1e-9)


def _common_indices(*series: AttackSeries) -> list[Int[Array, " m"]]:
    """Return the indices of the common images that keep their label, in each series and in the same order."""
    common = reduce(np.intersect1d, (each.images[each.kept] for each in series))
    order = [np.argsort(each.images) for each in series]
    return [places[np.searchsorted(each.images[places], common)] for each, places in zip(series, order, strict=True)]
