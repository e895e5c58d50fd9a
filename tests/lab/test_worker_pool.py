"""Trials side by side: the same results as one by one, nothing beside what runs alone, and a death that costs one trial."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from myths.lab.execution import resources, runner, worker_pool
from myths.lab.execution.local_workers import LocalGpus, LocalWorkers, this_machine
from myths.lab.execution.worker_pool import MAX_DEFAULT_JOBS, WorkerPool, default_jobs
from myths.lab.storage.store import Store
from myths.lab.trial import Context, Outcome, Trial


def test_more_trials_at_once_than_cores_are_warned_of_with_a_better_number(monkeypatch):
    monkeypatch.setattr(worker_pool, "cores", lambda: 2)
    assert worker_pool.excess_jobs_warning(2, "cpu") is None
    assert worker_pool.excess_jobs_warning(50, "cuda") is None
    warning = worker_pool.excess_jobs_warning(50, "cpu")
    assert "--jobs 50" in warning
    assert "2 cores" in warning
    assert "--jobs 2" in warning


@dataclass(frozen=True, kw_only=True)
class Span(Trial):
    """Says from when to when it ran and in which process."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"begun", "ended", "process"})
    name: str
    seconds: float = 0.0
    seed: int = 0

    def run(self, context: Context) -> Outcome:
        begun = time.monotonic()
        time.sleep(self.seconds)
        if self.name == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.name == "fails":
            raise ValueError("as asked")
        drawn = context.rng("draw").integers(1000)
        row = {"begun": begun, "ended": time.monotonic(), "process": os.getpid(), "threads": torch.get_num_threads(), "drawn": drawn}
        row["gpu"] = os.environ.get("CUDA_VISIBLE_DEVICES")
        return Outcome([row], {"drawn": np.array(drawn)})


@dataclass(frozen=True, kw_only=True)
class Alone(Span):
    """Has the machine for itself."""

    exclusive: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class Capped(Alone):
    """Has its device for itself, in a process of its own."""

    memory_limit_bytes: ClassVar[int | None] = 4 * 2**30


@dataclass(frozen=True, kw_only=True)
class Whole(Alone):
    """Wants no other GPU of the machine to be busy."""

    whole_machine: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class Sum(Trial):
    """Adds what its parts drew."""

    parts: tuple[Span, ...]

    def run(self, context: Context) -> Outcome:
        return Outcome([{"sum": sum(int(context.outcome(part).arrays["drawn"]) for part in self.parts)}])


KINDS = {kind.__name__: kind for kind in (Span, Alone, Capped, Whole, Sum)}


def go(trials, folder: Path, jobs: int, report=lambda trial, record: None, gpus=()):
    store, visible = Store(folder, KINDS), LocalGpus(gpus)
    with WorkerPool(LocalWorkers(this_machine(jobs, visible), visible, bounded=False)) as workers:
        progress = runner.run(
            runner.plan(trials, store, lambda name: None), store, runner.Invocation("cpu", lambda name: None, "test"),
            executor=workers if jobs > 1 or gpus else None, report=report,
        )  # fmt: skip
    return progress, {str(record.trial): record for record in store.records}


def overlap(one, other) -> bool:
    (a,), (b,) = one.rows, other.rows
    return a["begun"] < b["ended"] and b["begun"] < a["ended"]


def test_the_same_rows_as_one_by_one(tmp_path):
    parts = tuple(Span(name=f"n{i}") for i in range(5))
    trials = [*parts, Sum(parts=parts)]
    _, serial = go(trials, tmp_path / "one", 1)
    _, parallel = go(trials, tmp_path / "three", 3)
    assert {record.status for record in [*serial.values(), *parallel.values()]} == {"ok"}
    assert serial.keys() == parallel.keys()
    for name, record in serial.items():
        drawn = [[{k: v for k, v in row.items() if k in ("drawn", "sum")} for row in r.rows] for r in (record, parallel[name])]
        assert drawn[0] == drawn[1]


