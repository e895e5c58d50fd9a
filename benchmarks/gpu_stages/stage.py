"""A stage of ``benchmarks/gpu.py``: its declaration, and the record that it fills while it runs."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from tabulate import tabulate

T = TypeVar("T")


@dataclass(frozen=True)
class Goal:
    """A bound that a stage measures.

    Attributes:
        name: Unique name.
        text: What is measured, with its unit and settings.
        sense: Whether the number must be at most or at least the bound.
        bound: The bound.
        peer: What it is compared with in the same run.
        device: Kind of device that the goal is for.
    """

    name: str
    text: str
    sense: Literal["≤", "≥"]
    bound: float
    peer: str = ""
    device: Literal["cuda", "cpu"] = "cuda"

    def met(self, value: float) -> bool:
        """Return whether a number meets the goal."""
        return value <= self.bound if self.sense == "≤" else value >= self.bound


@dataclass(frozen=True)
class Stage:
    """A stage: its name, expected seconds on an H200, question, goals, whether it runs by default, and its function."""

    name: str
    seconds: float
    answers: str
    goals: tuple[Goal, ...]
    default: bool
    function: Callable[[Run], None]


STAGES: dict[str, Stage] = {}
"""All stages, in the order in which they run: cheap and decisive ones first."""


def stage(
    name: str, *, seconds: float, answers: str, goals: Sequence[Goal] = (), default: bool = True
) -> Callable[[Callable[[Run], None]], Callable[[Run], None]]:
    """Register the decorated function as a stage.

    Args:
        name: Name on the command line and of the JSON file.
        seconds: Expected seconds on an H200. The stage is ended after twice as long.
        answers: The question that the stage answers.
        goals: Goals that the stage measures.
        default: Whether the stage runs without ``--stage``. The default stages together must stay below four minutes.
    """

    def register(function: Callable[[Run], None]) -> Callable[[Run], None]:
        assert name not in STAGES, f"two stages are named {name}"
        STAGES[name] = Stage(name, seconds, answers, tuple(goals), default, function)
        return function

    return register


@dataclass
class Run:
    """A stage that is running: its device and settings, and its record, which is written after every row.

    Attributes:
        stage: The stage.
        device: Device as torch names it.
        tiny: Whether this is a rehearsal. Its numbers mean nothing.
        folder: Folder of the JSON file.
        facts: Machine, software and commit.
    """

    stage: Stage
    device: str
    tiny: bool
    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    goals: dict[str, float] = field(default_factory=dict)
    status: str = "running"
    error: str = ""
    started: float = field(default_factory=time.monotonic)

    @property
    def gpu(self) -> bool:
        """Whether the device is a CUDA GPU."""
        return self.device.startswith("cuda")

    def pick(self, full: T, tiny: T) -> T:
        """Return the setting of a measurement or of a rehearsal."""
        return tiny if self.tiny else full

    def row(self, **columns: Any) -> None:
        """Add a row to the table and write the record."""
        self.rows.append(columns)
        self.save()

    def reach(self, goal: str, value: float) -> None:
        """Record the number of a goal, if the goal is for this kind of device."""
        (declared,) = [g for g in self.stage.goals if g.name == goal]
        if declared.device == ("cuda" if self.gpu else "cpu"):
            self.goals[goal] = float(value)
        self.save()

    @contextlib.contextmanager
    def peer(self, name: str) -> Iterator[None]:
        """Run a peer in a ``with`` block. If it is not installed or fails, a row says so and the stage continues."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 (foreign code may raise anything)
            self.row(peer=name, not_measured=f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}")

    def save(self) -> None:
        """Write the record to ``FOLDER/STAGE.json``, replacing the whole file at once."""
        record = {
            "stage": self.stage.name,
            "status": self.status,
            "error": self.error,
            "tiny": self.tiny,
            "device": self.device,
            **self.facts,
            "seconds": round(time.monotonic() - self.started, 2),
            "goals": self.goals,
            "rows": self.rows,
        }
        path = self.folder / f"{self.stage.name}.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps(record, indent=1, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
        os.replace(part, path)

    def table(self) -> str:
        """Return the rows and the goals as text."""
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        lines = [tabulate([[row.get(c, "") for c in columns] for row in self.rows], columns, floatfmt=".4g")] if self.rows else []
        by_name = {goal.name: goal for goal in self.stage.goals}
        for name, value in self.goals.items():
            goal = by_name[name]
            verdict = "rehearsed" if self.tiny else "met" if goal.met(value) else "MISSED"
            lines.append(f"goal {name}: {value:.4g}, {goal.sense} {goal.bound:g}: {verdict} ({goal.text})")
        return "\n".join(lines)
