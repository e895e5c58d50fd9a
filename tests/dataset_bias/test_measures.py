"""Measures of myth 2 against closed forms."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from myths.dataset_bias import measures


def corrected(values, ratio=3 / 7):
    """Nadeau & Bengio (2003): the variance of the mean is s² (1/J + test/train)."""
    x = np.asarray(values, dtype=float)
    half = stats.t.ppf(0.975, len(x) - 1) * x.std(ddof=1) * np.sqrt(1 / len(x) + ratio)
    return x.mean(), x.mean() - half, x.mean() + half


def ends(found):
    return found.value, found.low, found.high


def learned(*curves):
    """Accuracies at 50, 100, 200 and 400 images of each split."""
    return pd.DataFrame([(seed, 50 * 2**i, y) for seed, curve in enumerate(curves) for i, y in enumerate(curve)],
                        columns=["seed", "n_per_set", "accuracy_percent"])  # fmt: skip


def test_the_rank_correlation_is_that_of_each_split_and_stays_a_correlation():
    """Ranks 1 2 3 4 give ρ = 1, one swap of neighbors 0.8, and 4 3 2 1 give −1."""
    found = measures.rank_correlation(learned((10, 20, 30, 40), (10, 30, 20, 40), (4, 3, 2, 1)))
    assert ends(found) == pytest.approx((0.8 / 3, -1, 1))
    narrow = measures.rank_correlation(learned(*[(10, 20, 30, 40)] * 9, (10, 30, 20, 40)))
    assert narrow.high == 1
    assert narrow.low == pytest.approx(corrected([1] * 9 + [0.8])[1])
    assert measures.rank_correlation(learned((10, 20, 30), (10, 20, 30))) is None, "three sizes are too few for a rank"


def test_the_last_gain_is_from_half_of_the_images_to_all():
    rows = learned((10, 20, 30, 45), (10, 20, 31, 41))
    assert ends(measures.last_gain(rows)) == pytest.approx(corrected([15.0, 10.0]))
    assert measures.last_gain(rows[rows["n_per_set"] != 200]) is None


def test_splits_are_corrected_by_their_own_sizes():
    rows = pd.DataFrame({"seed": [0, 0, 1, 2], "y": [1.0, 3.0, 4.0, 5.0], "n_test": 131, "n_train": 240})
    found = measures.over_splits("y", rows)
    assert ends(found) == pytest.approx(corrected([2, 4, 5], 131 / 240))
    assert (found.source_of_variation, found.n) == ("splits", 3)
    assert ends(measures.over_splits("y", rows.drop(columns="n_train"))) == pytest.approx(corrected([2, 4, 5]))
    assert measures.over_splits("y", rows[rows["seed"] == 0]) is None
    assert measures.over_splits("missing", rows) is None


def test_the_jackknife_of_a_mean_is_students_t_over_datasets():
    """Leaving datasets out of a plain mean gives the t interval of the datasets themselves."""
    sets = {"a": 20.0, "b": 30.0, "c": 50.0, "d": 60.0}
    rows = [("", np.mean(list(sets.values())), 4)] + [(k, np.mean([v for n, v in sets.items() if n != k]), 3) for k in sets]
    table = pd.DataFrame([(seed, *row) for seed in (0, 1) for row in rows], columns=["seed", "left_out", "y", "n_sets"])
    found = measures.jackknife_over_datasets("y", table)
    expected = stats.t.interval(0.95, 3, loc=40, scale=stats.sem(list(sets.values())))
    assert ends(found) == pytest.approx((40, *expected))
    assert (found.source_of_variation, found.n) == ("datasets", 4)
    assert measures.jackknife_over_datasets("y", table[table["left_out"] != "c"]) is None
    assert measures.jackknife_over_datasets("y", table[table["left_out"] != ""]) is None
    assert measures.jackknife_over_datasets("y", table.assign(y=table["y"] + 55)).high == 100


def test_counted_things_never_have_an_interval_of_width_zero():
    found = measures.counted_percent("k", "n", "datasets", pd.DataFrame({"k": [3], "n": [3]}))
    assert ends(found) == pytest.approx((100, 100 * 0.025 ** (1 / 3), 100))
    assert (found.source_of_variation, found.n) == ("datasets", 3)


def conditions(*splits):
    """Rows with the accuracies of conditions a, b, c in each split."""
    return pd.DataFrame(
        {"seed": seed, "feature": "hog", "transform": name, "accuracy_percent": value, "n_train": 70, "n_test": 30}
        for seed, split in enumerate(splits)
        for name, value in zip("abc", split, strict=True)
    )


def test_the_order_of_conditions_is_compared_with_the_published_one():
    published = {("hog", "a"): 82.0, ("hog", "b"): 70.0, ("hog", "c"): 48.0}
    found = measures.order_correlation(published, ("feature", "transform"), conditions((60, 50, 40), (60, 30, 40), (60, 50, 40)))
    assert found.value == pytest.approx((1 + 0.5 + 1) / 3)
    assert found.high == 1
    assert found.source_of_variation == "splits"
    rows = conditions((60, 50, 40), (60, 30, 40))
    assert measures.order_correlation(published, ("feature", "transform"), rows[rows["transform"] != "b"]) is None
    other = rows.assign(transform=rows["transform"].replace("b", "z"))
    assert measures.order_correlation(published, ("feature", "transform"), other) is None
    assert measures.order_correlation({("b",): 2.0, ("c",): 1.0}, ("transform",), rows).value == pytest.approx(0)


def test_the_ratio_of_two_conditions_is_paired_by_split():
    found = measures.ratio_over_splits("accuracy_percent", "transform", ("c", "a"), conditions((60, 50, 30), (50, 50, 20)))
    assert found.value == pytest.approx((0.5 + 0.4) / 2)
    assert measures.ratio_over_splits("accuracy_percent", "transform", ("c", "z"), conditions((60, 50, 30), (50, 50, 20))) is None
