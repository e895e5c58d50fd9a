"""Figures of myth 3. Each function takes the tables and returns a figure, or None if a table that it needs is empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from myths.cifar10_1 import linear_fit
from myths.cifar10_1.linear_fit import Scale

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Tables = Mapping[str, "pd.DataFrame"]


def new_against_original(tables: Tables) -> Figure | None:
    """Plot the accuracies of the 30 published models on both test sets (Recht et al. 2018, Fig. 1) with both fits and the diagonal."""
    from myths.lab.report import style

    table, fits = tables["accuracies"], tables["fits"]
    if table.empty or fits.empty:
        return None
    new, original = _v4(table), table[table["test_set"] == "original"].set_index("model")
    figure, ax = style.axes(
        "Accuracy on CIFAR-10.1 v4 versus the original test set", "accuracy on the original test set (%)", "accuracy on CIFAR-10.1 v4 (%)"
    )
    at = original.loc[new["model"]]
    ax.errorbar(
        new["original_accuracy_percent"], new["accuracy_percent"], fmt="o", ms=4, lw=0.8, color=style.MEASURED_COLOR,
        ecolor=style.MEASURED_COLOR, alpha=0.8,
        xerr=_bars(at, "accuracy"), yerr=_bars(new, "accuracy"), label="30 published models, 95 % Clopper–Pearson interval",
    )  # fmt: skip
    _plot_fits(ax, fits[fits["test_set"] == "v4"], (80.0, 98.5))
    ax.set_ylim(64, 100)
    ax.legend(frameon=False, fontsize=9)
    return figure


def user_models(tables: Tables) -> Figure | None:
    """Plot the models of the user and the 30 published models with the fits of the latter, on v4 or, if it is not available, on v6."""
    from myths.lab.report import style

    users, table, fits = tables["user_models"], tables["accuracies"], tables["fits"]
    if users.empty or table.empty or fits.empty:
        return None
    present = [name for name in ("v4", "v6") if name in set(users["test_set"])]
    if not present:
        return None
    original = users[users["test_set"] == "original"].set_index("predictions")
    users, new = users[users["test_set"] == present[0]], table[table["test_set"] == present[0]]
    original = original.loc[users["predictions"]]
    figure, ax = style.axes(
        f"Your models and the published models, CIFAR-10.1 {present[0]}",
        "accuracy on the original test set (%)",
        f"accuracy on CIFAR-10.1 {present[0]} (%)",
    )
    ax.plot(
        new["original_accuracy_percent"],
        new["accuracy_percent"],
        "o",
        ms=4,
        color=style.MEASURED_COLOR,
        alpha=0.6,
        label="30 published models",
    )
    for color, (name, row) in zip(style.COLORS[1:], users.set_index("predictions").iterrows(), strict=False):
        at, one = original.loc[[name]], users[users["predictions"] == name]
        ax.errorbar(
            at["accuracy_percent"], [row["accuracy_percent"]], xerr=_bars(at, "accuracy"), yerr=_bars(one, "accuracy"),
            fmt="D", ms=7, lw=1.2, color=color, label=f"{name}, 95 % Clopper–Pearson interval",
        )  # fmt: skip
    low = min(80.0, float(original["accuracy_percent"].min()) - 2)
    _plot_fits(ax, fits[fits["test_set"] == present[0]], (max(low, 1.0), 98.5))
    ax.legend(frameon=False, fontsize=9)
    return figure


def gaps(tables: Tables) -> Figure | None:
    """Plot the accuracy gap of each published model against its original accuracy, for both versions of the new test set."""
    from myths.lab.report import style

    table = tables["accuracies"]
    if table.empty:
        return None
    figure, ax = style.axes(
        "Accuracy gap of the published models", "accuracy on the original test set (%)", "accuracy gap (percentage points)"
    )
    for test_set, color, marker in (("v4", style.MEASURED_COLOR, "o"), ("v6", style.COLORS[1], "s")):
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
            label=f"CIFAR-10.1 {test_set}, 95 % Newcombe interval",
        )
    ax.axhline(0, color=style.MUTED_COLOR, lw=1)
    ax.legend(frameon=False, fontsize=9)
    return figure


def ranks(tables: Tables) -> Figure | None:
    """Plot the rank of each published model on the original test set, on v4 and on v6, joined by lines."""
    from myths.lab.report import style

    table = tables["accuracies"]
    if table.empty:
        return None
    wide = table.pivot(index="model", columns="test_set", values="rank")[["original", "v4", "v6"]].sort_values("original")
    figure, ax = style.axes("Ranks of the published models", "", "rank", (7.0, 7.5))
    for model, row in wide.iterrows():
        moved = int(np.abs(row - row["original"]).max()) >= 3
        ax.plot(
            (0, 1, 2),
            row,
            "o-",
            ms=4,
            lw=1.8 if moved else 1,
            color=style.PAPER_COLOR if moved else style.MUTED_COLOR,
            alpha=1 if moved else 0.6,
        )
        ax.text(-0.06, row["original"], model, ha="right", va="center", fontsize=7, color=style.TEXT_COLOR)
    ax.set_xticks((0, 1, 2), ("original", "v4", "v6"))
    ax.set_xlim(-1.4, 2.1)
    ax.invert_yaxis()
    ax.grid(visible=False)
    ax.plot([], [], "o-", ms=4, color=style.PAPER_COLOR, label="rank changes by three or more")
    ax.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.6, -0.04))
    return figure


def reuse(tables: Tables) -> Figure | None:
    """Plot the optimism from reusing a test set against the number of queries, with the accuracy drop on CIFAR-10.1 for comparison."""
    from myths.lab.report import style

    table = tables["reuse_share"]
    if table.empty:
        return None
    figure, ax = style.axes("Optimism from reusing a test set", "queries to the reused test set, k", "optimism (percentage points)")
    ax.set_xscale("log")
    for (strategy, group), color in zip(table.groupby("strategy", sort=False), (style.MEASURED_COLOR, style.COLORS[2]), strict=False):
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
    ax.axhline(drop, color=style.PAPER_COLOR, lw=1.5, label="mean drop of the published models on CIFAR-10.1 v4")
    ax.axhline(drop / 4, color=style.PAPER_COLOR, lw=1, ls="--", label="25 % of the mean drop")
    ax.set_ylim(top=drop * 1.25)
    ax.legend(frameon=False, fontsize=9, loc="center left")
    return figure


def new_models(tables: Tables) -> Figure | None:
    """Plot the accuracies of the models trained by this suite on a new test set and on the original one, with fits and the diagonal."""
    from myths.lab.report import style

    table, fits = tables["new_models"], tables["new_model_fits"]
    if table.empty:
        return None
    test_set = next(
        (s for s in ("cifar10_1_v4", "cifar10_1_v6", "cifar10_tiny_imagenet") if s in set(table["test_set"])), table["test_set"].iloc[0]
    )
    table = table[table["test_set"] == test_set]
    n_classes = int(table["n_classes"].min())
    table = table[table["n_classes"] == n_classes]
    figure, ax = style.axes(
        f"Accuracy of models trained by this suite, {n_classes} classes",
        "accuracy on the original test set (%)",
        f"accuracy on {test_set} (%)",
        (7.0, 5.0),
    )
    for (name, group), color, marker in zip(table.groupby("model", sort=False), 2 * style.COLORS, "o" * 8 + "s" * 8, strict=False):
        ax.errorbar(
            group["original_percent"], group["new_percent"], xerr=_bars(group, "original"), yerr=_bars(group, "new"),
            fmt=marker, ms=5, lw=0.8, color=color, label=name,
        )  # fmt: skip
    if not fits.empty:
        chosen = fits[(fits["test_set"] == test_set) & (fits["n_classes"] == n_classes)]
        _plot_fits(ax, chosen, (float(table["original_percent"].min()) - 3, min(99.0, float(table["original_percent"].max()) + 3)))
    ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _plot_fits(ax: Axes, fits: pd.DataFrame, span: tuple[float, float]) -> None:
    """Plot the diagonal and the fits of both scales over a range of original accuracies (%)."""
    from myths.lab.report import style

    x = np.linspace(*span, 200) / 100
    ax.plot(100 * x, 100 * x, color=style.MUTED_COLOR, lw=1, ls=":", label="equal accuracy")
    styles: dict[Scale, tuple[str, str]] = {"accuracy": (style.PAPER_COLOR, "-"), "probit": (style.COLORS[2], "--")}
    for scale, (color, dash) in styles.items():
        for row in fits[fits["scale"] == scale].to_dict("records"):
            y = linear_fit.from_scale(row["slope"] * linear_fit.to_scale(x, scale) + row["intercept"], scale)
            ax.plot(
                100 * x,
                100 * y,
                color=color,
                ls=dash,
                lw=1.5,
                label=f"linear fit ({scale}), slope {row['slope']:.2f} [{row['slope_low']:.2f}, {row['slope_high']:.2f}]",
            )


def _bars(table: pd.DataFrame, name: str) -> np.ndarray:
    """Return the lengths [2, n] of the error bars below and above."""
    middle = table[f"{name}_percent"]
    return np.stack([middle - table[f"{name}_low_percent"], table[f"{name}_high_percent"] - middle])


def _v4(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["test_set"] == "v4"]