def test_they_overlap_in_processes_that_stay_and_share_the_cores(tmp_path):
    _, records = go([Span(name=f"n{i}", seconds=0.5) for i in range(4)], tmp_path, 2)
    processes = [record.rows[0]["process"] for record in records.values()]
    assert len(set(processes)) == 2
    assert os.getpid() not in processes
    assert sum(overlap(a, b) for a in records.values() for b in records.values() if a is not b) >= 4
    assert {record.rows[0]["threads"] for record in records.values()} == {max(1, torch.get_num_threads() // 2)}


def test_nothing_runs_beside_what_runs_alone(tmp_path):
    alone = Alone(name="alone", seconds=0.2)
    _, records = go([Span(name="a", seconds=0.5), alone, Span(name="b", seconds=0.2), Span(name="c", seconds=0.2)], tmp_path, 2)
    assert len(records) == 4
    assert not any(overlap(records[str(alone)], record) for name, record in records.items() if name != str(alone))
    assert records[str(alone)].rows[0]["process"] == os.getpid()


def test_a_trial_begins_after_what_it_depends_on(tmp_path):
    happened = []
    slow = Span(name="slow", seconds=0.5)
    summed = Sum(parts=(slow,))
    go([summed, Span(name="quick")], tmp_path, 3, report=lambda trial, record: happened.append((str(trial), record is not None)))
    assert happened.index((str(summed), False)) > happened.index((str(slow), True))


def test_what_others_wait_for_goes_first(tmp_path):
    begun = []
    late = Span(name="late")
    trials = [*(Span(name=f"n{i}", seconds=0.2) for i in range(3)), late, Sum(parts=(late,))]
    go(trials, tmp_path, 2, report=lambda trial, record: begun.append(trial) if record is None else None)
    assert begun[0] == late
    assert [trial.name for trial in begun if isinstance(trial, Span)][1:] == ["n0", "n1", "n2"]


@dataclass(frozen=True, kw_only=True)
class KilledAtFirst(Capped):
    """Is killed from outside as often as asked, as if something else had taken the memory."""

    times: int
    folder: str

    def run(self, context: Context) -> Outcome:
        marks = len(list(Path(self.folder).iterdir()))
        if marks < self.times:
            Path(self.folder, str(marks)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return Outcome([{"status": "ok"}])


@pytest.mark.parametrize(("times", "status"), [(1, "ok"), (2, "out of memory")])
def test_a_process_that_is_killed_once_is_no_measurement_of_its_memory(times, status, tmp_path):
    (tmp_path / "marks").mkdir()
    trial = KilledAtFirst(name="killed", times=times, folder=str(tmp_path / "marks"))
    _, records = go([trial], tmp_path, 2)
    (record,) = records.values()
    assert (record.status, [row["status"] for row in record.rows]) == ("ok", [status])


def test_a_worker_that_dies_fails_its_own_trial_and_what_needs_it(tmp_path):
    dies, well = Span(name="dies", seconds=0.3), Span(name="well", seconds=0.5)
    progress, records = go([dies, well, Sum(parts=(dies,)), Span(name="after")], tmp_path, 2)
    assert records[str(dies)].error == "the worker process was ended by SIGKILL, probably out of memory. Try a smaller --jobs"
    assert [trial for trial, _ in progress.skipped_dependents] == [Sum(parts=(dies,))]
    assert {name for name, record in records.items() if record.status == "ok"} == {str(well), str(Span(name="after"))}


def test_a_trial_that_raises_is_a_failed_trial(tmp_path):
    progress, records = go([Span(name="fails"), Span(name="well")], tmp_path, 2)
    assert progress.finished == 1
    assert records[str(Span(name="fails"))].error == "ValueError: as asked"
    assert "as asked" in (tmp_path / "errors" / f"{Span(name='fails').id}.txt").read_text()


GPUS = ("4", "GPU-7f")
"""Two pretended GPUs, as a user may name them; the trials compute on the CPU."""


def test_every_gpu_has_a_worker_that_sees_no_other(tmp_path):
    spans = [Span(name=f"n{i}", seconds=0.5) for i in range(4)]
    _, records = go(spans, tmp_path, 1, gpus=GPUS)
    by_gpu = {gpu: [record for record in records.values() if record.rows[0]["gpu"] == gpu] for gpu in GPUS}
    assert [len(of_gpu) for of_gpu in by_gpu.values()] == [2, 2]
    for of_gpu in by_gpu.values():
        assert not overlap(*of_gpu)
        assert len({record.rows[0]["process"] for record in of_gpu}) == 1
    assert any(overlap(a, b) for a in by_gpu["4"] for b in by_gpu["GPU-7f"])
    assert {record.concurrent_trials for record in records.values()} == {0}  # another GPU does not slow a trial down


def test_a_timing_has_a_gpu_for_itself_and_if_it_says_so_the_machine(tmp_path):
    spans = [Span(name=f"n{i}", seconds=0.3) for i in range(4)]
    timed = [Alone(name="alone", seconds=0.5), Capped(name="capped", seconds=0.5)]
    whole = Whole(name="whole", seconds=0.3)
    _, records = go([whole, *spans, *timed], tmp_path, 2, gpus=GPUS)
    assert {record.status for record in records.values()} == {"ok"}
    assert not any(overlap(records[str(whole)], other) for name, other in records.items() if name != str(whole))
    for each in timed:
        (row,) = records[str(each)].rows
        assert row["gpu"] in GPUS
        assert not any(
            overlap(records[str(each)], other)
            for name, other in records.items() if name != str(each) and other.rows[0]["gpu"] == row["gpu"]
        )  # fmt: skip
        assert row["process"] != os.getpid()
    assert overlap(*(records[str(each)] for each in timed)), "each has a GPU of its own"
    assert max(record.concurrent_trials for record in records.values()) == 1


def test_the_gpus_of_a_run_are_those_of_the_model_of_the_first(monkeypatch):
    models = ["NVIDIA H100 80GB HBM3", "NVIDIA A2", "NVIDIA H100 80GB HBM3"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: models[int(device.partition(":")[2] or 0)])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert LocalGpus.of("cuda").visible == ("0", "2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5,GPU-9")
    assert LocalGpus.of("cuda").visible == ("3", "GPU-9")
    assert LocalGpus.of("cuda:1").visible == LocalGpus.of("cpu").visible == ()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert LocalGpus.of("cuda").visible == ()


@pytest.mark.parametrize(
    ("threads", "busy", "free", "jobs"),
    [
        (2, 0.0, 2**34, 2),
        (64, 0.0, 2**36, MAX_DEFAULT_JOBS),
        (64, 61.6, 2**36, 2),
        (2, 7.0, 2**36, 1),
        (8, 0.4, 5 * 2**30, 2),
        (8, 0.0, 2**20, 1),
    ],
)
def test_fewer_trials_run_side_by_side_where_cores_or_memory_are_taken(threads, busy, free, jobs, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(worker_pool, "busy_cores", lambda: busy)
    monkeypatch.setattr(worker_pool, "free_bytes", lambda device: free)
    assert default_jobs("cpu") == jobs
    assert default_jobs("cuda") == 1


def test_what_a_machine_has_to_spare_is_known():
    assert 0 <= resources.busy_cores() <= os.getloadavg()[0]
    assert 0 < resources.free_bytes("cpu") <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_the_command(how, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parents[2])!r})
        from tests.lab.test_worker_pool import Span, go
        if __name__ == "__main__":
            spans = [Span(name=f"n{{i}}", seconds=60.0) for i in range(2)]
            go(spans, Path(sys.argv[1]), 2, lambda trial, record: print("begun", flush=True))
        """)
    )
    process = subprocess.Popen([sys.executable, str(script), str(tmp_path / "run")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    for _ in range(2):
        assert process.stdout.readline() == b"begun\n"
    time.sleep(0.5)
    process.send_signal(how)
    process.wait(60)
    deadline = time.monotonic() + 60
    while (left := _processes_of(str(script))) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []


def _processes_of(script: str) -> list[str]:
    """The processes whose command line names a script; a forked worker's says that of its server."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if script in line:
            found.append(line)
    return found
