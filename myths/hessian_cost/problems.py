"""The functions whose Hessians are timed: inputs, value, closed-form gradient and Hessian.

Each function is written once, with the operations that an ``Ops`` provides for each framework. Every problem has one variable ``x``.
``size`` is the requested number of variables; ``inputs`` takes the nearest smaller number that the shape of the problem allows. The first
three problems are those of Laue et al. 2018 (Sec. 5). Shapes that the paper leaves open are stated with each problem.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from myths.hessian_cost.problem import PAPER_PROBLEMS, DerivedProblem, Inputs, Problem, ProblemName

if TYPE_CHECKING:
    from torch import Tensor

    from myths.hessian_cost.ops import Ops

RANK = 5
"""Columns of U in matrix factorization. The value is recalled from the paper's protocol, not re-read."""
HIDDEN = 8
RIDGE = 0.1


class Quadratic(DerivedProblem):
    """f(x) = xᵀAx (Laue et al. 2018). The asymptotic gap is O(n²) versus O(n³)."""

    name = "quad"
    formula = "xᵀAx"
    derived = "A + Aᵀ"
    axes = "x: n, A: n n"

    def inputs(self, size: int, rng: np.random.Generator) -> Inputs:
        """Draw x [n] and A [n n]."""
        return {"x": rng.standard_normal(size), "A": rng.standard_normal((size, size))}

    def value(self, ops: Ops, x: Any, c: Mapping[str, Any]) -> Any:
        """Return f(x) as a scalar."""
        return ops.dot(x, ops.mv(c["A"], x))

    def gradient(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return (A + Aᵀ)x [n]."""
        return c["A"] @ x + x @ c["A"]

    def hessian(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return A + Aᵀ [n n]."""
        return c["A"] + c["A"].T


class LogisticRegression(DerivedProblem):
    """f(w) = Σ log(1 + exp(−y Xw)) with twice as many examples as variables (m = 2n, recalled from the paper)."""

    name = "logreg"
    formula = "Σᵢ log(1 + exp(−yᵢ xᵢᵀw))"
    derived = "Xᵀ diag(σ(1 − σ)) X"
    axes = "x: n, X: m n, y: m"

    def inputs(self, size: int, rng: np.random.Generator) -> Inputs:
        """Draw x [n], X [2n n] with margins of variance 1, and y [2n] from {−1, 1}."""
        rows = 2 * size
        x = rng.standard_normal((rows, size)) / np.sqrt(size)
        return {"x": rng.standard_normal(size), "X": x, "y": rng.choice([-1.0, 1.0], rows)}

    def value(self, ops: Ops, x: Any, c: Mapping[str, Any]) -> Any:
        """Return f(x) as a scalar."""
        return ops.sum(ops.softplus(-(c["y"] * ops.mv(c["X"], x))))

    def gradient(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return −Xᵀ(y σ(−y Xw)) [n]."""
        return -((c["y"] * (-c["y"] * (c["X"] @ x)).sigmoid()) @ c["X"])

    def hessian(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return Xᵀ diag(σ(1 − σ)) X [n n]."""
        sigma = (c["y"] * (c["X"] @ x)).sigmoid()
        return c["X"].T @ ((sigma * (1 - sigma))[:, None] * c["X"])


class MatrixFactorization(DerivedProblem):
    """f(U) = ‖T − UVᵀ‖² for square T and V with 5 columns. The Hessian has four axes and is mostly zero."""

    name: ProblemName = "matfac"
    formula = "‖T − UVᵀ‖²"
    derived = "2 I ⊗ VᵀV"
    axes = "x: n k, V: m k, T: n m"

    def inputs(self, size: int, rng: np.random.Generator) -> Inputs:
        """Draw x (the factor U) [n 5], V [n 5] and T [n n], where n = size/5."""
        n = max(2, size // RANK)
        return {"x": rng.standard_normal((n, RANK)), "V": rng.standard_normal((n, RANK)), "T": rng.standard_normal((n, n))}

    def value(self, ops: Ops, x: Any, c: Mapping[str, Any]) -> Any:
        """Return f(x) as a scalar."""
        residual = c["T"] - x @ ops.transpose(c["V"])
        return ops.sum(residual * residual)

    def gradient(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return −2(T − UVᵀ)V [n 5]."""
        return 2 * ((x @ c["V"].T - c["T"]) @ c["V"])

    def hessian(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return 2 δᵢⱼ VᵀV [n 5 n 5]."""
        n, k = x.shape
        dense = x.new_zeros(n, k, n, k)
        dense.diagonal(dim1=0, dim2=2)[:] = (2 * (c["V"].T @ c["V"]))[..., None]
        return dense


class MaskedMatrixFactorization(MatrixFactorization):
    """f(U) = ‖Ω ⊙ (T − UVᵀ)‖² with half of the entries known. The Hessian has n different diagonal blocks."""

    name = "matfac-masked"
    formula = "‖Ω ⊙ (T − UVᵀ)‖²"
    derived = "2 δᵢⱼ Σ_c Ωᵢ_c V_ca V_cb"
    axes = "x: n k, V: m k, T: n m, O: n m"

    def inputs(self, size: int, rng: np.random.Generator) -> Inputs:
        """Draw the inputs without mask, and the mask O (Ω) [n n] from {0, 1}."""
        given = super().inputs(size, rng)
        return given | {"O": (rng.random(given["T"].shape) < 0.5).astype(np.float64)}

    def value(self, ops: Ops, x: Any, c: Mapping[str, Any]) -> Any:
        """Return f(x) as a scalar."""
        residual = c["O"] * (c["T"] - x @ ops.transpose(c["V"]))
        return ops.sum(residual * residual)

    def gradient(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return −2(Ω² ⊙ (T − UVᵀ))V [n 5]."""
        return 2 * ((c["O"] ** 2 * (x @ c["V"].T - c["T"])) @ c["V"])

    def hessian(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return 2 δᵢⱼ Σ_c Ω²ᵢ_c V_ca V_cb [n 5 n 5]."""
        (n, k), v = x.shape, c["V"]
        blocks = 2 * (c["O"] ** 2 @ (v[:, :, None] * v[:, None, :]).reshape(len(v), k * k)).reshape(n, k, k)
        dense = x.new_zeros(n, k, n, k)
        dense.diagonal(dim1=0, dim2=2)[:] = blocks.permute(1, 2, 0)
        return dense


class MatrixFactorizationByV(MatrixFactorization):
    """f(V) = ‖T − UVᵀ‖², differentiated by the other factor: ``x`` is V and U is constant."""

    name = "matfac-v"
    formula = "‖T − UVᵀ‖², by V"
    derived = "2 I ⊗ UᵀU"
    axes = "x: m k, U: n k, T: n m"

    def inputs(self, size: int, rng: np.random.Generator) -> Inputs:
        """Draw x (the factor V) [n 5], U [n 5] and T [n n], where n = size/5."""
        given = super().inputs(size, rng)
        return {"x": given["x"], "U": given["V"], "T": given["T"]}

    def value(self, ops: Ops, x: Any, c: Mapping[str, Any]) -> Any:
        """Return f(x) as a scalar."""
        residual = c["T"] - c["U"] @ ops.transpose(x)
        return ops.sum(residual * residual)

    def gradient(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return −2(T − UVᵀ)ᵀU [n 5]."""
        return 2 * ((c["U"] @ x.T - c["T"]).T @ c["U"])

    def hessian(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return 2 δᵢⱼ UᵀU [n 5 n 5]."""
        return super().hessian(x, {"V": c["U"]})


class Ridge(DerivedProblem):
    """f(w) = ‖Xw − y‖² + λ‖w‖² with twice as many examples as variables."""

    name = "ridge"
    formula = "‖Xw − y‖² + λ‖w‖²"
    derived = "2 XᵀX + 2λ I"
    axes = "x: n, X: m n, y: m"

    def inputs(self, size: int, rng: np.random.Generator) -> Inputs:
        """Draw x [n], X [2n n] and y [2n]."""
        return {"x": rng.standard_normal(size), "X": rng.standard_normal((2 * size, size)), "y": rng.standard_normal(2 * size)}

    def value(self, ops: Ops, x: Any, c: Mapping[str, Any]) -> Any:
        """Return f(x) as a scalar."""
        residual = ops.mv(c["X"], x) - c["y"]
        return ops.sum(residual * residual) + RIDGE * ops.sum(x * x)

    def gradient(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return 2Xᵀ(Xw − y) + 2λw [n]."""
        return 2 * ((c["X"] @ x - c["y"]) @ c["X"]) + 2 * RIDGE * x

    def hessian(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return 2XᵀX + 2λI [n n]."""
        dense = 2 * (c["X"].T @ c["X"])
        dense.diagonal().add_(2 * RIDGE)
        return dense


class GaussianProcess(DerivedProblem):
    """½ yᵀS⁻¹y + ½ log det S with S = K + diag(x): negative log marginal likelihood, differentiated by the noise of every point."""

    name = "gp"
    formula = "½ yᵀ(K + diag x)⁻¹y + ½ log det(K + diag x)"
    derived = "aaᵀ ⊙ P − ½ P ⊙ P, with P = (K + diag x)⁻¹ and a = Py"
    axes = "x: n, K: n n, y: n"

    def inputs(self, size: int, rng: np.random.Generator) -> Inputs:
        """Draw x [n], noise variances in 0.5 … 1.5; K [n n], a squared-exponential kernel on 0 … n/8; and y [n]."""
        at = np.sort(rng.uniform(0, size / 8, size))
        kernel = np.exp(-0.5 * (at[:, None] - at) ** 2)
        return {"x": rng.uniform(0.5, 1.5, size), "K": kernel, "y": rng.standard_normal(size)}

    def value(self, ops: Ops, x: Any, c: Mapping[str, Any]) -> Any:
        """Return f(x) as a scalar."""
        covariance = c["K"] + ops.diagonal(x)
        return 0.5 * ops.dot(c["y"], ops.solve(covariance, c["y"])) + 0.5 * ops.logdet(covariance)

    def gradient(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return ½(diag P − a ⊙ a) [n]."""
        inverse = (c["K"] + x.diag()).inverse()
        a = inverse @ c["y"]
        return 0.5 * (inverse.diagonal() - a * a)

    def hessian(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return aaᵀ ⊙ P − ½ P ⊙ P [n n]."""
        inverse = (c["K"] + x.diag()).inverse()
        a = inverse @ c["y"]
        return inverse * (a[:, None] * a - 0.5 * inverse)


class Perceptron(DerivedProblem):
    """f(W) = ‖tanh(XWᵀ)v − y‖², differentiated by the first layer W of a network with 8 hidden units and n/4 examples."""

    name = "mlp"
    formula = "‖tanh(XWᵀ)v − y‖²"
    derived = "2 Σᵢ xᵢ_b xᵢ_d (v_a sᵢ_a v_c sᵢ_c − 2 δ_ac rᵢ v_a hᵢ_a sᵢ_a), with h = tanh(XWᵀ), s = 1 − h², r = hv − y"
    axes = "x: h d, X: m d, v: h, y: m"

    def inputs(self, size: int, rng: np.random.Generator) -> Inputs:
        """Draw x (the weights W) [8 d], X [m d], v [8] and y [m], where d = size/8 and m = size/4."""
        d = max(1, size // HIDDEN)
        m = max(8, size // 4)
        return {
            "x": rng.standard_normal((HIDDEN, d)) / np.sqrt(d),
            "X": rng.standard_normal((m, d)),
            "v": rng.standard_normal(HIDDEN),
            "y": rng.standard_normal(m),
        }

    def value(self, ops: Ops, x: Any, c: Mapping[str, Any]) -> Any:
        """Return f(x) as a scalar."""
        residual = ops.mv(ops.tanh(c["X"] @ ops.transpose(x)), c["v"]) - c["y"]
        return ops.sum(residual * residual)

    def gradient(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return 2 Σᵢ rᵢ v_a sᵢ_a xᵢ_b [8 d]."""
        h = (c["X"] @ x.T).tanh()
        return 2 * (((h @ c["v"] - c["y"])[:, None] * c["v"] * (1 - h * h)).T @ c["X"])

    def hessian(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return the Hessian given in ``derived`` [8 d 8 d]."""
        (units, d), data = x.shape, c["X"]
        h = (data @ x.T).tanh()
        slope = 1 - h * h
        jacobian = ((c["v"] * slope)[:, :, None] * data[:, None, :]).reshape(len(data), units * d)
        dense = (2 * (jacobian.T @ jacobian)).reshape(units, d, units, d)
        curvature = -4 * (h @ c["v"] - c["y"])[:, None] * c["v"] * h * slope
        for unit in range(units):
            dense[unit, :, unit] += data.T @ (curvature[:, unit, None] * data)
        return dense


class Determinant(DerivedProblem):
    """f(X) = det X, the article's example of a function of a matrix."""

    name = "det"
    formula = "det X"
    derived = "det X (P_ba P_dc − P_da P_bc), with P = X⁻¹"
    axes = "x: n n"

    def inputs(self, size: int, rng: np.random.Generator) -> Inputs:
        """Draw x [n n], the identity with small noise, so that no determinant over- or underflows; n = √size."""
        n = isqrt(size)
        return {"x": np.eye(n) + 0.3 * rng.standard_normal((n, n)) / np.sqrt(n)}

    def value(self, ops: Ops, x: Any, c: Mapping[str, Any]) -> Any:
        """Return f(x) as a scalar."""
        return ops.det(x)

    def gradient(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return det X · X⁻ᵀ [n n]."""
        return x.det() * x.inverse().T

    def hessian(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return the Hessian given in ``derived`` [n n n n]."""
        t = x.inverse().T
        return x.det() * (t[:, :, None, None] * t - t[:, None, None, :] * t.T[None, :, :, None])


_ALL = (
    Quadratic(), LogisticRegression(), MatrixFactorization(), MaskedMatrixFactorization(), MatrixFactorizationByV(),
    Ridge(), GaussianProcess(), Perceptron(), Determinant(),
)  # fmt: skip
PROBLEMS: Mapping[ProblemName, DerivedProblem] = {problem.name: problem for problem in _ALL}
assert tuple(PROBLEMS) == get_args(ProblemName)


def derivations() -> str:
    """Return the Hessians of the paper's three problems as derived by the tensor calculus, one line of index notation each."""
    from myths.hessian_cost import tensor_calculus as tc

    lines = ["The Hessians that the tensor calculus derives:"]
    for name in PAPER_PROBLEMS:
        value, x = PROBLEMS[name].expression()
        lines.append(f"  {PROBLEMS[name].formula}:  {tc.text(tc.hessian(value, x), 'H')}")
    return "\n".join(lines)


__all__ = ["PAPER_PROBLEMS", "PROBLEMS", "DerivedProblem", "Inputs", "Problem", "ProblemName", "derivations"]
