"""One trial times one method on one problem at one size; and which trials a profile runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from myths.hessian_cost.methods import METHODS, Dtype, Method, MethodName
from myths.hessian_cost.problems import PAPER, PROBLEMS, Inputs, Name
from myths.lab.myth import Profile
from myths.lab.trial import Context, Outcome, Trial

OVER_BUDGET, OUT_OF_MEMORY, NOT_ON_DEVICE = "over budget", "out of memory", "not on this device"
LONGEST = 5.0
"""Seconds; a derivative that takes longer is not repeated: a row that says "over budget"."""
LONGEST_FIRST_CALL = 60.0
BUDGET = 0.5
"""Seconds of repeats for each method of a trial."""
GIB = 2**30
_TIMES = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "closed_")
    for name in ("seconds", "q25_seconds", "q75_seconds", "repeats", "first_call_seconds", "memory_bytes")
)
MEASURED = _TIMES | {"ratio", "derive_seconds", "predicted_seconds", "peak_bytes"}


@dataclass(frozen=True, kw_only=True)
class _Timed(Trial):
    """One method beside the closed form, in turns, in a process of its own under a cap on its memory.

    ``size`` asks for a number of variables (entries of x). ``on_cpu`` runs it on the CPU whatever the device of the run is.
    """

    measured: ClassVar[frozenset[str]] = MEASURED
    exclusive: ClassVar[bool] = True
    worker_memory: ClassVar[int | None] = 12 * GIB

    problem: Name
    method: MethodName
    size: int
    dtype: Dtype = "float64"
    seed: int = 0
    on_cpu: bool = False

    @property
    def work(self) -> float:
        """Grows slowly: the time for repeats is bounded."""
        return 1.0 + (self.size / 512) ** 1.5

    def missing(self) -> str | None:
        """An absent peer."""
        return METHODS[self.method].missing()


@dataclass(frozen=True, kw_only=True)
class TimeHessian(_Timed):
    """Seconds, memory and error of one method's Hessian (Laue et al. 2018, Sec. 5, Hessians)."""

    @classmethod
    def tiny(cls) -> TimeHessian:
        """The row loop on 8 variables."""
        return cls(problem="quad", method="torch-loop", size=8)

    def run(self, context: Context) -> Outcome:
        """One row: ``status``, times and quartiles of the method and of the closed form, ``ratio``, peak memory, relative error."""
        return _run(self, context, "hessian")


@dataclass(frozen=True, kw_only=True)
class TimeGradient(_Timed):
    """Seconds of one method's gradient (Laue et al. 2018, Sec. 5, gradients)."""

    @classmethod
    def tiny(cls) -> TimeGradient:
        """PyTorch on 8 variables."""
        return cls(problem="quad", method="torch", size=8)

    def run(self, context: Context) -> Outcome:
        """One row, as for a Hessian."""
        return _run(self, context, "gradient")


@dataclass(frozen=True, kw_only=True)
class NewtonStep(Trial):
    """H⁻¹g of unmasked matrix factorization, compressed (one k x k system) and dense (nk x nk) (Laue et al. 2020, Sec. 5)."""

    measured: ClassVar[frozenset[str]] = frozenset({"dense_seconds", "compressed_seconds", "dense_bytes", "compressed_bytes", "time_ratio"})
    exclusive: ClassVar[bool] = True
    worker_memory: ClassVar[int | None] = 12 * GIB

    rows: int
    rank: int = 10
    seed: int = 0
    on_cpu: bool = False

    @property
    def work(self) -> float:
        """That of the dense solve, and a start."""
        return 0.1 + (self.rows * self.rank / 1000) ** 3

    @classmethod
    def tiny(cls) -> NewtonStep:
        """20 x 3."""
        return cls(rows=20, rank=3)

    def run(self, context: Context) -> Outcome:
        """One row: seconds and bytes of both, their ratios, and the relative difference of the steps."""
        from myths.hessian_cost.newton import newton_row

        device = "cpu" if self.on_cpu else context.device
        return Outcome(rows=[newton_row(self.rows, self.rank, context.rng("inputs"), device) | _where(self.on_cpu)])


