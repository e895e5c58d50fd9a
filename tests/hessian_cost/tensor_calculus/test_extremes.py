"""Values, gradients and Hessians far out, entry by entry against mpmath; torch, where it loses all digits, for comparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import torch

from myths.hessian_cost.tensor_calculus import (
    NotDifferentiable,
    Variable,
    det,
    evaluate,
    exp,
    gradient,
    hessian,
    inverse,
    log,
    log1p,
    logdet,
    logsumexp,
    sigmoid,
    softmax,
    softplus,
    tanh,
    variable,
)

x, A = variable("x", "n"), variable("A", "nn")
FAR = [-1000.0, -700.0, -40.0, -1e-3, 0.0, 1.0, 40.0, 700.0, 1000.0]
POINTS = [
    [800.0, 799.0, 798.0],
    [1000.0, 0.0, -1000.0],
    [40.0, 0.0, -3.0],
    [-1000.0, -1001.0, -999.0],
    [0.0, 0.0, 0.0],
    [700.0, -700.0, 690.0],
]
ONE_BY_ONE: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Any]]] = {
    "softplus": (
        softplus, lambda t: mpmath.log1p(mpmath.exp(t)), lambda t: 1 / (1 + mpmath.exp(-t)), lambda t: 1 / (2 + 2 * mpmath.cosh(t)),
    ),
    "log(1 + exp(x))": (
        lambda v: log(1 + exp(v)), lambda t: mpmath.log1p(mpmath.exp(t)), lambda t: 1 / (1 + mpmath.exp(-t)),
        lambda t: 1 / (2 + 2 * mpmath.cosh(t)),
    ),
    "log1p(exp(x))": (
        lambda v: log1p(exp(v)), lambda t: mpmath.log1p(mpmath.exp(t)), lambda t: 1 / (1 + mpmath.exp(-t)),
        lambda t: 1 / (2 + 2 * mpmath.cosh(t)),
    ),
    "log sigmoid(x)": (
        lambda v: log(sigmoid(v)), lambda t: -mpmath.log1p(mpmath.exp(-t)), lambda t: 1 / (1 + mpmath.exp(t)),
        lambda t: -1 / (2 + 2 * mpmath.cosh(t)),
    ),
    "log cosh by tanh": (
        lambda v: v * tanh(v), lambda t: t * mpmath.tanh(t), lambda t: mpmath.tanh(t) + t * mpmath.sech(t) ** 2,
        lambda t: 2 * mpmath.sech(t) ** 2 * (1 - t * mpmath.tanh(t)),
    ),
}  # fmt: skip


def assert_digits(found: Any, exact: list[Any], digits: float = 1e-13) -> None:
    """Each entry to a relative error; what is below the smallest normal number may be 0."""
    for one, true in zip(np.ravel(np.asarray(found)), exact, strict=True):
        assert abs(mpmath.mpf(float(one)) - true) <= digits * abs(true) + np.finfo(float).tiny, (float(one), true)


@pytest.mark.parametrize("backend", ["torch", "numpy"])
@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_each_entry_far_out(name: str, backend: str) -> None:
    ours, value, slope, curvature = ONE_BY_ONE[name]
    at: Any = torch.tensor(FAR, dtype=torch.float64) if backend == "torch" else np.array(FAR)
    with mpmath.workdps(1000):
        points = [mpmath.mpf(t) for t in FAR]
        assert_digits(evaluate(ours(x), x=at), [value(t) for t in points])
        assert_digits(evaluate(gradient(ours(x).sum(), x), x=at), [slope(t) for t in points])
        assert_digits(evaluate(hessian(ours(x).sum(), x), x=at).diagonal(), [curvature(t) for t in points])


@pytest.mark.parametrize("backend", ["torch", "numpy"])
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize(
    "written", [lambda v: logsumexp(v), lambda v: log(exp(v).sum()), lambda v: 2 * logsumexp(v)], ids=["lse", "log", "2"]
)
def test_log_sum_exp_far_out(written: Callable[[Variable], Any], point: list[float], backend: str) -> None:
    at: Any = torch.tensor(point, dtype=torch.float64) if backend == "torch" else np.array(point)
    f = written(x)
    factor = 2 if written(x) is 2 * logsumexp(x) else 1
    with mpmath.workdps(2000):
        weights = [mpmath.exp(mpmath.mpf(t)) for t in point]
        p = [weight / sum(weights) for weight in weights]
        curvature = [factor * (p[i] * (sum(p[:i]) + sum(p[i + 1 :])) if i == j else -p[i] * p[j]) for i in range(3) for j in range(3)]
        assert_digits(evaluate(f, x=at), [factor * mpmath.log(sum(weights))])
        assert_digits(evaluate(gradient(f, x), x=at), [factor * share for share in p], 1e-12)
        assert_digits(evaluate(hessian(f, x), x=at), curvature, 1e-12)


def test_torch_loses_these_digits() -> None:
    at = torch.tensor([40.0], dtype=torch.float64)
    theirs = torch.func.hessian(lambda v: torch.nn.functional.softplus(v).sum())(at)
    assert theirs.item() == 0
    assert evaluate(hessian(softplus(x).sum(), x), x=at).item() == pytest.approx(np.exp(-40), rel=1e-12)
    certain = torch.tensor([40.0, 0.0], dtype=torch.float64)
    assert torch.func.hessian(lambda v: torch.logsumexp(v, 0))(certain)[0, 0].item() == 0
    assert evaluate(hessian(logsumexp(x), x), x=certain)[0, 0].item() == pytest.approx(np.exp(-40), rel=1e-12)


def test_classes_that_are_certain_keep_their_curvature() -> None:
    X, W = variable("X", "md"), variable("W", "dk")
    f = logsumexp(X @ W, 1).sum()
    samples, weights = np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([[40.0, 0.0, -3.0], [2.0, -50.0, 1.0]])
    found = evaluate(hessian(f, W), X=samples, W=weights)
    with mpmath.workdps(100):
        rows = [[mpmath.exp(mpmath.mpf(float(z))) for z in row] for row in samples @ weights]
        p = [[weight / sum(row) for weight in row] for row in rows]
        others = [[sum(q[:i] + q[i + 1 :]) for i in range(3)] for q in p]
        exact = [
            sum(mpmath.mpf(samples[m, a]) * samples[m, b] * p[m][i] * (others[m][i] if i == j else -p[m][j]) for m in range(2))
            for a in range(2) for i in range(3) for b in range(2) for j in range(3)
        ]  # fmt: skip
        assert_digits(found, exact, 1e-11)


def test_softmax_is_one_at_most_and_never_nan() -> None:
    for point in POINTS:
        weights = evaluate(softmax(x), x=np.array(point))
        assert weights.sum() == pytest.approx(1, rel=1e-12)
        assert (weights >= 0).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_log_determinants_are_those_of_numpy(dtype: type) -> None:
    rng = np.random.default_rng(0)
    square = rng.standard_normal((256, 256)).astype(dtype)
    for matrix in (np.diag([1e-20, 1.0]).astype(dtype), square @ square.T, np.diag([1e30, 1e-30, -1.0]).astype(dtype)):
        for backend in ("numpy", "torch"):
            at = torch.as_tensor(matrix) if backend == "torch" else matrix
            exact, digits = np.linalg.slogdet(matrix).logabsdet, 1e-4 if dtype is np.float32 else 1e-12
            assert float(evaluate(logdet(A), A=at)) == pytest.approx(exact, rel=digits, abs=digits)


def test_what_is_badly_scaled_is_no_singular_matrix() -> None:
    matrix = np.diag([1e-20, 1.0, 1e15])
    assert np.allclose(evaluate(inverse(A), A=matrix), np.diag([1e20, 1.0, 1e-15]))
    assert np.allclose(evaluate(gradient(logdet(A), A), A=matrix), np.diag([1e20, 1.0, 1e-15]))
    core, rows, columns = np.array([[2.0, 1, 0], [1, 3, 1], [0, 1, 2]]), np.array([1e-12, 1.0, 1e9]), np.array([1e9, 1.0, 1e-11])
    exact = np.linalg.inv(core) / columns[:, None] / rows
    assert np.allclose(evaluate(inverse(A), A=rows[:, None] * core * columns), exact, rtol=1e-9, atol=0)
    assert evaluate(det(A), A=np.ones((2, 2))) == 0


@pytest.mark.parametrize("matrix", [np.ones((2, 2)), np.arange(1.0, 10).reshape(3, 3), np.zeros((2, 2))])
def test_a_singular_matrix_has_no_inverse(matrix: np.ndarray) -> None:
    for backend in (np.asarray, torch.as_tensor):
        with pytest.raises(NotDifferentiable, match="singular"):
            evaluate(inverse(A), A=backend(matrix))


@pytest.mark.parametrize(
    ("expression", "at"),
    [
        (exp(x).sum(), 800.0),
        (log(x).sum(), -1.0),
        (exp(x) / exp(x).sum(), 800.0),
        (logdet((exp(x)["i"] * x["j"]).to("ij")), 0.0),
        (x + 1, np.nan),
    ],
)
def test_what_is_not_finite_never_passes_the_check(expression: Any, at: float) -> None:
    point = np.full(2, at)
    with np.errstate(all="ignore"), pytest.raises(NotDifferentiable, match=r"not finite|does not exist"):
        evaluate(expression, x=point)
