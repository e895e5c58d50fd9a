"""The array operations that compiled expressions call, for torch, NumPy and JAX; each library is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, no_type_check

from myths.hessian_cost.tensor_calculus.errors import TensorError

Array = Any


def backend_of(arrays: list[Array]) -> str:
    """``torch``, ``jax`` or ``numpy``, by the arrays' type."""
    modules = {type(array).__module__.partition(".")[0] for array in arrays}
    return "torch" if "torch" in modules else "jax" if modules & {"jax", "jaxlib"} else "numpy"


@cache
def operations(backend: str) -> dict[str, Callable[..., Any]]:
    """The table of a backend. Raises TensorError for a backend that does not exist or is not installed.

    ``embed(core, pattern, shape)`` is the tensor of ``shape`` that is zero but where axes of equal
    ``pattern`` have equal index; there it is ``core``, whose axes are the numbers in ``pattern``.
    ``embed_add(dense, core, pattern)`` adds that to ``dense``.
    """
    makers = {"torch": _torch, "numpy": _numpy, "jax": _jax}
    if backend not in makers:
        raise TensorError(f"there is no backend {backend!r}; there are {', '.join(makers)}")
    try:
        return makers[backend]()
    except ImportError as error:
        raise TensorError(f"backend {backend} is not installed: {error}") from error


@no_type_check
def _diagonal(array: Array, pattern: tuple[int, ...]) -> Array:
    """A view of the entries where axes of equal pattern have equal index, with the axes 0, 1, … of the pattern."""
    left = list(pattern)
    for label in sorted(set(pattern)):
        while left.count(label) > 1:
            first = left.index(label)
            second = left.index(label, first + 1)
            array = array.diagonal(0, first, second)
            left = [own for n, own in enumerate(left) if n not in (first, second)] + [label]
    return array.permute([left.index(label) for label in range(len(left))])


def _torch() -> dict[str, Callable[..., Any]]:
    import torch

    @no_type_check  # nor can it be checked while torch.compile traces it
    def embed(core: Array, pattern: tuple[int, ...], shape: tuple[int, ...]) -> Array:
        whole = core.new_zeros(shape)
        _diagonal(whole, pattern).copy_(core)
        return whole

    @no_type_check
    def embed_add(dense: Array, core: Array, pattern: tuple[int, ...]) -> Array:
        whole = dense.clone(memory_format=torch.contiguous_format)
        _diagonal(whole, pattern).add_(core)
        return whole

    return {
        "exp": torch.exp,
        "log": torch.log,
        "sigmoid": torch.sigmoid,
        "softplus": lambda x: -torch.nn.functional.logsigmoid(-x),  # torch's softplus is x itself from x = 20 on
        "tanh": torch.tanh,
        "sin": torch.sin,
        "cos": torch.cos,
        "relu": torch.relu,
        "step": lambda x: (x > 0).to(x.dtype),
        "sqrt": torch.sqrt,
        "inverse": torch.linalg.inv,
        "det": torch.linalg.det,
        "logdet": lambda a: torch.linalg.slogdet(a)[1],
        "solve": torch.linalg.solve,
        "permute": torch.permute,
        "broadcast": torch.broadcast_to,
        "constant": lambda value, like: torch.full((), value, **({} if like is None else {"dtype": like.dtype, "device": like.device})),
        "finish": lambda x: x,
        "embed": embed,
        "embed_add": embed_add,
    }


def _numpy() -> dict[str, Callable[..., Any]]:
    import numpy as np
    from scipy.special import expit

    def view(array: Array, pattern: tuple[int, ...]) -> Array:
        return np.einsum(array, list(pattern), list(range(len(set(pattern)))))

    def embed(core: Array, pattern: tuple[int, ...], shape: tuple[int, ...]) -> Array:
        whole = np.zeros(shape, np.asarray(core).dtype)
        view(whole, pattern)[...] = core
        return whole

    def embed_add(dense: Array, core: Array, pattern: tuple[int, ...]) -> Array:
        whole = np.array(dense)
        view(whole, pattern)[...] += core
        return whole

    return _numpy_like(np) | {"sigmoid": expit, "relu": lambda x: np.maximum(x, 0), "embed": embed, "embed_add": embed_add}


def _jax() -> dict[str, Callable[..., Any]]:
    import jax
    import jax.numpy as jnp

    def embed(core: Array, pattern: tuple[int, ...], shape: tuple[int, ...]) -> Array:
        places = [jax.lax.broadcasted_iota("int32", shape, axis) for axis in range(len(shape))]
        inside = jnp.ones(shape, bool)
        for axis, label in enumerate(pattern):
            inside &= places[axis] == places[pattern.index(label)]
        full = [shape[pattern.index(label)] for label in range(len(set(pattern)))]
        spread = jnp.broadcast_to(core, full)
        first = {label: pattern.index(label) for label in pattern}
        order = sorted(first, key=first.__getitem__)
        alone = [shape[axis] if first[label] == axis else 1 for axis, label in enumerate(pattern)]
        return jnp.where(inside, jnp.transpose(spread, order).reshape(alone), jnp.zeros((), spread.dtype))

    def embed_add(dense: Array, core: Array, pattern: tuple[int, ...]) -> Array:
        return dense + embed(core, pattern, dense.shape)

    return _numpy_like(jnp) | {"sigmoid": jax.nn.sigmoid, "relu": lambda x: jnp.maximum(x, 0), "embed": embed, "embed_add": embed_add}


def _numpy_like(np: Any) -> dict[str, Callable[..., Any]]:
    return {
        "exp": np.exp,
        "log": np.log,
        "softplus": lambda x: np.logaddexp(x, 0),
        "tanh": np.tanh,
        "sin": np.sin,
        "cos": np.cos,
        "step": lambda x: (x > 0).astype(x.dtype),
        "sqrt": np.sqrt,
        "inverse": np.linalg.inv,
        "det": np.linalg.det,
        "logdet": lambda a: np.linalg.slogdet(a)[1],
        "solve": np.linalg.solve,
        "permute": np.transpose,
        "broadcast": np.broadcast_to,
        "constant": lambda value, like: np.asarray(value, dtype=None if like is None else like.dtype),
        "finish": np.asarray,
    }
