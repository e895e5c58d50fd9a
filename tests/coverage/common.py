"""What a repetition draws: seeds, processes, images, splits, counted things. Experiments that several myths share."""

from functools import partial

import numpy as np
import pandas as pd

from myths.lab import measures
from myths.lab.estimate import clopper_pearson, corrected_t, mean_of_shares, student_t
from tests.coverage.experiment import Case

MEAN_OVER_SEEDS = partial(measures.mean_over_seeds, "value")
OVER_PROCESSES = partial(measures.geometric_mean, source_of_variation="processes")


def by_seed(values) -> pd.DataFrame:
    """Return rows with one value per seed."""
    return pd.DataFrame({"seed": np.arange(len(values)), "value": values})


def seeds(n, measure=MEAN_OVER_SEEDS, kind="normal", truth=50.0, std=1.0):
    """Training runs that differ by their seed."""
    draw = {"normal": lambda rng: rng.normal(size=n), "uniform": lambda rng: rng.uniform(-1, 1, n)}[kind]
    return Case(lambda rng: measure(by_seed(truth + std * draw(rng))), truth)


def few_values(n, shares, weights):
    """Fractions over seeds that take few values, so that all seeds are often equal."""
    shares, weights = np.array(shares), np.array(weights)
    draw = partial(measures.mean_share_over_seeds, "value")
    return Case(lambda rng: draw(by_seed(rng.choice(shares, n, p=weights))), float(shares @ weights), conservative=True)


def paired(n, measure, by, conditions, pair="seed", column="value"):
    """Pairs of runs of two conditions. Both differ by what the pair shares and by noise of their own; the truth is a difference of 2."""

    def draw(rng):
        shared, own = rng.normal(size=n), rng.normal(size=(2, n))
        frames = [pd.DataFrame({pair: range(n), by: c, column: d + shared + o}) for c, d, o in zip(conditions, (2, 0), own, strict=True)]
        return measure(pd.concat(frames))

    return Case(draw, 2.0)


def processes(n, spread, interval=OVER_PROCESSES):
    """A ratio of times: the processes differ by ``spread`` on the log scale."""
    return Case(lambda rng: interval(np.exp(rng.normal(np.log(20), spread, n)).tolist()), 20.0)


def images(n, share, interval=clopper_pearson, percent=False):
    """Images of which a network classifies a share correctly."""
    return Case(lambda rng: interval(int(rng.binomial(n, share)), n), 100 * share if percent else share, conservative=True)


def counted(n, share, unit):
    """Things of which a share has a property."""

    def draw(rng):
        rows = pd.DataFrame({"part": [rng.binomial(n, share)], "whole": [n]})
        return measures.percentage("part", "whole", rows, source_of_variation=unit)

    return Case(draw, 100 * share, conservative=True)


def left_unchanged(n, rate, interval=mean_of_shares):
    """What attacks leave of maps: little of most, and everything of a ``rate`` of the images."""

    def draw(rng):
        return interval(np.where(rng.random(n) < rate, 1.0, rng.beta(0.5, 49.5, n)))

    return Case(draw, rate + (1 - rate) * 0.01, conservative=True)


def nearest_mean_splits(rng, n_train, n_test, splits=10):
    """Return the accuracies of a nearest-mean classifier on random splits of one pool of two classes."""
    y = rng.integers(2, size=n_train + n_test)
    x = rng.normal(size=(len(y), 5)) + 0.5 * (2 * y[:, None] - 1)
    found = []
    for _ in range(splits):
        order = rng.permutation(len(y))
        train, test = order[:n_train], order[n_train:]
        means = [x[train][y[train] == c].mean(0) for c in (0, 1)]
        distance = [((x[test] - m) ** 2).sum(1) for m in means]
        found.append(float(np.mean((distance[1] < distance[0]) == y[test])))
    return found


def splits(n_train, n_test, interval=None, n=10):
    """Accuracy on random splits of a pool that is drawn anew. The truth is the mean accuracy over very many images."""
    rng = np.random.default_rng(1)
    truth = np.mean([nearest_mean_splits(rng, n_train, 20_000, splits=1)[0] for _ in range(40)])
    interval = interval or (lambda values: corrected_t(values, n_test / n_train))
    return Case(lambda rng: interval(nearest_mean_splits(rng, n_train, n_test, n)), float(truth))


def over_splits(values):
    """Return Student's t interval, which takes splits of one pool as independent."""
    return student_t(values, "splits")


CASES = {
    ("lab.measures.mean_over_seeds", "seeds"): {f"{n} seeds": seeds(n) for n in (3, 5, 8, 50)} | {"8, uniform": seeds(8, kind="uniform")},
    ("lab.measures.mean_share_over_seeds", "seeds"): {
        "3 seeds, mostly 0": few_values(3, (0, 1 / 19, 1), (0.8, 0.15, 0.05)),
        "3 seeds, half 1": few_values(3, (0, 1), (0.5, 0.5)),
        "5 seeds, mostly 1/19": few_values(5, (1 / 19, 10 / 19), (0.95, 0.05)),
        "10 seeds, mostly 1": few_values(10, (0, 18 / 19, 1), (0.03, 0.3, 0.67)),
    },
}
