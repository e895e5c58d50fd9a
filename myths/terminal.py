"""Terminal output: progress of trials, and tables."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from myths.lab.counting import counted
from myths.lab.execution.runner import Plan
from myths.lab.failures import causes
from myths.lab.myth import Myth

if TYPE_CHECKING:
    from rich.progress import Progress

    from myths.lab.storage.store import TrialRecord
    from myths.lab.trial import Trial

VERDICT_STYLES = {
    "reproduced": "green",
    "beyond the paper": "magenta",
    "not seen at this scale": "red",
    "not reproduced": "red",
    "inconclusive": "yellow",
    "not tested": "dim",
    "illustration": "cyan",
    "held": "green",
    "failed": "red",
    "undecided": "yellow",
    "not run": "dim",
    "refuted": "bold green",
    "leans refuted": "green",
    "mixed": "bold magenta",
    "open": "bold yellow",
    "leans standing": "red",
    "standing": "bold red",
}


_CONTROL = (*range(9), *range(11, 32), *range(127, 160), 0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Characters that move the cursor, color the screen or change the writing direction, except tabs and line ends."""
_ESCAPES = {code: f"\\u{code:04x}" for code in (*_CONTROL, *range(0xD800, 0xE000))}
"""Escapes of these characters, and of surrogates that no encoding can write, as in JSON and Python."""


def escape_control(text: str) -> str:
    """Return a text with control characters replaced by their escapes."""
    return text.translate(_ESCAPES)


