"""Experiments of myth 5: training runs that fail or not."""

import numpy as np
import pandas as pd

from myths.fixup import measures
from myths.fixup.tables import SETTING
from tests.coverage.experiment import Case


def runs(measure, rate, truth, n=5):
    """Training runs of which a ``rate`` fails."""

    def draw(rng):
        failed = rng.random(n) < rate
        return measure(pd.DataFrame({"diverged_at": np.where(failed, 10.0, np.nan), "test_accuracy_percent": np.where(failed, 10.0, 50.0)}))

    return Case(draw, truth, conservative=True)


def two_methods(first, second, n=5):
    """Training runs of two methods, which diverge at different rates."""

    def draw(rng):
        diverged = np.concatenate([rng.random(n) < first, rng.random(n) < second])
        rows = {"method": ["fixup"] * n + ["bn"] * n, "diverged_at": np.where(diverged, 10.0, np.nan)}
        return measures.divergence_difference("fixup", "bn", pd.DataFrame(rows))

    return Case(draw, 100 * (first - second), conservative=True)


def settings(accuracies, n=3, spread=2.0):
    """Training runs in several settings of one network."""

    def draw(rng):
        rows = [(*[i] * len(SETTING), seed, rng.normal(accuracy, spread)) for i, accuracy in enumerate(accuracies) for seed in range(n)]
        return measures.lowest_accuracy(pd.DataFrame(rows, columns=[*SETTING, "seed", "test_accuracy_percent"]))

    return Case(draw, min(accuracies), conservative=True)


CASES = {
    ("fixup.measures.lowest_accuracy", "seeds"): {
        "38 and 29 %, 3 seeds": settings((38, 29)),
        "30 %, 5 seeds": settings((30, 38, 45), 5),
        "three times 30 %, 3 seeds": settings((30, 30, 30)),
    },
    ("fixup.measures.failures_percent", "seeds"): {
        f"{r:.0%} of {n} fail": runs(measures.failures_percent, r, 100 * r, n) for r, n in ((0.1, 5), (0.5, 5), (0.5, 10))
    },
    ("fixup.measures.successes_percent", "seeds"): {
        f"{r:.0%} of {n} fail": runs(measures.successes_percent, r, 100 - 100 * r, n) for r, n in ((0.1, 10), (0.5, 5))
    },
    ("fixup.measures.divergence_difference", "seeds"): {
        f"{a:.0%} and {b:.0%}, {n} runs each": two_methods(a, b, n) for a, b, n in ((0.9, 0.1, 5), (0.5, 0.3, 32), (0.95, 0.05, 5))
    },
}
