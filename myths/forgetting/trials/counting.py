"""Trials that count forgetting events, and trials that combine or compare the counts of several training runs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from myths.forgetting import correlations
from myths.forgetting.trials.training import DIGITS, TrainingTrial
from myths.lab.setting import Fraction, Items, Range
from myths.lab.trial import Context, Outcome, Trial

N_EXTREME_EXAMPLES = 40
"""Number of least and of most forgotten examples that are stored for a figure."""


@dataclass(frozen=True, kw_only=True)
class CountForgetting(TrainingTrial):
    """Train once and count how often each training example is forgotten (Toneva et al. 2019, Alg. 1 and Sec. 4).

    ``label_noise`` is the fraction of flipped labels (Sec. 4.2, Fig. 3). ``pixel_noise`` is the standard deviation of the noise added to
    every pixel (Fig. 11), as described in ``noise.add_pixel_noise``; 0 adds none.
    """

    label_noise: Fraction = 0.0
    """Fraction of labels that are flipped to another class."""
    pixel_noise: Annotated[float, Range(at_least=0)] = 0.0
    """Standard deviation of noise on every pixel, in gray levels."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"train_seconds"})
    published_arrays: ClassVar[tuple[str, ...]] = ("counts", "first_learned", "margin")

    @classmethod
    def test_instance(cls) -> CountForgetting:
        """Return three epochs on 200 digits with 20 % flipped labels."""
        return cls(**DIGITS, epochs=3.0, train_examples=200, label_noise=0.2)

    def run(self, context: Context) -> Outcome:
        """Return one row of ``kind`` "summary" and one row of ``kind`` "histogram" per count.

        "summary": n, unforgettable, never_learned, mean_count, correlations of the counts with margin and first learning, and rank
        correlations of the counts after 1/8 and 3/8 of the epochs (25 and 75 of the paper's 200) with the final counts. "histogram": count,
        examples. Arrays: counts (examples that were never learned have the maximum), learning_events, first_learned, margin,
        counts_after_K, and flipped.
        """
        from myths.forgetting.counter import ForgettingCounter
        from myths.forgetting.noise import add_pixel_noise, flip_labels
        from myths.lab.vision.training import Hooks

        examples = self.examples(context)
        x, y, flipped = examples.x, examples.y, None
        if self.label_noise:
            y, flipped = flip_labels(y, self.label_noise, examples.classes, context.generator("label noise"))
        if self.pixel_noise:
            x = add_pixel_noise(x, self.pixel_noise, context.generator("pixel noise"))
        network = self.initial_network(context, examples)
        counter = ForgettingCounter(len(x), context.device, self._snapshots.values())
        done = self.fit(context, network, x, y, hooks=Hooks(on_batch=counter.observe))
        arrays = counter.arrays()
        counts = arrays["counts"]
        summary = {
            "kind": "summary",
            "n": len(counts),
            **_count_columns(arrays),
            "n_presentations": int(counter.n_presentations.max()),
            **{
                f"spearman_after_{name}": correlations.correlation(arrays[f"counts_after_{epochs}"], counts, "spearman")
                for name, epochs in self._snapshots.items()
                if f"counts_after_{epochs}" in arrays
            },
            "test_accuracy_percent": self.test_accuracy_percent(context, network, examples),
            "train_seconds": done.seconds,
            "diverged_at": done.diverged_at,
        }
        if flipped is not None:
            arrays["flipped"] = flipped.cpu().numpy()
            summary |= _label_noise_columns(counts, arrays["flipped"], arrays["first_learned"])
        values, frequencies = np.unique(counts, return_counts=True)
        histogram = [
            {"kind": "histogram", "count": int(c), "examples": int(k)} for c, k in zip(values.tolist(), frequencies.tolist(), strict=True)
        ]
        return Outcome(rows=[summary, *histogram], arrays=arrays)

    @property
    def _snapshots(self) -> dict[str, int]:
        epochs = {"12_percent": round(self.epochs / 8), "38_percent": round(3 * self.epochs / 8)}
        return {name: epoch for name, epoch in epochs.items() if 0 < epoch < self.epochs}