class Terminal:
    """Prints text and tables, or JSON with ``as_json``.

    Names, notes and errors come from data, so no text is interpreted as markup, as an emoji or as a terminal command.
    """

    def __init__(self) -> None:
        self.out = Console(markup=False, emoji=False, highlight=False)
        if not self.out.is_terminal:
            self.out = Console(markup=False, emoji=False, highlight=False, width=160)
        self.err = Console(stderr=True, markup=False, emoji=False, highlight=False)
        self._shown: Progress | None = None
        self._waiting: Progress | None = None
        self._causes: set[str] = set()

    def print(self, text: str = "", style: str | None = None) -> None:
        """Print one line, wrapped only on a terminal."""
        self._clear_waiting()
        self.out.print(escape_control(text), style=style, soft_wrap=not self.out.is_terminal)

    def table(self, title: str, lines: Sequence[Mapping[str, Any]], as_json: bool, columns: Iterable[str] | None = None) -> None:
        """Print lines as a table, or all of their keys as JSON.

        Args:
            title: Title of the table.
            lines: One mapping per line.
            as_json: Whether to print JSON.
            columns: Keys to show in the table. Default: those of the first line.
        """
        self._clear_waiting()
        if as_json:
            self.out.file.write(
                escape_control(json.dumps(list(lines), ensure_ascii=False, indent=1)) + "\n"
            )  # rich splits a text into its lines
            return
        shown = list(columns or (lines[0] if lines else ()))
        table = Table(title=escape_control(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
        for column in shown:
            table.add_column(escape_control(column.replace("_", " ")), overflow="fold")
        for line in lines:
            table.add_row(
                *(_cell(line.get(column)) for column in shown), style=VERDICT_STYLES.get(str(line.get("verdict")).partition(",")[0])
            )
        self.out.print(table)

    def progress(self, myth: Myth, plan: Plan) -> Callable[[Trial, TrialRecord | None], None]:
        """Print the plan of a myth and return a callback that shows its progress: a bar on a terminal, lines elsewhere."""
        todo = len(plan.in_state("pending"))
        self.print(f"{myth.name}: {counted(todo, 'trial')} to run, {len(plan.in_state('done'))} already done, {len(plan.skipped)} skipped")
        for reason in sorted({reason for _, reason in plan.skipped}):
            self.print(f"  skipped: {reason}")
        return self._bar(myth, todo) if self.out.is_terminal and not self.out.is_dumb_terminal else self._lines(myth, todo)

    def _lines(self, myth: Myth, todo: int) -> Callable[[Trial, TrialRecord | None], None]:
        finished = 0

        def report(trial: Trial, record: TrialRecord | None) -> None:
            nonlocal finished
            if record is not None:
                finished += 1
                how = "" if record.status == "ok" else f" FAILED: {record.error}"
                self.print(f"  {myth.name} {finished}/{todo}  {record.seconds:6.1f} s  {trial}{how}")

        return report

    def _bar(self, myth: Myth, todo: int) -> Callable[[Trial, TrialRecord | None], None]:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.table import Column

        if self._shown is None:  # one display for all myths: their trials run in one queue
            rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
            self._shown = Progress(
                TextColumn("{task.fields[myth]}", markup=False), BarColumn(bar_width=24 if self.out.width >= 100 else 8),
                MofNCompleteColumn(), TimeElapsedColumn(),
                TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.description}", markup=False, table_column=rest),
                console=self.out, expand=True, transient=True,
            )  # fmt: skip
        bar = self._shown
        if not todo:
            return lambda trial, record: None
        task = bar.add_task("", total=todo, myth=myth.name, start=False)

        def report(trial: Trial, record: TrialRecord | None) -> None:
            if record is None:
                self.stop_waiting()
                bar.start()
                bar.start_task(task)
                bar.update(task, description=escape_control(str(trial)))
                return
            bar.advance(task)
            if record.status == "failed":
                self._fail(trial, record)
            if bar.finished:
                self.stop_progress()

        return report

    def _fail(self, trial: Trial, record: TrialRecord) -> None:
        """Show a failed trial if it is the first with its cause; the summary at the end counts the others."""
        cause = causes([record.error or ""])
        if cause not in self._causes:
            self._causes.add(cause)
            self.out.print(escape_control(f"  FAILED {trial}: {record.error}"), style="red")

    @contextlib.contextmanager
    def waiting(self, text: str, ticking: bool = True) -> Iterator[None]:
        """Show a text and the elapsed time during a ``with`` block, if standard error is a terminal.

        Messages of the loggers of this package replace the text, so that long operations report their steps with
        ``logging.getLogger(__name__).info``.

        Args:
            text: Text to show until the first message.
            ticking: Whether a thread refreshes the time. Otherwise each message does; use this for blocks that fork processes.
        """
        if not self.err.is_terminal or self.err.is_dumb_terminal or self._waiting is not None:
            yield
            return
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        wait = self._waiting = Progress(
            SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn(),
            console=self.err, transient=True, auto_refresh=ticking,
        )  # fmt: skip
        task = wait.add_task(escape_control(text), total=None)
        handler = _Steps(lambda step: wait.update(task, description=escape_control(step), refresh=True))
        logger = logging.getLogger("myths")
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        wait.start()
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
            self.stop_waiting()

    def stop_waiting(self) -> None:
        """Remove the text of ``waiting`` from the screen."""
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None

    def _clear_waiting(self) -> None:
        """Remove the text of ``waiting`` before a line of output, which would otherwise appear behind it."""
        if self.out.is_terminal:
            self.stop_waiting()

    def stop_progress(self) -> None:
        """Stop a bar that an interruption or a time budget left on the screen."""
        self.stop_waiting()
        if self._shown is not None:
            self._shown.stop()
            self._shown = None

    def error(self, text: str) -> None:
        """Print one line to standard error, wrapped only on a terminal."""
        self.err.print(escape_control(f"myths: {text}"), style="red", soft_wrap=not self.err.is_terminal)


class _Steps(logging.Handler):
    """Passes the text of each message to a function."""

    def __init__(self, show: Callable[[str], None]):
        super().__init__()
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        """Hand on one message."""
        self._show(record.getMessage())


def _cell(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"{value:.4g}" if isinstance(value, float) else escape_control(str(value))
