"""Shards: every trial in exactly one, with what it depends on, of about equal length, the same on every machine."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myths.lab.errors import UsageError
from myths.lab.execution import session
from myths.lab.execution.shards import Shard
from myths.lab.storage.run_folder import RunFolder
from tests.lab.test_runner import Part, Total


@st.composite
def requests(draw):
    """Trials of two myths, some of which depend on others."""
    parts = [Part(name=f"p{i}", size=draw(st.floats(0.1, 10))) for i in range(draw(st.integers(1, 6)))]
    totals = [
        Total(name=f"t{i}", size=draw(st.floats(0.1, 10)), parts=tuple(draw(st.lists(st.sampled_from(parts), max_size=3, unique=True))))
        for i in range(draw(st.integers(0, 8)))
    ]
    return {"one": draw(st.permutations([*parts, *totals])), "two": [Part(name=f"q{i}") for i in range(draw(st.integers(0, 4)))]}


def cost(trial):
    return trial.relative_cost


@settings(deadline=None)
@given(requests(), st.integers(1, 9))
def test_shards_are_a_partition_that_does_not_depend_on_order(listed, count):
    shards = [Shard(index, count).of(listed, cost) for index in range(1, count + 1)]
    for name, trials in listed.items():
        found = [trial.id for shard in shards for trial in shard.get(name, [])]
        assert sorted(found) == sorted({trial.id for trial in trials})
        for shard in shards:
            assert [t for t in trials if t in shard.get(name, [])] == shard.get(name, [])  # in the order of the profile
    backwards = {name: trials[::-1] for name, trials in reversed(listed.items())}
    for index, shard in enumerate(shards, start=1):
        again = Shard(index, count).of(backwards, cost)
        assert {t.id for ts in again.values() for t in ts} == {t.id for ts in shard.values() for t in ts}


def test_shards_are_about_equally_long():
    listed = {"one": [Part(name=str(i), size=float(1 + i % 7)) for i in range(200)]}
    loads = [sum(t.size for t in Shard(index, 8).of(listed, cost)["one"]) for index in range(1, 9)]
    assert max(loads) - min(loads) <= 1.0


def test_a_trial_that_takes_no_time_costs_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(session.runner, "Estimates", lambda *of: lambda trial: {"short": 0.0, "long": 9.0}.get(trial.name))
    cost = session._shard_cost(session.RunRequest(myths=[], profile="quick", run=RunFolder(tmp_path), device="cpu"))
    assert [cost(Part(name=name, size=4.0)) for name in ("short", "long", "unknown")] == [0.0, 9.0, 4.0]


def test_what_shares_an_expensive_dependency_stays_together_where_that_is_shorter():
    shared = Part(name="shared", size=100.0)
    listed = {"one": [*(Total(name=f"a{i}", parts=(shared,)) for i in range(3)), Part(name="b", size=50.0)]}
    first, second = ({t.name for t in Shard(index, 2).of(listed, cost)["one"]} for index in (1, 2))
    assert (first, second) == ({"a0", "a1", "a2"}, {"b"})


@pytest.mark.parametrize("text", ["", "3", "0/2", "3/2", "-1/2", "1/0", "a/b", "1/2/3", "1.0/2"])
def test_what_names_no_shard_is_refused(text):
    with pytest.raises(UsageError, match="expected K/N with K from 1 to N"):
        Shard.parse(text)


def test_a_shard_is_read_as_it_is_printed():
    assert Shard.parse(" 3/8 ") == Shard(3, 8)
    assert str(Shard(3, 8)) == "3/8"
