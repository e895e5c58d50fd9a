"""The claims: what the papers say, the number that tests it, and the criterion, which stood here before the runs.

The speed-ups are the abstract's; sizes, hardware and frameworks are today's, so every timing is "reduced". Intervals cover
repeats: independent processes with new inputs where there are several draws, else the repeats within one process by the
quartiles of both times. H4 (Einstein notation is at least as fast as Ricci notation) is cited, not tested: the engine of 2018
is not here. The criteria are this suite's proposals. The decisive claims are those on the CPU; a run on a GPU measures
them on its own CPU as well and reports the GPU's beside them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from myths.hessian_cost.problems import PAPER
from myths.hessian_cost.trials import NewtonStep, TimeGradient, TimeHessian
from myths.lab.claim import Claim, at_least, at_most
from myths.lab.estimate import Estimate, bootstrap, exact, student_t

if TYPE_CHECKING:
    import pandas as pd

Measure = Callable[["pd.DataFrame"], Estimate | None]
Device = Literal["cpu", "gpu"]
ABSTRACT = "Laue et al. 2018, abstract: up to two orders of magnitude on CPUs, about three on GPUs (proceedings page: one to four)"
PROPOSAL = "proposed by this suite"
WORDS = {"quad": "a quadratic form", "logreg": "logistic regression", "matfac": "matrix factorization"}
FRAMEWORKS = ("ours", "torch", "tensorflow", "autograd", "pytensor", "jax")
TODAY = {
    "torch": ("torch-func", "torch.func.hessian"),
    "compile": ("torch-compile", "torch.compile of torch.func.hessian"),
    "jax": ("jax", "JAX's jit(hessian)"),
    "tensorflow": ("tensorflow", "TensorFlow's GradientTape.jacobian"),
}


# --- measures: rows of a table -> an estimate ------------------------------------------------------


def geometric(logs: Any, errors: Any) -> Estimate:
    """The geometric mean: t interval over draws where there are several, else ± 1.96 standard errors of the one."""
    if len(logs) > 1:
        found = student_t(list(logs), "repeats")
        middle, low, high = found.value, found.low, found.high
    else:
        middle, half = float(logs[0]), 1.96 * float(errors[0])
        low, high = middle - half, middle + half
    return Estimate(math.exp(middle), math.exp(low), math.exp(high), "repeats", len(logs))


def median_error(rows: pd.DataFrame, prefix: str = "") -> Any:
    """Standard error of the logarithm of a median, from its quartiles: 1.253 · IQR/1.349 / √repeats, as of normal noise."""
    spread = np.log(rows[f"{prefix}q75_seconds"].to_numpy(float) / rows[f"{prefix}q25_seconds"].to_numpy(float))
    return 1.253 / 1.349 * spread / np.sqrt(rows[f"{prefix}repeats"].to_numpy(float))


def factor(rows: pd.DataFrame) -> Estimate:
    """Time over that of the closed form."""
    return geometric(np.log(rows["ratio"].to_numpy(float)), np.hypot(median_error(rows), median_error(rows, "closed_")))


def factor_of_problems(rows: pd.DataFrame) -> Estimate | None:
    """The median over problems of the factor to the closed form, from 512 variables on; a bootstrap over the problems."""
    ok = rows[(rows["status"] == "ok") & (rows["size"] >= 512)]
    logs = np.array([np.log(group["ratio"].to_numpy(float)).mean() for _, group in ok.groupby("problem")])
    if len(logs) < len(PAPER):
        return None
    return bootstrap(lambda drawn: np.exp(np.median(logs[drawn], axis=1)), len(logs), "problems", np.random.default_rng(0))


def _paired(rows: pd.DataFrame, slow: str, fast: str) -> pd.DataFrame:
    """The draws and sizes at which both gave a Hessian; columns of the slow one end in ``_slow``."""
    ok = rows[rows["status"] == "ok"]
    return ok[ok["method"] == slow].merge(ok[ok["method"] == fast], on=["variables", "seed"], suffixes=("_slow", "_fast"))


def _largest(rows: pd.DataFrame) -> pd.DataFrame:
    """Those at the largest size; a size that not all draws reached (time, memory) counts only where none has more draws."""
    draws = rows.groupby("variables")["variables"].transform("size")
    rows = rows[draws == draws.max()]
    return rows[rows["variables"] == rows["variables"].max()]


def speed_up(slow: str, fast: str, rows: pd.DataFrame) -> Estimate | None:
    """How many times faster at the largest size that both do, each relative to the closed form of its own process."""
    both = _paired(rows, slow, fast)
    if both.empty:
        return None
    both = _largest(both)
    parts = [both.filter(like=end).rename(columns=lambda c, end=end: c.removesuffix(end)) for end in ("_slow", "_fast")]
    errors = np.sqrt(sum(median_error(part) ** 2 + median_error(part, "closed_") ** 2 for part in parts))
    return geometric(np.log((both["ratio_slow"] / both["ratio_fast"]).to_numpy(float)), errors)


def slope_difference(rows: pd.DataFrame) -> Estimate | None:
    """Slope of log(time of the row loop over ours) against log variables, from 128 variables on; t interval of a regression."""
    from scipy import stats

    both = _paired(rows, "torch-loop", "ours")
    both = both[both["variables"] >= 128]
    if both["variables"].nunique() < 3:
        return None
    x, y = np.log(both["variables"].to_numpy(float)), np.log((both["seconds_slow"] / both["seconds_fast"]).to_numpy(float))
    fit = stats.linregress(x, y)
    half = float(stats.t.ppf(0.975, len(x) - 2) * fit.stderr)
    return Estimate(float(fit.slope), float(fit.slope) - half, float(fit.slope) + half, "repeats", len(x))


def _largest_common(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows at the largest size at which every method that has a time at all has one; empty when they share none."""
    methods = rows.groupby("variables")["method"].nunique()
    shared = methods[methods == rows["method"].nunique()].index
    return rows[rows["variables"] == max(shared, default=None)]


