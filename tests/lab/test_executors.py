"""A trial in this process, and one in a worker of its own under a memory cap."""

import logging
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from myths.lab.errors import CannotStart
from myths.lab.execution import executors
from myths.lab.execution.executors import Execution
from myths.lab.execution.runner import Invocation, plan, run
from myths.lab.storage.store import Store
from myths.lab.trial import Context, Outcome, Trial

GIGABYTE = 1 << 30
MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""Of mallopt: what is mapped, and given back when freed; how much free memory at the heap's end is kept."""
WITHOUT_MEMORY = [{"status": "out of memory"}]


@dataclass(frozen=True, kw_only=True)
class Here(Trial):
    """Does what its setting says, in this process."""

    does: str
    seed: int = 0
    after: tuple[Trial, ...] = ()

    def run(self, context: Context) -> Outcome:
        return ACTIONS[self.does](self, context)


@dataclass(frozen=True, kw_only=True)
class There(Here):
    """The same in a worker."""

    memory_limit_bytes: ClassVar[int | None] = 4 * GIGABYTE


@dataclass(frozen=True, kw_only=True)
class Cramped(Here):
    """The same in a worker that may hold little."""

    memory_limit_bytes: ClassVar[int | None] = GIGABYTE


def give(trial: Here, context: Context) -> Outcome:
    rows = [{"pid": os.getpid(), "draw": float(context.rng("init").random()), "nan": float("nan")}]
    return Outcome(rows, {"a": np.arange(6).reshape(2, 3), "b": np.float32(0.5)})  # type: ignore[dict-item]


def fail(trial: Here, context: Context) -> Outcome:
    raise ValueError("first line\nsecond line")


def leave_politely(trial: Here, context: Context) -> Outcome:
    sys.exit("no licence for this library")


def tell(trial: Here, context: Context) -> Outcome:
    logging.getLogger("myths.steps").info("first of %d", 2)
    logging.getLogger("myths.steps").info("second of 2")
    return Outcome([{"told": 2}])


class PanicException(BaseException):
    """As libraries in Rust raise it."""


def panic(trial: Here, context: Context) -> Outcome:
    raise PanicException


def fail_as_known(trial: Here, context: Context) -> Outcome:
    raise CannotStart("digits is not here:\n myths data get digits")


def take_2_gigabytes(trial: Here, context: Context) -> Outcome:
    return Outcome([{"bytes": np.empty(2 * GIGABYTE, np.uint8).nbytes}])  # never touched: asked for, not filled


def take_2_gigabytes_of_torch(trial: Here, context: Context) -> Outcome:
    import torch

    return Outcome([{"bytes": torch.empty(2 * GIGABYTE, dtype=torch.uint8).nbytes}])


