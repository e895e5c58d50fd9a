"""Trials of each profile of myth 1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from myths.hessian_cost.compared import BEST_TORCH, JAX, JAX_MATFAC, LOOP, ORDERS, SPARSE, VMAP, Comparison
from myths.hessian_cost.methods import METHODS, MethodName
from myths.hessian_cost.problems import PAPER_PROBLEMS, PROBLEMS, ProblemName
from myths.hessian_cost.trials import CompareHessians, MeasureMachine, TimeGradient, TimeHessian, TimeNewtonStep
from myths.lab.myth import Profile, unique_trials
from myths.lab.trial import Trial

ALL_METHODS: tuple[MethodName, ...] = (
    "tensor-calculus", "tensor-calculus-compressed", "torch-loop", "torch-functional", "torch-functional-vectorized", "torch-func",
    "torch-jacrev", "jax", "tensorflow", "autograd", "pytensor", "casadi",
)  # fmt: skip
LARGE_SIZE_METHODS: tuple[MethodName, ...] = (
    "tensor-calculus", "tensor-calculus-compressed", "torch-func", "torch-compile", "jax", "tensorflow",
)  # fmt: skip
"""Methods that ``overnight`` also times at large sizes. The others would take a quarter of an hour there."""
GRADIENT_METHODS: tuple[MethodName, ...] = ("tensor-calculus", "torch", "jax", "tensorflow", "autograd")
GRADIENT_METHODS_WITHOUT_BLAS: tuple[MethodName, ...] = ("pytensor", "casadi")
PRIMARY_METHODS: tuple[MethodName, ...] = ("tensor-calculus", "torch-loop")
CHEAP_METHODS: tuple[MethodName, ...] = ("tensor-calculus", "torch-loop", "torch-func", "jax")
SPARE_PROCESSES = 2
"""Further processes that compare PyTorch's own ways. The processes agree if complete ones do, those in which none of the 18 ratios was
refused: in cpu-laptop, five of seven."""
OTHER_PROBLEMS: tuple[ProblemName, ...] = tuple(name for name in PROBLEMS if name not in PAPER_PROBLEMS)


def _hessians(
    problems: Iterable[ProblemName],
    methods: Iterable[MethodName],
    sizes: Iterable[int],
    *,
    seeds: int = 1,
    **settings: Any,
) -> list[Trial]:
    """Return Hessians of all methods, sizes and problems, process by process: those of one seed follow each other.

    ``settings`` are those of ``TimeHessian``; the default is one thread.
    """
    problems, sizes, methods = tuple(problems), tuple(sizes), tuple(methods)
    return [
        TimeHessian(problem=problem, method=method, n_variables=size, seed=seed, **{"threads": 1, **settings})
        for seed in range(seeds)
        for problem in problems
        for size in sizes
        for method in methods
        if METHODS[method].supports(problem, size)
    ]


def _gradients(size: int, methods: Iterable[MethodName], seeds: int = 1, threads: int = 1) -> list[Trial]:
    methods = tuple(methods)
    return [
        TimeGradient(problem=problem, method=method, n_variables=size, seed=seed, threads=threads)
        for seed in range(seeds)
        for problem in PAPER_PROBLEMS
        for method in methods
    ]


def _compared(seeds: int, *comparisons: Comparison, **settings: Any) -> list[Trial]:
    """Return comparisons process by process. ``settings`` are those of ``CompareHessians``; the default is one thread."""
    return [
        CompareHessians(
            problem=problem, method=method, reference=compared.reference, n_variables=size, seed=seed, **{"threads": 1, **settings}
        )
        for compared in comparisons
        for seed in range(seeds)
        for problem, method, size in compared.cells
    ]


@unique_trials
def trials(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
    """Return the trials of a profile. ``seeds`` replaces the number of processes of every comparison (5; ``quick``: 2).

    PyTorch's own ways are compared in ``SPARE_PROCESSES`` more. On a CPU every trial has one thread.
    """
    several = seeds if seeds is not None else 2 if profile == "quick" else 5
    return {"quick": _quick, "laptop": _laptop, "overnight": _overnight, "gpu": _gpu, "paper": _paper}[profile](several)


def _quick(processes: int) -> list[Trial]:
    compared = Comparison("tensor-calculus", tuple((problem, "torch-loop", 256) for problem in PAPER_PROBLEMS))
    return [
        *_compared(1, compared),
        *_hessians(PAPER_PROBLEMS, PRIMARY_METHODS, (256,)), *_hessians(("quad",), PRIMARY_METHODS, (128, 512), seeds=processes),
        *_hessians(PAPER_PROBLEMS, ("torch-func", "torch-functional", "autograd", "jax"), (128,)),
        *_gradients(512, ("tensor-calculus", "torch", "jax"))[:3],
        TimeNewtonStep(rows=100, threads=1), MeasureMachine(matrix=512, vector=2**20),
    ]  # fmt: skip


def _decisive(processes: int) -> list[Trial]:
    """Return the comparisons of claims, the primary ones first, and the speed of the machine."""
    return [
        *_compared(processes, LOOP["cpu"]),
        *(MeasureMachine(seed=seed) for seed in range(processes)),
        *_compared(processes, VMAP, JAX_MATFAC, SPARSE, JAX, ORDERS),
        *_compared(processes + SPARE_PROCESSES, BEST_TORCH["cpu"]),
    ]


def _laptop(processes: int) -> list[Trial]:
    return [
        *_decisive(processes),
        *_gradients(2048, GRADIENT_METHODS, processes),
        *_gradients(2048, GRADIENT_METHODS_WITHOUT_BLAS),
        *(TimeNewtonStep(rows=500, seed=seed, threads=1) for seed in range(processes)),
        *_hessians(OTHER_PROBLEMS, ("tensor-calculus", "tensor-calculus-compressed"), (512,)),
        *_hessians(PAPER_PROBLEMS, ALL_METHODS, (128, 512)),
        *_hessians(PAPER_PROBLEMS, (*PRIMARY_METHODS, "jax"), (1024,)),
        *_hessians(PAPER_PROBLEMS, ("sympy",), (8,)),
        *_hessians(PAPER_PROBLEMS, (*PRIMARY_METHODS, "torch-func", "jax"), (512,), dtype="float32"),
        *_hessians(OTHER_PROBLEMS, CHEAP_METHODS, (256,)),
    ]


def _overnight(processes: int) -> list[Trial]:
    return [
        *_decisive(processes),
        *_hessians(PAPER_PROBLEMS, PRIMARY_METHODS, (512, 1024, 2048, 4096), seeds=processes),
        *_gradients(2048, (*GRADIENT_METHODS, *GRADIENT_METHODS_WITHOUT_BLAS), processes),
        *(TimeNewtonStep(rows=rows, seed=seed, threads=1) for rows in (500, 1000) for seed in range(processes)),
        *_hessians(PAPER_PROBLEMS, LARGE_SIZE_METHODS, (1024, 2048), seeds=processes),
        *_hessians(("matfac",), ("asdex",), (1024, 2048), seeds=processes),
        *_hessians(PAPER_PROBLEMS, (*ALL_METHODS, "torch-compile"), (32, 128, 512), seeds=processes),
        *_hessians(OTHER_PROBLEMS, (*CHEAP_METHODS, "tensor-calculus-compressed"), (256, 512), seeds=processes),
    ]


def _gpu(processes: int) -> list[Trial]:
    """Return trials for some 12 minutes on one H200-class GPU, primary claims first.

    Measured: with 4,096 variables, a trial of the row loop takes 10 to 16 s with the start of its process, one of the tensor calculus 1 to
    2 s. Estimated: 5 s for each of the 90 comparisons with PyTorch's ways. All methods at several sizes are in the profile "paper".
    """
    return [
        *_compared(processes, LOOP["gpu"], threads=0),
        *_compared(processes, LOOP["cpu"], force_cpu=True),
        *_compared(processes, ORDERS, BEST_TORCH["gpu"], threads=0),
        *_gradients(4096, (name for name in GRADIENT_METHODS if METHODS[name].cuda), processes, threads=0),
        *(TimeNewtonStep(rows=1000, seed=seed) for seed in range(processes)),
        *(MeasureMachine(matrix=8192, vector=2**27, seed=seed) for seed in range(processes)),
        *_hessians(PAPER_PROBLEMS, PRIMARY_METHODS, (512, 2048), threads=0),
    ]


def _paper(processes: int) -> list[Trial]:
    """Return the trials of the profile "gpu", and all methods at several sizes."""
    on_gpu = tuple(name for name in ALL_METHODS if METHODS[name].cuda)
    return [
        *_gpu(processes),
        *_hessians(PAPER_PROBLEMS, PRIMARY_METHODS, (512, 1024, 2048, 4096), seeds=processes, threads=0),
        *_hessians(PAPER_PROBLEMS, on_gpu, (512, 2048, 8192), threads=0),
        *_hessians(PAPER_PROBLEMS, on_gpu, (2048,), dtype="float32", threads=0),
        *_hessians(OTHER_PROBLEMS, on_gpu, (1024,), threads=0),
    ]
