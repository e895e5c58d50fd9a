"""Results of several runs: combined by random effects, and only if they are independent."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import stats

from myths.lab.claim_record import ClaimRecord
from myths.lab.estimate import Estimate
from myths.lab.meta_analysis import RunResult, combine, replicate
from myths.lab.storage.store import TrialRecord
from myths.lab.trial import Trial
from myths.lab.verdict import Verdict
from tests.lab.report import coin
from tests.lab.report.coin import Toss


@dataclass(frozen=True, kw_only=True)
class SumOfTosses(Trial):
    tosses: tuple[Toss, ...]


def estimate(value, error, n=5, unit="processes"):
    half = stats.t.ppf(0.975, n - 1) * error
    return Estimate(value, value - half, value + half, unit, n)


def result(run, seeds, value=1.5, machines=(), **changes):
    """A result with its own invocation, on the trials of some seeds."""
    trials = tuple(TrialRecord(Toss(coin="ducat", seed=seed), "ok", invocation=run) for seed in seeds)
    record = ClaimRecord.declared(coin.CLAIMS[0], "fair-coin")
    fields = {
        "estimate": value, "low": value - 0.1, "high": value + 0.1, "n": 5, "source_of_variation": "seeds", "repetition_unit": "seeds",
        "strength": "paper", "invocations": (run,), "trials": tuple(t.trial.id for t in trials), "unit": "pp",
    }  # fmt: skip
    return RunResult(run, replace(record, **{**fields, **changes}), trials, frozenset(machines))


def counted(results):
    return [each.run for each in replicate(results).independent]


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


def test_the_weight_of_a_run_follows_from_its_number_of_repetitions():
    """Without heterogeneity the mean is that of all repetitions, whatever a run with few of them believes of its own variance."""
    found = combine([estimate(1.0, 0.01, n=3), estimate(1.1, 0.3, n=6), estimate(0.9, 0.3, n=12)], list("abc"), ratio=False)
    assert found.i_squared == 0
    assert found.value == pytest.approx((3 * 1.0 + 6 * 1.1 + 12 * 0.9) / 21)


def test_intervals_cover_the_mean_over_runs_and_the_next_run():
    """1,000 simulated communities of five or more runs with intervals over few seeds, without and with heterogeneity."""
    rng = np.random.default_rng(7)
    covered = []
    for i in range(1000):
        k, n, tau = (5, 8, 12)[i % 3], (3, 5, 10)[i // 3 % 3], (0.0, 0.2, 1.0)[i // 9 % 3]
        drawn = 2 + rng.normal(0, tau, (k, 1)) + rng.normal(0, 0.5, (k, n))
        runs = [estimate(x.mean(), x.std(ddof=1) / np.sqrt(n), n) for x in drawn]
        found = combine(runs, ["a"] * k, ratio=False)
        covered.append((found.low <= 2 <= found.high, found.predicted_low <= 2 + rng.normal(0, tau) <= found.predicted_high))
    mean, following = np.mean(covered, axis=0)
    assert 0.93 <= mean <= 0.97
    assert 0.93 <= following <= 0.99


def test_training_runs_with_the_same_seeds_count_once():
    several = [result("a", (0, 1, 2)), result("b", (0, 1, 2)), result("c", (3, 4, 5)), result("d", (5, 6, 7)), result("e", (6, 7, 8))]
    found = replicate(several)
    assert [each.run for each in found.independent] == ["a", "c", "e"]
    assert found.reasons == ("", "the same seeds as a", "", "the same seeds as c", "")
    assert found.pooled.runs == ("a", "c", "e")
    assert found.pooled.value == pytest.approx(1.5)
    assert replicate(several[:3]).pooled is None  # two independent runs: their spread is unknown


def test_a_seed_of_a_dependency_is_a_seed():
    """Trials with other ids that train on a common seed are not independent."""
    one, other = (
        replace(result(run, (0,)), trials=(TrialRecord(SumOfTosses(tosses=tuple(Toss(coin="ducat", seed=s) for s in seeds)), "ok"),))
        for run, seeds in (("a", (0, 1)), ("b", (1, 2)))
    )
    other = replace(other, record=replace(other.record, trials=("0123456789ab",)))
    assert replicate([one, other]).reasons == ("", "the same seeds as a")


def test_timings_are_independent_on_other_machines_only():
    timed = {"source_of_variation": "processes", "repetition_unit": "processes"}
    several = [result(run, (0,), machines=(machine,), **timed) for run, machine in zip("abcd", ("x86", "x86", "arm", "gpu"), strict=True)]
    found = replicate(several)
    assert found.pooled.runs == ("a", "c", "d")
    assert found.reasons[1] == "the same kind of machine as a"
    assert found.is_on_as_many_machines
    assert not replicate([result("a", (0,)), result("b", (1,))]).is_on_as_many_machines
    unknown = result("e", (0,), **timed)
    assert replicate([*several, unknown]).reasons[-1] == "the same kind of machine as a"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"repetition_unit": "test examples", "source_of_variation": "test examples"}, "every run uses the same test examples"),
        ({"repetition_unit": "exact", "source_of_variation": "exact"}, "every run gives the same number"),
        ({"strength": "recomputed"}, "every run recomputes the same published data"),
        ({"strength": "stand-in"}, "stand-in data"),
        ({"source_of_variation": "test examples"}, "the interval is not over seeds"),
    ],
)
def test_what_is_no_repetition_is_not_combined(changes, said):
    found = replicate([result(run, (i,), **changes) for i, run in enumerate("abcd")])
    assert found.reasons == (said,) * 4
    assert found.pooled is None


@pytest.mark.parametrize("changes", [{"strength": "reduced"}, {"unit": "%"}])
def test_runs_of_another_protocol_are_left_out(changes):
    several = [result(run, (i,)) for i, run in enumerate("abc")]
    found = replicate([*several, result("d", (9,), **changes)])
    assert found.reasons == ("", "", "", "another protocol than a")
    assert found.pooled.runs == ("a", "b", "c")


def test_trials_with_other_settings_are_another_protocol():
    several = [result(run, (i,)) for i, run in enumerate("abc")]
    longer = (TrialRecord(Toss(coin="ducat", times=2000, seed=9), "ok"),)
    assert counted([*several, replace(several[0], run="d", trials=longer, record=replace(several[0].record, trials=()))]) == ["a", "b", "c"]


def test_runs_with_other_data_are_left_out():
    several = [result(run, (i,)) for i, run in enumerate("abc")]
    other = replace(several[2], trials=tuple(replace(trial, data={"coins": "f" * 64}) for trial in several[2].trials))
    found = replicate([*several[:2], other])
    assert found.reasons == ("", "", "other contents of the datasets than a")


def test_results_of_another_version_of_the_claim_are_shown_and_neither_combined_nor_counted():
    several = [result(run, (i,), verdict=Verdict.REPRODUCED) for i, run in enumerate("abcd")]
    found = replicate([replace(several[0], redefined="its criterion was > 2 pp, now it is > 1 pp"), *several[1:]])
    assert len(found.results) == 4
    assert found.reasons[0] == "another version of the claim: its criterion was > 2 pp, now it is > 1 pp"
    assert found.pooled.runs == ("b", "c", "d")
    assert found.n_reproduced == 3


def test_a_ratio_whose_interval_reaches_zero_is_combined_as_it_is():
    several = [result(run, (i,), value=0.05, unit="x") for i, run in enumerate("abc")]
    assert replicate(several).pooled.value == pytest.approx(0.05)
