"""Verdicts on myths in the available runs, read from ``claims.csv`` without decoding trials."""

from __future__ import annotations

import csv
import logging
from dataclasses import dataclass
from pathlib import Path

from myths import suite
from myths.lab.claim_record import ClaimRecord
from myths.lab.myth import Myth
from myths.lab.ranking import best_first
from myths.lab.storage.run_folder import RunFolder
from myths.lab.verdict import MythJudgment, judge_myth

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunSummary:
    """The verdict on a myth in one run, with the records of ``claims.csv``."""

    run: RunFolder
    profile: str
    judgment: MythJudgment
    claims: tuple[ClaimRecord, ...]


def summaries(myth: Myth, results: Path | None = None) -> list[RunSummary]:
    """Return the summary of a myth in every available run, best first (``best_first``).

    Args:
        myth: The myth.
        results: Folder of the local runs. Default: results/local.
    """
    found = ((run, _claims(myth, run)) for run in suite.runs(*suite.roots(results)))
    return best_first(RunSummary(run, records[0].profile, _judgment(records), records) for run, records in found if records)


def _judgment(records: tuple[ClaimRecord, ...]) -> MythJudgment:
    follow_ups = [record.evidence for record in records if record.kind == "follow-up"]
    return judge_myth([record.evidence for record in records if record.primary], follow_ups)


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
