"""Linear one-vs-rest support vector machines on any device: scikit-learn's LinearSVC, trained for all classes at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

COSTS = (0.01, 0.1, 1.0, 10.0)
"""Candidate values of C, for features scaled to unit mean square length."""
TOLERANCE = 1e-3
"""Norm of the gradient of each class at which it stops, relative to the first gradient."""
MAX_STEPS = 50
"""Maximum number of Newton steps."""
MAX_SELECTION_EXAMPLES = 200
"""Maximum number of training examples per class used to select C. The final fit uses all examples."""


@dataclass(frozen=True)
class LinearSvm:
    """A trained classifier for unscaled features: weights, offset, and the selected C (``cost``)."""

    weights: Float[Tensor, "f classes"]
    offset: Float[Tensor, " classes"]
    cost: float

    def scores(self, features: Float[Tensor, "n f"]) -> Float[Tensor, "n classes"]:
        """Return the decision function of each class; higher means more likely."""
        return features @ self.weights + self.offset


def fit(
    features: Float[Tensor, "n f"],
    y: Int64[Tensor, " n"],
    classes: int,
    held_out: Bool[Tensor, " n"],
    costs: Sequence[float] = COSTS,
) -> LinearSvm:
    """Select C on held-out training examples, then fit all training examples.

    C is selected on the first ``MAX_SELECTION_EXAMPLES`` examples of each class. Features are centered and scaled by one number, so that C
    has the same meaning for every kind of feature. If no or nearly all examples are held out, the middle C is used.

    Args:
        features: Training features.
        y: Labels.
        classes: Number of classes.
        held_out: Examples on which C is selected.
        costs: Candidate values of C.

    Returns:
        The trained classifier.
    """
    mean = features.mean(0)
    scale = (features - mean).square().sum(1).mean().sqrt().clamp_min(1e-12)
    inputs = F.pad((features - mean) / scale, (0, 1), value=1.0)
    start = None
    cost = costs[len(costs) // 2]
    first = F.one_hot(y, classes).cumsum(0).gather(1, y[:, None])[:, 0] <= MAX_SELECTION_EXAMPLES
    kept, validation = first & ~held_out, first & held_out
    if len(costs) > 1 and validation.any() and len(y[kept].unique()) > 1:
        heads: list[Tensor] = []
        for c in sorted(costs):  # from strong to weak regularization, each from the solution before
            heads.append(squared_hinge(inputs[kept], y[kept], classes, c, heads[-1] if heads else None))
        n_correct = [int(((inputs[validation] @ head).argmax(1) == y[validation]).sum()) for head in heads]
        best = n_correct.index(max(n_correct))
        cost, start = sorted(costs)[best], heads[best]
    head = squared_hinge(inputs, y, classes, cost, start)
    weights = head[:-1] / scale
    return LinearSvm(weights, head[-1] - mean @ weights, cost)


def objective(
    inputs: Float[Tensor, "n f"], sign: Float[Tensor, "n classes"], weights: Float[Tensor, "f classes"], cost: float
) -> Float[Tensor, " classes"]:
    """Return ½‖w‖² + C Σ max(0, 1 − y wᵀx)² for each class, LinearSVC's objective, which also penalizes the weight of the constant input.

    Args:
        inputs: Features with a constant input.
        sign: 1 for the class of an example, −1 for the others.
        weights: Weights.
        cost: C.
    """
    slack = (1 - sign * (inputs @ weights)).clamp_min(0)
    return weights.square().sum(0) / 2 + cost * slack.square().sum(0)


@torch.no_grad()
def squared_hinge(
    inputs: Float[Tensor, "n f"],
    y: Int64[Tensor, " n"],
    classes: int,
    cost: float,
    start: Float[Tensor, "f classes"] | None = None,
    tolerance: float = TOLERANCE,
) -> Float[Tensor, "f classes"]:
    """Minimize ``objective`` for all classes by Newton's method with conjugate gradients (Keerthi & DeCoste 2005).

    Each class has its own step lengths and stops on its own; finished classes cost no time.

    Args:
        inputs: Features with a constant input.
        y: Labels.
        classes: Number of classes.
        cost: C.
        start: Initial weights. Default: zeros.
        tolerance: Norm of the gradient at which a class stops, relative to its first gradient.

    Returns:
        The weights.
    """
    sign = 2 * F.one_hot(y, classes).to(inputs.dtype) - 1
    weights = inputs.new_zeros(inputs.shape[1], classes) if start is None else start.clone()
    first = _gradient(inputs, sign, torch.zeros_like(weights), cost)[0].norm(dim=0).clamp_min(1e-30)
    for _ in range(MAX_STEPS):
        gradient, active = _gradient(inputs, sign, weights, cost)
        ratio = gradient.norm(dim=0) / first
        todo = (ratio > tolerance).nonzero()[:, 0]
        if not len(todo):
            break
        direction = _newton(inputs, active[:, todo], gradient[:, todo], cost, ratio[todo].sqrt().clamp_max(0.1))
        weights[:, todo] += direction * _line_search(inputs, sign[:, todo], weights[:, todo], direction, cost)
    return weights


def _gradient(inputs: Tensor, sign: Tensor, weights: Tensor, cost: float) -> tuple[Tensor, Tensor]:
    slack = (1 - sign * (inputs @ weights)).clamp_min_(0)
    return weights - 2 * cost * (inputs.T @ (sign * slack)), (slack > 0).to(inputs.dtype)


def _newton(inputs: Tensor, active: Tensor, gradient: Tensor, cost: float, forcing: Tensor) -> Tensor:
    """Solve (I + 2C XᵀDX) s = −g for each class up to a relative residual of ``forcing``."""
    solution = torch.zeros_like(gradient)
    residual = -gradient
    search = residual.clone()
    rho = residual.square().sum(0)
    goal = rho * forcing.square()
    for _ in range(100):
        image = search + 2 * cost * (inputs.T @ (active * (inputs @ search)))
        step = torch.where(rho > goal, rho / (search * image).sum(0).clamp_min(1e-30), 0.0)
        solution += step * search
        residual -= step * image
        new = residual.square().sum(0)
        if bool((new <= goal).all()):
            break
        search = residual + (new / rho.clamp_min(1e-30)) * search
        rho = new
    return solution


def _line_search(inputs: Tensor, sign: Tensor, weights: Tensor, direction: Tensor, cost: float) -> Tensor:
    """Return the exact minimizer along each direction.

    The objective is convex and piecewise quadratic in the step, so Newton's method finds it.
    """
    margin, change = 1 - sign * (inputs @ weights), -sign * (inputs @ direction)
    linear, square = (weights * direction).sum(0), direction.square().sum(0)
    step = torch.ones_like(linear)
    low, high = torch.zeros_like(step), torch.full_like(step, torch.inf)
    for _ in range(20):
        slack = (margin + step * change).clamp_min(0)
        slope = linear + step * square + 2 * cost * (slack * change).sum(0)
        curve = square + 2 * cost * ((slack > 0) * change.square()).sum(0)
        low, high = torch.where(slope < 0, step, low), torch.where(slope > 0, step, high)
        proposed = step - slope / curve.clamp_min(1e-30)
        outside = (proposed <= low) | (proposed >= high)
        middle = torch.where(high.isinf(), 2 * step, (low + high) / 2)
        proposed = torch.where(outside, middle, proposed)
        if bool(((proposed - step).abs() <= 1e-4 * step).all()):
            return proposed
        step = proposed
    return step
