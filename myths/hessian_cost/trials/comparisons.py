"""Compare the times of two methods' Hessians in many short alternations, in one process.

Two times that are measured a minute apart on a shared machine may differ by more than the methods. The ratio of one alternation compares
times of the same second, so that it varies little where the times vary much. Both methods have the same inputs, memory and thread.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from myths.hessian_cost.methods import METHODS, Call, MethodName, dense, relative_error
from myths.hessian_cost.problems import PROBLEMS, Inputs
from myths.hessian_cost.trials.calls import block, calls_per_block, duration_of, warm_up
from myths.hessian_cost.trials.conditions import clock_of
from myths.hessian_cost.trials.derivatives import OVER_BUDGET, TimeDerivative, timed_row
from myths.lab.measurement.timing import Clock, Stopwatch, alternate
from myths.lab.trial import Context, Outcome

BLOCK_SECONDS = 0.05
"""Shorter calls on a CPU are timed in blocks of about this duration. The first calls after the other method find cold caches, which a
longer block makes a smaller part of the mean."""
BLOCK_SHARE = 0.2
"""Least duration of the reference's blocks relative to one call of the method: a call of seconds leaves caches and memory colder."""
MAX_SECONDS = 10.0
"""Time limit of one Hessian in seconds. A slower one is not repeated; its row has the status "over budget"."""
ALTERNATIONS = 11
"""Number of alternations."""
ALTERNATIONS_OF_SLOW_CALLS = 5
"""Number of alternations of a method that takes more than a second."""


@dataclass(frozen=True, kw_only=True)
class CompareHessians(TimeDerivative):
    """Time of one method's Hessian over that of another, as the median of many alternations in one process."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset(
        {"ratio", "ratio_q25", "ratio_q75", "alternations", "seconds", "reference_seconds", "clean_reference_seconds"}
        | {"derivation_seconds", "first_call_seconds", "predicted_seconds", "status"}
    )  # fmt: skip

    reference: MethodName = "closed-form"
    """Method that the other is compared with, usually the faster one. It is timed alone as well, before the other is prepared."""

    @property
    def relative_cost(self) -> float:
        """That of both methods."""
        return super().relative_cost + METHODS[self.reference].startup_cost

    @classmethod
    def test_instance(cls) -> CompareHessians:
        """Return a row loop with 8 variables beside the tensor calculus."""
        return cls(problem="quad", method="torch-loop", reference="tensor-calculus", n_variables=8)

    def skip_reason(self) -> str | None:
        """Return why one of the frameworks is not available, or None."""
        return super().skip_reason() or METHODS[self.reference].unavailable_reason()

    def run(self, context: Context) -> Outcome:
        """Return one row: status, ratio with its quartiles, times of both methods, time of the reference alone, and relative error."""
        return Outcome(rows=[timed_row(self, context, "hessian", self._compare)])

    def _compare(self, inputs: Inputs, exact: Any, device: str) -> dict[str, Any]:
        clock, size, exact = clock_of(self.threads, device), inputs["x"].size, np.asarray(exact, dtype=np.float64)
        reference = self._prepared(self.reference, inputs, device)
        error = relative_error(dense(reference(), (size, size)), exact)
        warm_up(reference, device)
        fast = _Block(reference, device, clock)
        alone = [fast.seconds() for _ in range(ALTERNATIONS)]
        row = {"clock": "processor" if clock is time.process_time else "wall", "clean_reference_seconds": float(np.median(alone))}
        with Stopwatch(device) as derive:
            call = self._prepared(self.method, inputs, device)
        with Stopwatch(device) as first:
            given = call()
        row |= {"derivation_seconds": derive.seconds, "first_call_seconds": first.seconds}
        row |= {"relative_error": max(error, relative_error(dense(given, (size, size)), exact))}
        del given
        slow = _Block(call, device, clock)
        if slow.duration > MAX_SECONDS:
            return row | {"status": OVER_BUDGET, "predicted_seconds": slow.duration}
        fast.lengthen(BLOCK_SHARE * slow.duration)
        fast.call()
        return row | _alternated(slow, fast) | {"status": "ok"}

    def _prepared(self, method: str, inputs: Inputs, device: str) -> Call:
        prepare = METHODS[method].hessian
        assert prepare is not None
        return prepare(PROBLEMS[self.problem], inputs, self.dtype, device)


class _Block:
    """A method as it is timed: as many calls in a row as take ``BLOCK_SECONDS``."""

    def __init__(self, call: Call, device: str, clock: Clock):
        self.device, self.clock, self._one = device, clock, call
        self.duration = duration_of(call, device, clock)
        self.lengthen(BLOCK_SECONDS)

    def lengthen(self, seconds: float) -> None:
        """Make blocks take about ``seconds``, but at least ``BLOCK_SECONDS``."""
        self.calls = calls_per_block(self.duration, max(seconds, BLOCK_SECONDS), self.device)
        self.call = block(self._one, self.calls)

    def seconds(self) -> float:
        """Return the seconds of a call, as the mean of a block."""
        return duration_of(self.call, self.device, self.clock) / self.calls


def _alternated(slow: _Block, fast: _Block) -> dict[str, Any]:
    repeats = ALTERNATIONS if slow.duration < 1 else ALTERNATIONS_OF_SLOW_CALLS
    found = alternate(slow.call, fast.call, slow.device, repeats=repeats, clock=slow.clock)
    low, median, high = np.quantile(found.ratios, [0.25, 0.5, 0.75]) * fast.calls / slow.calls
    return {
        "ratio": float(median),
        "ratio_q25": float(low),
        "ratio_q75": float(high),
        "alternations": repeats,
        "seconds": float(np.median(found.slow)) / slow.calls,
        "reference_seconds": float(np.median(found.fast)) / fast.calls,
    }
