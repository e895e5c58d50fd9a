"""What a run found of a user's own data, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def of_own_data(tables: Mapping[str, pd.DataFrame]) -> str | None:
    """How many examples may be dropped, and where the likely mislabeled are listed; None where a run has no own data."""
    table = tables["forgetting"]
    if table.empty:
        return None
    sentences = []
    for name, rows in table.groupby("dataset", sort=False):
        free = int(rows["may_be_dropped"].sum())
        suspects = ", ".join(str(one["file"] or f"number {one['index']}") for one in rows.head(3).to_dict("records"))
        sentences += [
            f"{name}: {free:,} of {len(rows):,} examples were never forgotten and may be dropped (removal_list.csv, in that order)",
            f"  most likely mislabeled: {suspects} … (forgetting.csv, pictures/likely_mislabeled.png)",
        ]
    return "\n".join(sentences)
