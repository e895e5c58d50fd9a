"""Columns that all tables share: each row names the trials that its numbers come from, also after rows are combined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from myths.lab.trial import PROTOCOLS, least_faithful

if TYPE_CHECKING:
    import pandas as pd

TRIALS = "trials"
"""Last column of every table: ids of all trials that a row is computed from, separated by spaces."""

PROVENANCE_COLUMNS = ("dataset", "protocol", "device", TRIALS)
"""Columns that state the conditions of a row."""


def unite(cells: Iterable[Any]) -> str:
    """Return the ids of several cells as one cell, each id once.

    Args:
        cells: Cells of the column ``trials``, such as those of a group. Missing values, as from a left join, are ignored.
    """
    return " ".join(sorted({identity for cell in cells if isinstance(cell, str) for identity in cell.split()}))


def unite_columns(*columns: Iterable[Any]) -> list[str]:
    """Return for each row the ids of several columns as one cell, for example those of a measurement and its baseline."""
    return [unite(cells) for cells in zip(*columns, strict=True)]


def rows_of_kind(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return the rows with one value of the column ``kind``, without this column and without columns that are empty in these rows."""
    rows = table if table.empty else table[table["kind"] == kind]
    return rows if rows.empty else rows.dropna(axis=1, how="all").drop(columns="kind").copy()


def trial_ids(rows: pd.DataFrame) -> frozenset[str]:
    """Return the ids of the trials that rows are computed from."""
    return frozenset(unite(rows[TRIALS]).split()) if len(rows) else frozenset()


def provenance_columns(rows: pd.DataFrame) -> dict[str, Any]:
    """Return the columns that state the conditions of a row computed from several rows.

    Args:
        rows: All rows that the new row is computed from, including those of its baseline.

    Returns:
        The distinct datasets (if there is such a column) and devices, separated by commas; the protocol furthest from the paper's; the ids
        of all trials.
    """
    together = {name: ", ".join(sorted(set(rows[name]))) for name in ("dataset", "device") if name in rows}
    named = {"dataset": together["dataset"]} if "dataset" in together else {}
    return {**named, "protocol": least_faithful(rows["protocol"]), "device": together["device"], TRIALS: unite(rows[TRIALS])}


def mark_main_setting(
    table: pd.DataFrame, keys: Sequence[str], setting: Sequence[str], prefer: Iterable[pd.Series], eligible: pd.Series | None = None
) -> pd.DataFrame:
    """Add the column ``main_setting``: whether a row belongs to the setting that claims use for its keys.

    A run may hold several settings of one dataset or depth. Claims use exactly one: that with the protocol closest to the paper's, then
    that with the highest values. Stand-in data are used only if no eligible row has other data.

    Args:
        table: A table with the column ``protocol``. An empty table is returned as it is.
        keys: Columns that each have a main setting of their own.
        setting: Columns that make up a setting; ``keys`` are among them.
        prefer: Values per row of which higher ones are preferred, the most important first.
        eligible: Which rows may be in the main setting. Default: all.
    """
    if table.empty:
        return table
    eligible = table["protocol"].notna() if eligible is None else eligible
    order = {"_0": table["protocol"].map(PROTOCOLS.index)} | {f"_{i}": -values for i, values in enumerate(prefer, start=1)}
    ranked = table.assign(**order)[eligible].sort_values(list(order), kind="stable")
    selected = ranked.drop_duplicates(list(keys))
    if (real := selected["protocol"] != "stand-in").any():
        selected = selected[real]
    marked = table.merge(selected[list(setting)].assign(main_setting=True), how="left", on=list(setting))
    return marked.assign(main_setting=marked["main_setting"].notna() & eligible.to_numpy())


def checked(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the column ``trials`` at the end.

    Args:
        name: Name of the table, for the error.
        table: The table.

    Raises:
        ValueError: A row names no trial.
    """
    if not len(table):
        return table
    if TRIALS not in table or not all(isinstance(cell, str) and cell for cell in table[TRIALS]):
        raise ValueError(
            f"table {name}: a row names no trial in the column {TRIALS!r}. Take the column from Results.frame, "
            "and combine rows with the functions of myths.lab.tables"
        )
    return table[[*(column for column in table.columns if column != TRIALS), TRIALS]]


def as_csv(table: pd.DataFrame) -> str:
    """Return a table as CSV with ten significant digits, the format of all CSV files of a run and a report."""
    return table.to_csv(index=False, float_format="%.10g", lineterminator="\n")
