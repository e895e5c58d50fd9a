"""Trials, tables and claims of the comparison."""

import numpy as np
import pandas as pd
import pytest

from myths.hessian_cost import MYTH, measures
from myths.hessian_cost.trials import TimeGradient, TimeHessian, TimeNewtonStep, derivatives
from myths.hessian_cost.trials.newton_step import newton_row
from myths.lab.storage.store import Results, TrialRecord
from myths.lab.trial import Context


def run(trial):
    return trial.run(Context(trial)).rows[0]


def test_a_trial_times_a_method_beside_the_closed_form():
    row = run(TimeHessian(problem="logreg", method="torch-func", n_variables=16))
    assert row["status"] == "ok"
    assert row["slowdown"] == pytest.approx(row["seconds"] / row["closed_form_seconds"])
    assert row["relative_error"] < 1e-10
    assert row["variables"] == 16


def test_a_hessian_that_would_take_too_long_is_a_row(monkeypatch):
    monkeypatch.setattr(derivatives, "MAX_SECONDS", 1e-9)
    row = run(TimeHessian(problem="quad", method="torch-loop", n_variables=512))
    assert row["status"] == "over budget"
    assert row["predicted_seconds"] > 0
    assert "seconds" not in row


def test_no_memory_is_a_row(monkeypatch):
    def exhausted(*_):
        raise MemoryError

    monkeypatch.setattr(derivatives, "_time", exhausted)
    assert run(TimeHessian(problem="quad", method="torch-loop", n_variables=8))["status"] == "out of memory"


def test_a_newton_step_agrees():
    row = newton_row(60, 5, np.random.default_rng(0), "cpu")
    assert row["relative_difference"] < 1e-8
    assert row["hessian_ratio"] == 60**2


def stored(trial, **row):
    times = {"seconds": 1.0, "q25_seconds": 0.99, "q75_seconds": 1.01, "repeats": 9}
    closed = {f"closed_form_{name}": value for name, value in times.items()}
    defaults = {"status": "ok", "variables": trial.n_variables, "relative_error": 0.0, **times, **closed, "slowdown": 1.0}
    return TrialRecord(trial, "ok", [defaults | row])


def results():
    records = []
    for seed in range(3):
        for size in (128, 256, 512):
            for method, power in (("tensor-calculus", 2), ("torch-loop", 3)):
                seconds = (size / 128) ** power * (1 + 0.01 * seed)
                trial = TimeHessian(problem="quad", method=method, n_variables=size, seed=seed)
                records.append(stored(trial, seconds=seconds, slowdown=seconds / 2))
    return Results(
        [*records, TrialRecord(TimeHessian(problem="quad", method="torch-loop", n_variables=2048), "ok", [{"status": "out of memory"}])]
    )


def tables():
    return {name: table(results()) for name, table in MYTH.tables.items()}


def judged(name):
    claim = next(claim for claim in MYTH.claims if claim.id == name)
    return claim.measure(claim.rows(tables()))


def test_speed_up_and_slope_are_those_of_the_times():
    assert judged("H1-cpu-quad").value == pytest.approx(4)
    assert judged("H1-cpu-quad").n == 3
    assert judged("H1-cpu-quad-slope").value == pytest.approx(1)
    assert judged("H1-cpu-logreg") is None
    assert judged("H3-cpu-float64").value == 0


def test_a_hessian_that_did_not_fit_stays_in_the_table():
    table = tables()["hessians"]
    assert list(table[table["status"] != "ok"]["variables"]) == [2048]


def test_factors_are_at_the_common_size():
    table = tables()["slowdowns"]
    common = table[table["at"] == "common with row loop"].set_index("method")
    assert common.loc["tensor-calculus", "variables"] == 512
    assert common.loc["tensor-calculus", "speedup"] == pytest.approx(4)


def test_figures_of_partial_results():
    found = tables()
    assert all(figure({**found, "hessians": found["hessians"]}) is not None for name, figure in MYTH.figures.items() if name != "memory")
    assert all(figure({name: pd.DataFrame() for name in found}) is None for figure in MYTH.figures.values())


def timed_rows(problem, method, variables, slowdown, seed=0):
    same = {f"{prefix}{name}": 1.0 for prefix in ("", "closed_form_") for name in ("q25_seconds", "q75_seconds", "repeats")}
    return {"status": "ok", "problem": problem, "method": method, "variables": variables, "slowdown": slowdown, "seed": seed, **same}


def test_second_best_is_at_the_largest_size_that_all_share():
    ratios = {"quad": 3.0, "logreg": 20.0, "matfac": 7.0}
    rows = [timed_rows(problem, method, 512, ratio) for problem, ratio in ratios.items() for method in ("jax", "tensorflow")]
    rows.append(timed_rows("matfac", "jax", 2048, 1000.0))  # TensorFlow did not get there
    assert measures.second_smallest_slowdown("jax", pd.DataFrame(rows)).value == pytest.approx(7)
    assert measures.second_smallest_slowdown("jax", pd.DataFrame(rows[:4])) is None


def test_the_engine_is_judged_by_the_median_problem():
    ratios = {"quad": 1.0, "logreg": 1.1, "gp": 2.3}
    rows = pd.DataFrame([timed_rows(problem, "tensor-calculus", size, ratio) for problem, ratio in ratios.items() for size in (256, 512)])
    rows["n_variables"] = rows["variables"]
    found = measures.median_slowdown(rows)
    assert (found.value, found.low, found.high, found.n) == (pytest.approx(1.1), pytest.approx(1.0), pytest.approx(2.3), 3)
    assert measures.median_slowdown(rows[rows["problem"] != "gp"]) is None


def test_a_size_that_one_draw_did_not_reach_decides_nothing():
    rows = [
        timed_rows("quad", method, size, ratio, seed)
        for method, ratio in (("torch-loop", 40.0), ("tensor-calculus", 1.0))
        for size, draws in ((512, 3), (2048, 2))
        for seed in range(draws)
    ]
    found = measures.speedup("torch-loop", "tensor-calculus", pd.DataFrame(rows))
    assert (found.value, found.n) == (pytest.approx(40), 3)


def test_gpu_runs_decide_on_their_own_cpu():
    listed = MYTH.trials("gpu", None, ())
    assert any(isinstance(t, TimeHessian) and t.force_cpu for t in listed)
    assert any(isinstance(t, TimeGradient) for t in listed)
    assert any(isinstance(t, TimeNewtonStep) for t in listed)
