"""Claims of myth 1, with their measures and criteria.

The speed-ups are the abstract's; sizes, hardware and frameworks are today's, so every timing is "reduced". Every claim is made at one size
of each problem, once for CPUs (one thread) and once for GPUs; the GPU's criteria are the stricter ones of the abstract's larger number. The
paper says "up to": the best of its three problems is primary, on the CPU, which a run on a GPU measures as well. A repetition starts a new
process with new inputs. Claims on the ratio of two methods compare them in alternation in one process; that the processes agree on this
ratio is their control. "At least one of three problems" is shown by a problem on which they agree. H4 (Einstein notation is at least as
fast as Ricci notation) is left out, because the engine of 2018 is not available. Criteria without a source are proposals of this suite.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from myths.hessian_cost.compared import BEST_TORCH, JAX, JAX_MATFAC, LOOP, ORDERS, SPARSE, VMAP, Comparison, Device
from myths.hessian_cost.measures import (
    AGREEMENT_PERCENT,
    Choose,
    compared_ratio,
    compared_spread,
    largest_ratio,
    median_slowdown,
    overhead_percent,
    ratio_over_processes,
    sampling_error_percent,
    second_of_best,
    slope_difference,
    slowest_over_fastest,
    spread_of_column,
    spread_of_frameworks,
    spread_of_largest,
    spread_of_speedup,
)
from myths.hessian_cost.problems import PAPER_PROBLEMS
from myths.hessian_cost.trials import CompareHessians, TimeGradient, TimeHessian, TimeNewtonStep
from myths.lab.claim import PROPOSED, Claim, cited
from myths.lab.criterion import above, at_least, at_most, between
from myths.lab.estimate import Estimate
from myths.lab.measures import largest, smallest

DEVICES: tuple[tuple[Device, str], ...] = (("cpu", "On a CPU, in one thread"), ("gpu", "On a GPU"))
GRADIENT_SIZE: dict[Device, int] = {"cpu": 2048, "gpu": 4096}
NEWTON_ROWS: dict[Device, int] = {"cpu": 500, "gpu": 1000}
PAPER_SPEED: dict[Device, int] = {"cpu": 100, "gpu": 1000}
"""The abstract's "up to two orders of magnitude" and "about three"."""
ABSTRACT = "Laue et al. 2018, abstract: up to two orders of magnitude on CPUs, about three on GPUs (proceedings page: one to four)"
COMPRESSION = "Laue et al. 2020, compression: orders of magnitude, (nk)³ becomes k³ in the solve"
PROBLEMS = {"quad": "a quadratic form", "logreg": "logistic regression", "matfac": "matrix factorization"}
Measure = Callable[..., Estimate | None]
"""(comparisons, rows of the table) -> number with its interval"""
SLOPE_SIZES = (1024, 2048, 4096)
FRAMEWORKS = ("tensor-calculus", "torch", "tensorflow", "autograd", "jax")
"""The paper's frameworks or their successors, and JAX. PyTensor and CasADi have no BLAS when pip installs them: they are timed, but not
judged."""


def _on(device: Device, **more: Any) -> dict[str, Any]:
    """Return the filter for float64 rows of one kind of device; on a CPU, of one thread."""
    return {"device_kind": device, "dtype": "float64", **({"threads": 1} if device == "cpu" else {}), **more}


_hessians = partial(Claim, table="hessians", trial=TimeHessian, repetition_unit="processes")
_gradients = partial(Claim, table="gradients", trial=TimeGradient, repetition_unit="processes")
_newton = partial(Claim, table="newton", trial=TimeNewtonStep, repetition_unit="processes")
_exact = {"kind": "control", "repetition_unit": "exact", **PROPOSED}
AGREEMENT = f"{AGREEMENT_PERCENT:g} % between the processes of the run"
_spread = {**_exact, "unit": "% between processes", "criterion": at_most(AGREEMENT_PERCENT)}


def _sizes(compared: Comparison) -> str:
    """Return the sizes of a comparison as text."""
    return f"with {' or '.join(f'{size:,}' for size in sorted({size for *_, size in compared.cells}))} variables"


def _rank(choose: Choose) -> tuple[Measure, Measure]:
    """Return measure and spread of a claim on a rank of several ratios."""
    return partial(compared_ratio, choose=choose), partial(compared_spread, choose=choose)


