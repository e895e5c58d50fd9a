"""One method and the closed form, timed in turns in one process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from myths.hessian_cost.methods import METHODS, Dtype, Method, MethodName, NotOnDevice, dense
from myths.hessian_cost.problems import PROBLEMS, Inputs, ProblemName
from myths.lab.memory import peak_bytes
from myths.lab.setting import Count, Seed
from myths.lab.timing import Stopwatch, compare_timings
from myths.lab.trial import Context, Outcome, Trial

DerivativeKind = Literal["hessian", "gradient"]
OVER_BUDGET, OUT_OF_MEMORY, NOT_ON_DEVICE = "over budget", "out of memory", "not on this device"
MAX_SECONDS = 5.0
"""Seconds; a derivative that takes longer is not repeated: a row that says "over budget"."""
MAX_FIRST_CALL_SECONDS = 15.0
"""Seconds; some of it may be compilation, but nobody compiles for longer."""
BUDGET_SECONDS = 0.5
"""Seconds of repeats for each method of a trial."""
GIB = 2**30
_TIMES = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "closed_form_")
    for name in ("seconds", "q25_seconds", "q75_seconds", "repeats", "first_call_seconds", "peak_bytes")
)


@dataclass(frozen=True, kw_only=True)
class TimeDerivative(Trial):
    """One method beside the closed form, in turns, in a process of its own under a cap on its memory.

    ``n_variables`` asks for a number of variables (entries of x). ``force_cpu`` runs it on the CPU whatever the device of the run is.
    """

    nondeterministic_columns: ClassVar[frozenset[str]] = _TIMES | {"slowdown", "derivation_seconds", "predicted_seconds"}
    exclusive: ClassVar[bool] = True
    memory_limit_bytes: ClassVar[int | None] = 12 * GIB

    problem: ProblemName
    """Function whose derivative is timed."""
    method: MethodName
    """Framework and method that are timed."""
    n_variables: Count
    """Number of variables (entries of x)."""
    dtype: Dtype = "float64"
    """Number format."""
    seed: Seed = 0
    force_cpu: bool = False
    """Whether it runs on the CPU whatever the device of the run is."""

    @property
    def relative_cost(self) -> float:
        """Grows slowly: the time for repeats is bounded."""
        return 1.0 + (self.n_variables / 512) ** 1.5

    def skip_reason(self) -> str | None:
        """An absent peer."""
        return METHODS[self.method].unavailable_reason()


@dataclass(frozen=True, kw_only=True)
class TimeHessian(TimeDerivative):
    """Seconds, memory and error of one method's Hessian (Laue et al. 2018, Sec. 5, Hessians)."""

    @classmethod
    def test_instance(cls) -> TimeHessian:
        """The row loop on 8 variables."""
        return cls(problem="quad", method="torch-loop", n_variables=8)

    def run(self, context: Context) -> Outcome:
        """One row: ``status``, times and quartiles of the method and of the closed form, ``slowdown``, peak memory, relative error."""
        return Outcome(rows=[derivative_row(self, context, "hessian")])


@dataclass(frozen=True, kw_only=True)
class TimeGradient(TimeDerivative):
    """Seconds of one method's gradient (Laue et al. 2018, Sec. 5, gradients)."""

    @classmethod
    def test_instance(cls) -> TimeGradient:
        """PyTorch on 8 variables."""
        return cls(problem="quad", method="torch", n_variables=8)

    def run(self, context: Context) -> Outcome:
        """One row, as for a Hessian."""
        return Outcome(rows=[derivative_row(self, context, "gradient")])


def cpu_column(force_cpu: bool) -> dict[str, str]:
    """The column that says that a trial ran on the CPU of a run on another device."""
    return {"device": "cpu"} if force_cpu else {}


