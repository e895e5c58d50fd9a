"""A model of the user's, placed beside the thirty published ones: accuracy, gap, place, and distance from their line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from myths.cifar10_1.published import PREDICTIONS, PROCEDURAL, TEST_SETS, TestSet
from myths.cifar10_1.weights import LEVEL, PredictClasses, same_images
from myths.lab.setting import DatasetName
from myths.lab.trial import Context, Outcome, Protocol, Trial

if TYPE_CHECKING:
    import pandas as pd


def holds_predictions(name: str) -> bool:
    """Whether a prepared set holds predictions that ``myths data add`` took in."""
    from myths.lab.data import own_predictions, prepared

    found = prepared.find(name)
    return found is not None and found.kind == "arrays" and own_predictions.holds_predictions(tuple(prepared.load(name)))


def holds_weights(name: str) -> bool:
    """Return whether a prepared set holds weights of a network."""
    from myths.lab.data import prepared

    found = prepared.find(name)
    return found is not None and found.kind == "weights"


def own_predictions(name: str) -> Mapping[str, np.ndarray]:
    """The predicted classes by test set; for "procedural" a small stand-in: the third of its five models."""
    from myths.cifar10_1 import published
    from myths.lab.data import prepared

    if name != PROCEDURAL:
        return prepared.load(name)
    return {t: published.predictions(PROCEDURAL, t).predicted[2] for t in TEST_SETS}


@dataclass(frozen=True, kw_only=True)
class PlaceModel(Trial):
    """Compare a model of the user's with the thirty published ones, image by image, from its predictions."""

    predictions: DatasetName
    """The user's predictions, as `myths data add` named them."""
    published: DatasetName = PREDICTIONS
    """The predictions of the published models."""
    model: PredictClasses | None = None
    """What predicts where the user's data are weights."""

    @property
    def protocol(self) -> Protocol:
        """The paper's images and models; only the user's model is another."""
        return "stand-in" if self.published == PROCEDURAL else "paper"

    @property
    def data(self) -> tuple[str, ...]:
        """Both sets of predictions."""
        return tuple(name for name in (self.predictions, self.published) if name != PROCEDURAL)

    @classmethod
    def test_instance(cls) -> PlaceModel:
        """A procedural model beside five."""
        return cls(predictions=PROCEDURAL, published=PROCEDURAL)

    def run(self, context: Context) -> Outcome:
        """Rows of ``kind`` "test set" (n, correct, place, of; reordered_correct and reordering, see ``reordered``) and "model".

        A row "model" compares with one published model on one test set: ``only_mine`` and ``only_theirs`` count the images that one of the
        two alone classifies correctly, ``p_value`` is McNemar's exact test of them.
        """
        from myths.cifar10_1 import order, published

        mine = context.outcome(self.model).arrays if self.model else own_predictions(self.predictions)
        rows: list[dict[str, Any]] = []
        test_sets: list[TestSet] = [name for name in TEST_SETS if name in mine]
        for test_set in test_sets:
            theirs = published.predictions(self.published, test_set)
            if self.model:
                same_images(mine[f"labels_{test_set}"], theirs.labels, test_set)
            correct = mine[test_set] == theirs.labels
            better, swapped = reordered(mine[test_set], theirs.labels)
            scores = theirs.correct.sum(1)
            place = 1 + int((scores > correct.sum()).sum())
            rows.append(
                {"kind": "test set", "test_set": test_set, "n": len(correct), "correct": int(correct.sum())}
                | {"place": place, "of": len(scores) + 1, "reordered_correct": better, "reordering": swapped}
            )
            p_values = order.mcnemar(np.vstack([correct[None], theirs.correct]))[0, 1:]
            for model, right, p in zip(theirs.models, theirs.correct, p_values.tolist(), strict=True):
                rows.append(
                    {"kind": "model", "test_set": test_set, "model": model, "n": len(correct), "model_correct": int(right.sum())}
                    | {"only_mine": int((correct & ~right).sum()), "only_theirs": int((right & ~correct).sum()), "p_value": p}
                )
        return Outcome(rows=rows)


