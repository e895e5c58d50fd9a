"""Every trial that a claim chooses from the published run is dropped once: about a minute. See tests/test_selection.py."""

import pytest

from tests.chosen import chosen, excused, idle, measured, records


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
