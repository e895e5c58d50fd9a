"""Time the Hessian of a user's formula with every installed method.

The reference is the tensor calculus. It is timed alone before any framework is imported, and again in alternation with each method.
A framework or another program may disturb any of these times, so the shortest one counts as undisturbed. If the reference took more than
25 % longer beside a method, the row of the method has no ratio and states why.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from myths.hessian_cost.formula import Formula, Undefined
from myths.hessian_cost.methods import METHODS, Call, Dtype, Method, MethodName, NotOnDevice, dense
from myths.hessian_cost.methods.torch_methods import CLOSED_FORM
from myths.hessian_cost.ops import UnsupportedOperation
from myths.hessian_cost.problems import Inputs
from myths.hessian_cost.trials.calls import duration_of, warm_up
from myths.hessian_cost.trials.conditions import refusal
from myths.hessian_cost.trials.derivatives import GIB, MAX_SECONDS, NOT_ON_DEVICE, OUT_OF_MEMORY, OVER_BUDGET, compare_calls
from myths.lab.data import prepared
from myths.lab.errors import MythsError, UsageError
from myths.lab.measurement.timing import Stopwatch, wall_clock
from myths.lab.setting import ANY_LINE, NAME, NAME_OR_NONE, NOT_EMPTY, Seed
from myths.lab.trial import Context, Outcome, Trial

log = logging.getLogger(__name__)

REFERENCE = "tensor-calculus"
UNDEFINED, NOT_FINITE = "undefined at these inputs", "not finite, unlike the tensor calculus"
DISAGREE = {"float64": 1e-6, "float32": 1e-2}
"""Largest accepted relative difference from the tensor calculus, by dtype. A method that differs more is not timed."""


@dataclass(frozen=True, kw_only=True)
class TimeFormula(Trial):
    """Time the Hessian of your own formula with every installed method, or with ``methods``, relative to the tensor calculus.

    Example: ``formula="sum(log(1 + exp(-(y * (X @ w)))))" by=w shapes="w:512 X:1024,512 y:1024"``. docs/formulas.md lists the supported
    functions. The inputs are random (standard normal, or positive below a logarithm or root). To use your own arrays, run
    ``myths data add mine inputs.npz`` and pass ``inputs=mine``. ``symmetric=A,K`` declares symmetric matrices.
    """

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({
        "seconds", "q25_seconds", "q75_seconds", "repeats", "reference_seconds", "clean_reference_seconds", "slowdown", "refused",
        "derivation_seconds",
    })  # fmt: skip
    exclusive: ClassVar[bool] = True
    whole_machine: ClassVar[bool] = True
    memory_limit_bytes: ClassVar[int | None] = 12 * GIB

    formula: Annotated[str, NOT_EMPTY]
    """Function to differentiate, in Python syntax with NumPy's names."""
    by: Annotated[str, NOT_EMPTY]
    """Variable of the Hessian."""
    shapes: Annotated[str, ANY_LINE] = ""
    """Shapes of all variables: w:512 for a vector, X:1024,512 for a matrix, a for a number. Not needed with inputs."""
    methods: tuple[MethodName, ...] = ()
    """Methods to time. Default: all installed methods."""
    dtype: Dtype = "float64"
    """Floating-point type."""
    seed: Seed = 0
    symmetric: tuple[Annotated[str, NAME], ...] = ()
    """Matrices that equal their transposes."""
    inputs: Annotated[str, NAME_OR_NONE] = ""
    """Name of arrays added with `myths data add`. Default: random arrays."""

    def __post_init__(self) -> None:
        """Validate the formula and the shapes before anything runs."""
        super().__post_init__()
        Formula.check_text(self.formula)
        object.__setattr__(self, "inputs", self.inputs.replace("-", "_"))
        if not re.fullmatch("[a-z0-9_]*", self.inputs):
            raise UsageError(f"inputs={self.inputs}: expected the name of arrays that were added: myths data add NAME FILE.npz")
        if not self.inputs:
            Formula(self.formula, self.by, self.shapes, self.symmetric)

    @property
    def data(self) -> tuple[str, ...]:
        """The user's arrays, if any."""
        return (self.inputs,) if self.inputs else ()

    def skip_reason(self) -> str | None:
        """Return why the user's arrays do not fit the formula, or None."""
        if not self.inputs or prepared.find(self.inputs) is None:
            return None
        try:
            Formula(self.formula, self.by, self.shapes, self.symmetric, arrays_of(self.inputs))
        except MythsError as error:
            return str(error)
        return None

    @classmethod
    def test_instance(cls) -> TimeFormula:
        """Return a quadratic form of 3 variables."""
        return cls(formula="sum(x * (A @ x))", by="x", shapes="x:3 A:3,3", methods=("tensor-calculus", "torch-loop"))

    def run(self, context: Context) -> Outcome:
        """Return one row per method.

        Every row has a ``status``. The row of a method that was timed also has:

        - ``seconds``, ``q25_seconds``, ``q75_seconds``: median and quartiles of the time of one Hessian;
        - ``reference_seconds``: median time of the tensor calculus in alternation with the method;
        - ``clean_reference_seconds``: shortest median time of the tensor calculus, alone or beside any method;
        - ``slowdown``: ``seconds`` divided by ``reference_seconds``, or else ``refused``: the reason why there is no ratio;
        - ``relative_difference``: relative difference of the Hessian from that of the tensor calculus.

        Raises:
            UsageError: The formula cannot be parsed, or shapes do not match.
        """
        return Outcome(rows=formula_rows(self, context.rng("inputs"), context.device))


