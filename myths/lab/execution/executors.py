"""Run one trial, in this process or in a memory-limited process. ``worker_pool`` runs several trials at once."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol, runtime_checkable

from myths.lab.errors import MythsError
from myths.lab.execution.parent import exit_with_parent
from myths.lab.home import home
from myths.lab.measurement.energy import EnergyMeter
from myths.lab.measurement.memory import peak_memory, reset_peak_memory
from myths.lab.measurement.timing import Stopwatch
from myths.lab.storage.store import check_arrays, check_rows
from myths.lab.trial import Context, Outcome, Trial

log = logging.getLogger(__name__)
OUT_OF_MEMORY = "out of memory"
KILLED = -9
"""Exit code of a process that was ended by SIGKILL. Windows does not define it."""


@dataclass(frozen=True)
class Execution:
    """The result of executing a trial.

    Attributes:
        outcome: What the trial returned, or None if it failed.
        seconds: Duration.
        peak_memory_bytes: Peak memory.
        error: Error as one line, or None.
        traceback: Traceback of the error, or the output of a crashed process.
        energy_joules: Energy of the GPU, or None if it was not measured.
        crashed: Whether the worker process ended without a result. The queue then runs the trial once more.
        lost: Whether the node that ran the trial was lost.
        stopped: Whether the trial was stopped because the time budget ended.
        concurrent_trials: Largest number of other trials that ran on the same device at the same time.
        machine_class: Machine class of the worker, or "" for that of the run.
        host: CPU model and number of cores of the worker, or "" for those of this machine.
    """

    outcome: Outcome | None
    seconds: float
    peak_memory_bytes: int
    error: str | None = None
    traceback: str = ""
    energy_joules: float | None = None
    crashed: bool = False
    lost: bool = False
    stopped: bool = False
    concurrent_trials: int = 0
    machine_class: str = ""
    host: str = ""


@runtime_checkable
class Executor(Protocol):
    """Runs up to ``max_workers`` trials at a time and returns them as they complete."""

    @property
    def max_workers(self) -> int:
        """Maximum number of trials that run at a time."""

    def accepts(self, trial: Trial, alone: bool) -> bool:
        """Return whether the trial can start now. ``alone``: it needs a machine to itself."""

    def submit(self, trial: Trial, context: Context, alone: bool) -> None:
        """Start a trial that is accepted."""

    def wait_any(self, timeout: float | None = None) -> tuple[Trial, Execution] | None:
        """Wait until one trial completes and return it.

        After ``timeout`` seconds, stop a trial if possible and return it. Return None if the number of machines changed, or if there is
        nothing to stop.
        """


class SerialExecutor:
    """Runs one trial at a time, in ``wait_any``."""

    max_workers = 1

    def __init__(self, execute_trial: Callable[[Trial, Context], Execution] | None = None):
        self._execute = execute_trial or execute
        self._submitted: tuple[Trial, Context] | None = None

    def accepts(self, trial: Trial, alone: bool) -> bool:
        """Return whether no trial was submitted."""
        return self._submitted is None

    def submit(self, trial: Trial, context: Context, alone: bool) -> None:
        """Keep the trial for ``wait_any``."""
        self._submitted = trial, context

    def wait_any(self, timeout: float | None = None) -> tuple[Trial, Execution]:
        """Execute the submitted trial. A trial in this process cannot be stopped."""
        assert self._submitted is not None
        (trial, context), self._submitted = self._submitted, None
        return trial, self._execute(trial, context)


def is_exclusive(trial: Trial) -> bool:
    """Return whether a trial must run alone: it measures time, or it has a memory limit."""
    return trial.exclusive or trial.memory_limit_bytes is not None


def execute(trial: Trial, context: Context) -> Execution:
    """Run a trial in this process, or in its own process if it has a memory limit.

    Args:
        trial: The trial.
        context: Its context.
    """
    if trial.memory_limit_bytes is None:
        with EnergyMeter(context.device) as meter:
            execution = run_inline(trial, context)
        return replace(execution, energy_joules=meter.joules)
    worker = CappedWorker(trial.memory_limit_bytes, sends_steps=True)
    try:
        worker.submit(trial, context)
        return worker.result()
    finally:
        worker.close()


def run_inline(trial: Trial, context: Context) -> Execution:
    """Run a trial in this process and catch its errors."""
    outcome, error, trace = None, None, ""
    stopwatch = Stopwatch(context.device)
    try:
        reset_peak_memory(context.device)
        with stopwatch:  # inside the try: an error on a GPU may be raised only by the synchronization
            given = trial.run(context)
        outcome = Outcome(check_rows(given.rows), check_arrays(given.arrays))
    except MythsError as known:
        error = one_line(str(known) or type(known).__name__)
    except KeyboardInterrupt:
        raise
    except BaseException as unforeseen:  # noqa: BLE001 (any exception of a trial, SystemExit included, is a failed trial)
        text = ": ".join(filter(None, [type(unforeseen).__name__, str(unforeseen)]))
        error, trace = one_line(text), traceback.format_exc()
    return Execution(outcome, stopwatch.seconds, peak_memory(context.device), error, trace)


@dataclass(frozen=True)
class _Settings:
    """Settings of a process that runs one trial, as in ``CappedWorker``."""

    memory: int
    gpu: str | None
    sends_steps: bool


class CappedWorker:
    """A process that runs one trial under a memory limit.

    Args:
        memory: Memory limit in bytes.
        gpu: Value of ``CUDA_VISIBLE_DEVICES`` in the process. Default: that of this process.
        sends_steps: Whether ``result`` logs the messages that the trial logs. It may then be called before the trial has ended.
    """

    reusable = False
    limits_memory = True

    def __init__(self, memory: int, gpu: str | None = None, sends_steps: bool = False) -> None:
        self._settings = _Settings(memory, gpu, sends_steps)
        self._process: BaseProcess | None = None
        self._not_started: Execution | None = None

    def submit(self, trial: Trial, context: Context) -> None:
        """Start the process."""
        workers = worker_context(trial)
        self.pipe, theirs = workers.Pipe(duplex=False)
        self._folder = tempfile.TemporaryDirectory()
        self._log_file = Path(self._folder.name, "output.log")  # no NamedTemporaryFile: on Windows no other process can open one
        self._log_file.touch()
        self._stopwatch = Stopwatch().__enter__()
        process = workers.Process(target=_work, args=(theirs, str(self._log_file), trial, context, self._settings), daemon=True)
        try:
            process.start()
            self._process = process
        except Exception as error:  # noqa: BLE001 (a trial that cannot be pickled is a failed trial)
            self._not_started = unsendable(error)
        theirs.close()

    def result(self) -> Execution:
        """Wait for the result and return it."""
        if self._process is None:
            return self._not_started or Execution(None, 0.0, 0)
        try:
            return self._receive()
        except (EOFError, OSError):  # the process crashed before it sent its result
            self._process.join()
            output = self._log_file.read_text(encoding="utf-8", errors="replace")
            return _crashed_execution(self._process.exitcode, output, self._stopwatch.elapsed, self._settings.memory)

    def _receive(self) -> Execution:
        while isinstance(received := self.pipe.recv(), str):
            log.info("%s", received)
        return received

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self.pipe.close()
        self._folder.cleanup()


def unsendable(error: Exception) -> Execution:
    """Return the failure of a trial that cannot be pickled. Call it in the handler of the error."""
    return Execution(None, 0.0, 0, one_line(f"{type(error).__name__}: {error}"), traceback.format_exc())


def worker_context(trial: Trial) -> ForkServerContext | SpawnContext:
    """Return a multiprocessing context whose processes have torch, this package and the trial's module loaded.

    A fork server that has run nothing starts a process in milliseconds; a fresh interpreter takes seconds. Windows cannot fork and always
    uses a fresh interpreter.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    workers = multiprocessing.get_context("forkserver")
    package = __name__.partition(".")[0]
    loaded = [name for name in sys.modules if name.partition(".")[0] == package]
    workers.set_forkserver_preload(["torch", *loaded, type(trial).__module__])
    # A worker is killed after it has sent its result, so its semaphores outlive it for a moment. That is harmless.
    os.environ.setdefault("PYTHONWARNINGS", "ignore::UserWarning:multiprocessing.resource_tracker")
    return workers


