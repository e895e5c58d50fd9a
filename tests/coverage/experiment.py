"""An experiment with a known truth, and how often its interval holds the truth."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from myths.lab.estimate import Estimate

Generator = np.random.Generator

LEAST, MOST = 0.92, 0.98
"""Smallest coverage, and largest coverage of intervals that are not conservative. The nominal coverage is 0.95."""
FALSE = 0.04
"""Largest rate of intervals above the truth, and below it. If the truth is the bound of a criterion, these are the false verdicts."""

SHORT, SHORT_SLOW = (90, 360, 1440), (36, 120, 360)
"""Numbers of repetitions of the short form; fewer for slow experiments."""
DOUBT, ERRORS = 1.0, 3.0
"""Standard errors of the simulation by which a limit may be exceeded: without more repetitions, and after all."""


@dataclass(frozen=True)
class Case:
    """An experiment.

    Attributes:
        draw: Repeats the experiment and returns its estimate.
        truth: What the estimate is of.
        conservative: Whether the interval may hold the truth in more than 98 % of the experiments: it is exact for counts, or a bound.
        slow: Whether an experiment takes more than some milliseconds. The short form repeats it less often.
        missing: Largest share of the experiments that may give no estimate.
    """

    draw: Callable[[Generator], Estimate | None]
    truth: float
    conservative: bool = False
    slow: bool = False
    missing: float = 0.0


@dataclass(frozen=True)
class Coverage:
    """How often the interval of an experiment holds the truth.

    Attributes:
        case: The experiment.
        draws: Number of repetitions with an estimate.
        held: Fraction of the intervals that hold the truth.
        above: Fraction of the intervals above the truth.
        below: Fraction of the intervals below the truth.
        missing: Fraction of all repetitions without an estimate.
    """

    case: Case
    draws: int
    held: float
    above: float
    below: float
    missing: float = 0.0

    def shortcomings(self, errors: float = 2.0) -> list[str]:
        """Return which limits are exceeded by more than some standard errors of the simulation."""
        checks = [
            ("covers too little", LEAST - self.held, LEAST),
            ("false verdicts above", self.above - FALSE, FALSE),
            ("false verdicts below", self.below - FALSE, FALSE),
        ]
        if not self.case.conservative:
            checks.append(("covers too much", self.held - MOST, MOST))
        checks.append((f"{self.missing:.1%} without an estimate", self.missing - self.case.missing, self.case.missing))
        exceeded = [what for what, excess, limit in checks if excess > max(0.0, errors * np.sqrt(limit * (1 - limit) / self.draws))]
        return [f"{what}: {self.held:.1%} held, {self.above:.1%} above, {self.below:.1%} below" for what in exceeded]


def coverage(case: Case, draws: int) -> Coverage:
    """Repeat an experiment and return how often its interval holds the truth."""
    return _summary(case, _ends(case, draws, np.random.default_rng(0)))


def short_coverage(case: Case) -> Coverage:
    """Return the coverage by few repetitions, and by more if these leave a doubt.

    There is a doubt if a limit is exceeded by more than ``DOUBT`` standard errors of the simulation. Most experiments end with the first
    number of ``SHORT``, so that the time goes where the coverage is low.
    """
    rng, ends, found = np.random.default_rng(0), np.empty((0, 2)), None
    for draws in SHORT_SLOW if case.slow else SHORT:
        ends = np.concatenate([ends, _ends(case, draws - len(ends), rng)])
        found = _summary(case, ends)
        if not found.shortcomings(DOUBT) or found.shortcomings(ERRORS):
            break
    assert found is not None
    return found


def _ends(case: Case, draws: int, rng: Generator) -> np.ndarray:
    """Return the ends of the intervals of some experiments, NaN for one without an estimate."""
    found = (case.draw(rng) for _ in range(draws))
    return np.array([(np.nan, np.nan) if each is None else (each.low, each.high) for each in found]).reshape(-1, 2)


def _summary(case: Case, ends: np.ndarray) -> Coverage:
    low, high = ends[~np.isnan(ends[:, 0])].T
    if not len(low):
        raise ValueError("no experiment has an estimate")
    above, below = float((low > case.truth).mean()), float((high < case.truth).mean())
    return Coverage(case, len(low), 1 - (above + below), above, below, 1 - len(low) / len(ends))
