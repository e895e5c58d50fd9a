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

MAX_STEPS = 100
"""Maximum number of Newton steps."""


@dataclass(frozen=True)
class LastLayer:
    """A fitted logistic regression on features, with the quantities that its influences need."""

    weights: Float[Tensor, " f1"]
    """Weights; the last one is the bias."""
    scale: float
    """Root mean square of the training features. All features are divided by it."""
    directions: Float[Tensor, "f1 m"]
    """Inverse Hessian times the gradient of each training example's loss."""

    def logits(self, features: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """Return logits; positive values predict the second class."""
        return self._with_one(features) @ self.weights

    def attribute(self, features: Float[Tensor, "n f"], labels: Int64[Tensor, " n"]) -> Float[Tensor, "n m"]:
        """Return the influence of m training examples on n test examples: ∇L(test)ᵀ H⁻¹ ∇L(training).

        It is m times the first-order increase of the test loss if the training example is removed.

        Args:
            features: Features of the test examples. The result can be differentiated with respect to them.
            labels: Classes 0 or 1.
        """
        x, y = self._with_one(features), labels.to(features.dtype)
        residual = torch.sigmoid(x @ self.weights) - y
        return residual[:, None] * (x @ self.directions)

    def _with_one(self, features: Tensor) -> Tensor:
        return F.pad(features.to(self.weights.dtype) / self.scale, (0, 1), value=1.0)


def fit_last_layer(features: Float[Tensor, "m f"], labels: Int64[Tensor, " m"], l2: float = 0.01) -> LastLayer:
    """Minimize the mean loss plus l2/2 ‖weights‖² by Newton's method in float64.

    Args:
        features: Features of the training examples.
        labels: Classes 0 and 1.
        l2: L2 penalty, above 0.

    Raises:
        UsageError: The labels are not both 0 and 1, or ``l2`` is not above 0.
        ArithmeticError: Newton's method does not converge.
    """
    if set(labels.tolist()) != {0, 1} or not l2 > 0:
        raise UsageError(
            f"Influence functions need two classes, labels 0 and 1, and l2 above 0; got labels {sorted(set(labels.tolist()))}, l2={l2:g}"
        )
    scale = float(features.double().square().mean().sqrt()) or 1.0
    x, y = F.pad(features.double() / scale, (0, 1), value=1.0), labels.double()
    weights = torch.zeros_like(x[0])
    identity = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)

    def loss(w: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(x @ w, y) + l2 / 2 * w.square().sum()

    for _ in range(MAX_STEPS):
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
    raise ArithmeticError(f"The last layer did not converge in {MAX_STEPS} Newton steps.")
