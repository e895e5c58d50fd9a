"""Results of several runs: combined by random effects, and only if they are independent."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from myths.lab.claim_record import ClaimRecord
from myths.lab.estimate import Estimate
from myths.lab.meta_analysis import RunResult, combine, independent, pooled
from myths.lab.storage.store import TrialRecord
from tests.lab.report import coin
from tests.lab.report.coin import Toss


def estimate(value, error, n=5, unit="processes"):
    half = stats.t.ppf(0.975, n - 1) * error
    return Estimate(value, value - half, value + half, unit, n)


def result(run, seeds, value=1.5, **changes):
    """A result with its own invocation, on the trials of some seeds."""
    trials = tuple(TrialRecord(Toss(coin="ducat", seed=seed), "ok", invocation=run) for seed in seeds)
    record = ClaimRecord.declared(coin.CLAIMS[0], "fair-coin")
    fields = {
        "estimate": value, "low": value - 0.1, "high": value + 0.1, "n": 5, "source_of_variation": "seeds", "repetition_unit": "seeds",
        "strength": "paper", "invocations": (run,), "trials": tuple(t.trial.id for t in trials), "unit": "pp",
    }  # fmt: skip
    return RunResult(run, replace(record, **{**fields, **changes}), trials)


def test_the_weights_are_those_of_a_closed_form():
    """With equal errors the mean is the arithmetic mean and the interval Student's t of the values (Hartung & Knapp)."""
    values = [1.0, 1.4, 0.7, 1.1, 1.3]
    found = combine([estimate(v, 0.05) for v in values], list("abcde"), ratio=False)
    assert found.value == pytest.approx(np.mean(values))
    t = stats.ttest_1samp(values, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx(tuple(t))
    tau2 = np.var(values, ddof=1) - 0.05**2  # Paule & Mandel with equal errors
    half = stats.t.ppf(0.975, 3) * np.sqrt(tau2 + np.var(values, ddof=1) / 5)
    assert (found.predicted_low, found.predicted_high) == pytest.approx((found.value - half, found.value + half), rel=1e-4)
    q = np.sum((np.array(values) - np.mean(values)) ** 2) / 0.05**2
    assert found.i_squared == pytest.approx(1 - 4 / q)


def test_ratios_are_combined_as_logarithms():
    values = np.array([20.0, 45.0, 30.0])
    half = stats.t.ppf(0.975, 4) * 0.1
    ratios = [Estimate(v, v * np.exp(-half), v * np.exp(half), "processes", 5) for v in values]
    found = combine(ratios, list("abc"), ratio=True)
    assert found.value == pytest.approx(np.exp(np.log(values).mean()))
    assert found.low > 0


@pytest.mark.parametrize(("k", "tau"), [(5, 0.5), (8, 0.2), (20, 1.0)])
def test_intervals_cover_the_mean_over_runs_and_the_next_run(k, tau):
    rng = np.random.default_rng(k)
    covered = []
    for _ in range(1000):
        errors = rng.uniform(0.1, 0.4, k)
        values = rng.normal(2.0, np.sqrt(tau**2 + errors**2))
        found = combine([estimate(v, e) for v, e in zip(values, errors, strict=True)], ["a"] * k, ratio=False)
        covered.append((found.low <= 2.0 <= found.high, found.predicted_low <= rng.normal(2.0, tau) <= found.predicted_high))
    mean, following = np.mean(covered, axis=0)
    assert 0.915 <= mean <= 0.985  # 0.93 to 0.97, two standard errors of 1,000 draws wider
    assert following >= (0.92 if tau >= 0.5 else 0.8)  # see combine


def test_runs_with_the_same_seeds_count_once():
    several = [result("a", (0, 1, 2)), result("b", (0, 1, 2)), result("c", (3, 4, 5)), result("d", (5, 6, 7)), result("e", (6, 7, 8))]
    assert [each.run for each in independent(several)] == ["a", "c", "e"]
    found = pooled(several)
    assert found.runs == ("a", "c", "e")
    assert found.value == pytest.approx(1.5)
    assert pooled(several[:2]) == "1 independent run, at least 3 are needed"


def test_timings_of_equal_trials_in_other_processes_are_independent():
    timed = {"source_of_variation": "processes", "repetition_unit": "processes"}
    several = [result(run, (0,), **timed) for run in "abc"]
    assert pooled(several).runs == ("a", "b", "c")
    assert [each.run for each in independent([*several, result("d", (0,), **timed, invocations=("a",))])] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"repetition_unit": "test examples", "source_of_variation": "test examples"}, "every run repeats the same test examples"),
        ({"repetition_unit": "exact"}, "every run repeats the same exact"),
        ({"strength": "recomputed"}, "every run repeats the same seeds"),
        ({"source_of_variation": "test examples"}, "0 independent runs, at least 3 are needed"),
        ({"estimate": None}, "0 independent runs, at least 3 are needed"),
    ],
)
def test_what_is_no_repetition_is_not_combined(changes, said):
    assert pooled([result(run, (i,), **changes) for i, run in enumerate("abcd")]) == said


@pytest.mark.parametrize("changes", [{"criterion": "> 2 pp"}, {"strength": "reduced"}, {"unit": "%"}])
def test_runs_of_another_protocol_are_left_out(changes):
    several = [result(run, (i,)) for i, run in enumerate("abc")]
    assert [each.run for each in independent([*several, result("d", (9,), **changes)])] == ["a", "b", "c"]


def test_runs_with_other_data_are_left_out():
    several = [result(run, (i,)) for i, run in enumerate("abc")]
    other = replace(several[2], trials=tuple(replace(trial, data={"coins": "f" * 64}) for trial in several[2].trials))
    assert [each.run for each in independent([*several[:2], other])] == ["a", "b"]
