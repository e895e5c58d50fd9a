"""Figures of myth 6. Each function takes the tables and returns a matplotlib Figure, or None if there is nothing to plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, get_args

from myths.lightweight_conv.layer_names import Layer

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Tables = Mapping[str, "pd.DataFrame"]

LAYERS: tuple[str, ...] = get_args(Layer)
NAMES = {
    "attention": "self-attention",
    "attention-materialized": "self-attention, as in 2019",
    "attention-window": "self-attention, window",
    "dense-conv": "dense, kernel size 3",
    "depthwise": "depthwise, kernel size 3",
    "increasing-kernel": "+ increasing kernels",
    "dropconnect": "+ DropConnect",
    "shared-kernel": "+ shared kernels",
    "lightweight": "+ softmax = LightConv",
    "dynamic": "+ dynamic = DynamicConv",
    "dynamic-no-softmax": "DynamicConv, no softmax",
}


def quality(tables: Tables) -> Figure | None:
    """Plot BLEU (mean and standard deviation over seeds) against the number of parameters and the decoding speed."""
    from myths.lab.report import style

    table = _first_test(tables["ablation"])
    if table is None:
        return None
    speed = _decoding_speed(tables["decoding"])
    sizes = {row["layer"]: 1e-6 * row["parameters"] for row in table.to_dict("records")}
    axes = [("BLEU against size", sizes, "million parameters")]
    if speed:
        axes.append(("BLEU against speed", speed, "sentences per second (random weights)"))
    figure, panels = style.panels([""] * len(axes), "", "BLEU", (5.5 * len(axes), 4.8))
    data = f"{table['dataset'].iloc[0]}, {table['test_set'].iloc[0]}"
    for ax, (title, places, unit) in zip(panels, axes, strict=True):
        for layer, line in _by_layer(table):
            row = line.iloc[0]
            spread = row["bleu_std"] if row["bleu_std"] == row["bleu_std"] else 0
            if layer in places:
                ax.errorbar(
                    places[layer], row["bleu"], yerr=spread, fmt=_marker(layer), ms=7, capsize=3, color=_color(layer),
                    label=f"{_name(layer)}, {row['seeds']} seeds",
                )  # fmt: skip
        ax.set_title(title, loc="left")
        ax.set_title(data, loc="right", fontsize=8, color=style.MUTED_COLOR)
        ax.set_xlabel(unit)
    panels[-1].legend(frameon=False, fontsize=8)
    return figure


def _decoding_speed(decoding: pd.DataFrame) -> dict[str, float]:
    """Return the sentences per second of each layer at the shortest decoded length, as the median over seeds."""
    if decoding.empty or "sentences_per_second" not in decoding:
        return {}
    shortest = decoding[decoding["length"] == decoding["length"].min()].dropna(subset=["sentences_per_second"])
    return shortest.groupby("layer")["sentences_per_second"].median().to_dict()


def time_against_length(tables: Tables) -> Figure | None:
    """Plot the time per token against the length, with one panel per scope and direction."""
    return _against_length(tables, "microseconds_per_token", "time per token (µs)", 1.0)


def memory_against_length(tables: Tables) -> Figure | None:
    """Plot the peak memory of one call against the length, with one panel per scope and direction."""
    return _against_length(tables, "peak_bytes", "peak memory (MB)", 1e-6)


def ablation(tables: Tables) -> Figure | None:
    """Plot the BLEU difference of each layer from self-attention, measured and in the paper."""
    import numpy as np

    from myths.lab.report import style

    table = _first_test(tables["ablation"])
    if table is None or "attention" not in set(table["layer"]) or len(table) < 3:
        return None
    table = table[table["layer"] != "attention-materialized"]
    layers = [layer for layer in LAYERS if layer in set(table["layer"])]
    rows = table.drop_duplicates("layer").set_index("layer").loc[layers]
    size = (8.5, 0.45 * len(layers) + 1.8)
    figure, ax = style.axes("BLEU difference from self-attention", "BLEU difference", "", size)
    place = np.arange(len(layers))
    for side, prefix, label, color in ((-0.2, "", "measured", style.MEASURED_COLOR), (0.2, "paper_", "paper (WMT)", style.PAPER_COLOR)):
        bleu, std = rows[f"{prefix}bleu"], rows[f"{prefix}bleu_std"].fillna(0)
        difference = (bleu - bleu["attention"]).fillna(0)
        ax.barh(place + side, difference, 0.36, xerr=std, color=color, ecolor=style.TEXT_COLOR, label=label)
    for at, layer in zip(place, layers, strict=True):
        if rows.loc[layer, "diverged"]:
            ax.text(0, at - 0.2, f" {rows.loc[layer, 'diverged']} of {rows.loc[layer, 'seeds']} diverged", va="center", fontsize=8)
    ax.set_yticks(place, [NAMES[layer] for layer in layers])
    ax.invert_yaxis()
    ax.axvline(0, color=style.TEXT_COLOR, lw=1)
    ax.legend(frameon=False, fontsize=9)
    return figure


def bleu_against_updates(tables: Tables) -> Figure | None:
    """Plot BLEU (mean and standard deviation over seeds) against the number of updates of the training run."""
    from myths.lab.report import style

    table = tables["ablation"]
    if table.empty or table["bleu"].isna().all():
        return None
    table = table[(table["dataset"] == table["dataset"].iloc[0]) & (table["test_set"] == table["test_set"].iloc[0])]
    figure, ax = style.axes("BLEU against the length of training", "updates (each point: own schedule)", "BLEU", (6.5, 4.4))
    for layer, group in _by_layer(table.sort_values("updates")):
        ax.errorbar(
            group["updates"], group["bleu"], yerr=group["bleu_std"].fillna(0), fmt=_marker(layer) + "-", ms=5, capsize=3,
            color=_color(layer), label=_name(layer),
        )  # fmt: skip
    ax.legend(frameon=False, fontsize=8)
    return figure


def recall(tables: Tables) -> Figure | None:
    """Plot the percentage of recalled values of each model and seed, with one panel per gap between pairs and queries."""
    from myths.lab.report import style

    table = tables["recall"]
    if table.empty or "accuracy_percent" not in table:
        return None
    table = table[~table["candidate"]].dropna(subset=["accuracy_percent"])
    gaps = sorted(table["gap"].unique(), reverse=True)
    if not gaps:
        return None
    titles = [f"{gap} tokens between pairs and queries" for gap in gaps]
    figure, panels = style.panels(titles, "", "recalled values (%)", (5.0 * len(gaps), 4.0))
    for ax, gap in zip(panels, gaps, strict=True):
        models = table[table["gap"] == gap].groupby("layers", sort=False)["accuracy_percent"]
        for place, (layers, percent) in enumerate(models):
            last = str(layers).split(", ")[-1]
            ax.plot([place] * len(percent), percent, _marker(last), ms=6, alpha=0.6, color=_color(str(layers).split(", ")[0]))
        ax.set_xticks(range(len(models)), [str(layers).replace(", ", "\n") for layers, _ in models])
        ax.set_xlim(-0.5, len(models) - 0.5)
        ax.set_ylim(0, 103)
    return figure


def learned_kernels(tables: Tables) -> Figure | None:
    """Plot the learned kernels by head and offset, with one panel per layer of the model."""
    from myths.lab.report import style

    table = tables["learned_kernels"]
    if table.empty:
        return None
    table = table[table["dataset"] == table["dataset"].iloc[0]]
    chosen = [(key, group) for key, group in table.groupby(["layer", "stack", "layer_index"], sort=False)]
    titles = [f"{_name(str(layer))}, {stack} {int(index) + 1}" for (layer, stack, index), _ in chosen]
    figure, panels = style.panels(titles, "offset (positions)", "head", (2.5 * len(chosen) + 0.6, 3.0))
    for ax, (_, group) in zip(panels, chosen, strict=True):
        grid = group.pivot_table(index="head", columns="offset", values="weight")
        image = ax.pcolormesh(grid.columns, grid.index, grid.to_numpy(), cmap="Blues", shading="nearest", vmin=0)
        ax.grid(visible=False)
        ax.axvline(0, color=style.PAPER_COLOR, lw=0.8, ls=":")
        ax.set_yticks(list(grid.index))
        ax.invert_yaxis()
        ax.title.set_fontsize(8.5)
        ax.set_title(ax.get_title("left"), loc="left", fontsize=8.5)
        figure.colorbar(image, ax=ax, orientation="horizontal", shrink=0.8, pad=0.02)
    for ax in panels[1:]:
        ax.set_ylabel("")
    return figure


def _against_length(tables: Tables, column: str, quantity: str, scale: float) -> Figure | None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    from myths.lab.report import style

    table = tables["speed"]
    if table.empty or column not in table:
        return None
    table = table[(table["status"] == "ok") & (table["dtype"] == table["dtype"].iloc[0]) & (table["causal"] == table["causal"].iloc[0])]
    table = table.dropna(subset=[column])
    views = [(s, d) for s in ("layer", "block") for d in ("forward", "training") if len(_view(table, s, d))]
    if not views:
        return None
    titles = [f"{scope}, {direction}" for scope, direction in views]
    figure, panels = style.panels(titles, "positions", quantity, (3.6 * len(views) + 0.8, 4.4))
    for ax, (scope, direction) in zip(panels, views, strict=True):
        for layer, group in _by_layer(_view(table, scope, direction)):
            median = scale * group.groupby("length")[column].median()
            ax.plot(median.index, median, _marker(layer) + "-", ms=4, lw=1.5, color=_color(layer), label=_name(layer))
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
    panels[0].legend(frameon=False, fontsize=8)
    for ax in panels[1:]:
        ax.set_ylabel("")
    return figure


def _view(table: pd.DataFrame, scope: str, direction: str) -> pd.DataFrame:
    return table[(table["scope"] == scope) & (table["direction"] == direction)]


def _first_test(table: pd.DataFrame) -> pd.DataFrame | None:
    """Return the rows of the first dataset and test set, in the setting with the most layers."""
    if table.empty:
        return None
    table = table[(table["dataset"] == table["dataset"].iloc[0]) & (table["test_set"] == table["test_set"].iloc[0])]
    layers = table.groupby("updates")["layer"].nunique()
    table = table[table["updates"] == layers.idxmax()]
    return None if table["bleu"].isna().all() else table


def _by_layer(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(layer, table[table["layer"] == layer]) for layer in LAYERS if layer in set(table["layer"])]


def _name(layer: str) -> str:
    return NAMES[layer].split("= ")[-1]


def _color(layer: str) -> str:
    from myths.lab.report import style

    fixed = {"attention": style.TEXT_COLOR, "attention-materialized": style.COLORS[7], "attention-window": style.COLORS[1]}
    fixed |= {"lightweight": style.COLORS[2], "dynamic": style.MEASURED_COLOR}
    return fixed.get(layer, style.COLORS[3 + LAYERS.index(layer) % 4])


def _marker(layer: str) -> str:
    return "s" if layer.startswith("attention") else "o"