@dataclass(frozen=True, kw_only=True)
class _OnCounts(Trial):
    """Base class of trials on the counts of several training runs."""

    count_trials: Annotated[tuple[CountForgetting, ...], Items(at_least=1)]
    """Counts of several training runs."""

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the columns of tables that the settings determine."""
        first = self.count_trials[0]
        return {**super().columns, "dataset": first.columns["dataset"], "network": first.network}


@dataclass(frozen=True, kw_only=True)
class CountUnforgettable(_OnCounts):
    """Count the examples that are learned and never forgotten in any of several training runs (Sec. 4.1, "across 5 seeds").

    Counts are summed over the runs; the authors sort by this sum. The percentage of a single run is larger.
    """

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the columns of tables that the settings determine."""
        return {**super().columns, "first_seed": self.count_trials[0].seed}

    @classmethod
    def test_instance(cls) -> CountUnforgettable:
        """Return two training runs on digits."""
        return cls(count_trials=tuple(replace(CountForgetting.test_instance(), seed=seed) for seed in (0, 1)))

    def run(self, context: Context) -> Outcome:
        """Return one row.

        Columns: n, training_runs, unforgettable, mean_count, correlations of the summed count with margin and first learning, and the
        indices of the least and most forgotten examples. Array: counts.
        """
        each = [context.outcome(trial).arrays for trial in self.count_trials]
        summed = {name: np.sum([a[name].astype(np.float64) for a in each], axis=0) for name in ("counts", "margin")}
        # "Never correct" comes after every presentation at which an example can be correct first.
        summed["first_learned"] = np.sum([_first_learned(a["first_learned"], a["counts"]) for a in each], axis=0)
        counts = summed["counts"]
        order = np.lexsort((-summed["margin"], counts))  # ties: the largest margin first
        row = {
            "n": len(counts),
            "training_runs": len(self.count_trials),
            "first_seed": self.count_trials[0].seed,
            "unforgettable": int((counts == 0).sum()),
            "mean_count": float(counts.mean()),
            "spearman_margin": correlations.correlation(counts, summed["margin"], "spearman"),
            "spearman_first_learned": correlations.correlation(counts, summed["first_learned"], "spearman"),
            "least_forgotten": order[:N_EXTREME_EXAMPLES].tolist(),
            "most_forgotten": order[::-1][:N_EXTREME_EXAMPLES].tolist(),
        }
        return Outcome(rows=[row], arrays={"counts": counts.astype(np.int32)})


@dataclass(frozen=True, kw_only=True)
class CorrelateCounts(_OnCounts):
    """Correlate the forgetting counts of training runs that differ by their seed (Sec. 6): pairs of runs, and sums over halves of them."""

    version: ClassVar[int] = 2
    count_trials: Annotated[tuple[CountForgetting, ...], Items(at_least=2)]
    """Counts of several training runs that differ by their seed."""

    @classmethod
    def test_instance(cls) -> CorrelateCounts:
        """Return four training runs on digits."""
        return cls(count_trials=tuple(replace(CountForgetting.test_instance(), seed=seed) for seed in range(4)))

    def run(self, context: Context) -> Outcome:
        """Return rows of ``kind`` "pair", "sums" and "joint".

        "pair": Pearson correlation of the counts of two runs. "sums": that of the sums over the first and the second half of the runs.
        "joint": number of examples with one count in the first run and another count in the second run.
        """
        counts = [context.outcome(trial).arrays["counts"] for trial in self.count_trials]
        rows: list[dict[str, Any]] = [
            {
                "kind": "pair",
                "first_seed": self.count_trials[i].seed,
                "second_seed": self.count_trials[j].seed,
                "pearson": correlations.correlation(counts[i], counts[j], "pearson"),
                "n": len(counts[i]),
            }
            for i, j in itertools.combinations(range(len(counts)), 2)
        ]
        half = len(counts) // 2
        sums = np.sum(counts[:half], axis=0), np.sum(counts[half : 2 * half], axis=0)
        rows.append({"kind": "sums", "training_runs": half, "pearson": correlations.correlation(*sums, "pearson"), "n": len(counts[0])})
        pairs, frequencies = np.unique(np.stack(counts[:2], axis=1), axis=0, return_counts=True)
        rows += [
            {"kind": "joint", "first_count": int(a), "second_count": int(b), "examples": int(k)}
            for (a, b), k in zip(pairs.tolist(), frequencies.tolist(), strict=True)
        ]
        return Outcome(rows=rows)


