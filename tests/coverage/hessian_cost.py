"""Experiments of myth 1: processes that time several methods on several problems."""

from functools import partial

import numpy as np
import pandas as pd

from myths.hessian_cost import measures
from myths.hessian_cost.compared import TORCH
from myths.hessian_cost.problems import PAPER_PROBLEMS
from tests.coverage.common import processes
from tests.coverage.experiment import Case

SPREAD = 0.05


def timed(rng, slowdowns, n=5):
    """Rows with a slowdown for each problem and method, which differs between processes."""
    problems, methods = np.repeat(list(slowdowns), n, axis=0).T
    slowdown = np.repeat(list(slowdowns.values()), n) * np.exp(rng.normal(0, SPREAD, len(problems)))
    return pd.DataFrame({"problem": problems, "method": methods, "seed": np.tile(range(n), len(slowdowns)), "slowdown": slowdown})


def compared(choose, methods, ratios, measure=None):
    """A rank of the ratios of some methods on the paper's problems; ``ratios`` are in the order of the cells."""
    measure = measure or (lambda cells, rows: measures.compared_ratio(cells, rows, choose))
    cells = tuple((problem, method, 512) for problem in PAPER_PROBLEMS for method in methods)
    slowdowns = {(problem, method): ratio for (problem, method, _), ratio in zip(cells, ratios, strict=True)}

    def draw(rng):
        return measure(cells, timed(rng, slowdowns).assign(n_variables=512).rename(columns={"slowdown": "ratio"}))

    return Case(draw, choose(ratios), conservative=len(cells) > 1, slow=True)


def of_one(n):
    """The ratio of one method on one problem."""
    cell = ("quad", "torch-loop", 512)
    rows = partial(timed, slowdowns={cell[:2]: 30.0}, n=n)
    measure = partial(measures.compared_ratio, (cell,), choose=max)
    return Case(lambda rng: measure(rows(rng).assign(n_variables=512).rename(columns={"slowdown": "ratio"})), 30.0, slow=True)


def orders():
    """By how many percent one order takes longer."""
    cell = ("logreg", "reverse-order", 1024)

    def draw(rng):
        rows = timed(rng, {cell[:2]: 1.2}).assign(n_variables=1024).rename(columns={"slowdown": "ratio"})
        return measures.overhead_percent((cell,), rows)

    return Case(draw, 20.0, slow=True)


def slopes():
    """Exponents at three sizes; every process and every size has its own deviation."""

    def draw(rng):
        rows = [
            {"method": method, "seed": seed, "variables": size, "slowdown": 1.0, "seconds": seconds, "sampled_seconds": seconds}
            for seed, process in enumerate(rng.normal(0, 0.1, 5))
            for size in (1024, 2048, 4096)
            for method, power in (("torch-loop", 3 + process), ("tensor-calculus", 2))
            for seconds in [(size / 1024) ** power * np.exp(rng.normal(0, SPREAD))]
        ]
        return measures.slope_difference(pd.DataFrame(rows))

    return Case(draw, 1.0, slow=True)


def frameworks(n):
    """The slowest over the fastest framework. They are far apart: the truth is the ratio of the two."""
    slowdowns = {("quad", method): value for method, value in zip("abc", (1.0, 2.0, 4.0), strict=True)}
    return Case(lambda rng: measures.slowest_over_fastest(timed(rng, slowdowns, n)), 4.0, slow=True)


def sampled():
    """The time of a row loop from sampled rows."""

    def draw(rng):
        rows = [
            {"method": "torch-loop", "rows_timed": 512, "variables": 512, "seconds": 1.0, "sampled_seconds": 1.02 * np.exp(noise)}
            for noise in rng.normal(0, 0.02, 5)
        ]
        return measures.sampling_error_percent(pd.DataFrame(rows))

    return Case(draw, 2.0)


def problems(n):
    """The slowdown of the engine, which differs between problems."""

    def draw(rng):
        noise = rng.normal(0, 0.1, n)
        rows = [{"problem": i, "n_variables": 512, "closed_form_seconds": 1.0, "slowdown": 1.2 * np.exp(x)} for i, x in enumerate(noise)]
        return measures.median_slowdown(pd.DataFrame(rows))

    return Case(draw, 1.2, conservative=True, slow=True)


def ratio_of_column(values):
    """Return the mean of a column of ratios."""
    return measures.ratio_over_processes("x", pd.DataFrame({"x": values}))


CASES = {
    ("hessian_cost.measures.compared_ratio", "processes"): {
        **{f"one, {n} processes": of_one(n) for n in (5, 8)},
        "smallest of equal": compared(min, TORCH[:1], (60.0, 60.0, 60.0)),
        "best of equal methods": compared(measures.second_of_best, TORCH, (10.0,) * 18),
        "best method": compared(measures.second_of_best, TORCH, (10.0, 40.0, 40.0, 60.0, 80.0, 90.0) * 3),
    },
    ("hessian_cost.measures.largest_ratio", "processes"): {
        "of equal": compared(max, TORCH[:1], (60.0, 60.0, 60.0), measures.largest_ratio),
        "of 18 equal": compared(max, TORCH, (10.0,) * 18, measures.largest_ratio),
        "of different": compared(max, TORCH[:1], (60.0, 70.0, 300.0), measures.largest_ratio),
    },
    ("hessian_cost.measures.overhead_percent", "processes"): {"5 processes": orders()},
    ("hessian_cost.measures.slope_difference", "processes"): {"3 sizes": slopes()},
    ("hessian_cost.measures.slowest_over_fastest", "processes"): {f"3 frameworks, {n} processes": frameworks(n) for n in (5, 8)},
    ("hessian_cost.measures.ratio_over_processes", "processes"): {f"spread {s:.0%}": processes(5, s, ratio_of_column) for s in (0.05, 0.3)},
    ("hessian_cost.measures.sampling_error_percent", "processes"): {"5 processes": sampled()},
    ("hessian_cost.measures.median_slowdown", "problems"): {f"{n} problems": problems(n) for n in (5, 9)},
}
