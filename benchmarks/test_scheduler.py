"""Time to plan, run and read 1,000, 10,000 and 100,000 empty trials, without the store's fsync.

A tenth of the trials are dependencies of the others. With a linear scheduler, ten times as many trials take ten times as long.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from myths import cli, compare, show, suite
from myths.lab.analysis import analyze
from myths.lab.claim import Claim
from myths.lab.criterion import at_least
from myths.lab.execution import runner, selection
from myths.lab.execution.executors import Execution, SerialExecutor
from myths.lab.execution.session import RunRequest
from myths.lab.report import site
from myths.lab.storage.store import Results, Store
from myths.lab.trial import Outcome, Trial
from tests.lab.report.coin import COIN, Toss, make_run

SIZES = [1_000, 10_000, 100_000]


@dataclass(frozen=True, kw_only=True)
class Base(Trial):
    """An empty trial that others depend on."""

    seed: int


@dataclass(frozen=True, kw_only=True)
class Nothing(Trial):
    """An empty trial with a dependency."""

    seed: int
    base: Base


TYPES = {kind.__name__: kind for kind in (Base, Nothing)}
CLAIM = Claim(
    id="C", kind="effect", statement="", source="", paper=None, paper_value_source="computed", table="t", trial=Nothing,
    measure=lambda rows: None, criterion=at_least(0), primary=True, needs=({"seed": lambda seed: seed % 7 == 0},),
)  # fmt: skip


def trials(n: int) -> list[Trial]:
    bases = [Base(seed=i) for i in range(n // 10)]
    return [Nothing(seed=i, base=bases[i % len(bases)]) for i in range(n - len(bases))]


def no_hash(name: str) -> None:
    return None


def through(listed: list[Trial], store: Store) -> runner.Progress:
    plan = runner.plan(listed, store, no_hash)
    urgent = selection.most_urgent([CLAIM], plan.in_state("pending"))
    done = Execution(Outcome([{"n": 1}]), 0.0, 0)
    executor = SerialExecutor(lambda trial, context: done)
    (progress,) = runner.run_queue([runner.MythTrials(plan, store, urgent)], runner.Invocation("cpu", no_hash, "i"), executor=executor)
    return progress


@pytest.fixture
def no_fsync(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.benchmark(group="scheduler")
def test_run(benchmark, tmp_path, no_fsync, n):
    """Plan, run and store all trials."""
    progress = benchmark.pedantic(lambda: through(trials(n), Store(tmp_path, TYPES)), rounds=1)
    assert progress.finished == n


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.benchmark(group="scheduler")
def test_read_and_plan_again(benchmark, tmp_path, no_fsync, n):
    """Read the store, plan the finished trials and build a frame, as ``--dry-run``, a second ``myths run`` and tables do."""
    through(trials(n), Store(tmp_path, TYPES))

    def again() -> int:
        store = Store(Path(tmp_path), TYPES)
        plan = runner.plan(trials(n), store, no_hash)
        estimate = runner.Estimates(store.records, "cpu")
        assert all(estimate(step.trial) is not None for step in plan.steps)
        return len(plan.in_state("done")) + len(Results(store.records).frame(Nothing))

    assert benchmark.pedantic(again, rounds=1) == n + n - n // 10


# --- commands, on a run of one myth --------------------------------------------------------------

COMMANDS = {
    "list": lambda myth, one, other, request: cli._print_summaries(),
    "show": lambda myth, one, other, request: show.show_myth(myth, cli.terminal, False),
    "derive": lambda myth, one, other, request: analyze(myth, one),
    "report": lambda myth, one, other, request: site.build([analyze(myth, one)], one.path / "report", (myth,)),
    "compare": lambda myth, one, other, request: compare.compare_runs(one, other),
    "dry-run --json": lambda myth, one, other, request: cli._print_plan(request, True),
    "dry-run": lambda myth, one, other, request: cli._print_plan(request, False),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("n", SIZES[:2])
@pytest.mark.benchmark(group="commands")
def test_command(benchmark, tmp_path, monkeypatch, no_fsync, n, command):
    """Run a command on a run with n finished trials. ``--dry-run`` plans n more."""
    tosses = [Toss(coin="ducat", times=10_000, seed=seed) for seed in range(2 * n)]
    myth = replace(COIN, trials=lambda profile, seeds, data: tosses)
    monkeypatch.setattr(suite, "MYTHS", (myth,))
    monkeypatch.setattr(suite, "LOCAL", tmp_path)
    heads = {"ducat": [4900 + 37 * seed % 200 for seed in range(n)]}
    one, other = (make_run(tmp_path / name, heads=heads, myth=myth) for name in ("one", "other"))
    request = RunRequest(myths=[myth], profile="quick", run=one, device="cpu")
    benchmark.pedantic(lambda: COMMANDS[command](myth, one, other, request), rounds=1)
