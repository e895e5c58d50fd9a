"""Results as tidy tables: seconds, bytes, and ratios to the closed form timed in the same process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from myths.hessian_cost.methods import METHODS
from myths.hessian_cost.trials import TimeGradient, TimeHessian, TimeNewtonStep
from myths.lab.store import Results
from myths.lab.tables import TRIALS, about, unite

if TYPE_CHECKING:
    import pandas as pd

DATASET = "random inputs"
SLOPE_FROM = 128
"""Variables; below, the time of a call is overhead whatever the method."""
BASELINE = "torch-loop"
_ALL = (
    "seconds", "q25_seconds", "q75_seconds", "repeats", "closed_form_seconds", "closed_form_q25_seconds", "closed_form_q75_seconds",
    "closed_form_repeats", "first_call_seconds", "derivation_seconds", "slowdown", "peak_bytes", "closed_form_peak_bytes",
    "predicted_seconds", "relative_error",
)  # fmt: skip
_COLUMNS = (
    "problem",
    "method",
    "label",
    "variables",
    "n_variables",
    "dtype",
    "seed",
    "status",
    *_ALL,
    "device_kind",
    "dataset",
    "protocol",
    "device",
    TRIALS,
)


def hessians(results: Results) -> pd.DataFrame:
    """A row for each method, problem, size, dtype and draw; ``status`` says why there is no time where there is none."""
    return _timed(results, TimeHessian)


def gradients(results: Results) -> pd.DataFrame:
    """As ``hessians``, for gradients; ``slowdown`` is to the closed form of the gradient."""
    return _timed(results, TimeGradient)


def newton(results: Results) -> pd.DataFrame:
    """A Newton step of matrix factorization, compressed and dense, in float64."""
    table = results.frame(TimeNewtonStep)
    return table if table.empty else _placed(table).assign(memory_ratio=_memory_ratio)


def slowdowns(results: Results) -> pd.DataFrame:
    """Each method at the largest size at which it and the row loop both gave a Hessian, and at its own largest size.

    ``at`` says which: "common with row loop" or "largest size". ``slowdown`` is to the closed form; ``speedup`` over the row loop,
    both divided by the closed form of their own process.
    """
    import pandas as pd

    table = hessians(results)
    if table.empty or not (table["status"] == "ok").any():
        return table.iloc[:0]
    ok = table[(table["status"] == "ok")]
    rows = []
    for (device_kind, problem, dtype), group in ok.groupby(["device_kind", "problem", "dtype"], sort=False):
        loop = group[group["method"] == BASELINE]
        for method, own in group.groupby("method", sort=False):
            common = set(own["variables"]) & set(loop["variables"])
            sizes = [("largest size", max(own["variables"]))] + ([("common with row loop", max(common))] if common else [])
            for at, size in sizes:
                mine, theirs = own[own["variables"] == size], loop[loop["variables"] == size]
                rows.append(
                    {
                        "problem": problem, "method": method, "label": METHODS[str(method)].label,
                        "at": at, "variables": size, "dtype": dtype,
                        "slowdown": _center(mine["slowdown"]), "draws": len(mine),
                        "speedup": _center(theirs["slowdown"]) / _center(mine["slowdown"]) if len(theirs) else None,
                        "device_kind": device_kind, **about(mine), TRIALS: unite([*mine[TRIALS], *theirs[TRIALS]]),
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def slopes(results: Results) -> pd.DataFrame:
    """The exponent of each method: slope of log time against log variables from 128 variables on, float64, all draws."""
    import pandas as pd

    table = hessians(results)
    if table.empty:
        return table
    table = table[(table["status"] == "ok") & (table["dtype"] == "float64") & (table["variables"] >= SLOPE_FROM * 0.9)]
    rows = []
    for (device_kind, problem, method), group in table.groupby(["device_kind", "problem", "method"], sort=False):
        if group["variables"].nunique() < 2:
            continue
        slope, _ = np.polyfit(np.log(group["variables"].to_numpy(float)), np.log(group["seconds"].to_numpy(float)), 1)
        rows.append(
            {
                "problem": problem, "method": method, "slope": float(slope), "from_variables": group["variables"].min(),
                "to_variables": group["variables"].max(), "n_points": len(group), "device_kind": device_kind, **about(group),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _timed(results: Results, kind: type[TimeHessian] | type[TimeGradient]) -> pd.DataFrame:
    table = results.frame(kind)
    if table.empty:
        return table
    table = _placed(table).assign(label=[METHODS[name].label for name in table["method"]])
    table = table.reindex(columns=[name for name in _COLUMNS if name in table or name in _ALL or name == "variables"])
    table["variables"] = table["variables"].fillna(table["n_variables"]).astype(int)  # a worker that died could not say it
    order = {name: place for place, name in enumerate(METHODS)}
    return table.sort_values(
        ["device_kind", "problem", "dtype", "variables", "method", "seed"],
        key=lambda c: c.map(order) if c.name == "method" else c,
        kind="stable",
    ).reset_index(drop=True)


def _placed(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(device_kind=["cpu" if device == "cpu" else "gpu" for device in table["device"]], dataset=DATASET)


def _memory_ratio(table: pd.DataFrame) -> Any:
    """Dense over compressed; a compressed step that takes less than a page counts as one page."""
    return table["dense_bytes"] / table["compressed_bytes"].clip(lower=4096)


def _center(values: Any) -> float:
    """The geometric mean over draws."""
    return float(np.exp(np.log(np.asarray(values, dtype=float)).mean()))
