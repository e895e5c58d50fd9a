"""Drop each trial that a published claim selects, or names, once; one minute per test.

The short forms are tests/test_selection.py and tests/test_traces.py.
"""

import pytest

from tests.chosen import H200, LAPTOP, chosen, excused, idle, measured, named, records


@pytest.mark.benchmark(group="selection")
def test_every_chosen_trial_is_missed_but_those_that_are_excused(benchmark):
    def drop_each() -> dict[str, list[str]]:
        found: dict[str, list[str]] = {"idle": [], "excused": [], "dropped": []}
        for myth, claim, _ in measured():
            for identity in sorted(chosen(myth, claim)):
                trial = records(myth)[identity].trial
                found["dropped"].append(f"{claim.id} {trial}")
                if idle(myth, claim, identity, chosen(myth, claim)):
                    found["idle"].append(f"{claim.id} {trial}")
                if excused(claim, trial):
                    found["excused"].append(f"{claim.id} {trial}")
        return found

    found = benchmark.pedantic(drop_each, rounds=1)
    benchmark.extra_info.update({name: len(trials) for name, trials in found.items()})
    assert found["idle"] == found["excused"]
    assert len(found["dropped"]) > 1500


@pytest.mark.benchmark(group="selection")
def test_every_named_trial_is_missed(benchmark):
    def drop_each() -> dict[str, list[str]]:
        found: dict[str, list[str]] = {"idle": [], "dropped": []}
        for run in (LAPTOP, H200):
            for myth, claim, _ in measured(run):
                for identity in sorted(ids := named(myth, claim, run)):
                    found["dropped"].append(f"{claim.id} {identity}")
                    if idle(myth, claim, identity, ids, run):
                        found["idle"].append(f"{claim.id} {identity}")
        return found

    found = benchmark.pedantic(drop_each, rounds=1)
    benchmark.extra_info.update({name: len(trials) for name, trials in found.items()})
    assert found["idle"] == []
    assert len(found["dropped"]) > 1700