def formula_rows(trial: TimeFormula, rng: np.random.Generator, device: str) -> list[dict[str, Any]]:
    """Return one row per method. The first row is the tensor calculus and shows the derived Hessian."""
    from myths.hessian_cost import tensor_calculus as tc

    problem = Formula(trial.formula, trial.by, trial.shapes, trial.symmetric, arrays_of(trial.inputs) if trial.inputs else None)
    try:
        inputs = problem.inputs(rng)
    except Undefined as error:
        return [{"method": REFERENCE, "label": METHODS[REFERENCE].label, "status": f"{UNDEFINED}: {error}"}]
    case = _Case(problem, inputs, trial.dtype, device)
    log.info("%s alone", METHODS[REFERENCE].label)
    reference = case.prepared(METHODS[REFERENCE])
    exact = dense(reference(), inputs["x"].size)
    if not np.isfinite(exact).all():
        return [{"method": REFERENCE, "label": METHODS[REFERENCE].label, "status": f"{UNDEFINED}: the Hessian is not finite"}]
    asked = {REFERENCE, *(trial.methods or METHODS)} - {CLOSED_FORM.name}
    able = [method for method in METHODS.values() if method.name in asked and method.hessian and method.supports(None, inputs["x"].size)]
    alone = _seconds_alone(reference, device)
    rows = []
    for number, method in enumerate(sorted(able, key=lambda method: method.name != REFERENCE), 1):
        log.info("%s: %d of %d", method.label, number, len(able))
        rows.append({"method": method.name, "label": method.label} | _row(method, case, reference, alone, exact))
    _compare_with_reference(rows, alone)
    rows[0]["checksum"] = float(f"{float(np.linalg.norm(exact)):.8g}")
    rows[0]["hessian"] = tc.summary(tc.hessian(*problem.expression(as_written=True)), "H")
    return rows


def arrays_of(name: str) -> Inputs:
    """Return the numeric arrays that the user added under a name."""
    return {name: array for name, array in prepared.load(name).items() if array.dtype.kind in "biuf"}


@dataclass(frozen=True)
class _Case:
    """A formula with its inputs, dtype and device."""

    problem: Formula
    inputs: Inputs
    dtype: Dtype
    device: str

    def prepared(self, method: Method) -> Call:
        assert method.hessian is not None
        return method.hessian(self.problem, self.inputs, self.dtype, self.device)


def _seconds_alone(reference: Call, device: str) -> float:
    """Return the median seconds of a call that is timed alone."""
    warm_up(reference, device)
    durations = {"reference": duration_of(reference, device, wall_clock)}
    return compare_calls({"reference": reference}, durations, device, wall_clock)["reference"].median


def _compare_with_reference(rows: list[dict[str, Any]], alone: float) -> None:
    """Add to each timed row the shortest time of the reference, and the slowdown or the reason why it is refused."""
    timed = [row for row in rows if "reference_seconds" in row]
    clean = min([alone, *(row["reference_seconds"] for row in timed)])
    for row in timed:
        why = refusal(row["reference_seconds"], clean, METHODS[REFERENCE].label, "its shortest time")
        row |= {"clean_reference_seconds": clean}
        row |= {"slowdown": row["seconds"] / row["reference_seconds"]} if why is None else {"refused": why}


def _row(method: Method, case: _Case, reference: Call, alone: float, exact: np.ndarray) -> dict[str, Any]:
    import torch

    if reason := method.unavailable_reason():
        return {"status": reason}
    device = case.device
    if device.startswith("cuda") and not method.cuda:
        return {"status": NOT_ON_DEVICE}
    try:
        with Stopwatch(device) as derive:
            call = case.prepared(method)
        with Stopwatch(device) as first:
            given = dense(call(), len(exact))
        if not np.isfinite(given).all():
            return {"status": NOT_FINITE}
        difference = float(f"{_difference(given, exact):.1g}")
        row = {"derivation_seconds": derive.seconds, "relative_difference": difference}
        if difference > DISAGREE[case.dtype]:
            return {"status": f"differs from the tensor calculus by {100 * difference:g} %", **row}
        if first.seconds > MAX_SECONDS:  # the first call may have compiled
            with Stopwatch(device) as second:
                call()
            if second.seconds > MAX_SECONDS:
                return {"status": OVER_BUDGET, "seconds": second.seconds, "repeats": 1, **row}
        durations = {"method": duration_of(call, device, wall_clock), "reference": alone}
        timings = compare_calls({"method": call, "reference": reference}, durations, device, wall_clock)
    except NotOnDevice:
        return {"status": NOT_ON_DEVICE}
    except UnsupportedOperation as lacking:
        return {"status": f"not available: {lacking}"}
    except (MemoryError, torch.OutOfMemoryError):
        return {"status": OUT_OF_MEMORY}
    except Exception as error:  # noqa: BLE001  (a framework that fails on this formula gets a row; the others continue)
        return {"status": f"failed: {type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"}
    timing = timings["method"].row()
    del timing["first_call_seconds"]
    return {"status": "ok", **timing, "reference_seconds": timings["reference"].median, **row}


def _difference(given: np.ndarray, exact: np.ndarray) -> float:
    return float(np.linalg.norm(given - exact) / max(float(np.linalg.norm(exact)), 1e-300))
