"""Predictions of the paper's 30 models: the authors' per-image predictions, and a reference table computed from them."""

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

FAMILIES = {
    "shake_shake": "Shake-Shake",
    "shake_drop": "ShakeDrop",
    "wrn": "wide ResNet",
    "wide_resnet": "wide ResNet",
    "darc": "DARC",
    "resnext": "ResNeXt",
    "pyramidnet": "PyramidNet",
    "densenet": "DenseNet",
    "nas": "NAS",
    "resnet": "ResNet",
    "vgg": "VGG",
    "cudaconvnet": "cuda-convnet",
    "alexnet": "AlexNet",
    "random_features": "random features",
}
"""Family of a published model, by the beginning of its name. Models of one family share architecture and code."""


def family(model: str) -> str:
    """Return the family of a published model; a model without one is a family of its own."""
    return next((name for prefix, name in FAMILIES.items() if model.startswith(prefix)), model)


@dataclass(frozen=True)
class Predictions:
    """Predicted class numbers of several models on one test set.

    Attributes:
        models: Names of the models.
        predicted: Predicted class of each image, by model.
        labels: Class of each image.
    """

    models: tuple[str, ...]
    predicted: UInt8[Array, "models images"]
    labels: UInt8[Array, " images"]

    @property
    def correct(self) -> Bool[Array, "models images"]:
        """Whether each model classifies each image correctly."""
        return self.predicted == self.labels

    @property
    def balanced(self) -> Float[Array, " models"]:
        """Balanced accuracy of each model, 0 to 1: the mean of the accuracies within classes."""
        members = (self.labels[:, None] == np.unique(self.labels)).astype(np.float64)
        return (self.correct @ (members / members.sum(0))).mean(1)


def predictions(name: str, test_set: TestSet) -> Predictions:
    """Load the predictions on a test set.

    Args:
        name: ``PREDICTIONS`` for the authors' models, or ``PROCEDURAL`` for five models of a few hundred images, for tests.
        test_set: The test set.
    """
    if name == PROCEDURAL:
        return _procedural(test_set)
    from myths.lab.data import prepared

    arrays = prepared.load(name)
    return Predictions(tuple(map(str, arrays["models"])), arrays[test_set], arrays[f"labels_{test_set}"])


def reference_table() -> Iterator[dict[str, Any]]:
    """Yield the rows of the reference table of this suite: model, test_set, n, correct, balanced_percent."""
    with Path(__file__).with_name("reference_table.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            yield {
                "model": row["model"],
                "test_set": row["test_set"],
                "n": int(row["n"]),
                "correct": int(row["correct"]),
                "balanced_percent": float(row["class_balanced_percent"]),
            }


def _procedural(test_set: TestSet) -> Predictions:
    """Return five models of increasing accuracy on a few hundred images. The new test sets are harder."""
    images, shift = {"original": (400, 0.0), "v4": (220, 0.15), "v6": (200, 0.14)}[test_set]
    rng = np.random.default_rng([len(test_set), images])
    labels = (np.arange(images) % 10).astype(np.uint8)
    accuracy = np.linspace(0.55, 0.9, 5)[:, None] - shift
    wrong = (labels + rng.integers(1, 10, (5, images))) % 10
    predicted = np.where(rng.random((5, images)) < accuracy, labels, wrong).astype(np.uint8)
    return Predictions(tuple(f"model {i}" for i in range(1, 6)), predicted, labels)
