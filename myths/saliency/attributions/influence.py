"""Influence functions on the last layer (Koh & Liang 2017), for two classes as in Ghorbani et al. 2019, Sec. "Influence functions".

The last layer is retrained as a logistic regression with an L2 penalty until its gradient vanishes; its Hessian is then exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from myths.lab.errors import UsageError

STEPS = 100
"""Steps of Newton's method at most."""


@dataclass(frozen=True)
class LastLayer:
    """A logistic regression on features, at its minimum, with what its influences need."""

    weights: Float[Tensor, " f1"]
    """The bias is the last."""
    scale: float
    """Root mean square of the training features, by which all features are divided."""
    directions: Float[Tensor, "f1 m"]
    """Inverse Hessian times the gradient of each training example's loss."""

    def logits(self, features: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """Above 0 for the second class."""
        return self._with_one(features) @ self.weights

    def attribute(self, features: Float[Tensor, "n f"], labels: Int64[Tensor, " n"]) -> Float[Tensor, "n m"]:
        """How much each of m training examples helps each of n test examples; differentiable by ``features``.

        ∇L(test)ᵀ H⁻¹ ∇L(training): m times what leaving the example out would add to the test loss, to first order. ``labels`` are
        0 or 1.
        """
        x, y = self._with_one(features), labels.to(features.dtype)
        slope = torch.sigmoid(x @ self.weights) - y
        return slope[:, None] * (x @ self.directions)

    def _with_one(self, features: Tensor) -> Tensor:
        return F.pad(features.to(self.weights.dtype) / self.scale, (0, 1), value=1.0)


def last_layer(features: Float[Tensor, "m f"], labels: Int64[Tensor, " m"], l2: float = 0.01) -> LastLayer:
    """Fits by Newton's method in double precision to the mean loss plus l2/2 ‖weights‖².

    Raises UsageError when labels are not both 0 and 1, or ``l2`` is not above 0; ArithmeticError when it does not converge.
    """
    if set(labels.tolist()) != {0, 1} or not l2 > 0:
        raise UsageError("influence functions compare two classes, labels 0 and 1, with an l2 above 0")
    scale = float(features.double().square().mean().sqrt()) or 1.0
    x, y = F.pad(features.double() / scale, (0, 1), value=1.0), labels.double()
    weights = torch.zeros_like(x[0])
    identity = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)

    def loss(w: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(x @ w, y) + l2 / 2 * w.square().sum()

    for _ in range(STEPS):
        p = torch.sigmoid(x @ weights)
        gradient = x.T @ (p - y) / len(x) + l2 * weights
        hessian = (x.T * (p * (1 - p))) @ x / len(x) + l2 * identity
        if gradient.norm() < 1e-10:
            directions = torch.linalg.solve(hessian, x.T * (p - y))
            return LastLayer(weights, scale, directions)
        step, length = torch.linalg.solve(hessian, gradient), 1.0
        while loss(weights - length * step) > loss(weights) and length > 1e-6:
            length /= 2
        weights = weights - length * step
    raise ArithmeticError(f"the last layer did not converge in {STEPS} steps of Newton's method")
