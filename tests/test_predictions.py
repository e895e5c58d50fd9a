"""Durations that --dry-run predicts from the published runs of this machine class, and those that were measured."""

from functools import cache
from pathlib import Path

import pytest

from myths import suite
from myths.lab.execution.runner import Estimates
from myths.lab.storage.run_folder import RunFolder
from myths.lab.trial import dependencies_first

PUBLISHED = Path(__file__).parents[1] / "results" / "published"
QUICK = {"forgetting": 43.1, "saliency": 21.4, "wiring": 35.0}
"""Processor seconds of the trials of the profile quick, one after another in one thread, measured on two busy virtual cores."""
FACTOR = 1.5


@cache
def records(name):
    """The trials of a myth that CPUs finished."""
    myth = suite.find(name)
    runs = [run for path in sorted(PUBLISHED.glob("cpu-*")) if (run := RunFolder(path)).has_results(myth)]
    return [record for run in runs for record in run.store(myth).records if record.status == "ok"]


@pytest.mark.parametrize("name", QUICK)
def test_the_time_of_small_images_is_predicted_from_larger_ones(name):
    predict = Estimates((), "cpu", records(name))
    trials = dependencies_first(suite.find(name).trials("quick", None, ()))
    assert QUICK[name] / FACTOR < sum(predict(trial) for trial in trials) < QUICK[name] * FACTOR


def test_an_attack_that_stops_early_is_predicted_from_attacks_that_do_not():
    stopped = next(record for record in records("saliency") if record.trial.id == "fe77c5542752")
    predict = Estimates((), "cpu", [record for record in records("saliency") if record is not stopped])
    assert stopped.seconds / FACTOR < predict(stopped.trial) < stopped.seconds * FACTOR


def test_no_trial_of_a_night_on_photographs_takes_more_than_an_hour():
    predict = Estimates((), "cpu", records("saliency"))
    assert max(predict(trial) for trial in dependencies_first(suite.find("saliency").trials("overnight", None, ()))) < 3600
