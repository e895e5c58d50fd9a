"""Measures of myth 7: what an interval is over depends on how many networks there are."""

import pandas as pd
import pytest
from scipy import stats

from myths.lab.estimate import Estimate
from myths.saliency import measures


def networks(*rows):
    return pd.DataFrame(rows, columns=["spearman", "spearman_low", "spearman_high", "n"])


def test_one_network_has_the_interval_over_images_and_two_the_wider_of_both():
    one, other = (0.5, 0.4, 0.6, 60), (0.7, 0.3, 0.8, 50)
    assert measures.over_networks("spearman", networks(one)) == Estimate(0.5, 0.4, 0.6, "test examples", 60)
    assert measures.over_networks("spearman", networks(one, other)) == Estimate(0.6, 0.3, 0.8, "test examples", 50)


def test_three_networks_have_the_interval_over_trainings():
    values = [0.5, 0.7, 0.6]
    found = measures.over_networks("spearman", networks(*((value, 0.0, 1.0, 60) for value in values)))
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, 2, loc=0.6, scale=stats.sem(values)))
    assert (found.value, found.source_of_variation, found.n) == (pytest.approx(0.6), "seeds", 3)


def test_networks_with_too_few_images_or_without_an_interval_do_not_count():
    least = measures.MIN_IMAGES
    enough, few, no_interval = (0.5, 0.4, 0.6, least), (0.9, 0.8, 1.0, least - 1), (0.9, None, None, 60)
    assert measures.over_attacked("spearman", networks(enough, few, no_interval)).value == 0.5
    assert measures.over_networks("spearman", networks(enough, few)).value == pytest.approx(0.7)
    assert measures.over_attacked("spearman", networks(few, no_interval)) is None


def test_a_contrast_has_its_interval_in_plain_columns():
    rows = pd.DataFrame({"value": [0.3], "low": [0.1], "high": [0.4], "n": [64]})
    assert measures.over_attacked("value", rows) == Estimate(0.3, 0.1, 0.4, "test examples", 64)


def test_the_worst_completeness_error_is_the_one_whose_interval_reaches_highest():
    rows = pd.DataFrame({"error_percent": [2.0, 1.0], "error_low_percent": [1.0, 0.5], "error_high_percent": [3.0, 4.0], "n": [64, 60]})
    assert measures.worst_completeness_error(rows) == Estimate(1.0, 0.5, 4.0, "test examples", 60)


# --- untouched images, schedules, ranges -----------------------------------------------------------


def attacked(**columns):
    return pd.DataFrame({"network": "squeezenet", "network_seed": 0, "seed": 0, "n_iterations": 300} | columns)


def test_untouched_images_are_counted_exactly_and_the_others_averaged():
    rows = attacked(n=[64], n_untouched=[1], n_touched=[63], touched=[0.0014], touched_low=[0.0], touched_high=[0.01])
    share, left = measures.untouched(rows), measures.touched(rows)
    assert (share.low, share.high) == pytest.approx(tuple(stats.binomtest(1, 64).proportion_ci(method="exact")))
    assert left == Estimate(0.0014, 0.0, 0.01, "test examples", 63)
    assert measures.untouched(rows.drop(columns="n_untouched")) is None
    assert measures.touched(rows.drop(columns="touched_high")) is None


def test_of_two_schedules_the_longer_counts_if_it_has_enough_images():
    def rows(n_long):
        return attacked(n_iterations=[25, 300], n=[64, n_long], n_untouched=[4, 0], value=[0.2, 0.3], low=[0.1, 0.2], high=[0.3, 0.4])

    assert measures.untouched(rows(40)).n == 40
    assert measures.over_attacked("value", rows(40)).value == 0.3
    assert measures.untouched(rows(measures.MIN_IMAGES - 1)).n == 64
    assert measures.over_attacked("value", rows(measures.MIN_IMAGES - 1)).value == 0.2


def test_an_interval_over_trainings_stays_within_what_a_share_can_be():
    rows = pd.DataFrame({"intersection": [0.0, 0.01, 0.1], "intersection_low": 0.0, "intersection_high": 0.2, "n": 64})
    assert measures.over_networks("intersection", rows).low == 0.0


def test_the_largest_of_three_methods_is_largest_in_value_and_in_both_ends():
    rows = pd.DataFrame(
        {"method": list("abc"), "value": [-0.3, -0.1, -0.2], "low": [-0.4, -0.3, -0.25], "high": [-0.2, -0.05, -0.15], "n": 90}
    )
    assert measures.largest_over_methods(rows, methods=3) == Estimate(-0.1, -0.25, -0.05, "test examples", 90)
    assert measures.largest_over_methods(rows.iloc[:2], methods=3) is None


def test_the_accuracy_of_a_given_network_has_its_exact_interval_over_images():
    found = measures.accuracy_over_images(pd.DataFrame({"test_accuracy_percent": [51.2], "n_test": [250]}))
    expected = stats.binomtest(128, 250).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((100 * expected.low, 100 * expected.high))
    assert measures.accuracy_over_images(pd.DataFrame({"test_accuracy_percent": [51.2]})) is None
