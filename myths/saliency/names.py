"""Names and settings of methods and attacks. This module does not import torch, so that listing trials is fast."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Literal

from myths.lab.errors import UsageError

Method = Literal["gradient", "gradient-times-input", "integrated-gradients", "smoothgrad", "deeplift", "grad-cam"]
METHODS: tuple[Method, ...] = typing.get_args(Method)
AVERAGING_METHODS: tuple[Method, ...] = ("integrated-gradients", "smoothgrad")
"""Methods that average many gradients."""

Output = Literal["logit", "probability"]
"""Output that is explained: the logit of the label, or its softmax probability."""

AttackName = Literal["random", "random-walk", "top-k", "mass-center", "targeted"]
"""Name of an attack.

"random": one sample of ±ε. "random-walk": random sign steps, worst iterate selected (called "random" in the authors' code). The others are
the attacks of the paper.
"""
ATTACKS: tuple[AttackName, ...] = typing.get_args(AttackName)
GRADIENT_ATTACKS: tuple[AttackName, ...] = ("top-k", "mass-center", "targeted")

Change = Literal["shift", "rotation", "jpeg", "brightness"]
"""An everyday change of a photograph."""
CHANGES: tuple[Change, ...] = typing.get_args(Change)
GEOMETRIC: tuple[Change, ...] = ("shift", "rotation")
"""Changes that move the pixels. The others are photometric."""
GEOMETRIC_METHODS = 3
"""Number of methods whose geometric and photometric changes are compared at once."""

IMAGENET_SAMPLE = "imagenet_sample"
"""250 ImageNet images of 224 pixels with their class indices, one per class."""
SQUEEZENET, UNTRAINED = "squeezenet", "untrained"
"""Weights of the catalog, for the paper's kind of network; and untrained weights, for tests."""

SQUEEZENET_LAYER = "features.12"
"""Layer of Grad-CAM for SqueezeNet: its last block. Its last convolution is one of two branches, before ReLU; Grad-CAM of it is zero for
most images."""

DEFAULT_BETA = 30.0
"""β of the softplus surrogate, for networks with activations of about 1."""
CAFFE_BETA = 1.0
"""β of the paper, for SqueezeNet. Its activations are larger, because it was trained on pixel values 0..255."""

PIXEL_STEP = 1 / 255
"""Unit of perturbation budgets and steps, for pixel values 0..1."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Schedule of an attack.

    Attributes:
        n_iterations: Number of steps.
        step_size: Change of a pixel in one step, in units of 1/255.
        eval_interval: Number of steps between two evaluations. Each evaluates the latest iterate that keeps the label.
        beta: β of the softplus surrogate that the attack differentiates.
        share_trajectory: Whether to run the attack once, at the largest budget, and project its iterates onto the others. False: one attack
            per budget.
        stop_at: The attack on an image stops when at most this fraction of its top pixels is left. 0: all steps are taken.

    Raises:
        UsageError: A number is not above 0.
    """

    n_iterations: int = 300
    step_size: float = 0.5
    eval_interval: int = 1
    beta: float = DEFAULT_BETA
    share_trajectory: bool = False
    stop_at: float = 0.0

    def __post_init__(self) -> None:
        for name in ("n_iterations", "step_size", "eval_interval", "beta"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name}={getattr(self, name):g}: expected a value above 0")


def check_layer(layer: str, method: Method) -> None:
    """Raise UsageError for a layer with a method other than Grad-CAM."""
    if layer and method != "grad-cam":
        raise UsageError(f"layer={layer}: only method=grad-cam explains a layer, not {method}")


def check_stop(stop_at: float, attack: AttackName) -> None:
    """Raise UsageError for an attack that does not lower the top-k intersection and is to stop when little of it is left."""
    if stop_at and attack not in ("top-k", "random-walk"):
        raise UsageError(f"stop_at={stop_at:g}: only the attacks top-k and random-walk lower the top-k intersection, not {attack}")
