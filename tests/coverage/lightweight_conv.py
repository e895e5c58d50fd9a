"""Experiments of myth 6: processes at several lengths, and training runs of several layers."""

from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from myths.lightweight_conv import measures
from myths.lightweight_conv.published import ABLATION
from tests.coverage.common import seeds
from tests.coverage.experiment import Case

LENGTHS = (16, 24, 64, 128)
CONVOLUTIONS = [layer for layer in ABLATION if not layer.startswith("attention")]


def ratios(measure, means, spread, processes=5):
    """Ratios of times at each length, in the same processes."""

    def draw(rng):
        logs = np.log(means) + rng.normal(0, spread, (processes, len(LENGTHS)))
        rows = [{"length": length, "ratio": np.exp(v)} for line in logs for length, v in zip(LENGTHS, line, strict=True)]
        return measure("ratio", LENGTHS, pd.DataFrame(rows))

    return Case(draw, (min if measure is measures.smallest_ratio else max)(means), conservative=True)


def over_processes(n):
    """An exponent that differs between processes."""
    return Case(lambda rng: measures.mean_over_processes("x", pd.DataFrame({"x": rng.normal(1, 0.1, n)})), 1.0)


def gains(n, means):
    """Gains from twice as many updates, in two datasets."""

    def draw(rng):
        rows = [{"dataset": d, "updates": 1, "gain": m + e} for d, m in enumerate(means) for e in rng.normal(size=n)]
        return measures.largest_gain("gain", pd.DataFrame(rows))

    return Case(draw, max(means), conservative=True)


def standard_deviations(n, stds):
    """Scores of layers that vary over seeds."""

    def draw(rng):
        rows = [{"dataset": 0, "test_set": 0, "layer": i, "bleu": std * e} for i, std in enumerate(stds) for e in rng.normal(size=n)]
        return measures.largest_std(pd.DataFrame(rows))

    return Case(draw, max(stds), conservative=True, slow=True)


def rank_correlations(n, noise):
    """Scores of the seven convolutions: those of the paper with noise."""
    paper = np.array([ABLATION[layer].bleu for layer in CONVOLUTIONS])

    def scores(rng):
        return paper + rng.normal(0, noise, len(paper))

    rng = np.random.default_rng(1)
    truth = np.mean([stats.spearmanr(scores(rng), paper).statistic for _ in range(4000)])

    def draw(rng):
        rows = [
            {"dataset": 0, "test_set": 0, "seed": seed, "layer": layer, "bleu": bleu}
            for seed in range(n)
            for layer, bleu in zip(CONVOLUTIONS, scores(rng), strict=True)
        ]
        return measures.rank_correlation_with_paper(pd.DataFrame(rows))

    return Case(draw, float(truth), slow=True)


CASES = {
    ("lightweight_conv.measures.smallest_ratio", "processes"): {
        "equal": ratios(measures.smallest_ratio, (1.2, 1.2, 1.2, 1.2), 0.05),
        "one smaller": ratios(measures.smallest_ratio, (1.2, 1.3, 1.5, 2.0), 0.05),
    },
    ("lightweight_conv.measures.largest_ratio", "processes"): {"equal": ratios(measures.largest_ratio, (1.2, 1.2, 1.2, 1.2), 0.05)},
    ("lightweight_conv.measures.mean_over_processes", "processes"): {"5 processes": over_processes(5)},
    ("lightweight_conv.measures.largest_gain", "seeds"): {
        "equal": gains(3, (1.0, 1.0)),
        "one larger": gains(3, (1.0, -2.0)),
        "two seeds": gains(2, (1.0, -2.0)),
    },
    ("lightweight_conv.measures.percentage_over_seeds", "seeds"): {
        "5 seeds": seeds(5, partial(measures.percentage_over_seeds, "value"), truth=97.0),
    },
    ("lightweight_conv.measures.largest_std", "seeds"): {
        "eight layers": standard_deviations(8, (1.0,) * 8),
        "one varies more": standard_deviations(3, (0.3, 0.3, 1.5)),
    },
    ("lightweight_conv.measures.rank_correlation_with_paper", "seeds"): {"8 seeds": rank_correlations(8, 0.3)},
}
