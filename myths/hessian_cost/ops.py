"""The few operations that the problems need, in the words of each framework.

``+ - * @`` (of matrices) are the frameworks' own operators. Each function imports its framework, which may be absent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Function = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Ops:
    """Matrix functions of one framework: vectors have one axis, except in CasADi, where they are columns."""

    sum: Function
    """All entries. Shape []."""
    dot: Function
    """Of two vectors. Shape []."""
    mv: Function
    """Matrix times vector. Shape [m]."""
    transpose: Function
    exp: Function
    log: Function
    sin: Function
    tanh: Function
    softplus: Function
    """log(1 + exp(x)), entry by entry as the four before."""
    diagonal: Function
    """The diagonal matrix of a vector. Shape [n n]."""
    solve: Function
    """A⁻¹b for a symmetric positive definite A [n n] and b [n]."""
    det: Function
    logdet: Function
    """log |det A|."""


def _transpose(matrix: Any) -> Any:
    return matrix.T


def _matmul(a: Any, b: Any) -> Any:
    return a @ b


def calculus_ops() -> Ops:
    """The tensor calculus of this folder."""
    from myths.hessian_cost import tensor_calculus as tc

    return Ops(
        sum=lambda x: x.sum(), dot=_matmul, mv=_matmul, transpose=_transpose, exp=tc.exp, log=tc.log, sin=tc.sin, tanh=tc.tanh,
        softplus=tc.softplus, diagonal=lambda x: tc.einsum("i->ii", x), solve=lambda a, b: tc.inverse(a) @ b, det=tc.det, logdet=tc.logdet,
    )  # fmt: skip


def torch_ops() -> Ops:
    """PyTorch."""
    import torch
    from torch.nn import functional

    return Ops(
        sum=torch.sum, dot=torch.dot, mv=torch.mv, transpose=_transpose, exp=torch.exp, log=torch.log, sin=torch.sin, tanh=torch.tanh,
        softplus=functional.softplus, diagonal=torch.diag, solve=torch.linalg.solve,
        det=torch.linalg.det, logdet=lambda a: torch.linalg.slogdet(a).logabsdet,
    )  # fmt: skip


def jax_ops() -> Ops:
    """JAX."""
    import jax
    import jax.numpy as jnp

    return Ops(
        sum=jnp.sum, dot=jnp.dot, mv=jnp.matmul, transpose=_transpose, exp=jnp.exp, log=jnp.log, sin=jnp.sin, tanh=jnp.tanh,
        softplus=jax.nn.softplus, diagonal=jnp.diag, solve=jnp.linalg.solve, det=jnp.linalg.det, logdet=lambda a: jnp.linalg.slogdet(a)[1],
    )  # fmt: skip


def autograd_ops() -> Ops:
    """HIPS autograd."""
    import autograd.numpy as np

    return Ops(
        sum=np.sum, dot=np.dot, mv=np.dot, transpose=_transpose, exp=np.exp, log=np.log, sin=np.sin, tanh=np.tanh,
        softplus=lambda x: np.logaddexp(0.0, x), diagonal=np.diag, solve=np.linalg.solve,
        det=np.linalg.det, logdet=lambda a: np.linalg.slogdet(a)[1],
    )  # fmt: skip


def tensorflow_ops() -> Ops:
    """TensorFlow 2."""
    import tensorflow as tf

    return Ops(
        sum=tf.reduce_sum, dot=lambda a, b: tf.reduce_sum(a * b), mv=tf.linalg.matvec, transpose=tf.transpose,
        exp=tf.exp, log=tf.math.log, sin=tf.sin, tanh=tf.tanh, softplus=tf.math.softplus, diagonal=tf.linalg.diag,
        solve=lambda a, b: tf.linalg.solve(a, b[:, None])[:, 0], det=tf.linalg.det, logdet=lambda a: tf.linalg.slogdet(a)[1],
    )  # fmt: skip


def pytensor_ops() -> Ops:
    """PyTensor, the heir of Theano."""
    import pytensor.tensor as pt

    return Ops(
        sum=pt.sum, dot=pt.dot, mv=pt.dot, transpose=_transpose, exp=pt.exp, log=pt.log, sin=pt.sin, tanh=pt.tanh, softplus=pt.softplus,
        diagonal=pt.diag, solve=lambda a, b: pt.linalg.solve(a, b, assume_a="pos"),
        det=pt.linalg.det, logdet=lambda a: pt.linalg.slogdet(a)[1],
    )  # fmt: skip


def casadi_ops() -> Ops:
    """CasADi, on MX: matrices only, a vector is a column."""
    import casadi

    return Ops(
        sum=lambda x: casadi.sum1(casadi.sum2(x)), dot=casadi.dot, mv=_matmul, transpose=_transpose,
        exp=casadi.exp, log=casadi.log, sin=casadi.sin, tanh=casadi.tanh, softplus=lambda x: casadi.log1p(casadi.exp(x)),
        diagonal=casadi.diag, solve=casadi.solve,
        det=casadi.det, logdet=lambda a: casadi.log(casadi.det(a)),
    )  # fmt: skip


def sympy_ops() -> Ops:
    """SymPy, on NumPy arrays of symbols."""
    import numpy as np
    import sympy

    def each(function: Function) -> Function:
        return np.vectorize(function, otypes=[object])

    return Ops(
        sum=np.sum, dot=np.dot, mv=np.dot, transpose=_transpose, exp=each(sympy.exp), log=each(sympy.log), sin=each(sympy.sin),
        tanh=each(sympy.tanh), softplus=each(lambda x: sympy.log(1 + sympy.exp(x))), diagonal=np.diag,
        solve=lambda a, b: np.array(sympy.Matrix(a).inv(method="ADJ") @ sympy.Matrix(b))[:, 0],
        det=lambda a: sympy.Matrix(a).det(method="berkowitz"), logdet=lambda a: sympy.log(sympy.Matrix(a).det(method="berkowitz")),
    )  # fmt: skip
