"""The figures, each from tables alone; None where a table has nothing to show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from myths.lab.trial import PROTOCOLS
from myths.saliency.names import SAMPLE
from myths.saliency.paper_figures import digitized

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Tables = Mapping[str, "pd.DataFrame"]

PAPERS = {"gradient": "simple gradient", "deeplift": "DeepLIFT", "integrated-gradients": "integrated gradients"}
ATTACKS = {"top-k": 0, "mass-center": 1, "targeted": 3, "random-walk": 2, "random": 7}
"""With the place of each one's color in the palette."""
LIMIT = 0.5
"""Above which a method does not pass the test of random parameters."""


def photographs(tables: Tables) -> Figure | None:
    """The paper's own figure (Fig. 3) on photographs of 224 pixels: of each attack what is nearest to the paper's protocol."""
    table = tables["attacks"]
    if table.empty or (table["dataset"] != SAMPLE).all():
        return None
    table = table[(table["dataset"] == SAMPLE) & (table["epsilon"] > 0)]
    table = table[table["network"] == table["network"].mode()[0]]
    rank = table["protocol"].map(PROTOCOLS.index)
    nearest = table[rank == rank.groupby([table["method"], table["attack"]]).transform("min")]
    return _against_budget(nearest, "intersection", "top pixels in common")


def intersection(tables: Tables) -> Figure | None:
    """Share of the top pixels that stay, against the budget, for each method and attack, with the paper's points (Fig. 3)."""
    return _against_budget(_trained_here(tables), "intersection", "top pixels in common")


def rank_correlation(tables: Tables) -> Figure | None:
    """Spearman's ρ of the maps before and after, likewise."""
    return _against_budget(_trained_here(tables), "spearman", "rank correlation")


def center_shift(tables: Tables) -> Figure | None:
    """How far the center of mass moves, as a share of the image's side, since the paper's images have 227 pixels."""
    return _against_budget(_trained_here(tables), "center_shift_px", "center shift / side of the image")


def defences(tables: Tables) -> Figure | None:
    """The top-k attack on the plain network and on what is said to resist it, and LENS beside the intersection."""
    from myths.lab.report import style

    table = _trained_here(tables, defended=True)
    if table.empty:
        return None
    table = table[table["attack"] == "top-k"]
    lines = [
        ("simple gradient", "gradient", "none", "intersection"),
        ("… counted by LENS", "gradient", "none", "lens_recall"),
        ("SmoothGrad", "smoothgrad", "none", "intersection"),
        ("adversarially trained", "gradient", "adversarial", "intersection"),
        ("softplus", "gradient", "softplus 2", "intersection"),
    ]
    figure, ax = style.axes("What resists the top-k attack", "ε (levels of 255)", "top pixels in common", (8.6, 4.4))
    for (label, method, defence, measure), color in zip(lines, style.COLORS, strict=False):
        few = table[(table["method"] == method) & (table["defence"] == defence)]
        if len(few):
            _line(ax, few, measure, color, label=label, ls="--" if measure == "lens_recall" else "-")
    if not ax.lines:
        return None
    _chance(ax, table, "intersection")
    ax.axhline(float(table["other_image_lens_recall"].mean()), color=style.COLORS[1], lw=1, ls="-.", label="… counted by LENS")
    ax.set_ylim(-0.03, 1.03)  # a dot at 0 is whole
    _budgets(ax)
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    return figure


def cause(tables: Tables) -> Figure | None:
    """For each image, how much the gradient changes within 1/255 along the attack, and how much ε‖H·sign‖ says it does (Sec. 5)."""
    from myths.lab.report import style

    table = tables["gradient_change"]
    if table.empty:
        return None
    table = _speaking(table[table["direction"] == "top-k attack"])
    table = table[(table["network_seed"] == 0) & (table["predicted"] > 0) & (table["change"] > 0)]
    if table.empty:
        return None
    title = f"ε‖H·sign‖ and the change of the gradient, {table['dataset'].iloc[0]}, ε = {table['epsilon'].iloc[0]:g}/255"
    figure, ax = style.axes(title, "predicted change ε‖H·sign‖ (per pixel value)", "measured change", (7.0, 5.0))
    ax.set_xscale("log")
    ax.set_yscale("log")
    for (sharpness, group), color in zip(table.groupby("sharpness"), style.COLORS, strict=False):
        label = f"softplus of sharpness {sharpness:g}" if sharpness else "ReLU (Hessian of its surrogate)"
        ax.plot(group["predicted"], group["change"], "o", ms=3.5, alpha=0.7, mew=0, color=color, label=label)
    ends = np.array([table["predicted"].min(), table["predicted"].max()])
    ax.plot(ends, ends, color=style.MUTED_COLOR, lw=1, ls=":", label="as predicted")
    ax.legend(frameon=False, fontsize=9)
    return figure


