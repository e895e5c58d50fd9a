"""Trials on deep linear networks whose modes are known: when each mode is learned, and where the loss waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from myths.lab.errors import UsageError
from myths.lab.setting import Items, Range, Seed
from myths.lab.trial import Context, Outcome, Protocol, Trial

if TYPE_CHECKING:
    from torch import Tensor

    from myths.order.deep_linear import Course, Layers

UNITS, HIDDEN = 12, 16
"""Inputs and outputs, and hidden units, of networks with a random start."""
SMALL = 0.1
"""Largest scale of a random start that counts as small."""
COURSE_POINTS = 60
"""Number of points of a stored learning curve."""


@dataclass(frozen=True, kw_only=True)
class LearnModes(Trial):
    """Train linear networks on a correlation with given singular values and measure when each mode is learned (Saxe et al. 2019).

    The inputs are white and the singular vectors are unit vectors; both lose no generality, because random starts have no direction.
    """

    singular_values: Annotated[tuple[Annotated[float, Range(above=0)], ...], Items(at_least=2, distinct=True)] = (4.0, 3.0, 2.0, 1.0)
    """Singular values of the input-output correlation, at most 12."""
    start: Literal["balanced", "random"] = "random"
    """Initial weights: balanced with equal strength in all modes, or independent normal weights."""
    scale: Annotated[float, Range(above=0)] = 1e-3
    """Initial strength of each mode (balanced), or standard deviation of the weights times the square root of their inputs (random)."""
    layers: Annotated[int, Range(at_least=1, at_most=8)] = 2
    """Number of weight matrices."""
    starts: Annotated[int, Range(at_least=1)] = 64
    """Number of random starts, trained together. Balanced starts are all alike; one is used."""
    step: Annotated[float, Range(above=0, at_most=0.05)] = 0.005
    """Time step in units of τ."""
    duration: Annotated[float, Range(above=0, at_most=1000)] = 14.0
    """Longest time in units of τ; shorter where large weights need smaller steps."""
    seed: Seed = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.singular_values) > UNITS:
            raise UsageError(f"Invalid singular_values: {len(self.singular_values)} values, expected at most {UNITS}")
        if self.start == "balanced" and self.scale >= min(self.singular_values) / 2:
            raise UsageError(
                f"Invalid scale={self.scale:g}: a balanced start is weaker than half of the smallest of singular_values, "
                f"{min(self.singular_values):g}"
            )

    @property
    def protocol(self) -> Protocol:
        """Return "paper" under the assumptions of the paper's theory (two layers, or one, and a small start), else "reduced"."""
        return "paper" if self.layers <= 2 and self.scale <= SMALL else "reduced"

    @property
    def relative_cost(self) -> float:
        """Return the number of steps times the number of networks."""
        return self.duration / self.step * (1 if self.start == "balanced" else 10 + self.starts) / 1e4

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the columns of tables that the settings determine."""
        return {**super().columns, "modes": len(self.singular_values)}

    @classmethod
    def test_instance(cls) -> LearnModes:
        """Return four random starts with coarse steps."""
        return cls(starts=4, step=0.02, duration=10.0)

    def run(self, context: Context) -> Outcome:
        """Return rows of ``kind`` "start", "mode", "course" and, for a balanced start, "plateau".

        "start": exponent of the half-way time in the singular value, with and without the logarithm of the theory, rank correlation of
        time and 1/s, whether all modes are learned in order, ratio of the slowest to the fastest, censored (modes not learned in time).
        "mode": singular value, median half-way time, and for a balanced start its theory and the largest error of the trajectory.
        "course": strength of each mode of the first start over time. "plateau": loss where the norm of the gradient has a minimum.
        """
        from myths.order.deep_linear import Integration, half_times, learn

        layers, target, watched = self._setting(context)
        how = Integration(self.step, round(self.duration / self.step), adapt=self.start == "random" and self.scale > SMALL)
        course = learn([layer.to(context.device) for layer in layers], target, watched, how)
        values = np.array(self.singular_values)
        halves = half_times(course.times, course.strengths, np.repeat(values[None], len(target), 0))
        rows = [{"kind": "start", "start_number": i, **self._start_columns(values, times)} for i, times in enumerate(halves)]
        rows += self._mode_rows(values, halves, course)
        rows += _course_rows(course)
        rows += _plateau_rows(course, values) if self.start == "balanced" else []
        return Outcome(rows=[{"dataset": f"{len(values)} modes", **row} for row in rows])

    def _setting(self, context: Context) -> tuple[Layers, Tensor, tuple[Tensor, Tensor]]:
        """Return initial weights, correlations and watched modes, on the device."""
        import torch

        from myths.order.deep_linear import balanced_start, random_start

        modes, generator = len(self.singular_values), context.generator("init")
        if self.start == "balanced":
            layers, units = balanced_start(self.scale, modes, max(HIDDEN, modes), self.layers, generator), modes
        else:
            units = UNITS
            sizes = [units, *[HIDDEN] * (self.layers - 1), units]
            layers = random_start(self.scale, sizes, self.starts, generator)
        batch = len(layers[0])
        target = torch.zeros(batch, units, units, dtype=torch.float64)
        target[:, range(modes), range(modes)] = torch.tensor(self.singular_values, dtype=torch.float64)
        watched = torch.eye(units, dtype=torch.float64)[:modes].expand(batch, -1, -1).to(context.device)
        return layers, target.to(context.device), (watched, watched)

    def _start_columns(self, values: np.ndarray, times: np.ndarray) -> dict[str, Any]:
        from scipy.stats import spearmanr

        from myths.order.deep_linear import log_slope

        order = np.argsort(-values)
        late = np.where(np.isnan(times), np.inf, times)
        known = bool(np.isfinite(late).all() and (late > 0).all())
        columns: dict[str, Any] = {
            "censored": int(np.isnan(times).sum()),
            "in_order": bool((late[order][:-1] < late[order][1:]).all()),
            "rank_correlation": float(spearmanr(-values, late).statistic) if len(set(late)) > 1 else None,
            "exponent": log_slope(values, times) if known else None,
            "slowest_to_fastest": float(times.max() / times.min()) if known else None,
        }
        if self.start == "balanced" and self.layers == 2:
            columns["exponent_with_log"] = log_slope(values, times / np.log(values / self.scale - 1))
        return columns

    def _mode_rows(self, values: np.ndarray, halves: np.ndarray, course: Course) -> list[dict[str, Any]]:
        from myths.order.deep_linear import theory, theory_half_time

        rows = []
        for k, value in enumerate(values):
            found = halves[:, k][np.isfinite(halves[:, k])]
            row: dict[str, Any] = {
                "kind": "mode", "mode": k + 1, "singular_value": float(value), "learned": len(found),
                "half_time": float(np.median(found)) if len(found) else None,
            }  # fmt: skip
            if self.start == "balanced" and self.layers == 2:
                predicted = theory(course.times[0], float(value), self.scale)
                row["theory_half_time"] = theory_half_time(float(value), self.scale)
                row["max_error_percent"] = float(100 * np.abs(course.strengths[0, :, k] - predicted).max() / value)
            rows.append(row)
        return rows


def _course_rows(course: Course) -> list[dict[str, Any]]:
    at = np.unique(np.linspace(0, course.times.shape[1] - 1, COURSE_POINTS).round().astype(int))
    return [
        {"kind": "course", "time": float(course.times[0, i]), "mode": k + 1, "strength": float(course.strengths[0, i, k]),
         "loss": float(course.losses[0, i])}
        for i in at
        for k in range(course.strengths.shape[2])
    ]  # fmt: skip


def _plateau_rows(course: Course, values: np.ndarray) -> list[dict[str, Any]]:
    """Return the losses at the minima of the gradient's norm between the first step and the last, with the nearest level of the theory."""
    norms, losses = course.gradient_norms[0], course.losses[0]
    inner = np.flatnonzero((norms[1:-1] < norms[:-2]) & (norms[1:-1] <= norms[2:])) + 1
    levels = [float((np.sort(values)[:left] ** 2).sum() / 2) for left in range(1, len(values))]
    rows = []
    for i in inner:
        level = min(levels, key=lambda each: abs(each - losses[i]))
        deviation = float(100 * abs(losses[i] - level) / level)
        rows.append({"kind": "plateau", "time": float(course.times[0, i]), "loss": float(losses[i]), "level": level,
                     "deviation_percent": deviation})  # fmt: skip
    return rows
