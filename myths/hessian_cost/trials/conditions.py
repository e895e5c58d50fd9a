"""Conditions of a timing on a CPU: threads, allocator and clock, whatever framework is timed, and whether its reference was disturbed."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Iterator

from myths.lab.measurement.memory import keep_freed_memory
from myths.lab.measurement.timing import Clock, wall_clock

MAX_REFERENCE_RATIO = 1.25
"""Largest ratio of a reference's times beside a method and alone. Beyond it, the method, or the machine, disturbed the reference."""


@contextlib.contextmanager
def limited_threads(count: int) -> Iterator[None]:
    """Run a ``with`` block with ``count`` CPU threads; 0 changes nothing.

    torch and BLAS are told the number. Frameworks that are imported in the block size their thread pools by the cores that the process may
    use, so the process is also bound to ``count`` cores, where the system allows it. Freed memory is kept from then on.

    Args:
        count: Number of threads.
    """
    if not count:
        yield
        return
    keep_freed_memory()
    import torch
    from threadpoolctl import threadpool_limits

    threads = torch.get_num_threads()
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else set()
    try:
        if cores:
            os.sched_setaffinity(0, sorted(cores)[-count:])
        torch.set_num_threads(count)
        with threadpool_limits(count):
            yield
    finally:
        torch.set_num_threads(threads)
        if cores:
            os.sched_setaffinity(0, cores)


def clock_of(threads: int, device: str) -> Clock:
    """Return processor time for one thread on a CPU, which other programs on the machine do not delay; else the wall clock.

    On an idle machine the two agree. Windows counts processor time in steps of 16 ms, too coarse for a call.

    Args:
        threads: Number of threads; 0 is no limit.
        device: Device as torch names it.
    """
    return time.process_time if threads == 1 and device == "cpu" and sys.platform != "win32" else wall_clock


def refusal(beside: float, clean: float, reference: str, clean_name: str = "its time alone") -> str | None:
    """Return why a ratio to a reference is refused, or None if the reference was not disturbed or not timed.

    Args:
        beside: Seconds of the reference in alternation with the method.
        clean: Seconds of the reference where nothing disturbed it, such as before the framework was imported.
        reference: What the reference is, as text.
        clean_name: What the clean time is, as text.
    """
    change = beside / clean
    if math.isnan(change) or 1 / MAX_REFERENCE_RATIO <= change <= MAX_REFERENCE_RATIO:
        return None
    return f"{reference} {change:.2f} x {clean_name}"
