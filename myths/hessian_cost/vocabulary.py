"""The functions that a formula may use. The parser, its hints and the listing are built from this table."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

FunctionKind = Literal["entries", "two", "axis", "matrix", "size"]
KIND_TITLES: Mapping[FunctionKind, str] = {
    "entries": "Element-wise",
    "two": "Two operands, broadcast as in NumPy (except dot, outer and solve)",
    "axis": "Reductions over all entries, or along axis=; keepdims=True keeps the axis",
    "matrix": "Matrices",
    "size": "Sizes",
}


@dataclass(frozen=True)
class Function:
    """One function: its arguments, meaning and aliases."""

    name: str
    kind: FunctionKind
    arguments: str
    meaning: str
    also: tuple[str, ...] = ()


def _function(name: str, kind: FunctionKind, arguments: str, meaning: str, also: str = "") -> Function:
    return Function(name, kind, arguments, meaning, tuple(also.split()))


FUNCTIONS: tuple[Function, ...] = (
    _function("exp", "entries", "x", "eˣ"),
    _function("expm1", "entries", "x", "eˣ − 1, exact for small x"),
    _function("log", "entries", "x", "the natural logarithm of x > 0", "ln"),
    _function("log1p", "entries", "x", "log(1 + x), exact for small x"),
    _function("log2", "entries", "x", "the logarithm to base 2"),
    _function("log10", "entries", "x", "the logarithm to base 10"),
    _function("sqrt", "entries", "x", "the square root"),
    _function("square", "entries", "x", "x²"),
    _function("reciprocal", "entries", "x", "1/x"),
    _function("abs", "entries", "x", "|x|; its derivative at 0 is 0", "absolute fabs"),
    _function("sign", "entries", "x", "1, 0 or −1; its derivative is 0", "sgn"),
    _function("sin", "entries", "x", "the sine"),
    _function("cos", "entries", "x", "the cosine"),
    _function("tan", "entries", "x", "the tangent"),
    _function("arctan", "entries", "x", "the inverse tangent", "atan"),
    _function("sinh", "entries", "x", "the hyperbolic sine"),
    _function("cosh", "entries", "x", "the hyperbolic cosine"),
    _function("tanh", "entries", "x", "the hyperbolic tangent"),
    _function("erf", "entries", "x", "the error function"),
    _function("lgamma", "entries", "x", "log Γ(x) of x > 0", "gammaln loggamma"),
    _function("sigmoid", "entries", "x", "1 / (1 + e⁻ˣ)", "expit logistic"),
    _function("logsigmoid", "entries", "x", "log sigmoid(x), without overflow", "log_sigmoid log_expit"),
    _function("softplus", "entries", "x", "log(1 + eˣ), without overflow"),
    _function("relu", "entries", "x", "max(x, 0); its derivative at 0 is 0"),
    _function("maximum", "two", "x, y", "the larger; equal entries share the derivative", "fmax"),
    _function("minimum", "two", "x, y", "the smaller; equal entries share the derivative", "fmin"),
    _function("logaddexp", "two", "x, y", "log(eˣ + eʸ), without overflow"),
    _function("power", "two", "x, y", "xʸ, as x**y and x^y; x > 0 unless y is an integer", "pow float_power"),
    _function("add", "two", "x, y", "x + y"),
    _function("subtract", "two", "x, y", "x − y", "sub"),
    _function("multiply", "two", "x, y", "x · y, element-wise", "mul"),
    _function("divide", "two", "x, y", "x / y, element-wise", "div true_divide"),
    _function("dot", "two", "x, y", "x @ y", "inner vdot matmul mm mv vecdot"),
    _function("outer", "two", "x, y", "the outer product of two vectors"),
    _function("solve", "two", "A, b", "A⁻¹b, where b is a vector or a matrix of right-hand sides"),
    _function("sum", "axis", "x, axis, keepdims", "the sum"),
    _function("mean", "axis", "x, axis, keepdims", "the mean", "average"),
    _function("var", "axis", "x, axis, keepdims, ddof", "the variance, with divisor n − ddof"),
    _function("std", "axis", "x, axis, keepdims, ddof", "the standard deviation"),
    _function("max", "axis", "x, axis, keepdims", "the largest entry; ties share the derivative; max(x, y) is maximum(x, y)", "amax"),
    _function("min", "axis", "x, axis, keepdims", "the smallest entry; ties share the derivative; min(x, y) is minimum(x, y)", "amin"),
    _function("logsumexp", "axis", "x, axis, keepdims", "log Σ eˣ, without overflow"),
    _function("softmax", "axis", "x, axis", "eˣ / Σ eˣ, without overflow"),
    _function("log_softmax", "axis", "x, axis", "x − logsumexp(x)", "logsoftmax"),
    _function(
        "norm", "axis", "x, ord, axis, keepdims",
        "ord 2 (of a matrix: Frobenius), 1, inf, any ord > 0 along an axis; not differentiable at 0", "vector_norm",
    ),
    _function("trace", "matrix", "A", "the sum of the diagonal", "tr"),
    _function("det", "matrix", "A", "the determinant"),
    _function("logdet", "matrix", "A", "log |det A|"),
    _function("inv", "matrix", "A", "A⁻¹", "inverse"),
    _function("transpose", "matrix", "A", "Aᵀ, as A.T", "t"),
    _function("diagonal", "matrix", "x", "the diagonal matrix of a vector, the diagonal of a matrix", "diag"),
    _function("eye", "matrix", "n", "the identity matrix; n is a number", "identity"),
    _function("clip", "entries", "x, low, high", "min(max(x, low), high)", "clamp"),
    _function("len", "size", "x", "the number of rows; also x.size and X.shape[0]"),
)  # fmt: skip
BY_NAME: Mapping[str, Function] = {name: word for word in FUNCTIONS for name in (word.name, *word.also)}
PREFIXES = frozenset(["np", "numpy", "torch", "jnp", "jax", "tf", "math", "scipy", "special", "linalg", "F", "nn"])
MODULES = frozenset(["linalg", "nn", "functional", "special", "math", "numpy", "scipy"])
CONSTANTS: Mapping[str, float] = {"pi": 3.141592653589793, "e": 2.718281828459045}
INSTEAD: Mapping[str, str] = {
    "slogdet": "logdet(A)",
    "prod": "exp(sum(log(x))) of positive x",
    "where": "maximum, minimum, relu, clip, abs or sign",
    "cross_entropy": "mean(logsumexp(Z, axis=1) - sum(Y * Z, axis=1))",
    "mse_loss": "mean((x - y)**2)",
    "pinv": "solve(A.T @ A, A.T)",
    "cholesky": "logdet(A) or solve(A, b)",
    "kron": "outer(x, y)",
    "einsum": "@, *, outer, trace and sum with axis",
    "diff": "x[1:] - x[:-1]",
    "cumsum": "tri @ x, with a matrix tri of ones on and below the diagonal among your arrays",
    "ones": "a number, which is broadcast: 1 - x",
    "zeros": "a number, which is broadcast: 0 * x",
    "ones_like": "a number, which is broadcast: 1 - x",
    "zeros_like": "a number, which is broadcast: 0 * x",
    "cov": "(X - mean(X, axis=0)).T @ (X - mean(X, axis=0)) / (len(X) - 1)",
    "corrcoef": "dot(u, v) / (norm(u) * norm(v)) with u = x - mean(x) and v = y - mean(y)",
    "hypot": "sqrt(x**2 + y**2)",
    "logit": "log(x) - log(1 - x)",
    "xlogy": "x * log(y)",
    "leaky_relu": "maximum(x, 0.01*x)",
    "elu": "maximum(x, 0) + expm1(minimum(x, 0))",
    "gelu": "x * (1 + erf(x / sqrt(2))) / 2",
    "silu": "x * sigmoid(x)",
    "ndtr": "(1 + erf(x / sqrt(2))) / 2",
    "erfc": "1 - erf(x)",
    "gamma": "exp(lgamma(x))",
    "factorial": "exp(lgamma(x + 1))",
    "betaln": "lgamma(x) + lgamma(y) - lgamma(x + y)",
    "logcosh": "log(cosh(x))",
    "sinc": "sin(pi*x) / (pi*x)",
    "reduce_sum": "sum(x)",
    "reduce_mean": "mean(x)",
}


def nearest(name: str, known: Iterable[str] = ()) -> str:
    """Return a suggestion for an unknown name as the end of a sentence, or an empty string."""
    if name in INSTEAD:
        return f"write {INSTEAD[name]}"
    found = difflib.get_close_matches(name, [*BY_NAME, *CONSTANTS, *known], n=3, cutoff=0.6)
    found = found or difflib.get_close_matches(name.lower(), list(BY_NAME), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(found)}?" if found else ""


def listing() -> str:
    """Return all supported functions as text."""
    lines = [
        "Arithmetic: + - * / ** ^ with NumPy's broadcasting, @ for matrices and vectors, A.T, numbers, pi and e,",
        "slices such as x[1:] and X[:, 0].",
        "Functions may be written as sum(x), x.sum(), np.sum(x) or torch.sum(x).",
    ]
    for kind, title in KIND_TITLES.items():
        lines += ["", f"{title}:"]
        for word in FUNCTIONS:
            if word.kind == kind:
                also = f" (also {', '.join(word.also)})" if word.also else ""
                lines.append(f"  {f'{word.name}({word.arguments})':34} {word.meaning}{also}")
    return "\n".join(lines)
