"""Linear fit of the accuracy of models on a new test set to their accuracy on the original one.

Recht et al. (2018, Fig. 1) fit accuracies. Miller et al. (2021) fit probits, where the relation is closer to linear. Fits are ordinary
least squares over models. Models of one family, such as all Shake-Shake networks, are not independent samples. The intervals are therefore
jackknife intervals that delete one family at a time, which cover more often than a bootstrap over models or families.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Num
from numpy import ndarray as Array

from myths.lab.estimate import Estimate, fisher_z, jackknife

Scale = Literal["accuracy", "probit"]
SCALES: tuple[Scale, ...] = ("accuracy", "probit")
MIN_FAMILIES = 4
"""Number of families below which there is no interval."""


@dataclass(frozen=True)
class LinearFit:
    """Least-squares fit ``y = slope · x + intercept`` with its coefficient of determination, one per item of a batch."""

    slope: Float[Array, "*batch"]
    intercept: Float[Array, "*batch"]
    r2: Float[Array, "*batch"]


@dataclass(frozen=True)
class FitEstimates:
    """Linear fit over models on one scale, with intervals over families of models.

    Attributes:
        scale: Scale of both accuracies.
        slope: Slope.
        intercept: Intercept, in accuracy (0 to 1) or in probits.
        r2: Coefficient of determination.
    """

    scale: Scale
    slope: Estimate
    intercept: Estimate
    r2: Estimate

    def predict(self, accuracy: Float[Array, " n"]) -> Float[Array, " n"]:
        """Return the predicted new accuracy (0 to 1) for an original accuracy (0 to 1)."""
        return from_scale(self.slope.value * to_scale(accuracy, self.scale) + self.intercept.value, self.scale)


def least_squares(x: Float[Array, "*batch n"], y: Float[Array, "*batch n"]) -> LinearFit:
    """Fit by ordinary least squares along the last axis. The result is NaN where all ``x`` are equal."""
    dx = x - x.mean(-1, keepdims=True)
    dy = y - y.mean(-1, keepdims=True)
    sxx, sxy, syy = (dx * dx).sum(-1), (dx * dy).sum(-1), (dy * dy).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = sxy / sxx
        intercept, r2 = y.mean(-1) - slope * x.mean(-1), sxy**2 / (sxx * syy)
    return LinearFit(np.asarray(slope), np.asarray(intercept), np.asarray(r2))


def clipped_accuracy(correct: Num[Array, " models"], n: Num[Array, " models"]) -> Float[Array, " models"]:
    """Return accuracies clipped to half an image from 0 and 1, where probits are infinite."""
    return np.clip(correct / n, 0.5 / n, 1 - 0.5 / n)


def to_scale(accuracy: Float[Array, "*n"], scale: Scale) -> Float[Array, "*n"]:
    """Convert accuracies (0 to 1) to a scale: unchanged, or to quantiles of the normal distribution."""
    from scipy import special

    return special.ndtri(accuracy) if scale == "probit" else accuracy


def from_scale(value: Float[Array, "*n"], scale: Scale) -> Float[Array, "*n"]:
    """Convert values of a scale to accuracies: the inverse of ``to_scale``."""
    from scipy import special

    return special.ndtr(value) if scale == "probit" else value


def fit(
    original: Float[Array, " models"], new: Float[Array, " models"], scale: Scale, families: Sequence[str] | Array
) -> FitEstimates | None:
    """Fit new to original accuracies on a scale, with jackknife intervals over families of models.

    Args:
        original: Accuracies on the original test set, 0 to 1.
        new: Accuracies on the new test set, 0 to 1.
        scale: Scale of the fit.
        families: Family of each model.

    Returns:
        The fit, or None if there are too few families or a fit without one family is degenerate.
    """
    x, y, family = to_scale(original, scale), to_scale(new, scale), np.asarray(families)
    names = np.unique(family)
    whole, without = least_squares(x, y), [least_squares(x[family != name], y[family != name]) for name in names]
    if len(names) < MIN_FAMILIES or not np.isfinite([whole.slope, *(each.slope for each in without)]).all():
        return None

    def interval(part: Literal["slope", "intercept"]) -> Estimate:
        return jackknife(float(getattr(whole, part)), [float(getattr(each, part)) for each in without], "models", len(x))

    return FitEstimates(scale, interval("slope"), interval("intercept"), _r2(whole, without, len(x)))


def _r2(whole: LinearFit, without: Sequence[LinearFit], n: int) -> Estimate:
    """Return R² with its jackknife interval on Fisher's z scale, which is at least as wide as that of independent families."""
    sign, r2 = float(np.sign(whole.slope)), float(whole.r2)
    z = jackknife(_z_of_r2(whole, sign), [_z_of_r2(each, sign) for each in without], "models", n)
    smallest = fisher_z(float(np.tanh(z.value)), len(without), "models")
    low, high = min(np.tanh(z.low), smallest.low), max(np.tanh(z.high), smallest.high)
    return Estimate(r2, min(r2, float(max(low, 0.0) ** 2)), max(r2, float(high**2)), "models", n)


def _z_of_r2(line: LinearFit, sign: float) -> float:
    """Return Fisher's z of the correlation, positive if the slope has a given sign. A perfect fit has a finite z."""
    return float(np.arctanh(np.sign(line.slope) * sign * np.sqrt(min(float(line.r2), 1 - 1e-12))))


def count_outliers(
    line: FitEstimates,
    original: Float[Array, " models"],
    new: Float[Array, " models"],
    n_new: Num[Array, " models"],
) -> int:
    """Return the number of models whose new accuracy differs from the fit by more than two binomial standard errors.

    The standard error is that of ``n_new`` independent images at the predicted accuracy. All models share the same images, and the fit
    absorbs the common part of their error, so residuals vary less than that: the count is lenient.
    """
    predicted = np.clip(line.predict(original), 0.5 / n_new, 1 - 0.5 / n_new)
    standard_error = np.sqrt(predicted * (1 - predicted) / n_new)
    return int((np.abs(new - predicted) > 2 * standard_error).sum())
