"""Where trials run, over random machines and orders: never too many on a device, and nothing beside what has it for itself."""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st

from myths.lab.execution.places import Machine, Places
from myths.lab.trial import Trial


@dataclass(frozen=True, kw_only=True)
class Plain(Trial):
    name: int = 0


@dataclass(frozen=True, kw_only=True)
class Timed(Plain):
    """Has its device for itself."""

    exclusive: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class TimedWithCpu(Timed):
    """Has the machine for itself."""

    whole_machine: ClassVar[bool] = True


KINDS = (Plain, Timed, TimedWithCpu)
HOSTS = ("one", "other")


@st.composite
def machines(draw):
    n = draw(st.integers(1, 3))
    shape = st.tuples(st.integers(1, 3), st.integers(1, 3), st.sampled_from(HOSTS))
    shapes = [draw(shape) for _ in range(n)]
    return [Machine(f"m{i}", devices, slots, 8, "h100", host) for i, (devices, slots, host) in enumerate(shapes)]


def possible(machine: Machine, running: list, kind: type[Trial], alone: bool) -> bool:
    """Whether a trial may start on a machine, by the rule as the manual says it."""
    here = [place for place in running if place.machine == machine]
    whole = alone or kind is TimedWithCpu
    if any(p.span == "machine" for p in here) or (whole and here):
        return False
    on_device = [[p for p in here if p.device == device] for device in range(machine.devices)]
    if kind is Timed and not whole:
        return any(not places for places in on_device)
    return whole or any(len(p) < machine.slots and not any(isinstance(q.trial, Timed) for q in p) for p in on_device)


@settings(max_examples=80, deadline=None)
@given(machines(), st.sampled_from([None, *HOSTS]), st.data())
def test_a_trial_starts_wherever_the_rule_allows_it_and_nowhere_else(made, timed, data):
    places = Places(made, None if timed is None else ("h100", timed))
    running: list = []
    for name in range(data.draw(st.integers(1, 25))):
        if running and data.draw(st.booleans()):
            places.release(running.pop(data.draw(st.integers(0, len(running) - 1))))
        kind, alone = data.draw(st.sampled_from(KINDS)), data.draw(st.booleans()) and data.draw(st.booleans())
        usable = [m for m in made if kind is Plain or timed in (None, m.host)]
        place = places.find(kind(name=name), alone)
        assert (place is not None) == any(possible(m, running, kind, alone) for m in usable)
        if place is None:
            continue
        assert place.machine in usable
        assert possible(place.machine, running, kind, alone)
        beside = [p for p in running if (p.machine, p.device) == (place.machine, place.device)]
        assert len(beside) == 0 if kind is not Plain or alone else len(beside) < place.machine.slots
        places.take(place)
        running.append(place)
        assert all(p.concurrent_trials >= len(beside) for p in (*beside, place))


def test_trials_spread_over_machines_and_devices():
    places = Places([Machine("a", devices=2, slots=2, cores=8), Machine("b", devices=2, slots=2, cores=8)])
    taken = []
    for name in range(8):
        place = places.find(Plain(name=name))
        assert place is not None
        places.take(place)
        taken.append((place.machine.name, place.device))
    assert places.find(Plain(name=9)) is None
    assert Counter(taken[:4]) == Counter({("a", 0): 1, ("a", 1): 1, ("b", 0): 1, ("b", 1): 1})
    assert set(Counter(taken).values()) == {2}


def test_the_cores_are_shared_and_a_retry_alone_computes_with_as_many_threads():
    machine = Machine("m", devices=2, slots=2, cores=8)
    places = Places([machine])
    threads = {(kind, alone): places.find(kind(), alone).threads for kind in KINDS for alone in (False, True)}
    assert threads == {
        (Plain, False): 2, (Plain, True): 2, (Timed, False): 4, (Timed, True): 4, (TimedWithCpu, False): 8, (TimedWithCpu, True): 8,
    }  # fmt: skip


def test_a_machine_that_is_lost_takes_no_trial_and_what_ran_there_can_still_be_released():
    one, other = Machine("one"), Machine("other")
    places = Places([one, other])
    first, second = places.find(Plain(name=1)), None
    places.take(first)
    places.update([other])
    second = places.find(Plain(name=2))
    assert second.machine == other
    places.take(second)
    assert places.find(Plain(name=3)) is None
    places.release(first)
    places.update([other, Machine("new", slots=2)])
    assert {places.find(Plain(name=4)).machine.name, places.slots} == {"new", 3}


def test_a_machine_that_is_lost_and_comes_back_still_runs_what_it_ran():
    places = Places([Machine("one", slots=2)])
    slow, timed = places.find(Plain(name=1)), Timed(name=2)
    places.take(slow)
    places.update([])
    assert places.find(Plain(name=3)) is None
    places.update([Machine("one", slots=2)])
    assert places.find(timed) is None
    second = places.find(Plain(name=4))
    places.take(second)
    assert places.find(Plain(name=5)) is None
    places.release(slow)
    places.release(second)
    assert places.find(timed) is not None