def sanity(tables: Tables) -> Figure | None:
    """Rank correlation of maps of the trained network with maps of a network of random parameters, by method (Adebayo et al. 2018)."""
    from myths.lab.report import style

    table = tables["sanity"]
    if table.empty:
        return None
    table = _speaking(table[table["all_layers"].astype(bool)])
    table = table.groupby("method", sort=False)[["spearman", "spearman_low", "spearman_high"]].mean().sort_values("spearman")
    figure, ax = style.axes("Maps of a network of random parameters", "rank correlation with the trained network's maps", "", (7.0, 3.6))
    error = np.nan_to_num(np.stack([table["spearman"] - table["spearman_low"], table["spearman_high"] - table["spearman"]]))
    ax.barh(
        list(table.index),
        table["spearman"],
        xerr=error,
        color=style.MEASURED_COLOR,
        height=0.6,
        error_kw={"lw": 1, "ecolor": style.TEXT_COLOR},
    )
    ax.axvline(LIMIT, color=style.PAPER_COLOR, lw=1.2, ls="--", label="a method above it does not pass")
    ax.axvline(0, color=style.MUTED_COLOR, lw=1)
    ax.grid(visible=False, axis="y")
    ax.legend(frameon=False, fontsize=9, loc="lower right")
    return figure


def _trained_here(tables: Tables, *, defended: bool = False) -> pd.DataFrame:
    """Attacks on networks trained here, the control left out."""
    table = tables["attacks"]
    return table if table.empty else _speaking(table[(table["dataset"] != SAMPLE) & (table["epsilon"] > 0)], defended=defended)


def _against_budget(table: pd.DataFrame, measure: str, words: str) -> Figure | None:
    from myths.lab.report import style

    if table.empty:
        return None
    mixed = table["protocol"].nunique() > 1
    methods = [m for m in PAPERS if (table["method"] == m).any()]
    if not methods:
        return None
    side = float(np.sqrt(table["k"].iloc[0] / table["chance"].iloc[0]))
    unit, unit_paper = (side, 227.0) if measure == "center_shift_px" else (1.0, 1.0)
    figure, axes = style.panels([PAPERS[m] for m in methods], "ε (levels of 255)", words, (3.7 * len(methods) + 2.4, 4.4))
    for ax, method in zip(axes, methods, strict=True):
        for attack, place in ATTACKS.items():
            few = table[(table["method"] == method) & (table["attack"] == attack)]
            if len(few):
                color, hollow = style.COLORS[place], mixed and few["protocol"].iloc[0] != "paper"
                _line(ax, few, measure, color, unit, label=attack.replace("-", " "), ls="-", mfc="none" if hollow else color)
            points = [r for r in digitized() if r["method"] == method and r["attack"] == attack]
            if points:
                ax.plot(
                    [r["epsilon"] for r in points], [float(r[measure]) / unit_paper for r in points], "D", ms=5, mfc="none",
                    color=style.COLORS[place],
                )  # fmt: skip
        _chance(ax, table[table["method"] == method], measure, unit)
        if measure != "center_shift_px":
            ax.set_ylim(-0.05, 1.02)
        _budgets(ax)
    axes[0].plot([], [], "D", ms=5, mfc="none", color=style.MUTED_COLOR, label="2019, ImageNet")
    if mixed:
        axes[0].plot([], [], "o", ms=5, mfc="none", color=style.MUTED_COLOR, label="here, reduced protocol")
    labels = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(labels.values(), labels.keys(), loc="outside right upper", frameon=False, fontsize=9)
    figure.suptitle(f"{table['dataset'].iloc[0]}, top {int(table['k'].iloc[0])} of {round(side**2)} pixels", x=0.02, ha="left", fontsize=11)
    return figure


def _line(ax: Axes, table: pd.DataFrame, measure: str, color: str, unit: float = 1.0, **look: Any) -> None:
    """The mean over networks at each budget, with the widest interval; ``look`` is that of the line."""
    names = {measure: "mean", f"{measure}_low": "min", f"{measure}_high": "max"}
    found = table.groupby("epsilon").agg({name: how for name, how in names.items() if name in table}) / unit
    ax.plot(found.index, found[measure], "o", ms=4, lw=1.8, color=color, **look)
    if len(found.columns) == 3:
        ends = found[f"{measure}_low"], found[f"{measure}_high"]
        ax.fill_between(found.index, *ends, color=color, alpha=0.15, lw=0)
        if len(found) == 1:
            ax.vlines(found.index, *ends, color=color, lw=1.5)


def _budgets(ax: Axes) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])


def _chance(ax: Axes, table: pd.DataFrame, measure: str, unit: float = 1.0) -> None:
    """What random maps have in common, and what maps of different images have."""
    from myths.lab.report import style

    if measure == "intersection":
        ax.axhline(float(table["chance"].iloc[0]), color=style.MUTED_COLOR, lw=1, ls=":", label="chance (k / pixels)")
    elif measure == "spearman":
        ax.axhline(0, color=style.MUTED_COLOR, lw=1, ls=":", label="chance")
    other = float(table[f"other_image_{measure}"].mean()) / unit
    ax.axhline(other, color=style.MUTED_COLOR, lw=1, ls="-.", label="another image's map")


def _speaking(table: pd.DataFrame, *, defended: bool = False) -> pd.DataFrame:
    """The rows of one data set and network: of the protocol nearest to the paper's, then those with the most rows."""
    plain = table if defended else table[table["defence"] == "none"]
    if plain.empty:
        return plain
    order = sorted(
        plain.groupby(["protocol", "dataset", "network"]),
        key=lambda item: (PROTOCOLS.index(item[0][0]), item[0][1] == "imagenette", -len(item[1])),
    )
    return order[0][1]
