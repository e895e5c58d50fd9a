"""Add measured durations to the table that predicts runs on GPUs (``myths/lab/execution/measured_seconds.csv``).

python benchmarks/seconds.py results/published/h200-gpu     # a run: its trials that ran alone
python benchmarks/seconds.py .benchmarks/gpu/seconds.json   # the stage "seconds" of benchmarks/gpu.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from myths import suite
from myths.lab.errors import MythsError
from myths.lab.execution import seconds_table
from myths.lab.execution.seconds_table import MeasuredSeconds
from myths.lab.trial import decode


def rows_of_run(folder: Path) -> list[MeasuredSeconds]:
    """Return rows from the trials of a run on a GPU that ran alone."""
    run = suite.find_run(str(folder))
    rows: list[MeasuredSeconds] = []
    for myth in suite.MYTHS:
        records = [r for r in run.store(myth).records if r.status == "ok" and r.has_comparable_seconds] if run.has_results(myth) else []
        for machine_class in sorted({record.device for record in records} - {"cpu", "mps"}):
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


def main(path: Path) -> None:
    """Merge the rows of a run or stage into the table."""
    new = rows_of_stage(path) if path.suffix == ".json" else rows_of_run(path)
    if not new:
        raise SystemExit(f"{path} has no trial that ran alone on a GPU")
    seconds_table.write([*seconds_table.read(), *new])
    print(f"{len(new)} rows of {', '.join(sorted({row.machine_class for row in new}))} in {seconds_table.TABLE}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        main(Path(sys.argv[1]))
    except MythsError as error:
        sys.exit(str(error))
