"""The figures, each from tables alone; None where a table has nothing to show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from myths.cifar10_1 import accuracy_line
from myths.cifar10_1.accuracy_line import Scale

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Tables = Mapping[str, "pd.DataFrame"]


def new_against_original(tables: Tables) -> Figure | None:
    """The 30 published models on both test sets (Recht et al. 2018, Fig. 1), the line, the probit curve, and the diagonal."""
    from myths.lab.report import style

    table, fits = tables["accuracies"], tables["fits"]
    if table.empty or fits.empty:
        return None
    new, original = _v4(table), table[table["test_set"] == "original"].set_index("model")
    figure, ax = style.axes(
        "Every model falls below the diagonal, on one line", "accuracy on the original test set (%)", "accuracy on CIFAR-10.1 v4 (%)"
    )
    at = original.loc[new["model"]]
    ax.errorbar(
        new["original_accuracy_percent"], new["accuracy_percent"], fmt="o", ms=4, lw=0.8, color=style.HERE, ecolor=style.HERE, alpha=0.8,
        xerr=_bars(at, "accuracy"), yerr=_bars(new, "accuracy"), label="30 published models, 95 % Clopper–Pearson",
    )  # fmt: skip
    _lines(ax, fits[fits["test_set"] == "v4"], (80.0, 98.5))
    ax.set_ylim(64, 100)
    ax.legend(frameon=False, fontsize=9)
    return figure


def placed(tables: Tables) -> Figure | None:
    """The models of the user's among the thirty published ones, with the line of these; on v4, or on v6 where v4 is absent."""
    from myths.lab.report import style

    mine, table, fits = tables["placed"], tables["accuracies"], tables["fits"]
    if mine.empty or table.empty or fits.empty:
        return None
    present = [name for name in ("v4", "v6") if name in set(mine["test_set"])]
    if not present:
        return None
    mine, new = mine[mine["test_set"] == present[0]], table[table["test_set"] == present[0]]
    original = tables["placed"][tables["placed"]["test_set"] == "original"].set_index("predictions").loc[mine["predictions"]]
    figure, ax = style.axes(
        f"Your model among the published ones, CIFAR-10.1 {present[0]}",
        "accuracy on the original test set (%)",
        f"accuracy on CIFAR-10.1 {present[0]} (%)",
    )
    ax.plot(new["original_accuracy_percent"], new["accuracy_percent"], "o", ms=4, color=style.HERE, alpha=0.6, label="30 published models")
    for color, (name, row) in zip(style.COLORS[1:], mine.set_index("predictions").iterrows(), strict=False):
        at, one = original.loc[[name]], mine[mine["predictions"] == name]
        ax.errorbar(
            at["accuracy_percent"], [row["accuracy_percent"]], xerr=_bars(at, "accuracy"), yerr=_bars(one, "accuracy"),
            fmt="D", ms=7, lw=1.2, color=color, label=f"{name}, 95 % Clopper–Pearson",
        )  # fmt: skip
    low = min(80.0, float(original["accuracy_percent"].min()) - 2)
    _lines(ax, fits[fits["test_set"] == present[0]], (max(low, 1.0), 98.5))
    ax.legend(frameon=False, fontsize=9)
    return figure


def gaps(tables: Tables) -> Figure | None:
    """What each published model loses, against how good it is, on both versions of the new test set."""
    from myths.lab.report import style

    table = tables["accuracies"]
    if table.empty:
        return None
    figure, ax = style.axes(
        "Better models lose less", "accuracy on the original test set (%)", "gap to the new test set (percentage points)"
    )
    for test_set, color, marker in (("v4", style.HERE, "o"), ("v6", style.COLORS[1], "s")):
        new = table[table["test_set"] == test_set]
        below, above = new["gap_pp"] - new["gap_low_pp"], new["gap_high_pp"] - new["gap_pp"]
        ax.errorbar(
            new["original_accuracy_percent"],
            new["gap_pp"],
            yerr=(below, above),
            fmt=marker,
            ms=4,
            lw=0.8,
            color=color,
            label=f"{test_set}, 95 % Newcombe",
        )
    ax.axhline(0, color=style.QUIET, lw=1)
    ax.legend(frameon=False, fontsize=9)
    return figure


def ranks(tables: Tables) -> Figure | None:
    """The rank of each published model on the original test set, on v4 and on v6, joined by lines."""
    from myths.lab.report import style

    table = tables["accuracies"]
    if table.empty:
        return None
    wide = table.pivot(index="model", columns="test_set", values="rank")[["original", "v4", "v6"]].sort_values("original")
    figure, ax = style.axes("The order of the models mostly stays", "", "rank", (7.0, 7.5))
    for model, places in wide.iterrows():
        moved = int(np.abs(places - places["original"]).max()) >= 3
        ax.plot(
            (0, 1, 2), places, "o-", ms=4, lw=1.8 if moved else 1, color=style.PAPER if moved else style.QUIET, alpha=1 if moved else 0.6
        )
        ax.text(-0.06, places["original"], model, ha="right", va="center", fontsize=7, color=style.INK)
    ax.set_xticks((0, 1, 2), ("original", "v4", "v6"))
    ax.set_xlim(-1.4, 2.1)
    ax.invert_yaxis()
    ax.grid(visible=False)
    ax.plot([], [], "o-", ms=4, color=style.PAPER, label="moves by three ranks or more")
    ax.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.6, -0.04))
    return figure


