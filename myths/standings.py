"""How the myths stand in the runs at hand, read from each run's ``claims.csv`` (quick: no trial is decoded)."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from myths import suite
from myths.lab.claim import MythVerdict, Verdict, verdict_of
from myths.lab.errors import UsageError
from myths.lab.myth import CONDITIONS, Myth, rank
from myths.lab.run_folder import RunFolder
from myths.terminal import VERDICT_STYLES

if TYPE_CHECKING:
    import pandas as pd

    from myths.lab.derived import Derived
    from myths.lab.report.comparison import Comparison
    from myths.lab.report.view import ClaimView
    from myths.terminal import Terminal


@dataclass(frozen=True)
class Standing:
    """A myth in one run: the verdict, and the lines of ``claims.csv``."""

    run: str
    published: bool
    profile: str
    verdict: MythVerdict
    claims: tuple[dict[str, str], ...]

    @property
    def decisive(self) -> list[Verdict]:
        """The verdicts of the claims that decide."""
        return [Verdict(line["verdict"]) for line in self.claims if line["decisive"] == "True"]


def of(myth: Myth, results: Path | None = None) -> Iterator[Standing]:
    """The myth in every run at hand; ``results`` is another folder for runs than results/local."""
    for run in suite.runs(*suite.roots(results)):
        lines = _claims(myth, run)
        if lines:
            decisive = [Verdict(line["verdict"]) for line in lines if line["decisive"] == "True"]
            today = [Verdict(line["verdict"]) for line in lines if line["kind"] == "today"]
            yield Standing(run.name, run.is_published, lines[0]["profile"], verdict_of(decisive, today), tuple(lines))


def best(myth: Myth, results: Path | None = None) -> Standing | None:
    """The myth in the run that counts most (``myth.rank``), published before local; None when it was never run."""
    return max(of(myth, results), key=lambda standing: (rank(standing.profile, standing.decisive), standing.published), default=None)


def show(myth: Myth, terminal: Terminal, as_json: bool, results: Path | None = None) -> None:
    """Prints a myth as a page of the article."""
    standing = best(myth, results)
    latest = {line["claim"]: line for line in standing.claims} if standing else {}
    lines: list[dict[str, Any]] = []
    for claim in myth.claims:
        found = latest.get(claim.id, {})
        lines.append(
            {
                "claim": claim.id,
                "kind": claim.kind,
                "statement": claim.statement,
                "source": claim.source,
                "paper": claim.paper,
                "paper_checked": claim.paper_checked,
                "criterion": claim.printed_criterion,
                "here": _interval(found),
                "verdict": found.get("verdict", "not tested"),
                "reason": found.get("reason", ""),
                "decisive": found["decisive"] == "True" if found else claim.decisive,  # another claim may have decided in its place
            }
        )
    if as_json:
        terminal.listing("", lines, as_json)
        return
    terminal.say(f"Myth {myth.number}: {myth.belief}", "bold")
    terminal.say()
    terminal.say(myth.rebuttal)
    terminal.say()
    terminal.say(myth.both_sides)
    terminal.say()
    if myth.example is not None:
        terminal.say(myth.example())
        terminal.say()
    terminal.say("The claims, written before the runs that judge them", "bold")
    for line in lines:
        _show_claim(line, terminal)
    terminal.say()
    if standing is None:
        terminal.say(f"Not run yet: myths run {myth.name}")
    else:
        terminal.say(f"In run {standing.run} the myth is {standing.verdict}. {myth.meaning(standing.verdict)}")
    terminal.say()
    for paper in myth.papers:
        terminal.say(str(paper), "dim")


def _show_claim(line: dict[str, Any], terminal: Terminal) -> None:
    verdict, weight = line["verdict"], ", decisive" if line["decisive"] else ""
    terminal.say()
    terminal.say(f"{line['claim']}: {verdict}{weight}", VERDICT_STYLES[verdict])
    terminal.say(f"  {line['statement']}")
    paper = "" if line["paper"] is None else f"paper {line['paper']:g} ({line['paper_checked']}), "
    here = f"here {line['here']}" if line["here"] else "no number here"
    terminal.say(f"  {paper}{here}, criterion {line['criterion']}{'; ' + line['reason'] if line['reason'] else ''}")
    terminal.say(f"  {line['source']}", "dim")


def compare(one: RunFolder, other: RunFolder) -> Comparison:
    """Two runs side by side, derived from their trials: the claims that both measured, and the times of the trials that both finished.

    Raises UsageError when they share none.
    """
    from myths.lab.derived import derive
    from myths.lab.report.comparison import compared
    from myths.lab.report.view import RunView

    sides = [
        [RunView(derive(myth, run), run.name, run.facts()) for myth in suite.MYTHS if one.has(myth) and other.has(myth)]
        for run in (one, other)
    ]
    found = compared(*sides)
    if found is None or not (found.pairs or found.paces):
        raise UsageError(f"{one.name} and {other.name} have measured no claim in common")
    return found


def compared_lines(comparison: Comparison) -> list[dict[str, Any]]:
    """A line a claim, then one for each class of trials with its times; ``moved`` where it went beyond its noise."""
    claims = [
        {
            "myth": pair.myth.name,
            "what": pair.one.id,
            "one": _numbers(pair.one),
            "other": _numbers(pair.other),
            "verdicts": pair.one.verdict if not pair.changed else f"{pair.one.verdict} → {pair.other.verdict}",
            "changed": pair.changed,
            "moved": pair.moved,
        }
        for pair in sorted(comparison.pairs, key=lambda pair: (pair.myth.name, pair.one.id))
    ]
    times = [
        {
            "myth": pace.myth.name,
            "what": f"time of {pace.kind} (n = {pace.ratio.n})",
            "one": "× 1",
            "other": f"× {pace.ratio.value:.3g}" + (f" [{pace.ratio.low:.3g}, {pace.ratio.high:.3g}]" if pace.ratio.n > 1 else ""),
            "verdicts": "",
            "changed": False,
            "moved": pace.moved,
        }
        for pace in comparison.paces
    ]
    return claims + times


def _numbers(claim: ClaimView) -> str:
    return " ".join(part for part in (claim.here, claim.interval, claim.unit) if part)


def _claims(myth: Myth, run: RunFolder) -> list[dict[str, str]]:
    path = run.path / myth.folder / "claims.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _interval(line: dict[str, str]) -> str:
    if not line.get("estimate"):
        return ""
    estimate, low, high = (float(line[name]) for name in ("estimate", "low", "high"))
    bounds = "" if low == high else f" [{low:.4g}, {high:.4g}]"
    return f"{estimate:.4g}{bounds} {line['unit']}".rstrip()


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

    def _rows(self) -> tuple[Derived, pd.DataFrame]:
        from myths.lab.derived import derive

        myth, name, run = self.myth, self.name, self.run
        if name != "claims" and name not in myth.tables:
            raise UsageError(f"{myth.name} has no table {name!r}; it has: {', '.join([*myth.tables, 'claims'])}")
        if run is None:
            standing = best(myth, self.results)
            if standing is None:
                raise UsageError(f"no run holds results of {myth.name}: myths run {myth.name}")
            run = standing.run
        found = derive(myth, suite.find_run(run, *suite.roots(self.results)))
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
