"""Rates of a device that floors are computed from, measured and not taken from a data sheet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from myths.lab.measurement.timing import Stopwatch

CALLS = 20


@dataclass(frozen=True)
class Rates:
    """Bytes per second of a copy (read and written), and flops per second of a matrix product."""

    bytes_per_second: float
    flops_per_second: float

    def floor_seconds(self, n_bytes: float, flops: float) -> float:
        """Return the least seconds of an operation whose transfers and products overlap perfectly."""
        return max(n_bytes / self.bytes_per_second, flops / self.flops_per_second)


def seconds_per_call(call: Callable[[], Any], device: str, calls: int = CALLS) -> float:
    """Return the best of three means over calls in a row, so that launches overlap with work."""
    best = float("inf")
    call()
    for _ in range(3):
        with Stopwatch(device) as watch:
            for _ in range(calls):
                call()
        best = min(best, watch.seconds / calls)
    return best


def measure_rates(device: str, dtype: torch.dtype, *, tiny: bool) -> Rates:
    """Measure the copy bandwidth with buffers beyond any cache, and the rate of a large matrix product."""
    n, side = (2**20, 256) if tiny else (2**29, 8192)
    source = torch.zeros(n, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy = seconds_per_call(lambda: target.copy_(source), device)
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    product = seconds_per_call(lambda: a @ b, device)
    return Rates(2 * n / copy, 2 * side**3 / product)
