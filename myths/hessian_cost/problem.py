"""What a problem is: a scalar function of one tensor, with its closed-form derivatives where somebody derived them."""

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
    """A scalar function of one tensor ``x`` and constants, written once in the operations that an ``Ops`` gives."""

    formula: str
    axes: str
    """The axes of ``x`` and of every constant: "x: n, A: n n"."""

    @abstractmethod
    def value(self, ops: Ops, x: Any, c: Mapping[str, Any]) -> Any:
        """f(x), in a framework's own operations; ``c`` are the constants by name. Shape []."""

    def expression(self) -> tuple[Any, Any]:
        """f and x in the language of ``tensor_calculus``."""
        from myths.hessian_cost import tensor_calculus as tc

        axes = dict(part.split(": ") for part in self.axes.split(", "))
        x = tc.variable("x", axes.pop("x"))
        constants = {name: tc.constant(name, of) for name, of in axes.items()}
        return self.value(calculus_ops(), x, constants), x


class DerivedProblem(Problem):
    """A problem whose derivatives a person has written down. Closed forms take torch tensors by the names of ``inputs``."""

    name: ProblemName
    derived: str
    """The Hessian as one would write it by hand."""

    @abstractmethod
    def inputs(self, size: int, rng: np.random.Generator) -> Inputs:
        """float64 arrays by name; ``x`` has about ``size`` entries and the others are constants."""

    @abstractmethod
    def gradient(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """The gradient by its closed form. Shape: that of ``x``."""

    @abstractmethod
    def hessian(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """The Hessian by its closed form, dense. Shape: that of ``x`` twice."""
