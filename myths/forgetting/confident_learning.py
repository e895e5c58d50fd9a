"""Confident learning: find likely label errors from out-of-fold probabilities (Northcutt, Jiang & Chuang, JAIR 70, 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

TEMPERATURES = (0.05, 20.0)
"""Range of temperatures that ``temperature`` searches."""
MIN_PER_CLASS = 10
"""Minimum number of examples of a class to judge its labels: a network rarely predicts a class with fewer training examples."""


def temperature(logits: Float[np.ndarray, "n classes"], labels: Int64[np.ndarray, " n"]) -> float:
    """Return the temperature that maximizes the likelihood of the labels (Guo et al. 2017, Sec. 4.2).

    Args:
        logits: Out-of-fold logits.
        labels: Given class of each example.

    Returns:
        Divisor of the logits, within ``TEMPERATURES``.
    """
    from scipy import optimize, special

    given = np.arange(len(labels)), labels

    def loss(log_temperature: float) -> float:
        return -float(special.log_softmax(logits / np.exp(log_temperature), axis=1)[given].mean())

    return float(np.exp(optimize.minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded").x))


@dataclass(frozen=True)
class LabelErrors:
    """Result of confident learning.

    Attributes:
        likely_error: Whether the label of each example is likely wrong.
        predicted: Most probable confident class of each example; the most probable class if no class is confident.
        order: Indices of all examples, the most likely error first.
    """

    likely_error: Bool[np.ndarray, " n"]
    predicted: Int64[np.ndarray, " n"]
    order: Int64[np.ndarray, " n"]


def find_label_errors(probabilities: Float[np.ndarray, "n classes"], labels: Int64[np.ndarray, " n"]) -> LabelErrors:
    """Find likely label errors by the confident joint (Northcutt et al. 2021, Eq. 1 and 2: examples off the diagonal).

    A class is confident for an example if its probability is at least the mean probability of the class over the examples with this
    label. An example is a likely error if its most probable confident class is not its label. Errors come first in the order, then the
    other examples, both sorted by margin: the probability of the label minus that of the most probable other class. The paper calls this
    order "prune by noise rate". Labels of classes with fewer than ``MIN_PER_CLASS`` examples are never errors.

    Args:
        probabilities: Out-of-fold class probabilities.
        labels: Given class of each example.
    """
    n, classes = probabilities.shape
    sizes = np.bincount(labels, minlength=classes)
    given = probabilities[np.arange(n), labels]
    thresholds = np.bincount(labels, weights=given, minlength=classes) / np.maximum(sizes, 1)
    confident = (probabilities >= thresholds) & (sizes > 0)
    predicted = np.where(confident.any(1), np.where(confident, probabilities, -1.0).argmax(1), probabilities.argmax(1))
    wrong = confident.any(1) & (predicted != labels) & (sizes[labels] >= MIN_PER_CLASS)
    others = probabilities.copy()
    others[np.arange(n), labels] = -np.inf
    margin = given - others.max(1)
    return LabelErrors(wrong, predicted, np.lexsort((margin, ~wrong)))
