"""Shared measures against closed forms, and what they say of rows that do not suffice."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from myths.lab import measures
from myths.lab.estimate import Estimate, clopper_pearson, exact


def interval(values):
    """Mean and Student's t interval, by scipy's own distribution."""
    x = np.asarray(values, dtype=float)
    return (x.mean(), *stats.t.interval(0.95, len(x) - 1, loc=x.mean(), scale=stats.sem(x)))


def numbers(found):
    return found.value, found.low, found.high


def test_a_mean_over_seeds_is_that_of_the_means_of_each_seed():
    rows = pd.DataFrame({"seed": [1, 0, 1, 0, 2, 3], "gain": [3.0, 1.0, 5.0, 2.0, 9.0, np.nan]})
    found = measures.mean_over_seeds("gain", rows)
    assert numbers(found) == pytest.approx(interval([1.5, 4.0, 9.0]))
    assert (found.source_of_variation, found.n) == ("seeds", 3)


@pytest.mark.parametrize("rows", [{"seed": [0], "gain": [1.0]}, {"seed": [0, 0], "gain": [1.0, 2.0]}, {"seed": [0, 1], "loss": [1.0, 2.0]}])
def test_there_is_no_mean_over_fewer_than_two_seeds_or_of_no_column(rows):
    assert measures.mean_over_seeds("gain", pd.DataFrame(rows)) is None
    assert measures.mean_over_seeds("gain", pd.DataFrame()) is None


def test_equal_fractions_have_an_interval_that_is_that_of_counts():
    rows = pd.DataFrame({"seed": [0, 0, 1, 2], "part": [0.0, 0.0, 0.0, np.nan]})
    found = measures.mean_share_over_seeds("part", rows)
    assert numbers(found) == pytest.approx(numbers(clopper_pearson(0, 2)))
    assert numbers(measures.mean_share_over_seeds("part", rows.assign(part=1.0))) == pytest.approx(numbers(clopper_pearson(3, 3)))
    assert (found.source_of_variation, found.n) == ("seeds", 2)
    assert measures.mean_share_over_seeds("other", rows) is None
    assert measures.mean_share_over_seeds("part", rows.assign(part=np.nan)) is None


def test_a_paired_difference_is_that_of_what_both_conditions_have():
    rows = pd.DataFrame(
        [(0, "a", 5.0), (0, "b", 2.0), (1, "a", 6.0), (1, "b", 5.0), (2, "a", 9.0), (2, "b", 7.0)], columns=["seed", "way", "accuracy"]
    )
    alone = pd.DataFrame({"seed": [7], "way": ["a"], "accuracy": [100.0]})
    found = measures.paired_difference("accuracy", "way", ("a", "b"), pd.concat([rows, alone]))
    assert numbers(found) == pytest.approx(interval([3.0, 1.0, 2.0]))
    assert found.n == 3
    assert numbers(measures.paired_difference("accuracy", "way", ("b", "a"), rows)) == pytest.approx(interval([-3.0, -1.0, -2.0]))
    assert measures.paired_difference("accuracy", "way", ("a", "c"), rows) is None
    assert measures.paired_difference("accuracy", "way", ("a", "b"), rows[rows["seed"] == 0]) is None


def test_pairs_may_be_models():
    rows = pd.DataFrame({"model": list("xyxy"), "set": ["v4", "v4", "v6", "v6"], "accuracy": [80.0, 90.0, 81.0, 94.0], "seed": 0})
    found = measures.paired_difference("accuracy", "set", ("v4", "v6"), rows, pair="model", source_of_variation="models")
    assert numbers(found) == pytest.approx(interval([-1.0, -4.0]))
    assert (found.source_of_variation, found.n) == ("models", 2)


def test_an_estimate_in_columns_is_taken_as_it_is():
    rows = pd.DataFrame({"slope": [1.5, 9.0], "slope_low": [1.0, 8.0], "slope_high": [3.0, 10.0], "models": [30, 4], "top": [2.0, 0.0]})
    assert measures.from_columns("slope", rows, n="models", source_of_variation="models") == Estimate(1.5, 1.0, 3.0, "models", 30)
    assert measures.from_columns("slope", rows, high="top", n="models", source_of_variation="seeds") == Estimate(1.5, 1.0, 2.0, "seeds", 30)
    assert measures.from_columns("slope", rows.iloc[:0], n="models", source_of_variation="models") is None
    assert measures.from_columns("slope", rows.assign(slope=np.nan), n="models", source_of_variation="models") is None


def test_exact_values_count_the_numbers_they_are_taken_from():
    rows = pd.DataFrame({"error": [0.2, np.nan, 0.5, 0.1], "n": [7, 7, 7, 7]})
    assert measures.largest("error", rows) == exact(0.5, 3)
    assert measures.smallest("error", rows) == exact(0.1, 3)
    assert measures.only_value("error", rows) == exact(0.2, 1)
    assert measures.only_value("error", rows, n="n") == exact(0.2, 7)
    for measure in (measures.largest, measures.smallest, measures.only_value):
        assert measure("error", rows.iloc[1:2]) is None
        assert measure("loss", rows) is None


def test_exceptions_are_counted_and_percentages_are_binomial():
    rows = pd.DataFrame({"agrees": [True, False, False], "flips": [24, 1, 1], "significant": [6, 0, 0]})
    assert measures.exceptions("agrees", rows) == exact(2, 3)
    for significant, value in ((6, 25.0), (0, 0.0)):
        found = measures.percentage("significant", "flips", rows.assign(significant=significant), source_of_variation="pairs")
        low, high = stats.binomtest(significant, 24).proportion_ci(method="exact")
        assert numbers(found) == pytest.approx((value, 100 * low, 100 * high))
        assert (found.source_of_variation, found.n) == ("pairs", 24)
    assert measures.percentage("significant", "flips", rows.assign(flips=0, significant=0), source_of_variation="pairs") is None


def test_a_geometric_mean_is_the_exponential_of_the_mean_logarithm():
    found = measures.geometric_mean([1.0, 10.0, 100.0])
    assert numbers(found) == pytest.approx(tuple(10**end for end in interval([0.0, 1.0, 2.0])))
    assert (found.source_of_variation, found.n) == ("repeats", 3)
    assert measures.geometric_mean([10.0]) is None
