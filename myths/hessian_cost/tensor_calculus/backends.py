"""The array operations of compiled expressions for torch, NumPy and JAX. A library is imported when it is used."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, no_type_check

from myths.hessian_cost.tensor_calculus.errors import TensorError

Array = Any


def backend_of(arrays: list[Array]) -> str:
    """Return ``torch``, ``jax`` or ``numpy`` for the type of the arrays."""
    modules = {type(array).__module__.partition(".")[0] for array in arrays}
    return "torch" if "torch" in modules else "jax" if modules & {"jax", "jaxlib"} else "numpy"


@cache
def operations(backend: str) -> dict[str, Callable[..., Any]]:
    """Return the operations of a backend by name.

    ``embed(core, pattern, shape)`` returns a tensor of ``shape`` that equals ``core`` where axes with equal ``pattern`` have equal indices
    and
    is zero elsewhere. The numbers in ``pattern`` are axes of ``core``. ``embed_add(dense, core, pattern)`` adds this tensor to ``dense``.

    Raises:
        TensorError: The backend does not exist or is not installed.
    """
    makers = {"torch": _torch, "numpy": _numpy, "jax": _jax}
    if backend not in makers:
        raise TensorError(f"there is no backend {backend!r}; there are {', '.join(makers)}")
    try:
        return makers[backend]()
    except ImportError as error:
        raise TensorError(f"backend {backend} is not installed: {error}") from error


def _sech_squared(e: Array) -> Array:
    """Return 1 / cosh² x, computed from exp(−|x|), which does not overflow."""
    sech = 2 * e / (1 + e * e)
    return sech * sech


def _last(along: int) -> tuple[int, ...]:
    """Return the last axes."""
    return tuple(range(-along, 0))


@no_type_check
def _diagonal(array: Array, pattern: tuple[int, ...]) -> Array:
    """Return a view of the entries where axes with equal pattern have equal indices. Its axes are 0, 1, … of the pattern."""
    left = list(pattern)
    for label in sorted(set(pattern)):
        while left.count(label) > 1:
            first = left.index(label)
            second = left.index(label, first + 1)
            array = array.diagonal(0, first, second)
            left = [own for n, own in enumerate(left) if n not in (first, second)] + [label]
    return array.permute([left.index(label) for label in range(len(left))])


def _torch_embeddings() -> dict[str, Callable[..., Any]]:
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

    @no_type_check
    def embed_set(dense: Array, core: Array, pattern: tuple[int, ...]) -> Array:
        whole = dense.clone(memory_format=torch.contiguous_format)
        _diagonal(whole, pattern).copy_(core)
        return whole

    return {"embed": embed, "embed_add": embed_add, "embed_set": embed_set}


def _torch_along_axes() -> dict[str, Callable[..., Any]]:
    import torch

    def softmax(x: Array, along: int) -> Array:
        return torch.exp(x - torch.logsumexp(x, _last(along), keepdim=True))

    def softmax_complement(x: Array, along: int) -> Array:
        p = softmax(x, along)
        most = p > 0.5
        return torch.where(most, torch.where(most, 0, p).sum(_last(along), keepdim=True), 1 - p)

    def argmax(x: Array, along: int) -> Array:
        most = (x == torch.amax(x, _last(along), keepdim=True)).to(x.dtype)
        return most / most.sum(_last(along), keepdim=True)

    return {
        "logsumexp": lambda x, along: torch.logsumexp(x, _last(along)),
        "softmax": softmax,
        "softmax_complement": softmax_complement,
        "max": lambda x, along: torch.amax(x, _last(along)),
        "argmax": argmax,
    }


def _torch() -> dict[str, Callable[..., Any]]:
    import torch

    def selection(start: int, step: int, rows: int, columns: int, like: Array) -> Array:
        at = torch.arange(rows, device=like.device)[:, None] * step + start
        return (at == torch.arange(columns, device=like.device)).to(like.dtype)

    return {
        "exp": torch.exp,
        "log": torch.log,
        "sigmoid": torch.sigmoid,
        "softplus": lambda x: -torch.nn.functional.logsigmoid(-x),  # torch's softplus is x itself from x = 20 on
        "tanh": torch.tanh,
        "sin": torch.sin,
        "cos": torch.cos,
        "sinh": torch.sinh,
        "cosh": torch.cosh,
        "arctan": torch.arctan,
        "erf": torch.erf,
        "lgamma": torch.lgamma,
        "polygamma": lambda x, order: torch.polygamma(order, x),
        "log1p": torch.log1p,
        "expm1": torch.expm1,
        "abs": torch.abs,
        "sign": torch.sign,
        "heaviside": lambda x: 0.5 * (1 + torch.sign(x)),
        "sech_squared": lambda x: _sech_squared(torch.exp(-torch.abs(x))),
        "selection": selection,
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
        **_torch_along_axes(),
        **_torch_embeddings(),
    }


def _numpy() -> dict[str, Callable[..., Any]]:
    import numpy as np
    from scipy.special import erf, expit, gammaln, logsumexp, polygamma

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

    def embed_set(dense: Array, core: Array, pattern: tuple[int, ...]) -> Array:
        whole = np.array(dense)
        view(whole, pattern)[...] = core
        return whole

    return _numpy_like(np, logsumexp) | {
        "sigmoid": expit, "erf": erf, "lgamma": gammaln, "polygamma": lambda x, order: polygamma(order, x),
        "embed": embed, "embed_add": embed_add, "embed_set": embed_set,
    }  # fmt: skip


def _jax() -> dict[str, Callable[..., Any]]:
    import jax
    import jax.numpy as jnp

    def on(pattern: tuple[int, ...], shape: tuple[int, ...]) -> Array:
        places = [jax.lax.broadcasted_iota("int32", shape, axis) for axis in range(len(shape))]
        inside = jnp.ones(shape, bool)
        for axis, label in enumerate(pattern):
            inside &= places[axis] == places[pattern.index(label)]
        return inside

    def spread(core: Array, pattern: tuple[int, ...], shape: tuple[int, ...]) -> Array:
        full = [shape[pattern.index(label)] for label in range(len(set(pattern)))]
        whole = jnp.broadcast_to(core, full)
        first = {label: pattern.index(label) for label in pattern}
        order = sorted(first, key=first.__getitem__)
        alone = [shape[axis] if first[label] == axis else 1 for axis, label in enumerate(pattern)]
        return jnp.transpose(whole, order).reshape(alone)

    def embed(core: Array, pattern: tuple[int, ...], shape: tuple[int, ...]) -> Array:
        return jnp.where(on(pattern, shape), spread(core, pattern, shape), jnp.zeros((), core.dtype))

    def embed_add(dense: Array, core: Array, pattern: tuple[int, ...]) -> Array:
        return dense + embed(core, pattern, dense.shape)

    def embed_set(dense: Array, core: Array, pattern: tuple[int, ...]) -> Array:
        return jnp.where(on(pattern, dense.shape), spread(core, pattern, dense.shape), dense)

    return _numpy_like(jnp, jax.scipy.special.logsumexp) | {
        "sigmoid": jax.nn.sigmoid, "erf": jax.scipy.special.erf, "lgamma": jax.scipy.special.gammaln,
        "polygamma": lambda x, order: jax.scipy.special.polygamma(order, x), "embed": embed, "embed_add": embed_add, "embed_set": embed_set,
    }  # fmt: skip


def _numpy_like(np: Any, logsumexp: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    def softmax(x: Array, along: int) -> Array:
        return np.exp(x - logsumexp(x, axis=_last(along), keepdims=True))

    def softmax_complement(x: Array, along: int) -> Array:
        p = softmax(x, along)
        return np.where(p > 0.5, np.where(p > 0.5, 0, p).sum(_last(along), keepdims=True), 1 - p)

    def argmax(x: Array, along: int) -> Array:
        most = (x == np.max(x, axis=_last(along), keepdims=True)).astype(x.dtype)
        return most / most.sum(_last(along), keepdims=True)

    return {
        "sinh": np.sinh,
        "cosh": np.cosh,
        "arctan": np.arctan,
        "log1p": np.log1p,
        "expm1": np.expm1,
        "abs": np.abs,
        "sign": np.sign,
        "heaviside": lambda x: 0.5 * (1 + np.sign(x)),
        "relu": lambda x: np.maximum(x, 0),
        "sech_squared": lambda x: _sech_squared(np.exp(-np.abs(x))),
        "logsumexp": lambda x, along: logsumexp(x, axis=_last(along)),
        "softmax": softmax,
        "softmax_complement": softmax_complement,
        "max": lambda x, along: np.max(x, axis=_last(along)),
        "argmax": argmax,
        "selection": lambda start, step, rows, columns, like: (np.arange(rows)[:, None] * step + start == np.arange(columns)).astype(
            like.dtype
        ),
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
