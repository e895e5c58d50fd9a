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
