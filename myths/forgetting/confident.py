"""Which labels are likely wrong, from out-of-fold probabilities: confident learning (Northcutt, Jiang & Chuang, JAIR 70, 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

TEMPERATURES = (0.05, 20.0)
"""Lowest and highest temperature that ``temperature`` tries."""
MIN_PER_CLASS = 10
"""Examples below which no label of a class is called wrong: a network that has hardly seen a class predicts it for nothing."""


def temperature(logits: Float[np.ndarray, "n classes"], labels: Int64[np.ndarray, " n"]) -> float:
    """Return the temperature under which the labels are most likely (Guo et al. 2017, Sec. 4.2).

    Args:
        logits: Out-of-fold logits.
        labels: Given class of each example.

    Returns:
        The divisor of the logits, within ``TEMPERATURES``.
    """
    from scipy import optimize, special

    given = np.arange(len(labels)), labels

    def loss(log_temperature: float) -> float:
        return -float(special.log_softmax(logits / np.exp(log_temperature), axis=1)[given].mean())

    return float(np.exp(optimize.minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded").x))


@dataclass(frozen=True)
class Suspects:
    """What confident learning says of each example.

    Attributes:
        likely_error: Whether another class is confident for it.
        predicted: The likeliest of the classes that are confident for it; the likeliest of all where none is.
        order: All examples, the likeliest error first.
    """

    likely_error: Bool[np.ndarray, " n"]
    predicted: Int64[np.ndarray, " n"]
    order: Int64[np.ndarray, " n"]


def suspects(probabilities: Float[np.ndarray, "n classes"], labels: Int64[np.ndarray, " n"]) -> Suspects:
    """Find likely label errors by the confident joint (Northcutt et al. 2021, Eq. 1 and 2, method "C_confusion").

    A class is confident for an example if its probability is at least the mean probability of the class over the examples that are
    labeled so. An example is a likely error if the likeliest of its confident classes is not its label. Errors come first, then the others,
    each by their margin: the probability of the label minus that of the likeliest other class. In the paper this order is that of
    "prune by noise rate". Labels of classes with fewer than ``MIN_PER_CLASS`` examples are never called wrong.

    Args:
        probabilities: Out-of-fold probabilities of the classes.
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
    return Suspects(wrong, predicted, np.lexsort((margin, ~wrong)))
