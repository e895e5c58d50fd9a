"""Base classes of problems: scalar functions of one tensor, with closed-form derivatives where available."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from myths.hessian_cost.ops import calculus_ops

if TYPE_CHECKING:
    from torch import Tensor

    from myths.hessian_cost.ops import Ops

Inputs = dict[str, np.ndarray]
ProblemName = Literal["quad", "logreg", "matfac", "matfac-masked", "matfac-v", "ridge", "gp", "mlp", "det"]
PAPER_PROBLEMS: tuple[ProblemName, ...] = ("quad", "logreg", "matfac")


class Problem(ABC):
    """A scalar function of one tensor ``x`` and constants, written once with the operations of an ``Ops``."""

    formula: str
    axes: str
    """Axes of ``x`` and of every constant, for example "x: n, A: n n"."""

    @abstractmethod
    def value(self, ops: Ops, x: Any, c: Mapping[str, Any]) -> Any:
        """Return f(x) as a scalar, computed with a framework's operations. ``c`` maps names to constants."""

    def expression(self) -> tuple[Any, Any]:
        """Return f and x as expressions of ``tensor_calculus``."""
        from myths.hessian_cost import tensor_calculus as tc

        axes = dict(part.split(": ") for part in self.axes.split(", "))
        x = tc.variable("x", axes.pop("x"))
        constants = {name: tc.constant(name, of) for name, of in axes.items()}
        return self.value(calculus_ops(), x, constants), x


class DerivedProblem(Problem):
    """A problem with hand-derived derivatives. The closed forms take torch tensors by the names of ``inputs``."""

    name: ProblemName
    derived: str
    """The Hessian in mathematical notation, derived by hand."""

    @abstractmethod
    def inputs(self, size: int, rng: np.random.Generator) -> Inputs:
        """Draw float64 arrays by name. ``x`` has about ``size`` entries; the others are constants."""

    @abstractmethod
    def gradient(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return the closed-form gradient, in the shape of ``x``."""

    @abstractmethod
    def hessian(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """Return the closed-form Hessian, dense. Its shape is that of ``x`` twice."""
