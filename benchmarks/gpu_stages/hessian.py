"""Hessians: tensor calculus, versus the closed form, JAX, and the ways of torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gpu_stages.stage import Goal, Run, stage
from myths.hessian_cost.methods import METHODS, dense
from myths.hessian_cost.problems import PAPER_PROBLEMS, PROBLEMS
from myths.lab.measurement.timing import compare_timings, synchronize

LARGE = ("closed-form", "tensor-calculus", "jax")
"""Methods without a pass per row, timed at a large size. The others are timed at an eighth of it."""
TORCH = ("torch-loop", "torch-functional", "torch-functional-vectorized", "torch-func", "torch-jacrev")


@stage(
    "hessian",
    seconds=25,
    answers="does tensor calculus reach the closed form, and how far are JAX and torch?",
    goals=[
        Goal("hessian-closed-form", "Hessian of 4,096 variables, float64: seconds, worst problem, over", "≤", 1.1, "closed form"),
        Goal("hessian-jax", "Hessian of 4,096 variables, float64: speed, worst problem, over", "≥", 1, "jax.jit(jax.hessian)"),
    ],
)
def measure_hessians(run: Run) -> None:
    """Time all methods, interleaved, per problem and size; each result is compared with the closed form."""
    large = run.pick(4096, 80)
    over: dict[str, list[float]] = {"closed-form": [], "jax": []}
    for problem in PAPER_PROBLEMS:
        for size, names in ((large, LARGE), (large // 8, (*LARGE, *TORCH))):
            calls = {name: call for name in names if (call := _call(run, name, problem, size)) is not None}
            found = compare_timings(calls, run.device, repeats=run.pick(20, 1), warmup=run.pick(2, 1), budget_seconds=0.3)
            n = PROBLEMS[problem].inputs(size, np.random.default_rng(0))["x"].size
            exact, engine = dense(found.results["closed-form"], n), found.timings["tensor-calculus"].median
            for name, timing in found.timings.items():
                run.row(
                    problem=problem,
                    variables=n,
                    method=name,
                    milliseconds=1e3 * timing.median,
                    over_closed_form=timing.median / found.timings["closed-form"].median,
                    over_tensor_calculus=timing.median / engine,
                    relative_error=float(np.abs(dense(found.results[name], n) - exact).max() / np.abs(exact).max()),
                )
                if size == large and name in over:
                    over[name].append(engine / timing.median)
    run.reach("hessian-closed-form", max(over["closed-form"]))
    if over["jax"]:
        run.reach("hessian-jax", 1 / max(over["jax"]))


def _call(run: Run, name: str, problem: str, size: int) -> Callable[[], Any] | None:
    """Return the call to time, or None if the method cannot run here; a row says why."""
    with run.peer(name):
        method = METHODS[name]
        if reason := method.unavailable_reason():
            raise ModuleNotFoundError(reason)
        assert method.hessian is not None
        call = method.hessian(PROBLEMS[problem], PROBLEMS[problem].inputs(size, np.random.default_rng(0)), "float64", run.device)
        call()
        synchronize(run.device)
        return call
    return None
