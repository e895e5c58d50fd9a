"""Claims of myth 1, with their measures and criteria.

The speed-ups are the abstract's; sizes, hardware and frameworks are today's, so every timing is "reduced". Every claim is made at one size,
once for CPUs (one thread) and once for GPUs; the GPU's criteria are the stricter ones of the abstract's larger number. The paper says "up
to": the best of its three problems is primary, on the CPU, which a run on a GPU measures as well. A repetition starts a new process with
new inputs. H4 (Einstein notation is at least as fast as Ricci notation) is left out, because the engine of 2018 is not available. Criteria
without a source are proposals of this suite.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from myths.hessian_cost.measures import (
    best_method_slowdown,
    median_slowdown,
    overhead_percent,
    ratio_over_processes,
    sampling_error_percent,
    slope_difference,
    slowdown_over_problems,
    slowest_over_fastest,
    speedup,
    speedup_over_problems,
    spread_of_column,
    spread_of_frameworks,
    spread_of_speedup,
)
from myths.hessian_cost.problems import PAPER_PROBLEMS
from myths.hessian_cost.trials import TimeGradient, TimeHessian, TimeNewtonStep
from myths.lab.claim import PROPOSED, Claim, cited
from myths.lab.criterion import above, at_least, at_most, between
from myths.lab.measures import largest

Device = Literal["cpu", "gpu"]
DEVICES: tuple[tuple[Device, str], ...] = (("cpu", "On a CPU, in one thread"), ("gpu", "On a GPU"))
SIZE: dict[Device, int] = {"cpu": 1024, "gpu": 4096}
"""Number of variables of the paper's comparison."""
TODAY_SIZE: dict[Device, int] = {"cpu": 512, "gpu": 2048}
"""Number of variables of the comparison with PyTorch's own functions, some of which are slower than the row loop."""
GRADIENT_SIZE: dict[Device, int] = {"cpu": 2048, "gpu": 4096}
NEWTON_ROWS: dict[Device, int] = {"cpu": 500, "gpu": 1000}
PAPER_SPEED: dict[Device, int] = {"cpu": 100, "gpu": 1000}
"""The abstract's "up to two orders of magnitude" and "about three"."""
ABSTRACT = "Laue et al. 2018, abstract: up to two orders of magnitude on CPUs, about three on GPUs (proceedings page: one to four)"
COMPRESSION = "Laue et al. 2020, compression: orders of magnitude, (nk)³ becomes k³ in the solve"
PROBLEMS = {"quad": "a quadratic form", "logreg": "logistic regression", "matfac": "matrix factorization"}
LOOP, CALCULUS = "torch-loop", "tensor-calculus"
FRAMEWORKS = ("tensor-calculus", "torch", "tensorflow", "autograd", "jax")
"""The paper's frameworks or their successors, and JAX. PyTensor and CasADi have no BLAS when pip installs them: they are timed, but not
judged."""
TORCH = ("torch-loop", "torch-functional", "torch-functional-vectorized", "torch-func", "torch-jacrev", "torch-compile")
"""PyTorch's own ways to a Hessian."""


def _on(device: Device, **more: Any) -> dict[str, Any]:
    """Return the filter for float64 rows of one kind of device; on a CPU, of one thread."""
    return {"device_kind": device, "dtype": "float64", **({"threads": 1} if device == "cpu" else {}), **more}


_hessians = partial(Claim, table="hessians", trial=TimeHessian, repetition_unit="processes")
_gradients = partial(Claim, table="gradients", trial=TimeGradient, repetition_unit="processes")
_newton = partial(Claim, table="newton", trial=TimeNewtonStep, repetition_unit="processes")
_exact = {"kind": "control", "repetition_unit": "exact", **PROPOSED}
_spread = {**_exact, "unit": "% between processes", "criterion": at_most(25)}

