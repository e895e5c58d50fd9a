"""A tensor calculus: expressions in Einstein notation, their derivatives of any order, and their values.

It implements Laue, Mitterreiter and Giesen, "Computing Higher Order Derivatives of Matrix and Tensor
Expressions" (NeurIPS 2018) and "A Simple and Efficient Tensor Calculus" (AAAI 2020).

Logistic regression, with the samples X [m n], the labels y [m] in {−1, 1} and the weights w [n]:

>>> from myths.hessian_cost.tensor_calculus import constant, evaluate, exp, gradient, hessian, log, text, variable
>>> X, y, w = constant("X", "mn"), constant("y", "m"), variable("w", "n")
>>> f = log(1 + exp(-y * (X @ w))).sum()

The Hessian is again an expression, equal to the hand-derived one:

>>> print(text(hessian(f, w), "H"))
H[ij] = Σ_k X[ki] X[kj] y[k]² s[k] (1 - s[k])  where s[i] = sigmoid(-y[i] Σ_j X[ij] w[j])

>>> import numpy as np
>>> point = {X: np.array([[1.0, 2.0], [3.0, -1.0]]), y: np.array([1.0, -1.0]), w: np.zeros(2)}
>>> evaluate(hessian(f, w), point)
array([[ 2.5 , -0.25],
       [-0.25,  1.25]])

Values can also be torch tensors (any device and dtype) or JAX arrays. ``compile`` returns a reusable function. Index notation names axes
explicitly: ``U["ik"] * V["jk"]`` has the axes i and j and sums over k.

The Hessian of a matrix factorization has four axes and is stored as 2·I⊗VᵀV:

>>> from myths.hessian_cost.tensor_calculus import sum_of_squares
>>> T, U, V = constant("T", "nm"), variable("U", "nk"), variable("V", "mk")
>>> H = hessian(sum_of_squares(T - U @ V.T), U)
>>> print(text(H, "H"))
H[ijkl] = 2 δ[ik] Σ_m V[mj] V[ml]
>>> compressed = evaluate(H, V=np.ones((5, 2)) + np.eye(5, 2), sizes={"n": 1000}, compressed=True)
>>> compressed.shape, compressed.core.shape, compressed.dense_nbytes // compressed.nbytes
((1000, 2, 1000, 2), (2, 2), 1000000)
>>> step = compressed.solve(np.ones((1000, 2)))  # a Newton step, without the dense Hessian
>>> bool(np.allclose(compressed @ step, 1))
True
"""

from myths.hessian_cost.tensor_calculus.compressed import Compressed
from myths.hessian_cost.tensor_calculus.derivative import Mode, derivative, gradient, hessian
from myths.hessian_cost.tensor_calculus.errors import AxesError, NotDifferentiable, ShapeError, TensorError, UnknownVariable
from myths.hessian_cost.tensor_calculus.evaluate import Compiled, compile, evaluate
from myths.hessian_cost.tensor_calculus.expression import Expression, Variable, variables
from myths.hessian_cost.tensor_calculus.notation import (
    abs,
    arctan,
    constant,
    cos,
    cosh,
    det,
    diag,
    einsum,
    erf,
    exp,
    expm1,
    heaviside,
    identity,
    inverse,
    largest,
    lgamma,
    log,
    log1p,
    logdet,
    logsumexp,
    maximum,
    minimum,
    norm,
    number,
    ones,
    reciprocal,
    relu,
    selection,
    sigmoid,
    sign,
    sin,
    sinh,
    softmax,
    softplus,
    sqrt,
    sum_of_squares,
    tanh,
    trace,
    variable,
)
from myths.hessian_cost.tensor_calculus.printing import latex, summary, text

__all__ = [
    "AxesError",
    "Compiled",
    "Compressed",
    "Expression",
    "Mode",
    "NotDifferentiable",
    "ShapeError",
    "TensorError",
    "UnknownVariable",
    "Variable",
    "abs",
    "arctan",
    "compile",
    "constant",
    "cos",
    "cosh",
    "derivative",
    "det",
    "diag",
    "einsum",
    "erf",
    "evaluate",
    "exp",
    "expm1",
    "gradient",
    "heaviside",
    "hessian",
    "identity",
    "inverse",
    "largest",
    "latex",
    "lgamma",
    "log",
    "log1p",
    "logdet",
    "logsumexp",
    "maximum",
    "minimum",
    "norm",
    "number",
    "ones",
    "reciprocal",
    "relu",
    "selection",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "softmax",
    "softplus",
    "sqrt",
    "sum_of_squares",
    "summary",
    "tanh",
    "text",
    "trace",
    "variable",
    "variables",
]
