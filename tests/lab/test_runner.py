"""Order, resume, retry, what is missing, and the budget."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from myths.lab.errors import CannotStart, MythsError
from myths.lab.execution import runner
from myths.lab.execution.executors import SerialExecutor
from myths.lab.execution.runner import Budget, Estimates, Invocation, Plan, plan, run
from myths.lab.storage.store import Store, TrialRecord
from myths.lab.trial import Context, Outcome, Trial

RAN: list[str] = []
ABSENT: dict[str, str] = {}
BROKEN: dict[str, Exception] = {}


@dataclass(frozen=True, kw_only=True)
class Part(Trial):
    """Gives its name's length; ABSENT and BROKEN say what keeps it from that."""

    name: str
    size: float = 1.0
    reads: tuple[str, ...] = ()

    @property
    def relative_cost(self) -> float:
        return self.size

    @property
    def data(self) -> tuple[str, ...]:
        return self.reads

    def skip_reason(self) -> str | None:
        return ABSENT.get(self.name)

    def run(self, context: Context) -> Outcome:
        RAN.append(self.name)
        if self.name in BROKEN:
            raise BROKEN[self.name]
        return Outcome([{"length": len(self.name)}], {"length": np.array(len(self.name))})


@dataclass(frozen=True, kw_only=True)
class Total(Part):
    """Adds what its parts gave."""

    parts: tuple[Trial, ...]

    def run(self, context: Context) -> Outcome:
        super().run(context)
        total = sum(int(context.outcome(p).arrays["length"]) for p in self.parts)
        return Outcome([{"length": total}], {"length": np.array(total)})


@dataclass(frozen=True, kw_only=True)
class Longest(Part):
    """Selects by the rows of its candidates, and by the arrays of its parts."""

    rows_only: ClassVar[tuple[str, ...]] = ("candidates",)
    candidates: tuple[Trial, ...]
    parts: tuple[Trial, ...] = ()

    def run(self, context: Context) -> Outcome:
        super().run(context)
        assert not any(context.outcome(p).arrays for p in self.candidates)
        lengths = [context.outcome(p).rows[0]["length"] for p in self.candidates] + [
            int(context.outcome(p).arrays["length"]) for p in self.parts
        ]
        return Outcome([{"length": max(lengths)}])


@dataclass(frozen=True, kw_only=True)
class Flat(Trial):
    """Has no formula of its cost."""

    name: str

    def run(self, context: Context) -> Outcome:
        return Outcome([{"name": self.name}])


@dataclass(frozen=True, kw_only=True)
class Peek(Total):
    """Looks up what it does not depend on."""

    other: ClassVar[Trial] = Part(name="other")

    def run(self, context: Context) -> Outcome:
        RAN.append(self.name)
        return context.outcome(self.other)


TYPES = {kind.__name__: kind for kind in (Part, Total, Longest, Peek)}


@pytest.fixture(autouse=True)
def _forget():
    for each in (RAN, ABSENT, BROKEN):
        each.clear()


def store_in(folder: Path) -> Store:
    return Store(folder, TYPES)


def nothing_here(name: str) -> None:
    return None


def planned(trials, folder, hashes=nothing_here) -> Plan:
    return plan(trials, store_in(folder), hashes)


def go(trials, folder, hashes=nothing_here, machine_class="cpu", **more):
    RAN.clear()
    store = store_in(folder)
    return run(plan(trials, store, hashes), store, Invocation("cpu", hashes, "i1", machine_class), **more)


def names(trials) -> list[str]:
    return [t.name for t in trials]


def lengths(folder: Path) -> dict[str, int]:
    return {r.trial.name: r.rows[0]["length"] for r in store_in(folder).records if r.status == "ok"}


A, B, C = (Part(name=n) for n in ("a", "bb", "ccc"))
AB, BC = Total(name="AB", parts=(A, B)), Total(name="BC", parts=(B, C))
ALL = Total(name="ALL", parts=(AB, BC))


# --- order and resume ----------------------------------------------------------------------------


def test_dependencies_run_first_and_once(tmp_path):
    progress = go([ALL, C, AB, ALL], tmp_path)
    assert RAN == ["a", "bb", "AB", "ccc", "BC", "ALL"]
    assert progress.finished == 6
    assert [progress.failed, progress.skipped_dependents, progress.not_started] == [[], [], []]
    assert lengths(tmp_path) == {"a": 1, "bb": 2, "ccc": 3, "AB": 3, "BC": 5, "ALL": 8}


