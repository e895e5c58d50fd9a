"""Intervals: against the same intervals of statsmodels and SciPy, and by how often they hold the truth."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import rel_entr
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from myths.lab.estimate import (
    Estimate,
    bootstrap,
    clopper_pearson,
    difference_of_proportions,
    exact,
    fisher_z,
    jackknife,
    mean_within,
    ratio_of_proportions,
    student_t,
)

counts = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(deadline=None)
@given(counts)
def test_clopper_pearson_is_that_of_statsmodels(count):
    successes, trials = count
    found = clopper_pearson(successes, trials)
    low, high = proportion_confint(successes, trials, alpha=0.05, method="beta")
    assert found.value == successes / trials
    # statsmodels gives NaN or 0 for the ends that are 0 and 1 by definition, depending on its version
    assert found.low == pytest.approx(0.0 if successes == 0 else low, abs=1e-12)
    assert found.high == pytest.approx(1.0 if successes == trials else high, abs=1e-12)
    assert (found.source_of_variation, found.n) == ("test examples", trials)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
@example([0.0])
@example([1.0, 1.0, 1.0])
@example([5e-324, 0.0])
@example([1.0, 1.0, 1 - 2**-53])
def test_the_mean_of_numbers_from_0_to_1_has_hoeffdings_interval(values):
    """Outside the interval, his bound of the probability of such a mean, exp(-n·KL), is below 2.5 %. It holds the exact binomial's."""
    found, n = mean_within(values, "seeds"), len(values)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 1e-3 / n
    for end, outwards in ((found.low, -1e-9), (found.high, 1e-9)):
        inside, outside = (
            math.exp(-n * float(rel_entr(found.value, p) + rel_entr(1 - found.value, 1 - p)))
            for p in np.clip([end - outwards, end + outwards], 0, 1)
        )
        assert outside < 0.025 < inside or end in (0.0, 1.0)
    if set(values) <= {0.0, 1.0}:
        binomial = clopper_pearson(int(sum(values)), n)
        assert found.low <= binomial.low + 1e-9
        assert binomial.high - 1e-9 <= found.high


@pytest.mark.parametrize("values", [[], [0.5, 1.1], [-0.1, 0.2]])
def test_the_mean_of_other_numbers_is_refused(values):
    with pytest.raises(ValueError, match="numbers from 0 to 1"):
        mean_within(values, "seeds")


@settings(deadline=None)
@given(counts, counts)
def test_newcombe_is_that_of_statsmodels(first, second):
    found = difference_of_proportions((first[0], second[0]), (first[1], second[1]))
    low, high = confint_proportions_2indep(*first, *second, compare="diff", method="newcomb")
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)
    assert found.value == first[0] / first[1] - second[0] / second[1]


@settings(deadline=None)
@given(counts.filter(lambda c: c[0] > 0), counts.filter(lambda c: c[0] > 0))
def test_katz_is_that_of_statsmodels(first, second):
    found = ratio_of_proportions((first[0], second[0]), (first[1], second[1]))
    low, high = confint_proportions_2indep(*first, *second, compare="ratio", method="log")
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9)


@settings(deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
def test_student_t_is_that_of_scipy(values):
    found = student_t(values, "seeds")
    if np.ptp(values) < 1e-6:  # SciPy gives NaN or noise where nothing varies
        assert found.high - found.low < 1e-4
        return
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-8)
    assert (found.source_of_variation, found.n) == ("seeds", len(values))


def test_the_jackknife_of_a_mean_is_the_t_interval_and_of_groups_that_of_their_means():
    x = np.random.default_rng(0).normal(size=12)
    for groups in (np.arange(12), np.repeat(np.arange(4), 3)):
        means = [x[groups == g].mean() for g in np.unique(groups)]
        found = jackknife(x.mean(), [x[groups != g].mean() for g in np.unique(groups)], "models", len(x))
        interval = stats.ttest_1samp(means, 0).confidence_interval(0.95)
        assert (found.value, found.low, found.high) == pytest.approx((x.mean(), interval.low, interval.high))
        assert (found.source_of_variation, found.n) == ("models", 12)
    with pytest.raises(ValueError, match="at least two groups, got 1"):
        jackknife(0.0, [0.0], "models", 3)


@pytest.mark.parametrize(("n", "noise"), [(4, 1.0), (30, 0.1), (30, 3.0), (500, 1.0)])
def test_fisher_z_is_that_of_scipy(n, noise):
    rng = np.random.default_rng(n)
    x = rng.normal(size=n)
    result = stats.pearsonr(x, x + noise * rng.normal(size=n))
    found = fisher_z(float(result.statistic), n, "models")
    assert (found.low, found.high) == pytest.approx(tuple(result.confidence_interval()), abs=1e-12)