def _crashed_execution(exit_code: int | None, log_file: str, seconds: float, memory: int) -> Execution:
    if exit_code == KILLED or _is_out_of_memory(log_file):
        # The system may have killed it because of the memory of others: "crashed" makes the queue try once more.
        return Execution(Outcome([{"status": OUT_OF_MEMORY}]), seconds, memory, crashed=True)
    by_signal = exit_code is not None and exit_code < 0
    end = f"was ended by {signal.Signals(-exit_code).name}" if by_signal else f"ended with status {exit_code}"  # type: ignore[operator]
    last = [line for line in log_file.splitlines() if line.strip()][-1:]
    return Execution(None, seconds, 0, one_line(": ".join([f"the worker process {end}", *last])), log_file, crashed=True)


def see_only(gpu: str | None) -> None:
    """Make one GPU the only one that CUDA sees in this process, which must not have used CUDA yet."""
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu


class _Steps(logging.Handler):
    """Sends the text of each message through a pipe."""

    def __init__(self, pipe: Connection) -> None:
        super().__init__(logging.INFO)
        self._pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        """Send one message."""
        self._pipe.send(record.getMessage())


def _work(pipe: Connection, log_file: str, trial: Trial, context: Context, settings: _Settings) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exit_with_parent()
    see_only(settings.gpu)
    # Output of libraries does not belong into the output of a run. It is kept for the error message of a crash.
    output = os.open(log_file, os.O_WRONLY | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if settings.sends_steps:
        logger = logging.getLogger("myths")
        logger.setLevel(logging.INFO)
        logger.addHandler(_Steps(pipe))
    _cap_memory(settings.memory)
    execution = run_inline(trial, context)
    without_memory = Execution(Outcome([{"status": OUT_OF_MEMORY}]), execution.seconds, execution.peak_memory_bytes)
    if execution.error is not None and _is_out_of_memory(execution.error):
        execution = without_memory
    try:
        pipe.send(execution)
    except MemoryError:  # the arrays fit into memory, but not a copy of them for the pipe
        pipe.send(without_memory)
    pipe.close()


def _cap_memory(memory: int) -> None:
    """Limit the memory of this process. Windows has no such limit."""
    with contextlib.suppress(ImportError):
        import resource

        # Limit the data segment, not the address space: CUDA and mapped libraries reserve far more addresses than memory.
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        cap = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (cap, cap))


def _is_out_of_memory(error: str) -> bool:
    # Messages of NumPy, torch, C++, XLA and TensorFlow.
    signs = (
        "memoryerror",
        "outofmemory",
        "out of memory",
        "allocate memory",
        "not enough memory",
        "bad_alloc",
        "resource_exhausted",
        "resourceexhausted",
    )
    return any(words in error.casefold() for words in signs)


def one_line(error: str) -> str:
    """Return an error as stored: one line of at most 500 characters, without the user's home folder."""
    line = " ".join(error.split())
    at_home = str(home())
    line = line.replace(at_home, "~") if len(at_home) > 1 else line
    return line if len(line) <= 500 else line[:499] + "…"
