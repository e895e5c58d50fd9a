"""Counting: train and count what is forgotten, combine the counts of several trainings, compare them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from myths.forgetting import agreement
from myths.forgetting.training import Training
from myths.lab.setting import Fraction, Items, Range
from myths.lab.trial import Context, Outcome, Trial

DIGITS: dict[str, Any] = {
    "dataset": "digits",
    "network": "mnist_cnn",
    "batch_size": 32,
    "learning_rate": 0.05,
    "augmentation": "none",
    "precision": "fp32",
}
EXTREMES = 40
"""How many of the least and of the most forgotten examples are named for a picture."""


@dataclass(frozen=True, kw_only=True)
class CountForgetting(Training):
    """Train once and count, for every training example, how often it is forgotten (Toneva et al. 2019, Alg. 1 and Sec. 4).

    ``label_noise`` is the share of labels flipped to a different one (Sec. 4.2, Fig. 3); ``pixel_noise`` the deviation of
    noise on every pixel, in gray levels (Fig. 11), as ``noise.add_pixel_noise`` describes it; 0 is none.
    """

    label_noise: Fraction = 0.0
    """Fraction of labels that are flipped to another class."""
    pixel_noise: Annotated[float, Range(at_least=0)] = 0.0
    """Standard deviation of noise on every pixel, in gray levels."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"train_seconds"})
    published_arrays: ClassVar[tuple[str, ...]] = ("counts", "first_learnt", "margin")

    @classmethod
    def test_instance(cls) -> CountForgetting:
        """Three epochs of 200 digits, a fifth with wrong labels."""
        return cls(**DIGITS, epochs=3.0, train_examples=200, label_noise=0.2)

    def run(self, context: Context) -> Outcome:
        """Arrays: counts (the never learnt at the maximum), learning_events, first_learnt, margin, counts_after_K, and flipped.

        Rows: ``kind`` "summary" (n, unforgettable, never_learnt, mean_count, correlations of the counts with margin and first
        learning and with the counts after 1/8 and 3/8 of the epochs, as 25 and 75 of 200), and "histogram" (count, examples).
        """
        from myths.forgetting.counting import ForgettingCounter
        from myths.forgetting.noise import add_pixel_noise, flip_labels

        examples = self.examples(context)
        x, y, flipped = examples.x, examples.y, None
        if self.label_noise:
            y, flipped = flip_labels(y, self.label_noise, examples.classes, context.generator("label noise"))
        if self.pixel_noise:
            x = add_pixel_noise(x, self.pixel_noise, context.generator("pixel noise"))
        network = self.initial_network(context, examples)
        counter = ForgettingCounter(len(x), context.device, self._snapshots.values())
        done = self.fit(context, network, x, y, on_batch=counter.observe)
        arrays = counter.arrays()
        counts = arrays["counts"]
        summary = {
            "kind": "summary",
            "n": len(counts),
            **_of_counts(arrays),
            "presentations": int(counter.presentations.max()),
            **{
                f"spearman_after_{name}": agreement.correlation(arrays[f"counts_after_{epochs}"], counts, "spearman")
                for name, epochs in self._snapshots.items()
                if f"counts_after_{epochs}" in arrays
            },
            "test_accuracy_percent": self.accuracy_percent(context, network, examples),
            "train_seconds": done.seconds,
            "diverged_at": done.diverged_at,
        }
        if flipped is not None:
            arrays["flipped"] = flipped.cpu().numpy()
            summary |= _of_noise(counts, arrays["flipped"], arrays["first_learnt"])
        found, examples_each = np.unique(counts, return_counts=True)
        histogram = [
            {"kind": "histogram", "count": int(c), "examples": int(k)} for c, k in zip(found.tolist(), examples_each.tolist(), strict=True)
        ]
        return Outcome(rows=[summary, *histogram], arrays=arrays)

    @property
    def _snapshots(self) -> dict[str, int]:
        shares = {"an_eighth": round(self.epochs / 8), "three_eighths": round(3 * self.epochs / 8)}
        return {name: epochs for name, epochs in shares.items() if 0 < epochs < self.epochs}


@dataclass(frozen=True, kw_only=True)
class _OfCounts(Trial):
    """What several counts say together."""

    counts: Annotated[tuple[CountForgetting, ...], Items(at_least=1)]
    """Counts of several training runs."""

    @property
    def columns(self) -> Mapping[str, Any]:
        """What tables say of the trial that its settings alone decide."""
        first = self.counts[0]
        return {**super().columns, "dataset": first.columns["dataset"], "network": first.network}


@dataclass(frozen=True, kw_only=True)
class Unforgettable(_OfCounts):
    """What several trainings together never forget: learnt in each, forgotten in none (Sec. 4.1, "across 5 seeds").

    Counts are summed over the trainings, as the authors sort by. Shares of single trainings are larger.
    """

    @property
    def columns(self) -> Mapping[str, Any]:
        """What tables say of the trial that its settings alone decide."""
        return {**super().columns, "first_seed": self.counts[0].seed}

    @classmethod
    def test_instance(cls) -> Unforgettable:
        """Two trainings on digits."""
        return cls(counts=tuple(replace(CountForgetting.test_instance(), seed=seed) for seed in (0, 1)))

    def run(self, context: Context) -> Outcome:
        """One row: n, unforgettable, correlations of the summed count with margin and first learning, and the extreme examples' indices."""
        each = [context.outcome(trial).arrays for trial in self.counts]
        summed = {name: np.sum([a[name].astype(np.float64) for a in each], axis=0) for name in ("counts", "margin")}
        # Never right comes after every presentation at which an example can be right first.
        summed["first_learnt"] = np.sum([_first(a["first_learnt"], a["counts"]) for a in each], axis=0)
        counts = summed["counts"]
        order = np.lexsort((-summed["margin"], counts))  # among equal counts the widest margin first
        row = {
            "n": len(counts),
            "trainings": len(self.counts),
            "first_seed": self.counts[0].seed,
            "unforgettable": int((counts == 0).sum()),
            "mean_count": float(counts.mean()),
            "spearman_margin": agreement.correlation(counts, summed["margin"], "spearman"),
            "spearman_first_learnt": agreement.correlation(counts, summed["first_learnt"], "spearman"),
            "least_forgotten": order[:EXTREMES].tolist(),
            "most_forgotten": order[::-1][:EXTREMES].tolist(),
        }
        return Outcome(rows=[row], arrays={"counts": counts.astype(np.int32)})


