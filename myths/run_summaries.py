"""Verdicts on myths in the available runs, read from ``claims.csv`` without decoding trials."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from myths import suite
from myths.lab.claim_record import ClaimRecord
from myths.lab.myth import Myth, run_rank
from myths.lab.storage.run_folder import RunFolder
from myths.lab.verdict import MythJudgment, Verdict, judge_myth

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunSummary:
    """The verdict on a myth in one run, with the records of ``claims.csv``."""

    run: str
    published: bool
    profile: str
    judgment: MythJudgment
    claims: tuple[ClaimRecord, ...]

    @property
    def primary(self) -> list[Verdict]:
        """Verdicts on the primary claims."""
        return [record.verdict for record in self.claims if record.primary]


def summaries(myth: Myth, results: Path | None = None) -> Iterator[RunSummary]:
    """Yield the summary of a myth in every available run.

    Args:
        myth: The myth.
        results: Folder of the local runs. Default: results/local.
    """
    for run in suite.runs(*suite.roots(results)):
        records = _claims(myth, run)
        if records:
            follow_ups = [record.evidence for record in records if record.kind == "follow-up"]
            judgment = judge_myth([record.evidence for record in records if record.primary], follow_ups)
            yield RunSummary(run.name, run.is_published, records[0].profile, judgment, records)


def best_run(myth: Myth, results: Path | None = None) -> RunSummary | None:
    """Return the summary of the run with the highest rank (``run_rank``), published before local, or None."""
    return max(summaries(myth, results), key=lambda summary: (run_rank(summary.profile, summary.primary), summary.published), default=None)


def _claims(myth: Myth, run: RunFolder) -> tuple[ClaimRecord, ...]:
    path = run.path / myth.folder / "claims.csv"
    if not path.exists():
        return ()
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return tuple(map(ClaimRecord.read, csv.DictReader(file)))
    except (KeyError, ValueError) as error:
        log.warning("%s has the format of another version (%s) and is ignored; `myths report %s` rewrites it", path, error, run.name)
        return ()
