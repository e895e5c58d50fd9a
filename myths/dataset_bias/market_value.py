"""Market value of images of another dataset: the shift between learning curves, and the basket of currencies (Torralba & Efros, §4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray as Array

from myths.lab.estimate import CONFIDENCE


def slopes(ap: Float[Array, "*splits train test sizes"], sizes: Int[Array, " sizes"]) -> Float[Array, "*splits train test"]:
    """Return the least-squares slope of AP over log n of every learning curve."""
    log_n = np.log(sizes) - np.log(sizes).mean()
    return ap @ (log_n / (log_n @ log_n))


def log_relative_value(ap: Float[Array, "*splits sets sets sizes"], sizes: Int[Array, " sizes"]) -> Float[Array, "*splits sets sets"]:
    """Return log α of an image of the row's dataset on the column's test set, not censored.

    The paper's model is AP_ij(n) = AP_jj(αn) with AP_jj linear in log n. Both curves have the same sizes. The least-squares shift is
    therefore
    the difference of their mean levels divided by the native slope; if the curves are not parallel, it is the shift at the geometric mean
    size.
    A native curve that does not rise has no such shift. The result is then -inf if the other curve is entirely below it, inf if it is
    entirely
    above it, and NaN otherwise.
    """
    level, slope = ap.mean(-1), slopes(ap, sizes)
    native_level, native_slope = (np.diagonal(x, axis1=-2, axis2=-1)[..., None, :] for x in (level, slope))
    rises = native_slope > 1e-12 * np.abs(native_level)  # rounding gives a constant curve a small slope
    shift = (level - native_level) / np.where(rises, native_slope, 1.0)
    lowest, highest = ap.min(-1), ap.max(-1)
    native_lowest, native_highest = (np.diagonal(x, axis1=-2, axis2=-1)[..., None, :] for x in (lowest, highest))
    apart = np.select([highest < native_lowest, lowest > native_highest], [-np.inf, np.inf], np.nan)
    return np.where(np.eye(ap.shape[-2], dtype=bool), 0.0, np.where(rises, shift, apart))  # a native image is worth one by definition


def censored(log_alpha: Float[Array, "*shape"], reach: float) -> Float[Array, "*shape"]:
    """Return α where the fitted curves overlap, 0 where it is ≤ 1/reach, ``reach`` where it is ≥ reach, and NaN unchanged.

    ``reach`` is the ratio of the largest to the smallest training size. Beyond it, the fitted curves share no AP value, and α would be an
    extrapolation. The paper prints 0 where the other curve ends below the start of the native curve.
    """
    limit = np.log(reach)
    beyond = np.abs(log_alpha) >= limit * (1 - 1e-12)
    return np.where(beyond, np.where(log_alpha < 0, 0.0, reach), np.exp(np.clip(log_alpha, -limit, limit)))


def basket_of_currencies(alpha: Float[Array, "*draws sets sets"]) -> Float[Array, "*draws sets"]:
    """Return the column means, including the 1 of the diagonal. Censored cells count as 0 or ``reach``."""
    return alpha.mean(-2)


def fraction_between_zero_and_one(alpha: Float[Array, "*draws sets sets"]) -> Float[Array, "*draws"]:
    """Return the fraction of off-diagonal cells with 0 < α < 1 (15 of 20 in Table 3)."""
    return _fraction((alpha > 0) & (alpha < 1))


def fraction_below_one(alpha: Float[Array, "*draws sets sets"]) -> Float[Array, "*draws"]:
    """Return the fraction of off-diagonal cells with α < 1, including those "below range" (20 of 20 in Table 3)."""
    return _fraction(alpha < 1)


def _fraction(holds: Bool[Array, "*draws sets sets"]) -> Float[Array, "*draws"]:
    away = ~np.eye(holds.shape[-1], dtype=bool)
    return np.asarray((holds & away).sum((-2, -1)) / away.sum())


@dataclass(frozen=True)
class MarketValue:
    """Market value α[i, j]: how many images of dataset j one image of dataset i is worth on j's test set (Table 3, same layout).

    Attributes:
        alpha: Censored α. The diagonal is 1.
        draws: Censored α of bootstrap resamples of the splits.
        reach: Ratio of the largest to the smallest training size.
        splits: Number of splits.
    """

    alpha: Float[Array, "sets sets"]
    draws: Float[Array, "resamples sets sets"]
    reach: float
    splits: int

    @property
    def note(self) -> list[list[str]]:
        """Note of each cell: "", "below range" (< 1/reach), "above range" (> reach) or "native curve does not rise" (NaN)."""
        return [[_note(float(cell), self.reach) for cell in row] for row in self.alpha]

    def interval(self, statistic: Callable[[Array], Array] = lambda alpha: alpha) -> tuple[Array, Array, Array]:
        """Return the value, low and high end of the 95 % percentile interval of a statistic of α [draws sets sets]. Default: every cell.

        A resample whose native curve does not rise leaves α undefined. It counts as 0 and as ``reach``, whichever makes the interval wider.
        The
        result is NaN where the value itself is undefined.
        """
        value = statistic(self.alpha[None])[0]
        ends = [statistic(np.nan_to_num(self.draws, nan=fill)) for fill in (0.0, self.reach)]
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(np.minimum(*ends), tail, axis=0), np.quantile(np.maximum(*ends), 1 - tail, axis=0)
        return np.asarray(value), np.asarray(np.minimum(low, value)), np.asarray(np.maximum(high, value))


def market_value(
    ap: Float[Array, "splits sets sets sizes"], sizes: Int[Array, " sizes"], rng: np.random.Generator, resamples: int = 10_000
) -> MarketValue:
    """Return α of every pair of datasets from learning curves, with a bootstrap over random splits.

    Whole splits are resampled. Few splits give intervals that are slightly too narrow. The interval does not cover the choice of datasets.

    Args:
        ap: Average precision for each training set, test set and size. All curves have the same sizes.
        sizes: Training sizes, increasing.
        rng: Samples the resamples.
        resamples: Number of resamples.

    Raises:
        ValueError: There are fewer than two splits or sizes, the sizes do not increase, or an AP is not finite.
    """
    if len(ap) < 2 or len(sizes) < 2:
        raise ValueError("the market value requires at least two splits and two training sizes")
    if sizes[0] < 1 or not (np.diff(sizes) > 0).all():
        raise ValueError(f"training sizes must be positive and increasing, not {sizes.tolist()}")
    if not np.isfinite(ap).all():
        raise ValueError("every AP must be finite")
    reach = float(sizes[-1] / sizes[0])
    shares = rng.multinomial(len(ap), np.full(len(ap), 1 / len(ap)), size=resamples) / len(ap)  # α depends only on the mean curves
    alpha, draws = (censored(log_relative_value(mean, sizes), reach) for mean in (ap.mean(0), np.tensordot(shares, ap, 1)))
    return MarketValue(alpha, draws, reach, len(ap))


def _note(alpha: float, reach: float) -> str:
    if np.isnan(alpha):
        return "native curve does not rise"
    return {0.0: "below range", reach: "above range"}.get(alpha, "")
