"""Measure the two speeds of a processor that the ratios of this myth depend on: arithmetic and memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from myths.hessian_cost.trials.conditions import clock_of, limited_threads
from myths.hessian_cost.trials.derivatives import GIB, Threads
from myths.lab.measurement.timing import compare_timings
from myths.lab.setting import Count, Seed
from myths.lab.trial import Context, Outcome, Trial


@dataclass(frozen=True, kw_only=True)
class MeasureMachine(Trial):
    """Speed of a float64 matrix product and of the triad a = b + s c. Their ratio bounds how much faster one matrix product can be than
    a loop of matrix-vector products.
    """

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"gemm_gflops", "triad_gb_per_second"})
    exclusive: ClassVar[bool] = True
    whole_machine: ClassVar[bool] = True
    memory_limit_bytes: ClassVar[int | None] = 12 * GIB

    matrix: Count = 2048
    """Rows and columns of the matrices."""
    vector: Count = 2**24
    """Entries of the vectors. Three of them should be larger than the cache."""
    threads: Threads = 1
    seed: Seed = 0

    @classmethod
    def test_instance(cls) -> MeasureMachine:
        """Return small matrices and vectors."""
        return cls(matrix=64, vector=4096)

    def run(self, context: Context) -> Outcome:
        """Return one row: GFLOP/s of the product and GB/s of the triad."""
        import torch

        def draw(*shape: int) -> torch.Tensor:
            return torch.as_tensor(rng.standard_normal(shape), device=context.device)

        rng = context.rng("inputs")
        left, right = draw(self.matrix, self.matrix), draw(self.matrix, self.matrix)
        b, c = draw(self.vector), draw(self.vector)
        product, a = torch.empty_like(left), torch.empty_like(b)
        with limited_threads(self.threads):
            compared = compare_timings(
                {"gemm": lambda: torch.mm(left, right, out=product), "triad": lambda: torch.add(b, c, alpha=3.0, out=a)},
                context.device,
                budget_seconds=1.0,
                clock=clock_of(self.threads, context.device),
            )
        seconds = {name: timing.median for name, timing in compared.timings.items()}
        return Outcome(
            rows=[
                {
                    "gemm_gflops": 2 * self.matrix**3 / seconds["gemm"] / 1e9,
                    "triad_gb_per_second": 3 * 8 * self.vector / seconds["triad"] / 1e9,
                    "checksum": float(f"{float(product.norm()):.8g}"),
                }
            ]
        )
