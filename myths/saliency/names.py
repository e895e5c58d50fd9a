"""The words that settings are made of, apart from what computes, so that listing trials waits for no torch."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Literal

from myths.lab.errors import UsageError

Method = Literal["gradient", "gradient-times-input", "integrated-gradients", "smoothgrad", "deeplift", "grad-cam"]
METHODS: tuple[Method, ...] = typing.get_args(Method)

Output = Literal["logit", "probability"]
"""What is explained: the logit of the label, or its softmax probability."""

AttackName = Literal["random", "random-walk", "top-k", "mass-center", "targeted"]
"""One draw of ±ε; a walk of random signs of which the worst iterate counts (the repository's "random"); the paper's three attacks."""
ATTACKS: tuple[AttackName, ...] = typing.get_args(AttackName)
GRADIENT_ATTACKS: tuple[AttackName, ...] = ("top-k", "mass-center", "targeted")

SAMPLE = "imagenet_sample"
"""250 ImageNet photographs of 224 pixels, one a class, with the class's number."""
SQUEEZENET, UNTRAINED = "squeezenet", "untrained"
"""Weights of the catalog, of the paper's kind of network; weights as they are before training, for tests."""

SHARPNESS, SHARPNESS_OF_CAFFE = 30.0, 1.0
"""Of the softplus that an attack sees a network through: for activations of about 1; and the paper's, for its network, whose activations
are larger, because it was trained on pixel values of 0..255."""

LEVEL = 1 / 255
"""Of pixel values 0..1: the unit of budgets and steps."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How an attack goes: ``iterations`` steps of ``step`` levels; every ``checkpoint`` steps the latest iterate with the label may become
    the best.

    ``beta`` is the sharpness of the softplus through which the attack sees the network. ``shared``: one trajectory, at the
    largest budget, is projected onto each smaller one; else each budget has its own.
    """

    iterations: int = 300
    step: float = 0.5
    checkpoint: int = 1
    beta: float = SHARPNESS
    shared: bool = False


def check_layer(layer: str, method: Method) -> None:
    """Raise UsageError for a layer with a method that explains none."""
    if layer and method != "grad-cam":
        raise UsageError(f"layer={layer}: only method=grad-cam explains a layer, not {method}")
