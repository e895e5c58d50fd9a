"""The table of goals of docs/performance.md: every goal of every stage, with the numbers of the runs in ``benchmarks/measured``."""

from __future__ import annotations

import json
from pathlib import Path

from tabulate import tabulate

from gpu_stages.stage import STAGES

MEASURED = Path(__file__).resolve().parents[1] / "measured"
"""One folder per class of machine, with a JSON file per stage."""


def table_of_goals() -> str:
    """Return the table as Markdown. A cell is blank where nothing was measured."""
    machines = sorted(path.name for path in MEASURED.glob("*") if path.is_dir())
    rows = []
    for stage in STAGES.values():
        for goal in stage.goals:
            numbers = [_number(machine, stage.name, goal.name) for machine in machines]
            rows.append(
                [goal.text, goal.peer, f"{goal.sense} {goal.bound:g}", goal.device.replace("cuda", "GPU").replace("cpu", "CPU"), *numbers]
            )
    return tabulate(rows, ["goal", "peer in the same run", "bound", "device", *machines], tablefmt="github", disable_numparse=True)


def _number(machine: str, stage: str, goal: str) -> str:
    path = MEASURED / machine / f"{stage}.json"
    if not path.exists():
        return ""
    value = json.loads(path.read_text(encoding="utf-8"))["goals"].get(goal)
    return "" if value is None else f"{value:.3g}"
