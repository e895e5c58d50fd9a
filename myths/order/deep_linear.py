"""Deep linear networks trained by gradient descent, many at once, and the solution of Saxe, McClelland & Ganguli (2019).

The inputs are white and the error is squared, so that a network of weights W = W_N … W_1 descends ½‖Σ − W‖², where Σ is the input-output
correlation. Time is measured in units of τ, the inverse of the learning rate. All networks of a batch are integrated in one tensor. For
comparison, the first layer may be rectified: with one input unit per item that is a network with a hidden layer of ReLU.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Layers = list[Tensor]
"""Weights from the input to the output, each [batch, outputs, inputs]."""

STABLE = 0.1
"""Largest product of a time step and the curvature of the loss along a layer."""
RENEWED_EVERY = 25
"""Steps between two estimates of the curvature."""


@dataclass(frozen=True)
class Integration:
    """How the gradient flow is integrated.

    Attributes:
        step: Time step in units of τ.
        steps: Largest number of steps. Integration ends earlier if all watched modes are learned to 99 %.
        adapt: Whether a network takes smaller steps while its weights are so large that the step would be unstable.
        rectified: Whether the output of the first of two layers is rectified.
    """

    step: float
    steps: int
    adapt: bool = False
    rectified: bool = False


@dataclass(frozen=True)
class Course:
    """What a batch of networks does while it learns, one column per recorded step.

    Attributes:
        times: Time in units of τ.
        strengths: Strength of each watched mode in the product of the weights.
        losses: ½‖Σ − W‖².
        gradient_norms: Norm of the gradient over all weights.
    """

    times: Float[np.ndarray, "batch steps"]
    strengths: Float[np.ndarray, "batch steps modes"]
    losses: Float[np.ndarray, "batch steps"]
    gradient_norms: Float[np.ndarray, "batch steps"]


def balanced_start(strength: float, modes: int, hidden: int, layers: int, generator: torch.Generator) -> Layers:
    """Return weights in which every mode has the same strength and adjacent layers are balanced (W Wᵀ = W′ᵀ W′).

    The hidden units are rotated at random, so that no weight matrix is diagonal.

    Args:
        strength: Strength a₀ of each mode in the product.
        modes: Number of modes: inputs and outputs.
        hidden: Hidden units, at least ``modes``.
        layers: Number of weight matrices.
        generator: Source of the rotations.
    """
    identity = torch.eye(modes, dtype=torch.float64)
    bases = [identity]
    for _ in range(layers - 1):
        square = torch.randn(hidden, hidden, dtype=torch.float64, generator=generator)
        bases.append(torch.linalg.qr(square)[0][:, :modes])
    bases.append(identity)
    factor = strength ** (1 / layers)
    return [(factor * bases[i + 1] @ bases[i].T)[None] for i in range(layers)]


def random_start(scale: float, sizes: Sequence[int], batch: int, generator: torch.Generator) -> Layers:
    """Return independent normal weights for ``batch`` networks with these layer sizes.

    The standard deviation is ``scale`` over the square root of the inputs of a layer: at scale 1 a layer keeps the size of a vector.
    """
    return [
        scale * inputs**-0.5 * torch.randn(batch, outputs, inputs, dtype=torch.float64, generator=generator)
        for inputs, outputs in itertools.pairwise(sizes)
    ]


def learn(
    layers: Layers,
    target: Float[Tensor, "batch outputs inputs"],
    watched: tuple[Float[Tensor, "batch modes outputs"], Float[Tensor, "batch modes inputs"]],
    how: Integration,
    observe: Callable[[Tensor], None] | None = None,
) -> Course:
    """Integrate the gradient flow by Euler steps.

    Args:
        layers: Initial weights; not changed.
        target: Correlation Σ of each network.
        watched: Left and right vectors of the modes to watch.
        how: Steps and nonlinearity.
        observe: Called with the input-output map of all networks before each step.
    """
    layers = [layer.clone() for layer in layers]
    times = torch.zeros(len(target), dtype=target.dtype, device=target.device)
    length = torch.full_like(times, how.step)
    goals = _strengths(target, watched)
    record: tuple[list[Tensor], ...] = ([], [], [], [])
    for i in range(how.steps):
        if how.adapt and i % RENEWED_EVERY == 0:
            length = (STABLE / _curvature(layers)).clamp_max(how.step)
        active = [layers[0].relu(), *layers[1:]] if how.rectified else layers
        after = _after(active)
        product = after[0] @ active[0] if len(layers) > 1 else layers[0]
        error = target - product
        gradients = _descents(active, after, error)
        if how.rectified:
            gradients[0] = gradients[0] * (layers[0] > 0)
        strengths = _strengths(product, watched)
        squares = sum((g.square().sum((1, 2)) for g in gradients), start=torch.zeros_like(times))
        for each, value in zip(record, (times.clone(), strengths, error.square().sum((1, 2)) / 2, squares.sqrt()), strict=True):
            each.append(value)
        if observe is not None:
            observe(product)
        if i % RENEWED_EVERY == 0 and bool(((strengths - goals).abs() < 0.01 * goals.abs()).all()):
            break
        for layer, gradient in zip(layers, gradients, strict=True):
            layer += length[:, None, None] * gradient
        times += length
    return Course(*(torch.stack(each, 1).cpu().numpy() for each in record))


def half_times(
    times: Float[np.ndarray, "batch steps"],
    strengths: Float[np.ndarray, "batch steps modes"],
    targets: Float[np.ndarray, "batch modes"],
) -> Float[np.ndarray, "batch modes"]:
    """Return when the distance of each mode from its target has halved for the first time, interpolated; NaN if it has not.

    The distance is used because a mode may start above its target.
    """
    distance = np.abs(strengths - targets[:, None])
    half = distance <= distance[:, :1] / 2
    found = half.any(1)
    at = half.argmax(1)
    before = np.maximum(at - 1, 0)
    batch, modes = np.indices(at.shape)
    d0, d1 = distance[batch, before, modes], distance[batch, at, modes]
    t0, t1 = times[batch, before], times[batch, at]
    share = np.divide(d0 - distance[:, 0] / 2, d0 - d1, out=np.zeros_like(d0), where=d0 > d1)
    return np.where(found, t0 + share * (t1 - t0), np.nan)


def theory(times: Float[np.ndarray, " steps"], value: float, start: float) -> Float[np.ndarray, " steps"]:
    """Return the strength of a mode of a two-layer network with a balanced start: s / (1 + (s/a₀ − 1) e^(−2 s t)).

    Args:
        times: Times in units of τ.
        value: Singular value s.
        start: Initial strength a₀.
    """
    return value / (1 + (value / start - 1) * np.exp(-2 * value * times))


def theory_half_time(value: float, start: float) -> float:
    """Return when a mode of a two-layer network reaches half of its singular value: ln(s/a₀ − 1) / 2s."""
    return float(np.log(value / start - 1) / (2 * value))


def log_slope(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> float:
    """Return the exponent of a power law y ∝ xᵇ, fitted by least squares to the logarithms."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def _strengths(product: Tensor, watched: tuple[Tensor, Tensor]) -> Tensor:
    left, right = watched
    return ((product @ right.mT).mT * left).sum(2)