def reordered(predicted: np.ndarray, labels: np.ndarray) -> tuple[int, str]:
    """Find the order of the classes under which most predictions would be correct.

    Returns:
        How many would be, and which class numbers mean others, as "3>5 5>3"; the present number and "" where another order would not
        help beyond chance (a sign test of the images that it wins and loses, at level LEVEL, over all orders).
    """
    from scipy import optimize, stats

    classes = int(max(predicted.max(), labels.max())) + 1
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (predicted, labels), 1)
    given, meant = optimize.linear_sum_assignment(table, maximize=True)
    now, best = int(np.trace(table)), int(table[given, meant].sum())
    moved = given != meant
    won, lost = int(table[given, meant][moved].sum()), int(table[given, given][moved].sum())
    orders = math.factorial(classes)
    if best <= now or orders * stats.binomtest(won, won + lost, alternative="greater").pvalue > LEVEL:
        return now, ""
    return best, " ".join(f"{a}>{b}" for a, b in zip(given[moved], meant[moved], strict=True))


def in_sentences(tables: Mapping[str, pd.DataFrame]) -> str | None:
    """Say how the user's models stand, a few lines each; None where there are none."""
    from myths.lab.data.own_predictions import CLASSES

    placed, against, normalizations = tables["placed"], tables["placed_against"], tables["normalizations"]
    said = []
    for line in placed.to_dict("records"):
        name = f"{line['predictions']} on {line['test_set']}"
        accuracy = f"{line['accuracy_percent']:.2f} % [{line['accuracy_low_percent']:.2f}, {line['accuracy_high_percent']:.2f}]"
        text = f"  {name}: {accuracy}, place {line['place']} of {line['of']}"
        if line["test_set"] != "original":
            text += f"; {line['gap_pp']:.2f} points below the original [{line['gap_low_pp']:.2f}, {line['gap_high_pp']:.2f}]"
            if line["residual_pp"] == line["residual_pp"]:
                where = "above" if line["residual_pp"] >= 0 else "below"
                errors = f"{abs(line['residual_pp'] / line['standard_error_pp']):.1f} standard errors"
                text += f"; {abs(line['residual_pp']):.2f} points {where} the line of the published models ({errors})"
        said.append(text)
        peers = against[(against["predictions"] == line["predictions"]) & (against["test_set"] == line["test_set"])]
        nearest = peers.loc[(peers["difference_pp"]).abs().idxmin()]
        apart = f"difference {nearest['difference_pp']:+.2f} points, McNemar's exact p = {nearest['p_value']:.2g}"
        said.append(f"    nearest: {nearest['model']}, {apart}")
        if line["reordering"]:
            swaps = ", ".join(f"{CLASSES[int(a)]} meant {CLASSES[int(b)]}" for a, b in (s.split(">") for s in line["reordering"].split()))
            said.append(f"    check the order of the classes: {line['reordered_percent']:.2f} % would be correct if {swaps}")
    if len(normalizations):
        for weights, rows in normalizations.groupby("weights", sort=False):
            said += _of_normalization(str(weights), rows)
    return "\n".join(said) or None


def _of_normalization(weights: str, rows: pd.DataFrame) -> list[str]:
    """Say what the pixels were normalized with, and which other normalization is clearly better."""
    used, best = rows.iloc[0], rows.loc[rows["accuracy_percent"].idxmax()]
    said = f"  {weights} is a {used['architecture']}, pixels normalized with {used['normalization']}"
    if not best["clearly_better"]:
        return [f"{said}; none of {len(rows) - 1} others is clearly better on the first {used['n']:,} images"]
    return [
        said,
        f"    check the normalization: with {best['normalization']} {best['accuracy_percent']:.1f} % of the first {used['n']:,} images "
        f"would be correct instead of {used['accuracy_percent']:.1f} %: myths data remove {weights}, "
        f"then myths data add {weights} FILE normalization={best['normalization']}",
    ]
