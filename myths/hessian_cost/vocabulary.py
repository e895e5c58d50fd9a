"""The functions that a formula may use. The parser, its hints and the listing are built from this table."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["entries", "two", "axis", "matrix", "size"]
KINDS: Mapping[Kind, str] = {
    "entries": "Entry by entry",
    "two": "Two operands, broadcast as in NumPy (dot, outer and solve apart)",
    "axis": "Over all entries, or along axis=; keepdims=True keeps the axis",
    "matrix": "Matrices",
    "size": "Sizes",
}


@dataclass(frozen=True)
class Word:
    """One function: its arguments, meaning and aliases."""

    name: str
    kind: Kind
    arguments: str
    meaning: str
    also: tuple[str, ...] = ()


def _word(name: str, kind: Kind, arguments: str, meaning: str, also: str = "") -> Word:
    return Word(name, kind, arguments, meaning, tuple(also.split()))


WORDS: tuple[Word, ...] = (
    _word("exp", "entries", "x", "eˣ"),
    _word("expm1", "entries", "x", "eˣ − 1, exact for small x"),
    _word("log", "entries", "x", "the natural logarithm of x > 0", "ln"),
    _word("log1p", "entries", "x", "log(1 + x), exact for small x"),
    _word("log2", "entries", "x", "the logarithm to base 2"),
    _word("log10", "entries", "x", "the logarithm to base 10"),
    _word("sqrt", "entries", "x", "the square root"),
    _word("square", "entries", "x", "x²"),
    _word("reciprocal", "entries", "x", "1/x"),
    _word("abs", "entries", "x", "|x|; its derivative at 0 is 0", "absolute fabs"),
    _word("sign", "entries", "x", "1, 0 or −1; its derivative is 0", "sgn"),
    _word("sin", "entries", "x", "the sine"),
    _word("cos", "entries", "x", "the cosine"),
    _word("tan", "entries", "x", "the tangent"),
    _word("arctan", "entries", "x", "the inverse of the tangent", "atan"),
    _word("sinh", "entries", "x", "the hyperbolic sine"),
    _word("cosh", "entries", "x", "the hyperbolic cosine"),
    _word("tanh", "entries", "x", "the hyperbolic tangent"),
    _word("erf", "entries", "x", "the error function"),
    _word("lgamma", "entries", "x", "log Γ(x) of x > 0", "gammaln loggamma"),
    _word("sigmoid", "entries", "x", "1 / (1 + e⁻ˣ)", "expit logistic"),
    _word("logsigmoid", "entries", "x", "log sigmoid(x), without overflow", "log_sigmoid log_expit"),
    _word("softplus", "entries", "x", "log(1 + eˣ), without overflow"),
    _word("relu", "entries", "x", "max(x, 0); its derivative at 0 is 0"),
    _word("maximum", "two", "x, y", "the larger; where both are equal, each has half of the derivative", "fmax"),
    _word("minimum", "two", "x, y", "the smaller; where both are equal, each has half of the derivative", "fmin"),
    _word("logaddexp", "two", "x, y", "log(eˣ + eʸ), without overflow"),
    _word("power", "two", "x, y", "xʸ, as x**y and x^y; x > 0 unless y is a whole number", "pow float_power"),
    _word("add", "two", "x, y", "x + y"),
    _word("subtract", "two", "x, y", "x − y", "sub"),
    _word("multiply", "two", "x, y", "x · y, entry by entry", "mul"),
    _word("divide", "two", "x, y", "x / y, entry by entry", "div true_divide"),
    _word("dot", "two", "x, y", "x @ y", "inner vdot matmul mm mv vecdot"),
    _word("outer", "two", "x, y", "the matrix of all products of two vectors"),
    _word("solve", "two", "A, b", "A⁻¹b of a vector, or of a matrix of several right-hand sides"),
    _word("sum", "axis", "x, axis, keepdims", "the sum"),
    _word("mean", "axis", "x, axis, keepdims", "the mean", "average"),
    _word("var", "axis", "x, axis, keepdims, ddof", "the mean squared deviation; divided by n − ddof"),
    _word("std", "axis", "x, axis, keepdims, ddof", "the root of the variance"),
    _word("max", "axis", "x, axis, keepdims", "the largest entry; max(x, y) is maximum(x, y); ties share the derivative", "amax"),
    _word("min", "axis", "x, axis, keepdims", "the smallest entry; min(x, y) is minimum(x, y); ties share the derivative", "amin"),
    _word("logsumexp", "axis", "x, axis, keepdims", "log Σ eˣ, without overflow"),
    _word("softmax", "axis", "x, axis", "eˣ / Σ eˣ, without overflow"),
    _word("log_softmax", "axis", "x, axis", "x − logsumexp(x)", "logsoftmax"),
    _word(
        "norm", "axis", "x, ord, axis, keepdims",
        "ord 2 (of a matrix: Frobenius), 1, inf, any ord > 0 along an axis; not differentiable at 0", "vector_norm",
    ),
    _word("trace", "matrix", "A", "the sum of the diagonal", "tr"),
    _word("det", "matrix", "A", "the determinant"),
    _word("logdet", "matrix", "A", "log |det A|"),
    _word("inv", "matrix", "A", "A⁻¹", "inverse"),
    _word("transpose", "matrix", "A", "Aᵀ, as A.T", "t"),
    _word("diagonal", "matrix", "x", "the diagonal matrix of a vector, the diagonal of a matrix", "diag"),
    _word("eye", "matrix", "n", "the identity matrix; n is a number", "identity"),
    _word("clip", "entries", "x, low, high", "min(max(x, low), high)", "clamp"),
    _word("len", "size", "x", "the number of rows; also x.size and X.shape[0]"),
)  # fmt: skip
BY_NAME: Mapping[str, Word] = {name: word for word in WORDS for name in (word.name, *word.also)}
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
    for kind, title in KINDS.items():
        lines += ["", f"{title}:"]
        for word in WORDS:
            if word.kind == kind:
                also = f" (also {', '.join(word.also)})" if word.also else ""
                lines.append(f"  {f'{word.name}({word.arguments})':34} {word.meaning}{also}")
    return "\n".join(lines)
