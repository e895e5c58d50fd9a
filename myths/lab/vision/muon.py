"""Muon (Jordan et al. 2024): momentum whose updates of filters are orthogonalized, and ordinary SGD for all other parameters.

A filter bank is a matrix with one row per output channel. The update is the momentum matrix U Σ Vᵀ with singular values near 1 instead of
Σ, so that directions with small gradients are learned as fast as others. Newton-Schulz iterations compute it with matrix products only. As
the norm of the filters has no effect before batch normalization, it is kept constant, and the learning rate is the angle of a step.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Coefficients of σ, σ³ and σ⁵ (Jordan et al. 2024). Three iterations move singular values of 0.03 and above into 0.5 to 1.3."""
ITERATIONS = 3
FILTER_MOMENTUM = 0.6
HEAD_RATE, BIAS_RATE = 0.67 / 0.24, 0.053 / 0.24
"""Learning rates of the classification layer and of biases for the sum of the losses of a minibatch, relative to that of the filters."""


def make_muon(network: nn.Module, *, batch_size: int, learning_rate: float, momentum: float, weight_decay: float) -> Muon:
    """Return Muon for a classifier, whose loss is the mean over a minibatch.

    Args:
        network: The network.
        batch_size: Number of examples per minibatch.
        learning_rate: Learning rate of the filters. The others are in proportion to it.
        momentum: Momentum of all other parameters.
        weight_decay: Fraction that all other parameters lose per step at the maximum learning rate.
    """
    trained = [p for p in network.parameters() if p.requires_grad]
    filters = [p for p in trained if p.ndim == 4]
    head = [p for p in trained if p.ndim == 2]
    biases = [p for p in trained if p.ndim < 2]
    groups: list[dict[str, Any]] = [{"params": filters, "lr": learning_rate, "momentum": FILTER_MOMENTUM, "orthogonal": True}]
    for params, rate in ((head, HEAD_RATE), (biases, BIAS_RATE)):
        scaled = rate * learning_rate * batch_size
        groups.append({"params": params, "lr": scaled, "momentum": momentum, "weight_decay": weight_decay / scaled})
    return Muon([group for group in groups if group["params"]])


class Muon(torch.optim.Optimizer):
    """Nesterov momentum; the updates of groups with ``orthogonal`` are orthogonalized, and the norm of their filters is √outputs.

    A step waits for nothing on the device, so that it can be recorded.

    Args:
        groups: Parameter groups with ``lr``, ``momentum``, ``weight_decay`` and ``orthogonal``.
    """

    def __init__(self, groups: list[dict[str, Any]]):
        super().__init__(groups, {"lr": 0.0, "momentum": 0.0, "weight_decay": 0.0, "orthogonal": False})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update all parameters that have a gradient."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            gradients: list[Any] = [p.grad for p in params]
            if group["weight_decay"]:
                gradients = list(torch._foreach_add(gradients, params, alpha=group["weight_decay"]))
            for p in params:
                if not self.state[p]:
                    self.state[p]["momentum_buffer"] = torch.zeros_like(p)
            momenta = [self.state[p]["momentum_buffer"] for p in params]
            torch._foreach_mul_(momenta, group["momentum"])
            torch._foreach_add_(momenta, gradients)
            updates = list(torch._foreach_add(gradients, momenta, alpha=group["momentum"]))
            if group["orthogonal"]:
                updates = [orthogonalize(update.flatten(1)).view_as(update) for update in updates]
                norms = torch._foreach_norm(params)
                torch._foreach_mul_(params, [len(p) ** 0.5 / norm for p, norm in zip(params, norms, strict=True)])
            torch._foreach_mul_(updates, group["lr"])
            torch._foreach_sub_(params, updates)


def orthogonalize(matrix: Float[Tensor, "m n"], iterations: int = ITERATIONS) -> Float[Tensor, "m n"]:
    """Return the matrix with singular values near 1 and the same singular vectors; in bf16 on a GPU.

    Args:
        matrix: The matrix.
        iterations: Number of Newton-Schulz iterations.
    """
    linear, cubic, quintic = COEFFICIENTS
    x = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = x / (x.norm() + 1e-7)  # no singular value exceeds 1
    x = x.bfloat16() if x.is_cuda else x
    for _ in range(iterations):
        square = x @ x.T
        x = linear * x + (cubic * square + quintic * square @ square) @ x
    x = x.to(matrix.dtype)
    return x if matrix.shape[0] <= matrix.shape[1] else x.T
