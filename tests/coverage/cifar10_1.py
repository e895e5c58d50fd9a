"""Experiments of myth 3: published and own models, and the images of the test sets."""

import numpy as np
import pandas as pd
import torch
from scipy import stats

from myths.cifar10_1 import drop_explanations, linear_fit, measures, rank_comparison
from myths.cifar10_1.published import reference_table
from myths.lab.estimate import difference_of_proportions, ratio_of_proportions
from tests.coverage.common import counted
from tests.coverage.experiment import Case, Generator

PUBLISHED_FAMILIES = np.repeat(np.arange(13), (4, 1, 3, 1, 2, 2, 1, 1, 7, 2, 1, 1, 4))
"""Sizes of the families of the 30 published models."""
OWN_FAMILIES = np.repeat(np.arange(8), (1, 1, 1, 1, 2, 1, 1, 3))
"""Sizes of the families of the models of the profile "laptop"."""


def accuracies(rng: Generator, families, between: float, within: float):
    """Return original and new accuracies of models on a line of slope 1.6, with deviations of families and of models."""
    n = families.max() + 1
    centers = np.where(rng.random(n) < 0.25, rng.normal(0.85, 0.02, n), rng.normal(0.95, 0.015, n))
    x = centers[families] + rng.normal(0, 0.006, len(families))
    return x, 1.6 * x - 0.64 + rng.normal(0, between, n)[families] + rng.normal(0, within, len(families))


def population(families, between: float, within: float, statistic) -> float:
    """Return a statistic of very many models."""
    rng = np.random.default_rng(1)
    x, y = np.hstack([accuracies(rng, families, between, within) for _ in range(600)])
    return float(statistic(x, y))


def fits(families, part: str, between: float, within: float, interval=None) -> Case:
    """Slope or R² of a linear fit over families of models."""
    truth = 1.6 if part == "slope" else population(families, between, within, lambda x, y: np.corrcoef(x, y)[0, 1] ** 2)

    def draw(rng):
        x, y = accuracies(rng, families, between, within)
        return interval(x, y) if interval else getattr(linear_fit.fit(x, y, "accuracy", families), part)

    return Case(draw, truth, conservative=part == "r2")


def rank_correlations(families, between: float, within: float, interval=rank_comparison.spearman) -> Case:
    """Spearman's ρ over families of models."""
    truth = population(families, between, within, lambda x, y: stats.spearmanr(x, y).statistic)
    return Case(lambda rng: interval(*accuracies(rng, families, between, within), families), truth, conservative=True, slow=True)


def smallest_gap(models: int, equal: bool = False, images: int = 2021) -> Case:
    """The smallest accuracy gap of published models with independent errors, on 10,000 and on fewer images."""
    counts = {key: {r["model"]: r["correct"] / r["n"] for r in reference_table() if r["test_set"] == key} for key in ("original", "v4")}
    pairs = sorted(((counts["original"][m], counts["v4"][m]) for m in counts["v4"]), key=lambda pair: pair[0] - pair[1])[:models]
    if equal:
        pairs = pairs[:1] * models

    def draw(rng):
        rows = []
        for first, second in pairs:
            gap = difference_of_proportions((rng.binomial(10_000, first), rng.binomial(images, second)), (10_000, images)).affine(100)
            rows.append({"gap_pp": gap.value, "gap_low_pp": gap.low, "gap_high_pp": gap.high, "n": gap.n})
        return measures.smallest_gap(pd.DataFrame(rows))

    return Case(draw, 100 * min(a - b for a, b in pairs), slow=True)


def counts_of_images(rng: Generator, n: int, difficulty: float):
    """Return how many images 0, 1, … of 30 models classify correctly: most images are easy or hard for all."""
    return np.bincount(rng.binomial(30, rng.beta(difficulty, 0.3, n)), minlength=31)


def accuracy_of_images(difficulty: float) -> float:
    """Return the expectation of the accuracy of ``counts_of_images``."""
    return difficulty / (difficulty + 0.3)


def mean_drop(n: int, m: int) -> Case:
    """Mean drop of 30 models that share the images."""

    def draw(rng):
        return drop_explanations.mean_drop(counts_of_images(rng, n, 4.0), counts_of_images(rng, m, 2.0), rng, 500)

    return Case(draw, accuracy_of_images(4.0) - accuracy_of_images(2.0), slow=True)


