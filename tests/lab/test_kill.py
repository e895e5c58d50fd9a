"""Whatever ends a run, and whenever: what was finished stays, is not run again, and the end result is the same.

This file is also the program that is killed: ``python test_kill.py FOLDER [HOW TURN SIGNAL]``.
"""

import os
import random
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from myths.lab.execution.runner import Invocation, plan, run
from myths.lab.storage import store as storing
from myths.lab.storage.store import Store
from myths.lab.trial import Context, Outcome, Trial

PAUSE = 0.004


def leave_a_trace(trial: Trial) -> None:
    """One line a start of a trial, in a file beside the results; a single write, so that no kill can cut it."""
    trace = Path(os.environ["MYTHS_TEST_TRACE"])
    with trace.open("ab", buffering=0) as file:
        file.write(f"{trial.id}\n".encode())
    time.sleep(60 if len(started(trace)) == int(os.environ.get("MYTHS_TEST_HOLD", "0")) else PAUSE)


@dataclass(frozen=True, kw_only=True)
class Draw(Trial):
    """Random numbers; with arrays."""

    seed: int

    def run(self, context: Context) -> Outcome:
        leave_a_trace(self)
        numbers = context.rng("numbers").normal(size=2000)
        return Outcome([{"mean": numbers.mean(), "n": i} for i in range(20)], {"numbers": numbers})


@dataclass(frozen=True, kw_only=True)
class Sum(Trial):
    """What several draws come to; without arrays."""

    draws: tuple[Draw, ...]

    def run(self, context: Context) -> Outcome:
        leave_a_trace(self)
        return Outcome([{"sum": sum(float(context.outcome(d).arrays["numbers"].sum()) for d in self.draws)}])


DRAWS = [Draw(seed=i) for i in range(8)]
TRIALS = [Sum(draws=(DRAWS[0], DRAWS[1])), *DRAWS[:4], Sum(draws=tuple(DRAWS[2:6])), *DRAWS[6:], Sum(draws=(DRAWS[7],)), Sum(draws=())]
COUNT = 12


def complete(folder: Path) -> None:
    store = Store(folder, {"Draw": Draw, "Sum": Sum})
    run(plan(TRIALS, store, lambda _: None), store, Invocation("cpu", lambda _: None, "i"))


# --- the program that is killed ------------------------------------------------------------------


def die() -> None:
    os.kill(os.getpid(), signal.Signals[sys.argv[4]])


def at_turn(turn: int, otherwise: Callable, then: Callable) -> Callable:
    """``otherwise``, but ``then`` at one turn."""
    turns = iter(range(10**6))
    return lambda *args, **more: (then if next(turns) == turn else otherwise)(*args, **more)


def die_in_the_array_file(file, **arrays) -> None:
    file.write(b"PK half an archive")
    file.flush()
    die()


