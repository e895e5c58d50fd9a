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


@dataclass(frozen=True)
class Case:
    """An experiment.

    Attributes:
        draw: Repeats the experiment and returns its estimate.
        truth: What the estimate is of.
        conservative: Whether the interval may hold the truth in more than 98 % of the experiments: it is exact for counts, or a bound.
        slow: Whether an experiment takes more than a few milliseconds.
    """

    draw: Callable[[Generator], Estimate | None]
    truth: float
    conservative: bool = False
    slow: bool = False


@dataclass(frozen=True)
class Coverage:
    """How often the interval of an experiment holds the truth.

    Attributes:
        case: The experiment.
        draws: Number of repetitions.
        held: Fraction of the intervals that hold the truth.
        above: Fraction of the intervals above the truth.
        below: Fraction of the intervals below the truth.
    """

    case: Case
    draws: int
    held: float
    above: float
    below: float

    def shortcomings(self, errors: float = 2.0) -> list[str]:
        """Return which limits are exceeded by more than some standard errors of the simulation."""
        checks = [
            ("covers too little", LEAST - self.held, LEAST),
            ("false verdicts above", self.above - FALSE, FALSE),
            ("false verdicts below", self.below - FALSE, FALSE),
        ]
        if not self.case.conservative:
            checks.append(("covers too much", self.held - MOST, MOST))
        exceeded = [what for what, excess, limit in checks if excess > errors * np.sqrt(limit * (1 - limit) / self.draws)]
        return [f"{what}: {self.held:.1%} held, {self.above:.1%} above, {self.below:.1%} below" for what in exceeded]


def coverage(case: Case, draws: int) -> Coverage:
    """Repeat an experiment and return how often its interval holds the truth. An experiment without an estimate is left out."""
    rng = np.random.default_rng(0)
    found = [each for each in (case.draw(rng) for _ in range(draws)) if each is not None]
    assert len(found) > draws / 2
    above, below = np.mean([each.low > case.truth for each in found]), np.mean([each.high < case.truth for each in found])
    return Coverage(case, len(found), 1 - float(above + below), float(above), float(below))
