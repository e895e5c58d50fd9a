"""Read a table of the user: one item per row, one property per column, as CSV with a header row."""

from __future__ import annotations

import collections
import csv
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from myths.lab.counting import counted
from myths.lab.data import prepared, user_predictions
from myths.lab.data.prepared import PreparedDataset
from myths.lab.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

CATEGORY = "category"
"""Name of the column that holds the category of each item."""
LARGEST = 1e100
"""Largest magnitude of a cell: squares of numbers are added up."""
OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs"}
"""Separators that are recognized and refused."""
LAYOUT = (
    "expected comma-separated values with a header row of properties, one item per row, numbers only; the first column may name the items"
)


def holds_table(path: Path) -> bool:
    """Return whether a CSV is a table of items, and not one of predictions, by its header."""
    return not set(_header(path)) & set(user_predictions.IMAGES)


def add_table(name: str, path: Path) -> PreparedDataset:
    """Copy a table of items and properties into prepared form.

    Args:
        name: Name of the dataset.
        path: A CSV file.

    Raises:
        UsageError: The table cannot be read (see ``read_table``).
    """
    arrays = read_table(path)
    items, properties = arrays["table"].shape
    summary = [f"a table of {items:,} items and {counted(properties, 'property', 'properties')}"]
    if "categories" in arrays:
        categories = len(set(arrays["categories"].tolist()))
        summary.append(f"{counted(categories, 'category', 'categories')}, named in the column {CATEGORY}")
    summary += _doubts(path, arrays)
    summary.append(f"use: myths run order --data {name}")
    return prepared.save(name, arrays, source=path.name, note="user table", examples={"all": items}, summary=summary)


def read_table(path: Path) -> dict[str, np.ndarray]:
    """Return ``table`` [items, properties] and the names of ``properties``; if the file has them, ``items`` and ``categories``.

    The first column holds the names of the items if none of its cells is a number. A column with the header "category", in upper or lower
    case, holds categories.

    Args:
        path: A CSV file.

    Raises:
        UsageError: There is no header, a row is longer than it, a cell is missing or no finite number up to 1e100, a property is constant,
            two columns hold categories, or there are fewer than two items.
    """
    import pandas as pd

    header = _header(path)
    if not header or all(_is_number(cell) for cell in header):
        raise UsageError(f"{path} has no header row of names; {LAYOUT}")
    if len(header) == 1 and (used := next((each for each in OTHER_SEPARATORS if each in header[0]), None)):
        raise UsageError(f"{path} is separated by {OTHER_SEPARATORS[used]}; save it with commas, and with points in decimal numbers")
    if sum(cell.lower() == CATEGORY for cell in header) > 1:
        raise UsageError(f"{path} has two columns named {CATEGORY}; expected one")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows that are longer than the header
            # Only an empty cell is missing: NA and None may be names.
            missing = {"keep_default_na": False, "na_values": [""]}
            read = pd.read_csv(path, skipinitialspace=True, encoding="utf-8-sig", index_col=False, low_memory=False, **missing)
    except (ValueError, OSError, UnicodeError, pd.errors.ParserWarning) as error:
        if longer := _longer_row(path, len(header)):
            raise UsageError(f"{path}: line {longer[0]} has {longer[1]} cells, the header {len(header)}") from error
        raise UsageError(f"{path} cannot be read as a table ({str(error).splitlines()[0]}); {LAYOUT}") from error
    read.columns = [str(column).strip() for column in read.columns]
    arrays: dict[str, np.ndarray] = {}
    if (category := next((column for column in read if column.lower() == CATEGORY), None)) is not None:
        arrays["categories"] = _texts(path, read.pop(category))
    if read.shape[1] and len(read) and not any(_is_number(str(cell)) for cell in read.iloc[:, 0].dropna().head(1000)):
        arrays["items"] = _texts(path, read.pop(read.columns[0]))
    if len(read) < 2:
        raise UsageError(f"{path} has {counted(len(read), 'item')}: at least two are needed to tell them apart")
    if not read.shape[1]:
        raise UsageError(f"{path} has no column of numbers; {LAYOUT}")
    arrays |= {"table": _numbers(path, read), "properties": np.array(list(read.columns))}
    return arrays


