"""How a classifier from before deep networks is fitted: the method and its settings, without the code that does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Method = Literal["nearest neighbor", "linear on pixels", "random features", "hog + linear svm"]
Solver = Literal["lbfgs", "newton"]


@dataclass(frozen=True)
class Recipe:
    """A method and its settings.

    Attributes:
        method: The method.
        filters: Number of random patches, of "random features" only.
        stride: Pixels between the places where these filters are applied.
        solver: Of "hog + linear svm" only.
    """

    method: Method
    filters: int = 0
    stride: int = 1
    solver: Solver = "lbfgs"
