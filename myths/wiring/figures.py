"""Figures of myth 10. Each function takes the tables and returns a figure, or None if a table that it needs is empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from myths.wiring.trials.recomputed import SWEET_SPOT

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Tables = Mapping[str, "pd.DataFrame"]


def error_map(tables: Tables) -> Figure | None:
    """Plot the mean error over clustering and path length (You et al. 2020, Fig. 4) with the authors' sweet spot."""
    from myths.lab.report import style

    table = tables["error_map"]
    if table.empty:
        return None
    figure, ax = style.axes(
        "Published errors of 3,942 wired MLPs (larger points: more wirings)", "clustering coefficient", "path length (edges)"
    )
    size = 12 + 9 * np.sqrt(table["wirings"])
    points = ax.scatter(table["clustering"], table["path_length"], s=size, c=table["error_percent"], cmap="viridis_r", edgecolors="none")
    figure.colorbar(points, ax=ax, label="test error (%), mean of the cell")
    (left, right), (bottom, top) = SWEET_SPOT.values()
    x, y = (left, right, right, left, left), (bottom, bottom, top, top, bottom)
    ax.plot(x, y, color=style.PAPER_COLOR, lw=1.5, label="the authors' sweet spot")
    ax.plot([1], [1], "*", ms=13, color=style.TEXT_COLOR, label="complete graph")
    ax.legend(frameon=False, fontsize=9)
    return figure


def error_by_gap(tables: Tables) -> Figure | None:
    """Plot the mean error against the spectral gap at nearly equal density and width."""
    from myths.lab.report import style

    table = tables["error_by_gap"]
    if table.empty:
        return None
    title = f"Published errors at densities 0.125 to 0.15 ({table['wirings'].sum():,} wirings)"
    figure, ax = style.axes(title, "spectral gap of the normalized Laplacian", "test error (%)")
    bars = 1.96 * table["standard_error_pp"]
    label = f"mean of about {table['wirings'].median():.0f} wirings, 95 % interval over wirings"
    ax.errorbar(table["spectral_gap"], table["error_percent"], yerr=bars, fmt="o-", ms=5, color=style.MEASURED_COLOR, label=label)
    ax.set_xscale("log")
    ticks = (0.04, 0.06, 0.1, 0.2, 0.4)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.legend(frameon=False, fontsize=9)
    return figure


def error_by_shape(tables: Tables) -> Figure | None:
    """Plot the mean error of the published wirings by density and shape, one line per shape, with the complete graph."""
    from myths.lab.report import style

    table = tables["shapes"]
    if table.empty:
        return None
    table = table[table["group"].str.startswith("density")]
    figure, ax = style.axes("Published errors of wired MLPs", "density", "test error (%), mean of 5 seeds")
    groups = list(dict.fromkeys(table["group"]))
    for i, (shape, rows) in enumerate(table.groupby("shape", sort=False)):
        means = rows.groupby("group")["error_percent"].agg(["mean", "std", "count"]).loc[groups]
        at = np.arange(len(groups)) + 0.08 * (i - 1)
        bars = means["std"] / np.sqrt(means["count"])
        ax.errorbar(at, means["mean"], yerr=bars, fmt="o-", ms=5, color=style.COLORS[i], label=f"{shape} (± standard error over seeds)")
    complete = table.groupby("seed")["complete_percent"].first()
    ax.axhline(complete.mean(), color=style.MUTED_COLOR, ls="--", lw=1, label=f"complete graph, {len(complete)} runs")
    ax.set_ylim(top=complete.mean() + 0.45)  # room for the legend
    ax.set_xticks(range(len(groups)), [group.removeprefix("density ").replace(" to ", "–") for group in groups])
    ax.legend(frameon=False, fontsize=9)
    return figure


