"""Trials on the 30 published models: accuracy, ranks, and images that no model classifies correctly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from myths.cifar10_1.published import PREDICTIONS, PROCEDURAL, TEST_SETS, NewTestSet, TestSet
from myths.lab.setting import Count, DatasetName, Seed
from myths.lab.trial import Context, Outcome, Protocol, Trial


@dataclass(frozen=True, kw_only=True)
class PublishedAccuracy(Trial):
    """Count the correctly classified images of each published model and test set (Recht et al. 2018, Table 1 and App. D).

    The source "predictions" computes the counts from the authors' per-image predictions. "reference table" copies them from a table of this
    suite, which was computed from the same predictions and needs no download.
    """

    source: Literal["predictions", "reference table"]
    """Source of the published accuracies."""

    @property
    def protocol(self) -> Protocol:
        """Return "recomputed": models and images are the authors'."""
        return "recomputed"

    @property
    def data(self) -> tuple[str, ...]:
        """Return the published predictions, or nothing for the reference table."""
        return (PREDICTIONS,) if self.source == "predictions" else ()

    @classmethod
    def test_instance(cls) -> PublishedAccuracy:
        """Return the trial that copies the reference table."""
        return cls(source="reference table")

    def run(self, context: Context) -> Outcome:
        """Return one row per model and test set: n, correct, balanced_percent (mean of the class accuracies)."""
        from myths.cifar10_1.published import predictions, reference_table

        if self.source == "reference table":
            return Outcome(rows=list(reference_table()))
        rows = []
        for test_set in TEST_SETS:
            published = predictions(PREDICTIONS, test_set)
            rows += [
                {
                    "model": model,
                    "test_set": test_set,
                    "n": len(published.labels),
                    "correct": int(correct),
                    "balanced_percent": float(balanced),
                }
                for model, correct, balanced in zip(published.models, published.correct.sum(1), 100 * published.balanced, strict=True)
            ]
        return Outcome(rows=rows)


@dataclass(frozen=True, kw_only=True)
class _OnPredictions(Trial):
    """Base class of trials that compare the published per-image predictions on the original and on one new test set."""

    test_set: NewTestSet
    """Version of CIFAR-10.1."""
    predictions: DatasetName = PREDICTIONS
    """Predictions of the published models."""

    @property
    def protocol(self) -> Protocol:
        """Return "recomputed" unless the predictions are procedural."""
        return "stand-in" if self.predictions == PROCEDURAL else "recomputed"

    @property
    def data(self) -> tuple[str, ...]:
        """Return the published predictions, or nothing for procedural ones."""
        return () if self.predictions == PROCEDURAL else (self.predictions,)


@dataclass(frozen=True, kw_only=True)
class PublishedRanks(_OnPredictions):
    """Compare the ranking of the published models on the original and on a new test set.

    A pair of models is a rank reversal if the model with the lower original accuracy has the higher accuracy on the new test set. Each
    reversal is tested by the exact McNemar test on the new images. With 2,000 images the test has little power between nearly equal models:
    the absence of significant reversals is no proof of an unchanged ranking.
    """

    @classmethod
    def test_instance(cls) -> PublishedRanks:
        """Return a comparison of five procedural models."""
        return cls(test_set="v4", predictions=PROCEDURAL)

    def run(self, context: Context) -> Outcome:
        """Return a row of ``kind`` "total" and one row of ``kind`` "reversal" per reversed pair.

        "total" has pairs, rank_reversals, significant_reversals, spearman, kendall and largest_rank_change; "reversal" has the two models
        and the McNemar p_value.
        """
        import numpy as np

        from myths.cifar10_1 import rank_comparison
        from myths.cifar10_1.published import predictions

        original, new = predictions(self.predictions, "original"), predictions(self.predictions, self.test_set)
        compared = rank_comparison.compare(original.correct, new.correct)
        scores = original.correct.sum(1), new.correct.sum(1)
        spearman, kendall = rank_comparison.correlations(*scores)
        total = {
            "kind": "total",
            "pairs": compared.pairs,
            "rank_reversals": compared.rank_reversals,
            "significant_reversals": compared.significant(),
            "spearman": spearman,
            "kendall": kendall,
            "largest_rank_change": int(np.abs(rank_comparison.rank_changes(*scores)).max()),
        }
        swapped = scores[0][compared.first] < scores[0][compared.second]
        better = np.where(swapped, compared.second, compared.first)
        worse = np.where(swapped, compared.first, compared.second)
        reversals = [
            {"kind": "reversal", "better_on_original": original.models[i], "better_on_new": original.models[j], "p_value": p}
            for i, j, p in zip(better.tolist(), worse.tolist(), compared.p_values.tolist(), strict=True)
        ]
        return Outcome(rows=[total, *reversals])


