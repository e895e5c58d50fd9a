"""Calls that are timed: warm-up, duration, and blocks of short calls."""

from __future__ import annotations

import math
from typing import Any

from myths.hessian_cost.methods import Call
from myths.lab.measurement.timing import Clock, Stopwatch

BLOCK_SECONDS = 0.02
"""Shorter calls on a CPU are timed in blocks of about this duration, so that one call with cold caches does not count."""
WARMUP_SECONDS = 0.3
"""Time for which the closed form is called before it is timed alone. The first calls of a process find cold caches, a low clock frequency
and memory that was never touched: on two virtual cores they took up to twice as long."""


def warm_up(call: Call, device: str) -> None:
    """Call a function until its calls have taken ``WARMUP_SECONDS``. A GPU finishes each call before the next is queued."""
    seconds = 0.0
    while seconds < WARMUP_SECONDS:
        with Stopwatch(device) as stopwatch:
            call()
        seconds += stopwatch.seconds


def duration_of(call: Call, device: str, clock: Clock) -> float:
    """Return the seconds of one call, which is not the first."""
    with Stopwatch(device, clock=clock) as stopwatch:
        call()
    return stopwatch.seconds


def calls_per_block(seconds: float, block_seconds: float, device: str) -> int:
    """Return how many calls make a block. On a GPU it is one: calls that follow each other would overlap.

    Args:
        seconds: Duration of a call.
        block_seconds: Least duration of a block.
        device: Device of the call.
    """
    return max(1, math.ceil(block_seconds / max(seconds, 1e-7))) if device == "cpu" else 1


def block(call: Call, calls: int) -> Call:
    """Return a function that calls another several times and returns the last result."""

    def repeated() -> Any:
        for _ in range(calls - 1):
            call()
        return call()

    return call if calls == 1 else repeated