def test_a_second_run_does_nothing(tmp_path):
    go([ALL, C], tmp_path)
    before = (tmp_path / "trials.jsonl").read_bytes()
    progress = go([ALL, C], tmp_path)
    assert RAN == []
    assert progress.finished == 0
    assert (tmp_path / "trials.jsonl").read_bytes() == before
    assert {step.state for step in planned([ALL, C], tmp_path).steps} == {"done"}


def test_a_trial_is_reported_before_and_after_and_stored_in_between(tmp_path):
    seen = []

    def report(trial: Trial, record: TrialRecord | None) -> None:
        seen.append((trial.name, record and record.status, len(store_in(tmp_path).records)))  # type: ignore[attr-defined]

    BROKEN["bb"] = ValueError()
    go([A, B], tmp_path, report=report)
    assert seen == [("a", None, 0), ("a", "ok", 1), ("bb", None, 1), ("bb", "failed", 2)]


def test_more_trials_reuse_what_is_done(tmp_path):
    go([A, B], tmp_path)
    go([ALL], tmp_path)
    assert RAN == ["AB", "ccc", "BC", "ALL"]


def test_a_record_says_where_it_comes_from(tmp_path):
    go([A], tmp_path, machine_class="h200")
    (record,) = store_in(tmp_path).records
    assert (record.device, record.invocation, record.status, record.error) == ("h200", "i1", "ok", None)
    assert record.peak_memory_bytes > 0


# --- data ----------------------------------------------------------------------------------------


def test_data_hashes_travel_to_dependents_and_other_data_mean_another_run(tmp_path):
    reads = Part(name="reads", reads=("digits",))
    total = Total(name="total", parts=(reads, A), reads=("cifar",))
    old = {"digits": "old", "cifar": "c"}.get
    assert planned([total], tmp_path, old).data == ("digits", "cifar")
    go([total], tmp_path, old)
    assert {r.trial.name: dict(r.data) for r in store_in(tmp_path).records} == {  # type: ignore[attr-defined]
        "reads": {"digits": "old"},
        "a": {},
        "total": {"digits": "old", "cifar": "c"},
    }
    go([total], tmp_path, {"digits": "new", "cifar": "c"}.get)
    assert RAN == ["reads", "total"]
    go([total], tmp_path, nothing_here)
    assert RAN == []  # nothing lies here that speaks against it
    go([total], tmp_path, old)
    assert RAN == []  # both contents are kept


def test_arrays_made_from_other_data_are_not_handed_to_a_dependent(tmp_path):
    """Both executions write the same file; the plan notices that the older record has lost its arrays."""
    reads = Part(name="reads", reads=("digits",))
    old, new = {"digits": "old"}.get, {"digits": "new"}.get
    go([reads], tmp_path, old)
    store = store_in(tmp_path)
    store.append(TrialRecord(reads, "ok", [{"length": 99}], data={"digits": "new"}), {"length": np.array(99)})
    go([Total(name="total", parts=(reads,))], tmp_path, new)
    assert (RAN, lengths(tmp_path)["total"]) == (["total"], 99)
    go([Total(name="total", parts=(reads,))], tmp_path, old)
    assert (RAN, lengths(tmp_path)["total"]) == (["reads", "total"], 5)


# --- failure -------------------------------------------------------------------------------------


def test_failed_trials_are_tried_again_and_block_their_dependents(tmp_path):
    BROKEN["bb"] = ValueError("no\nluck")
    progress = go([ALL, A], tmp_path)
    assert RAN == ["a", "bb", "ccc"]
    assert [(t.name, e) for t, e in progress.failed] == [("bb", "ValueError: no luck")]  # type: ignore[attr-defined]
    assert [(t.name, b.name) for t, b in progress.skipped_dependents] == [("AB", "bb"), ("BC", "bb"), ("ALL", "bb")]  # type: ignore[attr-defined]
    assert progress.finished == 2
    assert {r.trial.name: r.status for r in store_in(tmp_path).records} == {"a": "ok", "bb": "failed", "ccc": "ok"}  # type: ignore[attr-defined]
    assert "Traceback" in (tmp_path / "errors" / f"{B.id}.txt").read_text()
    BROKEN.clear()
    assert go([ALL, A], tmp_path).finished == 4
    assert RAN == ["bb", "AB", "BC", "ALL"]
    assert lengths(tmp_path)["ALL"] == 8


