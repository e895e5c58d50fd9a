"""Time a Newton step of matrix factorization with the Hessian 2 I ⊗ VᵀV, compressed and dense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from myths.hessian_cost.problems import PROBLEMS
from myths.hessian_cost.trials.conditions import clock_of, limited_threads
from myths.hessian_cost.trials.derivatives import GIB, Threads
from myths.lab.measurement.memory import peak_bytes
from myths.lab.measurement.timing import Clock, Stopwatch, compare_timings, wall_clock
from myths.lab.setting import Count, Seed
from myths.lab.trial import Context, Outcome, Trial


@dataclass(frozen=True, kw_only=True)
class TimeNewtonStep(Trial):
    """Time of the Newton step H⁻¹g of matrix factorization, compressed (k x k system) and dense (nk x nk) (Laue et al. 2020, Sec. 5)."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset(
        {"dense_seconds", "compressed_seconds", "dense_bytes", "compressed_bytes", "time_ratio"}
    )
    exclusive: ClassVar[bool] = True
    whole_machine: ClassVar[bool] = True
    memory_limit_bytes: ClassVar[int | None] = 12 * GIB

    rows: Count
    """Number of rows n of the factor U."""
    rank: Count = 10
    """Rank k of the factorization."""
    seed: Seed = 0
    threads: Threads = 0

    @property
    def relative_cost(self) -> float:
        """Cost of the dense solve plus a constant."""
        return 0.1 + (self.rows * self.rank / 1000) ** 3

    @classmethod
    def test_instance(cls) -> TimeNewtonStep:
        """Return a factor of 20 rows and rank 3."""
        return cls(rows=20, rank=3)

    def run(self, context: Context) -> Outcome:
        """Return one row: time and peak memory of both steps, their ratios, and the relative difference of the results."""
        with limited_threads(self.threads):
            return Outcome(
                rows=[newton_row(self.rows, self.rank, context.rng("inputs"), context.device, clock_of(self.threads, context.device))]
            )


def newton_row(rows: int, rank: int, rng: np.random.Generator, device: str, clock: Clock = wall_clock) -> dict[str, Any]:
    """Time H⁻¹g for U [rows rank] compressed and dense, in float64. The gradient is computed once, by its closed form.

    The compressed step solves with the one block VᵀV [rank rank] for all rows at once. The dense step materializes
    H [rows·rank rows·rank] from this block and solves by Cholesky, the cheapest dense solver.
    """
    import torch

    from myths.hessian_cost import tensor_calculus as tc

    def draw(*shape: int) -> torch.Tensor:
        return torch.as_tensor(rng.standard_normal(shape), device=device)

    u, v, t = draw(rows, rank), draw(rows, rank), draw(rows, rows)
    gradient = 2 * ((u @ v.T - t) @ v)

    value, variable = PROBLEMS["matfac"].expression()
    hessian = tc.compile(tc.hessian(value, variable), sizes={"n": rows}, compressed=True)

    def compressed() -> torch.Tensor:
        return hessian(V=v).solve(gradient)

    def dense_step() -> torch.Tensor:
        dense = torch.zeros(rows, rank, rows, rank, dtype=torch.float64, device=device)
        dense.diagonal(dim1=0, dim2=2)[:] = (2 * (v.T @ v))[..., None]
        factor = torch.linalg.cholesky(dense.view(rows * rank, rows * rank))
        return torch.cholesky_solve(gradient.reshape(-1, 1), factor).view(rows, rank)

    compressed()  # exclude what the first call loads from the peak memory
    with Stopwatch(device) as first:
        step = dense_step()
    bytes_of = {"dense_bytes": peak_bytes(dense_step, device), "compressed_bytes": peak_bytes(compressed, device)}
    compared = compare_timings(
        {"dense": dense_step, "compressed": compressed}, device, warmup=1 if first.seconds > 1 else 3, budget_seconds=1.0, clock=clock
    )
    difference = float((compressed() - step).norm() / step.norm())
    return {
        "variables": rows * rank,
        "dense_seconds": compared.timings["dense"].median,
        "compressed_seconds": compared.timings["compressed"].median,
        "time_ratio": compared.ratio("dense", "compressed"),
        **bytes_of,
        "hessian_ratio": float(rows * rank) ** 2 / rank**2,
        "relative_difference": float(f"{difference:.1g}"),
        "checksum": float(f"{float(step.norm()):.8g}"),
    }
