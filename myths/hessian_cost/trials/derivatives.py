"""Time the derivative of one method and the closed form in alternation, in one process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from myths.hessian_cost.methods import METHODS, Dtype, Method, MethodName, NotOnDevice, dense
from myths.hessian_cost.problems import PROBLEMS, Inputs, ProblemName
from myths.lab.measurement.memory import peak_bytes
from myths.lab.measurement.timing import Stopwatch, compare_timings
from myths.lab.setting import Count, Seed
from myths.lab.trial import Context, Outcome, Trial

DerivativeKind = Literal["hessian", "gradient"]
OVER_BUDGET, OUT_OF_MEMORY, NOT_ON_DEVICE = "over budget", "out of memory", "not on this device"
MAX_SECONDS = 5.0
"""Time limit of one derivative in seconds. A slower derivative is not repeated; its row has the status "over budget"."""
MAX_FIRST_CALL_SECONDS = 15.0
"""Time limit of the first call in seconds, which may include compilation."""
BUDGET_SECONDS = 0.5
"""Time for repeats of each method in seconds."""
GIB = 2**30
_TIMES = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "closed_form_")
    for name in ("seconds", "q25_seconds", "q75_seconds", "repeats", "first_call_seconds", "peak_bytes")
)


@dataclass(frozen=True, kw_only=True)
class TimeDerivative(Trial):
    """Base class: time one method and the closed form in alternation, in a memory-limited process."""

    nondeterministic_columns: ClassVar[frozenset[str]] = _TIMES | {"slowdown", "derivation_seconds", "predicted_seconds"}
    exclusive: ClassVar[bool] = True
    memory_limit_bytes: ClassVar[int | None] = 12 * GIB

    problem: ProblemName
    """Function whose derivative is timed."""
    method: MethodName
    """Method that is timed."""
    n_variables: Count
    """Requested number of variables (entries of x). A problem takes the nearest smaller number that its shape allows."""
    dtype: Dtype = "float64"
    """Floating-point type."""
    seed: Seed = 0
    force_cpu: bool = False
    """Run on the CPU, whatever the device of the run."""

    @property
    def relative_cost(self) -> float:
        """Grows slowly with the size, because the time for repeats is limited."""
        return 1.0 + (self.n_variables / 512) ** 1.5

    def skip_reason(self) -> str | None:
        """Return why the framework is not available, or None."""
        return METHODS[self.method].unavailable_reason()


@dataclass(frozen=True, kw_only=True)
class TimeHessian(TimeDerivative):
    """Time, peak memory and relative error of one method's Hessian (Laue et al. 2018, Sec. 5)."""

    @classmethod
    def test_instance(cls) -> TimeHessian:
        """Return a row loop with 8 variables."""
        return cls(problem="quad", method="torch-loop", n_variables=8)

    def run(self, context: Context) -> Outcome:
        """Return one row: status, times and quartiles of the method and the closed form, slowdown, peak memory, relative error."""
        return Outcome(rows=[derivative_row(self, context, "hessian")])


@dataclass(frozen=True, kw_only=True)
class TimeGradient(TimeDerivative):
    """Time of one method's gradient (Laue et al. 2018, Sec. 5)."""

    @classmethod
    def test_instance(cls) -> TimeGradient:
        """Return PyTorch with 8 variables."""
        return cls(problem="quad", method="torch", n_variables=8)

    def run(self, context: Context) -> Outcome:
        """Return one row with the columns of ``TimeHessian``."""
        return Outcome(rows=[derivative_row(self, context, "gradient")])


def cpu_column(force_cpu: bool) -> dict[str, str]:
    """Return the column ``device`` of a trial that ran on the CPU of a run on another device, else nothing."""
    return {"device": "cpu"} if force_cpu else {}


def derivative_row(trial: TimeDerivative, context: Context, kind: DerivativeKind) -> dict[str, Any]:
    """Time a trial's derivative and return its row.

    Returns:
        The status; times and quartiles of the method and of the closed form in seconds; ``slowdown``, the ratio of the two; peak memory in
        bytes; and the relative error. A derivative that exceeds the time limit, runs out of memory or does not support the device has a
        status other than "ok" and no times.
    """

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
    """Return a lower bound of the Hessian's time in seconds: four times the time at half the size.

    A Hessian has four times as many entries at twice the size. The bound prevents trials of several hours; a method that passes may still
    be
    slow and is timed.
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