def _comparison(
    id: str, device: Device, compared: Comparison, control: str, by: tuple[Measure, Measure], subject: str = "", **more: Any
) -> tuple[Claim, Claim]:
    """Return a claim on the ratio of two methods' times, and its control: the processes agree on this ratio.

    Args:
        id: Id of the claim.
        device: Kind of device.
        compared: The methods.
        control: Id of the control.
        by: Return, from the comparisons and the rows of the table, the claim's number and by how many percent the processes differ.
        subject: What the processes agree on. Default: the ratio of the claim.
        more: Other fields of the claim.
    """
    shared: dict[str, Any] = {"table": "comparisons", "trial": CompareHessians, "where": _on(device, **compared.columns)}
    claim: dict[str, Any] = {"unit": "x", "repetition_unit": "processes", "controls": (control,), **shared, **more}
    agree = f"The ratio of {subject or id} differs by at most {AGREEMENT}."
    measure, spread = (partial(each, compared.cells) for each in by)
    return Claim(id=id, measure=measure, **claim), Claim(id=control, statement=agree, measure=spread, **_spread, **shared)


COMPARISONS: tuple[Claim, ...] = tuple(
    claim
    for device, on in DEVICES
    for pair in (
        _comparison(
            f"H1-{device}-best", device, LOOP[device], f"H0-{device}-best", (largest_ratio, spread_of_largest),
            subject=f"the problem that decides H1-{device}-best",
            statement=(
                f"{on}, {_sizes(LOOP[device])}, tensor calculus computes the Hessian of at least one of the paper's three problems "
                f"at least {PAPER_SPEED[device]} times as fast as a loop over gradient rows in PyTorch."
            ),
            **cited("read", ABSTRACT, PAPER_SPEED[device]), criterion=at_least(PAPER_SPEED[device]), blind=False, primary=device == "cpu",
        ),
        *(
            _comparison(
                f"H1-{device}-{problem}", device, LOOP[device].only(problem), f"H0-{device}-{problem}", _rank(max),
                statement=(
                    f"{on}, {_sizes(LOOP[device].only(problem))}, tensor calculus computes the Hessian of {PROBLEMS[problem]} at least "
                    f"{limit} times as fast as a loop over gradient rows."
                ),
                **cited("read", ABSTRACT, PAPER_SPEED[device]), criterion=at_least(limit),
            )
            for limit in (30 if device == "cpu" else 300,)
            for problem in PAPER_PROBLEMS
        ),
        _comparison(
            f"H5-{device}-logreg", device, ORDERS, f"H0-{device}-orders", (overhead_percent, partial(compared_spread, choose=max)),
            statement=f"{on}, reverse order takes at least 10 % longer than cross-country order for the Hessian of logistic regression.",
            **cited("from memory, unverified", "Laue et al. 2020, experiments", 30), unit="%",
            criterion=at_least(10),
        ),
        _comparison(
            f"T1-{device}-best-torch", device, BEST_TORCH[device], f"H0-{device}-best-torch", _rank(second_of_best),
            kind="follow-up", direction="weakens", **PROPOSED, criterion=at_most(10), blind=False,
            statement=(
                f"{on}, the fastest of PyTorch's own six ways takes at most 10 times as long as the closed form on at least two of the "
                "three problems."
            ),
        ),
    )
    for claim in pair
)  # fmt: skip

