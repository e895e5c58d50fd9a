"""Experiments of myth 9: draws of starts, trees and tables, and disjoint pairs of networks."""

from functools import partial

import numpy as np
import pandas as pd

from myths.order import hierarchy, measures
from tests.coverage.common import paired
from tests.coverage.experiment import Case


def draws(n):
    """A number of each of ``n`` starts."""
    return Case(lambda rng: measures.mean_over_draws("value", pd.DataFrame({"value": rng.normal(-0.94, 0.05, n)})), -0.94)


def shares(n, share):
    """Starts of which a share learns the modes in order."""
    return Case(lambda rng: measures.share_of_draws("ordered", pd.DataFrame({"ordered": rng.random(n) < share})), share, conservative=True)


def shares_at_most(n, rate):
    """Small counts of networks, which are 0 in a share of them (Poisson)."""

    def draw(rng):
        return measures.share_at_most("count", 0, pd.DataFrame({"count": rng.poisson(rate, n)}))

    return Case(draw, float(np.exp(-rate)), conservative=True)


def trees(n):
    """Trees whose singular values are those of the formula."""
    contrasts, levels = hierarchy.contrasts(2)

    def draw(rng):
        tables = np.array([hierarchy.branching_diffusion(2, 60, 0.1, rng) for _ in range(n)]) / np.sqrt(60)
        rows = hierarchy.level_deviations(((contrasts @ tables) ** 2).sum(2), levels, 0.1)
        return measures.largest_deviation_percent(pd.DataFrame(rows).assign(draws=n))

    return Case(draw, 0.0, conservative=True, slow=True)


def categories(n, offsets, measure, truth):
    """Overlaps at several coherences, each with another distance from its curve."""

    def draw(rng):
        frames = [
            pd.DataFrame({"coherence": c, "noise": "gaussian", "overlap": rng.normal(0.4 + offset, 0.03, n), "expected_overlap": 0.4})
            for c, offset in enumerate(offsets)
        ]
        return measure("overlap", pd.concat(frames))

    return Case(draw, truth, conservative=True, slow=True)


def pairs(n):
    """Rank correlations of disjoint pairs of networks, which vary on the scale of arctanh."""

    def draw(rng):
        rows = pd.DataFrame({"pair": range(n), "rho": np.tanh(rng.normal(np.arctanh(0.8), 0.1, n))})
        return measures.correlation_over_pairs("rho", rows)

    return Case(draw, 0.8)


CASES = {
    ("order.measures.mean_over_draws", "seeds"): {f"{n} draws": draws(n) for n in (6, 200)},
    ("order.measures.share_of_draws", "seeds"): {"48 draws, 90 %": shares(48, 0.9), "200 draws, 30 %": shares(200, 0.3)},
    ("order.measures.share_at_most", "seeds"): {
        f"{n} networks, {rate} on average": shares_at_most(n, rate) for n, rate in ((6, 0.1), (6, 0.3), (200, 0.01))
    },
    ("order.measures.largest_deviation_percent", "seeds"): {"200 trees": trees(200)},
    ("order.measures.largest_distance", "seeds"): {
        "six points on the curve": categories(12, [0.0] * 6, measures.largest_distance, 0.0),
        "one of six is off": categories(30, [0.0] * 5 + [-0.05], measures.largest_distance, 0.05),
        "six equally off": categories(12, [0.02, -0.02] * 3, measures.largest_distance, 0.02),
    },
    ("order.measures.largest_mean", "seeds"): {
        f"{k} equal means of {n}": categories(n, [0.0] * k, measures.largest_mean, 0.4) for k, n in ((10, 12), (4, 30))
    },
    ("order.measures.correlation_over_pairs", "seeds"): {f"{n} pairs": pairs(n) for n in (3, 5)},
    ("order.measures.correlation_difference", "seeds"): {
        f"{n} pairs": paired(n, partial(measures.correlation_difference, "value", "labels", ("a", "b")), "labels", ("a", "b"), pair="pair")
        for n in (3, 5)
    },
    ("order.measures.kind_difference", "seeds"): {
        "3 pairs": paired(3, partial(measures.kind_difference, "value"), "networks", ("cnn", "cnn and mlp"), pair="pair"),
    },
}
