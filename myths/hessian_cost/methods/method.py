"""The interface of a method that computes a Hessian, a gradient, or both."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from myths.hessian_cost.problems import Inputs, Problem, ProblemName
from myths.lab.errors import MythsError

Dtype = Literal["float64", "float32"]
Call = Callable[[], Any]
"""Computes the derivative once, from inputs on the device. The result is complete after a device synchronization."""
Prepare = Callable[[Problem, Inputs, Dtype, str], Call]
"""Moves the inputs to the device, derives and compiles once, and returns the call to time."""


class NotOnDevice(MythsError):
    """The framework is installed, but does not support the device."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to compute derivatives with one framework.

    Attributes:
        name: Unique name.
        label: Label in figures.
        package: Package that must be installed.
        hessian: Prepares the Hessian, or None.
        gradient: Prepares the gradient, or None.
        cuda: Whether the method runs on a GPU.
        max_size: Largest number of variables. Default: no limit.
        problems: Problems that the method supports. Default: all.
        compiles: Whether the first call compiles for seconds at any size. No smaller size is probed then.
        startup_cost: Expected duration of import and first call, relative to that of PyTorch.
        bounded_by_closed_form: Whether the cost is at most that of the closed form by construction. No smaller size is probed then.
    """

    name: str
    label: str
    package: str
    hessian: Prepare | None = None
    gradient: Prepare | None = None
    cuda: bool = False
    max_size: int | None = None
    problems: tuple[ProblemName, ...] | None = None
    compiles: bool = False
    startup_cost: float = 1.0
    bounded_by_closed_form: bool = False

    def unavailable_reason(self) -> str | None:
        """Return why the framework is not available on this machine, or None."""
        if importlib.util.find_spec(self.package) is None:
            return f"{self.package} is not installed: pip install 'seven-myths[frameworks]'"
        return None

    def supports(self, problem: ProblemName | None, size: int) -> bool:
        """Return whether the method supports a problem at a size. ``problem`` is None for a user's formula."""
        return (self.problems is None or problem in self.problems) and (self.max_size is None or size <= self.max_size)


def dense(result: Any, shape: int | tuple[int, int]) -> np.ndarray:
    """Return the Hessian of any framework, or rows of it, as a float64 array. A shape of one number is that of a square."""
    if hasattr(result, "dense"):
        result = result.dense()
    if hasattr(result, "detach"):
        result = result.detach().cpu()
    return np.asarray(result, dtype=np.float64).reshape(shape if isinstance(shape, tuple) else (shape, shape))


def relative_error(given: np.ndarray, exact: np.ndarray) -> float:
    """Return the norm of the difference over that of the exact array, to one digit."""
    error = np.linalg.norm(given.ravel() - exact.ravel()) / max(float(np.linalg.norm(exact)), 1e-300)
    return float(f"{error:.1g}")