def explained(tables: Tables) -> Figure | None:
    """Plot how much of the variance in error each set of invariants explains, per network, with the ceiling."""
    from myths.lab.report import style

    table = tables["surfaces"]
    if table.empty:
        return None
    table = table.assign(fit=table["network"] + np.where(table["densities"] == "all", "", "\n(one density)"))
    figure, ax = style.axes("Error explained by the graph", "", "R² of ten folds", (9.0, 4.8))
    names, sets = list(dict.fromkeys(table["fit"])), list(dict.fromkeys(table["predictors"]))
    for i, predictors in enumerate(sets):
        rows = table[table["predictors"] == predictors]
        at = np.array([names.index(name) for name in rows["fit"]]) + 0.1 * (i - len(sets) / 2)
        value = rows["r2_of_folds"].to_numpy()
        bars = np.abs(np.stack([rows["r2_of_folds_low"], rows["r2_of_folds_high"]]) - value)
        ax.errorbar(at, value, yerr=bars, fmt="o", ms=4, lw=1, color=style.COLORS[i % len(style.COLORS)], label=predictors)
    ceilings = table.groupby("fit", sort=False)["ceiling"].first()
    ax.hlines(
        ceilings,
        np.arange(len(names)) - 0.4,
        np.arange(len(names)) + 0.4,
        color=style.MUTED_COLOR,
        ls="--",
        label="ceiling, estimated from the seeds",
    )
    ax.set_xticks(range(len(names)), names, fontsize=8)
    ax.axhline(0, color=style.GRID_COLOR, lw=1)
    ax.legend(frameon=False, fontsize=8, ncols=4)
    return figure


def selection(tables: Tables) -> Figure | None:
    """Plot the gain of the best wiring on the seeds that chose it and on the seed that did not, per network."""
    from myths.lab.report import style

    table = tables["selection"]
    if table.empty:
        return None
    table = table[table["best"] == 1]
    figure, ax = style.axes("Gain of the best wiring over the complete graph", "", "gain (percentage points)")
    names = list(dict.fromkeys(table["network"]))
    for i, name in enumerate(names):
        rows = table[table["network"] == name]
        for shift, column, color in ((-0.12, "apparent_pp", style.COLORS[1]), (0.12, "honest_pp", style.MEASURED_COLOR)):
            ax.plot(np.full(len(rows), i + shift), rows[column], "o", ms=4, alpha=0.5, color=color)
            ax.hlines(rows[column].mean(), i + shift - 0.1, i + shift + 0.1, color=color, lw=2.5)
    ax.plot([], [], color=style.COLORS[1], lw=2.5, label="on the seeds that chose it")
    ax.plot([], [], color=style.MEASURED_COLOR, lw=2.5, label="on the seed that did not")
    ax.axhline(0, color=style.MUTED_COLOR, lw=1)
    ax.set_xticks(range(len(names)), names, fontsize=8)
    ax.legend(frameon=False, fontsize=9)
    return figure


def held_out(tables: Tables) -> Figure | None:
    """Plot the measured error of 52 wirings against the error that clustering and path length predict, one panel per network."""
    from myths.lab.report import style

    table = tables["held_out"]
    if table.empty:
        return None
    networks = dict(iter(table.groupby("network", sort=False)))
    titles = [f"{name}: r = {rows['predicted_percent'].corr(rows['error_percent']):.2f}" for name, rows in networks.items()]
    figure, panels = style.panels(titles, "error predicted from other wirings (%)", "measured error (%)", (15.0, 3.8))
    for ax, rows in zip(panels, networks.values(), strict=True):
        ends = [rows["predicted_percent"].min(), rows["predicted_percent"].max()]
        ax.plot(ends, ends, color=style.MUTED_COLOR, ls="--", lw=1, label="equal")
        ax.plot(rows["predicted_percent"], rows["error_percent"], "o", ms=4, alpha=0.7, color=style.MEASURED_COLOR, label="a wiring")
        ax.tick_params(labelsize=8)
        ax.xaxis.label.set_fontsize(9)
    for ax in panels[1:]:
        ax.set_ylabel("")
    panels[0].legend(frameon=False, fontsize=9, loc="lower right")
    return figure


