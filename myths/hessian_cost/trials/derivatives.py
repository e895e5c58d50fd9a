"""Time the derivative of one method and the closed form in alternation, in one process.

The closed form is timed twice: alone, before the framework of the method is imported, and in alternation with the method. Idle threads and
memory of another framework may slow it down; tables refuse a ratio if the two times differ by more than 25 %. One thread is timed in
processor time, which other programs on the machine do not delay.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from myths.hessian_cost.methods import METHODS, Call, Dtype, Method, MethodName, NotOnDevice, dense, relative_error
from myths.hessian_cost.methods.torch_methods import ROW_LOOP, sampled_row_loop
from myths.hessian_cost.problems import PROBLEMS, Inputs, ProblemName
from myths.hessian_cost.trials.calls import BLOCK_SECONDS, block, calls_per_block, duration_of, warm_up
from myths.hessian_cost.trials.conditions import clock_of, limited_threads
from myths.lab.measurement.memory import peak_bytes
from myths.lab.measurement.timing import Clock, Stopwatch, Timing, compare_timings
from myths.lab.setting import Count, Meaning, Range, Seed
from myths.lab.trial import Context, Outcome, Trial

DerivativeKind = Literal["hessian", "gradient"]
Threads = Annotated[
    int,
    Range(at_least=1, at_most=1024, also=(0, "as many as the run uses")),
    Meaning("Number of CPU threads. One thread is timed in processor time."),
]
OVER_BUDGET, OUT_OF_MEMORY, NOT_ON_DEVICE = "over budget", "out of memory", "not on this device"
MAX_SECONDS = 5.0
"""Time limit of one derivative in seconds. A slower row loop is timed on sampled rows. Any other slower derivative is not repeated; its row
has the status "over budget"."""
MAX_FIRST_CALL_SECONDS = 15.0
"""Time limit of the first call in seconds, which may include compilation."""
BUDGET_SECONDS = 0.5
"""Time for repeats of each method in seconds."""
SAMPLED_ROWS = 32
"""Number of rows of a Hessian that are timed to estimate the time of the row loop."""
GIB = 2**30
_TIMES = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "closed_form_", "clean_closed_form_")
    for name in ("seconds", "q25_seconds", "q75_seconds", "repeats", "first_call_seconds", "peak_bytes")
)


@dataclass(frozen=True, kw_only=True)
class TimeDerivative(Trial):
    """Base class: time one method and the closed form in alternation, in a memory-limited process."""

    nondeterministic_columns: ClassVar[frozenset[str]] = _TIMES | {
        "slowdown", "derivation_seconds", "predicted_seconds", "sampled_seconds", "rows_timed"
    }  # fmt: skip
    exclusive: ClassVar[bool] = True
    whole_machine: ClassVar[bool] = True
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
    threads: Threads = 0

    @property
    def relative_cost(self) -> float:
        """Grows slowly with the size, because the time for repeats is limited."""
        return METHODS[self.method].startup_cost + min((self.n_variables / 512) ** 1.5, 8.0)

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
        The status; times and quartiles of the method and of the closed form in seconds; ``slowdown``, the ratio of the two; the time of the
        closed form alone (``clean_…``); peak memory in bytes; and the relative error. A derivative that exceeds the time limit, runs out of
        memory or does not support the device has a status other than "ok" and no times. The row loop also has ``rows_timed`` and
        ``sampled_seconds``, its time as estimated from sampled rows.
    """
    return timed_row(trial, context, kind, lambda inputs, exact, device: _time(trial, kind, inputs, exact, device, context))


