"""Tidy tables as HTML. great_tables lays them out and escapes; the page's own style sheet dresses them.

The style sheet that great_tables brings along is left out: it has its own light colours, which dark pages and print cannot
change, and rules that reach beyond the table.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from myths.lab.report import words

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 120
"""A longer table shows its first rows; all are in its CSV."""


def data_table(table: pd.DataFrame, identity: str) -> Markup:
    """The first rows of a table as an HTML table whose ids begin with ``identity``; empty for an empty table."""
    if table.empty or not len(table.columns):
        return Markup("")
    from great_tables import GT

    shown = table.head(MOST_ROWS).reset_index(drop=True)
    shown.columns = [str(column) for column in shown.columns]
    drawn = GT(shown, id=identity).cols_label({column: words.humane(column) for column in shown.columns})
    numeric = [column for column in shown.columns if shown[column].dtype.kind in "if"]
    for column in numeric:
        drawn = drawn.fmt(_formatter(shown[column]), columns=[column])
    drawn = drawn.cols_align(align="left").sub_missing(missing_text="–")
    if numeric:
        drawn = drawn.cols_align(align="right", columns=numeric)
    text = re.sub(r"<style>.*?</style>", "", drawn.as_raw_html(), count=1, flags=re.DOTALL)
    found = re.search(r"<table.*</table>", text, flags=re.DOTALL)
    return Markup(_accessible(found[0], identity)) if found else Markup("")


def _accessible(text: str, identity: str) -> str:
    """Column headers numbered in order, so that ids are unique and hold nothing of a column's name."""
    text = re.sub(r"\s(?:rowspan|colspan)=\"1\"|\sdata-quarto-\w+(?:-\w+)*=\"\w+\"|\sheaders=\"[^\"]*\"", "", text)
    count = iter(range(10_000))
    return re.sub(r'(<th\b[^>]*?) id="[^"]*"', lambda m: f'{m[1]} id="{identity}-{next(count)}"', text)


def _formatter(column: Any) -> Any:
    """One number of decimals for a column: four digits of its middle value, six decimals at most."""
    values = [abs(float(v)) for v in column if v is not None and math.isfinite(v) and v]
    if column.dtype.kind == "i" or all(v == int(v) for v in values):
        return lambda value: _number(value, 0)
    middle = sorted(values)[len(values) // 2]
    decimals = min(6, max(0, 3 - math.floor(math.log10(middle))))
    return lambda value: _number(value, decimals)


def _number(value: Any, decimals: int) -> str:
    return "–" if value is None or not math.isfinite(value) else words.number(float(value), decimals)