def _after(layers: Layers) -> Layers:
    """Return for each layer the product of all layers after it; of the last layer, an identity."""
    batch, outputs, _ = layers[-1].shape
    products = [torch.eye(outputs, dtype=layers[-1].dtype, device=layers[-1].device).expand(batch, -1, -1)]
    for layer in reversed(layers[1:]):
        products.append(layer if len(products) == 1 else products[-1] @ layer)
    return products[::-1]


def _descents(layers: Layers, after: Layers, error: Tensor) -> Layers:
    """Return the negative gradient of each layer."""
    found, before = [], None
    for layer, rest in zip(layers, after, strict=True):
        pulled = error if rest is after[-1] else rest.mT @ error
        found.append(pulled if before is None else pulled @ before.mT)
        before = layer if before is None else layer @ before
    return found


def _curvature(layers: Layers) -> Tensor:
    """Return an upper bound on the curvature of the loss along the weights, up to the error term: sums of squared norms of products."""
    norms = [torch.linalg.matrix_norm(layer, ord=2).square() for layer in layers]
    others = [torch.stack([n for j, n in enumerate(norms) if j != i]).prod(0) if len(norms) > 1 else torch.ones_like(norms[0])
              for i in range(len(norms))]  # fmt: skip
    return torch.stack(others).sum(0)
