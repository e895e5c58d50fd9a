"""What a sample of another data set is worth: the shift between learning curves, and the basket of currencies (Torralba & Efros, §4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray as Array

from myths.lab.estimate import CONFIDENCE


def slopes(ap: Float[Array, "*splits train test sizes"], sizes: Int[Array, " sizes"]) -> Float[Array, "*splits train test"]:
    """Least-squares slope of AP against log n for every learning curve: AP gained by e times the samples."""
    log_n = np.log(sizes) - np.log(sizes).mean()
    return ap @ (log_n / (log_n @ log_n))


def log_relative_value(ap: Float[Array, "*splits sets sets sizes"], sizes: Int[Array, " sizes"]) -> Float[Array, "*splits sets sets"]:
    """log α of a sample of the row's set on the column's test set, not censored.

    The paper's model is AP_ij(n) = AP_jj(αn) with AP_jj linear in log n. Both curves have the same sizes, so the least-squares shift is the
    difference of their mean levels over the native slope (where the curves are not parallel: the shift at the geometric mean size).
    A native curve that does not rise, as one at 100 %, has no such shift: -inf where the foreign curve lies wholly below it, inf where
    wholly above, else NaN.
    """
    level, slope = ap.mean(-1), slopes(ap, sizes)
    native_level, native_slope = (np.diagonal(x, axis1=-2, axis2=-1)[..., None, :] for x in (level, slope))
    rises = native_slope > 1e-12 * np.abs(native_level)  # a constant curve has the slope of its rounding
    shift = (level - native_level) / np.where(rises, native_slope, 1.0)
    lowest, highest = ap.min(-1), ap.max(-1)
    native_lowest, native_highest = (np.diagonal(x, axis1=-2, axis2=-1)[..., None, :] for x in (lowest, highest))
    apart = np.select([highest < native_lowest, lowest > native_highest], [-np.inf, np.inf], np.nan)
    return np.where(np.eye(ap.shape[-2], dtype=bool), 0.0, np.where(rises, shift, apart))  # a native sample is worth one, by definition


def censored(log_alpha: Float[Array, "*shape"], reach: float) -> Float[Array, "*shape"]:
    """α where the fitted curves overlap; 0 where it is ≤ 1/reach and ``reach`` where it is ≥ reach; NaN stays.

    ``reach`` is the largest over the smallest training size. Beyond it the lines share no AP: the foreign curve ends below where the
    native one starts (the paper prints 0), or starts above its end, and a number would be an extrapolation.
    """
    limit = np.log(reach)
    beyond = np.abs(log_alpha) >= limit * (1 - 1e-12)
    return np.where(beyond, np.where(log_alpha < 0, 0.0, reach), np.exp(np.clip(log_alpha, -limit, limit)))


def basket_of_currencies(alpha: Float[Array, "*draws sets sets"]) -> Float[Array, "*draws sets"]:
    """Column means with the 1 of the diagonal: what a sample of any set is worth on this one. Censored cells count as 0 or ``reach``."""
    return alpha.mean(-2)


def fraction_between_zero_and_one(alpha: Float[Array, "*draws sets sets"]) -> Float[Array, "*draws"]:
    """Share of the cells off the diagonal with 0 < α < 1: worth something, but less than a native one. 15 of 20 in Table 3."""
    return _fraction((alpha > 0) & (alpha < 1))


def fraction_below_one(alpha: Float[Array, "*draws sets sets"]) -> Float[Array, "*draws"]:
    """Share of the cells off the diagonal with α < 1, those "below range" too: worth less than a native one. 20 of 20 in Table 3."""
    return _fraction(alpha < 1)


def _fraction(holds: Bool[Array, "*draws sets sets"]) -> Float[Array, "*draws"]:
    away = ~np.eye(holds.shape[-1], dtype=bool)
    return np.asarray((holds & away).sum((-2, -1)) / away.sum())


@dataclass(frozen=True)
class MarketValue:
    """α[i, j]: how many samples of set j one sample of set i is worth on j's test set; 1 on the diagonal (Table 3, same layout).

    ``draws`` are the bootstrap's, over splits. Both are censored as in ``censored``; ``note`` says which cells are.
    """

    alpha: Float[Array, "sets sets"]
    draws: Float[Array, "resamples sets sets"]
    reach: float
    splits: int

    @property
    def note(self) -> list[list[str]]:
        """What a cell is: "" for a fitted α, "below range" (< 1/reach), "above range" (> reach), "native curve does not rise" (NaN)."""
        return [[_note(float(cell), self.reach) for cell in row] for row in self.alpha]

    def interval(self, statistic: Callable[[Array], Array] = lambda alpha: alpha) -> tuple[Array, Array, Array]:
        """Value, low and high end of the 95 % percentile interval of a statistic of α [draws, sets, sets]; of every cell by default.

        A resample whose native curve does not rise leaves α undefined. It counts as 0 and as ``reach``, whichever makes the interval
        wider. The result is NaN where the value itself is undefined.
        """
        value = statistic(self.alpha[None])[0]
        ends = [statistic(np.nan_to_num(self.draws, nan=fill)) for fill in (0.0, self.reach)]
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(np.minimum(*ends), tail, axis=0), np.quantile(np.maximum(*ends), 1 - tail, axis=0)
        return np.asarray(value), np.asarray(np.minimum(low, value)), np.asarray(np.maximum(high, value))


def market_value(
    ap: Float[Array, "splits sets sets sizes"], sizes: Int[Array, " sizes"], rng: np.random.Generator, resamples: int = 10_000
) -> MarketValue:
    """α of every pair from learning curves, trained on (row) and tested on (column) every set, with a bootstrap over random splits.

    The same training sizes for all. Whole splits are drawn, so what curves of one split share stays together; few splits give intervals
    that are somewhat too narrow, and none covers the choice of the data sets. Raises ValueError for fewer than two splits or two sizes, for
    sizes that do not rise, and for AP that is not finite.
    """
    if len(ap) < 2 or len(sizes) < 2:
        raise ValueError("the market value needs at least two splits and two training sizes")
    if sizes[0] < 1 or not (np.diff(sizes) > 0).all():
        raise ValueError(f"training sizes must rise from at least one, not {sizes.tolist()}")
    if not np.isfinite(ap).all():
        raise ValueError("every learning curve must be complete")
    reach = float(sizes[-1] / sizes[0])
    shares = rng.multinomial(len(ap), np.full(len(ap), 1 / len(ap)), size=resamples) / len(ap)  # α needs the mean curves alone
    alpha, draws = (censored(log_relative_value(mean, sizes), reach) for mean in (ap.mean(0), np.tensordot(shares, ap, 1)))
    return MarketValue(alpha, draws, reach, len(ap))


def _note(alpha: float, reach: float) -> str:
    if np.isnan(alpha):
        return "native curve does not rise"
    return {0.0: "below range", reach: "above range"}.get(alpha, "")
