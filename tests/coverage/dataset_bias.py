"""Experiments of myth 2: splits of one pool of images, and datasets."""

import functools

import numpy as np
import pandas as pd

from myths.dataset_bias import measures
from tests.coverage.common import nearest_mean_splits, splits
from tests.coverage.experiment import Case

TRAIN, TEST = 140, 60


def of_splits(values):
    """Return the mean of accuracies over splits."""
    rows = {"seed": range(len(values)), "value": values, "n_train": TRAIN, "n_test": TEST}
    return measures.over_splits("value", pd.DataFrame(rows))


def difference_of_features(n):
    """Two classifiers on the same splits; the second is worse by a constant and noise."""

    def draw(rng):
        accuracy = nearest_mean_splits(rng, TRAIN, TEST, n)
        rows = [
            {"seed": s, "features": f, "value": a - d, "n_train": TRAIN, "n_test": TEST}
            for s, (a, noise) in enumerate(zip(accuracy, nearest_mean_splits(rng, TRAIN, TEST, n), strict=True))
            for f, d in (("hog", 0.0), ("color", noise))
        ]
        return measures.difference_over_splits("value", "features", ("hog", "color"), pd.DataFrame(rows))

    rng = np.random.default_rng(1)
    truth = np.mean([nearest_mean_splits(rng, TRAIN, 5000, splits=1)[0] for _ in range(100)])
    return Case(draw, float(truth), slow=True)


def learning_curves(rng, splits):
    """Return rows with the accuracy at increasing training sizes on splits of one pool."""
    y = rng.integers(2, size=TRAIN + TEST)
    x = rng.normal(size=(len(y), 5)) + 0.5 * (2 * y[:, None] - 1)
    rows = []
    for seed in range(splits):
        order = rng.permutation(len(y))
        test = order[TRAIN:]
        for size in (3, 6, 35, 70, 140):
            train = order[:size]
            means = [x[train][y[train] == c].mean(0) if (y[train] == c).any() else np.zeros(5) for c in (0, 1)]
            distance = [((x[test] - m) ** 2).sum(1) for m in means]
            accuracy = 100 * np.mean((distance[1] < distance[0]) == y[test])
            rows.append({"seed": seed, "n_per_set": size, "accuracy_percent": accuracy, "n_train": size, "n_test": TEST})
    return pd.DataFrame(rows)


def of_curves(measure, splits=10):
    """A measure of learning curves. The truth is its mean over pools."""
    rng = np.random.default_rng(1)
    truth = np.mean([measure(learning_curves(rng, 2)).value for _ in range(300)])
    return Case(lambda rng: measure(learning_curves(rng, splits)), float(truth), conservative=True, slow=True)


def datasets(n):
    """A mean over datasets, each with its own difficulty."""

    def draw(rng):
        percent = rng.normal(50, 8, n)
        rows = [{"left_out": "", "value": percent.mean(), "n_sets": n}]
        rows += [{"left_out": str(i), "value": np.delete(percent, i).mean(), "n_sets": n - 1} for i in range(n)]
        return measures.jackknife_over_datasets("value", pd.DataFrame(rows))

    return Case(draw, 50.0)


def of_conditions(measure, statistic):
    """A measure of the accuracies of eight conditions, on splits of pools whose images make each condition easier or harder.

    A pool of 200 images varies as much as the correction for the images that splits share assumes. The truth is the mean over splits of
    ``statistic``, which returns the measure of each row of accuracies.
    """
    level, of_split, of_pool = np.linspace(80, 45, 8), 3.0, 3.0 * np.sqrt(TEST / TRAIN)

    def draw(rng):
        splits = level + rng.normal(0, of_pool, 8) + rng.normal(0, of_split, (10, 8))
        columns = {"seed": np.repeat(range(10), 8), "transform": np.tile(list("abcdefgh"), 10), "accuracy_percent": splits.ravel()}
        return measure(pd.DataFrame(columns).assign(n_train=TRAIN, n_test=TEST))

    many = level + np.random.default_rng(1).normal(0, np.hypot(of_pool, of_split), (100_000, 8))
    return Case(draw, float(statistic(many).mean()), conservative=True, slow=True)


def order():
    """The correlation with a published order, which is that of the columns."""
    published = {(name,): 80.0 - place for place, name in enumerate("abcdefgh")}

    def spearman(rows):
        return 1 - (((-rows).argsort(1).argsort(1) - np.arange(8)) ** 2).sum(1) / 84

    return of_conditions(lambda rows: measures.order_correlation(published, ("transform",), rows), spearman)


def ratio():
    """The ratio of two conditions."""
    measure = functools.partial(measures.ratio_over_splits, "accuracy_percent", "transform", ("h", "a"))
    return of_conditions(measure, lambda rows: rows[:, 7] / rows[:, 0])


def counted(n, share, unit):
    """Datasets or pairs of which a share has a property."""

    def draw(rng):
        return measures.counted_percent("part", "whole", unit, pd.DataFrame({"part": [rng.binomial(n, share)], "whole": n}))

    return Case(draw, 100 * share, conservative=True)


CASES = {
    ("dataset_bias.measures.over_splits", "splits"): {f"{n} splits": splits(TRAIN, TEST, of_splits, n) for n in (5, 10)},
    ("dataset_bias.measures.difference_over_splits", "splits"): {
        f"two classifiers, {n} splits": difference_of_features(n) for n in (3, 10)
    },
    ("dataset_bias.measures.last_gain", "splits"): {"10 splits": of_curves(measures.last_gain)},
    ("dataset_bias.measures.rank_correlation", "splits"): {"10 splits": of_curves(measures.rank_correlation)},
    ("dataset_bias.measures.order_correlation", "splits"): {"8 conditions": order()},
    ("dataset_bias.measures.ratio_over_splits", "splits"): {"10 splits": ratio()},
    ("dataset_bias.measures.jackknife_over_datasets", "datasets"): {f"{n} datasets": datasets(n) for n in (4, 10)},
    ("dataset_bias.measures.counted_percent", "datasets"): {f"{n} datasets": counted(n, 0.8, "datasets") for n in (3, 5)},
    ("dataset_bias.measures.counted_percent", "pairs"): {f"{n} pairs": counted(n, 0.9, "pairs") for n in (6, 20)},
}
