"""Trials run as a run does it, in this process."""

from collections.abc import Iterable

from myths.lab.data import prepared
from myths.lab.execution import runner
from myths.lab.storage.store import Store
from myths.lab.trial import Trial


def run_all(trials: Iterable[Trial], store: Store) -> None:
    """Run trials and what they depend on. None may fail."""
    plan = runner.plan(trials, store, prepared.sha256_of)
    assert runner.run(plan, store, runner.Invocation("cpu", prepared.sha256_of, "test")).failed == []