def _doubts(path: Path, arrays: dict[str, np.ndarray]) -> list[str]:
    """Return a note on each thing that is read but may not be meant: repeated names, numbers as names of properties, one category."""
    notes = []
    if "categories" in arrays and len(set(arrays["categories"].tolist())) == 1:
        notes.append("note: all items are of one category; a category is compared with the other items")
    for kind, names in (("items", arrays.get("items", np.array([])).tolist()), ("properties", _header(path))):
        if repeated := [name for name, n in collections.Counter(names).items() if n > 1 and name]:
            more = f" and {len(repeated) - 5:,} more" if len(repeated) > 5 else ""
            notes.append(f"note: several {kind} have the same name: {', '.join(repeated[:5])}{more}")
    if all(_is_number(name) for name in arrays["properties"].tolist()):
        notes.append("note: the first line was read as the names of the properties, which are numbers; if it is an item, add a header row")
    return notes


def _numbers(path: Path, read: pd.DataFrame) -> np.ndarray:
    """Return the cells as numbers. Raise UsageError for the first cell that is none, and for constant columns."""
    import pandas as pd

    hint = "; a list of edges needs the header source,target" if len(_header(path)) == 2 else ""
    for column in read:
        if read[column].dtype.kind not in "biuf":
            bad = pd.to_numeric(read[column], errors="coerce").isna() & read[column].notna()
            if bad.any():
                raise UsageError(
                    f"{path}: line {_line(path, bad)}, column {column}: {str(read[column][bad].iloc[0])!r} is not a number{hint}"
                )
            read[column] = pd.to_numeric(read[column])
        if (missing := read[column].isna()).any():
            raise UsageError(f"{path}: line {_line(path, missing)}, column {column}: the cell is empty; fill it in or leave the row out")
    table = read.to_numpy(dtype=np.float64)
    if not (np.abs(table) <= LARGEST).all():
        row, column = np.argwhere(~(np.abs(table) <= LARGEST))[0]
        value, where = table[row, column], f"line {_line(path, np.arange(len(table)) == row)}, column {read.columns[column]}"
        raise UsageError(f"{path}: {where}: {value:g} is {'too large' if np.isfinite(value) else 'not a finite number'}")
    if constant := [str(name) for name, same in zip(read.columns, (table == table[0]).all(0), strict=True) if same]:
        more = f" and {len(constant) - 5} more" if len(constant) > 5 else ""
        raise UsageError(f"{path}: the same number in every row of {', '.join(constant[:5])}{more}: such a property separates no items")
    return table


def _texts(path: Path, column: pd.Series) -> np.ndarray:
    if (missing := column.isna()).any():
        raise UsageError(f"{path}: line {_line(path, missing)}, column {column.name}: the cell is empty")
    return np.array([" ".join(str(cell).split()) for cell in column])


def _longer_row(path: Path, cells: int) -> tuple[int, int] | None:
    """Return the line and the number of cells of the first row that is longer than the header, or None."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            return next(((rows.line_num, len(row)) for row in rows if len(row) > cells), None)
    except (ValueError, OSError, csv.Error):
        return None


def _line(path: Path, marked: pd.Series | np.ndarray) -> int:
    """Return the line of the first marked row. Blank lines are no rows; the first other line is the header."""
    with path.open(encoding="utf-8-sig") as file:
        filled = [number for number, line in enumerate(file, 1) if line.strip()]
    return filled[int(np.asarray(marked).argmax()) + 1]


def _header(path: Path) -> Sequence[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [cell.strip() for cell in next(csv.reader(file), [])]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as a table ({error}); {LAYOUT}") from error


def _is_number(cell: str) -> bool:
    try:
        return not math.isnan(float(cell))
    except ValueError:
        return False
