"""What a run found of a user's own data, in sentences."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from myths.forgetting.confident import MIN_PER_CLASS
from myths.forgetting.pruning import TOO_FEW, nearly_removed

TRUSTED_PERCENT = 70
"""Share of labels predicted by networks that were trained without them, below which the summary warns."""

if TYPE_CHECKING:
    import pandas as pd


def summarize_user_data(tables: Mapping[str, pd.DataFrame]) -> str | None:
    """Say how many examples may be dropped and which are likely mislabeled; None where a run has no own data."""
    table = tables["forgetting"]
    if table.empty:
        return None
    droppable = tables["removal_list_balanced"]
    sentences = []
    for name, rows in table.groupby("dataset", sort=False):
        n, free = len(rows), int(rows["never_forgotten"].sum())
        may = int(droppable[droppable["dataset"] == name]["may_be_dropped"].sum())
        if n < TOO_FEW:
            advice = f"{n} are too few to say which may be dropped ({TOO_FEW} or more are needed)"
        else:
            advice = f"{may:,} of them may be dropped with every class kept (removal_list_balanced.csv, in that order)"
        sentences.append(f"{name}: {free:,} of {n:,} examples were never forgotten; {advice}")
        gone = nearly_removed(rows["label"].tolist(), rows["events"].to_numpy())
        if gone and n >= TOO_FEW:
            some = ", ".join(f"{label} ({left:,} of {all_of_it:,} left)" for label, left, all_of_it in gone[:5])
            more = f" and {len(gone) - 5} more" if len(gone) > 5 else ""
            sentences.append(f"  warning: dropping all of them would remove (nearly) all of {some}{more}")
        sentences += _of_labels(str(name), rows, tables)
    return "\n".join(sentences)


def _of_labels(name: str, rows: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Say which labels are likely wrong, and how well that is known."""
    suspects = ", ".join(_called(one) for one in rows.head(3).to_dict("records"))
    margins = f"  smallest margins: {suspects} … (forgetting.csv, pictures/likely_mislabeled.png)"
    summary, listed = (table if table.empty else table[table["dataset"] == name] for table in (tables["held_out"], tables["label_errors"]))
    if len(rows) < TOO_FEW:
        return [f"  {len(rows)} are too few to list label errors ({TOO_FEW} or more are needed)", margins]
    if summary.empty:
        return [margins]
    about = summary.iloc[0]
    if about["diverged"]:
        return ["  no label errors are listed: a training run diverged", margins]
    how = f"predicted by networks that were trained without them, {about['accuracy_percent']:.1f} % as labeled"
    weak = about["accuracy_percent"] < TRUSTED_PERCENT
    small = rows["label"].value_counts()
    small = small[small < MIN_PER_CLASS]
    note = [f"  not judged, fewer than {MIN_PER_CLASS} examples each: {', '.join(map(str, small.index[:5]))}"] if len(small) else []
    note += ["  do not rely on this: the networks learned too little to judge labels; more images help"] if weak else []
    if listed.empty:
        return [f"  likely label errors: none ({how})", *note, margins]
    first = ", ".join(
        f"{_called(one)} ({one['label']} → {one['predicted']}, {one['confidence']:.0%})" for one in listed.head(3).to_dict("records")
    )
    return [
        f"  likely label errors: {len(listed):,} of {int(about['n']):,} ({how})",
        f"    first: {first} … (label_errors.csv, pictures/likely_mislabeled.png)",
        *note,
    ]


def _called(example: Mapping[Hashable, Any]) -> str:
    return str(example["file"] or f"number {example['index']}")
