"""Image classifiers from before deep networks, fitted and applied a batch at a time on any device.

Every setting that is chosen (the strength of a regularization) is chosen on a tenth of the training set held out for that,
then the fit is repeated on all of it. A fitted classifier is a dict of arrays, which ``scores`` applies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from myths.cifar10_1.features import RandomPatches, hog, pixels
from myths.cifar10_1.recipe import Method, Recipe, Solver
from myths.lab import linear_svm as exact
from myths.lab.device import halve_on_out_of_memory

STRENGTHS = tuple(10.0**e for e in (-4, -3, -2, -1, 0, 1, 2))
"""Ridge penalties, as a share of the features' mean square times the number of examples."""
COSTS = (1.0, 10.0, 100.0)
"""Values of the support vector machine's C."""
TOLERANCE = 1e-4
"""Share of its first gradient's length that the gradient of each class may keep, with the solver "newton"."""

Arrays = Mapping[str, np.ndarray]
Features = Callable[[UInt8[Tensor, "n c h w"]], Float[Tensor, "n f"]]


def fit(
    recipe: Recipe, x: UInt8[Tensor, "n c h w"], y: Int64[Tensor, " n"], classes: int, generator: torch.Generator
) -> tuple[dict[str, np.ndarray], float | None]:
    """The fitted classifier as arrays, and the strength that was chosen; nearest neighbor has none, and no fit either."""
    method = recipe.method
    if method == "nearest neighbor":
        return {}, None
    arrays: dict[str, np.ndarray] = {}
    if method == "random features":
        patches = RandomPatches(x, recipe.filters, generator, stride=recipe.stride)
        weight, bias = patches.weight.cpu().contiguous().numpy(), patches.bias.cpu().numpy()
        arrays = {"filters": weight, "bias": bias, "stride": np.array(recipe.stride)}
    features = _features(method, arrays, x.device)(x)
    held_out = torch.zeros(len(x), dtype=torch.bool)
    held_out[torch.randperm(len(x), generator=generator)[: len(x) // 10]] = True
    solve = partial(linear_svm, solver=recipe.solver) if method == "hog + linear svm" else ridge
    head, strength = solve(features, y, classes, held_out.to(x.device))
    return arrays | {"head": head.float().cpu().numpy()}, strength


def scores(
    method: Method,
    arrays: Arrays,
    x_train: UInt8[Tensor, "n c h w"],
    y_train: Int64[Tensor, " n"],
    classes: int,
    x: UInt8[Tensor, "m c h w"],
) -> Float[Tensor, "m classes"]:
    """A score for each class, higher is likelier; the training set is looked at by nearest neighbor only."""
    if method == "nearest neighbor":
        return nearest(x_train, y_train, classes, x)
    features = _features(method, arrays, x.device)
    head = torch.from_numpy(np.array(arrays["head"])).to(x.device)

    def work(piece: slice) -> Tensor:
        return _with_one(features(x[piece])) @ head

    return torch.cat(halve_on_out_of_memory(work, len(x), 2000, elements=len(head))[0])


def nearest(
    x_train: UInt8[Tensor, "n c h w"], y_train: Int64[Tensor, " n"], classes: int, x: UInt8[Tensor, "m c h w"]
) -> Float[Tensor, "m classes"]:
    """Minus half the squared distance to the nearest image of each class, up to a constant of ``x``; -inf where there is none."""
    # Centered pixels keep the products small, so that single precision orders the distances well.
    center = pixels(x_train).mean(0)
    by_class = [pixels(x_train[y_train == c]) - center for c in range(classes)]
    half_norms = [t.square().sum(1) / 2 for t in by_class]

    def work(piece: slice) -> Tensor:
        queries = pixels(x[piece]) - center
        best = [
            (queries @ t.T - h).amax(1) if len(t) else queries.new_full((len(queries),), -torch.inf)
            for t, h in zip(by_class, half_norms, strict=True)
        ]
        return torch.stack(best, dim=1)

    return torch.cat(halve_on_out_of_memory(work, len(x), 1000, elements=max(center.numel(), *map(len, by_class)))[0])


def ridge(
    features: Float[Tensor, "n f"], y: Int64[Tensor, " n"], classes: int, held_out: Tensor
) -> tuple[Float[Tensor, "f1 classes"], float]:
    """Least squares on one-hot targets with a penalty on standardized features, from the normal equations.

    Gives weights for the raw features with a constant 1 appended, and the penalty chosen.
    """
    mean, deviation = features.mean(0), features.std(0).clamp_min(1e-6)
    target = F.one_hot(y, classes).float()
    prior = target.mean(0)

    def equations(rows: Tensor) -> tuple[Tensor, Tensor]:
        z = (features[rows] - mean) / deviation
        return (z.T @ z).double(), (z.T @ (target[rows] - prior)).double()

    def solve(gram: Tensor, cross: Tensor, n: int, strength: float) -> Tensor:
        damped = gram + strength * n * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        weights = torch.cholesky_solve(cross, torch.linalg.cholesky(damped)).float() / deviation[:, None]
        return torch.cat([weights, (prior - mean @ weights)[None]])

    kept, tested = (~held_out).nonzero()[:, 0], held_out.nonzero()[:, 0]
    gram, cross = equations(kept)
    inputs = _with_one(features[tested])
    strength = max(STRENGTHS, key=lambda s: _right(inputs @ solve(gram, cross, len(kept), s), y[tested]))
    rest_gram, rest_cross = equations(tested)
    return solve(gram + rest_gram, cross + rest_cross, len(features), strength), strength


def linear_svm(
    features: Float[Tensor, "n f"], y: Int64[Tensor, " n"], classes: int, held_out: Tensor, solver: Solver = "lbfgs"
) -> tuple[Float[Tensor, "f1 classes"], float]:
    """One-against-rest linear support vector machines with C chosen on the held-out examples."""
    solve = squared_hinge if solver == "lbfgs" else partial(exact.squared_hinge, tolerance=TOLERANCE)
    inputs = _with_one(features)
    kept, tested = inputs[~held_out], inputs[held_out]
    heads: list[Tensor] = []
    for cost in COSTS:  # from strong to weak regularization, each from the solution before
        heads.append(solve(kept, y[~held_out], classes, cost, heads[-1] if heads else None))
    right = [_right(tested @ head, y[held_out]) for head in heads]
    chosen = right.index(max(right))
    return solve(inputs, y, classes, COSTS[chosen], heads[chosen]), COSTS[chosen]


def squared_hinge(
    inputs: Float[Tensor, "n f"], y: Int64[Tensor, " n"], classes: int, cost: float, start: Float[Tensor, "f classes"] | None = None
) -> Float[Tensor, "f classes"]:
    """Minimizes ½‖w‖² + C Σ max(0, 1 − y wᵀx)² for each class against the rest: the primal of ``sklearn.svm.LinearSVC``, by L-BFGS.

    All classes are solved together; like LinearSVC, the weight of the constant input is penalized too. It stops after 100
    iterations, which on all of CIFAR-10 is before the minimum (2 to 3 % above it from a cold start): ``linear_svm`` of the lab gets there.
    """
    sign = 2 * F.one_hot(y, classes).to(inputs.dtype) - 1
    weights = inputs.new_zeros(inputs.shape[1], classes) if start is None else start.clone()
    weights.requires_grad_(True)
    optimizer = torch.optim.LBFGS([weights], max_iter=100, history_size=20, tolerance_grad=1e-5, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        # By hand: the gradient shares the slack with the loss, so nothing but it is kept in memory.
        with torch.no_grad():
            slack = (1 - sign * (inputs @ weights)).clamp_min_(0)
            weights.grad = (weights - 2 * cost * (inputs.T @ (sign * slack))) / len(inputs)
            return (weights.square().sum() / 2 + cost * slack.square().sum()) / len(inputs)

    optimizer.step(loss)
    return weights.detach()


def _features(method: Method, arrays: Arrays, device: torch.device) -> Features:
    if method == "random features":
        filters, bias = (torch.from_numpy(np.array(arrays[name])).to(device) for name in ("filters", "bias"))
        return RandomPatches.of(filters, bias, int(arrays["stride"]))
    return hog if method == "hog + linear svm" else pixels


def _with_one(features: Float[Tensor, "n f"]) -> Float[Tensor, "n f1"]:
    return torch.cat([features, features.new_ones(len(features), 1)], dim=1)


def _right(scored: Float[Tensor, "n classes"], y: Int64[Tensor, " n"]) -> int:
    return int((scored.argmax(1) == y).sum())
