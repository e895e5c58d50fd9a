"""Tidy tables as plain HTML: escaped, numbers to the right, as many digits as a reader can use; the page's style sheet dresses them."""

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
"""A longer table shows its first rows; all are in its CSV."""
MAX_TRIALS = 3
"""A row of more trials shows how many; all are in its CSV."""


def data_table(table: pd.DataFrame, identity: str, key: str = "") -> Markup:
    """Return the first rows of a table as an HTML table; empty for an empty table.

    Args:
        table: A table of a myth.
        identity: The id of the HTML table.
        key: The run in the anchors of its trials, to which the column ``trials`` links.
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
    """One number of decimals for a column: four digits of its middle value, six decimals at most; other values as they are."""
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
    """The trials of a row as links to their lines on the page; their number where they are many."""
    if len(trials) > MAX_TRIALS:
        return Markup("{} trials").format(len(trials))
    return Markup(" ").join(Markup('<a href="#{}-trial-{}"><code>{}</code></a>').format(key, trial, trial) for trial in trials)


def _text(value: Any) -> str:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "–" if missing else str(value)


def _number(value: Any, decimals: int) -> str:
    return formatting.format_number(float(value), decimals) if math.isfinite(value) else "–"
