"""Experiments of myth 10: pairs of wirings, draws of few wirings, and bootstraps over wirings or generators of graphs."""

from functools import partial

import numpy as np
import pandas as pd

from myths.lab import measures as shared
from myths.lab.estimate import Estimate, bootstrap
from myths.wiring import measures, regression
from myths.wiring.trials.recomputed import percentile_interval
from tests.coverage.common import paired
from tests.coverage.experiment import Case

SHAPES = ("ring-like", "small-world")
RESAMPLES = 200


def few(n, share):
    """Draws of few wirings of which a share gives a surface like that of all."""
    return Case(
        lambda rng: measures.close_draws(pd.DataFrame({"close_draws": [rng.binomial(n, share)], "draws": [n]})),
        100 * share,
        conservative=True,
    )


# --- correlations ------------------------------------------------------------------------------------


def correlated(n, loadings, measure=None, given=None):
    """Errors of ``n`` wirings that share one factor, in several networks. The truth is the median correlation of their pairs.

    ``given`` is the share of a known number in the shared factor of two networks, which is partialled out.
    """
    pairs = [(i, j) for i in range(len(loadings)) for j in range(i + 1, len(loadings))]
    truth = float(np.median([loadings[i] * loadings[j] for i, j in pairs]))

    def draw(rng):
        factor = rng.normal(size=(n, 1))
        y = factor * loadings + rng.normal(size=(n, len(loadings))) * np.sqrt(1 - np.square(loadings))
        known = rng.normal(size=n)
        terms = np.ones((n, 1)) if given is None else regression.quadratic(known)
        y = y if given is None else y + given * known[:, None]
        return bootstrap(regression.median_correlation(y, terms, pairs), n, "models", rng, RESAMPLES)

    return Case(draw, truth, slow=True)


def sized(n, loading):
    """A partial correlation of either sign, of which the size is measured."""
    inner = correlated(n, np.array([loading, -loading]), given=1.0)

    def draw(rng):
        found = inner.draw(rng)
        ends = {"partial": found.value, "partial_low": found.low, "partial_high": found.high}
        return measures.size_of_correlation("partial", pd.DataFrame([ends | {"wirings": n}]))

    return Case(draw, abs(inner.truth), slow=True)