def _where(on_cpu: bool) -> dict[str, str]:
    return {"device": "cpu"} if on_cpu else {}


def _run(trial: _Timed, context: Context, kind: str) -> Outcome:
    import numpy as np

    problem, method = PROBLEMS[trial.problem], METHODS[trial.method]
    device = "cpu" if trial.on_cpu else context.device
    inputs = problem.inputs(trial.size, context.rng("inputs"))
    about: dict[str, Any] = {"variables": inputs["x"].size, "size_asked": trial.size} | _where(trial.on_cpu)
    reference = METHODS["closed-form"]
    exact = getattr(reference, kind)(problem, inputs, "float64", "cpu")()
    about["checksum"] = float(f"{float(np.linalg.norm(np.asarray(exact))):.8g}")
    if device.startswith("cuda") and not method.cuda:
        return Outcome(rows=[about | {"status": NOT_ON_DEVICE}])
    import torch

    try:
        return Outcome(rows=[about | _time(trial, method, kind, inputs, exact, device, context)])
    except (MemoryError, torch.OutOfMemoryError):
        return Outcome(rows=[about | {"status": OUT_OF_MEMORY}])


def _time(trial: _Timed, method: Method, kind: str, inputs: Inputs, exact: Any, device: str, context: Context) -> dict[str, Any]:
    import numpy as np

    from myths.hessian_cost.memory import peak_bytes
    from myths.hessian_cost.methods import dense
    from myths.lab.timing import Stopwatch, compare

    problem = PROBLEMS[trial.problem]
    if (predicted := _predicted(trial, method, kind, device, context)) > LONGEST:
        return {"status": OVER_BUDGET, "predicted_seconds": predicted}
    with Stopwatch(device) as derive:
        call = getattr(method, kind)(problem, inputs, trial.dtype, device)
    floor = getattr(METHODS["closed-form"], kind)(problem, inputs, trial.dtype, device)
    with Stopwatch(device) as first:
        given = call()
    truth = np.asarray(exact, dtype=np.float64).ravel()
    got = dense(given, inputs["x"].size).ravel() if kind == "hessian" else _vector(given)
    error = float(np.linalg.norm(got - truth) / max(float(np.linalg.norm(truth)), 1e-300))
    row: dict[str, Any] = {"derive_seconds": derive.seconds, "first_call_seconds": first.seconds, "relative_error": float(f"{error:.1g}")}
    del given, got, truth
    if first.seconds > LONGEST:
        with Stopwatch(device) as second:
            call()
        if second.seconds > LONGEST:
            return row | {"status": OVER_BUDGET, "predicted_seconds": second.seconds}
    row["peak_bytes"] = peak_bytes(call, device)
    compared = compare({"method": call, "closed": floor}, device, warmup=1 if first.seconds > 1 else 3, budget_seconds=BUDGET)
    return {
        **compared.timings["method"].row(),
        **compared.timings["closed"].row("closed_"),
        **row,
        "closed_memory_bytes": peak_bytes(floor, device),
        "ratio": compared.ratio("method", "closed"),
        "status": "ok",
    }


def _vector(given: Any) -> Any:
    import numpy as np

    if hasattr(given, "detach"):
        given = given.detach().cpu()
    return np.asarray(given, dtype=np.float64).ravel()