def test_a_known_error_is_stored_in_one_line_without_a_traceback(tmp_path):
    BROKEN["a"] = MythsError("digits is not here:\n  myths data get digits\n")
    BROKEN["bb"] = MythsError()
    BROKEN["ccc"] = ValueError("x" * 10_000 + str(Path.home() / "data"))
    progress = go([A, B, C], tmp_path)
    assert [e for _, e in progress.failed][:2] == ["digits is not here: myths data get digits", "MythsError"]
    assert len(progress.failed[2][1]) == 500
    assert len((tmp_path / "trials.jsonl").read_text().splitlines()) == 3
    details = {p.stem: p.read_text() for p in (tmp_path / "errors").iterdir()}
    assert {trial: "Traceback" in text for trial, text in details.items()} == {A.id: False, B.id: False, C.id: True}
    assert "myths data get digits" in details[A.id]


def test_an_error_does_not_name_the_users_home(tmp_path):
    BROKEN["a"] = FileNotFoundError(2, "No such file", str(Path.home() / ".cache" / "x"))
    ((_, error),) = go([A], tmp_path).failed
    assert error == "FileNotFoundError: [Errno 2] No such file: '~/.cache/x'"


def test_only_dependencies_can_be_looked_up(tmp_path):
    go([Peek.other], tmp_path)
    ((_, error),) = go([Peek(name="peek", parts=(A,))], tmp_path).failed
    assert error.startswith("LookupError: Part(name=other) is not a dependency")


def test_dependencies_of_dependencies_can_be_looked_up(tmp_path):
    @dataclass(frozen=True, kw_only=True)
    class Deep(Total):
        def run(self, context: Context) -> Outcome:
            return Outcome([{"length": context.outcome(A).rows[0]["length"]}])

    assert go([Deep(name="deep", parts=(AB,))], tmp_path).finished == 4


def test_a_full_disk_ends_the_run_and_keeps_what_was_finished(tmp_path, monkeypatch):
    go([A], tmp_path)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(CannotStart, match="No space left"):
        go([A, B], tmp_path)
    monkeypatch.undo()
    assert store_in(tmp_path).records[0].trial == A


def test_an_interruption_leaves_what_is_finished(tmp_path):
    BROKEN["ccc"] = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        go([A, B, C, AB], tmp_path)
    assert lengths(tmp_path) == {"a": 1, "bb": 2}
    BROKEN.clear()
    go([A, B, C, AB], tmp_path)
    assert RAN == ["ccc", "AB"]


# --- missing -------------------------------------------------------------------------------------


def states(trials, folder) -> dict[str, str]:
    return {step.trial.name: step.reason or step.state for step in planned(trials, folder).steps}  # type: ignore[attr-defined]


def test_what_is_missing_is_named_with_its_dependents_and_their_other_dependencies_do_not_run(tmp_path):
    ABSENT["a"] = "a is not installed"
    assert states([ALL, BC], tmp_path) == {
        "a": "a is not installed",
        "AB": "a is not installed",
        "ALL": "a is not installed",
        "bb": "pending",
        "ccc": "pending",
        "BC": "pending",
    }
    assert states([AB], tmp_path) == {"a": "a is not installed", "AB": "a is not installed"}  # bb: for AB alone
    assert [(t.name, r) for t, r in planned([AB], tmp_path).skipped] == [(n, "a is not installed") for n in ("a", "AB")]  # type: ignore[attr-defined]
    progress = go([ALL, BC], tmp_path)
    assert RAN == ["bb", "ccc", "BC"]
    assert [progress.failed, progress.skipped_dependents] == [[], []]
    assert len(store_in(tmp_path).records) == 3
    assert go([AB], tmp_path).finished == 0


def test_what_was_missing_runs_when_it_is_here(tmp_path):
    ABSENT["a"] = "a is not installed"
    go([ALL], tmp_path)
    assert RAN == []
    ABSENT.clear()
    go([ALL], tmp_path)
    assert RAN == ["a", "bb", "AB", "ccc", "BC", "ALL"]


def test_what_is_done_serves_though_it_could_not_run_here(tmp_path):
    go([A], tmp_path)
    ABSENT["a"] = "a is not installed"
    go([AB], tmp_path)
    assert RAN == ["bb", "AB"]


def test_an_unlisted_dependency_of_what_is_done_does_not_run(tmp_path):
    store_in(tmp_path).append(TrialRecord(AB, "ok", [{"length": 3}]))
    assert states([AB], tmp_path) == {"AB": "done"}
    assert states([ALL], tmp_path) == {"AB": "done", "bb": "pending", "ccc": "pending", "BC": "pending", "ALL": "pending"}


# --- gone arrays ---------------------------------------------------------------------------------


