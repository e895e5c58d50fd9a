"""Classical image classifiers, fitted and applied in batches on any device.

The regularization is selected on a held-out tenth of the training set; the fit is then repeated on the whole training set. A fitted
classifier is a dict of arrays, which ``scores`` applies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from myths.cifar10_1.classical_config import ClassicalConfig, Method, Solver
from myths.cifar10_1.features import RandomPatches, hog, pixels
from myths.lab import linear_svm as exact
from myths.lab.measurement.device import halve_on_out_of_memory

PENALTIES = tuple(10.0**e for e in (-4, -3, -2, -1, 0, 1, 2))
"""Ridge penalties to select from, relative to the mean square of the features times the number of examples."""
C_VALUES = (1.0, 10.0, 100.0)
"""Values of the parameter C of the support vector machine to select from."""
TOLERANCE = 1e-4
"""Stopping criterion of the solver "newton": gradient norm of each class, relative to its initial gradient norm."""

Arrays = Mapping[str, np.ndarray]
Features = Callable[[UInt8[Tensor, "n c h w"]], Float[Tensor, "n f"]]


def fit(
    config: ClassicalConfig, x: UInt8[Tensor, "n c h w"], y: Int64[Tensor, " n"], classes: int, generator: torch.Generator
) -> tuple[dict[str, np.ndarray], float | None]:
    """Fit a classifier and select its regularization.

    Args:
        config: Method and settings.
        x: Training images.
        y: Class of each image.
        classes: Number of classes.
        generator: Random numbers of the patches and of the held-out examples.

    Returns:
        The classifier as arrays, and the selected regularization. For "nearest neighbor" no arrays and None.
    """
    method = config.method
    if method == "nearest neighbor":
        return {}, None
    arrays: dict[str, np.ndarray] = {}
    if method == "random features":
        patches = RandomPatches(x, config.n_filters, generator, stride=config.stride)
        weight, bias = patches.weight.cpu().contiguous().numpy(), patches.bias.cpu().numpy()
        arrays = {"filters": weight, "bias": bias, "stride": np.array(config.stride)}
    features = _features(method, arrays, x.device)(x)
    held_out = torch.zeros(len(x), dtype=torch.bool)
    held_out[torch.randperm(len(x), generator=generator)[: len(x) // 10]] = True
    solve = partial(linear_svm, solver=config.solver) if method == "hog + linear svm" else ridge
    head, regularization = solve(features, y, classes, held_out.to(x.device))
    return arrays | {"head": head.float().cpu().numpy()}, regularization


def scores(
    method: Method,
    arrays: Arrays,
    x_train: UInt8[Tensor, "n c h w"],
    y_train: Int64[Tensor, " n"],
    classes: int,
    x: UInt8[Tensor, "m c h w"],
) -> Float[Tensor, "m classes"]:
    """Return a score of each class for each image of ``x``; the predicted class has the highest score.

    Args:
        method: Method of the classifier.
        arrays: The fitted classifier, as returned by ``fit``.
        x_train: Training images; only "nearest neighbor" uses them.
        y_train: Class of each training image.
        classes: Number of classes.
        x: Images to classify.
    """
    if method == "nearest neighbor":
        return nearest(x_train, y_train, classes, x)
    features = _features(method, arrays, x.device)
    head = torch.from_numpy(np.array(arrays["head"])).to(x.device)

    def work(piece: slice) -> Tensor:
        return _append_constant(features(x[piece])) @ head

    return torch.cat(halve_on_out_of_memory(work, len(x), 2000, elements=len(head))[0])


def nearest(
    x_train: UInt8[Tensor, "n c h w"], y_train: Int64[Tensor, " n"], classes: int, x: UInt8[Tensor, "m c h w"]
) -> Float[Tensor, "m classes"]:
    """Return minus half the squared distance to the nearest training image of each class, up to a constant per image of ``x``.

    The score of a class without training images is -inf.
    """
    # Centered pixels keep the products small, so that single precision suffices to order the distances.
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
    """Fit ridge regression on one-hot targets by the normal equations, with a penalty on standardized features.

    Returns:
        Weights of the raw features followed by a constant 1, and the penalty selected on the held-out examples.
    """
    mean, std = features.mean(0), features.std(0).clamp_min(1e-6)
    target = F.one_hot(y, classes).float()
    prior = target.mean(0)

    def equations(rows: Tensor) -> tuple[Tensor, Tensor]:
        z = (features[rows] - mean) / std
        return (z.T @ z).double(), (z.T @ (target[rows] - prior)).double()

    def solve(gram: Tensor, cross: Tensor, n: int, penalty: float) -> Tensor:
        damped = gram + penalty * n * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        weights = torch.cholesky_solve(cross, torch.linalg.cholesky(damped)).float() / std[:, None]
        return torch.cat([weights, (prior - mean @ weights)[None]])

    kept, tested = (~held_out).nonzero()[:, 0], held_out.nonzero()[:, 0]
    gram, cross = equations(kept)
    inputs = _append_constant(features[tested])
    penalty = max(PENALTIES, key=lambda p: _n_correct(inputs @ solve(gram, cross, len(kept), p), y[tested]))
    rest_gram, rest_cross = equations(tested)
    return solve(gram + rest_gram, cross + rest_cross, len(features), penalty), penalty


def linear_svm(
    features: Float[Tensor, "n f"], y: Int64[Tensor, " n"], classes: int, held_out: Tensor, solver: Solver = "lbfgs"
) -> tuple[Float[Tensor, "f1 classes"], float]:
    """Fit one-versus-rest linear support vector machines.

    Returns:
        Weights of the features followed by a constant 1, and the value of C selected on the held-out examples.
    """
    solve = squared_hinge if solver == "lbfgs" else partial(exact.squared_hinge, tolerance=TOLERANCE)
    inputs = _append_constant(features)
    kept, tested = inputs[~held_out], inputs[held_out]
    heads: list[Tensor] = []
    for C in C_VALUES:  # from strong to weak regularization, each starting from the previous solution
        heads.append(solve(kept, y[~held_out], classes, C, heads[-1] if heads else None))
    n_correct = [_n_correct(tested @ head, y[held_out]) for head in heads]
    best = n_correct.index(max(n_correct))
    return solve(inputs, y, classes, C_VALUES[best], heads[best]), C_VALUES[best]


def squared_hinge(
    inputs: Float[Tensor, "n f"], y: Int64[Tensor, " n"], classes: int, C: float, start: Float[Tensor, "f classes"] | None = None
) -> Float[Tensor, "f classes"]:
    """Minimize ½‖w‖² + C Σ max(0, 1 − y wᵀx)² for each class against the rest by L-BFGS: the primal of ``sklearn.svm.LinearSVC``.

    All classes are solved together. As in LinearSVC, the weight of the constant input is penalized. The solver stops after 100 iterations;
    on all of CIFAR-10 the objective is then 2 to 3 % above the minimum from a cold start. ``myths.lab.linear_svm`` reaches the minimum.
    """
    sign = 2 * F.one_hot(y, classes).to(inputs.dtype) - 1
    weights = inputs.new_zeros(inputs.shape[1], classes) if start is None else start.clone()
    weights.requires_grad_(True)
    optimizer = torch.optim.LBFGS([weights], max_iter=100, history_size=20, tolerance_grad=1e-5, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        # The gradient is written by hand: it shares the slack with the loss, which saves memory.
        with torch.no_grad():
            slack = (1 - sign * (inputs @ weights)).clamp_min_(0)
            weights.grad = (weights - 2 * C * (inputs.T @ (sign * slack))) / len(inputs)
            return (weights.square().sum() / 2 + C * slack.square().sum()) / len(inputs)

    optimizer.step(loss)
    return weights.detach()


def _features(method: Method, arrays: Arrays, device: torch.device) -> Features:
    if method == "random features":
        filters, bias = (torch.from_numpy(np.array(arrays[name])).to(device) for name in ("filters", "bias"))
        return RandomPatches.from_filters(filters, bias, int(arrays["stride"]))
    return hog if method == "hog + linear svm" else pixels


def _append_constant(features: Float[Tensor, "n f"]) -> Float[Tensor, "n f1"]:
    return torch.cat([features, features.new_ones(len(features), 1)], dim=1)


def _n_correct(scored: Float[Tensor, "n classes"], y: Int64[Tensor, " n"]) -> int:
    return int((scored.argmax(1) == y).sum())
