"""Figures of myth 5. Each function takes the tables and returns a matplotlib Figure, or None if there is nothing to plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Tables = Mapping[str, "pd.DataFrame"]

CHANCE = 10.0
LABELS = {
    "he": "He",
    "he-scaled": "He, sums times √½",
    "lsuv": "unit variance (LSUV)",
    "fixup": "Fixup",
    "skipinit": "SkipInit",
    "rezero": "ReZero",
    "batch-norm": "batch normalization",
    "group-norm": "group normalization",
    "layer-norm": "layer normalization",
    "dyt": "Dynamic Tanh",
}
"""Labels of the methods, in the order of legends."""
LEGEND = 2.9
"""Width of the legend beside the panels in inches."""


def depth(tables: Tables) -> Figure | None:
    """Plot test accuracy after one epoch against depth (Fig. 3), with the values of the paper's figure and of the authors' code.

    Lines connect training runs of one setting. Hollow points are runs of other settings than the most frequent one.
    """
    from myths.lab.report import style

    table = tables["depth_sweep"]
    if table.empty:
        return None
    groups = [group for _, group in table.groupby(["dataset", "architecture"], sort=False) if group["depth"].nunique() > 1][:3]
    if not groups:
        return None
    titles = [f"{group['dataset'].iloc[0]}, {group['architecture'].iloc[0]}" for group in groups]
    size = (max(5.2, 3.7 * len(groups)) + LEGEND, 4.4)
    figure, panels = style.panels(titles, "depth (layers)", "accuracy after one epoch (%)", size)
    for ax, group in zip(panels, groups, strict=True):
        if group["dataset"].iloc[0] == "cifar10":
            ax.plot([10, 1000], [50, 50], ls="--", lw=1.4, color=style.PAPER_COLOR, label="paper's Fig. 3 (read from the plot)")
            ax.plot([32], [40], "D", ms=5, color=style.PAPER_COLOR, label="ResNet-32, authors' code (reported)")
        settings = sorted((one for _, one in group.groupby(["width", "image_size", "train_examples", "epochs"])), key=len, reverse=True)
        for i, setting in enumerate(settings):
            for method, line in _by_method(setting):
                _line(ax, line.sort_values("depth"), "depth", method, hollow=i > 0)
        notes = [f"{sign}: {_setting(one)}" for sign, one in zip(("filled", *["hollow"] * 9), settings, strict=False)]
        ax.text(0, -0.19, "\n".join(notes[:3]), transform=ax.transAxes, fontsize=8, color=style.MUTED_COLOR, va="top")
        ax.axhline(CHANCE, color=style.MUTED_COLOR, lw=1, ls=":")
        ax.set_xscale("log")
        _plain_ticks(ax, sorted(set(group["depth"])))
        ax.set_ylim(-2, max(55.0, 1.1 * group["max_percent"].max()))
    _shared_legend(figure, panels)
    return figure


def curves(tables: Tables) -> Figure | None:
    """Plot the training loss of the first epoch at the three depths with the most methods."""
    from myths.lab.report import style

    table = tables["curves"]
    if table.empty:
        return None
    table = table[(table["experiment"] == "one epoch") & (table["learning_rate"] == 0.1)]
    if table.empty:
        return None
    table = table[table["seed"] == table["seed"].min()]
    often = table.groupby("depth")["method"].nunique()
    depths = sorted(often.sort_values(kind="stable").index[-3:])
    figure, panels = style.panels([f"{d:,} layers" for d in depths], "step", "training loss", (3.3 * len(depths) + LEGEND, 4.2))
    for ax, layers in zip(panels, depths, strict=True):
        at_depth = table[table["depth"] == layers]
        largest = at_depth[at_depth["width"] == at_depth["width"].max()]
        for method, line in _by_method(largest):
            line = line.sort_values("step")
            ax.plot(line["step"], line["loss"].astype(float), "-", lw=1.6, color=_color(method), label=LABELS[method])
        ax.axhline(np.log(10), color=style.MUTED_COLOR, lw=1, ls=":")
        ax.set_ylim(0, 5)
    _shared_legend(figure, panels)
    return figure


def gradients(tables: Tables) -> Figure | None:
    """Plot the gradient norm of each block of the deepest network at the first step, and (dashed) at the last step of Fixup."""
    from myths.lab.report import style

    table = tables["gradients"]
    if table.empty:
        return None
    table = table[(table["seed"] == table["seed"].min()) & (table["branches"] == table["branches"].max()) & (table["gradient_norm"] > 0)]
    figure, ax = style.axes("Gradient norm by block", "block", "gradient norm of its convolutions", (7.4, 4.5))
    for method, of_method in _by_method(table):
        for step, line in of_method.groupby("step"):
            dash, words = ("-", "") if step == 1 else ("--", f", step {step:.0f} (0 at step 1, where its last layers are 0)")
            line = line.sort_values("block")
            ax.plot(line["block"] + 1, line["gradient_norm"], dash, lw=1.6, color=_color(method), label=LABELS[method] + words)
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low) ** 0.3)
    ax.legend(frameon=False, fontsize=8.5, loc="upper left", ncols=2)
    return figure


def updates(tables: Tables) -> Figure | None:
    """Plot the change of the function by a step, divided by the learning rate, against the number of residual branches."""
    from myths.lab.report import style

    table = tables["updates"]
    if table.empty or "update_over_learning_rate" not in table:
        return None
    table = table[table["main_setting"].astype(bool)].dropna(subset="update_over_learning_rate")
    figure, ax = style.axes("Change of the function by one step", "residual branches L", "‖Δf‖ / learning rate (limit η → 0)")
    for (method, step), line in table.groupby(["method", "step"], sort=False):
        if step not in (1, table[table["method"] == method]["step"].max()):
            continue
        found = line.groupby("branches")["update_over_learning_rate"].median()
        dash, words = ("-", "") if step == 1 else ("--", f", step {step:.0f}")
        ax.plot(found.index, found, "o", ls=dash, ms=4, lw=1.6, color=_color(str(method)), label=LABELS[str(method)] + words)
    ax.set_xscale("log")
    ax.set_yscale("log")
    _plain_ticks(ax, sorted(set(table["branches"])))
    ax.legend(frameon=False, fontsize=8.5)
    return figure


def sensitivity(tables: Tables) -> Figure | None:
    """Plot accuracy after one epoch against the learning rate, for batch normalization and Fixup."""
    from myths.lab.report import style

    table = tables["sensitivity"]
    if table.empty:
        return None
    groups = [group for _, group in table.groupby(["dataset", "architecture", "width", "image_size", "depth"], sort=False)][:3]
    titles = [f"{group['dataset'].iloc[0]}, {group['depth'].iloc[0]} layers" for group in groups]
    figure, panels = style.panels(titles, "learning rate", "accuracy after one epoch (%)", (4.4 * len(groups) + 1.4, 4.2))
    for ax, group in zip(panels, groups, strict=True):
        for method, line in _by_method(group):
            _line(ax, line.sort_values("learning_rate"), "learning_rate", method)
        ax.set_title(_setting(group), loc="right", fontsize=8, color=style.MUTED_COLOR, pad=2)
        ax.axvline(0.1, color=style.PAPER_COLOR, lw=1.2, ls="--", label="learning rate of the paper")
        ax.axhline(CHANCE, color=style.MUTED_COLOR, lw=1, ls=":")
        ax.set_xscale("log")
        _plain_ticks(ax, sorted(set(group["learning_rate"])))
        ax.set_ylim(bottom=-2)
        ax.legend(frameon=False, fontsize=8.5)
    return figure


def _line(ax: Axes, line: pd.DataFrame, x: str, method: str, *, hollow: bool = False) -> None:
    color = _color(method)
    bars = (line["test_accuracy_percent"] - line["min_percent"], line["max_percent"] - line["test_accuracy_percent"])
    ax.errorbar(line[x], line["test_accuracy_percent"], yerr=bars, fmt="none", lw=1, capsize=2, color=color)
    wide = 2.4 if method == "fixup" else 1.5
    face = "white" if hollow else color
    ax.plot(line[x], line["test_accuracy_percent"], "o-", ms=4.5, lw=wide, color=color, mfc=face, label=LABELS[method])
    gone = line[line["diverged"] > 0]
    ax.plot(gone[x], gone["test_accuracy_percent"], "x", ms=9, mew=2, color=color)


def _by_method(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(name, table[table["method"] == name]) for name in LABELS if (table["method"] == name).any()]


def _color(method: str) -> str:
    from myths.lab.report import style

    others = [color for color in (*style.COLORS, style.TEXT_COLOR) if color not in (style.MEASURED_COLOR, style.PAPER_COLOR)]
    names = [name for name in LABELS if name != "fixup"]
    return style.MEASURED_COLOR if method == "fixup" else (*others, "#b5651d", "#2f4b7c")[names.index(method)]


def _setting(group: pd.DataFrame) -> str:
    """Describe the setting that a group of rows shares."""
    row = group.iloc[0]
    images = f"{row['train_examples']:,} images" if row["train_examples"] else "all images"
    pixels = f" of {row['image_size']} pixels" if row["image_size"] else ""
    epochs = "" if row["epochs"] == 1 else f", {row['epochs']:g} epochs"
    return f"{images}{pixels}, {row['width']} channels{epochs}"


def _plain_ticks(ax: Axes, values: list[float]) -> None:
    from matplotlib.ticker import NullLocator

    ax.set_xticks(values, [f"{v:,g}" for v in values])
    ax.xaxis.set_minor_locator(NullLocator())


def _shared_legend(figure: Figure, panels: tuple[Axes, ...]) -> None:
    entries = {label: handle for ax in panels for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(list(entries.values()), list(entries), loc="outside right upper", frameon=False, fontsize=8.5)
    for ax in panels[1:]:
        ax.set_ylabel("")
