"""--first-seed: a run of every myth with seeds of its own is the same experiment with other draws."""

from dataclasses import dataclass, replace

import pytest

from myths import suite
from myths.lab.errors import UsageError
from myths.lab.seeds import MAX_SEEDS, SEEDS_PER_RUN, check_seeds, is_first_seed, seeds_of, starting_at, without_seeds
from myths.lab.trial import Trial, dependencies_first

MYTHS = [pytest.param(myth, id=myth.name) for myth in suite.MYTHS]


@dataclass(frozen=True, kw_only=True)
class Draw(Trial):
    size: int = 1
    seed: int = 0
    label_seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Compare(Trial):
    draws: tuple[Draw, ...]
    baseline: Draw
    name: str = "seed"


@dataclass(frozen=True, kw_only=True)
class Table(Trial):
    rows: int = 3


def test_all_seeds_move_those_of_dependencies_and_defaults_too():
    draws = (Draw(seed=1), Draw(size=2, label_seed=4))
    moved = starting_at(1000)(Compare(draws=draws, baseline=draws[0]))
    first, second = Draw(seed=1001, label_seed=1000), Draw(size=2, seed=1000, label_seed=1004)
    assert moved == Compare(draws=(first, second), baseline=first)
    assert seeds_of(moved) == {1000, 1001, 1004}


def test_what_has_no_seed_stays_the_same_trial():
    assert starting_at(1000)(Table()).id == Table().id
    trial = Draw(seed=3)
    assert starting_at(0)(trial) is trial


def test_the_protocol_is_what_is_left_without_seeds():
    one = Compare(draws=(Draw(seed=1), Draw(seed=2)), baseline=Draw())
    assert without_seeds(one) == without_seeds(starting_at(7000)(one))
    assert without_seeds(one) != without_seeds(replace(one, baseline=Draw(size=2)))
    assert without_seeds(one) != without_seeds(replace(one, draws=one.draws[:1]))


@pytest.mark.parametrize("seed", [-1000, 1, 999, 1500, 10**9 + 1000])
def test_a_first_seed_that_might_share_seeds_is_refused(seed):
    with pytest.raises(UsageError, match=f"Invalid --first-seed {seed}: expected a multiple of 1000"):
        check_seeds(1, seed)


@pytest.mark.parametrize("seeds", [0, MAX_SEEDS + 1])
def test_more_seeds_than_a_run_has_are_refused(seeds):
    with pytest.raises(UsageError, match=f"Invalid seeds={seeds}: expected 1 to 500"):
        check_seeds(seeds, 0)
    assert 2 * MAX_SEEDS <= SEEDS_PER_RUN


SAMPLE = 60
"""Number of trials of a profile that are compared in full."""


@pytest.mark.parametrize("myth", MYTHS)
def test_a_run_with_another_first_seed_is_the_same_experiment_with_disjoint_seeds(myth):
    listed = list(myth.trials("gpu", 2, ()))
    move = starting_at(5 * SEEDS_PER_RUN)
    moved = [move(trial) for trial in listed]
    every = dependencies_first(listed)
    assert max((seed for trial in every for seed in own_seeds(trial)), default=0) < SEEDS_PER_RUN
    moved_every = dependencies_first(moved)
    assert min((seed for trial in moved_every for seed in own_seeds(trial)), default=SEEDS_PER_RUN) >= SEEDS_PER_RUN
    seeded = {trial.id for trial in moved_every if own_seeds(trial)}
    assert seeded.isdisjoint(trial.id for trial in every)
    step = 1 + len(listed) // SAMPLE
    for one, other in zip(listed[::step], moved[::step], strict=True):
        assert without_seeds(one) == without_seeds(other)
        assert one.protocol == other.protocol
        assert [claim.id for claim in myth.claims if claim.selects(one)] == [claim.id for claim in myth.claims if claim.selects(other)]


def own_seeds(trial):
    return [value for name, value in vars(trial).items() if name.endswith("seed")]


def test_the_first_seeds_of_all_runs_are_known():
    assert [seed for seed in range(2500) if is_first_seed(seed)] == [0, 1000, 2000]
