"""Identity: equal settings have equal ids, whatever the types they were written in; and back again."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myths.lab.errors import UsageError
from myths.lab.trial import Context, Outcome, Trial, canonical, decode, from_settings, least_faithful


@dataclass(frozen=True, kw_only=True)
class Toss(Trial):
    bias: float
    order: Literal["first", "second"] = "first"
    seed: int = 0
    tags: tuple[str, ...] = ()

    def run(self, context: Context) -> Outcome:
        return Outcome(rows=[{"heads": float(context.rng("toss").random()) < self.bias}])


@dataclass(frozen=True, kw_only=True)
class Tally(Trial):
    tosses: tuple[Toss, ...]
    best: Toss | None = None


@dataclass(frozen=True, kw_only=True)
class Newer(Toss):
    version: ClassVar[int] = 2
    extra: str = field(default="none")


TYPES = {kind.__name__: kind for kind in (Toss, Tally, Newer)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"bias": 1}, {"bias": 1.0}),
        ({"bias": 0.1 + 0.2}, {"bias": 0.3}),
        ({"bias": np.float32(0.5)}, {"bias": 0.5}),
        ({"bias": 0.5, "seed": np.int64(3)}, {"bias": 0.5, "seed": 3}),
        ({"bias": 0.5, "order": "first"}, {"bias": 0.5}),
        ({"bias": 0.5, "tags": ["a"]}, {"bias": 0.5, "tags": ("a",)}),
    ],
)
def test_equal_settings_have_equal_ids(one, other):
    assert from_settings(Toss, one).id == from_settings(Toss, other).id


def test_ids_without_build_coerce_too():
    assert Toss(bias=1).id == Toss(bias=1.0).id
    assert Toss(bias=0.1 + 0.2).id == Toss(bias=0.3).id


@given(st.floats(-10, 10), st.floats(-10, 10), st.integers(0, 5), st.integers(0, 5))
def test_different_settings_have_different_ids(a, b, s, t):
    same = float(f"{a:.12g}") == float(f"{b:.12g}") and s == t
    assert (Toss(bias=a, seed=s).id == Toss(bias=b, seed=t).id) == same


def test_a_default_written_another_way_is_the_default():
    @dataclass(frozen=True, kw_only=True)
    class Third(Trial):
        part: float = 1 / 3
        whole: float = 1
        names: tuple[str, ...] = ()

    assert Third(part=1 / 3, whole=1.0, names=[]).id == Third().id
    assert Third(part=0.1 + 0.2 + 1 / 30).id == Third().id


def test_trials_in_a_list_are_dependencies_too():
    assert Tally(tosses=[Toss(bias=0.5)]).dependencies == (Toss(bias=0.5),)


def test_a_new_field_with_a_default_changes_no_id():
    @dataclass(frozen=True, kw_only=True)
    class Toss(Trial):
        bias: float
        order: Literal["first", "second"] = "first"
        seed: int = 0
        tags: tuple[str, ...] = ()
        added_later: int = 7

    assert Toss(bias=0.5).id == globals()["Toss"](bias=0.5).id


def test_class_and_version_are_part_of_the_identity():
    assert len({Toss(bias=0.5).id, Newer(bias=0.5).id}) == 2


@given(st.lists(st.builds(Toss, bias=st.floats(0, 1), seed=st.integers(0, 9), tags=st.tuples(st.text(max_size=3))), max_size=3))
def test_a_record_decodes_into_the_trial_that_made_it(tosses):
    trial = Tally(tosses=tuple(tosses), best=tosses[0] if tosses else None)
    again = decode(canonical(trial), TYPES)
    assert again.id == trial.id
    assert again.dependencies == tuple(decode(canonical(t), TYPES) for t in trial.dependencies)


def test_another_version_does_not_decode():
    record = canonical(Newer(bias=0.5)) | {"version": 1}
    with pytest.raises(ValueError, match="at version 2"):
        decode(record, TYPES)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bias": 0.5, "sed": 1}, "no setting 'sed'"),
        ({}, "requires bias"),
        ({"bias": "much"}, "Invalid bias=much"),
        ({"bias": 0.5, "order": "third"}, "one of first, second"),
        ({"bias": 0.5, "seed": 1.5}, "seed=1.5"),
        ({"bias": True}, "bias=True"),
    ],
)
def test_a_wrong_setting_is_named(given, message):
    with pytest.raises(UsageError, match=message):
        from_settings(Toss, given)


def test_settings_from_the_command_line_are_words():
    assert from_settings(Toss, {"bias": "0.5", "seed": "3", "tags": "a,b", "order": "second"}) == Toss(
        bias=0.5, seed=3, tags=("a", "b"), order="second"
    )


def test_random_streams_depend_on_seed_and_axis_only():
    one, other = Context(Toss(bias=0.1, seed=4)), Context(Toss(bias=0.9, seed=4))
    assert one.rng("order").random() == other.rng("order").random()
    assert one.rng("order").random() != one.rng("augment").random()
    assert one.rng("order").random() != Context(Toss(bias=0.1, seed=5)).rng("order").random()


def test_seeded_restores_the_global_generator():
    import torch

    before = torch.get_rng_state()
    with Context(Toss(bias=0.1, seed=4)).seed_torch("init"):
        first = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    with Context(Toss(bias=0.2, seed=4)).seed_torch("init"):
        assert torch.equal(torch.rand(3), first)


def test_the_weakest_protocol_counts():
    assert least_faithful(["paper", "reduced"]) == "reduced"
    assert least_faithful(["stand-in", "paper"]) == "stand-in"