def largest_of(invariants, generators, versions, rho):
    """Accuracies of graphs of some generators, of which one invariant has a rank correlation ``rho`` with it and the others a third.

    Half of the variance is between generators.
    """
    wanted = np.full(invariants, rho / 3)
    wanted[0] = rho
    r = 2 * np.sin(np.pi * wanted / 6)  # Pearson's r of normal variables with this rank correlation

    def draw(rng):
        n = generators * versions
        group = np.repeat(np.arange(generators), versions)

        def normal(columns):
            return np.sqrt(0.5) * (rng.normal(size=(generators, columns))[group] + rng.normal(size=(n, columns)))

        accuracy = normal(1)
        values = np.hstack([accuracy, r * accuracy + np.sqrt(1 - r**2) * normal(invariants)])
        found = np.abs(regression.spearman_by_group(values, list(map(str, group)), RESAMPLES // 2, rng)).max(1)
        value, low, high = percentile_interval(found)
        return Estimate(value, low, high, "models", generators)

    return Case(draw, rho, slow=True)


# --- explained variance ------------------------------------------------------------------------------


def surface(n, seeds, rng):
    """Return clustering, path length and errors [n, seeds] of wirings whose error is a quadratic function with noise.

    The variance of the function is 1, that of the rest of a wiring 0.5, that of a seed 2.5.
    """
    c, length = rng.normal(size=(2, n))
    function = (c - 0.5 * length**2 + c * length) / np.sqrt(1 + 0.5 + 1)
    return c, length, (function + np.sqrt(0.5) * rng.normal(size=n))[:, None] + np.sqrt(2.5) * rng.normal(size=(n, seeds))


def in_sample(n):
    """R² of a quadratic function."""

    def draw(rng):
        c, length, errors = surface(n, 5, rng)
        return bootstrap(regression.bootstrap_r_squared(regression.quadratic(c, length), errors.mean(1)), n, "models", rng, RESAMPLES)

    return Case(draw, 0.5, slow=True)


def of_ceiling(n):
    """R² over the reliability of the means over seeds."""

    def draw(rng):
        c, length, errors = surface(n, 5, rng)
        return bootstrap(regression.explained_of_ceiling(regression.quadratic(c, length), errors), n, "models", rng, RESAMPLES)

    return Case(draw, 1 / 1.5, slow=True)


def of_folds(n, rng):
    """Return the squared residuals of ten folds of the full function and of one number, with the errors."""
    c, length, errors = surface(n, 5, rng)
    y, folds = errors.mean(1), regression.random_folds(n, rng)
    both, one = (
        (y - regression.predictions_of_folds(terms, y, folds)) ** 2 for terms in (regression.quadratic(c, length), regression.quadratic(c))
    )
    return one, both, y


def relative(n):
    """R² of ten folds of one number over that of both."""

    def draw(rng):
        one, both, y = of_folds(n, rng)
        return bootstrap(regression.relative(one, both, y), n, "models", rng, RESAMPLES)

    return Case(draw, 1 / 2.5, slow=True)


def smallest(n, networks):
    """The smallest R² of ten folds of some networks that are equally predictable. Its truth is the mean of one network."""
    rng = np.random.default_rng(1)
    truth = np.mean([1 - (both / y.var()).mean() for _, both, y in (of_folds(n, rng) for _ in range(300))])

    def draw(rng):
        rows = []
        for _ in range(networks):
            _, both, y = of_folds(n, rng)
            found = bootstrap(regression.explained(both, y), n, "models", rng, RESAMPLES)
            rows.append({"value": found.value, "value_low": found.low, "value_high": found.high, "wirings": n})
        return measures.smallest_r2("value", pd.DataFrame(rows), groups=networks)

    return Case(draw, float(truth), conservative=True, slow=True)


def reliability(n, truth):
    """Transitions of wirings that differ beyond a quadratic function of clustering and path length, and by errors of the sampling."""

    def draw(rng):
        c, length = rng.normal(size=(2, n))
        number = c - 0.5 * length**2 + np.sqrt(truth) * rng.normal(size=n) + np.sqrt(1 - truth) * rng.normal(size=n)
        error = np.sqrt(1 - truth) * np.sqrt(rng.chisquare(15, size=n) / 15)
        columns = {
            "wiring": range(n),
            "clustering": c,
            "path_length": length,
            "mean_degree": 8.0,
            "beta": number / 8,
            "beta_error": error / 8,
        }
        return measures.reliability_beyond_shape(pd.DataFrame(columns))

    return Case(draw, truth)


def better_arm(rows):
    """The difference of the two arms, of which every pair has a seed of its own."""
    return measures.better_arm(SHAPES, rows.assign(seed=rows["pair"]))


FIVE = np.sqrt([0.9, 0.8, 0.75, 0.7, 0.5])
"""Loadings of five networks on what they share."""

CASES = {
    ("lab.measures.paired_difference", "seeds"): {
        "five folds": paired(
            5, partial(shared.paired_difference, "error_percent", "shape", SHAPES), "shape", SHAPES, column="error_percent"
        ),
    },
    ("wiring.measures.better_arm", "seeds"): {
        f"{n} pairs": paired(n, better_arm, "arm", SHAPES, pair="pair", column="test_error_percent") for n in (8, 32)
    },
    ("wiring.measures.close_draws", "models"): {f"{n} draws, 95 %": few(n, 0.95) for n in (200, 1000)},
    ("lab.measures.from_columns of wiring.epochs", "models"): {
        "48 wirings, r = 0.5": correlated(48, np.sqrt([0.5, 0.5])),
        "52 wirings, r = 0.9": correlated(52, np.sqrt([0.9, 0.9])),
    },
    ("lab.measures.from_columns of wiring.network_pairs", "models"): {"52 wirings, five networks": correlated(52, FIVE)},
    ("lab.measures.from_columns of wiring.other_collection", "models"): {
        "16 invariants, 95 generators": largest_of(16, 95, 3, 0.35),
        "4 invariants, 110 generators": largest_of(4, 110, 1, 0.35),
    },
    ("lab.measures.from_columns of wiring.surfaces", "models"): {
        "R², 4,000 wirings": in_sample(4000),
        "of the ceiling, 500 wirings": of_ceiling(500),
        "relative, 1,000 wirings": relative(1000),
    },
    ("wiring.measures.reliability_beyond_shape", "models"): {
        "150 wirings, half": reliability(150, 0.5),
        "160 wirings, 70 %": reliability(160, 0.7),
    },
    ("wiring.measures.smallest_r2", "models"): {f"five of {n} wirings": smallest(n, 5) for n in (47, 52)},
    ("wiring.measures.size_of_correlation", "models"): {
        "160 wirings, r = 0.2": sized(160, np.sqrt(0.2)),
        "160 wirings, r = 0.5": sized(160, np.sqrt(0.5)),
    },
}