def magnetization(tables: Tables) -> Figure | None:
    """Plot the magnetization of families of graphs of two sizes against the temperature, with the transition of each (q = 2)."""
    from myths.lab.report import style

    table = tables["magnetization"]
    if table.empty:
        return None
    table, points = table[table["states"] == 2], tables["transitions"]
    title = "Magnetization of the Ising model (Potts, q = 2) by kind of graph"
    figure, ax = style.axes(title, "temperature 1 / β (J = 1 between equal states)", "magnetization (root mean square)", (9.0, 5.0))
    smaller, larger = table["nodes_of_graph"].min(), table["nodes_of_graph"].max()
    for i, (family, rows) in enumerate(table.groupby("family", sort=False)):
        color = style.COLORS[i]
        for size, line in ((smaller, "--"), (larger, "o-")):
            means = rows[rows["nodes_of_graph"] == size].groupby("temperature")["magnetization"].mean()
            ax.plot(means.index, means, line, ms=3, lw=1.5, color=color, label=str(family) if size == larger else None)
        found = points[(points["family"] == family) & (points["states"] == 2)]
        if "beta" in found and len(crossed := found["beta"].dropna()):
            ax.axvline(float((1 / crossed).mean()), color=color, lw=1, ls=":")
    for line, text in (
        ("o-", f"{larger:,.0f} nodes"),
        ("--", f"{smaller:,.0f} nodes"),
        (":", "transition: cumulants of both sizes cross"),
    ):
        ax.plot([], [], line, ms=3, color=style.MUTED_COLOR, label=text)
    ax.set_ylim(0, 1.02)
    ax.legend(frameon=False, fontsize=9)
    return figure


def transition_errors(tables: Tables) -> Figure | None:
    """Plot the published error of wirings of one density against their Potts transition, one panel per number of states."""
    from myths.lab.report import style

    table, found = tables["wiring_transitions"], tables["transition_errors"]
    if table.empty or found.empty or "beta" not in table:
        return None
    found = found[found["number"] == "Potts transition"].set_index("states")
    titles = [
        f"q = {q}: ρ = {row['rho']:.2f},\npartial ρ = {row['partial']:.2f} [{row['partial_low']:.2f}, {row['partial_high']:.2f}]"
        for q, row in found.iterrows()
    ]
    x = "Potts transition β × mean degree\n(bars: error of the sampling; partial ρ: given clustering and path length)"
    figure, panels = style.panels(titles, x, "published test error (%)", (5.5 * len(titles) + 1.0, 4.8))
    for ax, q in zip(panels, found.index, strict=True):
        rows = table[table["states"] == q].drop_duplicates("wiring").dropna(subset=["beta"])
        at, error = (rows[name] * rows["mean_degree"] for name in ("beta", "beta_error"))
        ax.errorbar(at, rows["error_percent"], xerr=error, fmt="none", ecolor=style.MUTED_COLOR, lw=0.6, zorder=1)
        points = ax.scatter(at, rows["error_percent"], c=rows["clustering"], cmap="viridis", s=18, zorder=2)
    figure.colorbar(points, ax=panels[-1], label="clustering coefficient")
    return figure


def trained(tables: Tables) -> Figure | None:
    """Plot the test errors of the networks that this suite trained, by arm."""
    from myths.lab.report import style

    table = tables["trained"]
    if table.empty:
        return None
    figure, ax = style.axes(f"Wirings trained by this suite, {table['dataset'].iloc[0]}", "", "test error (%)")
    arms = list(dict.fromkeys(table["arm"]))
    for i, arm in enumerate(arms):
        errors = table.loc[table["arm"] == arm, "test_error_percent"]
        ax.plot(i + np.linspace(-0.15, 0.15, len(errors)), errors, "o", ms=5, alpha=0.6, color=style.COLORS[i % len(style.COLORS)])
        ax.hlines(errors.mean(), i - 0.25, i + 0.25, color=style.COLORS[i % len(style.COLORS)], lw=2.5)
    ax.set_xticks(range(len(arms)), [f"{arm}\n({int((table['arm'] == arm).sum())} networks)" for arm in arms])
    return figure
