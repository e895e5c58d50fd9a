"""All compared methods for a Hessian or gradient, by name. One file per family, one adapter per method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from myths.hessian_cost.methods import calculus_methods, frameworks, multiplication_orders, symbolic, torch_methods
from myths.hessian_cost.methods.method import Call, Dtype, Method, NotOnDevice, dense, relative_error

MethodName = Literal[
    "closed-form", "tensor-calculus", "tensor-calculus-compressed", "reverse-order", "cross-country-order",
    "torch-loop",
    "torch-functional", "torch-functional-vectorized", "torch-func", "torch-jacrev", "torch-compile",
    "torch", "jax", "asdex", "tensorflow", "autograd", "pytensor", "casadi", "sympy",
]  # fmt: skip
_ALL = (
    torch_methods.CLOSED_FORM,
    *calculus_methods.METHODS,
    *multiplication_orders.METHODS,
    *torch_methods.METHODS,
    *frameworks.METHODS,
    *symbolic.METHODS,
)
METHODS: Mapping[str, Method] = {method.name: method for method in _ALL}
assert tuple(METHODS) == get_args(MethodName)

__all__ = ["METHODS", "Call", "Dtype", "Method", "MethodName", "NotOnDevice", "dense", "relative_error"]
