"""The stopwatch, against known sleeps and against a clock that the test moves.

A busy machine makes a sleep longer, never shorter: lower ends are tight, upper ends generous.
"""

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myths.lab.measurement import timing
from myths.lab.measurement.timing import Alternation, Stopwatch, Timing, TimingComparison, alternate, compare_timings


class Clock:
    """Moves only when a method works."""

    def __init__(self, monkeypatch) -> None:
        self.now = 10.0
        self.calls: list[str] = []
        monkeypatch.setattr(timing.time, "perf_counter", lambda: self.now)

    def method(self, name: str, *seconds: float):
        """A method whose calls take these seconds in turn, the last of them ever after."""
        left = list(seconds)

        def work() -> tuple[str, int]:
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]
            return name, self.calls.count(name)

        return work


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_a_stopwatch_measures_what_lies_inside():
    with Stopwatch() as stopwatch:
        time.sleep(0.02)
        assert stopwatch.elapsed >= 0.02
    inside = stopwatch.seconds
    assert 0.02 <= inside < 2
    time.sleep(0.01)
    assert stopwatch.seconds == inside


def test_a_stopwatch_stops_at_an_error():
    stopwatch = Stopwatch()
    with pytest.raises(ZeroDivisionError), stopwatch:
        time.sleep(0.01) or 1 / 0
    assert 0.01 <= stopwatch.seconds < 2


def test_a_stopwatch_waits_for_the_device_before_and_after(monkeypatch):
    waited = []
    monkeypatch.setattr(timing, "synchronize", waited.append)
    with Stopwatch("cuda:1"):
        waited.append("work")
    assert waited == ["cuda:1", "work", "cuda:1"]


def test_known_sleeps():
    compared = compare_timings({"short": lambda: time.sleep(0.002), "long": lambda: time.sleep(0.05)}, "cpu", repeats=7, warmup=1)
    short, long = compared.timings["short"], compared.timings["long"]
    assert (short.repeats, long.repeats) == (7, 7)
    assert 0.002 <= short.low_quartile <= short.median <= short.high_quartile
    assert long.median >= 0.02
    assert compared.ratio("long", "short") == long.median / short.median > 1


def test_methods_take_turns_and_the_first_call_is_apart(clock):
    methods = {"a": clock.method("a", 5.0, 0.1), "b": clock.method("b", 7.0, 0.2)}
    compared = compare_timings(methods, "cpu", repeats=4, warmup=3)
    assert "".join(clock.calls) == "ab" + "aabb" + "abababab"
    a = compared.timings["a"]
    assert (a.median, a.low_quartile, a.high_quartile, a.first_call) == pytest.approx((0.1, 0.1, 0.1, 5.0))
    assert a.repeats == 4
    assert compared.timings["b"].first_call == pytest.approx(7.0)
    assert compared.results == {"a": ("a", 7), "b": ("b", 7)}
    assert compared.ratio("b", "a") == pytest.approx(2.0)


def test_drift_falls_on_all_alike(clock):
    """Two equal methods on a machine that slows down by 5 % a call."""
    pace = [1.05**i for i in range(60)]
    turns = iter(pace)

    def work():
        clock.now += next(turns)

    compared = compare_timings({"a": work, "b": work}, "cpu", repeats=20, warmup=3, budget_seconds=1e6)
    assert compared.ratio("b", "a") == pytest.approx(1.05)


def test_median_and_quartiles(clock):
    compared = compare_timings({"a": clock.method("a", 9.0, *range(1, 6))}, "cpu", repeats=5, warmup=1, budget_seconds=1e6)
    assert compared.timings["a"] == Timing(3.0, 2.0, 4.0, 5, 9.0)
    assert compared.timings["a"].row("ours_") == {
        "ours_seconds": 3.0,
        "ours_q25_seconds": 2.0,
        "ours_q75_seconds": 4.0,
        "ours_repeats": 5,
        "ours_first_call_seconds": 9.0,
    }


@pytest.mark.parametrize(
    ("seconds", "budget", "repeats"),
    [
        (0.001, 10.0, 20),  # fast: all of them
        (0.2, 10.0, 20),
        (1.0, 10.0, 10),  # the budget ends it
        (1.0, 2.0, 5),  # but not below five
        (3.0, 2.0, 3),  # or three of the slow
        (0.0, 0.0, 5),
    ],
)
def test_repeats_and_budget(clock, seconds, budget, repeats):
    compared = compare_timings({"a": clock.method("a", seconds)}, "cpu", budget_seconds=budget)
    assert compared.timings["a"].repeats == repeats


def test_a_slow_method_does_not_cut_the_repeats_of_a_fast_one(clock):
    compared = compare_timings({"slow": clock.method("slow", 3.0), "fast": clock.method("fast", 0.01)}, "cpu", budget_seconds=6.0)
    assert {name: t.repeats for name, t in compared.timings.items()} == {"slow": 3, "fast": 20}


def test_a_slow_method_is_warmed_up_no_longer_than_it_needs(clock):
    compare_timings({"a": clock.method("a", 2.0)}, "cpu", repeats=5, warmup=10, budget_seconds=10.0)
    assert len(clock.calls) == 1 + 1 + 5


def test_the_last_result_is_freed_before_the_next_is_made():
    class Result:
        alive = 0

        def __init__(self) -> None:
            assert Result.alive == 0
            Result.alive += 1

        def __del__(self) -> None:
            Result.alive -= 1

    compare_timings({"a": Result}, "cpu", repeats=3, warmup=1)


@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 10), min_size=1, max_size=30))
def test_the_quartiles_are_in_order(seconds):
    made = timing._timing(seconds, 1.0)
    numbers = [min(seconds), made.low_quartile, made.median, made.high_quartile, max(seconds)]
    assert all(a <= b * (1 + 1e-12) for a, b in itertools.pairwise(numbers))
    same = TimingComparison({"a": made, "b": made}, {})
    assert same.ratio("a", "b") == 1.0


def test_two_functions_take_turns_and_a_steady_drift_cancels(clock):
    fast, slow = clock.method("f", 1.0, 1.2, 1.4, 1.6), clock.method("s", 11.0, 13.0, 15.0)
    found = alternate(slow, fast, "cpu", repeats=3)
    assert "".join(clock.calls) == "fsfsfsf"
    assert found.slow == pytest.approx((11.0, 13.0, 15.0))
    assert found.fast == pytest.approx((1.0, 1.2, 1.4, 1.6))
    assert found.ratios == pytest.approx((10.0, 10.0, 10.0))


def test_a_slow_moment_is_one_ratio():
    assert Alternation((4.0, 4.0, 4.0), (2.0, 2.0, 6.0, 2.0)).ratios == pytest.approx((2.0, 1.0, 1.0))
