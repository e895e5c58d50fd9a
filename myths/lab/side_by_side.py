"""Several trials at once, each in a worker process of few threads: small networks leave most of a machine's cores idle."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from myths.lab.executors import KILLED, Execution, clean_processes, here, local, runs_alone
from myths.lab.parent import exit_with_parent
from myths.lab.spare import busy_cores, cores, free_bytes
from myths.lab.timing import Stopwatch
from myths.lab.trial import Context, Trial

MOST = 4
"""Workers at most where nobody says how many."""
WORKER_BYTES = 2 * 2**30
"""Memory that a worker may come to hold."""


def usual(device: str) -> int:
    """Return the default number of trials side by side on a device.

    One on a GPU. On a CPU one per thread that torch would use, at most ``MOST``; fewer where other work keeps the cores busy, or where
    there is not enough free memory for so many workers. At least one.
    """
    import torch

    if device != "cpu":
        return 1
    idle = torch.get_num_threads() - round(busy_cores())
    return max(1, min(MOST, idle, free_bytes("cpu") // WORKER_BYTES))


def too_many(jobs: int, device: str) -> str | None:
    """Return a sentence for a number of trials side by side that is above the cores, None if it is not."""
    if device != "cpu" or jobs <= (most := cores()):
        return None
    return (
        f"--jobs {jobs} is more than the {most} core{'s' * (most > 1)} of this machine: trials wait for each other, and each worker takes "
        f"memory; --jobs {most} is as fast"
    )


class SideBySide:
    """Keeps up to ``jobs`` workers, which share the cores; a trial that runs alone has no worker beside it and all of the cores.

    Args:
        jobs: How many trials run at once at most.
        bounded: Whether every trial must be stoppable. Then a trial that runs alone gets a worker too, instead of this process.
    """

    def __init__(self, jobs: int, bounded: bool = False):
        self.jobs = jobs
        self._bounded = bounded
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []
        self._alone: tuple[Trial, Context] | None = None

    def __enter__(self) -> SideBySide:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._idle + self._busy:
            worker.end()
        self._idle, self._busy = [], []

    def admits(self, trial: Trial) -> bool:
        """Return whether a worker is free, and nothing that runs alone is started beside others or others beside it."""
        if self._alone is not None or any(runs_alone(worker.trial) for worker in self._busy):
            return False
        return not self._busy if runs_alone(trial) else len(self._busy) < self.jobs

    def start(self, trial: Trial, context: Context) -> None:
        """Give the trial to an idle worker, or to a new one; one that runs alone to this process, unless it must be stoppable."""
        alone = runs_alone(trial)
        if alone:
            self.__exit__()  # an idle worker still holds memory
        if alone and (trial.memory_limit_bytes is not None or not self._bounded):
            self._alone = trial, context
            return
        worker = self._idle.pop() if self._idle else _worker(trial, 1 if alone else self.jobs)
        worker.begin(trial, context)
        self._busy.append(worker)

    def finished(self, seconds: float | None = None) -> tuple[Trial, Execution]:
        """Return the trial that ends first; after ``seconds``, one that is stopped. A worker that dies fails its own trial only."""
        if self._alone is not None:
            (trial, context), self._alone = self._alone, None
            return trial, local(trial, context, seconds)
        ready = wait([worker.pipe for worker in self._busy], seconds)
        worker = next((worker for worker in self._busy if worker.pipe in ready), self._busy[0])
        self._busy.remove(worker)
        if not ready:
            worker.end()
            return worker.trial, Execution(None, worker.watch.elapsed, 0, stopped=True)
        trial, execution = worker.answer()
        if worker.process.is_alive() and not runs_alone(trial):
            self._idle.append(worker)  # one for a trial that runs alone has all threads, so it is not kept
        else:
            worker.end()
        return trial, execution


@dataclass
class _Worker:
    """A process that runs one trial after the other, and the pipe to it."""

    process: BaseProcess
    pipe: Connection
    trial: Trial = field(init=False)
    watch: Stopwatch = field(init=False)

    def begin(self, trial: Trial, context: Context) -> None:
        self.trial, self.watch = trial, Stopwatch().__enter__()
        with contextlib.suppress(OSError):  # of one that has died, ``answer`` tells
            self.pipe.send((trial, context))

    def answer(self) -> tuple[Trial, Execution]:
        try:
            return self.trial, self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode or 0
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
            hint = ": out of memory? fewer --jobs take less" if code == KILLED else ""
            return self.trial, Execution(None, self.watch.elapsed, 0, f"the worker process {how}{hint}", died=True)

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _worker(trial: Trial, jobs: int) -> _Worker:
    import torch

    threads = max(1, torch.get_num_threads() // jobs)
    processes = clean_processes(trial)
    ours, theirs = processes.Pipe()
    process = processes.Process(target=_work, args=(theirs, threads, here if jobs > 1 else local), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _work(pipe: Connection, threads: int, execute: Callable[[Trial, Context], Execution]) -> None:
    import torch
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interruption is the runner's to handle
    exit_with_parent()  # the server that forked it ends with the command, also when that was killed
    torch.set_num_threads(threads)
    threadpool_limits(threads)
    with contextlib.suppress(EOFError, OSError):  # the runner has gone
        while True:
            pipe.send(execute(*pipe.recv()))
