"""Limit the CPU threads of a trial, whatever framework it times."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def limited_threads(count: int) -> Iterator[None]:
    """Run a ``with`` block with ``count`` CPU threads; 0 changes nothing.

    torch and BLAS are told the number. Frameworks that are imported in the block size their thread pools by the cores that the process may
    use, so the process is also bound to ``count`` cores, where the system allows it.

    Args:
        count: Number of threads.
    """
    if not count:
        yield
        return
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
