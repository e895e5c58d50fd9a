"""The profile for a GPU, rehearsed on the CPU: every kind of its trials runs with the same settings but small sizes."""

import dataclasses

import pytest

from myths import suite
from myths.lab.data import prepared
from myths.lab.execution import runner
from myths.lab.storage.store import Store
from myths.lab.trial import Trial
from myths.wiring.trials import CorrelateTransitions, LocateTransition, TrainWirings

SMALL = {
    "sweeps": 100, "chains": 8, "nodes": 64, "resamples": 25, "draws": 20, "graphs": 2, "wirings": 10, "first": 0, "epochs": 1.0,
    "train_examples": 256, "most_edges": 5, "stem": 64, "degree": 4.0,
}  # fmt: skip


def small(trial):
    """The trial with small sizes: parts of one sample become one part, and images become digits."""
    settings = {name: value for name, value in SMALL.items() if hasattr(trial, name)}
    if type(trial) is CorrelateTransitions:
        settings = {"resamples": 25, "sampled": (dataclasses.replace(small(trial.sampled[0]), wirings=20),)}
    if type(trial) is TrainWirings:
        settings |= {"dataset": "digits", "nodes": 16}
    if trial.data and type(trial) is not TrainWirings:
        pytest.fail(f"{trial} reads {trial.data}")
    fields = {field.name for field in dataclasses.fields(trial)}
    if "nodes" in fields and type(trial) not in (LocateTransition, TrainWirings):
        settings.pop("nodes")
    return dataclasses.replace(trial, **{name: value for name, value in settings.items() if name in fields})


def test_the_gpu_profile_runs_on_the_cpu_with_small_sizes(tmp_path):
    wiring = suite.find("wiring")
    listed = wiring.trials("gpu", 1, ())
    assert {TrainWirings, LocateTransition, CorrelateTransitions} <= {type(trial) for trial in listed}
    rehearsed: list[Trial] = list({trial.id: trial for trial in map(small, listed)}.values())
    store = Store(tmp_path, wiring.types_by_name)
    plan = runner.plan(rehearsed, store, prepared.sha256_of)
    assert runner.run(plan, store, runner.Invocation("cpu", prepared.sha256_of, "test")).failed == []
    assert {str(type(trial)) for trial in listed} <= {str(type(record.trial)) for record in store.records}
