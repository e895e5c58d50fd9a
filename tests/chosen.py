"""The numbers of the published run, derived from no more than the trials that claims choose."""

import csv
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from myths import suite
from myths.lab import selection
from myths.lab.claim import Claim
from myths.lab.myth import Myth
from myths.lab.run_folder import RunFolder
from myths.lab.store import Record, Results
from myths.lab.trial import Trial

RUN = RunFolder(Path(__file__).parents[1] / "results" / "published" / "cpu-laptop")
EXCUSED: tuple[tuple[str, Callable[[str, dict[str, Any]], bool]], ...] = (
    # The numbers of the paper's table are used where the predictions are absent; this run has both. G0-table is on the table.
    ("PublishedAccuracy", lambda claim, trial: trial["source"] == "known table" and claim != "G0-table"),
    # Reuse is related to the mean drop, which the table and the predictions both have.
    ("PublishedAccuracy", lambda claim, trial: claim in ("G9", "G9-climb")),
    # Ten splits are plain and five treated: the last five have no partner to be compared with.
    ("NameThatDataset", lambda claim, trial: claim in ("C1", "C2") and trial["treatment"] == "none" and trial["seed"] >= 5),
    # Only attacks of as many steps are compared: the random walk has 300 as the paper, the other methods have 25.
    ("AttackImages", lambda claim, trial: claim == "S1-photographs-gradient" and trial["attack"] == "top-k" and trial["iterations"] == 25),
    ("AttackImages", lambda claim, trial: claim == "S3-photographs" and trial["method"] == "gradient" and trial["iterations"] == 300),
)
"""Trials that a claim chooses and does not need, because a single trial cannot know of the others: class, and claim and columns."""


def excused(claim: Claim, trial: Trial) -> bool:
    """Whether the claim is known to do without the trial."""
    return any(type(trial).__name__ == kind and case(claim.id, dict(trial.columns)) for kind, case in EXCUSED)


def records(myth: Myth) -> dict[str, Record]:
    return _records(myth.name)


@cache
def _records(name: str) -> dict[str, Record]:
    return {record.trial.id: record for record in Results(RUN.store(suite.find(name)).records).records}


def chosen(myth: Myth, claim: Claim) -> frozenset[str]:
    """The stored trials that the claim chooses from what the profile plans."""
    return frozenset(trial.id for trial in selection.needed_by([claim], _planned(myth.name)))


@cache
def _planned(name: str) -> tuple[Trial, ...]:
    """What the run planned: the profile, and with own weights (which may not be at hand) what nothing else depends on."""
    stored = [record.trial for record in _records(name).values()]
    wanted = {dependency.id for trial in stored for dependency in trial.dependencies}
    listed = {trial.id for trial in suite.find(name).trials("laptop", None, ())}
    return tuple(trial for trial in stored if trial.id in listed or trial.id not in wanted)


def _table(myth: Myth, name: str, ids: frozenset[str]):
    return _table_of(myth.name, name, ids)


@cache
def _table_of(myth: str, name: str, ids: frozenset[str]):
    return suite.find(myth).tables[name](Results([record for identity, record in _records(myth).items() if identity in ids]))


def number(myth: Myth, claim: Claim, ids: frozenset[str]) -> tuple | None:
    """Value, low, high and n of a claim from some of the stored trials."""
    rows = claim.rows({claim.table: _table(myth, claim.table, ids)})
    found = claim.measure(rows) if len(rows) else None
    return None if found is None else (found.value, found.low, found.high, found.n)


def rows(myth: Myth, claim: Claim, ids: frozenset[str]):
    return claim.rows({claim.table: _table(myth, claim.table, ids)}).reset_index(drop=True)


def measured() -> Iterator[tuple[Myth, Claim, tuple[float, float, float, int]]]:
    """Each claim with a published number."""
    for myth in suite.OURS:
        with (RUN.path / myth.folder / "claims.csv").open(encoding="utf-8") as file:
            lines = {line["claim"]: line for line in csv.DictReader(file)}
        for claim in myth.claims:
            line = lines[claim.id]
            if line["estimate"]:
                yield myth, claim, (float(line["estimate"]), float(line["low"]), float(line["high"]), int(float(line["n"])))


def idle(myth: Myth, claim: Claim, dropped: str) -> bool:
    """Whether dropping one chosen trial changes neither the claim's number nor the rows that it is measured on."""
    ids = chosen(myth, claim)
    if number(myth, claim, ids - {dropped}) != number(myth, claim, ids):
        return False
    before, after = rows(myth, claim, ids), rows(myth, claim, ids - {dropped})
    return len(before) == len(after) and before.equals(after)
