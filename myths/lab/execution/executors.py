"""Executors: run a trial in this process or in a memory-limited process. ``worker_pool`` runs several trials at once."""

from __future__ import annotations

import contextlib
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
        crashed: Whether the worker process ended without a result.
        stopped: Whether the trial was stopped because the time budget ended.
    """

    outcome: Outcome | None
    seconds: float
    peak_memory_bytes: int
    error: str | None = None
    traceback: str = ""
    energy_joules: float | None = None
    crashed: bool = False
    stopped: bool = False


@runtime_checkable
class Executor(Protocol):
    """Runs up to ``max_workers`` trials at a time and returns them as they complete. Exclusive trials run alone."""

    max_workers: int
    """Maximum number of trials that run at a time."""

    def accepts(self, trial: Trial) -> bool:
        """Return whether the trial can start now."""

    def submit(self, trial: Trial, context: Context) -> None:
        """Start a trial that is accepted."""

    def wait_any(self, timeout: float | None = None) -> tuple[Trial, Execution]:
        """Wait until one trial completes and return it. After ``timeout`` seconds, stop a trial if possible and return it."""


class SerialExecutor:
    """Runs one trial at a time, in ``wait_any``."""

    max_workers = 1

    def __init__(self, execute_trial: Callable[[Trial, Context], Execution] | None = None):
        self._execute = execute_trial or execute
        self._submitted: tuple[Trial, Context] | None = None

    def accepts(self, trial: Trial) -> bool:
        """Return whether no trial was submitted."""
        return self._submitted is None

    def submit(self, trial: Trial, context: Context) -> None:
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


def execute(trial: Trial, context: Context, seconds: float | None = None) -> Execution:
    """Run a trial in this process, or in its own process if it has a memory limit.

    Args:
        trial: The trial.
        context: Its context.
        seconds: Time limit of a trial in its own process.
    """
    if trial.memory_limit_bytes is None:
        with EnergyMeter(context.device) as meter:
            execution = run_inline(trial, context)
        return replace(execution, energy_joules=meter.joules)
    return _in_worker(trial, context, trial.memory_limit_bytes, seconds)


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
        error = _one_line(str(known) or type(known).__name__)
    except KeyboardInterrupt:
        raise
    except BaseException as unforeseen:  # noqa: BLE001 (any exception of a trial, SystemExit included, is a failed trial)
        text = ": ".join(filter(None, [type(unforeseen).__name__, str(unforeseen)]))
        error, trace = _one_line(text), traceback.format_exc()
    return Execution(outcome, stopwatch.seconds, peak_memory(context.device), error, trace)


def _in_worker(trial: Trial, context: Context, memory: int, seconds: float | None = None) -> Execution:
    workers = worker_context(trial)
    ours, theirs = workers.Pipe(duplex=False)
    with Stopwatch() as stopwatch, tempfile.TemporaryDirectory() as folder:
        log_file = Path(folder, "output.log")  # no NamedTemporaryFile: on Windows no other process can open one
        log_file.touch()
        process = workers.Process(target=_work, args=(theirs, str(log_file), trial, context, memory), daemon=True)
        try:
            process.start()
        except Exception as error:  # noqa: BLE001 (a trial that cannot be pickled is a failed trial)
            return Execution(None, stopwatch.elapsed, 0, _one_line(f"{type(error).__name__}: {error}"), traceback.format_exc())
        theirs.close()
        try:
            if not ours.poll(seconds):
                return Execution(None, stopwatch.elapsed, 0, stopped=True)
            return ours.recv()
        except (EOFError, OSError):  # the process crashed before it sent its result
            process.join()
            return _crashed_execution(process.exitcode, log_file.read_text(encoding="utf-8", errors="replace"), stopwatch.elapsed, memory)
        finally:
            process.kill()
            process.join()
            ours.close()


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
    if exit_code == KILLED:
        return Execution(Outcome([{"status": OUT_OF_MEMORY}]), seconds, memory)
    by_signal = exit_code is not None and exit_code < 0
    end = f"was ended by {signal.Signals(-exit_code).name}" if by_signal else f"ended with status {exit_code}"  # type: ignore[operator]
    last = [line for line in log_file.splitlines() if line.strip()][-1:]
    return Execution(None, seconds, 0, _one_line(": ".join([f"the worker process {end}", *last])), log_file, crashed=True)


def _work(pipe: Connection, log_file: str, trial: Trial, context: Context, memory: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exit_with_parent()
    # Output of libraries does not belong into the output of a run. It is kept for the error message of a crash.
    output = os.open(log_file, os.O_WRONLY | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    _cap_memory(memory)
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


def _one_line(error: str) -> str:
    """Return an error as stored: one line of at most 500 characters, without the user's home folder."""
    line = " ".join(error.split())
    at_home = str(home())
    line = line.replace(at_home, "~") if len(at_home) > 1 else line
    return line if len(line) <= 500 else line[:499] + "…"
