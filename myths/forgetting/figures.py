"""The figures, each from tables alone; None where a table has nothing to show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from myths.forgetting.paper_curves import LOSS_PP

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Tables = Mapping[str, "pd.DataFrame"]

DATASETS = ("mnist", "permuted mnist", "cifar10", "cifar10 subset", "cifar100")
ORDERS = ("least forgotten first", "random", "shuffled counts")


def histograms(tables: Tables) -> Figure | None:
    """How often the examples of each data set are forgotten, mean over trainings (the paper's Fig. 1)."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    from myths.lab.report import style

    table = _nearest(tables["histogram"])
    if table.empty:
        return None
    names = _sorted(table["dataset"])
    figure, panels = style.panels(names, "forgetting events", "share of examples (%)", (3.1 * len(names) + 0.6, 3.6))
    for ax, name in zip(panels, names, strict=True):
        group = table[table["dataset"] == name]
        trainings = group["seed"].nunique()
        mean = group.groupby("count")["examples"].sum() / trainings
        ax.bar(mean.index, 100 * mean / mean.sum(), width=0.9, color=style.HERE)
        for _, one in group.groupby("seed"):
            ax.plot(one["count"], 100 * one["examples"] / one["examples"].sum(), "_", ms=5, color=style.INK, alpha=0.5)
        ax.set_yscale("log")
        ax.set_ylim(top=150)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        ax.set_xlabel(f"forgetting events\n{trainings} trainings of {group['epochs'].iloc[0]:g} epochs")
    for ax in panels[1:]:
        ax.set_ylabel("")
    return figure


def two_trainings(tables: Tables) -> Figure | None:
    """How often the same examples are forgotten by two trainings with other seeds; the area of a dot is the number of examples."""
    from matplotlib.ticker import MaxNLocator

    from myths.lab.report import style

    table = _nearest(tables["joint_counts"])
    if table.empty:
        return None
    names = _sorted(table["dataset"])
    figure, panels = style.panels(names, "events in the first training", "events in the second", (3.1 * len(names) + 0.6, 3.6))
    for ax, name in zip(panels, names, strict=True):
        group = table[table["dataset"] == name]
        share = group["examples"] / group["examples"].max()
        ax.scatter(group["first_count"], group["second_count"], s=6 + 500 * share, color=style.HERE, alpha=0.6, lw=0)
        top = max(group["first_count"].max(), group["second_count"].max())
        ax.plot([0, top], [0, top], color=style.QUIET, lw=1, zorder=0)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(6, integer=True))
    for ax in panels[1:]:
        ax.set_ylabel("")
    return figure


def removal(tables: Tables) -> Figure | None:
    """Accuracy lost against the share removed (the paper's Figs. 5 and 6), paired by seed, with the paper's digitized curves."""
    from myths.lab.report import style

    table = tables["removal_curve"]
    if table.empty:
        return None
    table = _nearest(table)
    table = table[(table["skipped_percent"] == 0) & ~table["transfer"].astype(bool) & (table["removed_percent"] > 0)].dropna(
        subset="loss_pp"
    )
    if table.empty:
        return None
    names = _sorted(table["dataset"])
    figure, panels = style.panels(names, "removed from the training set (%)", "accuracy lost (points)", (3.4 * len(names) + 0.8, 4.8))
    colors = dict(zip(ORDERS, (style.HERE, style.COLORS[1], style.COLORS[6]), strict=True))
    for ax, name in zip(panels, names, strict=True):
        _paper(ax, name)
        for order, group in table[table["dataset"] == name].groupby("order", sort=False):
            color = colors.get(str(order), style.COLORS[3])
            group = group.sort_values("removed_percent")
            if "loss_low_pp" in group:
                bars = (group["loss_pp"] - group["loss_low_pp"], group["loss_high_pp"] - group["loss_pp"])
                ax.errorbar(group["removed_percent"], group["loss_pp"], yerr=bars, fmt="none", lw=1, capsize=2, color=color)
            ax.plot(group["removed_percent"], group["loss_pp"], "o-", ms=4, lw=1.6, color=color, label=f"{order}, {_seeds(group)} seeds")
        _scatter(ax, tables["removal"], name, colors)
        ax.axhline(0, color=style.QUIET, lw=1)
        ax.set_xlim(-2, 102)  # a dot at 0 is whole
        ax.margins(y=0.1)
        ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.18))
    for ax in panels[1:]:
        ax.set_ylabel("")
    return figure


def windows(tables: Tables) -> Figure | None:
    """What removing a window of a tenth costs, against how often its examples are forgotten (the paper's Fig. 5, right)."""
    from myths.lab.report import style

    table = tables["removal"]
    if table.empty:
        return None
    table = _nearest(table)
    chosen = table[table["window"].astype(bool) & ~table["transfer"].astype(bool)]
    if chosen.empty or chosen["skipped_percent"].nunique() < 3:
        return None
    figure, ax = style.axes(
        "A tenth removed, along the order of forgetting", "mean forgetting events of those removed", "test accuracy (%)"
    )
    ax.plot(chosen["removed_mean"], chosen["test_accuracy_percent"], "o", ms=3, alpha=0.5, color=style.HERE, label="single seeds")
    mean = chosen.groupby("skipped_percent")[["removed_mean", "test_accuracy_percent"]].mean()
    ax.plot(mean["removed_mean"], mean["test_accuracy_percent"], "o-", ms=5, lw=2, color=style.HERE, label="mean over seeds")
    random = table[(table["order"] == "random") & (table["removed_percent"].round(6) == 10)]
    if len(random):
        ax.axhline(random["test_accuracy_percent"].mean(), color=style.COLORS[1], lw=1.5, label="a random tenth removed")
    ax.legend(frameon=False, fontsize=9)
    return figure


def _paper(ax: Axes, dataset: str) -> None:
    from myths.lab.report import style

    for order, dash in zip(ORDERS, ("-", "--"), strict=False):
        if curve := LOSS_PP.get((dataset, order)):
            ax.plot(*zip(*curve, strict=True), ls=dash, lw=1.2, color=style.PAPER, label=f"paper, {order.split(',')[0]} (digitized)")


def _scatter(ax: Axes, table: pd.DataFrame, dataset: str, colors: Mapping[str, str]) -> None:
    chosen = _from_the_start(_nearest(table))
    for order, color in colors.items():
        group = chosen[(chosen["dataset"] == dataset) & (chosen["order"] == order)]
        ax.plot(group["removed_percent"], group["loss_pp"], "o", ms=2.5, alpha=0.35, color=color)


def _from_the_start(table: pd.DataFrame) -> pd.DataFrame:
    """Removals of something, from the start of the order on, with the network that was counted with."""
    return table[(table["skipped_percent"] == 0) & ~table["transfer"].astype(bool) & (table["removed_percent"] > 0)]


def _seeds(group: pd.DataFrame) -> str:
    low, high = int(group["seeds"].min()), int(group["seeds"].max())
    return f"{low}" if low == high else f"{low} to {high}"


def _sorted(names: pd.Series) -> list[str]:
    known = [name for name in DATASETS if name in set(names)]
    return known + sorted(set(names) - set(known))


def _nearest(table: pd.DataFrame) -> pd.DataFrame:
    return table if table.empty else table[table["nearest"].astype(bool)]
