"""The comparisons that claims are made of: which methods, on which problems, at which sizes.

The Hessian of matrix factorization is compared at 3,072 variables on a CPU, where it has 75 MB. That of 1,024 variables is written in
0.13 ms while the cache that a processor shares with others has room for it, and in 0.6 ms when it has not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from myths.hessian_cost.methods import MethodName
from myths.hessian_cost.problems import PAPER_PROBLEMS, ProblemName

Device = Literal["cpu", "gpu"]
Cell = tuple[ProblemName, MethodName, int]
"""Problem, method and requested number of variables."""


@dataclass(frozen=True)
class Comparison:
    """Methods whose times are compared with that of one reference.

    Attributes:
        reference: Method that the others are compared with.
        cells: The others, each on a problem at a size.
    """

    reference: MethodName
    cells: tuple[Cell, ...]

    @property
    def columns(self) -> dict[str, Any]:
        """Filter of rows and trials. It lets through other combinations of the same problems, methods and sizes."""
        problems, methods, sizes = (tuple(dict.fromkeys(values)) for values in zip(*self.cells, strict=True))
        return {"reference": self.reference, "problem": problems, "method": methods, "n_variables": sizes}

    def only(self, problem: ProblemName) -> Comparison:
        """Return the comparison on one problem."""
        return Comparison(self.reference, tuple(cell for cell in self.cells if cell[0] == problem))


def _on_paper_problems(methods: tuple[MethodName, ...], size: int) -> Iterator[Cell]:
    return ((problem, method, size) for problem in PAPER_PROBLEMS for method in methods)


TORCH: tuple[MethodName, ...] = (
    "torch-loop", "torch-functional", "torch-functional-vectorized", "torch-func", "torch-jacrev", "torch-compile",
)  # fmt: skip
"""PyTorch's own ways to a Hessian."""
LOOP: dict[Device, Comparison] = {
    "cpu": Comparison("tensor-calculus", (("quad", "torch-loop", 1024), ("logreg", "torch-loop", 1024), ("matfac", "torch-loop", 3072))),
    "gpu": Comparison("tensor-calculus", tuple(_on_paper_problems(("torch-loop",), 4096))),
}
"""The comparison of the paper: a loop over the rows of the Hessian."""
ORDERS = Comparison("cross-country-order", (("logreg", "reverse-order", 1024),))
BEST_TORCH: dict[Device, Comparison] = {
    "cpu": Comparison("closed-form", tuple(_on_paper_problems(TORCH, 512))),
    "gpu": Comparison("closed-form", tuple(_on_paper_problems(TORCH, 2048))),
}
"""Some of PyTorch's own ways are slower than the row loop, so that the sizes are smaller than those of the loop."""
VMAP = Comparison("torch-loop", tuple(_on_paper_problems(("torch-func",), 512)))
JAX = Comparison("torch-loop", tuple(_on_paper_problems(("jax",), 1024)))
JAX_MATFAC = Comparison("torch-loop", (("matfac", "jax", 1024),))
SPARSE = Comparison("asdex", (("matfac", "jax", 2048),))
