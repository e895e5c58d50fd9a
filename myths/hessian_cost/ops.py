"""The operations of each framework, by the names that ``vocabulary`` and the problems use.

``+ - * /`` and ``@`` of matrices are the framework's own operators. Each function imports its framework, which may not be installed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from myths.lab.errors import MythsError

Function = Callable[..., Any]
Shape = tuple[int, ...]


class UnsupportedOperation(MythsError):
    """The framework has no such operation."""


@dataclass(frozen=True)
class Ops:
    """The operations of one framework, for example ``ops.exp(x)``. Vectors have one axis, except in CasADi, where they are columns.

    - ``sum``, ``max``, ``logsumexp`` and ``softmax`` take the axes as an optional second argument (default: all).
    - ``dot`` (vectors), ``mv`` (matrix times vector), ``mm``, ``outer``, ``transpose``, ``trace``, ``diagonal`` (vector to matrix),
      ``diagonal_of`` (matrix to vector), ``det``, ``logdet`` (log |det|), ``inv``, ``solve`` (A⁻¹b of a vector b) and ``solve_many``
      (of a matrix) are operations of linear algebra.
    - ``broadcast``, ``reshape`` and ``slice`` also take the shape, which CasADi and the tensor calculus cannot read from a value.
    - ``eye`` takes the size and an array that determines dtype and device.
    - All others act element-wise.
    """

    framework: str
    spelled: Mapping[str, Function]

    def __getattr__(self, name: str) -> Function:
        """Return an operation by name.

        Raises:
            UnsupportedOperation: The framework has no such operation.
        """
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self.spelled[name]
        except KeyError:
            raise UnsupportedOperation(f"{self.framework} has no {name}") from None


def _named(module: Any, names: str) -> dict[str, Function]:
    """Return functions of a module by name; ``ours=theirs`` maps a name to another name in the module."""
    pairs = [word.partition("=") for word in names.split()]
    return {ours: getattr(module, theirs or ours) for ours, _, theirs in pairs}


def _transpose(matrix: Any) -> Any:
    return matrix.T


def _matmul(a: Any, b: Any) -> Any:
    return a @ b


def _power(a: Any, b: Any) -> Any:
    return a**b


_NUMPY_LIKE: dict[str, Function] = {
    "transpose": _transpose,
    "mm": _matmul,
    "power": _power,
    "broadcast": lambda value, shape, to: value,  # their operators broadcast by themselves
    "reshape": lambda value, shape, to: value.reshape(to),
    "slice": lambda value, shape, taken: value[taken],
}


@functools.cache
def calculus_ops() -> Ops:
    """Return the operations of the tensor calculus."""
    from myths.hessian_cost import tensor_calculus as tc

    return Ops(
        "the tensor calculus",
        _named(
            tc,
            "exp log log1p expm1 sqrt abs sign sin cos sinh cosh tanh arctan erf lgamma sigmoid softplus relu maximum minimum det "
            "logdet inv=inverse diagonal=diag trace",
        )
        | {
            "sum": _calculus_sum, "max": _along(tc.largest), "logsumexp": _along(tc.logsumexp), "softmax": _calculus_softmax,
            "dot": _matmul, "mv": _matmul, "mm": _matmul, "transpose": _transpose, "outer": lambda a, b: (a["i"] * b["j"]).to("ij"),
            "diagonal_of": lambda a: tc.einsum("ii->i", a), "solve": lambda a, b: tc.inverse(a) @ b,
            "solve_many": lambda a, b: tc.inverse(a) @ b, "power": _calculus_power, "broadcast": _calculus_broadcast,
            "reshape": _calculus_reshape, "slice": _calculus_slice, "eye": lambda n, like: tc.identity(str(n)),
        },
    )  # fmt: skip


def _calculus_sum(x: Any, axes: Shape | None = None) -> Any:
    from myths.hessian_cost.tensor_calculus import simplify

    gone = range(x.order) if axes is None else axes
    return simplify.contract([axis for axis in range(x.order) if axis not in gone], [(x, tuple(range(x.order)))])


def _last(x: Any, axes: Shape | None) -> tuple[Any, int, Shape]:
    """Return x with these axes last, the number of these axes, and the new order of its axes."""
    from myths.hessian_cost.tensor_calculus import simplify

    along = tuple(range(x.order)) if axes is None else axes
    order = tuple(axis for axis in range(x.order) if axis not in along) + tuple(along)
    return simplify.transpose(x, order), len(along), order


def _along(function: Function) -> Function:
    def apply(x: Any, axes: Shape | None = None) -> Any:
        moved, count, _ = _last(x, axes)
        return function(moved, count)

    return apply


def _calculus_softmax(x: Any, axes: Shape | None = None) -> Any:
    from myths.hessian_cost.tensor_calculus import simplify, softmax

    moved, count, order = _last(x, axes)
    return simplify.transpose(softmax(moved, count), [order.index(axis) for axis in range(x.order)])


def _calculus_power(a: Any, b: Any) -> Any:
    from myths.hessian_cost import tensor_calculus as tc

    return a**b if isinstance(b, int | float) else tc.exp(b * tc.log(a))


def _calculus_broadcast(value: Any, shape: Shape, to: Shape) -> Any:
    from myths.hessian_cost.tensor_calculus import simplify
    from myths.hessian_cost.tensor_calculus.notation import as_expression

    places = range(len(to))
    own = list(places)[len(to) - len(shape) :]
    gone = {
        axis: axis + len(to) for axis, size in zip(own, shape, strict=True) if size == 1 and to[axis] != 1
    }  # sum over an axis of one entry
    labels = tuple(gone.get(axis, axis) for axis in own)
    return simplify.contract(places, [(as_expression(value), labels)], 1.0, dict(enumerate(map(str, to))))


def _calculus_reshape(value: Any, shape: Shape, to: Shape) -> Any:
    """Add or remove axes of size 1. Other reshapes are not supported."""
    from myths.hessian_cost.tensor_calculus import simplify

    kept = [axis for axis, size in enumerate(to) if size != 1]
    left = iter(kept)
    labels = tuple(next(left) if size != 1 else len(to) + axis for axis, size in enumerate(shape))
    return simplify.contract(range(len(to)), [(value, labels)], 1.0, dict(enumerate(map(str, to))))


def _calculus_slice(value: Any, shape: Shape, taken: tuple[int | slice, ...]) -> Any:
    from myths.hessian_cost.tensor_calculus import selection, simplify

    factors, out = [(value, tuple(range(len(shape))))], list[int]()
    for axis, (one, size) in enumerate(zip(taken, shape, strict=True)):
        rows = range(size)[one] if isinstance(one, slice) else range(one, one + 1)
        if rows == range(size):
            out.append(axis)
            continue
        label = len(shape) + axis
        factors.append((selection(rows.start, rows.step, len(rows), size), (label, axis)))
        out += [label] if isinstance(one, slice) else []
    return simplify.contract(out, factors)


@functools.cache
def torch_ops() -> Ops:
    """Return the operations of PyTorch."""
    import torch
    from torch.nn import functional

    def pair(function: Function) -> Function:
        def apply(a: Any, b: Any) -> Any:
            like = a if isinstance(a, torch.Tensor) else b
            return function(*(torch.as_tensor(x, dtype=like.dtype, device=like.device) for x in (a, b)))

        return apply

    def along(function: Function) -> Function:
        return lambda x, axes=None: function(x, tuple(range(x.ndim)) if axes is None else axes)

    return Ops(
        "PyTorch",
        _NUMPY_LIKE
        | _named(
            torch,
            "exp log log1p expm1 sqrt abs sign sin cos sinh cosh tanh arctan erf lgamma sigmoid relu dot mv outer trace "
            "diagonal=diag diagonal_of=diagonal",
        )
        | _named(torch.linalg, "det inv solve solve_many=solve")
        | {
            "softplus": functional.softplus, "sum": along(torch.sum), "max": along(torch.amax), "logsumexp": along(torch.logsumexp),
            "softmax": lambda x, axes=None: functional.softmax(x, _single(axes, x.ndim)),
            "logdet": lambda a: torch.linalg.slogdet(a).logabsdet,
            "maximum": pair(torch.maximum), "minimum": pair(torch.minimum),
            "eye": lambda n, like: torch.eye(n, dtype=like.dtype, device=like.device),
        },
    )  # fmt: skip


def _single(axes: Shape | None, order: int) -> int:
    """Return the single axis of a softmax, as every framework other than the tensor calculus requires."""
    axes = tuple(range(order)) if axes is None else axes
    if len(axes) != 1:
        raise UnsupportedOperation("softmax over two axes")
    return axes[0]


@functools.cache
def jax_ops() -> Ops:
    """Return the operations of JAX."""
    import jax
    import jax.numpy as jnp

    return Ops(
        "JAX",
        _NUMPY_LIKE
        | _named(
            jnp,
            "exp log log1p expm1 sqrt abs sign sin cos sinh cosh tanh arctan sum max dot mv=matmul outer trace diagonal=diag "
            "diagonal_of=diagonal maximum minimum",
        )
        | _named(jax.nn, "softplus sigmoid relu softmax")
        | _named(jax.scipy.special, "erf lgamma=gammaln logsumexp")
        | _named(jnp.linalg, "det inv solve solve_many=solve")
        | {"logdet": lambda a: jnp.linalg.slogdet(a)[1], "eye": lambda n, like: jnp.eye(n, dtype=like.dtype)},
    )


@functools.cache
def autograd_ops() -> Ops:
    """Return the operations of HIPS autograd."""
    import autograd.numpy as np
    from autograd.scipy import special

    return Ops(
        "HIPS autograd",
        _NUMPY_LIKE
        | _named(
            np,
            "exp log log1p expm1 sqrt abs sign sin cos sinh cosh tanh arctan sum max dot mv=dot outer trace diagonal=diag "
            "maximum minimum",
        )
        | _named(special, "erf lgamma=gammaln logsumexp sigmoid=expit")
        | _named(np.linalg, "det inv solve solve_many=solve")
        | {
            "softplus": lambda x: np.logaddexp(0.0, x), "relu": lambda x: np.maximum(x, 0.0), "logdet": lambda a: np.linalg.slogdet(a)[1],
            "eye": lambda n, like: np.eye(n),
            "diagonal_of": lambda a: np.sum(a * np.eye(a.shape[0]), 1),  # its diagonal has no second derivative
            "softmax": lambda x, axes=None: np.exp(x - special.logsumexp(x, _single(axes, x.ndim), keepdims=True)),
        },
    )  # fmt: skip


@functools.cache
def tensorflow_ops() -> Ops:
    """Return the operations of TensorFlow 2."""
    import tensorflow as tf

    return Ops(
        "TensorFlow",
        _NUMPY_LIKE
        | _named(tf, "exp sqrt abs sign sin cos sinh cosh tanh arctan=atan sigmoid sum=reduce_sum max=reduce_max maximum minimum transpose")
        | _named(tf.math, "log log1p expm1 erf lgamma softplus logsumexp=reduce_logsumexp")
        | _named(tf.linalg, "mv=matvec trace diagonal=diag diagonal_of=diag_part det inv solve_many=solve")
        | {
            "relu": tf.nn.relu, "dot": lambda a, b: tf.reduce_sum(a * b), "outer": lambda a, b: a[:, None] * b[None, :],
            "solve": lambda a, b: tf.linalg.solve(a, b[:, None])[:, 0], "logdet": lambda a: tf.linalg.slogdet(a)[1],
            "softmax": lambda x, axes=None: tf.nn.softmax(x, _single(axes, len(x.shape))),
            "reshape": lambda value, shape, to: tf.reshape(value, to), "eye": lambda n, like: tf.eye(n, dtype=like.dtype),
        },
    )  # fmt: skip


@functools.cache
def pytensor_ops() -> Ops:
    """Return the operations of PyTensor, the successor of Theano."""
    import pytensor.tensor as pt
    from pytensor.tensor import special

    return Ops(
        "PyTensor",
        _NUMPY_LIKE
        | _named(
            pt,
            "exp log log1p expm1 sqrt abs sign sin cos sinh cosh tanh arctan erf lgamma=gammaln sigmoid softplus sum max logsumexp "
            "dot mv=dot outer trace diagonal=diag diagonal_of=diagonal maximum minimum",
        )
        | _named(pt.linalg, "det inv")
        | {
            "relu": lambda x: pt.maximum(x, 0), "solve": lambda a, b: pt.linalg.solve(a, b, b_ndim=1),
            "solve_many": lambda a, b: pt.linalg.solve(a, b, b_ndim=2), "logdet": lambda a: pt.linalg.slogdet(a)[1],
            "eye": lambda n, like: pt.eye(n, dtype=like.dtype),
            "softmax": lambda x, axes=None: special.softmax(x, axis=_single(axes, x.ndim)),
        },
    )  # fmt: skip


@functools.cache
def casadi_ops() -> Ops:
    """Return the operations of CasADi on MX. All values are matrices; a vector is a column."""
    import casadi

    def total(x: Any, axes: Shape | None = None) -> Any:
        if axes is None or len(axes) == 2:
            return casadi.sum1(casadi.sum2(x))
        return casadi.sum2(x) if axes == (1,) else casadi.sum1(x).T

    def of_all(function: Function, name: str) -> Function:
        def apply(x: Any, axes: Shape | None = None) -> Any:
            if not (axes is None or len(axes) == 2 or (axes == (0,) and x.shape[1] == 1)):
                raise UnsupportedOperation(f"CasADi has no {name} along an axis")
            return function(casadi.vec(x))

        return apply

    def broadcast(value: Any, shape: Shape, to: Shape) -> Any:
        if not shape or shape == to or len(to) < 2:
            return value if not shape or shape == to else casadi.repmat(value, to[0], 1)
        row = value.T if len(shape) == 1 else value
        return casadi.repmat(row, to[0] // row.shape[0], to[1] // row.shape[1])

    def taken(value: Any, shape: Shape, at: tuple[int | slice, ...]) -> Any:
        if len(at) == 1:
            return value[at[0], 0]
        part = value[at[0], at[1]]
        return part.T if isinstance(at[0], int) and not isinstance(at[1], int) else part  # a row becomes a vector, which is a column

    return Ops(
        "CasADi",
        _named(
            casadi,
            "exp log log1p expm1 sqrt abs=fabs sign sin cos sinh cosh tanh arctan=atan erf dot maximum=fmax minimum=fmin trace "
            "diagonal=diag diagonal_of=diag det inv solve solve_many=solve",
        )
        | {
            "softplus": lambda x: casadi.log1p(casadi.exp(x)), "sigmoid": lambda x: 1 / (1 + casadi.exp(-x)),
            "relu": lambda x: casadi.fmax(x, 0), "sum": total, "max": of_all(casadi.mmax, "max"),
            "logsumexp": of_all(casadi.logsumexp, "logsumexp"), "mv": _matmul, "mm": _matmul, "outer": lambda a, b: a @ b.T,
            "eye": lambda n, like: casadi.MX.eye(n),
            "transpose": _transpose, "logdet": lambda a: casadi.log(casadi.fabs(casadi.det(a))), "power": _power, "broadcast": broadcast,
            "reshape": lambda value, shape, to: value.T if len(to) == 2 and to[0] == 1 else value, "slice": taken,
        },
    )  # fmt: skip


@functools.cache
def sympy_ops() -> Ops:
    """Return the operations of SymPy on NumPy arrays of symbols."""
    import numpy as np
    import sympy

    def each(function: Function) -> Function:
        return np.vectorize(function, otypes=[object])

    return Ops(
        "SymPy",
        {name: each(getattr(sympy, name)) for name in ("exp", "log", "sin", "tanh")}
        | {
            "sum": np.sum, "dot": np.dot, "mv": np.dot, "transpose": _transpose, "diagonal": np.diag,
            "softplus": each(lambda x: sympy.log(1 + sympy.exp(x))),
            "solve": lambda a, b: np.array(sympy.Matrix(a).inv(method="ADJ") @ sympy.Matrix(b))[:, 0],
            "det": lambda a: sympy.Matrix(a).det(method="berkowitz"),
            "logdet": lambda a: sympy.log(sympy.Matrix(a).det(method="berkowitz")),
        },
    )  # fmt: skip
