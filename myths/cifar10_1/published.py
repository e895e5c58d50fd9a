"""What the paper's 30 models answered: the authors' per-image predictions, and a table recomputed from them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray as Array

TestSet = Literal["original", "v4", "v6"]
NewTestSet = Literal["v4", "v6"]
TEST_SETS: tuple[TestSet, ...] = ("original", "v4", "v6")

PREDICTIONS = "cifar10_1_predictions"
PROCEDURAL = "procedural"


@dataclass(frozen=True)
class Predictions:
    """Class numbers that each model gave to each image of one test set."""

    models: tuple[str, ...]
    predicted: UInt8[Array, "models images"]
    labels: UInt8[Array, " images"]

    @property
    def correct(self) -> Bool[Array, "models images"]:
        """Which images each model gets right."""
        return self.predicted == self.labels

    @property
    def balanced(self) -> Float[Array, " models"]:
        """Mean over classes of the accuracy within the class, 0..1."""
        members = (self.labels[:, None] == np.unique(self.labels)).astype(np.float64)
        return (self.correct @ (members / members.sum(0))).mean(1)


def predictions(name: str, test_set: TestSet) -> Predictions:
    """The published predictions (prepared set ``cifar10_1_predictions``), or a small ``procedural`` stand-in for tests."""
    if name == PROCEDURAL:
        return _procedural(test_set)
    from myths.lab.data import prepared

    arrays = prepared.load(name)
    return Predictions(tuple(map(str, arrays["models"])), arrays[test_set], arrays[f"labels_{test_set}"])


def known_table() -> Iterator[dict[str, Any]]:
    """Rows of the table that comes with the suite: model, test_set, n, correct, balanced_percent."""
    with Path(__file__).with_name("known_table.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            yield {
                "model": row["model"],
                "test_set": row["test_set"],
                "n": int(row["n"]),
                "correct": int(row["correct"]),
                "balanced_percent": float(row["class_balanced_percent"]),
            }


def _procedural(test_set: TestSet) -> Predictions:
    """Five models of growing accuracy on a few hundred images; the "new" sets are harder."""
    images, shift = {"original": (400, 0.0), "v4": (220, 0.15), "v6": (200, 0.14)}[test_set]
    rng = np.random.default_rng([len(test_set), images])
    labels = (np.arange(images) % 10).astype(np.uint8)
    accuracy = np.linspace(0.55, 0.9, 5)[:, None] - shift
    wrong = (labels + rng.integers(1, 10, (5, images))) % 10
    predicted = np.where(rng.random((5, images)) < accuracy, labels, wrong).astype(np.uint8)
    return Predictions(tuple(f"model {i}" for i in range(1, 6)), predicted, labels)
