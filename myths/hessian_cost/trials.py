"""One trial times one method on one problem at one size; and which trials a profile runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from myths.hessian_cost.methods import METHODS, Dtype, MethodName
from myths.hessian_cost.problems import PAPER, PROBLEMS, Name
from myths.hessian_cost.timed import GIB, Timed, timed_row, where
from myths.lab.myth import Profile, unique_trials
from myths.lab.setting import Count, Seed
from myths.lab.trial import Context, Outcome, Trial


@dataclass(frozen=True, kw_only=True)
class TimeHessian(Timed):
    """Seconds, memory and error of one method's Hessian (Laue et al. 2018, Sec. 5, Hessians)."""

    @classmethod
    def test_instance(cls) -> TimeHessian:
        """The row loop on 8 variables."""
        return cls(problem="quad", method="torch-loop", size=8)

    def run(self, context: Context) -> Outcome:
        """One row: ``status``, times and quartiles of the method and of the closed form, ``ratio``, peak memory, relative error."""
        return Outcome(rows=[timed_row(self, context, "hessian")])


@dataclass(frozen=True, kw_only=True)
class TimeGradient(Timed):
    """Seconds of one method's gradient (Laue et al. 2018, Sec. 5, gradients)."""

    @classmethod
    def test_instance(cls) -> TimeGradient:
        """PyTorch on 8 variables."""
        return cls(problem="quad", method="torch", size=8)

    def run(self, context: Context) -> Outcome:
        """One row, as for a Hessian."""
        return Outcome(rows=[timed_row(self, context, "gradient")])


@dataclass(frozen=True, kw_only=True)
class NewtonStep(Trial):
    """H⁻¹g of unmasked matrix factorization, compressed (one k x k system) and dense (nk x nk) (Laue et al. 2020, Sec. 5)."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset(
        {"dense_seconds", "compressed_seconds", "dense_bytes", "compressed_bytes", "time_ratio"}
    )
    exclusive: ClassVar[bool] = True
    memory_limit_bytes: ClassVar[int | None] = 12 * GIB

    rows: Count
    """Rows of the factor."""
    rank: Count = 10
    """Rank of the factorization."""
    seed: Seed = 0
    on_cpu: bool = False
    """Whether it runs on the CPU whatever the device of the run is."""

    @property
    def relative_cost(self) -> float:
        """That of the dense solve, and a start."""
        return 0.1 + (self.rows * self.rank / 1000) ** 3

    @classmethod
    def test_instance(cls) -> NewtonStep:
        """20 x 3."""
        return cls(rows=20, rank=3)

    def run(self, context: Context) -> Outcome:
        """One row: seconds and bytes of both, their ratios, and the relative difference of the steps."""
        from myths.hessian_cost.newton import newton_row

        device = "cpu" if self.on_cpu else context.device
        return Outcome(rows=[newton_row(self.rows, self.rank, context.rng("inputs"), device) | where(self.on_cpu)])


# --- profiles ------------------------------------------------------------------------------------

EVERY: tuple[MethodName, ...] = (
    "ours", "ours-compressed", "torch-loop", "torch-functional", "torch-functional-vectorized", "torch-func", "torch-jacrev", "jax",
    "tensorflow", "autograd", "pytensor", "casadi",
)  # fmt: skip
LARGE: tuple[MethodName, ...] = ("ours", "ours-compressed", "torch-loop", "torch-func", "jax", "tensorflow")
"""Those that also show their largest size in ``laptop``; the others would take its quarter of an hour alone."""
GRADIENTS: tuple[MethodName, ...] = ("ours", "torch", "jax", "tensorflow", "autograd", "pytensor", "casadi")
PRIMARY: tuple[MethodName, ...] = ("ours", "torch-loop")
OTHERS: tuple[Name, ...] = tuple(name for name in PROBLEMS if name not in PAPER)


def _hessians(
    problems: Iterable[Name],
    methods: Iterable[MethodName],
    sizes: Iterable[int],
    dtype: Dtype = "float64",
    seed: int = 0,
    on_cpu: bool = False,
) -> list[Trial]:
    sizes, methods = tuple(sizes), tuple(methods)
    return [
        TimeHessian(problem=problem, method=method, size=size, dtype=dtype, seed=seed, on_cpu=on_cpu)
        for problem in problems
        for size in sizes
        for method in methods
        if METHODS[method].does(problem, size)
    ]


def _gradients(size: int) -> list[Trial]:
    return [TimeGradient(problem=problem, method=method, size=size) for problem in PAPER for method in GRADIENTS]


def _orders(seeds: int) -> list[Trial]:
    orders: tuple[MethodName, ...] = ("reverse-order", "cross-country-order")
    return [trial for seed in range(seeds) for trial in _hessians(("logreg",), orders, (256, 1024), seed=seed)]


def _decisive(seeds: int, sizes: Iterable[int], on_cpu: bool = False) -> list[Trial]:
    """The row loop and the tensor calculus, with new inputs and new processes for each seed."""
    sizes = tuple(sizes)
    return [trial for seed in range(seeds) for trial in _hessians(PAPER, PRIMARY, sizes, seed=seed, on_cpu=on_cpu)]


@unique_trials
def trials(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
    """What a profile runs; ``seeds`` replaces the number of draws of the primary comparison (3, of ``quick`` 2)."""
    several = seeds if seeds is not None else 2 if profile == "quick" else 3
    cheap: tuple[MethodName, ...] = ("ours", "torch-loop", "torch-func", "jax")
    if profile == "quick":
        listed = [
            *_decisive(several, (256,)), *_hessians(("quad",), PRIMARY, (128, 512)),
            *_hessians(PAPER, ("torch-func", "torch-functional", "autograd", "jax"), (128,)),
            *(TimeGradient(problem="quad", method=method, size=512) for method in ("ours", "torch", "jax")), NewtonStep(rows=100),
        ]  # fmt: skip
    elif profile == "laptop":
        listed = [
            *_decisive(several, (1024,)),
            *(t for seed in range(several) for t in _hessians(("matfac",), PRIMARY, (2048,), seed=seed)),
            *_hessians(PAPER, EVERY, (32, 128, 512)),
            *_hessians(PAPER, LARGE, (2048,)),
            *_hessians(PAPER, ("sympy",), (8,)),
            *_hessians(PAPER, ("torch-compile",), (512, 2048)),
            *_hessians(PAPER, (*PRIMARY, "torch-func", "jax"), (512,), "float32"),
            *_hessians(OTHERS, cheap, (256,)),
            *_hessians(OTHERS, ("ours", "ours-compressed"), (512,)),
            *_orders(several),
            *_gradients(2048),
            *(NewtonStep(rows=500, seed=seed) for seed in range(several)),
            NewtonStep(rows=1000),
        ]
    else:
        on_gpu = tuple(name for name in EVERY if METHODS[name].cuda)
        sizes = (128, 512, 1024, 2048, 4096, 8192)
        listed = [
            *_decisive(several, (512, 1024, 2048, 4096)),
            *_decisive(several, (512, 1024, 2048), on_cpu=True),
            *_hessians(PAPER, on_gpu, sizes),
            *_hessians(PAPER, on_gpu, (2048, 8192), "float32"),
            *_hessians(PAPER, ("torch-compile",), (1024, 2048)),
            *_hessians(OTHERS, on_gpu, (1024,)),
            *_orders(several),
            *(t for t in _gradients(4096) if isinstance(t, TimeGradient) and METHODS[t.method].cuda),
            *(NewtonStep(rows=1000, seed=seed) for seed in range(several)),
        ]
    return listed
