"""Run independent tasks in forked processes on all cores."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from myths.lab.execution.parent import exit_with_parent
from myths.lab.execution.resources import cores

T = TypeVar("T")

log = logging.getLogger(__name__)

_tasks: Sequence[Callable[[], object]] = ()
"""Tasks of the running call. Forked processes inherit them, so tasks need not be picklable."""


def parallel_map(tasks: Sequence[Callable[[], T]], what: str = "parts") -> list[T]:
    """Return the results of the tasks, in their order.

    Tasks run sequentially on one core, without fork (Windows), or where forking is unsafe (macOS).

    Args:
        tasks: Functions without arguments. They may use any object of this process; their results must be picklable.
        what: Plural noun for the log.
    """
    global _tasks
    processes = min(len(tasks), cores())
    if processes < 2 or sys.platform != "linux":
        return list(_counted((task() for task in tasks), len(tasks), what))
    _tasks = tasks
    try:
        with warnings.catch_warnings(), ProcessPoolExecutor(processes, multiprocessing.get_context("fork"), _begin) as pool:
            # Python 3.12 warns of forking beside other threads. Those of BLAS stop at a fork, and of torch's there is only one then.
            warnings.simplefilter("ignore", DeprecationWarning)
            futures = [pool.submit(_do, place) for place in range(len(tasks))]
            try:
                return list(_counted((future.result() for future in futures), len(tasks), what))  # type: ignore[misc]
            except BaseException:
                # pool.map would cancel the futures from this thread, and the thread of a pool whose processes were terminated, too,
                # would fail on them with a traceback.
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        _tasks = ()


def _counted(done: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yield the items and log their count."""
    for number, each in enumerate(done, start=1):
        log.info("%s: %d of %d", what, number, total)
        yield each


def _do(place: int) -> object:
    return _tasks[place]()


def _begin() -> None:
    exit_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the parent's to answer
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a pool that breaks ends its processes so
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)  # the threads of the parent are not in its copy: a parallel region would wait for them forever