PAPER: tuple[Claim, ...] = (
    *(
        _hessians(
            id=f"H1-{device}-best",
            statement=(
                f"{on}, tensor calculus computes the Hessian of at least one of the paper's three problems at least "
                f"{PAPER_SPEED[device]} times as fast as a loop over gradient rows."
            ),
            **cited("read", ABSTRACT, PAPER_SPEED[device]),
            unit="x",
            where=_on(device, problem=PAPER_PROBLEMS, n_variables=SIZE[device]),
            needs=({"method": (LOOP, CALCULUS)},),
            measure=partial(speedup_over_problems, LOOP, CALCULUS, max),
            criterion=at_least(PAPER_SPEED[device]),
            blind=False,
            primary=device == "cpu",
        )
        for device, on in DEVICES
    ),
    *(
        _hessians(
            id=f"H1-{device}-{problem}",
            statement=f"{on}, tensor calculus computes the Hessian of {name} at least {limit} times as fast as a loop over gradient rows.",
            **cited("read", ABSTRACT, PAPER_SPEED[device]),
            unit="x",
            where=_on(device, problem=problem, n_variables=SIZE[device]),
            needs=({"method": (LOOP, CALCULUS)},),
            measure=partial(speedup, LOOP, CALCULUS),
            criterion=at_least(limit),
        )
        for (device, on), limit in zip(DEVICES, (30, 300), strict=True)
        for problem, name in PROBLEMS.items()
    ),
    *(
        _hessians(
            id=f"H1-{device}-quad-slope",
            statement=f"{on}, the time of a row loop for a quadratic form grows with a higher power of n than that of the tensor calculus.",
            **PROPOSED,
            unit="difference of exponents",
            where=_on(device, problem="quad", n_variables=(1024, 2048, 4096)),
            needs=({"method": (LOOP, CALCULUS)},),
            measure=slope_difference,
            criterion=at_least(0.7),
            controls=(f"H1-{device}-quad-sampled",),
        )
        for device, on in DEVICES
    ),
    *(
        _gradients(
            id=f"H2-{device}-{problem}",
            statement=(
                f"{on}, the slowest framework with a BLAS takes at most 5 times as long as the fastest for the gradient of {name}, each "
                "relative to the closed form."
            ),
            **cited("from memory", "Laue et al. 2018, figure of gradients: within a small constant factor"),
            unit="x",
            where=_on(device, problem=problem, n_variables=GRADIENT_SIZE[device], method=FRAMEWORKS),
            measure=slowest_over_fastest,
            criterion=at_most(5),
            blind=False,
        )
        for device, on in DEVICES
        for problem, name in PROBLEMS.items()
    ),
    *(
        _hessians(
            id=f"H5-{device}-logreg",
            statement=f"{on}, reverse order takes at least 10 % longer than cross-country order for the Hessian of logistic regression.",
            **cited("from memory, unverified", "Laue et al. 2020, experiments", 30),
            unit="%",
            where=_on(device, problem="logreg", n_variables=1024),
            needs=({"method": ("reverse-order", "cross-country-order")},),
            measure=overhead_percent,
            criterion=at_least(10),
        )
        for device, on in DEVICES
    ),
    *(
        _newton(
            id=f"H6-{device}-{what}",
            statement=f"{on}, a Newton step of matrix factorization {does} with the compressed Hessian than with the dense one.",
            **cited("from memory", COMPRESSION),
            unit="x",
            where={name: value for name, value in _on(device, rows=NEWTON_ROWS[device]).items() if name != "dtype"},
            measure=partial(ratio_over_processes, f"{what}_ratio"),
            criterion=at_least(100),
            without_controls={} if what == "time" else {f"H0-{device}-newton": "the control is about times, the claim about memory"},
        )
        for device, on in DEVICES
        for what, does in (("time", "is at least 100 times faster"), ("memory", "needs at least 100 times less memory"))
    ),
)

CONTROLS: tuple[Claim, ...] = (
    *(
        Claim(
            id=f"H0-{device}-{problem}",
            statement=f"{on}, the speed-up of the tensor calculus on {name} differs by at most 25 % between processes.",
            table="hessians",
            trial=TimeHessian,
            where=_on(device, problem=problem, n_variables=SIZE[device]),
            needs=({"method": (LOOP, CALCULUS)},),
            measure=partial(spread_of_speedup, LOOP, CALCULUS),
            guards=(TimeHessian,),
            guarded={"device_kind": device, "problem": problem},
            **_spread,
        )
        for device, on in DEVICES
        for problem, name in PROBLEMS.items()
    ),
    *(
        Claim(
            id=f"H0-{device}-gradient-{problem}",
            statement=f"{on}, the slowest over the fastest framework for the gradient of {name} differs by at most 25 % between processes.",
            table="gradients",
            trial=TimeGradient,
            where=_on(device, problem=problem, n_variables=GRADIENT_SIZE[device], method=FRAMEWORKS),
            measure=spread_of_frameworks,
            guards=(TimeGradient,),
            guarded={"device_kind": device, "problem": problem},
            **_spread,
        )
        for device, on in DEVICES
        for problem, name in PROBLEMS.items()
    ),
    *(
        Claim(
            id=f"H0-{device}-newton",
            statement=f"{on}, the time of the dense over that of the compressed Newton step differs by at most 25 % between processes.",
            table="newton",
            trial=TimeNewtonStep,
            where={name: value for name, value in _on(device, rows=NEWTON_ROWS[device]).items() if name != "dtype"},
            measure=partial(spread_of_column, "time_ratio"),
            guards=(TimeNewtonStep,),
            guarded={"device_kind": device},
            **_spread,
        )
        for device, on in DEVICES
    ),
    *(
        _hessians(
            id=f"H1-{device}-{problem}-sampled",
            kind="control",
            statement=f"{on}, the time of the row loop for {name} from sampled rows is within 5 % of that from all rows.",
            **PROPOSED,
            unit="%",
            where=_on(device, problem=problem, n_variables=512),
            needs=({"method": LOOP},),
            measure=sampling_error_percent,
            criterion=between(-5, 5),
        )
        for device, on in DEVICES
        for problem, name in PROBLEMS.items()
    ),
    *(
        Claim(
            id=f"H3-{device}-{dtype}",
            statement=f"On a {device.upper()}, every method computes the same Hessian in {dtype}.",
            unit="relative error",
            table="hessians",
            trial=TimeHessian,
            where={"device_kind": device, "dtype": dtype},
            measure=partial(largest, "relative_error"),
            criterion=at_most(most),
            guards=(TimeHessian,),
            guarded={"device_kind": device, "dtype": dtype},
            **_exact,
        )
        for device, _ in DEVICES
        for dtype, most in (("float64", 1e-10), ("float32", 1e-4))
    ),
    *(
        Claim(
            id=f"H3-{device}-gradient",
            statement=f"On a {device.upper()}, every framework computes the same gradient.",
            unit="relative error",
            table="gradients",
            trial=TimeGradient,
            where={"device_kind": device, "dtype": "float64"},
            measure=partial(largest, "relative_error"),
            criterion=at_most(1e-10),
            guards=(TimeGradient,),
            guarded={"device_kind": device},
            **_exact,
        )
        for device, _ in DEVICES
    ),
    *(
        Claim(
            id=f"H6-{device}-step",
            statement=f"On a {device.upper()}, the compressed and the dense Newton step agree.",
            unit="relative difference",
            table="newton",
            trial=TimeNewtonStep,
            where={"device_kind": device},
            measure=partial(largest, "relative_difference"),
            criterion=at_most(1e-8),
            guards=(TimeNewtonStep,),
            guarded={"device_kind": device},
            **_exact,
        )
        for device, _ in DEVICES
    ),
    *(
        Claim(
            id=f"H1-{device}-engine",
            kind="control",
            statement=(
                f"{on}, the tensor calculus takes at most 1.2 times as long as a hand-derived closed form of at least a millisecond "
                "(median over problems)."
            ),
            **PROPOSED,
            unit="x",
            table="hessians",
            trial=TimeHessian,
            where=_on(device, method=CALCULUS),
            needs=({"n_variables": lambda n: n >= 512},),
            measure=median_slowdown,
            criterion=at_most(1.2),
            repetition_unit="problems",
            blind=False,
        )
        for device, on in DEVICES
    ),
)

