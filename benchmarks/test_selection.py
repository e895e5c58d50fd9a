"""Every trial that a claim chooses from the published run is dropped once: some three minutes. See tests/test_selection.py."""

from collections import Counter

import pytest

from tests.chosen import PARTNERS, chosen, idle, measured, records


@pytest.mark.benchmark(group="selection")
def test_every_chosen_trial_is_missed(benchmark):
    def drop_each() -> Counter:
        found = [
            (claim.id, identity, myth) for myth, claim, _ in measured() for identity in chosen(myth, claim) if idle(myth, claim, identity)
        ]
        return Counter(type(records(myth)[identity].trial).__name__ for _, identity, myth in found)

    found = benchmark.pedantic(drop_each, rounds=1)
    assert found.keys() <= PARTNERS.keys(), found
