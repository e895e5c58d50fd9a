"""Print one myth: belief, findings of the papers, claims and verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from myths.lab.claim_record import ClaimRecord
from myths.lab.myth import Myth
from myths.lab.ranking import decided_otherwise, measured_elsewhere, other_verdicts
from myths.lab.report import formatting
from myths.run_summaries import summaries
from myths.terminal import VERDICT_STYLES

if TYPE_CHECKING:
    from myths.terminal import Terminal


def show_myth(myth: Myth, terminal: Terminal, as_json: bool, results: Path | None = None) -> None:
    """Print a myth.

    Args:
        myth: The myth.
        terminal: Output.
        as_json: Print the claims as JSON instead.
        results: Folder of the local runs. Default: results/local.
    """
    runs = summaries(myth, results)
    judged = {record.claim: record for each in runs[:1] for record in each.claims}
    records = [judged.get(claim.id) or ClaimRecord.declared(claim, myth.name, myth.claims) for claim in myth.claims]
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
    terminal.print('Claims ("not blind": criterion, choice as primary or number of repetitions decided after the number was known)', "bold")
    elsewhere = measured_elsewhere(runs, also=("follow-up",))
    for record in records:
        _show_claim(record, terminal)
        if record.claim in elsewhere:
            run, other = elsewhere[record.claim]
            terminal.print(f"  run {run.run.name}: {other.verdict}, {_measured(other)}{'; ' + other.reason if other.reason else ''}")
    terminal.print()
    if not runs:
        terminal.print(f"Not run yet. To run it: myths run {myth.name}")
    for each in (*runs[:1], *other_verdicts(runs)):
        differs = decided_otherwise(runs[0], each)
        text = f"{each.judgment}. {myth.verdict_text(each.judgment)}{f' In this run, {differs}.' if differs else ''}"
        terminal.print(f"Verdict in run {each.run.name}: {text}")
    terminal.print()
    for paper in myth.papers:
        terminal.print(str(paper), "dim")


def _show_claim(record: ClaimRecord, terminal: Terminal) -> None:
    terminal.print()
    terminal.print(
        f"{record.claim}: {record.verdict}{', primary' if record.primary else ''}{'' if record.blind else ', not blind'}",
        VERDICT_STYLES[record.verdict],
    )
    terminal.print(f"  {record.statement}")
    paper = "" if record.paper is None else f"paper {formatting.paper_number(record)} ({record.paper_value_source}), "
    criterion = formatting.format_criterion(record.criterion)
    terminal.print(f"  {paper}{_measured(record)}, criterion {criterion}{'; ' + record.reason if record.reason else ''}")
    terminal.print(f"  {record.source}", "dim")


def _measured(record: ClaimRecord) -> str:
    """Return the measured number with its interval and strength, as text."""
    found = record.measured
    if found is None:
        return "not measured"
    interval = f"{formatting.format_interval(found)} {formatting.format_source_of_variation(found)}".strip()
    return f"measured {formatting.value_with_unit(found, record.unit)} {interval} ({record.strength})"
