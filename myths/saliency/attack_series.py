"""Series of images under one attack, and differences between series with intervals over images.

Trials that differ only in their images are one series. Series on the same network are compared image by image, over the images of both.
Series on different images (another network) are compared by Welch's t interval. An image counts if its label is kept and it has a map in
all series that are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray as Array

from myths.lab.estimate import CONFIDENCE, Estimate, bootstrap, clopper_pearson, student_t

RESAMPLES = 4000
COMPARISONS = 2
"""Number of methods that integrated gradients are compared with. Intervals of such comparisons are simultaneous (Bonferroni)."""


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


def paired(one: AttackSeries, other: AttackSeries, measure: str, confidence: float = CONFIDENCE) -> Estimate | None:
    """Return the mean of one minus the other over their common images, or None for fewer than two."""
    difference = paired_values(one, other, measure)
    return student_t(difference, "test examples", confidence) if len(difference) > 1 else None


def paired_values(one: AttackSeries, other: AttackSeries, measure: str) -> Float[Array, " m"]:
    """Return one minus the other for each of their common images."""
    here, there = _common_indices(one, other)
    return one.values[measure][here] - other.values[measure][there]


def random_minus_attack(random: AttackSeries, attack: AttackSeries, measure: str = "intersection") -> Estimate | None:
    """Return what a random perturbation leaves minus what an attack leaves, on average over their common images.

    A rare image on which one of them changes nothing moves the mean by more than all others. So the shares of images that only the
    attack, or only the random perturbation, leaves untouched have exact intervals, the mean over the others has a t interval, and these
    are combined by the distances of their ends (MOVER, Zou & Donner 2008). A kind of failure that was not seen counts as the worst. The
    interval is conservative.

    Returns:
        The estimate, or None for fewer than two images that both change.
    """
    here, there = _common_indices(random, attack)
    left, attacked = random.values[measure][here], attack.values[measure][there]
    difference = left - attacked
    failed = {-1.0: (attacked == 1) & (left < 1), 1.0: (left == 1) & (attacked < 1)}
    others = difference[~(failed[-1.0] | failed[1.0])]
    if len(others) < 2:
        return None
    core, n = student_t(others, "test examples"), len(difference)
    below, above = (len(others) / n * (core.value - core.low)) ** 2, (len(others) / n * (core.high - core.value)) ** 2
    for worst, where in failed.items():
        share = clopper_pearson(int(where.sum()), n)
        distance = (float(difference[where].mean()) if where.any() else worst) - core.value
        ends = sorted((distance * (share.low - share.value), distance * (share.high - share.value)))
        below, above = below + min(ends[0], 0.0) ** 2, above + max(ends[1], 0.0) ** 2
    value = float(difference.mean())
    return Estimate(value, max(value - below**0.5, -1.0), min(value + above**0.5, 1.0), "test examples", n)


def random_minus_attack_by_lens(random: AttackSeries, attack: AttackSeries) -> Estimate | None:
    """Return ``random_minus_attack`` of LENS recall, rescaled: 0 is the mean recall of maps of other images, and 1 the same map.

    The mean recall of other images counts as known: the interval does not cover it.
    """
    found = random_minus_attack(random, attack, "lens_recall")
    return found.affine(1 / (1 - float(np.nanmean(attack.null["lens_recall"])))) if found else None


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


def paired_rescaled(one: AttackSeries, other: AttackSeries) -> Estimate | None:
    """Return the mean difference of the intersections over common images, rescaled, or None for fewer than two images."""
    here, there = _common_indices(one, other)
    if len(here) < 2:
        return None
    scaled = (
        rescaled(series.values["intersection"][indices], np.nanmean(series.null["intersection"]))
        for series, indices in ((one, here), (other, there))
    )
    return student_t(next(scaled) - next(scaled), "test examples")


def robuster_than_all(one: AttackSeries, others: tuple[AttackSeries, ...]) -> Estimate | None:
    """Return the smallest difference of intersections between one series and others, by Hodges and Lehmann.

    Only images that neither attack leaves untouched are compared; ``untouched_by_one`` compares the others. The intervals of the
    comparisons are simultaneous.

    Returns:
        The estimate, or None if a comparison has too few images.
    """
    found = []
    for other in others:
        here, there = _common_indices(one, other)
        a, b = one.values["intersection"][here], other.values["intersection"][there]
        found.append(hodges_lehmann((a - b)[(a < 1) & (b < 1)], 1 - (1 - CONFIDENCE) / COMPARISONS))
    return _smallest(found)


def untouched_by_one(one: AttackSeries, others: tuple[AttackSeries, ...]) -> Estimate | None:
    """Return, of the images that only one of two attacks leaves untouched, the smallest share that the first does.

    It is above one half if the exact test of McNemar is significant. The intervals of the comparisons are simultaneous.

    Returns:
        The estimate, or None if the attacks of a comparison leave the same images untouched.
    """
    found = []
    for other in others:
        here, there = _common_indices(one, other)
        a, b = one.values["intersection"][here] == 1, other.values["intersection"][there] == 1
        discordant = int((a != b).sum())
        confidence = 1 - (1 - CONFIDENCE) / COMPARISONS
        found.append(clopper_pearson(int((a & ~b).sum()), discordant, confidence=confidence) if discordant else None)
    return _smallest(found)


def hodges_lehmann(differences: Float[Array, " n"], confidence: float = CONFIDENCE) -> Estimate | None:
    """Return the median of all means of two differences, with the interval of the exact signed-rank test of Wilcoxon.

    Args:
        differences: Paired differences.
        confidence: Confidence level of the interval.

    Returns:
        The estimate, or None if there are too few differences for the confidence level.
    """
    n = len(differences)
    chances = np.ones(1)  # of each value of the signed-rank statistic
    for rank in range(1, n + 1):
        chances = (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0))) / 2
    left_out = int(np.searchsorted(np.cumsum(chances), (1 - confidence) / 2, side="right"))
    if left_out < 1:
        return None
    means = np.sort(((differences[:, None] + differences) / 2)[np.triu_indices(n)])
    low, high = float(means[left_out - 1]), float(means[-left_out])
    return Estimate(float(np.median(means)), low, high, "test examples", n)


def _smallest(found: Sequence[Estimate | None]) -> Estimate | None:
    estimates = [each for each in found if each is not None]
    if len(estimates) < len(found):
        return None
    value, low, high = (min(getattr(each, name) for each in estimates) for name in ("value", "low", "high"))
    return Estimate(value, low, high, "test examples", min(each.n for each in estimates))


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
