"""Trials of each profile of myth 1."""

from __future__ import annotations

from collections.abc import Iterable

from myths.hessian_cost.methods import METHODS, Dtype, MethodName
from myths.hessian_cost.problems import PAPER_PROBLEMS, PROBLEMS, ProblemName
from myths.hessian_cost.trials import TimeGradient, TimeHessian, TimeNewtonStep
from myths.lab.myth import Profile, unique_trials
from myths.lab.trial import Trial

ALL_METHODS: tuple[MethodName, ...] = (
    "tensor-calculus", "tensor-calculus-compressed", "torch-loop", "torch-functional", "torch-functional-vectorized", "torch-func",
    "torch-jacrev", "jax", "tensorflow", "autograd", "pytensor", "casadi",
)  # fmt: skip
LARGE_SIZE_METHODS: tuple[MethodName, ...] = (
    "tensor-calculus", "tensor-calculus-compressed", "torch-loop", "torch-func", "jax", "tensorflow",
)  # fmt: skip
"""Methods that ``laptop`` also times at the largest size. The others would take a quarter of an hour there."""
GRADIENT_METHODS: tuple[MethodName, ...] = ("tensor-calculus", "torch", "jax", "tensorflow", "autograd", "pytensor", "casadi")
PRIMARY_METHODS: tuple[MethodName, ...] = ("tensor-calculus", "torch-loop")
OTHER_PROBLEMS: tuple[ProblemName, ...] = tuple(name for name in PROBLEMS if name not in PAPER_PROBLEMS)


def _hessians(
    problems: Iterable[ProblemName],
    methods: Iterable[MethodName],
    sizes: Iterable[int],
    dtype: Dtype = "float64",
    seed: int = 0,
    force_cpu: bool = False,
) -> list[Trial]:
    sizes, methods = tuple(sizes), tuple(methods)
    return [
        TimeHessian(problem=problem, method=method, n_variables=size, dtype=dtype, seed=seed, force_cpu=force_cpu)
        for problem in problems
        for size in sizes
        for method in methods
        if METHODS[method].supports(problem, size)
    ]


def _gradients(size: int) -> list[Trial]:
    return [TimeGradient(problem=problem, method=method, n_variables=size) for problem in PAPER_PROBLEMS for method in GRADIENT_METHODS]


def _orders(seeds: int) -> list[Trial]:
    orders: tuple[MethodName, ...] = ("reverse-order", "cross-country-order")
    return [trial for seed in range(seeds) for trial in _hessians(("logreg",), orders, (256, 1024), seed=seed)]


def _primary(seeds: int, sizes: Iterable[int], force_cpu: bool = False) -> list[Trial]:
    """Return the row loop and the tensor calculus, with new inputs and new processes for each seed."""
    sizes = tuple(sizes)
    return [trial for seed in range(seeds) for trial in _hessians(PAPER_PROBLEMS, PRIMARY_METHODS, sizes, seed=seed, force_cpu=force_cpu)]


@unique_trials
def trials(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
    """Return the trials of a profile. ``seeds`` replaces the number of draws of the primary comparison (3; ``quick``: 2)."""
    several = seeds if seeds is not None else 2 if profile == "quick" else 3
    cheap: tuple[MethodName, ...] = ("tensor-calculus", "torch-loop", "torch-func", "jax")
    if profile == "quick":
        listed = [
            *_primary(several, (256,)), *_hessians(("quad",), PRIMARY_METHODS, (128, 512)),
            *_hessians(PAPER_PROBLEMS, ("torch-func", "torch-functional", "autograd", "jax"), (128,)),
            *(TimeGradient(problem="quad", method=method, n_variables=512) for method in ("tensor-calculus", "torch", "jax")),
            TimeNewtonStep(rows=100),
        ]  # fmt: skip
    elif profile == "laptop":
        listed = [
            *_primary(several, (1024,)),
            *(t for seed in range(several) for t in _hessians(("matfac",), PRIMARY_METHODS, (2048,), seed=seed)),
            *_hessians(PAPER_PROBLEMS, ALL_METHODS, (32, 128, 512)),
            *_hessians(PAPER_PROBLEMS, LARGE_SIZE_METHODS, (2048,)),
            *_hessians(PAPER_PROBLEMS, ("sympy",), (8,)),
            *_hessians(PAPER_PROBLEMS, ("torch-compile",), (512, 2048)),
            *_hessians(PAPER_PROBLEMS, (*PRIMARY_METHODS, "torch-func", "jax"), (512,), "float32"),
            *_hessians(OTHER_PROBLEMS, cheap, (256,)),
            *_hessians(OTHER_PROBLEMS, ("tensor-calculus", "tensor-calculus-compressed"), (512,)),
            *_orders(several),
            *_gradients(2048),
            *(TimeNewtonStep(rows=500, seed=seed) for seed in range(several)),
            TimeNewtonStep(rows=1000),
        ]
    elif profile == "overnight":
        listed = []
    else:
        on_gpu = tuple(name for name in ALL_METHODS if METHODS[name].cuda)
        sizes = (128, 512, 1024, 2048, 4096, 8192)
        listed = [
            *_primary(several, (512, 1024, 2048, 4096)),
            *_primary(several, (512, 1024, 2048), force_cpu=True),
            *_hessians(PAPER_PROBLEMS, on_gpu, sizes),
            *_hessians(PAPER_PROBLEMS, on_gpu, (2048, 8192), "float32"),
            *_hessians(PAPER_PROBLEMS, ("torch-compile",), (1024, 2048)),
            *_hessians(OTHER_PROBLEMS, on_gpu, (1024,)),
            *_orders(several),
            *(t for t in _gradients(4096) if isinstance(t, TimeGradient) and METHODS[t.method].cuda),
            *(TimeNewtonStep(rows=1000, seed=seed) for seed in range(several)),
        ]
    return listed