@dataclass(frozen=True, kw_only=True)
class PublishedHardImages(_OnPredictions):
    """Count the images that no published model, and that every published model, classifies correctly, on both test sets."""

    @classmethod
    def test_instance(cls) -> PublishedHardImages:
        """Return a count over five procedural models."""
        return cls(test_set="v4", predictions=PROCEDURAL)

    def run(self, context: Context) -> Outcome:
        """Return one row: models; n, none_correct and all_correct of the original (``original_…``) and the new (``new_…``) test set."""
        from myths.cifar10_1.published import predictions

        row: dict[str, int] = {}
        sets: dict[str, TestSet] = {"original": "original", "new": self.test_set}
        for prefix, test_set in sets.items():
            published = predictions(self.predictions, test_set)
            models_correct = published.correct.sum(0)
            row |= {
                "models": len(published.models),
                f"{prefix}_n": len(models_correct),
                f"{prefix}_none_correct": int((models_correct == 0).sum()),
                f"{prefix}_all_correct": int((models_correct == len(published.models)).sum()),
            }
        return Outcome(rows=[row])


@dataclass(frozen=True, kw_only=True)
class PublishedMeanDrop(_OnPredictions):
    """Measure the mean accuracy drop of the published models, with an interval over the images that all models share."""

    @classmethod
    def test_instance(cls) -> PublishedMeanDrop:
        """Return the mean drop of five procedural models."""
        return cls(test_set="v4", predictions=PROCEDURAL)

    def run(self, context: Context) -> Outcome:
        """Return one row: n (images of the smaller test set), models, drop_pp with its interval."""
        import numpy as np

        from myths.cifar10_1 import drop_explanations
        from myths.cifar10_1.published import predictions

        correct = [predictions(self.predictions, name).correct for name in ("original", self.test_set)]
        original, new = (np.bincount(each.sum(0), minlength=len(each) + 1) for each in correct)
        drop = drop_explanations.mean_drop(original, new, np.random.default_rng(0)).affine(100)
        row = {"n": drop.n, "models": len(correct[0]), "drop_pp": drop.value, "drop_low_pp": drop.low, "drop_high_pp": drop.high}
        return Outcome(rows=[row])


@dataclass(frozen=True, kw_only=True)
class ExcludeTestImages(Trial):
    """Measure how much of the mean drop near-duplicates or label errors in the CIFAR-10 test set explain.

    The images are excluded from the test set, and the mean accuracy of the published models is recomputed. Near-duplicates of training
    images come from ciFAIR (Barz & Denzler 2020). A label is an error if fewer than three of five annotators gave it (Northcutt et al.
    2021). CIFAR-10.1 v4 is unchanged, since its label errors are unknown.
    """

    reason: Literal["near-duplicate", "label error"]
    """Reason for the exclusion of images."""

    @property
    def protocol(self) -> Protocol:
        """Return "recomputed": models and images are the authors'."""
        return "recomputed"

    @classmethod
    def test_instance(cls) -> ExcludeTestImages:
        """Return the exclusion of near-duplicates."""
        return cls(reason="near-duplicate")

    def run(self, context: Context) -> Outcome:
        """Return one row: n_excluded, n, accuracy_percent, kept_percent, drop_pp, share_percent with its interval."""
        import numpy as np

        from myths.cifar10_1 import drop_explanations

        excluded, kept, new = drop_explanations.excluded_counts(self.reason)
        share = drop_explanations.share_of_excluded(excluded, kept, new, np.random.default_rng(0)).affine(100)
        accuracy, without, on_new = (drop_explanations.accuracy_percent(counts) for counts in (excluded + kept, kept, new))
        row = {
            "test_set": "v4", "n_excluded": int(excluded.sum()), "n": share.n, "accuracy_percent": accuracy, "kept_percent": without,
            "drop_pp": accuracy - on_new, "share_percent": share.value, "share_low_percent": share.low, "share_high_percent": share.high,
        }  # fmt: skip
        return Outcome(rows=[row])


@dataclass(frozen=True, kw_only=True)
class SelectPublishedModel(_OnPredictions):
    """Measure how much the selection of the best published model on the test set inflates its accuracy, relative to the mean drop.

    The model with the highest accuracy on a random half of the CIFAR-10 test set is evaluated on the other half. On half of a test set, the
    inflation is larger than on the whole test set by a factor of about √2.
    """

    version: ClassVar[int] = 3

    n_splits: Count = 2000
    """Number of random splits of the test set into halves."""
    seed: Seed = 0

    @classmethod
    def test_instance(cls) -> SelectPublishedModel:
        """Return a selection among five procedural models."""
        return cls(test_set="v4", predictions=PROCEDURAL, n_splits=4)

    def run(self, context: Context) -> Outcome:
        """Return one row: n (images), models, share_percent with its interval."""
        import torch

        from myths.cifar10_1 import drop_explanations
        from myths.cifar10_1.published import predictions

        original, new = (torch.from_numpy(predictions(self.predictions, name).correct) for name in ("original", self.test_set))
        share = drop_explanations.share_of_selection(original, new, self.n_splits, context.generator("halves")).affine(100)
        row = {
            "n": share.n, "models": len(original), "share_percent": share.value, "share_low_percent": share.low,
            "share_high_percent": share.high,
        }  # fmt: skip
        return Outcome(rows=[row])
