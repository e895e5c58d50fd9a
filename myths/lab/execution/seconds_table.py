"""Seconds of trials that were measured elsewhere, to predict the duration of a run before any of its trials has finished.

``measured_seconds.csv`` has one row per machine class, trial class and settings: the seconds of the trials that ran alone on a GPU, and
their relative cost. ``python benchmarks/seconds.py FOLDER`` adds rows from a run or from the stage "seconds" of ``benchmarks/gpu.py``. On a
CPU (of two cores) it holds only classes that no published run has finished: those of the profile "overnight".
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from myths.lab.trial import Trial, settings

TABLE = Path(__file__).with_name("measured_seconds.csv")
COLUMNS = ("machine_class", "trial", "settings", "seconds", "relative_cost", "trials", "source")
WITHOUT_EFFECT = {"dataset", "precision"}
"""Text settings that say nothing about the duration beyond the relative cost."""


@dataclass(frozen=True)
class MeasuredSeconds:
    """Total seconds and relative cost of some trials of one class and kind.

    Attributes:
        machine_class: Class of the machine.
        trial: Name of the trial class.
        settings: Settings that the trials share, as JSON.
        seconds: Sum of their durations.
        relative_cost: Sum of their relative costs.
        trials: Number of trials.
        source: Run or stage that measured them.
    """

    machine_class: str
    trial: str
    settings: str
    seconds: float
    relative_cost: float
    trials: int
    source: str


def kind_of(trial: Trial) -> str:
    """Return the settings that select the code of a trial, such as its network or method, as JSON: those that are texts or switches."""
    fields = {field.name for field in dataclasses.fields(trial)} - WITHOUT_EFFECT
    chosen = {name: value for name, value in settings(trial).items() if name in fields and isinstance(value, str | bool)}
    return json.dumps(chosen, sort_keys=True)


@functools.cache
def read(path: Path = TABLE) -> tuple[MeasuredSeconds, ...]:
    """Return the rows of the table."""
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(
            MeasuredSeconds(
                row["machine_class"], row["trial"], row["settings"], float(row["seconds"]), float(row["relative_cost"]),
                int(row["trials"]), row["source"],
            )
            for row in csv.DictReader(file)
        )  # fmt: skip


def write(rows: Iterable[MeasuredSeconds], path: Path = TABLE) -> None:
    """Write the table. A row replaces earlier ones of the same machine class, trial class and settings."""
    kept = {(row.machine_class, row.trial, row.settings): row for row in rows}
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for _, row in sorted(kept.items()):
            table.writerow(
                [row.machine_class, row.trial, row.settings, f"{row.seconds:.4g}", f"{row.relative_cost:.6g}", row.trials, row.source]
            )


def summarize(machine_class: str, measured: Iterable[tuple[Trial, float]], source: str) -> list[MeasuredSeconds]:
    """Return rows from trials and their seconds."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for trial, seconds in measured:
        found.setdefault((type(trial).__name__, kind_of(trial)), []).append((seconds, trial.relative_cost))
    return [
        MeasuredSeconds(machine_class, name, kind, sum(s for s, _ in each), sum(c for _, c in each), len(each), source)
        for (name, kind), each in found.items()
    ]


def estimate(trial: Trial, machine_class: str, rows: Iterable[MeasuredSeconds] | None = None) -> float | None:
    """Predict the seconds of a trial from trials of the same class and kind on the same class of machine.

    Args:
        trial: The trial.
        machine_class: Class of the machine.
        rows: Rows to use. Default: the table.

    Returns:
        Seconds, in proportion to the relative cost. If this kind was not measured, from all kinds of the class; None if the class was not.
    """
    of_class = [
        row for row in (read() if rows is None else rows) if (row.machine_class, row.trial) == (machine_class, type(trial).__name__)
    ]
    kind = kind_of(trial) if of_class else ""
    used = [row for row in of_class if row.settings == kind] or of_class
    cost = sum(row.relative_cost for row in used)
    return sum(row.seconds for row in used) / cost * trial.relative_cost if cost else None
