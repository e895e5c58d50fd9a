"""Figures. Each function takes the tables and returns a matplotlib Figure, or None if there is nothing to plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from myths.lab.trial import PROTOCOLS
from myths.saliency.digitized import digitized_rows
from myths.saliency.names import IMAGENET_SAMPLE
from myths.saliency.tables import PASS_THRESHOLD

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Tables = Mapping[str, "pd.DataFrame"]

PAPER_METHODS = {"gradient": "simple gradient", "deeplift": "DeepLIFT", "integrated-gradients": "integrated gradients"}
ATTACK_COLORS = {"top-k": 0, "mass-center": 1, "targeted": 3, "random-walk": 2, "random": 7}
"""Index of the color of each attack in the palette."""


def imagenet_sample(tables: Tables) -> Figure | None:
    """Plot the paper's Fig. 3 for ImageNet images, from the trials of each attack that are closest to the paper's in protocol and steps."""
    table = tables["attacks"]
    if table.empty or (table["dataset"] != IMAGENET_SAMPLE).all():
        return None
    table = table[(table["dataset"] == IMAGENET_SAMPLE) & (table["epsilon"] > 0)]
    table = table[table["network"] == table["network"].mode()[0]]
    rank = table["protocol"].map(PROTOCOLS.index)
    closest = table[rank == rank.groupby([table["method"], table["attack"]]).transform("min")]
    steps = closest["n_iterations"]
    closest = closest[steps == steps.groupby([closest["method"], closest["attack"]]).transform("max")]
    return _against_budget(closest, "intersection", "top-k intersection")


def intersection(tables: Tables) -> Figure | None:
    """Plot the top-k intersection versus the budget for each method and attack, with the paper's values (Fig. 3)."""
    return _against_budget(_trained_networks(tables), "intersection", "top-k intersection")


def rank_correlation(tables: Tables) -> Figure | None:
    """Plot Spearman's ρ of the maps before and after the attack versus the budget."""
    return _against_budget(_trained_networks(tables), "spearman", "rank correlation")


def center_shift(tables: Tables) -> Figure | None:
    """Plot the center shift as a fraction of the image size, which differs from the paper's 227 pixels."""
    return _against_budget(_trained_networks(tables), "center_shift_px", "center shift / image size")


def defenses(tables: Tables) -> Figure | None:
    """Plot the top-k attack on the standard network, on defended networks and on SmoothGrad, and LENS recall."""
    from myths.lab.report import style

    table = _trained_networks(tables, defended=True)
    if table.empty:
        return None
    table = table[table["attack"] == "top-k"]
    lines = [
        ("simple gradient", "gradient", "none", "intersection"),
        ("simple gradient, LENS recall", "gradient", "none", "lens_recall"),
        ("SmoothGrad", "smoothgrad", "none", "intersection"),
        ("adversarially trained", "gradient", "adversarial", "intersection"),
        ("softplus (β = 2)", "gradient", "softplus 2", "intersection"),
    ]
    figure, ax = style.axes("Top-k attack on defended networks", "ε (1/255)", "top-k intersection", (8.6, 4.4))
    for (label, method, defense, measure), color in zip(lines, style.COLORS, strict=False):
        rows = table[(table["method"] == method) & (table["defense"] == defense)]
        if len(rows):
            _line(ax, rows, measure, color, label=label, ls="--" if measure == "lens_recall" else "-")
    if not ax.lines:
        return None
    _chance(ax, table, "intersection")
    ax.axhline(float(table["null_lens_recall"].mean()), color=style.COLORS[1], lw=1, ls="-.", label="LENS recall of another image's map")
    ax.set_ylim(-0.03, 1.03)  # markers at 0 and 1 are not clipped
    _budgets(ax)
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    return figure


def gradient_change(tables: Tables) -> Figure | None:
    """Plot the change of the gradient along the attack versus ε‖H·sign‖ for each image, at ε = 1/255 (Sec. 5)."""
    from myths.lab.report import style

    table = tables["gradient_change"]
    if table.empty:
        return None
    table = _main_network(table[table["direction"] == "top-k attack"])
    table = table[(table["network_seed"] == table["network_seed"].min()) & (table["predicted_change"] > 0) & (table["gradient_change"] > 0)]
    if table.empty:
        return None
    title = f"Change of the gradient versus ε‖H·sign‖, {table['dataset'].iloc[0]}, ε = {table['epsilon'].iloc[0]:g}/255"
    figure, ax = style.axes(
        title, "predicted change ε‖H·sign‖ (logit per pixel value)", "measured change (logit per pixel value)", (7.0, 5.0)
    )
    ax.set_xscale("log")
    ax.set_yscale("log")
    for (beta, group), color in zip(table.groupby("beta"), style.COLORS, strict=False):
        label = f"softplus, β = {beta:g}" if beta else "ReLU (Hessian of the softplus surrogate)"
        ax.plot(group["predicted_change"], group["gradient_change"], "o", ms=3.5, alpha=0.7, mew=0, color=color, label=label)
    ends = np.array([table["predicted_change"].min(), table["predicted_change"].max()])
    ax.plot(ends, ends, color=style.MUTED_COLOR, lw=1, ls=":", label="measured = predicted")
    ax.legend(frameon=False, fontsize=9)
    return figure


