"""What a problem is: a scalar function of one tensor, with its closed-form derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from myths.hessian_cost.ops import Ops

Inputs = dict[str, np.ndarray]
Name = Literal["quad", "logreg", "matfac", "matfac-masked", "matfac-v", "ridge", "gp", "mlp", "det"]
PAPER: tuple[Name, ...] = ("quad", "logreg", "matfac")


class Problem:
    """A scalar function of one tensor ``x`` and constants. Closed forms take torch tensors by the names of ``inputs``."""

    name: Name
    formula: str
    derived: str
    """The Hessian as one would write it by hand."""

    def inputs(self, size: int, rng: np.random.Generator) -> Inputs:
        """float64 arrays by name; ``x`` has about ``size`` entries and the others are constants."""
        raise NotImplementedError

    def value(self, ops: Ops, x: Any, c: Mapping[str, Any]) -> Any:
        """f(x), in a framework's own operations; ``c`` are the constants by name."""
        raise NotImplementedError

    def gradient(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """The gradient by its closed form. Shape: that of ``x``."""
        raise NotImplementedError

    def hessian(self, x: Tensor, c: Mapping[str, Tensor]) -> Tensor:
        """The Hessian by its closed form, dense. Shape: that of ``x`` twice."""
        raise NotImplementedError

    def expression(self) -> tuple[Any, Any]:
        """f and x in the language of ``tensor_calculus``."""
        raise NotImplementedError
