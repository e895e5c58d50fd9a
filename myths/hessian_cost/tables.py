"""Tables of myth 1: run time, memory, and ratios to the closed form timed in the same process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from myths.hessian_cost.methods import METHODS
from myths.hessian_cost.trials import CompareHessians, MeasureMachine, TimeGradient, TimeHessian, TimeNewtonStep
from myths.hessian_cost.trials.conditions import refusal
from myths.lab.storage.store import Results
from myths.lab.tables import PROVENANCE_COLUMNS, TRIALS, provenance_columns, unite

if TYPE_CHECKING:
    import pandas as pd

DATASET = "random inputs"
MIN_SLOPE_VARIABLES = 128
"""Smallest number of variables of a slope. Below it, the time of a call is mostly overhead."""
BASELINE = "torch-loop"
_ALL = (
    "seconds", "q25_seconds", "q75_seconds", "repeats", "closed_form_seconds", "closed_form_q25_seconds", "closed_form_q75_seconds",
    "closed_form_repeats", "clean_closed_form_seconds", "sampled_seconds", "rows_timed", "first_call_seconds", "derivation_seconds",
    "slowdown", "peak_bytes", "closed_form_peak_bytes", "predicted_seconds", "relative_error",
)  # fmt: skip
_COMPARED = (
    "status", "refused", "ratio", "ratio_q25", "ratio_q75", "alternations", "seconds", "reference_seconds", "clean_reference_seconds",
    "relative_error",
)  # fmt: skip
_COLUMNS = (
    "problem", "method", "label", "variables", "n_variables", "dtype", "threads", "clock", "seed", "status", "refused", *_ALL,
    "device_kind", *PROVENANCE_COLUMNS,
)  # fmt: skip


def hessians(results: Results) -> pd.DataFrame:
    """Return one row per method, problem, size, dtype and draw. ``status`` states why a time is missing, ``refused`` why a ratio is.

    A ratio to the closed form is refused if the closed form took more than 25 % more or less time beside the method than alone.
    """
    return _timed(results, TimeHessian)


def gradients(results: Results) -> pd.DataFrame:
    """Return the columns of ``hessians`` for gradients. ``slowdown`` is relative to the closed form of the gradient."""
    return _timed(results, TimeGradient)


def comparisons(results: Results) -> pd.DataFrame:
    """Return one row per comparison of two methods. ``ratio`` is the time of the method over that of the reference.

    A ratio is refused if the reference took more than 25 % more or less time beside the method than alone.
    """
    table = results.frame(CompareHessians)
    if table.empty:
        return table
    table = _placed(table).reindex(columns=list(dict.fromkeys([*table, *_COMPARED, "device_kind", "dataset"])))
    table["variables"] = table["variables"].fillna(table["n_variables"]).astype(int)
    return _refuse(table, "ratio", "reference_seconds", "clean_reference_seconds", "reference")


def newton(results: Results) -> pd.DataFrame:
    """Return one row per Newton step of matrix factorization, compressed and dense, in float64."""
    table = results.frame(TimeNewtonStep)
    return table if table.empty else _placed(table).assign(memory_ratio=_memory_ratio)


def machine(results: Results) -> pd.DataFrame:
    """Return one row per process with the speed of a matrix product (``gemm_gflops``) and of memory (``triad_gb_per_second``)."""
    table = results.frame(MeasureMachine)
    return table if table.empty else _placed(table)


def slowdowns(results: Results) -> pd.DataFrame:
    """Return each method at two sizes, marked in ``at``: "common with row loop" and "largest size".

    ``slowdown`` is run time over closed-form run time. ``speedup`` is relative to the row loop; each of the two times is divided by the
    closed-form time of its own process.
    """
    import pandas as pd

    table = hessians(results)
    if table.empty or not table["slowdown"].notna().any():
        return table.iloc[:0]
    ok = table[table["slowdown"].notna()]
    rows = []
    for (device_kind, problem, dtype, threads), group in ok.groupby(["device_kind", "problem", "dtype", "threads"], sort=False):
        loop = group[group["method"] == BASELINE]
        for method, own in group.groupby("method", sort=False):
            common = set(own["variables"]) & set(loop["variables"])
            sizes = [("largest size", max(own["variables"]))] + ([("common with row loop", max(common))] if common else [])
            for at, size in sizes:
                mine, theirs = own[own["variables"] == size], loop[loop["variables"] == size]
                rows.append(
                    {
                        "problem": problem, "method": method, "label": METHODS[str(method)].label,
                        "at": at, "variables": size, "dtype": dtype, "threads": threads,
                        "slowdown": _geometric_mean(mine["slowdown"]), "draws": len(mine),
                        "speedup": _geometric_mean(theirs["slowdown"]) / _geometric_mean(mine["slowdown"]) if len(theirs) else None,
                        "device_kind": device_kind, **provenance_columns(mine), TRIALS: unite([*mine[TRIALS], *theirs[TRIALS]]),
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def slopes(results: Results) -> pd.DataFrame:
    """Return the scaling exponent of each method: slope of log(time) over log(variables), from 128 variables on, float64, all draws."""
    import pandas as pd

    table = hessians(results)
    if table.empty:
        return table
    table = table[(table["status"] == "ok") & (table["dtype"] == "float64") & (table["variables"] >= MIN_SLOPE_VARIABLES * 0.9)]
    rows = []
    for (device_kind, problem, method, threads), group in table.groupby(["device_kind", "problem", "method", "threads"], sort=False):
        if group["variables"].nunique() < 2:
            continue
        slope, _ = np.polyfit(np.log(group["variables"].to_numpy(float)), np.log(group["seconds"].to_numpy(float)), 1)
        rows.append(
            {
                "problem": problem, "method": method, "slope": float(slope), "from_variables": group["variables"].min(),
                "to_variables": group["variables"].max(), "n_points": len(group), "threads": threads, "device_kind": device_kind,
                **provenance_columns(group),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _timed(results: Results, kind: type[TimeHessian] | type[TimeGradient]) -> pd.DataFrame:
    table = results.frame(kind)
    if table.empty:
        return table
    table = _placed(table).assign(label=[METHODS[name].label for name in table["method"]])
    table = table.reindex(columns=[name for name in _COLUMNS if name in table or name in (*_ALL, "variables", "refused")])
    table["variables"] = table["variables"].fillna(table["n_variables"]).astype(int)  # a worker that crashed stored no row
    table = _refuse(table, "slowdown", "closed_form_seconds", "clean_closed_form_seconds", "closed form")
    order = {name: place for place, name in enumerate(METHODS)}
    return table.sort_values(
        ["device_kind", "problem", "dtype", "variables", "method", "seed"],
        key=lambda c: c.map(order) if c.name == "method" else c,
        kind="stable",
    ).reset_index(drop=True)


def _refuse(table: pd.DataFrame, ratio: str, beside: str, alone: str, reference: str) -> pd.DataFrame:
    """Return a table without the ratios whose reference was disturbed. ``refused`` says by how much.

    Args:
        table: The table.
        ratio: Column of the ratio.
        beside: Column of the reference's time beside the method.
        alone: Column of its time alone.
        reference: What the reference is, as text.
    """
    texts = [refusal(*times, reference) for times in zip(table[beside], table[alone], strict=True)]
    return table.assign(refused=texts, **{ratio: table[ratio].mask([text is not None for text in texts])})


def _placed(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(device_kind=["cpu" if device == "cpu" else "gpu" for device in table["device"]], dataset=DATASET)


def _memory_ratio(table: pd.DataFrame) -> Any:
    """Return dense over compressed memory. A compressed step smaller than a page counts as one page."""
    return table["dense_bytes"] / table["compressed_bytes"].clip(lower=4096)


def _geometric_mean(values: Any) -> float:
    """Return the geometric mean over draws."""
    return float(np.exp(np.log(np.asarray(values, dtype=float)).mean()))
