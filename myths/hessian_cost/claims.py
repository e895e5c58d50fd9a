"""Claims of myth 1, with their measures and criteria.

The speed-ups are the abstract's; sizes, hardware and frameworks are today's, so every timing is "reduced". Every claim is made once for
CPUs and once for GPUs; the GPU's criteria are the stricter ones of the abstract's larger number. The claims on the CPU are primary: a run
on a GPU measures them on its own CPU as well. H4 (Einstein notation is at least as fast as Ricci notation) is left out, because the
engine of 2018 is not available. Criteria without a source are proposals of this suite.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from myths.hessian_cost.measures import (
    median_slowdown,
    overhead_percent,
    ratio_over_draws,
    second_smallest_slowdown,
    slope_difference,
    slowest_over_fastest,
    speedup,
)
from myths.hessian_cost.trials import TimeGradient, TimeHessian, TimeNewtonStep
from myths.lab.claim import PROPOSED, Claim, cited
from myths.lab.criterion import at_least, at_most
from myths.lab.measures import largest

Device = Literal["cpu", "gpu"]
DEVICES: tuple[tuple[Device, str], ...] = (("cpu", "On a CPU"), ("gpu", "On a GPU"))
ABSTRACT = "Laue et al. 2018, abstract: up to two orders of magnitude on CPUs, about three on GPUs (proceedings page: one to four)"
COMPRESSION = "Laue et al. 2020, compression: orders of magnitude, (nk)³ becomes k³ in the solve"
PROBLEMS = {"quad": "a quadratic form", "logreg": "logistic regression", "matfac": "matrix factorization"}
FRAMEWORKS = ("tensor-calculus", "torch", "tensorflow", "autograd", "pytensor", "jax")
"""The paper's frameworks, their successors, and JAX."""
TODAY = {
    "torch": ("torch-func", "torch.func.hessian"),
    "compile": ("torch-compile", "torch.compile of torch.func.hessian"),
    "jax": ("jax", "JAX's jit(hessian)"),
    "tensorflow": ("tensorflow", "TensorFlow's GradientTape.jacobian"),
}


def _on(device: Device, **more: Any) -> dict[str, Any]:
    """Return the filter for float64 rows of one kind of device."""
    return {"device_kind": device, "dtype": "float64", **more}


_hessians = partial(Claim, table="hessians", trial=TimeHessian)
_newton = partial(Claim, table="newton", trial=TimeNewtonStep, **cited("from memory", COMPRESSION))

OF_BOTH_DEVICES: tuple[Claim, ...] = (
    *(
        _hessians(
            id=f"H1-{device}-{problem}",
            statement=f"{on}, tensor calculus computes the Hessian of {name} at least {limit} times as fast as a loop over gradient rows.",
            **cited("read", ABSTRACT, speed),
            unit="x",
            where=_on(device, problem=problem),
            needs=({"method": ("torch-loop", "tensor-calculus")},),
            measure=partial(speedup, "torch-loop", "tensor-calculus"),
            criterion=at_least(limit),
            primary=device == "cpu",
            controls=(f"H3-{device}-float64",),
        )
        for (device, on), speed, limit in zip(DEVICES, (100, 1000), (30, 300), strict=True)
        for problem, name in PROBLEMS.items()
    ),
    *(
        _hessians(
            id=f"H1-{device}-quad-slope",
            statement=f"{on}, the time of a row loop for a quadratic form grows with a higher power of n than that of the tensor calculus.",
            **PROPOSED,
            unit="difference of exponents",
            where=_on(device, problem="quad"),
            needs=({"method": ("torch-loop", "tensor-calculus")},),
            measure=slope_difference,
            criterion=at_least(0.7),
            controls=(f"H3-{device}-float64",),
        )
        for device, on in DEVICES
    ),
    *(
        Claim(
            id=f"H2-{device}-{problem}",
            statement=f"{on}, the slowest framework takes at most 5 times as long as the fastest for the gradient of {name}.",
            **cited("from memory", "Laue et al. 2018, figure of gradients: within a small constant factor"),
            unit="x",
            table="gradients",
            where=_on(device, problem=problem, method=FRAMEWORKS),
            trial=TimeGradient,
            measure=slowest_over_fastest,
            criterion=at_most(5),
        )
        for device, on in DEVICES
        for problem, name in PROBLEMS.items()
    ),
    *(
        _hessians(
            id=f"H3-{device}-{dtype}",
            kind="control",
            statement=f"{on}, every method computes the same Hessian in {dtype}.",
            **PROPOSED,
            unit="relative error",
            where={"device_kind": device, "dtype": dtype},
            measure=partial(largest, "relative_error"),
            criterion=at_most(most),
        )
        for device, on in DEVICES
        for dtype, most in (("float64", 1e-10), ("float32", 1e-4))
    ),
    *(
        _hessians(
            id=f"H1-{device}-engine",
            kind="control",
            statement=f"{on}, the tensor calculus takes at most 1.2 times as long as a hand-derived closed form (median over problems).",
            **PROPOSED,
            unit="x",
            where=_on(device, method="tensor-calculus"),
            needs=({"n_variables": lambda n: n >= 512},),
            measure=median_slowdown,
            criterion=at_most(1.2),
        )
        for device, on in DEVICES
    ),
    *(
        _hessians(
            id=f"H5-{device}-logreg",
            statement=f"{on}, reverse order takes at least 10 % longer than cross-country order for the Hessian of logistic regression.",
            **cited("from memory, unverified", "Laue et al. 2020, experiments", 30),
            unit="%",
            where=_on(device, problem="logreg"),
            needs=({"method": ("reverse-order", "cross-country-order")},),
            measure=overhead_percent,
            criterion=at_least(10),
            controls=(f"H3-{device}-float64",),
        )
        for device, on in DEVICES
    ),
    *(
        _newton(
            id=f"H6-{device}-{what}",
            statement=f"{on}, a Newton step of matrix factorization {does} with the compressed Hessian than with the dense one.",
            unit="x",
            where={"device_kind": device},
            measure=partial(ratio_over_draws, f"{what}_ratio"),
            criterion=at_least(100),
            controls=(f"H6-{device}-step",),
        )
        for device, on in DEVICES
        for what, does in (("time", "is at least 100 times faster"), ("memory", "needs at least 100 times less memory"))
    ),
    *(
        _newton(
            id=f"H6-{device}-step",
            kind="control",
            statement=f"{on}, the compressed and the dense Newton step agree.",
            unit="relative difference",
            where={"device_kind": device},
            measure=partial(largest, "relative_difference"),
            criterion=at_most(1e-8),
        )
        for device, on in DEVICES
    ),
    *(
        _hessians(
            id=f"H7-{device}-{word}",
            kind="follow-up",
            direction="weakens",
            statement=f"{on}, {name} takes at most 10 times as long as the closed form on at least two of the three problems.",
            **PROPOSED,
            unit="x",
            where=_on(device, method=tuple(name for name, _ in TODAY.values())),
            measure=partial(second_smallest_slowdown, method),
            criterion=at_most(10),
            controls=(f"H3-{device}-float64",),
        )
        for device, on in DEVICES
        for word, (method, name) in TODAY.items()
    ),
)

CLAIMS: tuple[Claim, ...] = tuple(sorted(OF_BOTH_DEVICES, key=lambda claim: claim.where["device_kind"]))
