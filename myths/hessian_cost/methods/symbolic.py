"""Symbolic tools that differentiate a formula before numbers are known: PyTensor, CasADi, SymPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from myths.hessian_cost.methods.method import Call, Dtype, Method, Prepare
from myths.hessian_cost.ops import casadi_ops, pytensor_ops, sympy_ops
from myths.hessian_cost.problems import Inputs, Problem


def _pytensor(hessian: bool) -> Prepare:
    def prepare(problem: Problem, inputs: Inputs, dtype: Dtype, device: str) -> Call:
        import pytensor
        import pytensor.tensor as pt

        values = {name: np.asarray(value, dtype) for name, value in inputs.items()}
        constants = {name: pt.tensor(name, dtype=dtype, shape=value.shape) for name, value in values.items() if name != "x"}
        flat = pt.tensor("flat", dtype=dtype, shape=(values["x"].size,))
        value = problem.value(pytensor_ops(), flat.reshape(values["x"].shape), constants)
        derivative = pt.hessian(value, flat) if hessian else pt.grad(value, flat)
        compiled = pytensor.function([flat, *constants.values()], derivative, trust_input=True, on_unused_input="ignore")
        arguments = [values["x"].ravel(), *(values[name] for name in constants)]
        return lambda: compiled(*arguments)

    return prepare


def _casadi(hessian: bool) -> Prepare:
    def prepare(problem: Problem, inputs: Inputs, dtype: Dtype, device: str) -> Call:
        import casadi

        shapes = {name: value.shape if value.ndim == 2 else (value.size, 1) for name, value in inputs.items()}
        constants = {name: casadi.MX.sym(name, *shape) for name, shape in shapes.items() if name != "x"}
        flat = casadi.MX.sym("x", inputs["x"].size)
        rows, columns = shapes["x"]
        x = casadi.reshape(flat, columns, rows).T  # CasADi is column-major; x is row-major
        value = problem.value(casadi_ops(), x, constants)
        derivative = casadi.hessian(value, flat)[0] if hessian else casadi.gradient(value, flat)
        compiled = casadi.Function("derivative", [flat, *constants.values()], [derivative])
        arguments = [casadi.DM(inputs["x"].ravel()), *(casadi.DM(inputs[name].reshape(shapes[name])) for name in constants)]
        return lambda: compiled(*arguments).full()

    return prepare


def _sympy(problem: Problem, inputs: Inputs, dtype: Dtype, device: str) -> Call:
    import sympy

    def symbols(name: str) -> Any:
        shape = inputs[name].shape
        return np.array([sympy.Symbol(f"{name}_{'_'.join(map(str, at))}", real=True) for at in np.ndindex(shape)]).reshape(shape)

    arrays = {name: symbols(name) for name in inputs}
    value = problem.value(sympy_ops(), arrays["x"], {name: array for name, array in arrays.items() if name != "x"})
    derivative = sympy.hessian(value, list(arrays["x"].ravel()))
    compiled = sympy.lambdify([list(array.ravel()) for array in arrays.values()], derivative, "numpy", cse=True)
    arguments = [np.asarray(value, dtype).ravel().tolist() for value in inputs.values()]
    return lambda: compiled(*arguments)


METHODS = (
    Method(
        name="pytensor",
        label="PyTensor (successor of Theano)",
        package="pytensor",
        startup_cost=2,
        hessian=_pytensor(True),
        gradient=_pytensor(False),
    ),
    Method(name="casadi", label="CasADi", package="casadi", hessian=_casadi(True), gradient=_casadi(False), max_size=256),
    Method(
        name="sympy",
        label="SymPy, lambdify",
        package="sympy",
        hessian=_sympy,
        max_size=16,
        problems=("quad", "logreg", "matfac", "matfac-masked", "matfac-v", "ridge", "mlp", "det"),
    ),
)