def lose(folder: Path, *trials: Trial) -> None:
    for trial in trials:
        (folder / "arrays" / f"{trial.id}.npz").unlink()


def test_gone_arrays_are_made_again_only_when_an_unfinished_trial_needs_them(tmp_path):
    go([AB, BC], tmp_path)
    lose(tmp_path, A, B, C, AB)
    go([AB, BC, A], tmp_path)
    assert RAN == []
    go([AB, BC, A, ALL], tmp_path)  # ALL needs the arrays of AB, and AB those of a and bb; BC has its own still
    assert RAN == ["a", "bb", "AB", "ALL"]
    assert lengths(tmp_path)["ALL"] == 8


def test_gone_arrays_that_nothing_reads_are_not_made_again(tmp_path):
    go([A, B, C], tmp_path)
    lose(tmp_path, A, B, C)
    go([Longest(name="longest", candidates=(A, B), parts=(C,))], tmp_path)
    assert RAN == ["ccc", "longest"]
    assert lengths(tmp_path)["longest"] == 3
    lose(tmp_path, C)
    go([Longest(name="both", candidates=(A, C), parts=(A, B))], tmp_path)
    assert RAN == ["a", "bb", "both"]


def test_gone_arrays_that_nothing_reads_skip_no_trial(tmp_path):
    go([A, B], tmp_path)
    lose(tmp_path, A, B)
    ABSENT["a"] = "a is not installed"
    longest = Longest(name="longest", candidates=(A, B))
    assert states([longest, AB], tmp_path) == {"a": "done", "bb": "done", "longest": "pending", "AB": "a is not installed"}


def test_gone_arrays_that_cannot_be_made_again_are_missing(tmp_path):
    go([AB], tmp_path)
    lose(tmp_path, AB, A)
    ABSENT["a"] = "a is not installed"
    assert states([AB, A], tmp_path) == {"a": "done", "bb": "done", "AB": "done"}
    assert states([AB, ALL], tmp_path) == {"a": "done", "bb": "done", "AB": "done", "ALL": "a is not installed"}


# --- budget --------------------------------------------------------------------------------------


