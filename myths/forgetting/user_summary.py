"""Summary of the results on datasets of the user, printed after a run."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from myths.forgetting.balanced_pruning import MIN_EXAMPLES, nearly_removed
from myths.forgetting.confident_learning import MIN_PER_CLASS

if TYPE_CHECKING:
    import pandas as pd

MIN_ACCURACY_PERCENT = 70
"""Held-out accuracy below which the summary warns that label errors are unreliable."""


def summarize_user_data(tables: Mapping[str, pd.DataFrame]) -> str | None:
    """Return how many examples can be pruned and which labels are likely wrong, or None if the run has no dataset of the user."""
    table = tables["user_examples"]
    if table.empty:
        return None
    balanced = tables["pruning_list_balanced"]
    lines = []
    for name, rows in table.groupby("dataset", sort=False):
        n, never_forgotten = len(rows), int(rows["never_forgotten"].sum())
        prunable = int(balanced[balanced["dataset"] == name]["prunable"].sum())
        if n < MIN_EXAMPLES:
            advice = f"pruning needs at least {MIN_EXAMPLES} examples"
        else:
            advice = f"{prunable:,} of them can be pruned while every class is kept (pruning_list_balanced.csv, in this order)"
        lines.append(f"{name}: {never_forgotten:,} of {n:,} examples were never forgotten; {advice}")
        removed = nearly_removed(rows["label"].tolist(), rows["events"].to_numpy())
        if removed and n >= MIN_EXAMPLES:
            some = ", ".join(f"{label} ({remaining:,} of {size:,} left)" for label, remaining, size in removed[:5])
            more = f" and {len(removed) - 5} more" if len(removed) > 5 else ""
            lines.append(f"  warning: pruning all of them would remove (nearly) all of {some}{more}")
        lines += _label_error_lines(str(name), rows, tables)
    return "\n".join(lines)


def _label_error_lines(name: str, rows: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the likely label errors and how reliable they are."""
    smallest = ", ".join(_example_name(example) for example in rows.head(3).to_dict("records"))
    margins = f"  smallest margins: {smallest} … (user_examples.csv, pictures/likely_mislabeled.png)"
    summary, listed = (table if table.empty else table[table["dataset"] == name] for table in (tables["held_out"], tables["label_errors"]))
    if len(rows) < MIN_EXAMPLES:
        return [f"  label errors are not listed: at least {MIN_EXAMPLES} examples are needed, {name} has {len(rows)}", margins]
    if summary.empty:
        return [margins]
    held_out = summary.iloc[0]
    if held_out["diverged"]:
        return ["  label errors are not listed: a training run diverged", margins]
    method = f"held-out predictions, {held_out['accuracy_percent']:.1f} % as labeled"
    sizes = rows["label"].value_counts()
    small = sizes[sizes < MIN_PER_CLASS]
    notes = [f"  not judged, fewer than {MIN_PER_CLASS} examples each: {', '.join(map(str, small.index[:5]))}"] if len(small) else []
    if held_out["accuracy_percent"] < MIN_ACCURACY_PERCENT:
        notes.append(f"  unreliable: held-out accuracy is below {MIN_ACCURACY_PERCENT} %; add more images")
    if listed.empty:
        return [f"  likely label errors: none ({method})", *notes, margins]
    first = ", ".join(
        f"{_example_name(one)} ({one['label']} → {one['predicted']}, {one['confidence']:.0%})" for one in listed.head(3).to_dict("records")
    )
    return [
        f"  likely label errors: {len(listed):,} of {int(held_out['n']):,} ({method})",
        f"    first: {first} … (label_errors.csv, pictures/likely_mislabeled.png)",
        *notes,
    ]


def _example_name(example: Mapping[Hashable, Any]) -> str:
    return str(example["file"] or f"example {example['index']}")
