"""Figures of myth 4. Each function takes the tables and returns a figure, or None if a table that it needs is empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from myths.forgetting.paper_curves import LOSS_PP

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Tables = Mapping[str, "pd.DataFrame"]

DATASETS = ("mnist", "mnist subset", "permuted mnist", "cifar10", "cifar10 subset", "cifar100")
ORDERS = ("least forgotten first", "random", "shuffled counts")


def histograms(tables: Tables) -> Figure | None:
    """Plot the distribution of forgetting events for each dataset, averaged over training runs (the paper's Fig. 1)."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    from myths.lab.report import style

    table = _main_setting(tables["histogram"])
    if table.empty:
        return None
    names = _sorted(table["dataset"])
    figure, panels = style.panels(names, "forgetting events", "examples (%)", (3.1 * len(names) + 0.6, 3.6))
    for ax, name in zip(panels, names, strict=True):
        group = table[table["dataset"] == name]
        runs = group["seed"].nunique()
        mean = group.groupby("count")["examples"].sum() / runs
        ax.bar(mean.index, 100 * mean / mean.sum(), width=0.9, color=style.MEASURED_COLOR)
        for _, one in group.groupby("seed"):
            ax.plot(one["count"], 100 * one["examples"] / one["examples"].sum(), "_", ms=5, color=style.TEXT_COLOR, alpha=0.5)
        ax.set_yscale("log")
        ax.set_ylim(top=150)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        ax.set_xlabel(f"forgetting events\n{runs} training runs of {group['epochs'].iloc[0]:g} epochs")
    for ax in panels[1:]:
        ax.set_ylabel("")
    return figure


def joint_counts(tables: Tables) -> Figure | None:
    """Plot the counts of the same examples in two training runs with different seeds. Marker area: number of examples."""
    from matplotlib.ticker import MaxNLocator

    from myths.lab.report import style

    table = _main_setting(tables["joint_counts"])
    if table.empty:
        return None
    names = _sorted(table["dataset"])
    figure, panels = style.panels(names, "forgetting events, run 1", "forgetting events, run 2", (3.1 * len(names) + 0.6, 3.6))
    for ax, name in zip(panels, names, strict=True):
        group = table[table["dataset"] == name]
        area = group["examples"] / group["examples"].max()
        ax.scatter(group["first_count"], group["second_count"], s=6 + 500 * area, color=style.MEASURED_COLOR, alpha=0.6, lw=0)
        top = max(group["first_count"].max(), group["second_count"].max())
        ax.plot([0, top], [0, top], color=style.MUTED_COLOR, lw=1, zorder=0)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(6, integer=True))
    for ax in panels[1:]:
        ax.set_ylabel("")
    return figure


def pruning(tables: Tables) -> Figure | None:
    """Plot the accuracy loss against the pruned percentage (the paper's Figs. 5 and 6), with the paper's digitized curves."""
    from myths.lab.report import style

    table = tables["pruning_curve"]
    if table.empty:
        return None
    table = _from_the_start(_main_setting(table)).dropna(subset="loss_pp")
    if table.empty:
        return None
    names = _sorted(table["dataset"])
    figure, panels = style.panels(names, "pruned training examples (%)", "accuracy loss (percentage points)", (3.4 * len(names) + 0.8, 4.8))
    colors = dict(zip(ORDERS, (style.MEASURED_COLOR, style.COLORS[1], style.COLORS[6]), strict=True))
    for ax, name in zip(panels, names, strict=True):
        _plot_paper_curves(ax, name)
        for order, group in table[table["dataset"] == name].groupby("pruning_order", sort=False):
            color = colors.get(str(order), style.COLORS[3])
            group = group.sort_values("pruned_percent")
            if "loss_low_pp" in group:
                bars = (group["loss_pp"] - group["loss_low_pp"], group["loss_high_pp"] - group["loss_pp"])
                ax.errorbar(group["pruned_percent"], group["loss_pp"], yerr=bars, fmt="none", lw=1, capsize=2, color=color)
            ax.plot(group["pruned_percent"], group["loss_pp"], "o-", ms=4, lw=1.6, color=color, label=f"{order}, {_seeds(group)} seeds")
        _plot_single_runs(ax, tables["pruning"], name, colors)
        ax.axhline(0, color=style.MUTED_COLOR, lw=1)
        ax.set_xlim(-2, 102)  # markers at 0 are not clipped
        ax.margins(y=0.1)
        ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.18))
    for ax in panels[1:]:
        ax.set_ylabel("")
    return figure


def sliding_window(tables: Tables) -> Figure | None:
    """Plot the accuracy after pruning a window of 10 % against the mean count of its examples (the paper's Fig. 5, right)."""
    from myths.lab.report import style

    table = tables["pruning"]
    if table.empty:
        return None
    table = _main_setting(table)
    chosen = table[table["window"].astype(bool) & ~table["transfer"].astype(bool)]
    if chosen.empty or chosen["skipped_percent"].nunique() < 3:
        return None
    figure, ax = style.axes(
        "Test accuracy after pruning a window of 10 %", "mean forgetting events of the pruned examples", "test accuracy (%)"
    )
    ax.plot(
        chosen["pruned_score_mean"], chosen["test_accuracy_percent"], "o", ms=3, alpha=0.5, color=style.MEASURED_COLOR, label="single seeds"
    )
    mean = chosen.groupby("skipped_percent")[["pruned_score_mean", "test_accuracy_percent"]].mean()
    ax.plot(mean["pruned_score_mean"], mean["test_accuracy_percent"], "o-", ms=5, lw=2, color=style.MEASURED_COLOR, label="mean over seeds")
    random = table[(table["pruning_order"] == "random") & (table["pruned_percent"].round(6) == 10)]
    if len(random):
        ax.axhline(random["test_accuracy_percent"].mean(), color=style.COLORS[1], lw=1.5, label="random 10 % pruned")
    ax.legend(frameon=False, fontsize=9)
    return figure


def _plot_paper_curves(ax: Axes, dataset: str) -> None:
    from myths.lab.report import style

    for order, dash in zip(ORDERS, ("-", "--"), strict=False):
        if curve := LOSS_PP.get((dataset, order)):
            ax.plot(*zip(*curve, strict=True), ls=dash, lw=1.2, color=style.PAPER_COLOR, label=f"paper, {order.split(',')[0]} (digitized)")


def _plot_single_runs(ax: Axes, table: pd.DataFrame, dataset: str, colors: Mapping[str, str]) -> None:
    chosen = _from_the_start(_main_setting(table))
    for order, color in colors.items():
        group = chosen[(chosen["dataset"] == dataset) & (chosen["pruning_order"] == order)]
        ax.plot(group["pruned_percent"], group["loss_pp"], "o", ms=2.5, alpha=0.35, color=color)


def _from_the_start(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that prune examples from the start of the order, by scores of the network that is trained."""
    return table[(table["skipped_percent"] == 0) & ~table["transfer"].astype(bool) & (table["pruned_percent"] > 0)]


def _seeds(group: pd.DataFrame) -> str:
    low, high = int(group["seeds"].min()), int(group["seeds"].max())
    return f"{low}" if low == high else f"{low} to {high}"


def _sorted(names: pd.Series) -> list[str]:
    known = [name for name in DATASETS if name in set(names)]
    return known + sorted(set(names) - set(known))


def _main_setting(table: pd.DataFrame) -> pd.DataFrame:
    return table if table.empty else table[table["main_setting"].astype(bool)]