class Clock:
    """Stands still but for the seconds that trials are said to take."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.now = 100.0
        monkeypatch.setattr(runner.time, "monotonic", lambda: self.now)
        self.folder = folder

    def execute(self, trial: Trial, context: Context):
        from myths.lab.execution.executors import Execution

        RAN.append(trial.name)  # type: ignore[attr-defined]
        self.now += trial.relative_cost
        return Execution(Outcome([{"length": 1}], {"length": np.array(1)}), trial.relative_cost, 1)

    def go(self, trials, seconds: float):
        return go(trials, self.folder, budget=Budget(seconds, started=self.now), executor=SerialExecutor(self.execute))


@pytest.fixture
def clock(monkeypatch, tmp_path):
    return Clock(monkeypatch, tmp_path)


def sized(*sizes: float) -> list[Part]:
    return [Part(name=f"{i}:{size:g}", size=size) for i, size in enumerate(sizes)]


def test_trials_that_would_not_fit_are_not_started(clock):
    trials = sized(1.0, 4.0, 6.0, 3.0, 2.0)
    progress = clock.go(trials, 10.0)
    assert RAN == ["0:1", "1:4", "3:3", "4:2"]  # 6 s did not fit into the 5 s left, 3 s and 2 s did
    assert names(progress.not_started) == ["2:6"]
    assert progress.finished == 4
    assert names(clock.go(trials, 3.0).not_started) == ["2:6"]
    assert clock.go(trials, 6.0).not_started == []
    assert RAN == ["2:6"]


def test_an_unknown_trial_starts_only_while_half_is_left(clock):
    parts = sized(4.0, 2.0)
    first = Flat(name="unknown")
    progress = clock.go([*parts, first], 10.0)
    assert names(progress.not_started) == ["unknown"]  # 4 s are left of 10
    progress = clock.go([*parts, first], 1.0)
    assert progress.not_started == []


def test_what_waits_for_a_trial_that_was_left_is_left(clock):
    small, large = sized(1.0, 50.0)
    dependent = Total(name="dependent", parts=(large,), size=0.1)
    further = Total(name="further", parts=(dependent,), size=0.1)
    progress = clock.go([small, further], 10.0)
    assert names(progress.not_started) == ["1:50", "dependent", "further"]
    assert progress.finished == 1
    assert progress.skipped_dependents == []
    assert clock.go([small, further], 1000.0).finished == 3


def test_nothing_starts_on_a_spent_budget(clock):
    trials = sized(1.0, 1.0)
    progress = clock.go(trials, 0.5)
    assert RAN == ["0:1"]  # unknown, and half was left
    assert names(progress.not_started) == ["1:1"]


def test_estimates_are_scaled_by_work_within_class_and_machine(tmp_path):
    store = store_in(tmp_path)
    for trial, seconds, machine, status in [
        (Part(name="x", size=1.0), 2.0, "cpu", "ok"),
        (Part(name="y", size=3.0), 10.0, "cpu", "ok"),
        (Part(name="z"), 500.0, "h200", "ok"),
        (Part(name="w"), 500.0, "cpu", "failed"),
        (Total(name="t", parts=()), 500.0, "cpu", "ok"),
    ]:
        store.append(TrialRecord(trial, status, seconds=seconds, device=machine))
    assert Estimates(store.records, "cpu")(Part(name="new", size=2.0)) == pytest.approx(6.0)
    assert Estimates(store.records, "h200")(Part(name="new", size=2.0)) == pytest.approx(1000.0)
    assert Estimates(store.records, "cpu")(Flat(name="new")) is None
    store.append(TrialRecord(Part(name="v"), "ok", seconds=9000.0, device="h200", concurrent_trials=2))
    assert Estimates(store.records, "h200")(Part(name="new", size=2.0)) == pytest.approx(1000.0)


def test_trials_of_the_same_kind_predict_before_others_of_their_class(tmp_path):
    own, others = store_in(tmp_path / "own"), store_in(tmp_path / "others")
    own.append(TrialRecord(Part(name="x", size=1.0), "ok", seconds=2.0, device="cpu"))
    own.append(TrialRecord(Total(name="t", parts=(Part(name="x"),)), "ok", seconds=5.0, device="cpu"))
    others.append(TrialRecord(Part(name="y", size=1.0), "ok", seconds=70.0, device="cpu"))
    estimates = Estimates(own.records, "cpu", others.records)
    assert estimates(Part(name="x", size=3.0)) == pytest.approx(6.0)
    assert estimates(Part(name="y", size=3.0)) == pytest.approx(210.0)  # another run, but the same settings
    assert estimates(Part(name="z", size=3.0)) == pytest.approx(6.0)
    assert estimates(Total(name="t", parts=(Part(name="y"),))) == pytest.approx(5.0)
    estimates.add(TrialRecord(Total(name="t", parts=(Part(name="y"),)), "ok", seconds=40.0, device="cpu"))
    assert [estimates(Total(name="t", parts=(Part(name=name),))) for name in "xy"] == pytest.approx([5.0, 40.0])
    assert estimates(Total(name="t", parts=(Part(name="z"),))) == pytest.approx(22.5)


def test_a_class_without_finished_trials_takes_the_factor_of_its_formula(tmp_path):
    store = store_in(tmp_path)
    store.append(TrialRecord(Part(name="x", size=2.0), "ok", seconds=10.0, device="cpu"))
    estimates = Estimates(store.records, "cpu")
    assert estimates(Total(name="new", parts=(), size=3.0)) == pytest.approx(15.0)  # Part defines the cost of both
    store.append(TrialRecord(Total(name="t", parts=()), "ok", seconds=1.0, device="cpu"))
    assert Estimates(store.records, "cpu")(Total(name="new", parts=(), size=3.0)) == pytest.approx(3.0)


def test_other_runs_predict_only_classes_that_the_run_has_not_finished(tmp_path):
    own, others = store_in(tmp_path / "own"), store_in(tmp_path / "others")
    own.append(TrialRecord(Part(name="x", size=1.0), "ok", seconds=2.0, device="cpu"))
    for trial in (Part(name="y", size=1.0), Total(name="t", parts=())):
        others.append(TrialRecord(trial, "ok", seconds=500.0, device="cpu"))
    estimates = Estimates(own.records, "cpu", others.records)
    assert estimates(Part(name="new", size=2.0)) == pytest.approx(4.0)
    assert estimates(Total(name="new", parts=())) == pytest.approx(500.0)
    estimates.add(TrialRecord(Total(name="u", parts=()), "ok", seconds=3.0, device="cpu"))
    assert estimates(Total(name="new", parts=())) == pytest.approx(3.0)
    assert Estimates((), "h200", others.records)(Part(name="new")) is None


def test_a_real_budget_is_kept(tmp_path):
    progress = go([A, B], tmp_path, budget=Budget(0.0))
    assert names(progress.not_started) == ["a", "bb"]
    assert go([A, B], tmp_path, budget=Budget(60.0)).finished == 2
