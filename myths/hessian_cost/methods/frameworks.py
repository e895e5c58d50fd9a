"""Frameworks that differentiate programs: JAX and asdex, TensorFlow, HIPS autograd. Each is imported when its method is prepared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from myths.hessian_cost.methods.method import Call, Dtype, Method, NotOnDevice, Prepare
from myths.hessian_cost.ops import autograd_ops, jax_ops, tensorflow_ops
from myths.hessian_cost.problems import Inputs, Problem


def _jax_problem(problem: Problem, inputs: Inputs, dtype: Dtype, device: str) -> tuple[Callable[[Any, Any], Any], Any, dict[str, Any]]:
    """Return f of x and the constants, x, and the constants, in JAX."""
    import os

    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX would otherwise reserve most of the GPU's memory
    import jax

    jax.config.update("jax_enable_x64", True)
    try:
        where = jax.devices("gpu" if device.startswith("cuda") else "cpu")[0]
    except RuntimeError as error:
        raise NotOnDevice(f"this jax has no {device}") from error
    constants = {name: jax.device_put(np.asarray(value, dtype), where) for name, value in inputs.items()}
    x, ops = constants.pop("x"), jax_ops()
    return lambda at, c: problem.value(ops, at, c), x, constants


def _jax(derivative: str) -> Prepare:
    def prepare(problem: Problem, inputs: Inputs, dtype: Dtype, device: str) -> Call:
        import jax

        f, x, constants = _jax_problem(problem, inputs, dtype, device)
        derive = jax.jit(getattr(jax, derivative)(f))
        return lambda: derive(x, constants).block_until_ready()

    return prepare


def _asdex(problem: Problem, inputs: Inputs, dtype: Dtype, device: str) -> Call:
    """Find and color the sparsity pattern; the call evaluates one Hessian-vector product per color and returns a dense Hessian."""
    import warnings

    import asdex
    import jax

    f, x, constants = _jax_problem(problem, inputs, dtype, device)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", asdex.DenseColoringWarning)
        coloring = asdex.hessian_coloring(f, x, constants)
    derive = jax.jit(asdex.hessian_from_coloring(f, coloring, output_format="dense"))
    return lambda: derive(x, constants).block_until_ready()


def _tensorflow(hessian: bool) -> Prepare:
    def prepare(problem: Problem, inputs: Inputs, dtype: Dtype, device: str) -> Call:
        import os

        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import tensorflow as tf

        constants = {name: tf.constant(value, dtype) for name, value in inputs.items()}
        x, ops = constants.pop("x"), tensorflow_ops()

        @tf.function(autograph=False)
        def derive(x: Any, constants: dict[str, Any]) -> Any:
            with tf.GradientTape() as outer:
                outer.watch(x)
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    value = problem.value(ops, x, constants)
                gradient = inner.gradient(value, x)
            return outer.jacobian(gradient, x, experimental_use_pfor=True) if hessian else gradient

        return lambda: derive(x, constants).numpy()

    return prepare


def _autograd(derivative: str) -> Prepare:
    def prepare(problem: Problem, inputs: Inputs, dtype: Dtype, device: str) -> Call:
        import autograd

        constants = {name: np.asarray(value, dtype) for name, value in inputs.items()}
        x, ops = constants.pop("x"), autograd_ops()
        derive: Callable[[Any], Any] = getattr(autograd, derivative)(lambda at: problem.value(ops, at, constants))
        return lambda: derive(x)

    return prepare


METHODS = (
    Method(name="jax", label="JAX, jit(hessian)", package="jax", hessian=_jax("hessian"), gradient=_jax("grad"), cuda=True),
    Method(
        name="asdex", label="asdex, sparse differentiation of JAX", package="asdex", hessian=_asdex, cuda=True,
        problems=("quad", "logreg", "matfac", "matfac-masked", "matfac-v", "ridge", "mlp"),
    ),
    Method(
        name="tensorflow", label="TensorFlow, GradientTape.jacobian", package="tensorflow", startup_cost=6, hessian=_tensorflow(True),
        gradient=_tensorflow(False),
    ),
    Method(name="autograd", label="HIPS autograd", package="autograd", hessian=_autograd("hessian"), gradient=_autograd("grad")),
)  # fmt: skip
