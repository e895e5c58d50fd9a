"""Differences between attacks, methods, networks and measures, with intervals over images: what the claims are about.

Two series on the same network are compared image by image, over the images that both have; on different images (another network,
another data set) by Welch's t. An image counts where its label is kept, and it has a map, in all that is compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray as Array

from myths.lab.estimate import Estimate, bootstrap, student_t
from myths.lab.store import Results
from myths.lab.tables import TRIALS, unite
from myths.saliency.tables import about, mean, numbers
from myths.saliency.trials import AttackImages, method_name

if TYPE_CHECKING:
    import pandas as pd

RESAMPLES = 4000
RANDOM = ("random", "random-walk")


@dataclass(frozen=True)
class Series:
    """One attack on one method at one budget: a number an image for each measure, and what maps of other images have in common."""

    images: Int[Array, " n"]
    """Places in the test set."""
    values: Mapping[str, Float[Array, " n"]]
    kept: Bool[Array, " n"]
    other: Mapping[str, Float[Array, " n"]]
    about: Mapping[str, Any]


Subject = tuple[Any, ...]
"""What two series must share to be compared image by image."""
Key = tuple[str, str, float]
"""Method, attack, budget."""


def contrasts(results: Results) -> pd.DataFrame:
    """A row for each contrast, method, attack, budget and network, with value, low, high and n.

    Intersections are shares, 0..1. ``contrast`` is one of: "attack below random" (for each random baseline), "center shift beyond random"
    (px), "integrated gradients above the others", "deeplift above gradient", "smoothgrad above gradient", "locality" (LENS less
    intersection, each rescaled so that another image's map is 0 and the same map is 1), "defence" (above the plain network) and
    "small images" (CIFAR-10 above photographs of 64 pixels, rescaled likewise).
    """
    import pandas as pd

    found = _series(results)
    rows = [row for series in found.values() for row in _within(series)]
    rows += list(_between(found))
    table = pd.DataFrame(rows)
    if len(table) and "against" not in table:  # no contrast of these results is with another attack or network
        table["against"] = None
    return table


def paired(one: Series, other: Series, measure: str) -> Estimate | None:
    """Mean of one minus the other over the images that both have and keep; None for fewer than two."""
    here, there = _kept_by_all(one, other)
    difference = one.values[measure][here] - other.values[measure][there]
    return student_t(difference, "test examples") if len(difference) > 1 else None


def unpaired(one: Float[Array, " n"], other: Float[Array, " m"]) -> Estimate | None:
    """Difference of means of different images with Welch's t interval; None for fewer than two in either."""
    from scipy import stats

    if min(len(one), len(other)) < 2:
        return None
    value = float(one.mean() - other.mean())
    if not (np.ptp(one) or np.ptp(other)):
        return Estimate(value, value, value, "test examples", min(len(one), len(other)))
    ends = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    return Estimate(value, float(ends.low), float(ends.high), "test examples", min(len(one), len(other)))


def above_the_better(one: Series, others: tuple[Series, Series]) -> Estimate | None:
    """The mean intersection of one less that of the better of two others, bootstrapped over the images that all have and keep."""
    each = (one, *others)
    a, b, c = (s.values["intersection"][kept] for s, kept in zip(each, _kept_by_all(*each), strict=True))
    if len(a) < 2:
        return None

    def statistic(i: Array) -> Array:
        return a[i].mean(1) - np.maximum(b[i].mean(1), c[i].mean(1))

    return bootstrap(statistic, len(a), "test examples", np.random.default_rng(0), RESAMPLES)


def locality(series: Series) -> Estimate | None:
    """LENS less intersection, both rescaled by what another image's map has, which LENS also finds more alike by its nature."""
    k = series.kept & np.isfinite(series.other["intersection"])
    if k.sum() < 2:
        return None
    near, same, other_near, other_same = (
        v[k]
        for v in (series.values["lens_recall"], series.values["intersection"], series.other["lens_recall"], series.other["intersection"])
    )

    def statistic(i: Array) -> Array:
        return _rescaled(near[i].mean(1), other_near[i].mean(1)) - _rescaled(same[i].mean(1), other_same[i].mean(1))

    return bootstrap(statistic, int(k.sum()), "test examples", np.random.default_rng(0), RESAMPLES)


def _kept_by_all(*each: Series) -> list[Int[Array, " m"]]:
    """Where in each series the images are that all of them have and keep, in one order."""
    common = reduce(np.intersect1d, (series.images[series.kept] for series in each))
    order = [np.argsort(series.images) for series in each]
    return [places[np.searchsorted(series.images[places], common)] for series, places in zip(each, order, strict=True)]


def _rescaled(value: Any, null: Any) -> Any:
    return (value - null) / np.maximum(1 - null, 1e-9)


def _series(results: Results) -> dict[Subject, dict[Key, Series]]:
    """Of two trials that differ in how many images they have, the one that has more."""
    found: dict[Subject, dict[Key, Series]] = {}
    for trial, record in results.of(AttackImages):
        clean = next(row for row in record.rows if row["kind"] == "clean")
        other = {name: numbers(clean[f"other_{name}"]) for name in ("intersection", "lens_recall")}
        for row in record.rows:
            if row["kind"] == "budget" and row["epsilon"] > 0:
                values = {name: numbers(row[name]) for name in (*other, "center_shift_px", "ssim")}
                kept = np.array(row["label_kept"], dtype=bool) & np.isfinite(values["intersection"])
                key = (method_name(trial), trial.attack, float(row["epsilon"]))
                of = found.setdefault((trial.network.id, trial.seed, trial.k, trial.iterations), {})
                if key not in of or len(of[key].kept) < len(kept):
                    of[key] = Series(np.array(row["image"]), values, kept, other, about(trial, record))
    return found


def _within(series: dict[Key, Series]) -> Iterator[dict[str, Any]]:
    """Contrasts on the same images."""
    for (method, attack, epsilon), one in series.items():
        row = {"method": method, "attack": attack, "epsilon": epsilon}
        if attack in RANDOM:
            continue
        for random in RANDOM:
            against = {"against": random}
            other = series.get((method, random, epsilon))
            if other is None:
                continue
            if attack == "mass-center":
                yield from _row("center shift beyond random", paired(one, other, "center_shift_px"), (one, other), row | against)
            yield from _row("attack below random", paired(other, one, "intersection"), (one, other), row | against)
        yield from _row("locality", locality(one), (one,), row)
        gradient, deeplift = (series.get((name, attack, epsilon)) for name in ("gradient", "deeplift"))
        if method.startswith("integrated-gradients") and gradient and deeplift:
            found = above_the_better(one, (gradient, deeplift))
            yield from _row("integrated gradients above the others", found, (one, gradient, deeplift), row)
        if method in ("deeplift", "smoothgrad") and gradient:
            yield from _row(f"{method} above gradient", paired(one, gradient, "intersection"), (one, gradient), row)


def _between(found: dict[Subject, dict[Key, Series]]) -> Iterator[dict[str, Any]]:
    """Contrasts between networks and data sets."""
    each = [(key, series) for by_key in found.values() for key, series in by_key.items()]
    for key, one in each:
        row = {"method": key[0], "attack": key[1], "epsilon": key[2]}
        for other_key, other in each:
            if other_key != key or one.about["device"] != other.about["device"]:
                continue
            if one.about["defence"] != "none" and _alike(one, other, "defence"):
                difference = unpaired(one.values["intersection"][one.kept], other.values["intersection"][other.kept])
                yield from _row("defence", difference, (one, other), row | {"against": "none"})
            if (one.about["dataset"], other.about["dataset"]) == ("cifar10", "imagenette") and _alike(one, other, "dataset"):
                scaled = [_rescaled(s.values["intersection"][s.kept], mean(s.other["intersection"])) for s in (one, other)]
                yield from _row("small images", unpaired(*scaled), (one, other), row | {"against": "imagenette"})


def _alike(one: Series, other: Series, but: str) -> bool:
    """Whether two networks differ in nothing but their defence, or their data set, and the second has no defence."""
    shared = [name for name in ("dataset", "network", "network_seed", "seed") if name != but]
    return other.about["defence"] == "none" and all(one.about[name] == other.about[name] for name in shared) and (
        but == "defence" or one.about["defence"] == "none"
    )  # fmt: skip


def _row(contrast: str, found: Estimate | None, of: tuple[Series, ...], row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A row that says of which series it is, the first one first."""
    if found is not None:
        each = [series.about for series in of]
        numbers = {"value": found.value, "low": found.low, "high": found.high, "n": found.n}
        yield {"contrast": contrast, **row, **numbers, **each[0], TRIALS: unite(told[TRIALS] for told in each)}
