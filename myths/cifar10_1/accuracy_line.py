"""The line that relates a model's accuracy on a new test set to its accuracy on the original one.

Recht et al. (2018, Fig. 1) fit it to accuracies; Miller et al. (2021) to probits, on which it is straighter.
Fits are ordinary least squares over models, with percentile-bootstrap intervals over models: these
treat the models as independent draws, which they are not (they share ideas, code and training data).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Num
from numpy import ndarray as Array

from myths.lab.estimate import Estimate, bootstrap

Scale = Literal["accuracy", "probit"]
SCALES: tuple[Scale, ...] = ("accuracy", "probit")


@dataclass(frozen=True)
class Line:
    """``y = slope · x + intercept`` with its coefficient of determination; one number, or one a resample."""

    slope: Float[Array, "*batch"]
    intercept: Float[Array, "*batch"]
    r2: Float[Array, "*batch"]


@dataclass(frozen=True)
class LineWithIntervals:
    """A line over models on one scale; intervals over models."""

    scale: Scale
    slope: Estimate
    intercept: Estimate
    r2: Estimate

    def predict(self, accuracy: Float[Array, " n"]) -> Float[Array, " n"]:
        """New accuracy (0..1) that the line gives for an original accuracy (0..1)."""
        return from_scale(self.slope.value * to_scale(accuracy, self.scale) + self.intercept.value, self.scale)


def least_squares(x: Float[Array, "*batch n"], y: Float[Array, "*batch n"]) -> Line:
    """Ordinary least squares along the last axis; NaN where all ``x`` are equal."""
    dx = x - x.mean(-1, keepdims=True)
    dy = y - y.mean(-1, keepdims=True)
    sxx, sxy, syy = (dx * dx).sum(-1), (dx * dy).sum(-1), (dy * dy).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = sxy / sxx
        intercept, r2 = y.mean(-1) - slope * x.mean(-1), sxy**2 / (sxx * syy)
    return Line(np.asarray(slope), np.asarray(intercept), np.asarray(r2))


def share(correct: Num[Array, " n"], of: Num[Array, " n"]) -> Float[Array, " n"]:
    """Accuracies in 0..1, held half an example away from 0 and 1, where probits are infinite."""
    return np.clip(correct / of, 0.5 / of, 1 - 0.5 / of)


def to_scale(accuracy: Float[Array, "*n"], scale: Scale) -> Float[Array, "*n"]:
    """Accuracies (0..1) as they are, or as quantiles of the normal distribution."""
    from scipy import special

    return special.ndtri(accuracy) if scale == "probit" else accuracy


def from_scale(value: Float[Array, "*n"], scale: Scale) -> Float[Array, "*n"]:
    """The inverse of ``to_scale``."""
    from scipy import special

    return special.ndtr(value) if scale == "probit" else value


def fit(
    original: Float[Array, " models"], new: Float[Array, " models"], scale: Scale, rng: np.random.Generator, resamples: int = 10_000
) -> LineWithIntervals | None:
    """The line through ``models`` points (accuracies in 0..1) on a scale, with intervals over models.

    The intercept is in accuracy points of 0..1, or in probits. None when too many resamples are
    degenerate to give an interval, as with fewer than five models.
    """
    n = len(original)
    x, y = to_scale(original, scale), to_scale(new, scale)
    # One stream, read three times, so that the three intervals come from the same resamples.
    seed = int(rng.integers(2**63))

    def interval(part: Callable[[Line], Float[Array, " resamples"]]) -> Estimate:
        again = np.random.default_rng(seed)
        return bootstrap(lambda index: part(least_squares(x[index], y[index])), n, "models", again, resamples)

    try:
        return LineWithIntervals(scale, interval(lambda f: f.slope), interval(lambda f: f.intercept), interval(lambda f: f.r2))
    except ValueError:
        return None


def off_the_line(
    line: LineWithIntervals,
    original: Float[Array, " models"],
    new: Float[Array, " models"],
    n_new: Num[Array, " models"],
) -> int:
    """How many models lie farther from the line than two binomial standard errors of the new test set.

    The standard error is that of ``n_new`` images at the accuracy that the line predicts, as if each model were tested on its own
    draw. All are tested on the same images, whose common luck the line takes up, so residuals vary less than this: a lenient count.
    """
    predicted = np.clip(line.predict(original), 0.5 / n_new, 1 - 0.5 / n_new)
    deviation = np.sqrt(predicted * (1 - predicted) / n_new)
    return int((np.abs(new - predicted) > 2 * deviation).sum())
