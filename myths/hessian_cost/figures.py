"""Figures. Each function takes the tables and returns a matplotlib Figure, or None if there is nothing to plot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from myths.hessian_cost.problems import PAPER_PROBLEMS, PROBLEMS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Tables = Mapping[str, "pd.DataFrame"]
MARKERS = "osD^vP"


def seconds(tables: Tables) -> Figure | None:
    """Plot the time of a Hessian over the number of variables, one panel per problem of the paper; closed form dashed, slopes in the
    legend.
    """
    from myths.lab.report import style

    table = _chosen(tables["hessians"])
    if table is None:
        return None
    slopes = tables["slopes"]
    figure, row = style.panels([PROBLEMS[name].formula for name in PAPER_PROBLEMS], "variables", "time of one Hessian (s)", (15.0, 9.0))
    for problem, ax in zip(PAPER_PROBLEMS, row, strict=True):
        of_problem = table[table["problem"] == problem]
        for method, label, dress, points in _lines(of_problem):
            found = slopes[(slopes["problem"] == problem) & (slopes["method"] == method)] if len(slopes) else slopes
            power = f", n^{found['slope'].iloc[0]:.1f}" if len(found) else ""
            ax.plot(points.index, points["seconds"], label=label + power, lw=1.4, ms=4, **dress)
        closed = of_problem.groupby("variables")["closed_form_seconds"].median()
        ax.plot(closed.index, closed, "--", color=style.TEXT_COLOR, lw=1.6, label="closed form")
        _logarithmic(ax)
    return figure


def slowdowns(tables: Tables) -> Figure | None:
    """Plot run time over closed-form run time for each method, at the largest size that it shares with the row loop."""
    from myths.lab.report import style

    table = tables["slowdowns"]
    if table.empty:
        return None
    table = table[(table["at"] == "common with row loop") & (table["dtype"] == "float64") & (table["device_kind"] == _device_kind(table))]
    table = table[table["threads"] == table["threads"].max()]
    if table.empty:
        return None
    names = {f"{PROBLEMS[name].name}": group for name, group in table.groupby("problem", sort=False)}
    labels = list(dict.fromkeys(table["label"]))
    figure, ax = style.axes("Run time relative to the closed form", "run time / closed-form run time", "", (9.0, 0.42 * len(labels) + 2))
    for (name, group), color, marker in zip(names.items(), 2 * style.COLORS, 3 * MARKERS, strict=False):
        ax.plot(group["slowdown"], [labels.index(label) for label in group["label"]], marker, color=color, ms=6, label=name)
    ax.set_yticks(range(len(labels)), labels)
    ax.set_xscale("log")
    ax.invert_yaxis()
    ax.axvline(1, color=style.MUTED_COLOR, lw=1)
    ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def memory(tables: Tables) -> Figure | None:
    """Plot the peak memory of one Hessian over the number of variables; the dense matrix is dashed."""
    from myths.lab.report import style

    table = _chosen(tables["hessians"])
    if table is None or not (table["peak_bytes"] > 0).any():
        return None
    figure, row = style.panels(
        [PROBLEMS[name].formula for name in PAPER_PROBLEMS], "variables", "peak memory of one Hessian (MiB)", (15.0, 9.0)
    )
    for problem, ax in zip(PAPER_PROBLEMS, row, strict=True):
        of_problem = table[(table["problem"] == problem) & (table["peak_bytes"] > 0)]
        for _, label, dress, points in _lines(of_problem):
            ax.plot(points.index, points["peak_bytes"] / 2**20, label=label, lw=1.4, ms=4, **dress)
        sizes = np.array(sorted(set(of_problem["variables"])))
        ax.plot(sizes, 8.0 * sizes**2 / 2**20, "--", color=style.TEXT_COLOR, lw=1.6, label="dense matrix")
        _logarithmic(ax)
    return figure


def _device_kind(table: pd.DataFrame) -> str:
    """Return the kind of device to plot: the GPU if it was measured."""
    return "gpu" if "gpu" in set(table["device_kind"]) else "cpu"


def _chosen(table: pd.DataFrame) -> pd.DataFrame | None:
    """Return the completed float64 rows of the paper's problems on one kind of device, or None."""
    if table.empty:
        return None
    ok = table[(table["status"] == "ok") & (table["dtype"] == "float64") & table["problem"].isin(PAPER_PROBLEMS)]
    if ok.empty:
        return None
    ok = ok[ok["device_kind"] == _device_kind(ok)]
    return ok[ok["threads"] == ok["threads"].max()]


def _lines(table: pd.DataFrame) -> Iterator[tuple[str, str, dict[str, Any], pd.DataFrame]]:
    """Yield each method with its style and its medians over draws by number of variables. The style is the same in every panel."""
    from myths.hessian_cost.methods import METHODS
    from myths.lab.report import style

    places = {name: place for place, name in enumerate(METHODS)}
    for method, group in sorted(table.groupby("method"), key=lambda item: places[str(item[0])]):
        place = places[str(method)]
        color, marker = style.COLORS[place % len(style.COLORS)], MARKERS[place % len(MARKERS)]
        points = group.groupby("variables")[["seconds", "peak_bytes"]].median()
        yield str(method), group["label"].iloc[0], {"color": color, "marker": marker}, points


def _logarithmic(ax: Axes) -> None:
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.14))