def die_in_the_line(file: Path, text: str, whole_bytes: int) -> None:
    with file.open("ab") as handle:
        handle.write(text.encode()[: len(text) // 2])
    die()


def die_before_the_end_of_the_line(file: Path, text: str, whole_bytes: int) -> None:
    with file.open("ab") as handle:
        handle.write(text.encode())
    die()


def prepare_to_die(how: str, turn: int) -> None:
    append, fsync = storing._append_line, os.fsync
    if how == "in the array file":
        np.savez = at_turn(turn, np.savez, die_in_the_array_file)
    elif how == "before the line":
        storing._append_line = at_turn(turn, append, lambda *_: die())
    elif how == "in the line":
        storing._append_line = at_turn(turn, append, die_in_the_line)
    elif how == "before the end of the line":
        storing._append_line = at_turn(turn, append, die_before_the_end_of_the_line)
    elif how == "after the line":
        storing._append_line = at_turn(turn, append, lambda *given: (append(*given), die()))
    elif how == "while it is made durable":
        os.fsync = at_turn(turn, fsync, lambda descriptor: die())
    else:
        raise ValueError(how)


# --- the tests -----------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def trace(tmp_path, monkeypatch):
    file = tmp_path / "trace"
    file.touch()
    monkeypatch.setenv("MYTHS_TEST_TRACE", str(file))
    return file


def start(folder: Path, *how: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, __file__, folder, *how], stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for(trace: Path, starts: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    while len(started(trace)) < starts and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)


def started(trace: Path) -> list[str]:
    return trace.read_text().splitlines()


def finished(folder: Path) -> list[str]:
    """Ids of the trials whose line is whole, read as anyone may read the file."""
    if not (folder / "trials.jsonl").exists():
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [r.trial.id for r in Store(folder, {"Draw": Draw, "Sum": Sum}).records]


def go_on(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the line that was cut
        complete(folder)


def check_the_end(folder: Path, trace: Path, before: list[str], runs_before: list[str], kills: int = 1) -> None:
    """All trials are there once; none of those finished before ran again, and no more than one a kill ran in vain."""
    store = Store(folder, {"Draw": Draw, "Sum": Sum})
    assert Counter(r.status for r in store.records) == {"ok": COUNT}
    assert len({r.trial.id for r in store.records}) == COUNT
    runs = Counter(started(trace))
    assert len(runs) == COUNT
    assert {i: runs[i] for i in before} == {i: runs_before.count(i) for i in before}
    assert runs.total() <= COUNT + kills
    expected = undisturbed()
    assert {r.trial.id: (r.rows, r.arrays) for r in store.records} == expected
    for record in store.records:
        assert all(array.shape == (2000,) for array in store.outcome(record).arrays.values())


def undisturbed(made: dict = {}) -> dict:  # noqa: B006 (computed once)
    if not made:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            complete(Path(folder))
            store = Store(Path(folder), {"Draw": Draw, "Sum": Sum})
            made.update({r.trial.id: (r.rows, r.arrays) for r in store.records})
    return made


def test_undisturbed(tmp_path, trace):
    with start(tmp_path / "run") as process:
        process.communicate(timeout=60)
        assert process.returncode == 0
    complete(tmp_path / "run")  # nothing is left to do
    check_the_end(tmp_path / "run", trace, [], [], kills=0)


@pytest.mark.parametrize(
    ("how", "turn"),
    [
        ("in the array file", 0),
        ("in the array file", 5),
        ("before the line", 0),
        ("before the line", 7),
        ("in the line", 0),
        ("in the line", 4),
        ("in the line", 11),
        ("before the end of the line", 3),
        ("after the line", 6),
        ("while it is made durable", 8),
    ],
)
def test_killed_from_inside(tmp_path, trace, how, turn):
    die_from_inside(tmp_path / "run", trace, how, turn, signal.SIGKILL)


@pytest.mark.parametrize(("how", "turn"), [("in the array file", 5), ("before the line", 4), ("in the line", 4)])
def test_interrupted_while_it_is_stored(tmp_path, trace, how, turn):
    die_from_inside(tmp_path / "run", trace, how, turn, signal.SIGINT)


def die_from_inside(folder, trace, how, turn, by):
    with start(folder, how, str(turn), by.name) as process:
        process.communicate(timeout=60)
        assert process.returncode == -by
    before, runs = finished(folder), started(trace)
    if how in ("before the line", "in the line"):
        assert len(before) == turn
    if how in ("before the end of the line", "after the line"):
        assert len(before) == turn + 1
    go_on(folder)
    check_the_end(folder, trace, before, runs)


def test_killed_again_and_again(tmp_path, trace):
    """At moments of the outside's choosing."""
    folder, delays, before, runs = tmp_path / "run", random.Random(0), [], []
    for _ in range(4):
        with start(folder) as process:
            wait_for(trace, len(runs) + 2, process)
            time.sleep(delays.uniform(0, 3 * PAUSE))
            process.kill()
            process.communicate(timeout=60)
        assert Counter(started(trace)) >= Counter(runs)
        assert {i: started(trace).count(i) for i in before} == {i: runs.count(i) for i in before}
        before, runs = finished(folder), started(trace)
        assert len(before) == len(set(before))
    go_on(folder)
    check_the_end(folder, trace, before, runs, kills=4)


def test_interrupted_by_the_user(tmp_path, trace, monkeypatch):
    folder = tmp_path / "run"
    monkeypatch.setenv("MYTHS_TEST_HOLD", "5")
    with start(folder) as process:
        wait_for(trace, 5, process)
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: the whole group
        _, message = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGINT
    assert message.rstrip().endswith("KeyboardInterrupt")
    monkeypatch.delenv("MYTHS_TEST_HOLD")
    before, runs = finished(folder), started(trace)
    assert len(before) == 4
    go_on(folder)
    check_the_end(folder, trace, before, runs)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        prepare_to_die(sys.argv[2], int(sys.argv[3]))
    complete(Path(sys.argv[1]))