def test_spearman_is_wider_than_pearson_by_bonett_and_wright():
    pearson, spearman = (fisher_z(0.6, 50, "models", kind) for kind in ("pearson", "spearman"))
    widths = [math.atanh(e.high) - math.atanh(e.low) for e in (pearson, spearman)]
    assert widths[1] / widths[0] == pytest.approx(math.sqrt(1 + 0.6**2 / 2))


def test_bootstrap_is_that_of_scipy():
    x = np.random.default_rng(0).exponential(size=60)
    found = bootstrap(lambda i: np.median(x[i], axis=1), len(x), "test examples", np.random.default_rng(1), resamples=4000)
    theirs = stats.bootstrap((x,), np.median, n_resamples=4000, method="percentile", vectorized=True, rng=np.random.default_rng(2))
    # Two draws of 4000 resamples put an end of the interval apart by a few percent of its width at most.
    interval, width = theirs.confidence_interval, theirs.confidence_interval.high - theirs.confidence_interval.low
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=0.1 * width)
    assert found.value == np.median(x)


def test_bootstrap_is_the_same_for_the_same_generator_and_takes_pairs():
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    y = x + rng.normal(size=200)

    def correlation(i):
        a, b = x[i] - x[i].mean(1, keepdims=True), y[i] - y[i].mean(1, keepdims=True)
        return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))

    one, other = (bootstrap(correlation, 200, "models", np.random.default_rng(5), resamples=3000) for _ in range(2))
    assert one == other
    by_theory = fisher_z(one.value, 200, "models")
    assert (one.low, one.high) == pytest.approx((by_theory.low, by_theory.high), abs=0.03)


def test_bootstrap_of_many_things_stays_small():
    sizes = []

    def mean(i):
        sizes.append(i.size)
        return i.mean(1)

    found = bootstrap(mean, 50_000, "test examples", np.random.default_rng(0), resamples=300)
    assert max(sizes) <= 4_000_000
    assert sum(sizes) == 301 * 50_000
    assert found.low < found.value < found.high


def test_bootstrap_drops_few_undefined_resamples_and_refuses_many():
    def sometimes(share):
        # A function of the resample's first index only: undefined on a known share of the resamples.
        return lambda i: np.where((i[:, 0] > 0) & (i[:, 0] <= share * 1000), np.nan, i.mean(1))

    assert math.isfinite(bootstrap(sometimes(0.002), 1000, "seeds", np.random.default_rng(0), resamples=2000).low)
    with pytest.raises(ValueError, match="not finite on"):
        bootstrap(sometimes(0.1), 1000, "seeds", np.random.default_rng(0), resamples=2000)


def test_bootstrap_of_an_undefined_statistic_is_refused():
    with pytest.raises(ValueError, match="expected numbers"):
        bootstrap(lambda i: np.where(i[:, 0] == 0, np.nan, 1.0) if len(i) == 1 else i.mean(1), 9, "seeds", np.random.default_rng(0))


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("n", [4, 10, 1000, 434_500, 10**6, 10**9])
def test_a_perfect_ranking_of_any_length_has_an_interval(n, sign):
    found = fisher_z(sign, n, "models", "spearman")
    near = 1 - 12 / (n**3 - n)  # one swap of neighbors
    if n <= 1000:  # beyond, it rounds to 1
        swapped = fisher_z(sign * near, n, "models", "spearman")
        expected = (swapped.low, 1) if sign > 0 else (-1, swapped.high)
        assert (found.low, found.high) == pytest.approx(expected, rel=1e-9)
    assert found.low <= sign <= found.high
    assert found.high - found.low <= (2 if n < 10 else 2.5 / n)


@settings(deadline=None)
@given(counts, counts, st.floats(-1, 1), st.integers(4, 10**6))
@example((1, 2), (1, 2), 1.0, 10**6)
def test_every_interval_holds_its_value(first, second, correlation, n):
    made = [clopper_pearson(*first), difference_of_proportions((first[0], second[0]), (first[1], second[1]))]
    made += [fisher_z(correlation, n, "models", kind) for kind in ("pearson", "spearman")]
    if first[0] and second[0]:
        made.append(ratio_of_proportions((first[0], second[0]), (first[1], second[1])))
    for estimate in made:
        assert estimate.low <= estimate.value <= estimate.high


