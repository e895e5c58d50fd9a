"""Measures of myth 2 against closed forms."""

import pandas as pd
import pytest
from scipy import stats

from myths.dataset_bias import measures
from myths.lab.estimate import Estimate


def t_interval(values):
    x = pd.Series(values, dtype=float)
    return (x.mean(), *stats.t.interval(0.95, len(x) - 1, loc=x.mean(), scale=stats.sem(x)))


def learned(*curves):
    """Accuracies at 50, 100, 200 and 400 images of each split."""
    return pd.DataFrame([(seed, 50 * 2**i, y) for seed, curve in enumerate(curves) for i, y in enumerate(curve)],
                        columns=["seed", "n_per_set", "accuracy_percent"])  # fmt: skip


def test_the_rank_correlation_is_that_of_each_split():
    """Ranks 1 2 3 4 give ρ = 1, one swap of neighbors 0.8, and 4 3 2 1 give −1."""
    found = measures.rank_correlation(learned((10, 20, 30, 40), (10, 30, 20, 40), (4, 3, 2, 1)))
    assert (found.value, found.low, found.high) == pytest.approx(t_interval([1.0, 0.8, -1.0]))
    assert measures.rank_correlation(learned((10, 20, 30), (10, 20, 30))) is None, "three sizes are too few for a rank"


def test_the_last_gain_is_from_half_of_the_images_to_all():
    rows = learned((10, 20, 30, 45), (10, 20, 31, 41))
    found = measures.last_gain(rows)
    assert (found.value, found.low, found.high) == pytest.approx(t_interval([15.0, 10.0]))
    assert measures.last_gain(rows[rows["n_per_set"] != 200]) is None


def test_features_of_one_split_count_each_and_intervals_of_pairs_are_those_of_the_table():
    rows = pd.DataFrame({"seed": [0, 0, 1, 1], "above_chance_pp": [1.0, -1.0, 2.0, 0.0]})
    found = measures.mean_over_features("above_chance_pp", rows)
    assert (found.value, found.low, found.high) == pytest.approx(t_interval([1, -1, 2, 0]))
    assert found.n == 4
    line = {"below_one_percent": [90.0], "below_one_low_percent": [80.0], "below_one_high_percent": [95.0], "n_splits": [10]}
    assert measures.below_one(pd.DataFrame(line)) == Estimate(90.0, 80.0, 95.0, "seeds", 10)
