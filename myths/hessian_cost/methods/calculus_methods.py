"""Tensor calculus: derive the Hessian as one expression and evaluate it with torch, dense or compressed."""

from __future__ import annotations

from functools import partial

from myths.hessian_cost.methods.method import Call, Dtype, Method, Prepare
from myths.hessian_cost.methods.torch_methods import tensors
from myths.hessian_cost.problems import Inputs, Problem


def _calculus(hessian: bool = True, compressed: bool = False) -> Prepare:
    def prepare(problem: Problem, inputs: Inputs, dtype: Dtype, device: str) -> Call:
        from myths.hessian_cost import tensor_calculus as tc

        value, variable = problem.expression()
        derivative = tc.hessian(value, variable) if hessian else tc.gradient(value, variable)
        x, constants = tensors(inputs, dtype, device)
        taken = {variable, *tc.variables(derivative)}  # x determines dtype and device if the derivative is constant
        sizes = dict(zip(variable.axes, x.shape, strict=True))
        compiled = tc.compile(derivative, inputs=tuple(taken), sizes=sizes, compressed=compressed)
        arrays = {name: array for name, array in ({"x": x} | constants).items() if name in {needed.name for needed in compiled.inputs}}
        return lambda: compiled(**arrays)

    return prepare


_method = partial(Method, package="torch", cuda=True, bounded_by_closed_form=True)
METHODS = (
    _method(name="tensor-calculus", label="tensor calculus", hessian=_calculus(), gradient=_calculus(hessian=False)),
    _method(name="tensor-calculus-compressed", label="tensor calculus, compressed", hessian=_calculus(compressed=True)),
)
