"""Content of the front page: refuted beliefs, strength of the evidence, hardware, and all claims."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from myths.lab import ranking
from myths.lab.myth import FURTHER, Myth
from myths.lab.report import run_view
from myths.lab.report.replication_view import ReplicationView
from myths.lab.report.run_view import ClaimView, RunView
from myths.lab.verdict import STRENGTHS, MythVerdict, Verdict

_REFUTED = (MythVerdict.REFUTED, MythVerdict.LEANS_REFUTED)


@dataclass(frozen=True)
class MythRow:
    """A myth on the front page.

    Attributes:
        myth: The myth.
        runs: Its runs, best first; empty if it was not run.
        several: Claims that several runs measured, by id.
    """

    myth: Myth
    runs: Sequence[RunView]
    several: Mapping[str, ReplicationView] = field(default_factory=dict)

    @property
    def verdict(self) -> MythVerdict | None:
        """Verdict in the best run, or None if the myth was not run."""
        return self.runs[0].verdict if self.runs else None

    @property
    def elsewhere(self) -> dict[str, ClaimView]:
        """For each primary claim that the best run did not measure, the claim in the best other run with a number, by id."""
        found = ranking.measured_elsewhere([run.analysis for run in self.runs])
        records = [record for _, record in found.values()]
        return {claim.id: claim for run in self.runs for claim in run.claims if any(claim.record is record for record in records)}


def rows(runs: Iterable[Sequence[RunView]], myths: Iterable[Myth], several: Mapping[str, Mapping[str, ReplicationView]]) -> list[MythRow]:
    """Return one row per myth, by number: those of ``runs`` and those of ``myths``.

    Args:
        runs: The runs of each myth that was run.
        myths: Myths that are listed even if they were not run.
        several: Claims that several runs measured, by myth and id.
    """
    named = {each[0].analysis.myth.name: each for each in runs}
    found = {name: MythRow(each[0].analysis.myth, each, several[name]) for name, each in named.items()}
    missing = {myth.name: MythRow(myth, ()) for myth in myths if myth.name not in found}
    return sorted([*found.values(), *missing.values()], key=lambda row: (row.myth.number, row.myth.name))


@dataclass(frozen=True)
class Part:
    """The rows of one table of the front page: the seven beliefs, without a title, or the further ones."""

    title: str
    rows: Sequence[MythRow]

    @property
    def noun(self) -> str:
        """What the myths of this part are called: "belief", "beliefs", "further belief" or "further beliefs"."""
        return ("further " if self.title else "") + ("belief" if len(self.rows) == 1 else "beliefs")

    @property
    def refuted(self) -> list[MythRow]:
        """Myths that are refuted or lean that way."""
        return [row for row in self.rows if row.verdict in _REFUTED]

    @property
    def other_verdicts(self) -> list[tuple[MythVerdict | None, list[MythRow]]]:
        """The other myths of this part by verdict; None means not run yet."""
        grouped = [(verdict, [row for row in self.rows if row.verdict is verdict]) for verdict in (*MythVerdict, None)]
        return [(verdict, found) for verdict, found in grouped if found and verdict not in _REFUTED]


@dataclass(frozen=True)
class Summary:
    """Answers to the three questions of the front page, from the best run of each myth."""

    rows: Sequence[MythRow]

    @property
    def parts(self) -> list[Part]:
        """The seven beliefs of the article and the further ones; parts without myths are left out."""
        seven = Part("", [row for row in self.rows if not row.myth.is_further])
        further = Part(FURTHER, [row for row in self.rows if row.myth.is_further])
        return [part for part in (seven, further) if part.rows]

    @property
    def best(self) -> list[RunView]:
        """Best run of each myth."""
        return [row.runs[0] for row in self.rows if row.runs]

    @property
    def primary(self) -> list[ClaimView]:
        """Primary claims of the best runs."""
        return [claim for run in self.best for claim in run.primary]

    @property
    def decided(self) -> list[tuple[Verdict, int]]:
        """Verdicts on the primary claims, with counts."""
        return _counts((claim.verdict for claim in self.primary), Verdict)

    @property
    def strengths(self) -> list[tuple[str, int]]:
        """Strengths of the measured primary claims, with counts."""
        return _counts((claim.strength for claim in self.primary), STRENGTHS)

    @property
    def not_blind(self) -> int:
        """Number of measured primary claims whose criterion was chosen after the number was known."""
        return sum(not claim.blind for claim in self.primary if claim.measured)

    @property
    def hardware(self) -> list[tuple[str, list[MythRow]]]:
        """Machines of the best runs, with their myths."""
        found: dict[str, list[MythRow]] = {}
        for row in self.rows:
            if row.runs:
                found.setdefault(row.runs[0].hardware, []).append(row)
        return list(found.items())

    @property
    def without_gpu(self) -> list[MythRow]:
        """Myths of which no claim has been decided on a GPU."""
        return [row for row in self.rows if not any(run.has_decided_on_gpu for run in row.runs)]


def filter_options(runs: Sequence[Sequence[RunView]]) -> dict[str, list[str]]:
    """Return the filters of the table of all claims: column -> values."""
    every = [(run, claim) for each in runs for run in each for claim in run.claims]
    return {
        "myth": list(dict.fromkeys(run.analysis.myth.name for run, _ in every)),
        "verdict": [verdict for verdict in Verdict if any(claim.verdict is verdict for _, claim in every)],
        "strength": [strength for strength in STRENGTHS if any(claim.strength == strength for _, claim in every)],
        "device": sorted({part for _, claim in every for part in claim.device.split(", ")} - {""}),
        "profile": sorted({part for run, _ in every for part in run.analysis.profile.split(", ")} - {""}),
    }


def run_details(runs: Sequence[Sequence[RunView]]) -> list[dict[str, Any]]:
    """Return the provenance of each run folder, with the myths that it holds."""
    found: dict[str, list[RunView]] = {}
    for run in (run for each in runs for run in each):
        found.setdefault(os.fspath(run.analysis.run.path), []).append(run)
    return [_folder(each) for each in found.values()]


def _folder(runs: Sequence[RunView]) -> dict[str, Any]:
    first = runs[0]
    return {
        "name": first.name,
        "location": first.location,
        "machine_class": first.metadata.get("machine_class") or "",
        "profiles": ", ".join(dict.fromkeys(run.analysis.profile for run in runs if run.analysis.profile)),
        "machines": "; ".join(dict.fromkeys(run.machines for run in runs if run.machines)),
        "dates": "; ".join(dict.fromkeys(run.dates for run in runs if run.dates)),
        "commits": list(dict.fromkeys(commit for run in runs for commit in run.commits)),
        "packages": first.packages,
        "myths": [run.analysis.myth for run in runs],
        "data": run_view.data_notes(first.metadata),
    }


def _counts(found: Iterable[Any], order: Iterable[Any]) -> list[tuple[Any, int]]:
    every = list(found)
    return [(each, every.count(each)) for each in order if each in every]
