"""Figures. Each function takes the tables and returns a matplotlib Figure, or None if there is nothing to plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from myths.dataset_bias.sets import GROUP_NAMES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Tables = Mapping[str, "pd.DataFrame"]

FEATURES = ("hog", "bag of HOG words", "gist", "color thumbnail", "gray thumbnail")
PAPER_PERCENT, PAPER_SETS = 39.0, 12
"""Accuracy and number of datasets in Torralba & Efros 2011."""
ORDER = ("independent", "simulated cameras")
"""Preferred groups of datasets. Default: the first available group."""


def accuracy(tables: Tables) -> Figure | None:
    """Plot the accuracy of dataset classification over the number of training images (2011, Fig. 2, left)."""
    from matplotlib.ticker import FuncFormatter

    from myths.lab.report import style

    table, name = _preferred(tables["accuracy"])
    table = table[(table["transform"] == "none") & ~table["deduplicated"].astype(bool)] if len(table) else table
    if table.empty:
        return None
    figure, ax = style.axes(f"Dataset classification: {_group_title(name)}", "training images per dataset", "accuracy (%)", (7.5, 4.8))
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    for feature, color in zip(FEATURES, (style.MEASURED_COLOR, *style.COLORS[1:5]), strict=True):
        line = table[table["feature"] == feature].sort_values("n_per_set")
        if line.empty:
            continue
        ax.plot(line["n_per_set"], line["accuracy_percent"], "o-", ms=4, lw=1.8, color=color, label=feature)
        ax.fill_between(line["n_per_set"], line["accuracy_low_percent"], line["accuracy_high_percent"], color=color, alpha=0.15, lw=0)
    sets = int(table["n_sets"].iloc[0])
    ax.axhline(100 / sets, color=style.MUTED_COLOR, lw=1, ls=":", label=f"chance, {sets} datasets")
    if name == "independent":
        ax.axhline(PAPER_PERCENT, color=style.PAPER_COLOR, lw=1.2, ls="--", label=f"2011: 39 % of {PAPER_SETS} datasets (chance: 8 %)")
    ax.set_ylim(0, max(60.0, 1.15 * float(table["accuracy_percent"].max())))
    ax.legend(frameon=False, fontsize=9, loc="upper left")
    return figure


def preprocessing_effect(tables: Tables) -> Figure | None:
    """Plot the accuracy for each transform, over random splits (95 % intervals), with chance."""
    from myths.lab.report import style

    table, name = _preferred(tables["accuracy"])
    if table.empty:
        return None
    last = table[table["n_per_set"] == table.groupby("feature")["n_per_set"].transform("max")]
    last = last[(last["feature"] == "hog")]
    last = last.assign(what=last["transform"].where(~last["deduplicated"].astype(bool), "without near-duplicates"))
    if len(last) < 2:
        return None
    last = last.sort_values("accuracy_percent")
    figure, ax = style.axes(
        f"Dataset classification by preprocessing: {_group_title(name)}",
        "accuracy with HOG features (%)",
        "",
        (7.5, 0.45 * len(last) + 2.2),
    )
    labels = [w if w != "none" else "unchanged" for w in last["what"]]
    error = np.nan_to_num(
        np.stack([last["accuracy_percent"] - last["accuracy_low_percent"], last["accuracy_high_percent"] - last["accuracy_percent"]])
    )
    ax.barh(
        labels, last["accuracy_percent"], xerr=error, color=style.MEASURED_COLOR, height=0.6, error_kw={"lw": 1, "ecolor": style.TEXT_COLOR}
    )
    ax.axvline(float(last["chance_percent"].iloc[0]), color=style.PAPER_COLOR, lw=1.2, ls="--", label="chance")
    ax.grid(visible=False, axis="y")
    ax.legend(frameon=False, fontsize=9, loc="lower right")
    return figure


def confusion(tables: Tables) -> Figure | None:
    """Plot the confusion matrix with similar datasets next to each other (2011, Fig. 2, right)."""
    from myths.lab.report import style

    table = tables["confusion"]
    if table.empty:
        return None
    table = table[(table["feature"] == "hog") & (table["transform"] == "none") & ~table["deduplicated"].astype(bool)]
    table, name = _preferred(table, ("all", *ORDER))
    if table.empty:
        return None
    names = list(dict.fromkeys(table["set"]))
    percent = table.pivot(index="set", columns="predicted_set", values="percent").loc[names, names].to_numpy()
    order = clustered(percent)
    side = 0.36 * len(names)
    figure, ax = style.axes(
        f"Confusion of datasets: {_group_title(name)}", "predicted (% of row, HOG features)", "true", (max(side + 3.4, 7.0), side + 2.6)
    )
    _matrix(ax, percent[np.ix_(order, order)], [names[i] for i in order], [names[i] for i in order], "{:.0f}", highest=100)
    return figure


def cross_dataset(tables: Tables) -> Figure | None:
    """Plot the average precision of each dataset's classifier on each dataset, for the paper and for this run."""
    from myths.lab.report import style

    here, paper = tables["cross_dataset"], tables["published_cross_dataset"]
    by_feature = here.groupby(["task", "feature"], sort=False) if len(here) else ()
    panels = [(f"{task}, {'measured' if feature == 'hog' else feature}", group) for (task, feature), group in by_feature]
    if len(paper):
        printed = paper[paper["task"].isin(("car classification", "person classification"))]
        panels = [(f"{task}, 2011", group) for task, group in printed.groupby("task", sort=False)] + panels
    if not len(here):
        return None
    sizes = [max(len(set(group["train_set"])), 3.0) for _, group in panels]
    figure, axes = style.panels([title for title, _ in panels], "tested on", "trained on", (0.62 * sum(sizes) + 2.0 * len(panels), 5.0))
    for ax, (_, group) in zip(axes, panels, strict=True):
        names = list(dict.fromkeys(group["train_set"]))
        ap = group.pivot(index="train_set", columns="test_set", values="ap_percent").loc[names, names].to_numpy()
        _matrix(ax, ap, names, names, "{:.0f}", highest=100)
    figure.suptitle(
        "Cross-dataset average precision (%); in-domain on the diagonal", x=0.02, ha="left", fontsize=12, color=style.TEXT_COLOR
    )
    return figure


