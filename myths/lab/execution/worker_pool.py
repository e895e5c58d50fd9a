"""Run several trials in parallel, each in a worker process with a share of the cores."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from myths.lab.execution.executors import KILLED, Execution, execute, is_exclusive, run_inline, worker_context
from myths.lab.execution.parent import exit_with_parent
from myths.lab.execution.resources import busy_cores, cores, free_bytes
from myths.lab.measurement.timing import Stopwatch
from myths.lab.trial import Context, Trial

MAX_DEFAULT_JOBS = 4
"""Default upper bound on parallel workers."""
WORKER_BYTES = 2 * 2**30
"""Memory that a worker may use."""


def default_jobs(device: str) -> int:
    """Return the default number of parallel trials on a device.

    On a GPU the default is 1. On a CPU it is one per thread that torch would use, at most ``MAX_DEFAULT_JOBS``. It is lower if other
    processes use the cores or if free memory does not suffice for the workers.
    """
    import torch

    if device != "cpu":
        return 1
    idle = torch.get_num_threads() - round(busy_cores())
    return max(1, min(MAX_DEFAULT_JOBS, idle, free_bytes("cpu") // WORKER_BYTES))


def excess_jobs_warning(jobs: int, device: str) -> str | None:
    """Return a warning if the number of parallel trials exceeds the number of cores, or None."""
    if device != "cpu" or jobs <= (most := cores()):
        return None
    return (
        f"--jobs {jobs} exceeds the {most} core{'s' * (most > 1)} of this machine: trials wait for each other, and each worker needs "
        f"memory. --jobs {most} is as fast"
    )


class WorkerPool:
    """Runs up to ``max_workers`` trials in parallel in persistent worker processes, which share the cores.

    An exclusive trial runs alone and uses all cores.

    Args:
        max_workers: Maximum number of trials that run at a time.
        bounded: Whether every trial must be stoppable. Exclusive trials then run in a worker instead of this process.
    """

    def __init__(self, max_workers: int, bounded: bool = False):
        self.max_workers = max_workers
        self._bounded = bounded
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []
        self._alone: tuple[Trial, Context] | None = None

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._idle + self._busy:
            worker.close()
        self._idle, self._busy = [], []

    def accepts(self, trial: Trial) -> bool:
        """Return whether a worker is free and the trial would not run beside an exclusive trial."""
        if self._alone is not None or any(is_exclusive(worker.trial) for worker in self._busy):
            return False
        return not self._busy if is_exclusive(trial) else len(self._busy) < self.max_workers

    def submit(self, trial: Trial, context: Context) -> None:
        """Give the trial to an idle or new worker. An exclusive trial runs in this process unless it must be stoppable."""
        alone = is_exclusive(trial)
        if alone:
            self.__exit__()  # an idle worker still holds memory
        if alone and (trial.memory_limit_bytes is not None or not self._bounded):
            self._alone = trial, context
            return
        worker = self._idle.pop() if self._idle else _start_worker(trial, 1 if alone else self.max_workers)
        worker.submit(trial, context)
        self._busy.append(worker)

    def wait_any(self, timeout: float | None = None) -> tuple[Trial, Execution]:
        """Return the trial that completes first. After ``timeout`` seconds, stop a trial and return it.

        A crashed worker fails only its own trial.
        """
        if self._alone is not None:
            (trial, context), self._alone = self._alone, None
            return trial, execute(trial, context, timeout)
        ready = wait([worker.pipe for worker in self._busy], timeout)
        worker = next((worker for worker in self._busy if worker.pipe in ready), self._busy[0])
        self._busy.remove(worker)
        if not ready:
            worker.close()
            return worker.trial, Execution(None, worker.stopwatch.elapsed, 0, stopped=True)
        trial, execution = worker.result()
        if worker.process.is_alive() and not is_exclusive(trial):
            self._idle.append(worker)  # a worker of an exclusive trial has all threads, so it is not reused
        else:
            worker.close()
        return trial, execution


@dataclass
class _Worker:
    """A process that runs one trial after another, and the pipe to it."""

    process: BaseProcess
    pipe: Connection
    trial: Trial = field(init=False)
    stopwatch: Stopwatch = field(init=False)

    def submit(self, trial: Trial, context: Context) -> None:
        self.trial, self.stopwatch = trial, Stopwatch().__enter__()
        with contextlib.suppress(OSError):  # if the process has crashed, ``result`` reports it
            self.pipe.send((trial, context))

    def result(self) -> tuple[Trial, Execution]:
        try:
            return self.trial, self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode or 0
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
            hint = ", probably out of memory. Try a smaller --jobs" if code == KILLED else ""
            return self.trial, Execution(None, self.stopwatch.elapsed, 0, f"the worker process {how}{hint}", crashed=True)

    def close(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _start_worker(trial: Trial, jobs: int) -> _Worker:
    import torch

    threads = max(1, torch.get_num_threads() // jobs)
    processes = worker_context(trial)
    ours, theirs = processes.Pipe()
    process = processes.Process(target=_work, args=(theirs, threads, run_inline if jobs > 1 else execute), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _work(pipe: Connection, threads: int, execute: Callable[[Trial, Context], Execution]) -> None:
    import torch
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the runner handles interruptions
    exit_with_parent()  # the fork server ends with the command, also if the command is killed
    torch.set_num_threads(threads)
    threadpool_limits(threads)
    with contextlib.suppress(EOFError, OSError):  # the runner has ended
        while True:
            pipe.send(execute(*pipe.recv()))