PAPER: tuple[Claim, ...] = (
    *(
        _hessians(
            id=f"H1-{device}-quad-slope",
            statement=f"{on}, the time of a row loop for a quadratic form grows with a higher power of n than that of the tensor calculus.",
            **PROPOSED,
            unit="difference of exponents",
            where=_on(device, problem="quad", n_variables=SLOPE_SIZES, method=("torch-loop", "tensor-calculus")),
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
        _newton(
            id=f"H6-{device}-{what}",
            statement=f"{on}, a Newton step of matrix factorization {does} with the compressed Hessian than with the dense one.",
            **cited("from memory", COMPRESSION),
            unit="x",
            where={name: value for name, value in _on(device, rows=NEWTON_ROWS[device]).items() if name != "dtype"},
            measure=measure,
            criterion=at_least(100),
            repetition_unit="exact" if what == "memory" else "processes",
            without_controls={} if what == "time" else {f"H0-{device}-newton": "the control is about times, the claim about memory"},
        )
        for device, on in DEVICES
        for what, does, measure in (
            ("time", "is at least 100 times faster", partial(ratio_over_processes, "time_ratio")),
            ("memory", "needs at least 100 times less memory", partial(smallest, "memory_ratio")),  # sizes of the same arrays
        )
    ),
)

CONTROLS: tuple[Claim, ...] = (
    *(
        Claim(
            id=f"H0-{device}-quad-slope",
            statement=f"{on}, the times of row loop and tensor calculus for a quadratic form differ by at most {AGREEMENT}.",
            table="hessians",
            trial=TimeHessian,
            where=_on(device, problem="quad", n_variables=SLOPE_SIZES[0], method=("torch-loop", "tensor-calculus")),
            measure=partial(spread_of_speedup, "torch-loop", "tensor-calculus"),
            guards=(TimeHessian,),
            guarded={"device_kind": device, "problem": "quad"},
            **_spread,
        )
        for device, on in DEVICES
    ),
    *(
        Claim(
            id=f"H0-{device}-gradient-{problem}",
            statement=f"{on}, the slowest over the fastest framework for the gradient of {name} differs by at most {AGREEMENT}.",
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
            statement=f"{on}, the time of the dense over that of the compressed Newton step differs by at most {AGREEMENT}.",
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
            needs=({"method": "torch-loop"},),
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
            id=f"H3-{device}-comparison",
            statement=f"On a {device.upper()}, all compared methods compute the same Hessian.",
            unit="relative error",
            table="comparisons",
            trial=CompareHessians,
            where={"device_kind": device, "dtype": "float64"},
            measure=partial(largest, "relative_error"),
            criterion=at_most(1e-10),
            guards=(CompareHessians,),
            guarded={"device_kind": device},
            brings_trials=False,
            **_exact,
        )
        for device, _ in DEVICES
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
            where=_on(device, method="tensor-calculus"),
            needs=({"n_variables": lambda n: n >= 512},),
            measure=median_slowdown,
            criterion=at_most(1.2),
            repetition_unit="problems",
            blind=False,
        )
        for device, on in DEVICES
    ),
)

TODAY: tuple[Claim, ...] = tuple(
    claim
    for pair in (
        _comparison(
            "T1-cpu-vmap-slower", "cpu", VMAP, "H0-cpu-vmap-slower", _rank(min),
            kind="follow-up", direction="strengthens", **PROPOSED, criterion=above(1), blind=False,
            statement="On a CPU, in one thread, torch.func.hessian is slower than the row loop that it replaces, on all three problems.",
        ),
        _comparison(
            "T1-cpu-jax", "cpu", JAX, "H0-cpu-jax", (largest_ratio, spread_of_largest), subject="the problem that decides T1-cpu-jax",
            kind="follow-up", direction="weakens", **PROPOSED, criterion=at_most(0.1), blind=False,
            statement=(
                "On a CPU, in one thread, JAX's jit(hessian) takes at most a tenth of the time of PyTorch's row loop, on each of the "
                "paper's three problems."
            ),
        ),
        _comparison(
            "T1-cpu-jax-matfac", "cpu", JAX_MATFAC, "H0-cpu-jax-matfac", _rank(max),
            kind="follow-up", direction="strengthens", **PROPOSED, criterion=above(1), blind=False,
            statement="On a CPU, in one thread, JAX's jit(hessian) is slower than PyTorch's row loop for matrix factorization.",
        ),
        _comparison(
            "T1-cpu-sparse", "cpu", SPARSE, "H0-cpu-sparse", _rank(max),
            kind="follow-up", direction="overtakes", **PROPOSED, criterion=at_least(20), blind=False,
            statement=(
                "On a CPU, in one thread, sparse differentiation (asdex) computes the dense Hessian of matrix factorization at least 20 "
                "times as fast as JAX's jit(hessian), once it has found the sparsity pattern."
            ),
        ),
    )
    for claim in pair
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = tuple(sorted((*COMPARISONS, *PAPER, *CONTROLS, *TODAY), key=lambda claim: claim.where["device_kind"]))
