"""The order of trials, over random graphs: valid, each once, nothing that is not admitted, primary chains first."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st

from myths.lab.execution import runner
from myths.lab.execution.executors import Execution, is_exclusive
from myths.lab.execution.queue import Queue
from myths.lab.execution.runner import Budget, MythTrials, Plan, PlannedTrial
from myths.lab.storage.store import Store, TrialRecord
from myths.lab.trial import Context, Outcome, Trial, dependencies_first


@dataclass(frozen=True, kw_only=True)
class Node(Trial):
    name: int
    after: tuple[Trial, ...] = ()
    seconds: float = 1.0

    @property
    def relative_cost(self) -> float:
        return self.seconds


@dataclass(frozen=True, kw_only=True)
class Lonely(Node):
    exclusive: ClassVar[bool] = True


TYPES = {kind.__name__: kind for kind in (Node, Lonely)}


@st.composite
def graphs(draw, largest=14):
    """Trials in an order in which each depends on some before it."""
    trials: list[Node] = []
    for name in range(draw(st.integers(1, largest))):
        after = draw(st.lists(st.sampled_from(trials), max_size=3, unique=True)) if trials else []
        kind = draw(st.sampled_from([Node, Node, Node, Lonely]))
        trials.append(kind(name=name, after=tuple(after), seconds=draw(st.sampled_from([0.5, 1.0, 3.0]))))
    return trials


@dataclass
class Pretend:
    """An executor that runs nothing: trials end in the order of their seconds, fail, die or overrun as told."""

    max_workers: int
    fails: set[int] = field(default_factory=set)
    dies: set[int] = field(default_factory=set)
    overruns: set[int] = field(default_factory=set)
    loses: dict[int, int] = field(default_factory=dict)
    """How often the node of a trial is lost."""
    held: list[Trial] = field(default_factory=list)
    started: list[Trial] = field(default_factory=list)
    beside: list[int] = field(default_factory=list)
    alone: Trial | None = None

    def accepts(self, trial: Trial, alone: bool = False) -> bool:
        if any(is_exclusive(held) for held in self.held) or self.alone in self.held:
            return False
        return not self.held if is_exclusive(trial) or alone else len(self.held) < self.max_workers

    def submit(self, trial: Trial, context: Context, alone: bool = False) -> None:
        assert self.accepts(trial, alone), "started though it was not admitted"
        self.alone = trial if alone else None
        self.held.append(trial)
        self.started.append(trial)
        self.beside.append(len(self.held) - 1)

    def wait_any(self, seconds=None) -> tuple[Trial, Execution]:
        trial = min(self.held, key=lambda held: held.seconds)
        self.held.remove(trial)
        if sum(started.name == trial.name for started in self.started) <= self.loses.get(trial.name, 0):
            return trial, Execution(None, 1.0, 0, "the node that ran the trial was lost", lost=True)
        if trial.name in self.overruns:
            return trial, Execution(None, 1.0, 0, stopped=True)
        if trial.name in self.dies:
            return trial, Execution(None, 1.0, 0, "the worker process was ended by SIGSEGV", crashed=True)
        return trial, Execution(Outcome([{"n": 1}]), 1.0, 0, "ValueError: no" if trial.name in self.fails else None)


class Memory(Store):
    """A store that keeps records in memory only."""

    def append(self, record: TrialRecord, arrays=None) -> TrialRecord:
        self._keep(record)
        return record


def through(executor: Pretend, *parts: list[Trial], urgent=((), ()), budget=None):
    stores = [Memory(Path("nowhere"), TYPES) for _ in parts]
    planned = [Plan(tuple(PlannedTrial(t, "pending") for t in dependencies_first(trials))) for trials in parts]
    return runner.run_queue(
        [MythTrials(plan, store, wanted) for plan, store, wanted in zip(planned, stores, urgent, strict=False)],
        runner.Invocation("cpu", lambda name: None, "i"), executor=executor, budget=budget,
    ), stores  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(graphs(), graphs(), st.integers(1, 4), st.data())
def test_every_trial_runs_once_after_what_it_depends_on_and_only_when_admitted(one, other, jobs, data):
    executor = Pretend(jobs)
    urgent = (data.draw(st.lists(st.sampled_from(one), unique=True)), ())
    (first, second), stores = through(executor, one, other, urgent=urgent)
    assert first.finished + second.finished == len(executor.started) == len(one) + len(other)
    for store, trials in zip(stores, (one, other), strict=True):
        ended = [record.trial.id for record in store.records]
        assert sorted(ended) == sorted({t.id for t in trials})
        assert all(ended.index(d.id) < ended.index(t.id) for t in trials for d in t.dependencies)


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(1, 4), st.data())
def test_failures_deaths_and_overruns_cost_what_depends_on_them_and_nothing_else(trials, jobs, data):
    names = st.sets(st.sampled_from([t.name for t in trials]), max_size=3)
    executor = Pretend(jobs, fails=data.draw(names), dies=data.draw(names), overruns=data.draw(names))
    (progress,), (store,) = through(executor, trials, budget=Budget(1e9))
    settled = [
        [t.name for t, _ in progress.failed], [t.name for t, _ in progress.skipped_dependents], [t.name for t in progress.not_started],
        [t.name for t in progress.stopped], [r.trial.name for r in store.records if r.status == "ok"],
    ]  # fmt: skip
    assert sorted(itertools.chain(*settled)) == [t.name for t in trials]  # each in exactly one of them
    bad = executor.fails | executor.dies | executor.overruns
    hindered: set[int] = set()
    for trial in trials:
        if trial.name in bad or any(d.name in hindered for d in trial.dependencies):
            hindered.add(trial.name)
    assert {t.name for t in trials} - set(settled[4]) == hindered
    for trial in trials:
        tries = [started for started in executor.started if started.name == trial.name]
        died = trial.name in executor.dies - executor.overruns and trial.name in {t.name for t, _ in progress.failed}
        assert len(tries) == (
            2 if died else trial.name not in {t.name for t in progress.not_started} | {t.name for t, _ in progress.skipped_dependents}
        )
        if died:
            again = [place for place, started in enumerate(executor.started) if started.name == trial.name][1]
            assert executor.beside[again] == 0


@settings(max_examples=50, deadline=None)
@given(graphs(), st.data())
def test_one_at_a_time_each_deciding_chain_is_finished_before_the_next_begins(trials, data):
    urgent = data.draw(st.lists(st.sampled_from(trials), unique=True))
    executor = Pretend(1)
    through(executor, trials, urgent=(urgent,))
    begun = [t.id for t in executor.started]
    expected = [t.id for t in dependencies_first(urgent)]
    assert begun[: len(expected)] == expected


@settings(max_examples=50, deadline=None)
@given(graphs(), st.integers(2, 4), st.data())
def test_nothing_begins_while_something_that_a_deciding_claim_waits_for_could(trials, jobs, data):
    urgent = data.draw(st.lists(st.sampled_from(trials), unique=True, min_size=1))
    wanted = {t.id for t in dependencies_first(urgent)}
    queue = Queue([(trials, urgent)], lambda trial: trial.relative_cost, True)
    running: list = []
    ended: set[str] = set()
    while queue or running:
        executor = Pretend(jobs, held=[e.trial for e in running])
        while (entry := queue.next(executor.accepts)) is not None:
            if entry.trial.id not in wanted:
                open_ = [t for t in trials if t.id in wanted and t.id not in ended and t.id not in {e.trial.id for e in running}]
                assert not any(all(d.id in ended for d in t.dependencies) for t in open_)
            running.append(entry)
            executor.held.append(entry.trial)
        done = running.pop(data.draw(st.integers(0, len(running) - 1)))
        ended.add(done.trial.id)
        queue.done(done)


def test_side_by_side_the_longest_chain_begins_first():
    short = [Node(name=i) for i in range(3)]
    head = Node(name=10)
    tail = Node(name=11, after=(head,), seconds=3.0)
    queue = Queue([([*short, head, tail], ())], lambda trial: trial.relative_cost, True)
    assert [queue.next(lambda t, alone: True).trial.name for _ in range(4)] == [10, 0, 1, 2]


def test_what_runs_alone_for_a_deciding_claim_is_not_overtaken_by_the_rest():
    rest, lonely = [Node(name=i) for i in range(3)], Lonely(name=9)
    executor = Pretend(2)
    through(executor, [*rest, lonely], urgent=((lonely,),))
    assert executor.started[0] == lonely


@settings(max_examples=40, deadline=None)
@given(graphs(), st.integers(1, 4), st.data())
def test_a_lost_node_costs_an_attempt_and_the_third_is_a_failure(trials, jobs, data):
    loses = {t.name: data.draw(st.integers(0, 4)) for t in trials}
    executor = Pretend(jobs, loses=loses)
    (progress,), (store,) = through(executor, trials)
    expected = {t.name for t in trials if loses[t.name] >= runner.MAX_ATTEMPTS}
    hindered: set[int] = set()
    for trial in trials:
        if trial.name in expected or any(d.name in hindered for d in trial.dependencies):
            hindered.add(trial.name)
    skipped = {t.name for t, _ in progress.skipped_dependents}
    assert {t.name for t, _ in progress.failed} == expected - skipped
    assert {r.trial.name for r in store.records if r.status == "ok"} == {t.name for t in trials} - hindered
    for record in store.records:
        tries = sum(started.name == record.trial.name for started in executor.started)
        assert tries == min(loses[record.trial.name] + 1, runner.MAX_ATTEMPTS)


def test_when_the_budget_ends_without_any_machine_left_what_waits_is_left_for_another_run():
    class Deserted(Pretend):
        def accepts(self, trial, alone=False):
            return False

        def wait_any(self, seconds=None):
            assert seconds is not None

    trials = [Node(name=i) for i in range(3)]
    (progress,), _ = through(Deserted(2), trials, budget=Budget(0.05))
    assert progress.not_started == trials
