"""How the myths stand in the runs at hand, read from each run's ``claims.csv`` (quick: no trial is decoded)."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from myths import suite
from myths.lab.claim import MythVerdict, Verdict, verdict_of
from myths.lab.claim_record import ClaimRecord
from myths.lab.errors import UsageError
from myths.lab.myth import CONDITIONS, Myth, run_rank
from myths.lab.report import formatting
from myths.lab.run_folder import RunFolder
from myths.terminal import VERDICT_STYLES

if TYPE_CHECKING:
    import pandas as pd

    from myths.lab.analysis import Analysis
    from myths.lab.report.comparison import Comparison
    from myths.lab.report.run_view import ClaimView
    from myths.terminal import Terminal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunSummary:
    """A myth in one run: the verdict, and the records of ``claims.csv``."""

    run: str
    published: bool
    profile: str
    verdict: MythVerdict
    claims: tuple[ClaimRecord, ...]

    @property
    def primary(self) -> list[Verdict]:
        """The verdicts of the claims that decide."""
        return [record.verdict for record in self.claims if record.primary]


def summaries(myth: Myth, results: Path | None = None) -> Iterator[RunSummary]:
    """The myth in every run at hand; ``results`` is another folder for runs than results/local."""
    for run in suite.runs(*suite.roots(results)):
        records = _claims(myth, run)
        if records:
            follow_up = [record.verdict for record in records if record.kind == "follow-up"]
            primary = [record.verdict for record in records if record.primary]
            yield RunSummary(run.name, run.is_published, records[0].profile, verdict_of(primary, follow_up), records)


def best_run(myth: Myth, results: Path | None = None) -> RunSummary | None:
    """The myth in the run that counts most (``myth.rank``), published before local; None when it was never run."""
    return max(summaries(myth, results), key=lambda summary: (run_rank(summary.profile, summary.primary), summary.published), default=None)


def show(myth: Myth, terminal: Terminal, as_json: bool, results: Path | None = None) -> None:
    """Prints a myth as a page of the article."""
    summary = best_run(myth, results)
    judged = {record.claim: record for record in summary.claims} if summary else {}
    records = [judged.get(claim.id) or ClaimRecord.declared(claim, myth.name) for claim in myth.claims]
    if as_json:
        terminal.table("", [record.json() for record in records], as_json)
        return
    terminal.print(f"Myth {myth.number}: {myth.belief}", "bold")
    terminal.print()
    terminal.print(myth.rebuttal)
    terminal.print()
    terminal.print(myth.discussion)
    terminal.print()
    if myth.example is not None:
        terminal.print(myth.example())
        terminal.print()
    terminal.print("The claims, written before the runs that judge them", "bold")
    for record in records:
        _show_claim(record, terminal)
    terminal.print()
    if summary is None:
        terminal.print(f"Not run yet: myths run {myth.name}")
    else:
        terminal.print(f"In run {summary.run} the myth is {summary.verdict}. {myth.verdict_text(summary.verdict)}")
    terminal.print()
    for paper in myth.papers:
        terminal.print(str(paper), "dim")


def _show_claim(record: ClaimRecord, terminal: Terminal) -> None:
    terminal.print()
    terminal.print(f"{record.claim}: {record.verdict}{', primary' if record.primary else ''}", VERDICT_STYLES[record.verdict])
    terminal.print(f"  {record.statement}")
    paper = "" if record.paper is None else f"paper {formatting.paper_number(record)} ({record.paper_value_source}), "
    found = record.measured
    here = (
        f"here {formatting.value_with_unit(found, record.unit)} {formatting.format_interval(found)}".rstrip() if found else "no number here"
    )
    terminal.print(
        f"  {paper}{here}, criterion {formatting.format_criterion(record.criterion)}{'; ' + record.reason if record.reason else ''}"
    )
    terminal.print(f"  {record.source}", "dim")


def compare(baseline: RunFolder, candidate: RunFolder) -> Comparison:
    """Two runs side by side, derived from their trials: the claims that both measured, and the times of the trials that both finished.

    Raises UsageError when they share none.
    """
    from myths.lab.analysis import analyze
    from myths.lab.report.comparison import compared
    from myths.lab.report.run_view import RunView

    sides = [
        [
            RunView(analyze(myth, run), run.name, run.metadata())
            for myth in suite.MYTHS
            if baseline.has_results(myth) and candidate.has_results(myth)
        ]
        for run in (baseline, candidate)
    ]
    found = compared(*sides)
    if found is None or not (found.pairs or found.time_ratios):
        raise UsageError(f"{baseline.name} and {candidate.name} have measured no claim in common")
    return found


def compared_lines(comparison: Comparison) -> list[dict[str, Any]]:
    """A line a claim, then one for each class of trials with its times; ``differs`` if they differ significantly."""
    claims = [
        {
            "myth": pair.myth.name,
            "what": pair.baseline.id,
            "baseline": _numbers(pair.baseline),
            "candidate": _numbers(pair.candidate),
            "verdicts": pair.baseline.verdict if not pair.changed else f"{pair.baseline.verdict} → {pair.candidate.verdict}",
            "changed": pair.changed,
            "differs": pair.differs,
        }
        for pair in sorted(comparison.pairs, key=lambda pair: (pair.myth.name, pair.baseline.id))
    ]
    times = [
        {
            "myth": ratio.myth.name,
            "what": f"time of {ratio.kind} (n = {ratio.estimate.n})",
            "baseline": "× 1",
            "candidate": f"× {ratio.estimate.value:.3g}"
            + (f" [{ratio.estimate.low:.3g}, {ratio.estimate.high:.3g}]" if ratio.estimate.n > 1 else ""),
            "verdicts": "",
            "changed": False,
            "differs": ratio.differs,
        }
        for ratio in comparison.time_ratios
    ]
    return claims + times


def _numbers(claim: ClaimView) -> str:
    return " ".join(part for part in (claim.value_text, claim.interval, claim.unit) if part)


def _claims(myth: Myth, run: RunFolder) -> tuple[ClaimRecord, ...]:
    path = run.path / myth.folder / "claims.csv"
    if not path.exists():
        return ()
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return tuple(map(ClaimRecord.read, csv.DictReader(file)))
    except (KeyError, ValueError) as error:
        log.warning("%s is not of this version (%s) and is left out; myths report %s writes it anew", path, error, run.name)
        return ()


@dataclass(frozen=True)
class PrintedTable:
    """A table of a run, or some of its rows, for a paper.

    Attributes:
        myth: The myth.
        name: A table of the myth, or "claims".
        run: A run; None takes the best available.
        where: Filters as COLUMN=VALUE.
        results: Another folder for runs than results/local.
    """

    myth: Myth
    name: str
    run: str | None = None
    where: tuple[str, ...] = ()
    results: Path | None = None

    def written(self, columns: Sequence[str], within: Sequence[str], *, form: str, caption: str = "", label: str = "") -> str:
        """Return the table as LaTeX, Markdown or CSV.

        Args:
            columns: Columns to print; all if empty.
            within: Columns of the groups that each have a best number; by default the conditions that the myth declares.
            form: "latex", "markdown" or "csv".
            caption: Caption; by default it names the table and the run.
            label: Label for LaTeX.

        Raises:
            UsageError: There is no such table, column, format or run, or no row is left.
        """
        from myths.lab.report.paper_table import paper_table

        if form not in ("latex", "markdown", "csv"):
            raise UsageError(f"--format {form}: expected latex, markdown or csv")
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

        myth, name, run = self.myth, self.name, self.run
        if name != "claims" and name not in myth.tables:
            raise UsageError(f"{myth.name} has no table {name!r}; it has: {', '.join([*myth.tables, 'claims'])}")
        if run is None:
            summary = best_run(myth, self.results)
            if summary is None:
                raise UsageError(f"no run holds results of {myth.name}: myths run {myth.name}")
            run = summary.run
        found = analyze(myth, suite.find_run(run, *suite.roots(self.results)))
        table = found.claims_table() if name == "claims" else found.tables[name]
        for word in self.where:
            column, equals, value = word.partition("=")
            if not equals or column not in table:
                raise UsageError(f"--where {word}: expected COLUMN=VALUE with one of {', '.join(map(str, table.columns))}")
            table = table[[str(cell) == value or _is_number(cell, value) for cell in table[column]]]
        if table.empty:
            raise UsageError(f"table {name} of run {run} has no such rows" if self.where else f"run {run} gives no rows for table {name}")
        return found, table


def _is_number(cell: Any, value: str) -> bool:
    try:
        return not isinstance(cell, str) and float(cell) == float(value)
    except (TypeError, ValueError):
        return False
