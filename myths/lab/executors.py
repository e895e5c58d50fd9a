"""Ways to execute one trial. An executor is a function (trial, context) -> Execution; this file holds the local one."""

from __future__ import annotations

import multiprocessing
import resource
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from myths.lab.errors import MythsError
from myths.lab.store import check_rows
from myths.lab.timing import Stopwatch
from myths.lab.trial import Context, Outcome, Trial

OUT_OF_MEMORY = "out of memory"


@dataclass(frozen=True)
class Execution:
    """How a trial went: its outcome or its error, how long it took, and the most memory it held."""

    outcome: Outcome | None
    seconds: float
    peak_memory_bytes: int
    error: str | None = None
    trace: str = ""


Executor = Callable[[Trial, Context], Execution]


def local(trial: Trial, context: Context) -> Execution:
    """Runs a trial in this process, or in a worker of its own where the trial asks for one."""
    if trial.worker_memory is None:
        return _here(trial, context)
    return _in_worker(trial, context, trial.worker_memory)


def _here(trial: Trial, context: Context) -> Execution:
    _reset_peak_memory(context.device)
    outcome, error, trace = None, None, ""
    with Stopwatch(context.device) as watch:
        try:
            outcome = trial.run(context)
            outcome = Outcome(check_rows(outcome.rows), outcome.arrays)
        except MythsError as known:
            error = str(known)
        except Exception as unforeseen:  # noqa: BLE001 (whatever a trial raises is a failed trial, not the end of the run)
            error, trace = f"{type(unforeseen).__name__}: {unforeseen}".splitlines()[0], traceback.format_exc()
    return Execution(None if error else outcome, watch.seconds, _peak_memory(context.device), error, trace)


def _in_worker(trial: Trial, context: Context, memory: int) -> Execution:
    # A forked server that has torch loaded but has run nothing gives each timing trial a clean
    # process in milliseconds instead of the seconds that a fresh interpreter needs.
    workers = multiprocessing.get_context("forkserver")
    workers.set_forkserver_preload(["torch"])
    ours, theirs = workers.Pipe(duplex=False)
    process = workers.Process(target=_work, args=(theirs, trial, context, memory), daemon=True)
    with Stopwatch() as watch:
        process.start()
        theirs.close()
        try:
            return ours.recv()
        except EOFError:
            process.join()
            return _of_the_dead(process.exitcode, watch.elapsed, memory)
        finally:
            process.kill()
            process.join()


def _of_the_dead(exit_code: int | None, seconds: float, memory: int) -> Execution:
    if exit_code == -signal.SIGKILL:
        return Execution(Outcome([{"status": OUT_OF_MEMORY}]), seconds, memory)
    return Execution(None, seconds, 0, f"the worker process ended with status {exit_code}")


def _work(pipe: Connection, trial: Trial, context: Context, memory: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The data segment, not the address space: CUDA and mapped libraries reserve far more addresses than memory.
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    execution = _here(trial, context)
    if execution.error is not None and _is_out_of_memory(execution.error):
        execution = Execution(Outcome([{"status": OUT_OF_MEMORY}]), execution.seconds, execution.peak_memory_bytes)
    pipe.send(execution)
    pipe.close()


def _is_out_of_memory(error: str) -> bool:
    signs = ("MemoryError", "OutOfMemoryError", "can't allocate memory", "not enough memory", "Cannot allocate memory")
    return any(words in error for words in signs)


def _reset_peak_memory(device: str) -> None:
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the high-water mark starts anew
    except OSError:
        return


def _peak_memory(device: str) -> int:
    """Bytes: on a GPU what the allocator held, on a CPU the resident high-water mark (of the process, where it cannot be reset)."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device)
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
