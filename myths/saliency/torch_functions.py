"""Calls of torch functions as an override receives them: all functions of a name, and in-place calls."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_NAMESPACES = (F, torch, torch.Tensor, torch.special, torch.linalg)


def spellings(*names: str) -> frozenset[Callable]:
    """Return all functions with these names in ``torch.nn.functional``, ``torch`` and ``Tensor``, and their in-place variants."""
    every = [f"{name}{ending}" for name in names for ending in ("", "_")]
    return frozenset(getattr(place, name) for place in _NAMESPACES for name in every if callable(getattr(place, name, None)))


@functools.cache
def _without_underscore(func: Callable) -> Callable | None:
    """Return the out-of-place variant of an in-place function (``relu`` for ``relu_``), or None."""
    name = getattr(func, "__name__", "")
    if name.startswith("__i") and name.endswith("__"):
        return getattr(torch.Tensor, f"__{name[3:]}", None)
    if not name.endswith("_") or name.endswith("__"):
        return None
    owner = next((place for place in _NAMESPACES if getattr(place, name, None) is func), torch.Tensor)  # x **= 2 has no separate name
    return getattr(owner, name[:-1], None)


@functools.cache
def _names(func: Callable) -> tuple[str, ...]:
    """Return the argument names of a Python function, or an empty tuple for a C++ function, which has no signature."""
    return tuple(inspect.signature(func, follow_wrapped=False).parameters) if inspect.isfunction(func) else ()


@dataclass(frozen=True)
class Call:
    """A parsed call of a torch function."""

    input: Tensor
    """The first argument."""
    rest: tuple[Any, ...]
    """The other positional arguments."""
    keywords: dict[str, Any]
    function: Callable[..., Any]
    """The out-of-place variant of the function."""
    in_place: bool

    def argument(self, place: int, name: str, default: Any = None) -> Any:
        """Return an argument by its position after the input, or by its name."""
        return self.rest[place] if place < len(self.rest) else self.keywords.get(name, default)

    def pure(self, z: Tensor) -> Any:
        """Compute the function of another input, out of place."""
        return self.function(z, *self.rest, **self.keywords)


def call(func: Callable, args: tuple, kwargs: dict[str, Any]) -> Call | None:
    """Parse a call. Return None if the first argument is not a tensor."""
    keywords = dict(kwargs)
    first = args[0] if args else next((keywords.pop(n) for n in ("input", "self", "x") if n in keywords), None)
    if not isinstance(first, Tensor):
        return None
    rest, out_of_place = args[1:], _without_underscore(func)
    in_place = out_of_place is not None or bool(keywords.pop("inplace", False))
    names = _names(func)
    if "inplace" in names and (place := names.index("inplace")) < len(args):
        in_place, rest = in_place or bool(args[place]), rest[: place - 1]
    return Call(first, rest, keywords, out_of_place or func, in_place)
