"""Format tables for papers: selected columns, numbers rounded by their intervals, best numbers in bold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from myths.lab.errors import UsageError
from myths.lab.report.exports import markdown_cell
from myths.lab.report.latex import escaped
from myths.lab.tables import TRIALS

if TYPE_CHECKING:
    import pandas as pd

Format = Literal["latex", "markdown", "csv"]
Better = Literal["higher", "lower"]
UNITS = {"percent": "%", "pp": "points", "seconds": "s", "bytes": "bytes", "px": "px", "joules": "J"}
"""Last word of a column name -> unit."""
DIGITS = 4
"""Significant digits of a number without an interval."""


@dataclass(frozen=True)
class PaperTable:
    """Formatted cells with the alignment of each column and the positions of the best numbers.

    Attributes:
        head: Names of the columns, with units.
        body: One tuple of texts per row.
        numeric: Whether each column holds numbers.
        best: Positions (row, column) of the best numbers.
    """

    head: tuple[str, ...]
    body: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    best: frozenset[tuple[int, int]]

    def latex(self, caption: str = "", label: str = "") -> str:
        """Return a LaTeX table with booktabs, the best numbers in bold."""
        aligned = "".join("r" if numeric else "l" for numeric in self.numeric)
        lines = [r"% \usepackage{booktabs}", r"\begin{table}", r"\centering"]
        lines += [f"\\caption{{{escaped(caption)}}}"] * bool(caption) + [f"\\label{{{label}}}"] * bool(label)
        lines += [f"\\begin{{tabular}}{{{aligned}}}", r"\toprule", " & ".join(map(escaped, self.head)) + r" \\", r"\midrule"]
        lines += [" & ".join(cells) + r" \\" for cells in self._cells(escaped, r"\textbf{{{}}}")]
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])

    def markdown(self, caption: str = "") -> str:
        """Return a table in GitHub's Markdown, the best numbers in bold."""
        rows = [list(map(markdown_cell, self.head)), ["--:" if numeric else ":--" for numeric in self.numeric]]
        rows += self._cells(markdown_cell, "**{}**")
        lines = ["| " + " | ".join(cells) + " |" for cells in rows]
        return "\n".join([*([markdown_cell(caption), ""] if caption else []), *lines, ""])

    def csv(self) -> str:
        """Return the formatted cells as CSV."""
        import csv
        import io

        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows([self.head, *self.body])
        return buffer.getvalue()

    def _cells(self, escape: Any, bold: str) -> list[list[str]]:
        return [
            [bold.format(escape(text)) if (i, j) in self.best else escape(text) for j, text in enumerate(row)]
            for i, row in enumerate(self.body)
        ]


def paper_table(table: pd.DataFrame, columns: Sequence[str], better: Mapping[str, Better], within: Sequence[str] = ()) -> PaperTable:
    """Format selected columns of a table.

    A number with an interval in the same table is formatted as ``value [low, high]``, rounded to two significant digits of half the
    interval's width. Any other number has four significant digits.

    Args:
        table: A table of a myth.
        columns: Columns in output order. Default: all except interval ends and trial ids.
        better: Column -> whether higher or lower numbers are better.
        within: Columns that group the rows; the best number is marked per group. Default: no number is marked.

    Raises:
        UsageError: A column does not exist.
    """
    for column in (*columns, *within):
        if column not in table:
            raise UsageError(f"Unknown column {column!r}. Available: {', '.join(map(str, table.columns))}")
    ends = {column: interval_columns(table, column) for column in table.columns}
    hidden = {TRIALS, *(end for pair in ends.values() if pair for end in pair)}
    shown = list(columns) or [column for column in table.columns if column not in hidden]
    numeric = [table[column].dtype.kind in "iuf" for column in shown]
    printed = [_printed(table, column, ends[column]) for column in shown]
    groups = table.groupby(list(within), sort=False, dropna=False).indices.values() if within else ()
    best: set[tuple[int, int]] = set()
    for j, column in enumerate(shown):
        if column in better and numeric[j]:
            for group in groups:
                best |= {(int(i), j) for i in _best([(int(i), float(table[column].iloc[i])) for i in group], printed[j], better[column])}
    return PaperTable(tuple(map(heading, shown)), tuple(zip(*printed, strict=True)), tuple(numeric), frozenset(best))


def heading(column: str) -> str:
    """Return the heading of a column with its unit: "accuracy (%)"."""
    words, _, last = column.rpartition("_")
    if words and last in UNITS:
        return f"{words.replace('_', ' ')} ({UNITS[last]})"
    return column.replace("_", " ")


def interval_columns(table: pd.DataFrame, column: str) -> tuple[str, str] | None:
    """Return the columns with the interval ends of ``column``, or None."""
    base, _, unit = column.rpartition("_")
    unit = unit if base and unit in UNITS else ""
    base = base if unit else column
    tail = f"_{unit}" if unit else ""
    names = list(table.columns)
    ends = ((f"{base}_low{tail}", f"{base}_high{tail}"), (f"{base}_q25{tail}", f"{base}_q75{tail}"), (f"q25_{column}", f"q75_{column}"))
    for low, high in ends:
        if low in names and high in names:
            return low, high
    low, high = f"low{tail}", f"high{tail}"
    beside = low in names and high in names and names.index(low) == names.index(column) + 1
    return (low, high) if beside else None


def rounded(value: float, low: float = math.nan, high: float = math.nan) -> str:
    """Format a number with its interval, rounded to two significant digits of half the interval's width."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
    half = (high - low) / 2
    if not math.isfinite(half) or half <= 0:
        return _signed(f"{float(f'{value:.{DIGITS}g}'):.12g}")
    decimals = 1 - math.floor(math.log10(float(f"{half:.1e}")))
    said = [_signed(f"{round(number, decimals):.{max(decimals, 0)}f}") for number in (value, low, high)]
    return f"{said[0]} [{said[1]}, {said[2]}]"


def _printed(table: pd.DataFrame, column: str, ends: tuple[str, str] | None) -> list[str]:
    kind = table[column].dtype.kind
    if kind == "f":
        nan = [math.nan] * len(table)
        low, high = (table[end].astype(float) for end in ends) if ends else (nan, nan)
        return [rounded(*numbers) for numbers in zip(table[column].astype(float), low, high, strict=True)]
    return ["" if value is None or value != value else _signed(str(value)) if kind in "iu" else str(value) for value in table[column]]


def _best(numbers: Sequence[tuple[int, float]], printed: Sequence[str], better: Better) -> list[int]:
    """Return the rows whose formatted number equals the best one; none if all are equal."""
    finite = [(row, number) for row, number in numbers if math.isfinite(number)]
    if not finite:
        return []
    choose = max if better == "higher" else min
    first = printed[choose(finite, key=lambda pair: pair[1])[0]]
    rows = [row for row, _ in finite if printed[row] == first]
    return rows if len(rows) < len(finite) else []


def _signed(text: str) -> str:
    return ("0" + text[2:] if text.startswith("-0") and not float(text) else text).replace("-", "−")
