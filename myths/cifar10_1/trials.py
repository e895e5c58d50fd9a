"""Evidence 1, the published models; and which trials of all three kinds of evidence a profile runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from myths.cifar10_1.ladder import ladder
from myths.cifar10_1.own import PlaceModel, holds_predictions, holds_weights
from myths.cifar10_1.published import PREDICTIONS, PROCEDURAL, TEST_SETS, NewTestSet, TestSet
from myths.cifar10_1.reuse import reuse
from myths.cifar10_1.weights import plan
from myths.lab.myth import Profile
from myths.lab.setting import DatasetName
from myths.lab.trial import Context, Outcome, Protocol, Trial


@dataclass(frozen=True, kw_only=True)
class PublishedAccuracy(Trial):
    """How many images of each test set each of the paper's 30 models gets right (Recht et al. 2018, Table 1 and App. D).

    From the authors' per-image predictions, or copied from the known table that comes with the suite: the same counts,
    recomputed earlier from those predictions, so that the paper's accuracies can be read without any download.
    """

    source: Literal["predictions", "known table"]
    """Where the published accuracies come from."""

    @property
    def protocol(self) -> Protocol:
        """The paper's own models on the paper's own images."""
        return "paper"

    @property
    def data(self) -> tuple[str, ...]:
        """The published predictions, unless the known table is read."""
        return (PREDICTIONS,) if self.source == "predictions" else ()

    @classmethod
    def test_instance(cls) -> PublishedAccuracy:
        """The known table."""
        return cls(source="known table")

    def run(self, context: Context) -> Outcome:
        """A row for every model and test set: n, correct, balanced_percent (mean of the accuracies within classes)."""
        from myths.cifar10_1.published import known_table, predictions

        if self.source == "known table":
            return Outcome(rows=list(known_table()))
        rows = []
        for test_set in TEST_SETS:
            answers = predictions(PREDICTIONS, test_set)
            rows += [
                {
                    "model": model,
                    "test_set": test_set,
                    "n": len(answers.labels),
                    "correct": int(correct),
                    "balanced_percent": float(balanced),
                }
                for model, correct, balanced in zip(answers.models, answers.correct.sum(1), 100 * answers.balanced, strict=True)
            ]
        return Outcome(rows=rows)


@dataclass(frozen=True, kw_only=True)
class _PerImage(Trial):
    """What needs the per-image predictions of the paper's models on the original and on one new test set."""

    test_set: NewTestSet
    """Version of CIFAR-10.1."""
    predictions: DatasetName = PREDICTIONS
    """Predictions of the published models."""

    @property
    def protocol(self) -> Protocol:
        """The paper's own models on the paper's own images."""
        return "stand-in" if self.predictions == PROCEDURAL else "paper"

    @property
    def data(self) -> tuple[str, ...]:
        """The published predictions."""
        return () if self.predictions == PROCEDURAL else (self.predictions,)


@dataclass(frozen=True, kw_only=True)
class PublishedOrder(_PerImage):
    """Which pairs of models change their order on the new test set, and which of them significantly.

    One row with the totals, and one for each flipped pair with the exact McNemar p-value on the new set's images. With
    2,000 images the test has little power between models that are nearly equal: no significant flip is "no evidence of
    reordering", not proof of a preserved order.
    """

    @classmethod
    def test_instance(cls) -> PublishedOrder:
        """Five procedural models."""
        return cls(test_set="v4", predictions=PROCEDURAL)

    def run(self, context: Context) -> Outcome:
        """Rows ``kind`` "total" (pairs, flips, significant, spearman, kendall, largest_rank_change) and "flip" (two models, p_value)."""
        import numpy as np

        from myths.cifar10_1 import order
        from myths.cifar10_1.published import predictions

        original, new = predictions(self.predictions, "original"), predictions(self.predictions, self.test_set)
        compared = order.compare(original.correct, new.correct)
        scores = original.correct.sum(1), new.correct.sum(1)
        spearman, kendall = order.correlations(*scores)
        total = {
            "kind": "total",
            "pairs": compared.pairs,
            "flips": compared.flips,
            "significant": compared.significant(),
            "spearman": spearman,
            "kendall": kendall,
            "largest_rank_change": int(np.abs(order.rank_changes(*scores)).max()),
        }
        swapped = scores[0][compared.first] < scores[0][compared.second]
        better = np.where(swapped, compared.second, compared.first)
        worse = np.where(swapped, compared.first, compared.second)
        flips = [
            {"kind": "flip", "better_on_original": original.models[i], "better_on_new": original.models[j], "p_value": p}
            for i, j, p in zip(better.tolist(), worse.tolist(), compared.p_values.tolist(), strict=True)
        ]
        return Outcome(rows=[total, *flips])


@dataclass(frozen=True, kw_only=True)
class PublishedHardImages(_PerImage):
    """How many images no model gets right, and how many every model does, on the original and on the new test set."""

    @classmethod
    def test_instance(cls) -> PublishedHardImages:
        """Five procedural models."""
        return cls(test_set="v4", predictions=PROCEDURAL)

    def run(self, context: Context) -> Outcome:
        """One row: models; n, all_wrong and all_right of the original (``original_…``) and the new (``new_…``) set."""
        from myths.cifar10_1.published import predictions

        row: dict[str, int] = {}
        sets: dict[str, TestSet] = {"original": "original", "new": self.test_set}
        for prefix, test_set in sets.items():
            answers = predictions(self.predictions, test_set)
            right = answers.correct.sum(0)
            row |= {
                "models": len(answers.models),
                f"{prefix}_n": len(right),
                f"{prefix}_all_wrong": int((right == 0).sum()),
                f"{prefix}_all_right": int((right == len(answers.models)).sum()),
            }
        return Outcome(rows=[row])


def trials(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
    """What a profile runs; ``seeds`` replaces its number of seeds, ``data`` names test sets for the ladder, predictions, or weights.

    With predictions or weights of the user's alone, they are placed beside the published models, and nothing else runs.
    """
    mine = [name for name in data if holds_predictions(name) or holds_weights(name)]
    models = {name: plan(name) for name in mine if holds_weights(name)}
    placed: list[Trial] = [
        PublishedAccuracy(source="known table"),
        *(PlaceModel(predictions=name, model=models.get(name)) for name in mine),
    ]
    if mine and len(mine) == len(data):
        return placed
    data = tuple(name for name in data if name not in mine)
    published: list[Trial] = [PublishedAccuracy(source="known table")]
    if profile != "quick":
        published.append(PublishedAccuracy(source="predictions"))
        for test_set in ("v4", "v6"):
            published += [PublishedOrder(test_set=test_set), PublishedHardImages(test_set=test_set)]
    return [*published, *placed[1:], *reuse(profile, seeds), *ladder(profile, seeds, data)]