def spread_of_gradients(rows: pd.DataFrame) -> Estimate | None:
    """Slowest over fastest framework at the largest size at which all of them have a time."""
    ok = rows[rows["status"] == "ok"]
    if ok["method"].nunique() < 2:
        return None
    ok = _largest_common(ok)
    if ok.empty:
        return None
    slow, fast = ok.loc[[ok["seconds"].idxmax()]], ok.loc[[ok["seconds"].idxmin()]]
    return geometric(np.log(slow["seconds"].to_numpy() / fast["seconds"].to_numpy()), np.hypot(median_error(slow), median_error(fast)))


def largest_error(rows: pd.DataFrame) -> Estimate | None:
    """The largest relative Frobenius error of any method, problem and size."""
    errors = rows["relative_error"].dropna()
    return exact(errors.max(), len(errors)) if len(errors) else None


def gain_percent(rows: pd.DataFrame) -> Estimate | None:
    """By how many percent the order of reverse mode takes longer than that of cross-country mode."""
    found = speed_up("reverse-order", "cross-country-order", rows)
    return None if found is None else found.scaled(100, -100)


def draws_of(column: str, rows: pd.DataFrame) -> Estimate | None:
    """A ratio over draws at the largest size that was drawn several times."""
    several = _largest(rows.dropna(subset=[column]))
    if len(several) < 2:
        return None
    return geometric(np.log(several[column].to_numpy(float)), ())


def largest_difference(rows: pd.DataFrame) -> Estimate | None:
    """The largest relative difference between the two Newton steps."""
    return exact(rows["relative_difference"].max(), len(rows))


def second_best_factor(method: str, rows: pd.DataFrame) -> Estimate | None:
    """The second smallest of its factors to the closed form on the three problems, each at the largest size that all of today's share."""
    ok = rows[(rows["status"] == "ok") & rows["problem"].isin(PAPER)]
    common = [_largest_common(group) for _, group in ok.groupby("problem")]
    own = [group[group["method"] == method] for group in common]
    if sum(not group.empty for group in own) < len(PAPER):
        return None
    return sorted((factor(group) for group in own), key=lambda estimate: estimate.value)[1]


# --- the claims ------------------------------------------------------------------------------------


