"""Print a table of a run for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from myths import suite
from myths.lab.errors import UsageError
from myths.lab.myth import CONDITIONS, Myth
from myths.run_summaries import summaries

if TYPE_CHECKING:
    import pandas as pd

    from myths.lab.analysis import Analysis


@dataclass(frozen=True)
class PaperTable:
    """A table of a run, or some of its rows, for a paper.

    Attributes:
        myth: The myth.
        name: Name of a table of the myth, or "claims".
        run: Name of the run. Default: the best available.
        where: Filters of the form COLUMN=VALUE.
        results: Folder of the local runs. Default: results/local.
    """

    myth: Myth
    name: str
    run: str | None = None
    where: tuple[str, ...] = ()
    results: Path | None = None

    def written(self, columns: Sequence[str], within: Sequence[str], *, form: str, caption: str = "", label: str = "") -> str:
        """Return the table as LaTeX, Markdown or CSV.

        Args:
            columns: Columns to print. Default: all.
            within: Columns of the groups in which the best number is marked. Default: the conditions that the myth declares.
            form: "latex", "markdown" or "csv".
            caption: Caption. Default: name of the table and the run.
            label: Label for LaTeX.

        Raises:
            UsageError: There is no such table, column, format or run, or no row is left.
        """
        from myths.lab.report.paper_table import paper_table

        if form not in ("latex", "markdown", "csv"):
            raise UsageError(f"Invalid --format {form!r}: expected latex, markdown or csv")
        found, rows = self._rows()
        groups = within or [column for column in (*CONDITIONS, *self.myth.conditions) if column in rows]
        printed = paper_table(rows.reset_index(drop=True), columns, self.myth.better, groups)
        if form == "csv":
            return printed.csv()
        words = self.name.replace("_", " ")
        caption = caption or f"{self.myth.name}, {words}; run {found.run.name} of Seven Myths, {found.profile} profile."
        label = label or f"tab:{self.myth.name}-{self.name}".replace("_", "-")
        return printed.markdown(caption) if form == "markdown" else printed.latex(caption, label)

    def _rows(self) -> tuple[Analysis, pd.DataFrame]:
        from myths.lab.analysis import analyze

        myth, name = self.myth, self.name
        if name != "claims" and name not in myth.tables:
            raise UsageError(f"{myth.name} has no table {name!r}. Available: {', '.join([*myth.tables, 'claims'])}")
        if self.run is None:
            best = summaries(myth, self.results)
            if not best:
                raise UsageError(f"No run has results of {myth.name}. Run `myths run {myth.name}` first")
            folder = best[0].run
        else:
            folder = suite.find_run(self.run, *suite.roots(self.results))
        found = analyze(myth, folder)
        table = found.claims_table() if name == "claims" else found.tables[name]
        for word in self.where:
            column, equals, value = word.partition("=")
            if not equals or column not in table:
                wrong = f"unknown column {column!r}" if equals else "expected COLUMN=VALUE"
                raise UsageError(f"Invalid --where {word!r}: {wrong}. Columns: {', '.join(map(str, table.columns))}")
            table = table[[str(cell) == value or _is_number(cell, value) for cell in table[column]]]
        if table.empty:
            raise UsageError(f"Table {name!r} of run {folder.name!r} has no " + ("such rows" if self.where else "rows"))
        return found, table


def _is_number(cell: Any, value: str) -> bool:
    try:
        return not isinstance(cell, str) and float(cell) == float(value)
    except (TypeError, ValueError):
        return False
