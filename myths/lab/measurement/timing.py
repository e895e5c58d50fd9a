"""Timing with warm-up, device synchronization and interleaved repeats."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Clock = Callable[[], float]
"""Returns seconds from any start: ``wall_clock``, or ``time.process_time`` (processor time of this process)."""


def wall_clock() -> float:
    """Return seconds of the wall clock from any start."""
    return time.perf_counter()


@dataclass
class Stopwatch:
    """Context manager that measures seconds: ``with Stopwatch(device) as stopwatch: …``, then ``stopwatch.seconds``.

    It waits for work queued on the device. ``clock`` returns seconds.
    """

    device: str = "cpu"
    seconds: float = 0.0
    clock: Clock = wall_clock

    def __enter__(self) -> Stopwatch:
        synchronize(self.device)
        self._start = self.clock()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            synchronize(self.device)
        finally:
            self.seconds = self.clock() - self._start

    @property
    def elapsed(self) -> float:
        """Seconds since the start, without waiting for the device."""
        return self.clock() - self._start


@dataclass(frozen=True)
class Timing:
    """Duration of a call in seconds.

    Attributes:
        median: Median over the repeats.
        low_quartile: First quartile.
        high_quartile: Third quartile.
        repeats: Number of repeats.
        first_call: Duration of the first call, compilation included.
    """

    median: float
    low_quartile: float
    high_quartile: float
    repeats: int
    first_call: float

    def row(self, prefix: str = "") -> dict[str, float | int]:
        """Return the timing as columns of a row, in seconds."""
        return {
            f"{prefix}seconds": self.median,
            f"{prefix}q25_seconds": self.low_quartile,
            f"{prefix}q75_seconds": self.high_quartile,
            f"{prefix}repeats": self.repeats,
            f"{prefix}first_call_seconds": self.first_call,
        }


@dataclass(frozen=True)
class TimingComparison:
    """Timings of several methods, and the result of each method's last call."""

    timings: Mapping[str, Timing]
    results: Mapping[str, Any]

    def ratio(self, slow: str, fast: str) -> float:
        """Return the median of ``slow`` divided by the median of ``fast``."""
        return self.timings[slow].median / self.timings[fast].median


def compare_timings(
    methods: Mapping[str, Callable[[], Any]],
    device: str,
    *,
    repeats: int = 20,
    warmup: int = 3,
    budget_seconds: float = 10.0,
    clock: Clock = wall_clock,
) -> TimingComparison:
    """Time several methods in turn (A B A B …), so that drift of the machine affects all methods equally.

    Args:
        methods: Functions by name.
        device: Device to synchronize.
        repeats: Maximum number of repeats per method.
        warmup: Number of calls before timing. The first call, which may compile, is reported separately.
        budget_seconds: Time per method after which repeats stop, but not before 5 repeats, or 3 if a call takes more than 2 seconds.
        clock: Returns seconds.

    Returns:
        Timings and results by name.
    """
    first, results = {}, {}
    for name, method in methods.items():
        with Stopwatch(device, clock=clock) as stopwatch:
            results[name] = method()
        first[name] = stopwatch.seconds
    for method in methods.values():
        for _ in range(warmup - 1):
            with Stopwatch(device, clock=clock) as stopwatch:
                method()
            if stopwatch.seconds > budget_seconds / 10:
                break
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(repeats):
        for name, method in methods.items():
            if _enough(seconds[name], budget_seconds):
                continue
            results[name] = None  # free the last result before the next call, outside of the timed block
            with Stopwatch(device, clock=clock) as stopwatch:
                results[name] = method()
            seconds[name].append(stopwatch.seconds)
    return TimingComparison({name: _timing(s, first[name]) for name, s in seconds.items()}, results)


@dataclass(frozen=True)
class Alternation:
    """Seconds of two functions that were called in turn: fast, slow, fast, slow, …, fast.

    Attributes:
        slow: Seconds of each call of the one function.
        fast: Seconds of the calls of the other, before and after each: one more.
    """

    slow: tuple[float, ...]
    fast: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """Seconds of each call of ``slow`` over the mean of the calls of ``fast`` before and after it.

        A ratio is of one moment: what slows the machine for longer slows both functions, and a steady drift cancels.
        """
        around = zip(self.slow, self.fast, self.fast[1:], strict=False)
        return tuple(2 * slow / (before + after) for slow, before, after in around)


def alternate(slow: Callable[[], Any], fast: Callable[[], Any], device: str, *, repeats: int, clock: Clock = wall_clock) -> Alternation:
    """Time two functions in turn, each called before.

    Args:
        slow: One function.
        fast: The other, which is called once more.
        device: Device to synchronize.
        repeats: Number of calls of ``slow``.
        clock: Returns seconds.
    """

    def seconds(call: Callable[[], Any]) -> float:
        with Stopwatch(device, clock=clock) as stopwatch:
            call()
        return stopwatch.seconds

    before, slows, fasts = seconds(fast), [], []
    for _ in range(repeats):
        slows.append(seconds(slow))
        fasts.append(seconds(fast))
    return Alternation(tuple(slows), (before, *fasts))


def synchronize(device: str) -> None:
    """Wait until the device has finished all queued work."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)
    elif device == "mps":
        import torch

        torch.mps.synchronize()


def _enough(seconds: list[float], budget: float) -> bool:
    least = 3 if seconds and seconds[0] > 2 else 5
    return len(seconds) >= least and sum(seconds) >= budget


def _timing(seconds: list[float], first: float) -> Timing:
    low, median, high = np.quantile(seconds, [0.25, 0.5, 0.75])
    return Timing(float(median), float(low), float(high), len(seconds), first)
