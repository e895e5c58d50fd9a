"""Experiments of myth 10: pairs of wirings, and draws of few wirings."""

from functools import partial

import pandas as pd

from myths.lab import measures as shared
from myths.wiring import measures
from tests.coverage.common import paired
from tests.coverage.experiment import Case

SHAPES = ("ring-like", "small-world")


def few(n, share):
    """Draws of few wirings of which a share gives a surface like that of all."""
    return Case(
        lambda rng: measures.close_draws(pd.DataFrame({"close_draws": [rng.binomial(n, share)], "draws": [n]})),
        100 * share,
        conservative=True,
    )


CASES = {
    ("lab.measures.paired_difference", "seeds"): {
        "five folds": paired(
            5, partial(shared.paired_difference, "error_percent", "shape", SHAPES), "shape", SHAPES, column="error_percent"
        ),
    },
    ("wiring.measures.better_arm", "seeds"): {
        "eight pairs": paired(8, partial(measures.better_arm, SHAPES), "arm", SHAPES, pair="pair", column="test_error_percent"),
    },
    ("wiring.measures.close_draws", "models"): {"200 draws, 95 %": few(200, 0.95)},
}
