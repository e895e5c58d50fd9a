"""What tables share: each row names the trials that its numbers come from, and keeps them when rows are put together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from myths.lab.trial import least_faithful

if TYPE_CHECKING:
    import pandas as pd

TRIALS = "trials"
"""The last column of every table: the ids of all trials that a row is made of, with spaces between them."""

ABOUT = ("dataset", "protocol", "device", TRIALS)
"""What every row says of how it came about."""


def unite(cells: Iterable[Any]) -> str:
    """Return the ids of several cells as one cell, each id once.

    Args:
        cells: Cells of the column ``trials``, such as the column of a group. A missing value, as a left join gives it, names no trial.
    """
    return " ".join(sorted({identity for cell in cells if isinstance(cell, str) for identity in cell.split()}))


def unite_columns(*columns: Iterable[Any]) -> list[str]:
    """Return for each row the ids of several columns as one cell, such as those of a measurement and of its baseline."""
    return [unite(cells) for cells in zip(*columns, strict=True)]


def rows_of_kind(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return the rows with one value of the column ``kind``, without this column and without columns that are empty in these rows."""
    rows = table if table.empty else table[table["kind"] == kind]
    return rows if rows.empty else rows.dropna(axis=1, how="all").drop(columns="kind").copy()


def trial_ids(rows: pd.DataFrame) -> frozenset[str]:
    """Return the ids of the trials that rows are made of."""
    return frozenset(unite(rows[TRIALS]).split()) if len(rows) else frozenset()


def about(rows: pd.DataFrame) -> dict[str, Any]:
    """Return what one row says that is made of several: ``dataset`` (where they have it), ``protocol``, ``device`` and ``trials``.

    Args:
        rows: All rows that the new row is made of, those of its baseline included.

    Returns:
        The distinct datasets and devices, separated by commas; the protocol furthest from the paper's; the ids of all trials.
    """
    together = {name: ", ".join(sorted(set(rows[name]))) for name in ("dataset", "device") if name in rows}
    named = {"dataset": together["dataset"]} if "dataset" in together else {}
    return {**named, "protocol": least_faithful(rows["protocol"]), "device": together["device"], TRIALS: unite(rows[TRIALS])}


def checked(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with its column ``trials`` at the end.

    Raises:
        ValueError: A row names no trial. The message names the table.
    """
    if not len(table):
        return table
    if TRIALS not in table or not all(isinstance(cell, str) and cell for cell in table[TRIALS]):
        raise ValueError(
            f"table {name}: a row names no trial in its column {TRIALS!r}; take the column from Results.frame, "
            "and put rows together with the functions of myths.lab.tables"
        )
    return table[[*(column for column in table.columns if column != TRIALS), TRIALS]]


def as_csv(table: pd.DataFrame) -> str:
    """Return a table as CSV, as every file of a run and of a report holds it: numbers with ten significant digits."""
    return table.to_csv(index=False, float_format="%.10g", lineterminator="\n")