FOLLOW_UPS: tuple[Claim, ...] = (
    *(
        _hessians(
            id=f"T1-{device}-best-torch",
            kind="follow-up",
            direction="weakens",
            statement=(
                f"{on}, the fastest of PyTorch's own six ways takes at most 10 times as long as the closed form on at least two of the "
                "three problems."
            ),
            **PROPOSED,
            unit="x",
            where=_on(device, problem=PAPER_PROBLEMS, n_variables=TODAY_SIZE[device], method=TORCH),
            measure=partial(best_method_slowdown, TORCH),
            criterion=at_most(10),
            blind=False,
        )
        for device, on in DEVICES
    ),
    _hessians(
        id="T1-cpu-vmap-slower",
        kind="follow-up",
        direction="strengthens",
        statement="On a CPU, in one thread, torch.func.hessian is slower than the row loop that it replaces, on all three problems.",
        **PROPOSED,
        unit="x",
        where=_on("cpu", problem=PAPER_PROBLEMS, n_variables=TODAY_SIZE["cpu"]),
        needs=({"method": ("torch-func", LOOP)},),
        measure=partial(speedup_over_problems, "torch-func", LOOP, min),
        criterion=above(1),
        blind=False,
    ),
    _hessians(
        id="T1-cpu-jax",
        kind="follow-up",
        direction="weakens",
        statement=(
            "On a CPU, in one thread, JAX's jit(hessian) takes at most 20 times as long as the closed form for a quadratic form and for "
            "logistic regression."
        ),
        **PROPOSED,
        unit="x",
        where=_on("cpu", problem=("quad", "logreg"), n_variables=SIZE["cpu"]),
        needs=({"method": "jax"},),
        measure=partial(slowdown_over_problems, "jax", ("quad", "logreg"), max),
        criterion=at_most(20),
        blind=False,
    ),
    _hessians(
        id="T1-cpu-jax-matfac",
        kind="follow-up",
        direction="strengthens",
        statement="On a CPU, in one thread, JAX's jit(hessian) is slower than PyTorch's row loop for matrix factorization.",
        **PROPOSED,
        unit="x",
        where=_on("cpu", problem="matfac", n_variables=SIZE["cpu"]),
        needs=({"method": ("jax", LOOP)},),
        measure=partial(speedup, "jax", LOOP),
        criterion=above(1),
        blind=False,
    ),
    _hessians(
        id="T1-cpu-sparse",
        kind="follow-up",
        direction="overtakes",
        statement=(
            "On a CPU, in one thread, sparse differentiation (asdex) computes the dense Hessian of matrix factorization at least 20 times "
            "as fast as JAX's jit(hessian), once it has found the sparsity pattern."
        ),
        **PROPOSED,
        unit="x",
        where=_on("cpu", problem="matfac", n_variables=SIZE["cpu"]),
        needs=({"method": ("jax", "asdex")},),
        measure=partial(speedup, "jax", "asdex"),
        criterion=at_least(20),
    ),
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = tuple(sorted((*PAPER, *CONTROLS, *FOLLOW_UPS), key=lambda claim: claim.where["device_kind"]))
