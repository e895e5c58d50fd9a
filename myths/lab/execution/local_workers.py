"""Workers of this machine: processes, one or several per device, and this process itself."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol, runtime_checkable

from myths.lab.execution.executors import (
    KILLED,
    CappedWorker,
    Execution,
    execute,
    is_exclusive,
    run_inline,
    see_only,
    unsendable,
    worker_context,
)
from myths.lab.execution.parent import exit_with_parent
from myths.lab.execution.places import Machine, Place
from myths.lab.measurement import device as devices
from myths.lab.measurement.timing import Stopwatch
from myths.lab.trial import Context, Trial


@runtime_checkable
class Worker(Protocol):
    """Runs one trial at a time."""

    limits_memory: bool
    """Whether it can run trials with a memory limit."""

    @property
    def reusable(self) -> bool:
        """Whether it can run another trial."""

    def submit(self, trial: Trial, context: Context) -> None:
        """Start a trial."""

    def result(self) -> Execution:
        """Return the result of the trial, once it has ended."""

    def close(self) -> None:
        """End the worker and its trial."""


@dataclass(frozen=True)
class LocalGpus:
    """The GPUs that a run uses, as values of ``CUDA_VISIBLE_DEVICES``; empty on a CPU, or if only one GPU can be used."""

    visible: tuple[str, ...] = ()

    @classmethod
    def of(cls, device: str) -> LocalGpus:
        """Return the GPUs of a device as torch names it: for "cuda", all that are of the model of the first.

        Args:
            device: Device of the run.
        """
        if device != "cuda":
            return cls()
        import torch

        model = devices.machine_class("cuda")
        alike = [i for i in range(torch.cuda.device_count()) if devices.machine_class(f"cuda:{i}") == model]
        given = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
        return cls(tuple(given[i] if i < len(given) else str(i) for i in alike)) if len(alike) > 1 else cls()


def this_machine(jobs: int, gpus: LocalGpus) -> Machine:
    """Return this machine with ``jobs`` trials per device."""
    import torch

    return Machine(devices=len(gpus.visible) or 1, slots=jobs, cores=torch.get_num_threads())


class LocalWorkers:
    """Starts workers of this machine and waits for them.

    Args:
        machine: This machine.
        gpus: Its GPUs.
        bounded: Whether every trial must be stoppable. Exclusive trials without a memory limit then run in a process instead of this one.
    """

    def __init__(self, machine: Machine, gpus: LocalGpus, bounded: bool) -> None:
        self.machines = (machine,)
        self._gpus = gpus.visible
        self._bounded = bounded

    def start(self, place: Place) -> Worker:
        """Return a worker for a place."""
        gpu = self._gpus[place.device] if self._gpus else None
        if place.trial.memory_limit_bytes is not None:
            return CappedWorker(place.trial.memory_limit_bytes, gpu)
        if is_exclusive(place.trial) and not self._bounded and not self._gpus:
            return _ThisProcess()
        shared = place.span == "slot" and place.machine.slots > 1
        return _WorkerProcess(place.trial, place.threads, run_inline if shared else execute, gpu)

    def wait(self, busy: Sequence[Any], timeout: float | None) -> Worker | None:
        """Return a worker whose trial has ended, or None after ``timeout`` seconds."""
        if (here := next((worker for worker in busy if isinstance(worker, _ThisProcess)), None)) is not None:
            return here
        ready = wait([worker.pipe for worker in busy], timeout)
        return next((worker for worker in busy if worker.pipe in ready), None)


class _ThisProcess:
    """This process. The trial runs when its result is asked for; nothing else runs then."""

    reusable = False
    limits_memory = False

    def submit(self, trial: Trial, context: Context) -> None:
        self._submitted = trial, context

    def result(self) -> Execution:
        return execute(*self._submitted)

    def close(self) -> None:
        pass


class _WorkerProcess:
    """A process that runs one trial after another, and the pipe to it."""

    limits_memory = False  # it is a daemon, which cannot start the process that this takes

    def __init__(self, trial: Trial, threads: int, execute: Callable[[Trial, Context], Execution], gpu: str | None) -> None:
        processes = worker_context(trial)
        self.pipe, theirs = processes.Pipe()
        self._process: BaseProcess = processes.Process(target=_work, args=(theirs, threads, execute, gpu), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def reusable(self) -> bool:
        return self._process.is_alive()

    def submit(self, trial: Trial, context: Context) -> None:
        self._stopwatch, self._not_sent = Stopwatch().__enter__(), None
        try:
            self.pipe.send((trial, context))
        except OSError:
            pass  # the process has crashed, as ``result`` reports
        except Exception as error:  # noqa: BLE001 (a trial that cannot be pickled is a failed trial)
            self._not_sent = unsendable(error)
            self._process.kill()  # so that it need not be waited for

    def result(self) -> Execution:
        if self._not_sent is not None:
            return self._not_sent
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode or 0
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
            hint = ", probably out of memory. Try a smaller --jobs" if code == KILLED else ""
            return Execution(None, self._stopwatch.elapsed, 0, f"the worker process {how}{hint}", crashed=True)

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _work(pipe: Connection, threads: int, execute: Callable[[Trial, Context], Execution], gpu: str | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the runner handles interruptions
    exit_with_parent()  # the fork server ends with the command, also if the command is killed
    see_only(gpu)
    limit_threads(threads)
    with contextlib.suppress(EOFError, OSError):  # the runner has ended
        while True:
            pipe.send(execute(*pipe.recv()))


def limit_threads(threads: int) -> None:
    """Set the number of threads of torch and of the linear algebra libraries in this process."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    threadpool_limits(threads)
