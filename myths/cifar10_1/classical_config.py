"""Settings of the classical methods, without the code that fits them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Method = Literal["nearest neighbor", "linear on pixels", "random features", "hog + linear svm"]
Solver = Literal["lbfgs", "newton"]


@dataclass(frozen=True)
class ClassicalConfig:
    """A classical method and its settings.

    Attributes:
        method: The method.
        n_filters: Number of random patches; only "random features".
        stride: Stride of the filters in pixels; only "random features".
        solver: Solver of the support vector machine; only "hog + linear svm".
    """

    method: Method
    n_filters: int = 0
    stride: int = 1
    solver: Solver = "lbfgs"