def market_value(tables: Tables) -> Figure | None:
    """Plot the market value of each dataset's images on each dataset, with the basket of currencies (2011, Table 3)."""
    from myths.lab.report import style

    here, paper = tables["market_value"], tables["published_market_value"]
    if not len(here):
        return None
    panels = ([("cars, 2011", paper)] if len(paper) else []) + [(f"{t}, measured", g) for t, g in here.groupby("task", sort=False)]
    sizes = [max(len(set(group["target_set"])), 3.0) for _, group in panels]
    figure, axes = style.panels([title for title, _ in panels], "images of", "one image of", (0.7 * sum(sizes) + 2.0 * len(panels), 5.2))
    for ax, (_, group) in zip(axes, panels, strict=True):
        markets = list(dict.fromkeys(group["target_set"]))
        samples = [*markets, "basket"]
        alpha = group.pivot(index="source_set", columns="target_set", values="alpha").loc[samples, markets].to_numpy(dtype=float)
        _matrix(ax, alpha, samples, markets, "{:.2f}", highest=1)
    figure.suptitle(
        "Market value: images of the test set's dataset that one image of another dataset is worth",
        x=0.02,
        ha="left",
        fontsize=12,
        color=style.TEXT_COLOR,
    )
    return figure


def clustered(percent: np.ndarray) -> list[int]:
    """Return an order in which confused datasets are neighbors (average linkage of mutual confusion)."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(percent) < 3:
        return list(range(len(percent)))
    mutual = (percent + percent.T) / 2
    distance = mutual.max() - mutual
    np.fill_diagonal(distance, 0)
    return leaves_list(linkage(squareform(distance, checks=False), "average", optimal_ordering=True)).tolist()


def _preferred(table: pd.DataFrame, order: Sequence[str] = ORDER) -> tuple[pd.DataFrame, str]:
    """Return the rows of the group of datasets to plot, and its name."""
    if table.empty:
        return table, ""
    lists = list(dict.fromkeys(table["set_group"]))
    own = [name for name in lists if name not in ("cars", *GROUP_NAMES.values())]
    name = next((n for n in (*own, *order) if n in lists), lists[0])
    return table[table["set_group"] == name], str(name)


def _matrix(ax: Axes, values: np.ndarray, rows: Sequence[str], columns: Sequence[str], form: str, highest: float) -> None:
    from myths.lab.report import style

    ax.imshow(np.ma.masked_invalid(values), cmap="Blues", vmin=0, vmax=highest, aspect="equal")
    for i, j in np.ndindex(*values.shape):
        word = "?" if np.isnan(values[i, j]) else form.format(values[i, j])
        ax.text(j, i, word, ha="center", va="center", fontsize=8, color="white" if values[i, j] > 0.6 * highest else style.TEXT_COLOR)
    ax.set_xticks(range(len(columns)), [_short(c) for c in columns], rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    ax.set_yticks(range(len(rows)), [_short(r) for r in rows], fontsize=8)
    ax.grid(visible=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _group_title(name: str) -> str:
    """Return the name of a group, shortened for a title."""
    words = {"independent": "ten independent datasets", "all": "all datasets, including related ones"}.get(name, name)
    return words if len(words) <= 40 else words[:39] + "…"


def _short(name: str) -> str:
    return name.replace("_", " ").replace(" 1per class", "").replace(" 10cls", "")
