"""What a method is: a way to get a Hessian, a gradient, or both, ready to be timed."""

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
"""Computes once, of inputs that already lie where they are needed; what it returns is ready when a device is synchronized."""
Prepare = Callable[[Problem, Inputs, Dtype, str], Call]
"""Moves the inputs to the device, derives and builds what a user would build once, and gives the call to be timed."""


class NotOnDevice(MythsError):
    """A framework is here, but not for this device."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to compute derivatives with one framework.

    ``max_size``: beyond this many variables it is not asked; ``problems``: the problems that it can do at all.
    """

    name: str
    label: str
    """As a figure's legend says it."""
    package: str
    hessian: Prepare | None = None
    gradient: Prepare | None = None
    cuda: bool = False
    max_size: int | None = None
    problems: tuple[ProblemName, ...] | None = None
    compiles: bool = False
    """Its first call takes seconds whatever the size, so there is no small probe before it."""
    bounded_by_closed_form: bool = False
    """Costs no more than the closed form by construction: no probe either."""

    def unavailable_reason(self) -> str | None:
        """Why it cannot run here, or None."""
        if importlib.util.find_spec(self.package) is None:
            return f"{self.package} is not installed: pip install 'seven-myths[frameworks]'"
        return None

    def supports(self, problem: ProblemName | None, size: int) -> bool:
        """Whether it can do a problem at a size; None is a formula of somebody's own."""
        return (self.problems is None or problem in self.problems) and (self.max_size is None or size <= self.max_size)


def dense(result: Any, variables: int) -> np.ndarray:
    """A Hessian of any framework and any shape as float64 [variables variables]."""
    if hasattr(result, "dense"):
        result = result.dense()
    if hasattr(result, "detach"):
        result = result.detach().cpu()
    return np.asarray(result, dtype=np.float64).reshape(variables, variables)
