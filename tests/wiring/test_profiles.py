"""The profile for a GPU, rehearsed on the CPU: what it samples and trains runs with the same settings but small sizes."""

import dataclasses

from myths import suite
from myths.lab.data import prepared
from myths.lab.execution import runner
from myths.lab.storage.store import Store
from myths.wiring.trials import CheckSampler, CorrelateTransitions, LocateTransition, SampleWirings, TrainWirings

SMALL = {
    CheckSampler: {"graphs": 1, "chains": 8, "sweeps": 20},
    LocateTransition: {"nodes": 64, "chains": 1, "sweeps": 20},
    SampleWirings: {"wirings": 20, "first": 0, "sweeps": 100},
    TrainWirings: {"dataset": "digits", "nodes": 16, "degree": 4, "stem": 32, "graphs": 2, "epochs": 1, "train_examples": 256},
}


def small(trial):
    """The trial with small sizes: the parts of a sample become one part, and images become digits."""
    if type(trial) is CorrelateTransitions:
        return dataclasses.replace(trial, resamples=25, sampled=(small(trial.sampled[0]),))
    return dataclasses.replace(trial, **SMALL[type(trial)])


def test_what_the_gpu_profile_samples_and_trains_runs_on_the_cpu_with_small_sizes(tmp_path):
    wiring = suite.find("wiring")
    listed = [trial for trial in wiring.trials("gpu", 1, ()) if type(trial) in (*SMALL, CorrelateTransitions)]
    assert {type(trial) for trial in listed} == {*SMALL, CorrelateTransitions}
    assert {trial.states for trial in listed if type(trial) is CorrelateTransitions} == {2, 3, 4}
    rehearsed = list({trial.id: trial for trial in map(small, listed)}.values())
    store = Store(tmp_path, wiring.types_by_name)
    plan = runner.plan(rehearsed, store, prepared.sha256_of)
    assert runner.run(plan, store, runner.Invocation("cpu", prepared.sha256_of, "test")).failed == []
    assert {trial.id for trial in rehearsed} == {record.trial.id for record in store.records}
