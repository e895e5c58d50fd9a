"""Figures of myth 9. Each function takes the tables and returns a figure, or None if a table that it needs is empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from myths.order.coherence import overlap_curve

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_COMPARISONS = 4
SHORT_NAMES = {"small_cnn": "CNN", "mnist_cnn": "CNN", "mlp": "MLP", "resnet8": "ResNet", "resnet18": "ResNet", "patch_transformer": "ViT"}

Tables = Mapping[str, "pd.DataFrame"]

NETWORK_NAMES = {"linear": "deep linear network", "relu": "hidden layer of ReLU", "shallow": "no hidden layer"}
LEVEL_NAMES = ("mean of all items", "halves", "quarters", "eighths", "siblings")
"""What the levels of a tree of 16 items separate."""


def theory_and_simulation(tables: Tables) -> Figure | None:
    """Plot the strength of four modes over time from a balanced start, with the exact solution, and from two random starts."""
    from myths.lab.report import style
    from myths.order.deep_linear import theory

    table = tables["linear_courses"]
    if table.empty:
        return None
    table = table[(table["modes"] == 4) & (table["layers"] == 2)]
    random = sorted(table[table["start"] == "random"]["scale"].unique())
    chosen = [("balanced", 1e-3), *(("random", scale) for scale in random if scale in (1e-3, 2.0))]
    names = [f"{start} start, {'a₀' if start == 'balanced' else 'scale'} = {scale:g}" for start, scale in chosen]
    figure, panels = style.panels(names, "time (τ)", "strength of the mode", (3.6 * len(names) + 0.6, 4.2))
    for ax, (start, scale) in zip(panels, chosen, strict=True):
        group = table[(table["start"] == start) & (table["scale"] == scale)]
        group = group[group["step"] == group["step"].min()]
        for mode, one in group.groupby("mode"):
            ax.plot(one["time"], one["strength"], color=style.COLORS[int(mode) - 1], lw=2, label=f"s = {5 - int(mode)}")
            if start == "balanced":
                at = np.linspace(0, one["time"].max(), 25)
                ax.plot(
                    at, theory(at, 5.0 - int(mode), scale), "o", ms=3.5, mfc="none", color=style.TEXT_COLOR, label="theory" * (mode == 4)
                )
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8)
    for ax in panels[1:]:
        ax.set_ylabel("")
    return figure


def lost_order(tables: Tables) -> Figure | None:
    """Plot the percentage of random starts that learn the modes in the order of their singular values against the scale of the start."""
    from myths.lab.estimate import clopper_pearson
    from myths.lab.report import style

    table = tables["linear_starts"]
    if table.empty:
        return None
    table = table[(table["start"] == "random") & (table["layers"] == 2) & (table["modes"] == 4)]
    if table["scale"].nunique() < 2:
        return None
    groups = [(float(scale), group["in_order"].astype(bool)) for scale, group in table.groupby("scale")]
    found = [clopper_pearson(int(ordered.sum()), len(ordered), "seeds").affine(100) for _, ordered in groups]
    figure, ax = style.axes("Networks that learn the modes in order", "scale of the random start", "networks (%)", (6.4, 4.2))
    values, scales = [each.value for each in found], [scale for scale, _ in groups]
    bars = ([each.value - each.low for each in found], [each.high - each.value for each in found])
    ax.errorbar(scales, values, yerr=bars, fmt="o-", capsize=2, color=style.MEASURED_COLOR, label=f"{len(groups[0][1])} starts each")
    ax.axhline(100 / 24, color=style.MUTED_COLOR, lw=1, label="chance: one of 24 orders")
    ax.set_xscale("log")
    ax.set_ylim(-3, 103)
    ax.legend(frameon=False, fontsize=9)
    return figure


def tree_levels(tables: Tables) -> Figure | None:
    """Plot the progress of each level of a tree of 16 items over time, for each kind of network."""
    from myths.lab.report import style

    table = tables["tree_courses"]
    if table.empty:
        return None
    table = table[(table["depth"] == 4) & (table["leaf_repeats"] == 0)]
    kinds = [kind for kind in NETWORK_NAMES if kind in set(table["network"])]
    if not kinds:
        return None
    figure, panels = style.panels([NETWORK_NAMES[k] for k in kinds], "time (τ)", "progress of the level", (3.4 * len(kinds) + 0.6, 3.9))
    for ax, kind in zip(panels, kinds, strict=True):
        for level, one in table[table["network"] == kind].groupby("level"):
            ax.plot(one["time"], one["progress"], color=style.COLORS[int(level)], lw=2, label=LEVEL_NAMES[int(level)])
        ax.axhline(0.5, color=style.MUTED_COLOR, lw=1, ls=":")
    panels[-1].legend(frameon=False, fontsize=8, loc="lower right")
    for ax in panels[1:]:
        ax.set_ylabel("")
    return figure


def tree_times(tables: Tables) -> Figure | None:
    """Plot a tree of 16 items whose branches part when a network has learned half of their level, for each kind of network."""
    from myths.lab.report import style

    table = tables["tree_times"]
    if table.empty:
        return None
    table = table[(table["depth"] == 4) & (table["leaf_repeats"] == 0)].dropna(subset=["half_time"])
    times = {kind: group.set_index("level")["half_time"] for kind, group in table.groupby("network")}
    kinds = [kind for kind in NETWORK_NAMES if kind in times and len(times[kind]) == 5]
    if not kinds:
        return None
    figure, panels = style.panels(
        [NETWORK_NAMES[k] for k in kinds], "time at which branches part (τ)", "item", (3.4 * len(kinds) + 0.6, 3.9)
    )
    end = 1.1 * max(float(times[kind].max()) for kind in kinds)
    for ax, kind in zip(panels, kinds, strict=True):
        _draw_tree(ax, [float(times[kind][level]) for level in range(5)], end)
        ax.set_xlim(0, end)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8)
    for ax in panels[1:]:
        ax.set_ylabel("")
    return figure


def _draw_tree(ax: Axes, times: list[float], end: float) -> None:
    """Draw a binary tree whose nodes of level l part at ``times[l]``. Before ``times[0]``, the mean of all items is not learned."""
    from myths.lab.report import style

    depth = len(times) - 1
    ax.plot([times[0]], [2 ** (depth - 1) + 0.5], "o", ms=5, color=style.COLORS[0], label=LEVEL_NAMES[0])
    for level in range(1, depth + 1):
        width = 2 ** (depth - level)
        for node in range(2**level):
            at, parent = (node + 0.5) * width + 0.5, (node // 2 + 0.5) * 2 * width + 0.5
            until = times[level + 1] if level < depth else end
            ax.plot([times[level], times[level], until], [parent, at, at], color=style.COLORS[level], lw=1.5,
                    label=LEVEL_NAMES[level] if node == 0 else None)  # fmt: skip
    ax.plot([times[0], times[1]], [2 ** (depth - 1) + 0.5] * 2, color=style.COLORS[0], lw=1.5)
    ax.set_yticks(range(1, 2**depth + 1, 5))


def illusion(tables: Tables) -> Figure | None:
    """Plot the output for one property that contradicts its branch over time, for each kind of network."""
    from myths.lab.report import style

    table = tables["tree_illusions"]
    if table.empty:
        return None
    table = table[(table["depth"] == 4) & (table["leaf_repeats"] == 0)]
    kinds = [kind for kind in NETWORK_NAMES if kind in set(table["network"])]
    if not kinds:
        return None
    title = "A property that the item does not share with its branch"
    figure, ax = style.axes(title, "time (τ)", "output / final value", (6.8, 4.2))
    for kind, color in zip(kinds, style.COLORS, strict=False):
        one = table[table["network"] == kind]
        ax.plot(one["time"], one["output"], color=color, lw=2, label=NETWORK_NAMES[kind])
    ax.axhline(0, color=style.MUTED_COLOR, lw=1)
    ax.axhline(1, color=style.MUTED_COLOR, lw=1, ls=":", label="final value")
    ax.legend(frameon=False, fontsize=8)
    return figure


def coherence(tables: Tables) -> Figure | None:
    """Plot the overlap of the first mode with a category against its coherence, with the exact curve, and the blue things."""
    from myths.lab.report import style

    table = tables["categories"]
    if table.empty:
        return None
    figure, ax = style.axes(
        "Overlap of the first mode with a category", "coherence C of the category", "squared overlap with its objects", (6.8, 4.4)
    )
    at = np.linspace(0, 3.2, 300)
    ax.plot(at, [overlap_curve(c, 0.25)[0] for c in at], color=style.PAPER_COLOR, lw=1.5, label="curve for large tables")
    kinds = {
        "Gaussian noise": (table["noise"] == "gaussian", "o", style.COLORS[0]),
        "Bernoulli noise, q = 0.5": ((table["noise"] == "bernoulli") & (table["category_properties"] > 1), "s", style.COLORS[2]),
        "one property in common (40 and 160 blue things of 400)": (table["category_properties"] == 1, "D", style.COLORS[4]),
    }
    for label, (chosen, marker, color) in kinds.items():
        rows = table[chosen]
        if len(rows):
            bars = (rows["overlap_objects"] - rows["overlap_objects_low"], rows["overlap_objects_high"] - rows["overlap_objects"])
            ax.errorbar(rows["coherence"], rows["overlap_objects"], yerr=bars, fmt=marker, ms=5, capsize=2, color=color, label=label)
    ax.axvline(1, color=style.MUTED_COLOR, lw=1, ls=":")
    ax.legend(frameon=False, fontsize=8)
    return figure


def superclasses(tables: Tables) -> Figure | None:
    """Plot κ of classes, superclasses and random groupings over training, and the percentage of errors inside the superclass."""
    from matplotlib.ticker import FuncFormatter

    from myths.lab.report import style

    table = tables["checkpoints"]
    if table.empty or "superclass_kappa" not in table:
        return None
    table = table.dropna(subset=["superclass_kappa"])
    titles = ["Classes, superclasses and random groupings", "Errors inside the true superclass"]
    figure, (left, right) = style.panels(titles, "updates", "", (9.6, 4.2))
    mean = table.groupby("step")[["kappa", "superclass_kappa", "random_kappa", "largest_random_kappa", "errors_inside_percent"]].mean()
    lines = {"superclass_kappa": "superclasses", "largest_random_kappa": "best random grouping", "random_kappa": "random groupings, mean",
             "kappa": "classes"}  # fmt: skip
    for (column, label), color in zip(lines.items(), style.COLORS, strict=False):
        left.plot(mean.index, mean[column], color=color, lw=2, label=label)
    right.plot(mean.index, mean["errors_inside_percent"], color=style.MEASURED_COLOR, lw=2)
    if set(table["dataset"]) == {"cifar100"}:
        right.axhline(100 * 4 / 99, color=style.MUTED_COLOR, lw=1)
        right.annotate("chance: 4 of 99 classes", (mean.index.min(), 100 * 4 / 99), fontsize=8, va="top", color=style.MUTED_COLOR)
    for ax, label in ((left, "κ (accuracy above chance)"), (right, "of all errors (%)")):
        ax.set_xscale("log")
        ax.set_ylabel(label)
        ax.set_ylim(bottom=min(0, ax.get_ylim()[0]))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    left.legend(frameon=False, fontsize=8)
    return figure


def thinned_superclass(tables: Tables) -> Figure | None:
    """Plot the mean score of each superclass with all training images and after one of them has been thinned; one panel per network."""
    from myths.lab.report import style

    table = tables["superclass_scores"]
    if table.empty:
        return None
    seeds = sorted(table["seed"].unique())[:3]
    thinned = table[table["is_thinned"]].set_index("seed")["name"]
    titles = [f"seed {seed}\nthinned: {thinned[seed]}" for seed in seeds]
    figure, panels = style.panels(titles, "training images", "mean score of the test images", (3.4 * len(seeds) + 0.6, 4.4))
    for ax, seed in zip(panels, seeds, strict=True):
        for row in table[table["seed"] == seed].sort_values("is_thinned").to_dict("records"):
            color, width, alpha = (style.PAPER_COLOR, 2.5, 1.0) if row["is_thinned"] else (style.MUTED_COLOR, 1.0, 0.6)
            ax.plot((0, 1), (row["score_all_images"], row["score_thinned"]), "o-", ms=3.5, lw=width, color=color, alpha=alpha)
        ax.set_title(ax.get_title("left"), loc="left", fontsize=9.5, fontweight="bold", color=style.TEXT_COLOR, pad=10)
        ax.set_xticks((0, 1), ("all", "one superclass thinned"))
        ax.set_xlim(-0.3, 1.5)
        ax.set_ylim(bottom=0)
    for ax in panels[1:]:
        ax.set_ylabel("")
    panels[0].plot([], [], color=style.PAPER_COLOR, lw=2.5, label="the thinned superclass")
    panels[0].plot([], [], color=style.MUTED_COLOR, lw=1, label="the other superclasses")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    return figure


def image_orders(tables: Tables) -> Figure | None:
    """Plot the scores of the same images in the two networks of the first pair, for four comparisons. Area: number of images."""
    from myths.lab.report import style

    joint, orders = tables["joint_scores"], tables["orders"]
    if joint.empty:
        return None
    columns = ["labels", "inputs", "networks", "followed"]
    joint, orders = (table[(table["pair"] == table["pair"].min()) & (table["group_size"] == 1)] for table in (joint, orders))
    found = {key: group for key, group in joint.groupby(columns) if not (key[0] == "true" and key[3] == "train")}
    chosen = sorted(found, key=lambda key: (key[0] != "true", key[1] == "noise", " and " in key[2]))[:MAX_COMPARISONS]
    if not chosen:
        return None
    rho = dict(orders.dropna(subset=["spearman"]).set_index(columns)["spearman"]) if "spearman" in orders else {}
    titles = [_title_of_orders(key, rho.get(key)) for key in chosen]
    figure, panels = style.panels(titles, "score in network 1", "score in network 2", (3.3 * len(chosen) + 0.6, 4.2))
    for ax, key in zip(panels, chosen, strict=True):
        _draw_joint(ax, found[key])
    for ax in panels[1:]:
        ax.set_ylabel("")
    return figure


def _title_of_orders(key: tuple[str, str, str, str], rho: float | None) -> str:
    """Return three lines: the networks, the images and labels, and Spearman's ρ."""
    labels, inputs, networks, followed = key
    names = [SHORT_NAMES.get(name, name) for name in networks.split(" and ")]
    which = f"two {names[0]}s" if len(names) == 1 else " and ".join(names)
    what = f"noise, labels {labels}" if inputs == "noise" else f"{followed} images, {labels} labels"
    return f"{which}\n{what.replace('shuffled twice labels', 'labels shuffled twice')}\nρ = " + ("–" if rho is None else f"{rho:.2f}")


def _draw_joint(ax: Axes, group: pd.DataFrame) -> None:
    from myths.lab.report import style

    area = group["images"] / group["images"].max()
    ax.scatter(group["first_score"], group["second_score"], s=4 + 320 * area, color=style.MEASURED_COLOR, alpha=0.6, lw=0)
    ax.plot([0, 1], [0, 1], color=style.MUTED_COLOR, lw=1, zorder=0)
    ax.set_title(ax.get_title("left"), loc="left", fontsize=9.5, fontweight="bold", color=style.TEXT_COLOR, pad=10)
