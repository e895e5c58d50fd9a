"""The Hessian of logistic regression with its factors multiplied in reverse-mode order and in cross-country order.

The tensor calculus optimizes the order of every product after the derivation, so all of its modes produce the same program. This file
therefore writes out both orders by hand to measure the cost of the order alone (Laue et al. 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from myths.hessian_cost.methods.method import Call, Dtype, Method, Prepare
from myths.hessian_cost.methods.torch_methods import tensors
from myths.hessian_cost.problems import Inputs, Problem

if TYPE_CHECKING:
    from torch import Tensor


def reverse(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return the Hessian [n n], multiplied from the gradient Xᵀ(…) down to w. Every factor is multiplied with the matrix Xᵀ [n m]."""
    sigma = (y * (x @ w)).sigmoid()
    return (((x.T * y) * (sigma * (1 - sigma))) * y) @ x


def cross_country(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return the Hessian [n n], where the vectors [m] are multiplied first and the matrices last."""
    sigma = (y * (x @ w)).sigmoid()
    return (x.T * (y * (sigma * (1 - sigma)) * y)) @ x


def _in_order(product: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Prepare:
    def prepare(problem: Problem, inputs: Inputs, dtype: Dtype, device: str) -> Call:
        w, constants = tensors(inputs, dtype, device)
        return lambda: product(w, constants["X"], constants["y"])

    return prepare


METHODS = (
    Method(
        name="reverse-order", label="written out, reverse mode", package="torch", hessian=_in_order(reverse), cuda=True,
        bounded_by_closed_form=True, problems=("logreg",),
    ),
    Method(
        name="cross-country-order", label="written out, cross-country", package="torch", hessian=_in_order(cross_country), cuda=True,
        bounded_by_closed_form=True, problems=("logreg",),
    ),
)  # fmt: skip
