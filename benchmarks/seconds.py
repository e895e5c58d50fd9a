"""Add measured durations to the table that predicts runs (``myths/lab/execution/measured_seconds.csv``).

python benchmarks/seconds.py results/published/h200-gpu     # a run: its trials that ran alone on a GPU
python benchmarks/seconds.py FOLDER TrainLanguageModel      # a run: its trials of some classes, on any machine
python benchmarks/seconds.py .benchmarks/gpu/seconds.json   # the stage "seconds" of benchmarks/gpu.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from pathlib import Path

from myths import suite
from myths.lab.errors import MythsError
from myths.lab.execution import seconds_table
from myths.lab.execution.seconds_table import MeasuredSeconds
from myths.lab.trial import decode


def rows_of_run(folder: Path, classes: Collection[str] = ()) -> list[MeasuredSeconds]:
    """Return rows from the trials of a run on a GPU that ran alone; with ``classes``, from those of these classes on any machine."""
    run = suite.find_run(str(folder))
    rows: list[MeasuredSeconds] = []
    for myth in suite.MYTHS:
        records = [r for r in run.store(myth).records if r.status == "ok" and r.has_comparable_seconds] if run.has_results(myth) else []
        if classes:
            records = [record for record in records if type(record.trial).__name__ in classes]
        for machine_class in sorted({record.device for record in records} - (set() if classes else {"cpu", "mps"})):
            measured = [(record.trial, record.seconds) for record in records if record.device == machine_class]
            rows += seconds_table.summarize(machine_class, measured, run.name)
    return rows


def rows_of_stage(path: Path) -> list[MeasuredSeconds]:
    """Return rows from the record of the stage "seconds"."""
    record = json.loads(path.read_text(encoding="utf-8"))
    if record["tiny"] or record["machine_class"] == "cpu":
        raise SystemExit(f"{path} is a rehearsal or was measured on a CPU: no row is added")
    types = {kind.__name__: kind for myth in suite.MYTHS for kind in myth.types_by_name.values()}
    measured = [(decode(json.loads(row["canonical"]), types), row["seconds"]) for row in record["rows"] if "seconds" in row]
    return seconds_table.summarize(record["machine_class"], measured, f"benchmarks/gpu.py, commit {record['commit'][:8]}")


def main(path: Path, classes: Collection[str] = ()) -> None:
    """Merge the rows of a run or stage into the table."""
    new = rows_of_stage(path) if path.suffix == ".json" else rows_of_run(path, classes)
    if not new:
        wanted = f"of {', '.join(classes)}" if classes else "that ran alone on a GPU"
        raise SystemExit(f"{path} has no trial {wanted}")
    seconds_table.write([*seconds_table.read(), *new])
    print(f"{len(new)} rows of {', '.join(sorted({row.machine_class for row in new}))} in {seconds_table.TABLE}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        main(Path(sys.argv[1]), sys.argv[2:])
    except MythsError as error:
        sys.exit(str(error))