@settings(deadline=None)
@given(counts)
def test_more_trials_give_a_narrower_interval(count):
    few, many = clopper_pearson(*count), clopper_pearson(10 * count[0], 10 * count[1])
    assert many.high - many.low < few.high - few.low
    assert few.low <= many.low
    assert many.high <= few.high


@pytest.mark.parametrize("n", [1, 10, 1000])
def test_none_and_all(n):
    none, every = clopper_pearson(0, n), clopper_pearson(n, n)
    assert (none.low, every.high) == (0.0, 1.0)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / n))
    assert every.low == pytest.approx(0.025 ** (1 / n))


@pytest.mark.parametrize("wrong", [(-1, 5), (6, 5), (0, 0)])
def test_counts_that_are_no_proportion_are_refused(wrong):
    with pytest.raises(ValueError, match="expected a proportion"):
        clopper_pearson(*wrong)
    with pytest.raises(ValueError, match="expected a proportion"):
        difference_of_proportions((wrong[0], 1), (wrong[1], 2))
    with pytest.raises(ValueError, match="expected a proportion"):
        ratio_of_proportions((wrong[0], 1), (wrong[1], 2))


def test_too_few_are_refused():
    with pytest.raises(ValueError, match="at least one success"):
        ratio_of_proportions((0, 1), (5, 5))
    with pytest.raises(ValueError, match="two values"):
        student_t([1.0], "seeds")
    with pytest.raises(ValueError, match="four pairs"):
        fisher_z(0.5, 3, "models")


def test_the_truth_lies_in_95_percent_of_the_intervals():
    """With 4000 repetitions an honest 95 % interval is seen between 94 and 96 %; Clopper–Pearson may be wider."""
    rng = np.random.default_rng(0)
    draws = rng.normal(3.0, 2.0, size=(4000, 5))
    held = np.mean([e.low <= 3.0 <= e.high for e in (student_t(x, "seeds") for x in draws)])
    assert 0.94 < held < 0.96
    wins = rng.binomial(200, 0.93, size=4000)
    interval = {int(k): clopper_pearson(int(k), 200) for k in set(wins)}
    held = np.mean([interval[int(k)].low <= 0.93 <= interval[int(k)].high for k in wins])
    assert 0.95 <= held < 0.985
    pairs = rng.binomial((300, 200), (0.9, 0.8), size=(2000, 2))
    made = {(int(a), int(b)): difference_of_proportions((int(a), int(b)), (300, 200)) for a, b in {tuple(p) for p in pairs}}
    held = np.mean([made[int(a), int(b)].low <= 0.1 <= made[int(a), int(b)].high for a, b in pairs])
    assert 0.935 < held < 0.97


@pytest.mark.parametrize("numbers", [(0.5, 0.6, 0.7), (0.5, 0.3, 0.4), (0.5, 0.7, 0.3)])
def test_an_interval_that_does_not_hold_its_value_is_refused(numbers):
    with pytest.raises(ValueError, match="expected low"):
        Estimate(*numbers, "exact", 1)


@pytest.mark.parametrize("numbers", [(math.nan, 0.0, 1.0), (0.5, math.nan, 1.0), (0.5, 0.0, math.nan)])
def test_nan_is_no_estimate(numbers):
    with pytest.raises(ValueError, match="expected numbers"):
        Estimate(*numbers, "exact", 1)
    with pytest.raises(ValueError, match="expected numbers"):
        student_t([1.0, math.nan], "seeds")


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1e6), st.floats(0, 1e6))
def test_scaling_keeps_the_order(factor, value, below, above):
    before = Estimate(value, value - below, value + above, "seeds", 3)
    after = before.affine(factor, 7.0)
    assert after.low <= after.value <= after.high
    assert (after.source_of_variation, after.n) == ("seeds", 3)


def test_scaled_to_percent_and_negated():
    error = Estimate(0.5, 0.25, 0.625, "seeds", 3).affine(-100.0, 100.0)
    assert error == Estimate(50.0, 37.5, 75.0, "seeds", 3)
    assert exact(2.0, 7) == Estimate(2.0, 2.0, 2.0, "exact", 7)


@pytest.mark.parametrize("n", [4, 10, 30])
def test_a_perfect_ranking_of_few_is_not_certain(n):
    up, down = (fisher_z(rho, n, "models", "spearman") for rho in (1.0, -1.0))
    swapped = stats.spearmanr(range(n), [1, 0, *range(2, n)]).statistic
    assert up.value == up.high == 1.0
    assert up.low == pytest.approx(fisher_z(swapped, n, "models", "spearman").low)
    assert (down.low, down.high) == pytest.approx((-1.0, -up.low))
