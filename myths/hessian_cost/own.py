"""Times the Hessian of a user's own formula by every method that is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from myths.hessian_cost.formula import Formula, Undefined
from myths.hessian_cost.methods import METHODS, Call, Method, NotOnDevice, dense
from myths.hessian_cost.methods.torch_methods import CLOSED_FORM
from myths.hessian_cost.ops import Lacking
from myths.hessian_cost.problems import Inputs
from myths.hessian_cost.timed import LONGEST, NOT_ON_DEVICE, OUT_OF_MEMORY, OVER_BUDGET
from myths.lab.timing import Stopwatch, compare

if TYPE_CHECKING:
    from myths.hessian_cost.trials import TimeFormula

REFERENCE = "ours"
BUDGET = 0.5
UNDEFINED, NOT_FINITE = "undefined at these inputs", "not finite, where the tensor calculus is"
DISAGREE = {"float64": 1e-6, "float32": 1e-2}
"""The relative difference above which a Hessian is another one, by type: nothing is then timed."""


def formula_rows(trial: TimeFormula, rng: np.random.Generator, device: str) -> list[dict[str, Any]]:
    """A row a method, that of the tensor calculus first, with the Hessian that it derived."""
    from myths.hessian_cost import tensor_calculus as tc

    problem = Formula(trial.formula, trial.by, trial.shapes, trial.symmetric, arrays_of(trial.inputs) if trial.inputs else None)
    try:
        inputs = problem.inputs(rng)
    except Undefined as error:
        return [{"method": REFERENCE, "label": METHODS[REFERENCE].label, "status": f"{UNDEFINED}: {error}"}]
    reference = _prepared(METHODS[REFERENCE], problem, inputs, trial, device)
    exact = dense(reference(), inputs["x"].size)
    if not np.isfinite(exact).all():
        return [{"method": REFERENCE, "label": METHODS[REFERENCE].label, "status": f"{UNDEFINED}: the Hessian is not finite"}]
    asked = {REFERENCE, *(trial.methods or METHODS)} - {CLOSED_FORM.name}
    able = [method for method in METHODS.values() if method.name in asked and method.hessian and method.does(None, inputs["x"].size)]
    rows = [
        {"method": method.name, "label": method.label} | _row(method, problem, inputs, trial, device, reference, exact)
        for method in sorted(able, key=lambda method: method.name != REFERENCE)
    ]
    rows[0]["checksum"] = float(f"{float(np.linalg.norm(exact)):.8g}")
    rows[0]["hessian"] = tc.summary(tc.hessian(*problem.expression(as_written=True)), "H")
    return rows


def arrays_of(name: str) -> Inputs:
    """The arrays of numbers that the user added under a name."""
    from myths.lab.data import prepared

    return {name: array for name, array in prepared.load(name).items() if array.dtype.kind in "biuf"}


def _prepared(method: Method, problem: Formula, inputs: Inputs, trial: TimeFormula, device: str) -> Call:
    assert method.hessian is not None
    return method.hessian(problem, inputs, trial.dtype, device)


def _row(
    method: Method, problem: Formula, inputs: Inputs, trial: TimeFormula, device: str, reference: Call, exact: np.ndarray
) -> dict[str, Any]:
    import torch

    if reason := method.missing():
        return {"status": reason}
    if device.startswith("cuda") and not method.cuda:
        return {"status": NOT_ON_DEVICE}
    try:
        with Stopwatch(device) as derive:
            call = _prepared(method, problem, inputs, trial, device)
        with Stopwatch(device) as first:
            given = dense(call(), len(exact))
        if not np.isfinite(given).all():
            return {"status": NOT_FINITE}
        difference = float(f"{_difference(given, exact):.1g}")
        row = {"derive_seconds": derive.seconds, "relative_difference": difference}
        if difference > DISAGREE[trial.dtype]:
            return {"status": f"differs from the tensor calculus by {100 * difference:g} %", **row}
        if first.seconds > LONGEST:  # the first call may have compiled
            with Stopwatch(device) as second:
                call()
            if second.seconds > LONGEST:
                return {"status": OVER_BUDGET, "seconds": second.seconds, "repeats": 1, **row}
        compared = compare({"method": call, "reference": reference}, device, warmup=2, budget_seconds=BUDGET)
    except NotOnDevice:
        return {"status": NOT_ON_DEVICE}
    except Lacking as lacking:
        return {"status": f"not available: {lacking}"}
    except (MemoryError, torch.OutOfMemoryError):
        return {"status": OUT_OF_MEMORY}
    except Exception as error:  # noqa: BLE001  (a framework that cannot do this formula is a row, and the others go on)
        return {"status": f"failed: {type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"}
    timing = compared.timings["method"].row()
    del timing["first_call_seconds"]
    return {"status": "ok", **timing, "ratio": compared.ratio("method", "reference"), **row}


def _difference(given: np.ndarray, exact: np.ndarray) -> float:
    return float(np.linalg.norm(given - exact) / max(float(np.linalg.norm(exact)), 1e-300))