@dataclass(frozen=True, kw_only=True)
class CompareCounts(_OnCounts):
    """Compare the forgetting counts of two training configurations: a short and a long schedule, or two networks (Sec. 6, Fig. 7 right)."""

    count_trials: Annotated[tuple[CountForgetting, ...], Items(at_least=1)]
    """Counts with the short schedule, or with one network."""
    reference_trials: Annotated[tuple[CountForgetting, ...], Items(at_least=1)]
    """Counts with the long schedule, or with the other network."""
    comparison: Literal["schedule", "network"] = "schedule"
    """Setting in which the two configurations differ."""

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the columns of tables that the settings determine."""
        return {**super().columns, "reference_protocol": self.reference_trials[0].protocol}

    @classmethod
    def test_instance(cls) -> CompareCounts:
        """Return a comparison of three with five epochs on digits."""
        short = CountForgetting.test_instance()
        return cls(count_trials=(short,), reference_trials=(replace(short, epochs=5.0),))

    def run(self, context: Context) -> Outcome:
        """Return one row.

        Columns: spearman and pearson of the summed counts, the number of unforgettable examples of each configuration and of both, and the
        average_precision of low counts as a predictor of the examples that are unforgettable in the reference.
        """
        groups = (self.count_trials, self.reference_trials)
        counts, reference = (np.sum([context.outcome(t).arrays["counts"] for t in group], axis=0) for group in groups)
        row = {
            "n": len(counts),
            "training_runs": len(self.count_trials),
            "reference_training_runs": len(self.reference_trials),
            "spearman": correlations.correlation(counts, reference, "spearman"),
            "pearson": correlations.correlation(counts, reference, "pearson"),
            "unforgettable": int((counts == 0).sum()),
            "reference_unforgettable": int((reference == 0).sum()),
            "unforgettable_in_both": int(((counts == 0) & (reference == 0)).sum()),
            "average_precision": correlations.average_precision(-counts, reference == 0),
        }
        return Outcome(rows=[row])


def _count_columns(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    counts, first = arrays["counts"], arrays["first_learned"]
    return {
        "unforgettable": int((counts == 0).sum()),
        "never_learned": int((first == 0).sum()),
        "mean_count": float(counts.mean()),
        "mean_learning_events": float(arrays["learning_events"].mean()),
        "spearman_margin": correlations.correlation(counts, arrays["margin"], "spearman"),
        "spearman_first_learned": correlations.correlation(counts, _first_learned(first, counts), "spearman"),
    }


def _label_noise_columns(counts: np.ndarray, flipped: np.ndarray, first_learned: np.ndarray) -> dict[str, Any]:
    unforgettable = (counts == 0) & (first_learned > 0)
    return {
        "flipped": int(flipped.sum()),
        "auroc": correlations.auroc(counts, flipped),
        "mean_count_flipped": float(counts[flipped].mean()) if flipped.any() else None,
        "mean_count_others": float(counts[~flipped].mean()) if not flipped.all() else None,
        "flipped_unforgettable": int((flipped & unforgettable).sum()),
    }


def _first_learned(first_learned: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the first presentation at which each example was correct; for examples that were never learned, one after the last."""
    return np.where(first_learned > 0, first_learned, counts + 1).astype(np.float64)
