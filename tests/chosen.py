"""The numbers of the published runs, derived from no more than some of their trials: those that claims choose, or those that are named."""

import csv
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from myths import suite
from myths.lab.claim import Claim
from myths.lab.execution import selection
from myths.lab.myth import Myth
from myths.lab.storage.run_folder import RunFolder
from myths.lab.storage.store import Results, TrialRecord
from myths.lab.tables import TRIALS
from myths.lab.trial import Trial

LAPTOP, H200 = (RunFolder(Path(__file__).parents[1] / "results" / "published" / name) for name in ("cpu-laptop", "h200-gpu"))
ON_ONE_NETWORK = (
    "S1-cifar-center-gradient", "S1-cifar-center-ig", "S1-cifar-center-deeplift", "S3-smoothgrad", "T7-adversarial", "T7-softplus",
)  # fmt: skip
ON_TWO_NETWORKS = ("S1-cifar-draw",)
EXCUSED: tuple[tuple[str, Callable[[str, dict[str, Any]], bool]], ...] = (
    # The numbers of the paper's table are used where the predictions are absent; this run has both. G0-table is on the table.
    ("PublishedAccuracy", lambda claim, trial: trial["source"] == "reference table" and claim != "G0-table"),
    # Reuse is related to the mean drop, which the table and the predictions both have.
    ("PublishedAccuracy", lambda claim, trial: claim in ("G9", "G9-climb", "G9-smallest", "G0-reuse")),
    # Ten splits are plain and five treated: the last five have no partner to be compared with.
    ("NameThatDataset", lambda claim, trial: claim in ("C1", "C2") and trial["transform"] == "none" and trial["seed"] >= 5),
    # A deep network is compared with the 22 layers of its own setting; the run has those of all settings.
    (
        "TrainOneEpoch",
        lambda claim, trial: (
            trial["depth"] == 22
            and trial["train_examples"]
            != {"U1-trains-110": 25_000, "U1-trains-1000": 25_600, "U1-vs-bn-20": 0, "U1-level-figure": 0}.get(
                claim, trial["train_examples"]
            )
        ),
    ),
    # Eight seeds have 22 layers, so that their accuracy is known, and three have 1,000: the others have no partner.
    ("TrainOneEpoch", lambda claim, trial: claim == "U1-trains-1000" and trial["depth"] == 22 and trial["seed"] >= 3),
    # Only attacks of as many steps are compared: the random walk has 300 as the paper, the other methods have 25.
    (
        "AttackImages",
        lambda claim, trial: claim == "S1-photographs-gradient" and trial["attack"] == "top-k" and trial["n_iterations"] == 25,
    ),
    (
        "AttackImages",
        lambda claim, trial: claim.startswith("S3-photographs") and trial["method"] == "gradient" and trial["n_iterations"] == 300,
    ),
    # The run holds all attacks on the first of its networks, some on the second and two on the third: the others have no partner.
    (
        "AttackImages",
        lambda claim, trial: (
            (claim in ON_ONE_NETWORK and trial["network_seed"] > 0) or (claim in ON_TWO_NETWORKS and trial["network_seed"] > 1)
        ),
    ),
)
"""Trials that a claim chooses and does not need, because a single trial cannot know of the others: class, and claim and columns."""


def excused(claim: Claim, trial: Trial) -> bool:
    """Whether the claim is known to do without the trial."""
    return any(type(trial).__name__ == kind and case(claim.id, dict(trial.columns)) for kind, case in EXCUSED)


def records(myth: Myth, run: RunFolder = LAPTOP) -> dict[str, TrialRecord]:
    return _records(run, myth.name)


@cache
def _records(run: RunFolder, name: str) -> dict[str, TrialRecord]:
    return {record.trial.id: record for record in Results(run.store(suite.find(name)).records).records}


def chosen(myth: Myth, claim: Claim) -> frozenset[str]:
    """The stored trials that the claim chooses from what the profile plans."""
    return frozenset(trial.id for trial in selection.needed_by([claim], _planned(myth.name)))


@cache
def _planned(name: str) -> tuple[Trial, ...]:
    """What the run planned: the profile, and with own weights (which may not be at hand) what nothing else depends on."""
    stored = [record.trial for record in _records(LAPTOP, name).values()]
    wanted = {dependency.id for trial in stored for dependency in trial.dependencies}
    listed = {trial.id for trial in suite.find(name).trials("laptop", None, ())}
    return tuple(trial for trial in stored if trial.id in listed or trial.id not in wanted)


def table(myth: Myth, name: str, ids: frozenset[str], run: RunFolder = LAPTOP):
    """A table of some of the stored trials."""
    return _table_of(run, myth.name, name, ids)


@cache
def _table_of(run: RunFolder, myth: str, name: str, ids: frozenset[str]):
    return suite.find(myth).tables[name](Results([record for identity, record in _records(run, myth).items() if identity in ids]))


def number(myth: Myth, claim: Claim, ids: frozenset[str], run: RunFolder = LAPTOP) -> tuple | None:
    """Value, low, high and n of a claim from some of the stored trials."""
    rows = claim.rows({claim.table: table(myth, claim.table, ids, run)})
    found = claim.measure(rows) if len(rows) else None
    return None if found is None else (found.value, found.low, found.high, found.n)


def rows(myth: Myth, claim: Claim, ids: frozenset[str], run: RunFolder = LAPTOP):
    """The rows of a claim from some of the stored trials, without the names of these."""
    found = claim.rows({claim.table: table(myth, claim.table, ids, run)})
    return found.drop(columns=TRIALS, errors="ignore").reset_index(drop=True)


def lines(run: RunFolder, myth: Myth, name: str) -> list[dict[str, str]]:
    """The lines of a published table, or of "claims"."""
    return _lines(run.path / myth.folder / f"{name}.csv")


@cache
def _lines(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def measured(run: RunFolder = LAPTOP) -> Iterator[tuple[Myth, Claim, tuple[float, float, float, int]]]:
    """Each claim with a published number."""
    for myth in (myth for myth in suite.OURS if run.has_results(myth)):
        judged = {line["claim"]: line for line in lines(run, myth, "claims")}
        for claim in myth.claims:
            line = judged[claim.id]
            if line["estimate"]:
                yield myth, claim, (float(line["estimate"]), float(line["low"]), float(line["high"]), int(float(line["n"])))


def named(myth: Myth, claim: Claim, run: RunFolder = LAPTOP) -> frozenset[str]:
    """The trials that the published claim names."""
    return next(frozenset(line[TRIALS].split()) for line in lines(run, myth, "claims") if line["claim"] == claim.id)


def idle(myth: Myth, claim: Claim, dropped: str, ids: frozenset[str], run: RunFolder = LAPTOP) -> bool:
    """Whether dropping one of the trials changes neither the claim's number nor the rows that it is measured on."""
    if number(myth, claim, ids - {dropped}, run) != number(myth, claim, ids, run):
        return False
    before, after = rows(myth, claim, ids, run), rows(myth, claim, ids - {dropped}, run)
    return len(before) == len(after) and before.equals(after)
