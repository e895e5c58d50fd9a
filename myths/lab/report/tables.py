"""Render tables as HTML: escaped cells, right-aligned numbers, rounded to useful digits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from myths.lab.report import formatting
from myths.lab.tables import TRIALS

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 120
"""Maximum number of rows that a page shows of a table. Its CSV holds all rows."""
MAX_TRIALS = 3
"""Maximum number of trial links per row. Rows with more trials show their number."""


def data_table(table: pd.DataFrame, identity: str, key: str = "") -> Markup:
    """Return the first rows of a table as an HTML table; empty for an empty table.

    Args:
        table: A table of a myth.
        identity: Id of the HTML table.
        key: Key of the run in the anchors to which the column ``trials`` links.
    """
    if table.empty or not len(table.columns):
        return Markup("")
    shown = table.head(MAX_ROWS)
    columns = [shown.iloc[:, place] for place in range(len(shown.columns))]
    sides = ["number" if column.dtype.kind in "if" else "words" for column in columns]
    head = Markup("").join(
        Markup('<th scope="col" class="{}">{}</th>').format(side, formatting.humanize(str(column.name)) or "–")
        for side, column in zip(sides, columns, strict=True)
    )
    cells = [
        [Markup('<td class="{}">{}</td>').format(side, text) for text in map(_formatter(column, key), column)]
        for side, column in zip(sides, columns, strict=True)
    ]
    body = Markup("\n").join(Markup("<tr>{}</tr>").format(Markup("").join(row)) for row in zip(*cells, strict=True))
    return Markup('<table class="data" id="{}"><thead><tr>{}</tr></thead><tbody>\n{}\n</tbody></table>').format(identity, head, body)


def _formatter(column: Any, key: str) -> Callable[[Any], str]:
    """Return the formatter of a column: four significant digits of its median, at most six decimals; text is unchanged."""
    if column.name == TRIALS:
        return lambda cell: _links(cell.split(), key)
    if column.dtype.kind not in "if":
        return _text
    values = [abs(float(v)) for v in column if math.isfinite(v) and v]
    if column.dtype.kind == "i" or all(v == int(v) for v in values):
        return lambda value: _number(value, 0)
    middle = sorted(values)[len(values) // 2]
    decimals = min(6, max(0, 3 - math.floor(math.log10(middle))))
    return lambda value: _number(value, decimals)


def _links(trials: list[str], key: str) -> Markup:
    """Return links to the trials of a row, or their number if there are more than ``MAX_TRIALS``."""
    if len(trials) > MAX_TRIALS:
        return Markup("{} trials").format(len(trials))
    return Markup(" ").join(Markup('<a href="#{}-trial-{}"><code>{}</code></a>').format(key, trial, trial) for trial in trials)


def _text(value: Any) -> str:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "–" if missing else str(value)


def _number(value: Any, decimals: int) -> str:
    return formatting.format_number(float(value), decimals) if math.isfinite(value) else "–"