def excluded_images(n: int, m: int, rate: float) -> Case:
    """Share of the drop that images explain which are easier than the others."""
    easy, other, new = (accuracy_of_images(d) for d in (12.0, 4.0, 2.0))
    full = rate * easy + (1 - rate) * other

    def draw(rng):
        k = rng.binomial(n, rate)
        counts = counts_of_images(rng, k, 12.0), counts_of_images(rng, n - k, 4.0), counts_of_images(rng, m, 2.0)
        return drop_explanations.share_of_excluded(*counts, rng, 500)

    return Case(draw, (full - other) / (full - new), slow=True)


def selection(models: int, n: int, m: int) -> Case:
    """Optimism from selecting the best of equal models with independent errors: σ·E[maximum of standard normals] on halves."""
    p, q = 0.9, 0.7
    largest = np.random.default_rng(1).normal(size=(200_000, models)).max(1).mean()

    def draw(rng):
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        original, new = (torch.from_numpy(rng.random((models, size)) < share) for size, share in ((n, p), (m, q)))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the arrays are small
        try:
            return drop_explanations.share_of_selection(original, new, 10, generator)
        finally:
            torch.set_num_threads(threads)

    return Case(draw, conservative=True, slow=True, truth=float(largest * np.sqrt(p * (1 - p) / (n / 2)) / (p - q)))


def relative(n: int, m: int, first: float, second: float) -> Case:
    """Images that no model classifies correctly, in two test sets."""

    def draw(rng):
        counts = max(1, rng.binomial(n, first)), max(1, rng.binomial(m, second))
        found = ratio_of_proportions(counts, (n, m))
        rows = pd.DataFrame([{"new_images": counts[0], "original_images": counts[1], "new_n": n}])
        return measures.hard_ratio(rows.assign(ratio=found.value, ratio_low=found.low, ratio_high=found.high))

    return Case(draw, first / second)


def most_accurate(*percent: float) -> Case:
    """The most accurate of several networks on 10,000 images."""

    def draw(rng):
        found = [100 * rng.binomial(10_000, p / 100) / 10_000 for p in percent]
        return measures.most_accurate(pd.DataFrame({"model": range(len(found)), "test_accuracy_percent": found, "n_test": 10_000}))

    return Case(draw, max(percent), conservative=True)


CASES = {
    ("lab.measures.percentage", "pairs"): {f"{p:.0%} of {n}": counted(n, p, "pairs") for p, n in ((0.03, 24), (0.2, 30))},
    ("lab.measures.percentage", "models"): {f"{p:.0%} of 30": counted(30, p, "models") for p in (0.03, 0.2)},
    ("cifar10_1.measures.smallest_gap", "test examples"): {f"8 published, {n} images": smallest_gap(8, images=n) for n in (2000, 2100)},
    ("lab.measures.from_columns of cifar10_1.mean_drops", "test examples"): {
        f"10,000 and {n:,}": mean_drop(10_000, n) for n in (2000, 2021)
    },
    ("lab.measures.from_columns of cifar10_1.drop_explanations", "test examples"): {
        "286 images excluded": excluded_images(10_000, 2021, 0.0286),
        "54 images excluded": excluded_images(10_000, 2021, 0.0054),
        "best of 10 selected": selection(10, 400, 200),
    },
    ("lab.measures.from_columns of cifar10_1.fits", "models"): {
        f"{part}, {a} and {b}": fits(PUBLISHED_FAMILIES, part, a, b)
        for part in ("slope", "r2")
        for a, b in ((0.006, 0.006), (0.009, 0.002))
    },
    ("lab.measures.from_columns of cifar10_1.new_model_fits", "models"): {
        f"{part} of own models": fits(OWN_FAMILIES, part, 0.006, 0.006) for part in ("slope", "r2")
    },
    ("cifar10_1.measures.spearman", "models"): {
        f"{len(f)} models, {a} and {b}": rank_correlations(f, a, b)
        for f in (PUBLISHED_FAMILIES, OWN_FAMILIES)
        for a, b in ((0.006, 0.006), (0.003, 0.008))
    },
    ("cifar10_1.measures.hard_ratio", "test examples"): {"2,021 and 10,000": relative(2021, 10_000, 0.011, 0.003)},
    ("cifar10_1.measures.most_accurate", "test examples"): {"three networks": most_accurate(91.0, 90.5, 85.0)},
}
