"""The criterion of a claim: a range of numbers that the whole confidence interval must lie in."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from myths.lab.estimate import Estimate

Place = Literal["inside", "beyond", "outside", "straddles"]
"""Where an interval lies relative to a criterion."""


@dataclass(frozen=True)
class Criterion:
    """A range that the whole confidence interval must lie in.

    Attributes:
        low: Lower end.
        high: Upper end.
        strict: Whether the ends are excluded.
        beyond: The end past which a number is better than the paper's ("no change"), which suggests a weak baseline; None if there is none.
    """

    low: float = -math.inf
    high: float = math.inf
    strict: bool = False
    beyond: Literal["low", "high"] | None = None

    def __post_init__(self) -> None:
        if self.beyond is not None and not math.isfinite(self.low + self.high):
            raise ValueError(f"Criterion({self.low}, {self.high}, beyond={self.beyond!r}): expected a range with two ends")
        empty = not self.low <= self.high or (self.strict and self.low == self.high)
        if empty or (self.low == -math.inf and self.high == math.inf):
            raise ValueError(
                f"Criterion({self.low}, {self.high}, strict={self.strict}): expected a range that excludes some number, not all"
            )

    def __str__(self) -> str:
        low, high = (f"{end:.12g}" for end in (self.low, self.high))
        if self.low == self.high:
            return f"= {low}"
        lower, upper = f"{'>' if self.strict else '≥'} {low}", f"{'<' if self.strict else '≤'} {high}"
        if self.low > -math.inf and self.high < math.inf:
            return f"{lower} and {upper}" if self.strict else f"in {low}…{high}"
        return lower if self.low > -math.inf else upper

    @classmethod
    def parse(cls, text: str) -> Criterion | None:
        """Return the criterion at the start of a text, as ``str`` prints it, or None. The rest of the text is the unit."""
        if (found := _CRITERION_PATTERN.match(text)) is None:
            return None
        part = found.groupdict()
        low, high = part["equal"] or part["first"] or part["low"], part["equal"] or part["last"] or part["top"] or part["high"]
        try:
            return cls(float(low or -math.inf), float(high or math.inf), strict=found[0][0] in "<>")
        except ValueError:
            return None

    def contains(self, value: float) -> bool:
        """Return whether a number lies in the range."""
        if self.strict and math.isfinite(value):
            return self.low < value < self.high
        return self.low <= value <= self.high

    def place(self, estimate: Estimate) -> Place:
        """Return where the interval of an estimate lies.

        Returns:
            "inside" if the whole interval lies in the range, "straddles" if a part of it does. If none does: "beyond" if the interval lies
            past the end ``beyond``, and "outside" otherwise.
        """
        if self.contains(estimate.low) and self.contains(estimate.high):
            return "inside"
        below = estimate.high < self.low or (self.strict and estimate.high == self.low)
        above = estimate.low > self.high or (self.strict and estimate.low == self.high)
        if not below and not above:
            return "straddles"
        return "beyond" if self.beyond == ("low" if below else "high") else "outside"


_NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?"
_CRITERION_PATTERN = re.compile(
    rf"= (?P<equal>{_NUMBER})|in (?P<first>{_NUMBER})…(?P<last>{_NUMBER})"
    rf"|[>≥] (?P<low>{_NUMBER})(?: and < (?P<top>{_NUMBER}))?|[<≤] (?P<high>{_NUMBER})"
)
"""Matches the text of a ``Criterion``."""


def at_least(value: float) -> Criterion:
    """Return a criterion: the interval lies at or above ``value``."""
    return Criterion(low=value)


def at_most(value: float) -> Criterion:
    """Return a criterion: the interval lies at or below ``value``."""
    return Criterion(high=value)


def above(value: float) -> Criterion:
    """Return a criterion: the interval lies above ``value``."""
    return Criterion(low=value, strict=True)


def below(value: float) -> Criterion:
    """Return a criterion: the interval lies below ``value``."""
    return Criterion(high=value, strict=True)


def between(low: float, high: float) -> Criterion:
    """Return a criterion: the interval lies between ``low`` and ``high``, ends included."""
    return Criterion(low=low, high=high)


def within(margin: float, beyond: Literal["low", "high"]) -> Criterion:
    """Return a criterion for "no change": the interval lies between -``margin`` and ``margin``.

    Args:
        margin: Largest difference that counts as no change.
        beyond: The end past which a number is better than the paper's.
    """
    return Criterion(low=-margin, high=margin, beyond=beyond)