def reuse(tables: Tables) -> Figure | None:
    """Optimism of a reused test set against the number of queries, with the drop on CIFAR-10.1 for scale."""
    from myths.lab.report import style

    table = tables["reuse_share"]
    if table.empty:
        return None
    figure, ax = style.axes("How much reuse flatters", "models tried on the reused test set, k", "optimism (percentage points)")
    ax.set_xscale("log")
    for (strategy, group), color in zip(table.groupby("strategy", sort=False), (style.HERE, style.COLORS[2]), strict=False):
        for _, one in group.groupby("seed"):
            ax.plot(one["k"], one["optimism_pp"], lw=0.8, color=color, alpha=0.4)
        mean = group.groupby("k")["optimism_pp"].mean()
        ax.plot(
            mean.index,
            mean,
            "o-",
            ms=4,
            lw=2,
            color=color,
            label=f"{strategy} ({group['dataset'].iloc[0]}, {group['n_reused'].iloc[0]:,} reused images)",
        )
    drop = float(table["drop_pp"].iloc[0])
    ax.axhline(drop, color=style.PAPER, lw=1.5, label="mean drop of the published models on v4")
    ax.axhline(drop / 4, color=style.PAPER, lw=1, ls="--", label="a quarter of it")
    ax.set_ylim(top=drop * 1.25)
    ax.legend(frameon=False, fontsize=9, loc="center left")
    return figure


def ladder(tables: Tables) -> Figure | None:
    """The models trained here on the set that they were evaluated on, restricted to the same classes: the lines and the diagonal."""
    from myths.lab.report import style

    table, fits = tables["ladder"], tables["ladder_fits"]
    if table.empty:
        return None
    test_set = next(
        (s for s in ("cifar10_1_v4", "cifar10_1_v6", "cifar10_tiny_imagenet") if s in set(table["test_set"])), table["test_set"].iloc[0]
    )
    table = table[table["test_set"] == test_set]
    ways = int(table["ways"].min())
    table = table[table["ways"] == ways]
    figure, ax = style.axes(
        f"Models trained here on {test_set}",
        f"accuracy on the original test set, {ways} classes (%)",
        f"accuracy on {test_set}, {ways}-way (%)",
        (7.0, 5.0),
    )
    for (name, group), color, marker in zip(table.groupby("model", sort=False), 2 * style.COLORS, "o" * 8 + "s" * 8, strict=False):
        ax.errorbar(
            group["original_percent"], group["new_percent"], xerr=_bars(group, "original"), yerr=_bars(group, "new"),
            fmt=marker, ms=5, lw=0.8, color=color, label=name,
        )  # fmt: skip
    if not fits.empty:
        chosen = fits[(fits["test_set"] == test_set) & (fits["ways"] == ways)]
        _lines(ax, chosen, (float(table["original_percent"].min()) - 3, min(99.0, float(table["original_percent"].max()) + 3)))
    ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _lines(ax: Axes, fits: pd.DataFrame, span: tuple[float, float]) -> None:
    """The diagonal and the fitted lines of both scales over a span of original accuracies (%)."""
    from myths.lab.report import style

    x = np.linspace(*span, 200) / 100
    ax.plot(100 * x, 100 * x, color=style.QUIET, lw=1, ls=":", label="no drop")
    styles: dict[Scale, tuple[str, str]] = {"accuracy": (style.PAPER, "-"), "probit": (style.COLORS[2], "--")}
    for scale, (color, dash) in styles.items():
        for row in fits[fits["scale"] == scale].to_dict("records"):
            y = accuracy_line.from_scale(row["slope"] * accuracy_line.to_scale(x, scale) + row["intercept"], scale)
            words = "line" if scale == "accuracy" else "line of probits"
            ax.plot(
                100 * x,
                100 * y,
                color=color,
                ls=dash,
                lw=1.5,
                label=f"{words}, slope {row['slope']:.2f} [{row['slope_low']:.2f}, {row['slope_high']:.2f}]",
            )


def _bars(table: pd.DataFrame, name: str) -> np.ndarray:
    """Lengths [2, n] of the error bars below and above."""
    middle = table[f"{name}_percent"]
    return np.stack([middle - table[f"{name}_low_percent"], table[f"{name}_high_percent"] - middle])


def _v4(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["test_set"] == "v4"]
