"""Tables of the results. Column names carry the unit (percent); times are in units of τ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from myths.lab.estimate import student_t
from myths.lab.storage.store import Results
from myths.lab.tables import provenance_columns, rows_of_kind
from myths.order.trials import CompareOrders, DrawTrees, FindCategory, FindItemModes, LearnModes, LearnTree, ThinSuperclass, TrackImages

if TYPE_CHECKING:
    import pandas as pd


def linear_starts(results: Results) -> pd.DataFrame:
    """Return one row per start: exponent of the half-way time, rank correlation, and whether the modes are learned in order."""
    return rows_of_kind(_linear(results), "start")


def linear_modes(results: Results) -> pd.DataFrame:
    """Return one row per mode of a training run: half-way time, and the theory of balanced starts."""
    return rows_of_kind(_linear(results), "mode")


def linear_courses(results: Results) -> pd.DataFrame:
    """Return the strength of each mode of the first start over time."""
    return rows_of_kind(_linear(results), "course")


def plateaus(results: Results) -> pd.DataFrame:
    """Return the losses at the minima of the gradient's norm, with the level that the theory predicts."""
    return rows_of_kind(_linear(results), "plateau")


def tree_levels(results: Results) -> pd.DataFrame:
    """Return the singular value of each level of a tree beside its formula."""
    return results.frame(DrawTrees)


def tree_draws(results: Results) -> pd.DataFrame:
    """Return one row per tree that networks learned: the order of its levels, and excursions in the wrong direction."""
    return rows_of_kind(results.frame(LearnTree), "tree")


def tree_times(results: Results) -> pd.DataFrame:
    """Return the half-way time of each level, averaged over trees."""
    return rows_of_kind(results.frame(LearnTree), "level")


def tree_courses(results: Results) -> pd.DataFrame:
    """Return the progress of each level over time, averaged over trees."""
    return rows_of_kind(results.frame(LearnTree), "course")


def tree_illusions(results: Results) -> pd.DataFrame:
    """Return the output over time for a property that contradicts its branch, relative to its final value."""
    return rows_of_kind(results.frame(LearnTree), "illusion")


def category_draws(results: Results) -> pd.DataFrame:
    """Return one row per table with a hidden category: overlaps of the first singular vectors beside the curve."""
    return results.frame(FindCategory)


def categories(results: Results) -> pd.DataFrame:
    """Return the mean overlap per coherence with Student's t interval over tables, beside the curve."""
    import pandas as pd

    drawn = category_draws(results)
    if drawn.empty:
        return drawn
    names = ["dataset", "noise", "q", "objects", "properties", "category_objects", "category_properties", "coherence", "protocol", "device"]
    rows: list[dict[str, Any]] = []
    for setting, group in drawn.groupby(names, sort=True):
        row: dict[str, Any] = dict(zip(names, setting, strict=True)) | {"tables": len(group)}
        for what in ("overlap_objects", "overlap_properties", "singular_value"):
            found = student_t(group[what].to_numpy(), "seeds")
            row |= {
                what: found.value,
                f"{what}_low": found.low,
                f"{what}_high": found.high,
                f"expected_{what}": group[f"expected_{what}"].iloc[0],
            }
        rows.append(row | provenance_columns(group))
    return pd.DataFrame(rows)


def item_modes(results: Results) -> pd.DataFrame:
    """Return the modes of tables of items: singular value, time, and the items on both sides."""
    return rows_of_kind(results.frame(FindItemModes), "mode")


def item_categories(results: Results) -> pd.DataFrame:
    """Return the coherence of the categories of tables of items."""
    return rows_of_kind(results.frame(FindItemModes), "category")


def checkpoints(results: Results) -> pd.DataFrame:
    """Return one row per checkpoint of a training run: accuracy, κ of superclasses and of random groupings, errors inside superclasses."""
    return _finished(rows_of_kind(results.frame(TrackImages), "checkpoint"), training_runs(results))


def training_runs(results: Results) -> pd.DataFrame:
    """Return one row per training run: final accuracy and seconds."""
    return rows_of_kind(results.frame(TrackImages), "summary")


def superclasses(results: Results) -> pd.DataFrame:
    """Return one row per training run: the first checkpoint at which the accuracy of classes is a quarter of its final value.

    ``margin`` is κ of the superclasses minus the mean κ of the random groupings.
    """
    table = checkpoints(results)
    if table.empty or "superclass_kappa" not in table:
        return table.iloc[:0]
    table = table.dropna(subset=["superclass_kappa"])
    reached = table[table["accuracy_percent"] >= 0.25 * table["final_accuracy_percent"]]
    first = reached.sort_values("step").groupby("trials", sort=False).head(1).copy()
    first["margin"] = first["superclass_kappa"] - first["random_kappa"]
    return first


def thinned_superclasses(results: Results) -> pd.DataFrame:
    """Return one row per thinned superclass: the fraction of the others that are learned before it, with all images and after thinning."""
    return rows_of_kind(results.frame(ThinSuperclass), "thinned")


def superclass_scores(results: Results) -> pd.DataFrame:
    """Return the mean score of each superclass with all training images, and after one superclass has been thinned."""
    return rows_of_kind(results.frame(ThinSuperclass), "superclass")


def orders(results: Results) -> pd.DataFrame:
    """Return one row per pair of networks, or of groups of networks: Spearman's ρ of their scores of images."""
    return rows_of_kind(_compared(results), "order")


def joint_scores(results: Results) -> pd.DataFrame:
    """Return the number of images by their scores in two networks, rounded to tenths."""
    return rows_of_kind(_compared(results), "joint")


# --- parts of tables -------------------------------------------------------------------------------


def _linear(results: Results) -> pd.DataFrame:
    return results.frame(LearnModes, modes=lambda trial: len(trial.singular_values))


def _compared(results: Results) -> pd.DataFrame:
    columns = {name: (lambda trial, name=name: trial.setting[name]) for name in CompareOrders.test_instance().setting}
    return results.frame(CompareOrders, **columns, pair=lambda trial: trial.first[0].seed)  # runs with other seeds have other pairs


def _finished(table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return checkpoints with the final accuracy of their training run."""
    if table.empty:
        return table
    final = runs.set_index("trials")["accuracy_percent"]
    return table.assign(final_accuracy_percent=table["trials"].map(final))
