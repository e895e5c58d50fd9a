"""The same work on all cores, where the system can copy a process."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from myths.lab.parent import exit_with_parent
from myths.lab.resources import cores

T = TypeVar("T")

log = logging.getLogger(__name__)

_tasks: Sequence[Callable[[], object]] = ()
"""Those at hand when the processes are made: copies of this process know them, so that no task need be sent."""


def parallel_map(tasks: Sequence[Callable[[], T]], what: str = "parts") -> list[T]:
    """What the tasks give, in their order. Each may use anything that is at hand; what it gives must be picklable.

    One after the other where there is one core or no fork (Windows), or where forking is not safe (macOS).
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
            return list(_counted(pool.map(_do, range(len(tasks))), len(tasks), what))  # type: ignore[arg-type]
    finally:
        _tasks = ()


def _counted(done: Iterable[T], total: int, what: str) -> Iterator[T]:
    """The same, counted in the log."""
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
