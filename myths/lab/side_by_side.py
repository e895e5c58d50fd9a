"""Several trials at once, each in a worker process of few threads: small networks leave most of a machine's cores idle."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from myths.lab.executors import KILLED, Execution, clean_processes, here, local, runs_alone
from myths.lab.parent import exit_with_parent
from myths.lab.timing import Stopwatch
from myths.lab.trial import Context, Trial

MOST = 4
"""Workers at most where nobody says how many: each may hold two gigabytes."""


def usual(device: str) -> int:
    """How many trials run side by side unless somebody says: one on a GPU, else one a thread that torch would use, up to ``MOST``."""
    import torch

    return min(MOST, torch.get_num_threads()) if device == "cpu" else 1


class SideBySide:
    """Keeps up to ``jobs`` workers, which share the cores; a trial that runs alone has no worker beside it and all of the cores."""

    def __init__(self, jobs: int):
        self.slots = jobs
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []
        self._alone: tuple[Trial, Context] | None = None

    def __enter__(self) -> SideBySide:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._idle + self._busy:
            worker.end()
        self._idle, self._busy = [], []

    def start(self, trial: Trial, context: Context) -> None:
        """Gives the trial to an idle worker, or to a new one."""
        if runs_alone(trial):
            self.__exit__()  # an idle worker still holds memory
            self._alone = trial, context
            return
        worker = self._idle.pop() if self._idle else _worker(trial, self.slots)
        worker.begin(trial, context)
        self._busy.append(worker)

    def finished(self) -> tuple[Trial, Execution]:
        """The trial that ends first. A worker that dies fails its own trial only."""
        if self._alone is not None:
            (trial, context), self._alone = self._alone, None
            return trial, local(trial, context)
        ready = wait([worker.pipe for worker in self._busy])
        worker = next(worker for worker in self._busy if worker.pipe in ready)
        self._busy.remove(worker)
        trial, execution = worker.answer()
        if worker.process.is_alive():
            self._idle.append(worker)
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
            return self.trial, Execution(None, self.watch.elapsed, 0, f"the worker process {how}{hint}")

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _worker(trial: Trial, slots: int) -> _Worker:
    import torch

    threads = max(1, torch.get_num_threads() // slots)
    processes = clean_processes(trial)
    ours, theirs = processes.Pipe()
    process = processes.Process(target=_work, args=(theirs, threads), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _work(pipe: Connection, threads: int) -> None:
    import torch
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interruption is the runner's to handle
    exit_with_parent()  # the server that forked it ends with the command, also when that was killed
    torch.set_num_threads(threads)
    threadpool_limits(threads)
    with contextlib.suppress(EOFError, OSError):  # the runner has gone
        while True:
            pipe.send(here(*pipe.recv()))
