"""An evaluator that shares nothing with the compiler: NumPy's einsum, node by node, without any optimization."""

from __future__ import annotations

import numpy as np
from scipy import special
from scipy.special import expit

from myths.hessian_cost.tensor_calculus.expression import (
    AxisFunction,
    Elementwise,
    Expression,
    MatrixFunction,
    Product,
    Selection,
    Size,
    Sum,
    Variable,
    walk,
)

FUNCTIONS = {
    "exp": np.exp,
    "log": np.log,
    "sigmoid": expit,
    "softplus": lambda x: np.logaddexp(x, 0),
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "relu": lambda x: np.maximum(x, 0),
    "heaviside": lambda x: np.heaviside(x, 0.5),
    "erf": special.erf,
    "arctan": np.arctan,
    "step": lambda x: (x > 0).astype(float),
    "inverse": np.linalg.inv,
    "det": np.linalg.det,
    "logdet": lambda a: np.linalg.slogdet(a)[1],
}


def interpret(root: Expression, values: dict[str, np.ndarray], sizes: dict[str, int] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The value, and the sum of the absolute values of all terms, against which rounding errors are to be compared."""
    extent = dict(sizes or {})
    for node in walk(root):
        if isinstance(node, Variable):
            extent |= dict(zip(node.axes, values[node.name].shape, strict=True))
    done: dict[Expression, tuple[np.ndarray, np.ndarray]] = {}
    for node in walk(root):
        if isinstance(node, Variable):
            value = values[node.name]
            done[node] = value, abs(value)
        elif isinstance(node, Size):
            done[node] = np.array(float(extent[node.axis])), np.array(float(extent[node.axis]))
        elif isinstance(node, Product):
            done[node] = tuple(_product(node, [done[factor][kind] for factor, _ in node.factors], extent, kind) for kind in (0, 1))
        elif isinstance(node, Sum):
            done[node] = sum(c * done[t][0] for c, t in node.terms), sum(abs(c) * done[t][1] for c, t in node.terms)
        elif isinstance(node, Elementwise):
            x = done[node.argument][0]
            value = x**node.parameter if node.function == "power" else FUNCTIONS[node.function](x)
            done[node] = value, abs(value)
        elif isinstance(node, Selection):
            rows, columns = (int(axis) for axis in node.axes)
            value = np.eye(columns)[[node.start + node.step * row for row in range(rows)]]
            done[node] = value, value
        elif isinstance(node, AxisFunction):
            value = _along(node, done[node.argument][0])
            done[node] = value, abs(value)
        else:
            assert isinstance(node, MatrixFunction)
            value = np.asarray(FUNCTIONS[node.function](done[node.argument][0]))
            done[node] = value, abs(value)
    return done[root]


def _along(node: AxisFunction, x: np.ndarray) -> np.ndarray:
    axes = tuple(range(x.ndim - node.along, x.ndim))
    if node.function in ("logsumexp", "softmax"):
        return np.asarray(getattr(special, node.function)(x, axis=axes))
    largest = x.max(axis=axes, keepdims=True)
    return (
        largest.reshape(x.shape[: node.order]) if node.function == "max" else (x == largest) / (x == largest).sum(axis=axes, keepdims=True)
    )


def _product(node: Product, factors: list[np.ndarray], extent: dict[str, int], kind: int) -> np.ndarray:
    shape = [extent[axis] for axis in node.dims]
    whole = np.ones(())
    letters = "abcdefghijklmnopqrstuvwxyz"
    label = letters[: len(shape)]
    used = sorted(set(node.out))
    operands = [*factors, np.ones(shape)]
    spec = ",".join(["".join(letters[n] for n in labels) for _, labels in node.factors] + [label])
    core = np.einsum(spec + "->" + "".join(letters[n] for n in used), *operands, optimize=len(operands) > 3)
    result = np.zeros([shape[n] for n in node.out])
    grids = np.indices([shape[n] for n in used]) if used else np.zeros((0,), int)
    where = tuple(grids[used.index(n)] for n in node.out)
    result[where] = core
    return (abs(node.coefficient) if kind else node.coefficient) * result * whole