def parameter_randomization(tables: Tables) -> Figure | None:
    """Plot the rank correlation of maps of the trained network and of a network with random parameters (Adebayo et al. 2018)."""
    from myths.lab.report import style

    table = tables["parameter_randomization"]
    if table.empty:
        return None
    table = _main_network(table[table["all_layers"].astype(bool)])
    table = table.groupby("method", sort=False)[["spearman", "spearman_low", "spearman_high"]].mean().sort_values("spearman")
    figure, ax = style.axes("Maps of a network with random parameters", "rank correlation with maps of the trained network", "", (7.0, 3.6))
    error = np.nan_to_num(np.stack([table["spearman"] - table["spearman_low"], table["spearman_high"] - table["spearman"]]))
    ax.barh(
        list(table.index),
        table["spearman"],
        xerr=error,
        color=style.MEASURED_COLOR,
        height=0.6,
        error_kw={"lw": 1, "ecolor": style.TEXT_COLOR},
    )
    ax.axvline(PASS_THRESHOLD, color=style.PAPER_COLOR, lw=1.2, ls="--", label="pass threshold")
    ax.axvline(0, color=style.MUTED_COLOR, lw=1)
    ax.grid(visible=False, axis="y")
    ax.legend(frameon=False, fontsize=9, loc="lower right")
    return figure


def _trained_networks(tables: Tables, *, defended: bool = False) -> pd.DataFrame:
    """Return the attacks on networks trained by this suite, without ε = 0."""
    table = tables["attacks"]
    return table if table.empty else _main_network(table[(table["dataset"] != IMAGENET_SAMPLE) & (table["epsilon"] > 0)], defended=defended)


def _against_budget(table: pd.DataFrame, measure: str, label: str) -> Figure | None:
    from myths.lab.report import style

    if table.empty:
        return None
    mixed = table["protocol"].nunique() > 1
    methods = [m for m in PAPER_METHODS if (table["method"] == m).any()]
    if not methods:
        return None
    image_size = float(np.sqrt(table["k"].iloc[0] / table["chance"].iloc[0]))
    unit, paper_unit = (image_size, 227.0) if measure == "center_shift_px" else (1.0, 1.0)
    figure, axes = style.panels([PAPER_METHODS[m] for m in methods], "ε (1/255)", label, (3.7 * len(methods) + 2.4, 4.4))
    for ax, method in zip(axes, methods, strict=True):
        for attack, place in ATTACK_COLORS.items():
            rows = table[(table["method"] == method) & (table["attack"] == attack)]
            if len(rows):
                color, hollow = style.COLORS[place], mixed and rows["protocol"].iloc[0] != "paper"
                _line(ax, rows, measure, color, unit, label=attack.replace("-", " "), ls="-", mfc="none" if hollow else color)
            points = [r for r in digitized_rows() if r["method"] == method and r["attack"] == attack]
            if points:
                ax.plot(
                    [r["epsilon"] for r in points], [float(r[measure]) / paper_unit for r in points], "D", ms=5, mfc="none",
                    color=style.COLORS[place],
                )  # fmt: skip
        _chance(ax, table[table["method"] == method], measure, unit)
        if measure != "center_shift_px":
            ax.set_ylim(-0.05, 1.02)
        _budgets(ax)
    axes[0].plot([], [], "D", ms=5, mfc="none", color=style.MUTED_COLOR, label="paper, ImageNet")
    if mixed:
        axes[0].plot([], [], "o", ms=5, mfc="none", color=style.MUTED_COLOR, label="reduced protocol")
    labels = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(labels.values(), labels.keys(), loc="outside right upper", frameon=False, fontsize=9)
    figure.suptitle(
        f"{table['dataset'].iloc[0]}, top {int(table['k'].iloc[0])} of {round(image_size**2)} pixels", x=0.02, ha="left", fontsize=11
    )
    return figure


def _line(ax: Axes, table: pd.DataFrame, measure: str, color: str, unit: float = 1.0, **style_options: Any) -> None:
    """Plot the mean over networks at each budget with the widest interval. ``style_options`` are those of the line."""
    names = {measure: "mean", f"{measure}_low": "min", f"{measure}_high": "max"}
    found = table.groupby("epsilon").agg({name: how for name, how in names.items() if name in table}) / unit
    ax.plot(found.index, found[measure], "o", ms=4, lw=1.8, color=color, **style_options)
    if len(found.columns) == 3:
        ends = found[f"{measure}_low"], found[f"{measure}_high"]
        ax.fill_between(found.index, *ends, color=color, alpha=0.15, lw=0)
        if len(found) == 1:
            ax.vlines(found.index, *ends, color=color, lw=1.5)


def _budgets(ax: Axes) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])


def _chance(ax: Axes, table: pd.DataFrame, measure: str, unit: float = 1.0) -> None:
    """Plot the similarity of random maps and of maps of different images."""
    from myths.lab.report import style

    if measure == "intersection":
        ax.axhline(float(table["chance"].iloc[0]), color=style.MUTED_COLOR, lw=1, ls=":", label="chance (k / pixels)")
    elif measure == "spearman":
        ax.axhline(0, color=style.MUTED_COLOR, lw=1, ls=":", label="chance")
    other = float(table[f"null_{measure}"].mean()) / unit
    ax.axhline(other, color=style.MUTED_COLOR, lw=1, ls="-.", label="another image's map")


def _main_network(table: pd.DataFrame, *, defended: bool = False) -> pd.DataFrame:
    """Return the rows of one dataset and network: of the protocol closest to the paper's, then the one with the most rows."""
    candidates = table if defended else table[table["defense"] == "none"]
    if candidates.empty:
        return candidates
    order = sorted(
        candidates.groupby(["protocol", "dataset", "network"]),
        key=lambda item: (PROTOCOLS.index(item[0][0]), item[0][1] == "imagenette", -len(item[1])),
    )
    return order[0][1]