@dataclass(frozen=True, kw_only=True)
class Stability(_OfCounts):
    """Are the counts a property of the examples or of the seed (Sec. 6)? Pearson's r between trainings, and between halves of them."""

    version: ClassVar[int] = 2
    counts: Annotated[tuple[CountForgetting, ...], Items(at_least=2)]
    """Counts of several training runs that differ by their seed."""

    @classmethod
    def test_instance(cls) -> Stability:
        """Four trainings on digits."""
        return cls(counts=tuple(replace(CountForgetting.test_instance(), seed=seed) for seed in range(4)))

    def run(self, context: Context) -> Outcome:
        """Rows: ``kind`` "pair" (first and second seed, pearson), "sums" (the first half of the trainings against the second), and
        "joint" (how many examples have both a count in the first training and a count in the second)."""
        counts = [context.outcome(trial).arrays["counts"] for trial in self.counts]
        rows: list[dict[str, Any]] = [
            {
                "kind": "pair",
                "first": self.counts[i].seed,
                "second": self.counts[j].seed,
                "pearson": agreement.correlation(counts[i], counts[j], "pearson"),
                "n": len(counts[i]),
            }
            for i, j in itertools.combinations(range(len(counts)), 2)
        ]
        half = len(counts) // 2
        sums = np.sum(counts[:half], axis=0), np.sum(counts[half : 2 * half], axis=0)
        rows.append({"kind": "sums", "trainings": half, "pearson": agreement.correlation(*sums, "pearson"), "n": len(counts[0])})
        found, examples = np.unique(np.stack(counts[:2], axis=1), axis=0, return_counts=True)
        rows += [
            {"kind": "joint", "first_count": int(a), "second_count": int(b), "examples": int(n)}
            for (a, b), n in zip(found, examples, strict=True)
        ]
        return Outcome(rows=rows)


@dataclass(frozen=True, kw_only=True)
class CompareCounts(_OfCounts):
    """Do two ways of counting speak of the same examples? A short schedule and a long one, or two networks (Sec. 6, Fig. 7 right)."""

    counts: Annotated[tuple[CountForgetting, ...], Items(at_least=1)]
    """Counts of the short schedule, or of one network."""
    reference: Annotated[tuple[CountForgetting, ...], Items(at_least=1)]
    """The long schedule, or the other network."""
    what: Literal["schedule", "network"] = "schedule"
    """What the two differ in."""

    @property
    def columns(self) -> Mapping[str, Any]:
        """What tables say of the trial that its settings alone decide."""
        return {**super().columns, "reference_protocol": self.reference[0].protocol}

    @classmethod
    def test_instance(cls) -> CompareCounts:
        """Three epochs on digits against five."""
        short = CountForgetting.test_instance()
        return cls(counts=(short,), reference=(replace(short, epochs=5.0),))

    def run(self, context: Context) -> Outcome:
        """One row: spearman and pearson of the summed counts, both numbers of unforgettable examples, how well low counts find them."""
        ours, theirs = (np.sum([context.outcome(t).arrays["counts"] for t in group], axis=0) for group in (self.counts, self.reference))
        row = {
            "n": len(ours),
            "trainings": len(self.counts),
            "reference_trainings": len(self.reference),
            "spearman": agreement.correlation(ours, theirs, "spearman"),
            "pearson": agreement.correlation(ours, theirs, "pearson"),
            "unforgettable": int((ours == 0).sum()),
            "reference_unforgettable": int((theirs == 0).sum()),
            "unforgettable_in_both": int(((ours == 0) & (theirs == 0)).sum()),
            "average_precision": agreement.average_precision(-ours, theirs == 0),
        }
        return Outcome(rows=[row])


def _of_counts(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    counts, first = arrays["counts"], arrays["first_learnt"]
    return {
        "unforgettable": int((counts == 0).sum()),
        "never_learnt": int((first == 0).sum()),
        "mean_count": float(counts.mean()),
        "mean_learning_events": float(arrays["learning_events"].mean()),
        "spearman_margin": agreement.correlation(counts, arrays["margin"], "spearman"),
        "spearman_first_learnt": agreement.correlation(counts, _first(first, counts), "spearman"),
    }


def _of_noise(counts: np.ndarray, flipped: np.ndarray, first_learnt: np.ndarray) -> dict[str, Any]:
    unforgettable = (counts == 0) & (first_learnt > 0)
    return {
        "flipped": int(flipped.sum()),
        "auroc": agreement.auroc(counts, flipped),
        "mean_count_flipped": float(counts[flipped].mean()) if flipped.any() else None,
        "mean_count_others": float(counts[~flipped].mean()) if not flipped.all() else None,
        "flipped_unforgettable": int((flipped & unforgettable).sum()),
    }


def _first(first_learnt: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The presentation at which each example was first right; for the never learnt one after their last."""
    return np.where(first_learnt > 0, first_learnt, counts + 1).astype(np.float64)
