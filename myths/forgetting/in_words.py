"""What a run found of a user's own data, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from myths.forgetting.pruning import TOO_FEW, nearly_removed

if TYPE_CHECKING:
    import pandas as pd


def of_own_data(tables: Mapping[str, pd.DataFrame]) -> str | None:
    """Say how many examples may be dropped and which are likely mislabeled; None where a run has no own data."""
    table = tables["forgetting"]
    if table.empty:
        return None
    droppable = tables["removal_list_balanced"]
    sentences = []
    for name, rows in table.groupby("dataset", sort=False):
        n, free = len(rows), int(rows["never_forgotten"].sum())
        may = int(droppable[droppable["dataset"] == name]["may_be_dropped"].sum())
        suspects = ", ".join(str(one["file"] or f"number {one['index']}") for one in rows.head(3).to_dict("records"))
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
        sentences.append(f"  most likely mislabeled: {suspects} … (forgetting.csv, pictures/likely_mislabeled.png)")
    return "\n".join(sentences)
