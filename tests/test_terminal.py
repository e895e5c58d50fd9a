"""What comes from data is printed as it is; what takes long says what it does, to people only."""

import io
import json
import logging
import re
import warnings
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from myths.lab.execution.runner import Plan, PlannedTrial
from myths.lab.storage.store import TrialRecord
from myths.terminal import Terminal, escape_control
from tests.lab.report.coin import COIN, Toss

HOSTILE = [
    "[bold]", "[/bold]", "[/]", "[link=file:///x]", "pip install 'seven-myths[frameworks]'", ":warning:", "\\[", "\\", "{task.description}",
    "{0}", "%s", "<b>", "\x1b[2J", "\x1b]8;;http://x\x07", "\x9b31m", "\u202e", "\ud800", "é", "漢字", "👩‍🔬", "a", " ", "_", "9",
]  # fmt: skip
texts = st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=6).map("".join)


def on_paper(tty=False):
    """A terminal that writes to memory, wide enough for one line a text."""
    terminal = Terminal()
    for name in ("out", "err"):
        setattr(terminal, name, Console(file=io.StringIO(), width=2000, force_terminal=tty, markup=False, emoji=False, highlight=False))
    return terminal


def written(console):
    return console.file.getvalue()


@given(texts)
@example("[/bold]")
def test_a_text_is_shown_as_it_is_everywhere(text):
    shown = escape_control(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", shown)
    assert not set(text) & set("\x1b\x07\x9b\u202e\ud800") or shown != text
    terminal = on_paper()
    terminal.print(text)
    terminal.error(text)
    terminal.table(text, [{"note": text, "n": 1.0}], as_json=False)
    terminal.table("", [{text: text}], as_json=False)
    said = written(terminal.out)
    assert said.startswith(f"{shown}\n")
    assert said.count(shown.strip()) >= 4  # rich strips the blanks at the ends of a cell
    assert written(terminal.err) == f"myths: {shown}\n"


@given(texts)
def test_json_holds_the_same_text(text):
    terminal = on_paper()
    terminal.table("", [{"note": text}], as_json=True)
    assert json.loads(written(terminal.out)) == [{"note": text}]


def test_ordinary_text_is_left_alone():
    assert escape_control("≥ 0.3 pp\t[0.1, 0.2]\nnaïve – 漢字") == "≥ 0.3 pp\t[0.1, 0.2]\nnaïve – 漢字"


@pytest.mark.parametrize("tty", [False, True])
def test_progress_shows_names_and_errors_as_they_are(tty):
    terminal = on_paper(tty)
    trials = [Toss(coin="[/x]", seed=seed) for seed in range(3)]
    skipped = [PlannedTrial(Toss(coin=name), "skipped", "no [frameworks]") for name in "ab"]
    plan = Plan((*(PlannedTrial(trial, "pending") for trial in trials), *skipped))
    report = terminal.progress(replace(COIN, name="my[red]myth"), plan)
    for trial in trials:
        report(trial, None)
        report(trial, TrialRecord(trial, "failed", error="ValueError: [/bold] :warning: \x1b[2J"))
    terminal.stop_progress()
    said = written(terminal.out)
    assert said.count("no [frameworks]") == 1
    assert "my[red]myth" in said
    assert "Toss(coin=[/x])" in said
    assert "ValueError: [/bold] :warning: \\u001b[2J" in said
    assert said.count("FAILED") == (1 if tty else 3)  # on a terminal the first of a cause, else a line for each trial


def test_a_wait_says_what_it_does_on_a_terminal():
    terminal = on_paper(tty=True)
    log = logging.getLogger("myths.lab.anything")
    with terminal.waiting("packing [run]", ticking=False):
        log.info("tables of %s", "[/bold]")
    assert "packing [run]" in written(terminal.err)
    assert "tables of [/bold]" in written(terminal.err)
    assert "0:00:00" in written(terminal.err)
    assert written(terminal.out) == ""
    assert not logging.getLogger("myths").handlers


def test_a_wait_is_quiet_elsewhere_and_ends_with_an_error():
    terminal = on_paper()
    with terminal.waiting("packing"):
        logging.getLogger("myths.lab.anything").info("tables")
    assert written(terminal.err) == ""
    loud = on_paper(tty=True)
    with pytest.raises(ZeroDivisionError), loud.waiting("packing"):
        raise ZeroDivisionError
    assert loud._waiting is None
    with warnings.catch_warnings(), loud.waiting("again"):
        pass


@pytest.mark.parametrize("tty", [True, False])
def test_an_error_is_wrapped_between_words_on_a_terminal_and_one_line_elsewhere(tty):
    terminal = on_paper(tty)
    terminal.err.width = 80
    words = [f"word{n}" for n in range(60)]
    terminal.error(" ".join(words))
    lines = re.sub("\x1b\\[[0-9;]*m", "", written(terminal.err)).splitlines()
    assert " ".join(lines).split() == ["myths:", *words]
    assert (len(lines) == 1) != tty
    assert all(len(line) <= 80 for line in lines) == tty