def derivative_row(trial: TimeDerivative, context: Context, kind: DerivativeKind) -> dict[str, Any]:
    """``status``, times and quartiles of the method and of the closed form, ``slowdown``, peak memory, relative error."""

    problem, method = PROBLEMS[trial.problem], METHODS[trial.method]
    device = "cpu" if trial.force_cpu else context.device
    inputs = problem.inputs(trial.n_variables, context.rng("inputs"))
    about: dict[str, Any] = {"variables": inputs["x"].size, "requested_variables": trial.n_variables} | cpu_column(trial.force_cpu)
    reference = METHODS["closed-form"]
    exact = getattr(reference, kind)(problem, inputs, "float64", "cpu")()
    about["checksum"] = float(f"{float(np.linalg.norm(np.asarray(exact))):.8g}")
    import torch

    if device.startswith("cuda") and not method.cuda:
        return about | {"status": NOT_ON_DEVICE}
    try:
        return about | _time(trial, kind, inputs, exact, device, context)
    except NotOnDevice:
        return about | {"status": NOT_ON_DEVICE}
    except (MemoryError, torch.OutOfMemoryError):
        return about | {"status": OUT_OF_MEMORY}


def _time(trial: TimeDerivative, kind: DerivativeKind, inputs: Inputs, exact: Any, device: str, context: Context) -> dict[str, Any]:
    problem, method = PROBLEMS[trial.problem], METHODS[trial.method]
    if (predicted := _seconds_lower_bound(trial, method, kind, device, context)) > MAX_SECONDS:
        return {"status": OVER_BUDGET, "predicted_seconds": predicted}
    with Stopwatch(device) as derive:
        call = getattr(method, kind)(problem, inputs, trial.dtype, device)
    floor = getattr(METHODS["closed-form"], kind)(problem, inputs, trial.dtype, device)
    with Stopwatch(device) as first:
        given = call()
    truth = np.asarray(exact, dtype=np.float64).ravel()
    got = dense(given, inputs["x"].size).ravel() if kind == "hessian" else _vector(given)
    error = float(np.linalg.norm(got - truth) / max(float(np.linalg.norm(truth)), 1e-300))
    row: dict[str, Any] = {
        "derivation_seconds": derive.seconds,
        "first_call_seconds": first.seconds,
        "relative_error": float(f"{error:.1g}"),
    }
    del given, got, truth
    if first.seconds > MAX_SECONDS:
        with Stopwatch(device) as second:
            call()
        if second.seconds > MAX_SECONDS:
            return row | {"status": OVER_BUDGET, "predicted_seconds": second.seconds}
    row["peak_bytes"] = peak_bytes(call, device)
    compared = compare_timings(
        {"method": call, "closed": floor}, device, warmup=1 if first.seconds > 1 else 3, budget_seconds=BUDGET_SECONDS
    )
    return {
        **compared.timings["method"].row(),
        **compared.timings["closed"].row("closed_form_"),
        **row,
        "closed_form_peak_bytes": peak_bytes(floor, device),
        "slowdown": compared.ratio("method", "closed"),
        "status": "ok",
    }


def _vector(given: Any) -> Any:
    if hasattr(given, "detach"):
        given = given.detach().cpu()
    return np.asarray(given, dtype=np.float64).ravel()


def _seconds_lower_bound(trial: TimeDerivative, method: Method, kind: DerivativeKind, device: str, context: Context) -> float:
    """Seconds at least: four times those of half the size, as a Hessian has four times the entries.

    A guard against hours; what passes is timed all the same.
    """
    if kind == "gradient" or method.bounded_by_closed_form or method.compiles or trial.n_variables < 512:
        return 0.0
    problem = PROBLEMS[trial.problem]
    call = getattr(method, kind)(problem, problem.inputs(trial.n_variables // 2, context.rng("probe")), trial.dtype, device)
    with Stopwatch(device) as first:
        call()
    if first.seconds > MAX_FIRST_CALL_SECONDS:
        return 4 * first.seconds
    with Stopwatch(device) as second:
        call()
    return 4 * second.seconds
