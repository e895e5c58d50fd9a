"""Linear support vector machines, one against the rest, all classes and any device at once: scikit-learn's LinearSVC, faster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

COSTS = (0.01, 0.1, 1.0, 10.0)
"""Values of C that are chosen from, for features scaled to unit mean square length."""
TOLERANCE = 1e-3
"""Share of its first gradient's length that the gradient of each class may keep."""
MAX_STEPS = 50
"""Newton steps at most."""
MAX_SELECTION_EXAMPLES = 200
"""Training examples a class, at most, on which C is chosen: the final fit is on all."""


@dataclass(frozen=True)
class LinearSvm:
    """Weights for raw features, with an offset; ``cost`` is the C that was chosen."""

    weights: Float[Tensor, "f classes"]
    offset: Float[Tensor, " classes"]
    cost: float

    def scores(self, features: Float[Tensor, "n f"]) -> Float[Tensor, "n classes"]:
        """The distance from each class's boundary, higher is likelier."""
        return features @ self.weights + self.offset


def fit(
    features: Float[Tensor, "n f"],
    y: Int64[Tensor, " n"],
    classes: int,
    held_out: Bool[Tensor, " n"],
    costs: Sequence[float] = COSTS,
) -> LinearSvm:
    """The machine with the C that names most of the held-out training examples, then fitted to all training examples.

    C is chosen among the first ``MAX_SELECTION_EXAMPLES`` examples of each class. Features are centered and scaled by one number, so that C
    means the same for every kind of feature.
    Where nothing or nearly everything is held out, the middle C is taken.
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
    """½‖w‖² + C Σ max(0, 1 − y wᵀx)² of each class: LinearSVC's, whose constant input is penalized as well."""
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
    """Minimizes ``objective`` for all classes together by Newton's method with conjugate gradients (Keerthi & DeCoste 2005).

    Each class has its own step lengths and stops by itself; classes that are done cost nothing.
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
    """Solves (I + 2C XᵀDX) s = −g for each class to a share ``forcing`` of the gradient's length."""
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
    """The minimum along each direction: the objective is a convex, piecewise quadratic function of the step, so Newton finds it."""
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
