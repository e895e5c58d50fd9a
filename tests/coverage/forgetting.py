"""Experiments of myth 4: training runs, the rankings that prune their data, and counts that they share."""

from itertools import combinations

import numpy as np
import pandas as pd

from myths.forgetting import correlations, measures
from tests.coverage.common import paired, seeds
from tests.coverage.experiment import Case


def two_rankings(n, of_ranking, *, crossed=False):
    """Losses over seeds, which use two rankings in turn, or both if ``crossed``. Their standard deviation over seeds is 0.3."""

    def draw(rng):
        seed = np.repeat(np.arange(n), 2) if crossed else np.arange(n)
        ranking = np.arange(len(seed)) % 2
        noise = rng.normal(0, 0.26, n)[seed] + rng.normal(0, 0.15, len(seed))
        value = rng.normal(0, of_ranking, 2)[ranking] + noise
        return measures.mean_over_rankings("value", pd.DataFrame({"seed": seed, "ranking": ranking, "value": value}))

    return Case(draw, 0.0, conservative=True)


def difference_of_rankings(n, shared):
    """Losses under two rankings, by the same seeds or by others; the first ranking costs 0.2 more."""

    def draw(rng):
        rows = [
            {"seed": seed if shared else 2 * seed + ranking, "ranking": ranking, "value": 0.2 * (ranking == 0) + rng.normal(0, 0.3)}
            for seed in range(n)
            for ranking in (0, 1)
        ]
        return measures.difference_of_rankings("value", pd.DataFrame(rows))

    return Case(draw, 0.2)


def disjoint_groups(n):
    """Percentages of examples, over disjoint groups of training runs."""
    return Case(lambda rng: measures.over_groups("value", pd.DataFrame({"first_seed": range(n), "value": rng.normal(30, 1, n)})), 30.0)


def disjoint_pairs(n):
    """Rank correlations of disjoint pairs of training runs, which vary on the scale of arctanh."""
    z = np.arctanh(0.7)

    def draw(rng):
        return measures.mean_rank_correlation(
            "rho", pd.DataFrame({"first_seed": range(n), "runs": 1, "rho": np.tanh(rng.normal(z, 0.04, n))})
        )

    return Case(draw, 0.7)


def pairs_of_runs(n):
    """Correlations of the counts of all pairs of training runs: each run has a reliability, and each pair noise of its own."""

    def draw(rng):
        run = rng.normal(0, 0.02, n)
        return correlations.mean_correlation({(a, b): 0.8 + run[a] + run[b] + rng.normal(0, 0.003) for a, b in combinations(range(n), 2)})

    return Case(draw, 0.8)


def sums_of_runs(n):
    """The same for sums over five runs."""

    def draw(rng):
        pairs = pairs_of_runs(n).draw(rng)
        return measures.sum_correlation(5, pd.DataFrame([{"pearson": pairs.value, "low": pairs.low, "high": pairs.high, "seeds": pairs.n}]))

    return Case(draw, 5 * 0.8 / (1 + 4 * 0.8))


def rises(n):
    """Mean counts at four levels of noise. The last rise is the smallest by far."""

    def draw(rng):
        levels, means = (0.0, 1.0, 2.0, 3.0), (1.0, 4.0, 8.0, 9.0)
        of_seed = rng.normal(0, 0.5, n)
        rows = [
            {"seed": seed, "pixel_noise": level, "mean_count": mean + of_seed[seed] + rng.normal(0, 0.3)}
            for seed in range(n)
            for level, mean in zip(levels, means, strict=True)
        ]
        return measures.smallest_rise(pd.DataFrame(rows))

    return Case(draw, 1.0, slow=True)


def windows(n):
    """Accuracies by the window that is pruned. The third of six windows is the worst by far."""
    accuracy = (96.0, 95.9, 95.0, 95.6, 95.7, 95.8)

    def draw(rng):
        rows = [
            {
                "seed": s,
                "window": True,
                "skipped_percent": 10 * i,
                "test_accuracy_percent": a + rng.normal(0, 0.1),
                "pruning_order": "ordered",
            }
            for s in range(n)
            for i, a in enumerate(accuracy)
        ]
        rows += [
            {
                "seed": s,
                "window": False,
                "skipped_percent": 0,
                "test_accuracy_percent": 95.9 + rng.normal(0, 0.1),
                "pruning_order": "random",
            }
            for s in range(n)
        ]
        return measures.worst_window_loss("below_random_pp", pd.DataFrame(rows).assign(pruned_percent=10))

    return Case(draw, 0.9, slow=True)


CASES = {
    ("forgetting.measures.mean_over_rankings", "seeds"): {
        "50 seeds, equal rankings": two_rankings(50, 0.0),
        "20 seeds, small differences": two_rankings(20, 0.05),
        "3 seeds, equal rankings": two_rankings(3, 0.0),
        "8 seeds, rankings differ by two thirds of the seeds": two_rankings(8, 0.2),
        "8 seeds, each with both rankings": two_rankings(8, 0.1, crossed=True),
    },
    ("forgetting.measures.difference_of_rankings", "seeds"): {
        "3 shared seeds": difference_of_rankings(3, True),
        "10 and 10 seeds": difference_of_rankings(10, False),
    },
    ("forgetting.measures.over_groups", "seeds"): {f"{n} groups": disjoint_groups(n) for n in (3, 5)},
    ("forgetting.measures.mean_rank_correlation", "seeds"): {"5 pairs": disjoint_pairs(5)},
    ("forgetting.measures.after_presentations", "seeds"): {
        "3 seeds": seeds(3, lambda rows: measures.after_presentations("value", 100.0, rows.assign(epochs=40))),
    },
    ("forgetting.measures.unforgettable_difference", "seeds"): {
        f"{n} seeds": paired(
            n,
            lambda rows: measures.unforgettable_difference("a", "b", rows.assign(epochs=6.0, train_examples=0)),
            "dataset",
            ("a", "b"),
            column="unforgettable_percent",
        )
        for n in (3, 5)
    },
    ("lab.measures.from_columns of forgetting.count_correlations", "seeds"): {f"{n} runs": pairs_of_runs(n) for n in (5, 10)},
    ("forgetting.measures.sum_correlation of forgetting.count_correlations", "seeds"): {f"{n} runs": sums_of_runs(n) for n in (5, 10)},
    ("forgetting.measures.smallest_rise", "seeds"): {f"{n} seeds": rises(n) for n in (3, 5)},
    ("forgetting.measures.worst_window_loss", "seeds"): {"5 seeds": windows(5)},
}