def give_more_than_can_be_sent(trial: Here, context: Context) -> Outcome:
    return Outcome([], {"a": np.zeros(600 * 1024 * 1024 // 8)})


def take_50_megabytes(trial: Here, context: Context) -> Outcome:
    return Outcome([{"sum": float(np.ones(50_000_000 // 8).sum())}])


def kill_itself(trial: Here, context: Context) -> Outcome:
    os.kill(os.getpid(), signal.SIGKILL)
    return Outcome([])


def crash(trial: Here, context: Context) -> Outcome:
    os.write(2, b"some library: loading\nsome library: cannot go on\n")
    os.kill(os.getpid(), signal.SIGSEGV)
    return Outcome([])


def leave(trial: Here, context: Context) -> Outcome:
    os._exit(3)


def add(trial: Here, context: Context) -> Outcome:
    return Outcome([{"sum": int(sum(context.outcome(t).arrays["a"].sum() for t in trial.after))}])


def multiply(trial: Here, context: Context) -> Outcome:
    import torch

    with context.seed_torch("init"):
        x = torch.randn(200, 200, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad((x @ x).sum(), x)
    return Outcome([{"norm": float(gradient.norm()), "threads": torch.get_num_threads()}], {"gradient": gradient.numpy()})


ACTIONS = {
    f.__name__: f
    for f in (
        give, fail, fail_as_known, leave_politely, panic, take_2_gigabytes, take_2_gigabytes_of_torch, give_more_than_can_be_sent,
        take_50_megabytes, kill_itself, crash, leave, add, multiply, tell,
    )
}  # fmt: skip


def execute(trial: Trial, device: str = "cpu") -> Execution:
    return executors.execute(trial, Context(trial, device))


@pytest.mark.parametrize("kind", [Here, There])
def test_the_steps_that_a_trial_reports_are_logged(kind, caplog):
    with caplog.at_level(logging.INFO, "myths"):
        assert execute(kind(does="tell")).outcome.rows == [{"told": 2}]
    assert caplog.messages == ["first of 2", "second of 2"]


@pytest.mark.parametrize("kind", [Here, There])
def test_it_gives_rows_and_arrays_as_they_will_be_stored(kind):
    execution = execute(kind(does="give", seed=3))
    assert execution.error is None
    assert execution.outcome is not None
    (row,) = execution.outcome.rows
    assert (row["pid"] == os.getpid()) == (kind is Here)
    assert row["draw"] == Context(Here(does="give", seed=3)).rng("init").random()
    assert row["nan"] is None
    assert execution.outcome.arrays["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert execution.outcome.arrays["b"].shape == ()
    assert execution.peak_memory_bytes > 10_000_000
    assert 0 < execution.seconds < 5


@pytest.mark.parametrize("kind", [Here, There])
def test_what_a_trial_raises_is_its_failure(kind):
    execution = execute(kind(does="fail"))
    assert (execution.outcome, execution.error) == (None, "ValueError: first line second line")
    assert "in fail\n" in execution.traceback
    left = execute(kind(does="leave_politely"))
    assert (left.outcome, left.error) == (None, "SystemExit: no licence for this library")
    panicked = execute(kind(does="panic"))
    assert (panicked.outcome, panicked.error) == (None, "PanicException")
    known = execute(kind(does="fail_as_known"))
    assert (known.outcome, known.error, known.traceback) == (None, "digits is not here: myths data get digits", "")


@pytest.mark.parametrize("does", ["take_2_gigabytes", "take_2_gigabytes_of_torch", "kill_itself", "give_more_than_can_be_sent"])
def test_a_worker_without_memory_is_a_row_that_says_so(does):
    execution = execute(Cramped(does=does))
    assert execution.error is None
    assert execution.outcome is not None
    assert execution.outcome.rows == WITHOUT_MEMORY


def test_the_cap_is_the_workers_alone():
    execution = execute(There(does="take_2_gigabytes"))
    assert execution.outcome is not None
    assert execution.outcome.rows == [{"bytes": 2 * GIGABYTE}]
    assert execute(Here(does="take_2_gigabytes")).error is None


@pytest.mark.parametrize(
    ("does", "error"),
    [("crash", "the worker process was ended by SIGSEGV: some library: cannot go on"), ("leave", "the worker process ended with status 3")],
)
def test_a_worker_that_dies_otherwise_has_failed(does, error):
    execution = execute(There(does=does))
    assert (execution.outcome, execution.error) == (None, error)


def test_what_a_library_says_in_a_worker_is_no_output_of_the_run(capfd):
    execute(There(does="crash"))
    assert capfd.readouterr() == ("", "")


def test_a_trial_that_cannot_be_sent_to_a_worker_has_failed():
    @dataclass(frozen=True, kw_only=True)
    class Nowhere(There):
        pass

    execution = execute(Nowhere(does="give"))
    assert execution.outcome is None
    assert "Nowhere" in (execution.error or "")


def test_a_worker_looks_up_what_its_trial_depends_on(tmp_path):
    kinds = {kind.__name__: kind for kind in (Here, There)}
    before = (Here(does="give"), There(does="give", seed=1))
    trial = There(does="add", after=before)
    store = Store(tmp_path, kinds)
    progress = run(plan([trial], store, lambda _: None), store, Invocation("cpu", lambda _: None, "i"))
    assert progress.failed == []
    assert store.records[-1].rows == [{"sum": 30}]


def test_torch_computes_in_a_worker_as_it_does_here():
    here, there = execute(Here(does="multiply", seed=2)), execute(There(does="multiply", seed=2))
    assert there.error is None
    assert here.outcome is not None
    assert there.outcome is not None
    assert np.allclose(here.outcome.arrays["gradient"], there.outcome.arrays["gradient"], rtol=1e-12)


def high_water_mark_can_be_reset() -> bool:
    def mark() -> int:
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

    try:
        np.ones(100_000_000 // 8).sum()
        before = mark()
        Path("/proc/self/clear_refs").write_text("5")  # some containers let root open it and then refuse or ignore the write
    except (OSError, IndexError):
        return False
    return mark() < before


@pytest.fixture
def keep_what_is_freed():
    """Large arrays come from the heap, which keeps what is freed, as it does in a process that some libraries were loaded into."""
    import ctypes

    libc = ctypes.CDLL("libc.so.6")
    for option in (MMAP_THRESHOLD, TRIM_THRESHOLD):
        libc.mallopt(option, 1 << 30)
    yield
    for option in (MMAP_THRESHOLD, TRIM_THRESHOLD):
        libc.mallopt(option, 128 * 1024)


@pytest.mark.skipif(not high_water_mark_can_be_reset(), reason="the high-water mark of memory cannot be reset here")
def test_peak_memory_is_of_this_trial_alone(keep_what_is_freed):
    np.ones(200_000_000 // 8).sum()
    small, large = (execute(Here(does=d)).peak_memory_bytes for d in ("give", "take_50_megabytes"))
    assert 40_000_000 < large - small < 80_000_000


def test_a_worker_starts_in_a_moment_and_its_start_is_not_the_trials_time():
    execute(There(does="give"))  # the server may have to start
    begun = time.perf_counter()
    executions = [execute(There(does="give")) for _ in range(3)]
    each = (time.perf_counter() - begun) / 3
    print(f"a worker takes {each * 1000:.0f} ms")
    assert each < 2
    assert max(e.seconds for e in executions) < each


def test_no_worker_is_left_behind():
    import multiprocessing

    for does in ("give", "fail", "kill_itself"):
        execute(There(does=does))
    assert multiprocessing.active_children() == []