def timed_row(
    trial: TimeDerivative, context: Context, kind: DerivativeKind, measure: Callable[[Inputs, Any, str], dict[str, Any]]
) -> dict[str, Any]:
    """Return the row of a trial, whose times ``measure`` returns.

    Args:
        trial: The trial.
        context: Its context.
        kind: The derivative.
        measure: Returns the times from the inputs, the exact derivative and the device. It is called with the threads of the trial.

    Returns:
        Number of variables, checksum of the exact derivative, and the columns of ``measure``; or a status that says why there is no time.
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
        with limited_threads(trial.threads):
            return about | measure(inputs, exact, device)
    except NotOnDevice:
        return about | {"status": NOT_ON_DEVICE}
    except (MemoryError, torch.OutOfMemoryError):
        return about | {"status": OUT_OF_MEMORY}


def _time(trial: TimeDerivative, kind: DerivativeKind, inputs: Inputs, exact: Any, device: str, context: Context) -> dict[str, Any]:
    problem, method = PROBLEMS[trial.problem], METHODS[trial.method]
    clock = clock_of(trial.threads, device)
    floor = getattr(METHODS["closed-form"], kind)(problem, inputs, trial.dtype, device)
    warm_up(floor, device)
    clean = compare_calls({"closed": floor}, {"closed": duration_of(floor, device, clock)}, device, clock)["closed"]
    row: dict[str, Any] = {**clean.row("clean_closed_form_"), "clock": "processor" if clock is time.process_time else "wall"}
    sample = _Sample(trial, inputs, device, clock, context.rng("rows")) if method is ROW_LOOP and kind == "hessian" else None
    if sample is not None and sample.seconds(sample.durations) > MAX_SECONDS:
        timings = compare_calls({**sample.calls, "closed": floor}, {**sample.durations, "closed": clean.median}, device, clock)
        return row | sample.row(timings, exact)
    if (predicted := _seconds_lower_bound(trial, method, kind, device, context)) > MAX_SECONDS:
        return row | {"status": OVER_BUDGET, "predicted_seconds": predicted}
    with Stopwatch(device) as derive:
        call = getattr(method, kind)(problem, inputs, trial.dtype, device)
    with Stopwatch(device) as first:
        given = call()
    size = inputs["x"].size
    got = dense(given, (size, size)) if kind == "hessian" else _vector(given)
    row |= {
        "derivation_seconds": derive.seconds,
        "first_call_seconds": first.seconds,
        "relative_error": relative_error(got, np.asarray(exact, dtype=np.float64)),
    }
    del given, got
    duration = duration_of(call, device, clock)
    if duration > MAX_SECONDS and not method.bounded_by_closed_form:
        return row | {"status": OVER_BUDGET, "predicted_seconds": duration}
    row["peak_bytes"] = peak_bytes(call, device)
    sampled = {} if sample is None else sample.calls
    durations = {"method": duration, "closed": clean.median} | ({} if sample is None else sample.durations)
    timings = compare_calls({"method": call, "closed": floor, **sampled}, durations, device, clock)
    if sample is not None:
        row |= {"sampled_seconds": sample.timing(timings).median, "rows_timed": size}
    return {
        **timings["method"].row(),
        **timings["closed"].row("closed_form_"),
        **row,
        "closed_form_peak_bytes": peak_bytes(floor, device),
        "slowdown": timings["method"].median / timings["closed"].median,
        "status": "ok",
    }


class _Sample:
    """The row loop in two parts, of which the second is timed on sampled rows: the gradient with its graph, and the rows."""

    def __init__(self, trial: TimeDerivative, inputs: Inputs, device: str, clock: Clock, rng: np.random.Generator):
        self.variables = inputs["x"].size
        self.rows = np.sort(rng.choice(self.variables, min(SAMPLED_ROWS, self.variables), replace=False)).tolist()
        gradient, rows = sampled_row_loop(PROBLEMS[trial.problem], inputs, trial.dtype, device, self.rows)
        self.calls: dict[str, Call] = {"gradient": gradient, "rows": rows}
        for call in self.calls.values():
            call()
        self.durations = {name: duration_of(call, device, clock) for name, call in self.calls.items()}

    def seconds(self, parts: Mapping[str, float]) -> float:
        """Return the time of the whole loop from the times of its parts."""
        return parts["gradient"] + parts["rows"] * self.variables / len(self.rows)

    def row(self, timings: Mapping[str, Timing], exact: Any) -> dict[str, Any]:
        """Return the columns of a loop that is too slow to be timed whole.

        Args:
            timings: Timings of the parts, and of the closed form as "closed".
            exact: The Hessian.
        """
        whole, closed = self.timing(timings), timings["closed"]
        return {
            **whole.row(),
            **closed.row("closed_form_"),
            "sampled_seconds": whole.median,
            "rows_timed": len(self.rows),
            "relative_error": relative_error(dense(self.calls["rows"](), (len(self.rows), self.variables)), _rows_of(exact, self.rows)),
            "slowdown": whole.median / closed.median,
            "status": "ok",
        }

    def timing(self, parts: Mapping[str, Timing]) -> Timing:
        """Return the timing of the whole loop from the timings of its parts."""

        def whole(of: Callable[[Timing], float]) -> float:
            return self.seconds({name: of(timing) for name, timing in parts.items()})

        return Timing(
            whole(lambda t: t.median), whole(lambda t: t.low_quartile), whole(lambda t: t.high_quartile),
            parts["rows"].repeats, whole(lambda t: t.first_call),
        )  # fmt: skip


def compare_calls(calls: Mapping[str, Call], durations: Mapping[str, float], device: str, clock: Clock) -> dict[str, Timing]:
    """Time calls in turn, after each was called before. On a CPU, a short call is repeated in a block, whose mean counts.

    Args:
        calls: Functions by name.
        durations: About how many seconds each takes.
        device: Device to synchronize.
        clock: Returns seconds.
    """
    sizes = {name: calls_per_block(durations[name], BLOCK_SECONDS, device) for name in calls}
    blocks = {name: block(call, sizes[name]) for name, call in calls.items()}
    warmup = 1 if max(durations.values()) > 1 else 3
    compared = compare_timings(blocks, device, warmup=warmup, budget_seconds=BUDGET_SECONDS, clock=clock)
    return {
        name: Timing(t.median / n, t.low_quartile / n, t.high_quartile / n, t.repeats, t.first_call / n)
        for (name, t), n in zip(compared.timings.items(), sizes.values(), strict=True)
    }


def _rows_of(exact: Any, rows: list[int]) -> np.ndarray:
    whole = np.asarray(exact, dtype=np.float64)
    return whole.reshape(math.isqrt(whole.size), -1)[rows]


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
    if kind == "gradient" or method is ROW_LOOP or method.bounded_by_closed_form or method.compiles or trial.n_variables < 512:
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
