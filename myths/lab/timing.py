"""The one honest stopwatch: warm-up, device synchronization, interleaved repeats, median and quartiles."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class Stopwatch:
    """``with Stopwatch(device) as stopwatch: …`` then ``stopwatch.seconds``; work queued on the device is waited for."""

    device: str = "cpu"
    seconds: float = 0.0

    def __enter__(self) -> Stopwatch:
        synchronize(self.device)
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            synchronize(self.device)
        finally:
            self.seconds = time.perf_counter() - self._start

    @property
    def elapsed(self) -> float:
        """Seconds since the start, without waiting for the device."""
        return time.perf_counter() - self._start


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: median and quartiles over ``repeats``, and the first call (with compilation) apart."""

    median: float
    low_quartile: float
    high_quartile: float
    repeats: int
    first_call: float

    def row(self, prefix: str = "") -> dict[str, float | int]:
        """As columns of a results row, in seconds."""
        return {
            f"{prefix}seconds": self.median,
            f"{prefix}q25_seconds": self.low_quartile,
            f"{prefix}q75_seconds": self.high_quartile,
            f"{prefix}repeats": self.repeats,
            f"{prefix}first_call_seconds": self.first_call,
        }


@dataclass(frozen=True)
class TimingComparison:
    """Timings of several methods of one result, and what each gave on its last call."""

    timings: Mapping[str, Timing]
    results: Mapping[str, Any]

    def ratio(self, slow: str, fast: str) -> float:
        """How many times the median of ``fast`` fits into that of ``slow``."""
        return self.timings[slow].median / self.timings[fast].median


def compare_timings(
    methods: Mapping[str, Callable[[], Any]],
    device: str,
    *,
    repeats: int = 20,
    warmup: int = 3,
    budget_seconds: float = 10.0,
    check: Callable[[Mapping[str, Any]], None] | None = None,
) -> TimingComparison:
    """Times several methods in turn (A B A B …), so that drift of the machine falls on all alike.

    Each is warmed up first; its first call, which may compile, is reported apart. Repeats stop at
    ``budget_seconds`` a method, but not below 5 (3 where one call takes over 2 s). ``check`` gets
    the results of the first calls and raises when they do not agree: a time of a wrong answer is none.
    """
    first, results = {}, {}
    for name, method in methods.items():
        with Stopwatch(device) as stopwatch:
            results[name] = method()
        first[name] = stopwatch.seconds
    if check is not None:
        check(results)
    for method in methods.values():
        for _ in range(warmup - 1):
            with Stopwatch(device) as stopwatch:
                method()
            if stopwatch.seconds > budget_seconds / 10:
                break
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(repeats):
        for name, method in methods.items():
            if _enough(seconds[name], budget_seconds):
                continue
            results[name] = None  # frees the last result before the next is made, outside of the time
            with Stopwatch(device) as stopwatch:
                results[name] = method()
            seconds[name].append(stopwatch.seconds)
    return TimingComparison({name: _timing(s, first[name]) for name, s in seconds.items()}, results)


def synchronize(device: str) -> None:
    """Waits until the device has done all that was queued on it."""
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
