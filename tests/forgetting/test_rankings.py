"""Intervals over seeds and rankings, stratified pruning, and what needs many presentations."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from myths.forgetting import measures
from myths.forgetting.pruning_order import kept_indices, order_examples


def losses(per_ranking):
    rows = [(name, seed, value) for name, values in per_ranking.items() for seed, value in values.items()]
    return pd.DataFrame(rows, columns=["ranking", "seed", "loss_pp"])


def test_equal_rankings_leave_the_interval_over_seeds():
    rows = losses({"0, 1, 2": {0: 0.1, 2: 0.3}, "3, 4, 5": {1: 0.1, 3: 0.3}})
    found = measures.mean_over_rankings("loss_pp", rows)
    interval = stats.ttest_1samp([0.1, 0.3, 0.1, 0.3], 0).confidence_interval()
    assert (found.low, found.high, found.n) == (pytest.approx(interval.low), pytest.approx(interval.high), 4)


def test_rankings_that_differ_widen_the_interval():
    rng = np.random.default_rng(0)
    rows = losses({"a": {s: 1 + 0.01 * rng.normal() for s in range(0, 20, 2)}, "b": {s: 0.01 * rng.normal() for s in range(1, 20, 2)}})
    seeds, both = measures.mean_over_rankings("loss_pp", rows.drop(columns="ranking")), measures.mean_over_rankings("loss_pp", rows)
    assert both.value == pytest.approx(seeds.value)
    # Welch's unequal variances: the sum of two means has the same variance and the same degrees of freedom.
    means = rows.groupby("ranking")["loss_pp"].mean()
    variances = rows["loss_pp"].var(ddof=1) / 20, means.var(ddof=1) / 2
    freedom = sum(variances) ** 2 / (variances[0] ** 2 / 19 + variances[1] ** 2)
    assert both.high - both.value == pytest.approx(stats.t.ppf(0.975, freedom) * sum(variances) ** 0.5)
    assert both.high - both.low > 4 * (seeds.high - seeds.low)


def test_rankings_are_compared_by_pairs_where_seeds_were_pruned_by_both():
    crossed = losses({"a": {0: 0.1, 1: 1.1, 2: 2.1}, "b": {0: 0.0, 1: 1.1, 2: 2.0}})
    found = measures.difference_of_rankings("loss_pp", crossed)
    interval = stats.ttest_rel([0.1, 1.1, 2.1], [0.0, 1.1, 2.0]).confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    nested = losses({"a": {0: 0.1, 1: 0.2}, "b": {2: 0.3, 3: 0.6}})
    found = measures.difference_of_rankings("loss_pp", nested)
    assert found.value == pytest.approx(0.15 - 0.45)
    assert found.n == 4
    assert measures.difference_of_rankings("loss_pp", nested[nested["ranking"] == "a"]) is None


def test_counts_of_few_presentations_say_nothing_on_label_noise():
    rows = pd.DataFrame({"epochs": [6.0, 6.0, 32.0, 32.0], "seed": [0, 1, 0, 1], "auroc": [0.1, 0.2, 0.9, 0.95]})
    assert measures.after_presentations("auroc", 1.0, rows[rows["epochs"] == 6]) is None
    found = measures.after_presentations("auroc", 1.0, rows)
    assert found.value == pytest.approx(0.925)
    assert found.high == 1, "no interval leaves the range of its numbers"


def test_stratified_pruning_removes_the_hardest_and_keeps_equally_many_per_stratum():
    scores = torch.tensor([0.0] * 400 + [25.0] * 200 + [50.0] * 100 + [99.0] * 300)
    order = order_examples("stratified", 1000, scores, torch.Generator().manual_seed(0))
    assert sorted(order.tolist()) == list(range(1000))
    kept = scores[kept_indices(order, 0.7)]
    assert {v: int((kept == v).sum()) for v in (0.0, 25.0, 50.0, 99.0)} == {0.0: 100, 25.0: 100, 50.0: 100, 99.0: 0}
    more = scores[kept_indices(order, 0.5)]  # the smallest stratum is used up, the others share the rest
    assert {v: int((more == v).sum()) for v in (0.0, 25.0, 50.0, 99.0)} == {0.0: 200, 25.0: 200, 50.0: 100, 99.0: 0}