def _predicted(trial: _Timed, method: Method, kind: str, device: str, context: Context) -> float:
    """Seconds at least, from a quarter of the size: a Hessian has 16 times the entries, and a matrix is read for each gradient."""
    from myths.lab.timing import Stopwatch

    if kind == "gradient" or method.fixed_cost or method.compiles or trial.size < 512:
        return 0.0
    problem = PROBLEMS[trial.problem]
    call = getattr(method, kind)(problem, problem.inputs(trial.size // 4, context.rng("probe")), trial.dtype, device)
    with Stopwatch(device) as first:
        call()
    if first.seconds > LONGEST_FIRST_CALL / 16:
        return 16 * first.seconds
    with Stopwatch(device) as second:
        call()
    return 16 * second.seconds


# --- profiles ------------------------------------------------------------------------------------

EVERY: tuple[MethodName, ...] = (
    "ours", "ours-compressed", "torch-loop", "torch-functional", "torch-functional-vectorized", "torch-func", "torch-jacrev", "jax",
    "tensorflow", "autograd", "pytensor", "casadi",
)  # fmt: skip
GRADIENTS: tuple[MethodName, ...] = ("ours", "torch", "jax", "tensorflow", "autograd", "pytensor", "casadi")
DECIDING: tuple[MethodName, ...] = ("ours", "torch-loop")
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


def _gradients(size: int, dtype: Dtype = "float64", seed: int = 0) -> list[Trial]:
    return [TimeGradient(problem=problem, method=method, size=size, dtype=dtype, seed=seed) for problem in PAPER for method in GRADIENTS]


def _decisive(seeds: int, sizes: Iterable[int], on_cpu: bool = False) -> list[Trial]:
    """The row loop and the tensor calculus, with new inputs and new processes for each seed."""
    sizes = tuple(sizes)
    return [trial for seed in range(seeds) for trial in _hessians(PAPER, DECIDING, sizes, seed=seed, on_cpu=on_cpu)]


def trials(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
    """What a profile runs; ``seeds`` replaces the number of draws of the decisive comparison (3, of ``quick`` 2)."""
    several = seeds if seeds is not None else 2 if profile == "quick" else 3
    cheap: tuple[MethodName, ...] = ("ours", "torch-loop", "torch-func", "jax")
    if profile == "quick":
        listed = [
            *_decisive(several, (128, 256)), *_hessians(PAPER, cheap, (256,)), *_hessians(PAPER, ("torch-functional", "autograd"), (128,)),
            *(TimeGradient(problem="quad", method=method, size=512) for method in ("ours", "torch", "jax")), NewtonStep(rows=100),
        ]  # fmt: skip
    elif profile == "laptop":
        listed = [
            *_decisive(several, (128, 512, 1024)),
            *_hessians(PAPER, EVERY, (32, 128, 512, 2048)),
            *_hessians(PAPER, ("sympy",), (16,)),
            *_hessians(PAPER, ("torch-compile",), (256, 1024)),
            *_hessians(PAPER, (*DECIDING, "torch-func", "jax"), (512,), "float32"),
            *_hessians(OTHERS, ("ours-compressed", *cheap), (256,)),
            *(t for seed in range(several) for t in _hessians(("logreg",), ("ours-reverse",), (1024,), seed=seed)),
            *_gradients(2048),
            *(NewtonStep(rows=200, seed=seed) for seed in range(several)),
            NewtonStep(rows=1000),
        ]
    else:
        on_gpu = tuple(name for name in EVERY if METHODS[name].cuda)
        sizes = (128, 512, 1024, 2048, 4096, 8192)
        listed = [
            *_decisive(several, (512, 1024, 2048)),
            *_decisive(several, (512, 1024), on_cpu=True),
            *_hessians(PAPER, on_gpu, sizes),
            *_hessians(PAPER, on_gpu, (2048, 8192), "float32"),
            *_hessians(PAPER, ("torch-compile",), (1024, 4096)),
            *_hessians(OTHERS, on_gpu, (1024,)),
            *(t for seed in range(several) for t in _hessians(("logreg",), ("ours-reverse",), (1024,), seed=seed)),
            *(t for t in _gradients(4096) if isinstance(t, TimeGradient) and METHODS[t.method].cuda),
            *(NewtonStep(rows=1000, seed=seed) for seed in range(several)),
        ]
    return list(dict.fromkeys(listed))
