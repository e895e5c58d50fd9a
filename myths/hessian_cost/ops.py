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
    softplus: Function
    """log(1 + exp(x)), entry by entry."""
    tanh: Function
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


def torch_ops() -> Ops:
    """PyTorch."""
    import torch
    from torch.nn import functional

    return Ops(
        sum=torch.sum, dot=torch.dot, mv=torch.mv, transpose=_transpose, softplus=functional.softplus, tanh=torch.tanh,
        diagonal=torch.diag, solve=torch.linalg.solve, det=torch.linalg.det, logdet=lambda a: torch.linalg.slogdet(a).logabsdet,
    )  # fmt: skip


def jax_ops() -> Ops:
    """JAX."""
    import jax
    import jax.numpy as jnp

    return Ops(
        sum=jnp.sum, dot=jnp.dot, mv=jnp.matmul, transpose=_transpose, softplus=jax.nn.softplus, tanh=jnp.tanh, diagonal=jnp.diag,
        solve=jnp.linalg.solve, det=jnp.linalg.det, logdet=lambda a: jnp.linalg.slogdet(a)[1],
    )  # fmt: skip


def autograd_ops() -> Ops:
    """HIPS autograd."""
    import autograd.numpy as np

    return Ops(
        sum=np.sum, dot=np.dot, mv=np.dot, transpose=_transpose, softplus=lambda x: np.logaddexp(0.0, x), tanh=np.tanh,
        diagonal=np.diag, solve=np.linalg.solve, det=np.linalg.det, logdet=lambda a: np.linalg.slogdet(a)[1],
    )  # fmt: skip


def tensorflow_ops() -> Ops:
    """TensorFlow 2."""
    import tensorflow as tf

    return Ops(
        sum=tf.reduce_sum, dot=lambda a, b: tf.reduce_sum(a * b), mv=tf.linalg.matvec, transpose=tf.transpose,
        softplus=tf.math.softplus, tanh=tf.math.tanh, diagonal=tf.linalg.diag,
        solve=lambda a, b: tf.linalg.solve(a, b[:, None])[:, 0], det=tf.linalg.det, logdet=lambda a: tf.linalg.slogdet(a)[1],
    )  # fmt: skip


def pytensor_ops() -> Ops:
    """PyTensor, the heir of Theano."""
    import pytensor.tensor as pt

    return Ops(
        sum=pt.sum, dot=pt.dot, mv=pt.dot, transpose=_transpose, softplus=pt.softplus, tanh=pt.tanh, diagonal=pt.diag,
        solve=lambda a, b: pt.linalg.solve(a, b, assume_a="pos"), det=pt.linalg.det, logdet=lambda a: pt.linalg.slogdet(a)[1],
    )  # fmt: skip


def casadi_ops() -> Ops:
    """CasADi, on MX: matrices only, a vector is a column."""
    import casadi

    return Ops(
        sum=lambda x: casadi.sum1(casadi.sum2(x)), dot=casadi.dot, mv=_matmul, transpose=_transpose,
        softplus=lambda x: casadi.log1p(casadi.exp(x)), tanh=casadi.tanh, diagonal=casadi.diag, solve=casadi.solve,
        det=casadi.det, logdet=lambda a: casadi.log(casadi.det(a)),
    )  # fmt: skip


def sympy_ops() -> Ops:
    """SymPy, on NumPy arrays of symbols."""
    import numpy as np
    import sympy

    softplus, tanh = (np.vectorize(f, otypes=[object]) for f in (lambda x: sympy.log(1 + sympy.exp(x)), sympy.tanh))
    return Ops(
        sum=np.sum, dot=np.dot, mv=np.dot, transpose=_transpose, softplus=softplus, tanh=tanh, diagonal=np.diag,
        solve=lambda a, b: np.array(sympy.Matrix(a).inv(method="ADJ") @ sympy.Matrix(b))[:, 0],
        det=lambda a: sympy.Matrix(a).det(method="berkowitz"), logdet=lambda a: sympy.log(sympy.Matrix(a).det(method="berkowitz")),
    )  # fmt: skip
