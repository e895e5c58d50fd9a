"""What the command shows: progress while trials run, and tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from myths.lab.myth import Myth
from myths.lab.runner import Plan

if TYPE_CHECKING:
    from rich.progress import Progress

    from myths.lab.store import Record
    from myths.lab.trial import Trial

VERDICT_STYLES = {
    "reproduced": "green",
    "not reproduced": "red",
    "inconclusive": "yellow",
    "not tested": "dim",
    "illustration": "cyan",
    "refuted": "bold green",
    "still standing": "bold red",
    "open": "bold yellow",
    "aged": "bold magenta",
}


class Terminal:
    """Prints for people, or JSON for programs when ``as_json``."""

    def __init__(self) -> None:
        self.out = Console(highlight=False)
        if not self.out.is_terminal:
            self.out = Console(highlight=False, width=160)
        self.err = Console(stderr=True, highlight=False)
        self._shown: Progress | None = None

    def say(self, text: str = "", style: str | None = None) -> None:
        """One line, wrapped only on a terminal."""
        self.out.print(text, style=style, markup=False, soft_wrap=not self.out.is_terminal)

    def listing(self, title: str, lines: Sequence[Mapping[str, Any]], as_json: bool, columns: Iterable[str] | None = None) -> None:
        """A table of lines; all of their keys go into the JSON, ``columns`` into the table."""
        if as_json:
            self.out.print(json.dumps(list(lines), ensure_ascii=False, indent=1), markup=False, soft_wrap=True)
            return
        shown = list(columns or (lines[0] if lines else ()))
        table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
        for column in shown:
            table.add_column(column.replace("_", " "), overflow="fold")
        for line in lines:
            table.add_row(*(_cell(line.get(column)) for column in shown), style=VERDICT_STYLES.get(str(line.get("verdict"))))
        self.out.print(table)

    def progress(self, myth: Myth, plan: Plan) -> Callable[[Trial, Record | None], None]:
        """Shows a myth's trials as they run: a bar on a terminal, plain lines elsewhere."""
        todo = len(plan.only("to do"))
        self.say(f"{myth.name}: {todo} trials to run, {len(plan.only('done'))} done before, {len(plan.absent)} not possible here")
        for reason in sorted({reason for _, reason in plan.absent}):
            self.say(f"  not here: {reason}")
        return self._bar(myth, todo) if self.out.is_terminal else self._lines(myth, todo)

    def _lines(self, myth: Myth, todo: int) -> Callable[[Trial, Record | None], None]:
        finished = 0

        def report(trial: Trial, record: Record | None) -> None:
            nonlocal finished
            if record is not None:
                finished += 1
                how = "" if record.status == "ok" else f" FAILED: {record.error}"
                self.say(f"  {myth.name} {finished}/{todo}  {record.seconds:6.1f} s  {trial}{how}")

        return report

    def _bar(self, myth: Myth, todo: int) -> Callable[[Trial, Record | None], None]:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.table import Column

        if self._shown is None:  # one display for all myths: their trials run in one queue
            rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
            self._shown = Progress(
                TextColumn("{task.fields[myth]}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(),
                TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.description}", markup=False, table_column=rest),
                console=self.out, expand=True, transient=True,
            )  # fmt: skip
        bar = self._shown
        if not todo:
            return lambda trial, record: None
        task = bar.add_task("", total=todo, myth=myth.name, start=False)

        def report(trial: Trial, record: Record | None) -> None:
            if record is None:
                bar.start()
                bar.start_task(task)
                bar.update(task, description=str(trial))
                return
            bar.advance(task)
            if record.status == "failed":
                bar.console.print(f"  FAILED {trial}: {record.error}", style="red", markup=False)
            if bar.finished:
                self.settle()

        return report

    def settle(self) -> None:
        """Ends a bar that an interruption or a budget left on the screen."""
        if self._shown is not None:
            self._shown.stop()
            self._shown = None

    def complain(self, text: str) -> None:
        """One line on standard error."""
        self.err.print(f"myths: {text}", style="red", markup=False, soft_wrap=True)


def _cell(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