def _claims_on(device: Device) -> tuple[Claim, ...]:
    """The same claims for one kind of device; the GPU's criteria are the stricter ones of the abstract's larger number."""
    on, orders, least = ("a CPU", 100, 30) if device == "cpu" else ("a GPU", 1000, 300)
    where: dict[str, Any] = {"device_kind": device, "dtype": "float64"}
    hessian: dict[str, Any] = {"table": "hessians", "trial": TimeHessian, "kind": "effect"}
    proposed: dict[str, Any] = {"source": PROPOSAL, "paper": None, "paper_checked": "computed"}
    exactness = (f"H3-{device}-float64",)
    speed = (
        Claim(
            id=f"H1-{device}-{problem}",
            statement=f"On {on}, the Hessian of {WORDS[problem]} is far faster by tensor calculus than row by row of the gradient.",
            source=ABSTRACT,
            paper=orders,
            paper_checked="read",
            unit="x",
            where=where | {"problem": problem},
            needs=({"method": ("torch-loop", "ours")},),
            measure=partial(speed_up, "torch-loop", "ours"),
            criterion=at_least(least),
            decisive=device == "cpu",
            controls=exactness,
            **hessian,
        )
        for problem in PAPER
    )
    gradients = (
        Claim(
            id=f"H2-{device}-{problem}",
            kind="effect",
            statement=f"On {on}, gradients of {WORDS[problem]} cost much the same in every framework (the paper's, their heirs, and JAX).",
            source="Laue et al. 2018, figure of gradients: within a small constant factor",
            paper=None,
            paper_checked="recalled",
            unit="x",
            table="gradients",
            where=where | {"problem": problem, "method": FRAMEWORKS},
            trial=TimeGradient,
            measure=spread_of_gradients,
            criterion=at_most(5),
        )
        for problem in PAPER
    )
    errors = (
        Claim(
            id=f"H3-{device}-{dtype}",
            kind="control",
            statement=f"On {on}, every method gives the same Hessian in {dtype}.",
            unit="relative error",
            table="hessians",
            where=where | {"dtype": dtype},
            trial=TimeHessian,
            measure=largest_error,
            criterion=at_most(most),
            **proposed,
        )
        for dtype, most in (("float64", 1e-10), ("float32", 1e-4))
    )
    today = (
        Claim(
            id=f"H7-{device}-{word}",
            statement=f"Today, on {on}, {name} takes at most 10 times as long as the closed form on two of the three problems.",
            unit="x",
            where=where | {"method": tuple(name for name, _ in TODAY.values())},
            measure=partial(second_best_factor, method),
            criterion=at_most(10),
            controls=exactness,
            **(hessian | {"kind": "today"}),
            **proposed,
        )
        for word, (method, name) in TODAY.items()
    )
    compressed: dict[str, Any] = {
        "table": "newton",
        "where": {"device_kind": device},
        "trial": NewtonStep,
        "source": "Laue et al. 2020, compression: orders of magnitude, (nk)³ becomes k³ in the solve",
        "paper": None,
        "paper_checked": "recalled",
    }
    return (
        *speed,
        Claim(
            id=f"H1-{device}-quad-slope",
            statement=f"On {on}, the row loop of a quadratic form grows with a higher power of n than the tensor calculus.",
            unit="difference of exponents",
            where=where | {"problem": "quad"},
            needs=({"method": ("torch-loop", "ours")},),
            measure=slope_difference,
            criterion=at_least(0.7),
            controls=exactness,
            **hessian,
            **proposed,
        ),
        *gradients,
        *errors,
        Claim(
            id=f"H1-{device}-engine",
            statement=f"On {on}, the tensor calculus is as fast as the formula that a person would type in.",
            unit="x",
            where=where | {"method": "ours"},
            needs=({"size": lambda size: size >= 512},),
            measure=factor_of_problems,
            criterion=at_most(1.2),
            **(hessian | {"kind": "control"}),
            **proposed,
        ),
        Claim(
            id=f"H5-{device}-logreg",
            statement=f"On {on}, the factors of logistic regression's Hessian multiply faster in cross-country order than in reverse.",
            source="Laue et al. 2020, experiments",
            paper=30,
            paper_checked="recalled, unsure",
            unit="%",
            where=where | {"problem": "logreg"},
            needs=({"method": ("reverse-order", "cross-country-order")},),
            measure=gain_percent,
            criterion=at_least(10),
            controls=exactness,
            **hessian,
        ),
        Claim(
            id=f"H6-{device}-time",
            kind="effect",
            statement=f"On {on}, a Newton step of matrix factorization is orders of magnitude faster compressed than dense.",
            unit="x",
            measure=partial(draws_of, "time_ratio"),
            criterion=at_least(100),
            controls=(f"H6-{device}-step",),
            **compressed,
        ),
        Claim(
            id=f"H6-{device}-memory",
            kind="effect",
            statement=f"On {on}, a Newton step of matrix factorization takes orders of magnitude less memory compressed than dense.",
            unit="x",
            measure=partial(draws_of, "memory_ratio"),
            criterion=at_least(100),
            controls=(f"H6-{device}-step",),
            **compressed,
        ),
        Claim(
            id=f"H6-{device}-step",
            kind="control",
            statement=f"On {on}, the compressed and the dense Newton step agree.",
            unit="relative difference",
            measure=largest_difference,
            criterion=at_most(1e-8),
            **compressed,
        ),
        *today,
    )


CLAIMS: tuple[Claim, ...] = (*_claims_on("cpu"), *_claims_on("gpu"))
