"""The scoreboard of published runs."""

import re
from dataclasses import replace
from pathlib import Path

from myths import suite
from myths.lab.analysis import analyze
from myths.lab.report import run_view
from myths.lab.report.scoreboard import scoreboard
from tests.lab.report import coin

PUBLISHED = Path(__file__).parents[3] / "results" / "published"
DICE = replace(coin.COIN, name="fair-dice", number=9, belief="Dice | are *fair* <b>")


def test_the_scoreboard_has_a_row_a_myth_from_its_best_run(tmp_path):
    gpu = coin.analysis(tmp_path / "h200-gpu", "gpu", {**coin.HEADS, "guilder": (5300,)})
    quick = coin.analysis(tmp_path / "cpu-quick", "quick", {"button": (5500,)})
    dice = coin.analysis(tmp_path / "cpu-laptop", myth=DICE)
    text = scoreboard([quick, dice, gpu])
    rows = [line for line in text.splitlines() if line.startswith(("| 8", "| 9"))]
    assert len(rows) == 2
    assert "**leans refuted**<br>Coins remember. The protocol of C1-guilder is reduced. | h200-gpu (gpu)" in rows[0]
    assert "50.8 % [50.6…51.0]" in rows[0].replace("\u202f", " ")
    assert "**53.8 %** [53.2, 54.3], reproduced" in rows[0].replace("\u202f", " ")
    assert "*(from memory)* → **53.0 %** [52.0, 54.0] *reduced*" in rows[0].replace("\u202f", " ")
    assert r"Dice \| are \*fair\* &lt;b&gt;" in rows[1]
    assert "`myths publish RUN`" in text
    assert text.index("## Further beliefs") < text.index("| 8 ")
    assert text == scoreboard([gpu, quick, dice])


def test_further_beliefs_have_a_table_of_their_own_after_the_seven(tmp_path):
    seventh = replace(coin.COIN, name="late-bird", number=7)
    made = [
        coin.analysis(tmp_path / run, "quick", {"button": (5500,)}, **more)
        for run, more in (("a", {"myth": DICE}), ("b", {"myth": seventh}))
    ]
    lines = scoreboard(made).splitlines()
    rows = [i for i, line in enumerate(lines) if line.startswith(("| 7 ", "## Further", "| 9 "))]
    assert [lines[i][:4] for i in rows] == ["| 7 ", "## F", "| 9 "]
    assert sum(line.startswith("| # ") for line in lines) == 2
    assert "Further" not in scoreboard(made[1:])


def row_of(runs):
    """The row of the coin in the scoreboard of some runs, with plain spaces."""
    return next(line for line in scoreboard(runs).splitlines() if line.startswith("| 8 ")).replace("\u202f", " ")


def test_a_primary_claim_that_the_best_run_did_not_measure_has_the_number_of_another_run_by_name(tmp_path):
    best = coin.analysis(tmp_path / "cpu-laptop", "laptop", heads={"ducat": (5400, 5350, 5380)})
    other = coin.analysis(tmp_path / "cpu-night_1", "overnight", heads={"guilder": (5120,)})
    row = row_of([best, other])
    assert r"→ not measured, not tested; in run cpu-night\_1 (overnight): **51.2 %** [50.2, 52.2] *reduced*, inconclusive" in row
    assert "**open**<br>C1-guilder is not tested. | cpu-laptop (laptop) |" in row
    assert "in run" not in row_of([best])


def test_a_row_names_a_run_that_tested_as_much_and_has_another_verdict(tmp_path):
    heads = {**coin.HEADS, "guilder": (5300,)}
    runs = [coin.analysis(tmp_path / name, heads={**heads, "franc": (n,)}) for name, n in (("a", 4400), ("b", 5600))]
    assert "**leans refuted**" in row_of(runs)
    assert re.search(r"\| a \(laptop\)<br>also b \(laptop\): leans refuted, aged; \S+ is reproduced \|", row_of(runs))
    assert "also" not in row_of(runs[:1])


def test_the_intervals_are_counted_of_the_shown_runs_and_of_all_runs(tmp_path):
    best, other = (coin.analysis(tmp_path / name) for name in ("a", "b"))
    shown, every = run_view.intervals([best]), run_view.intervals([best, other])
    assert every == 2 * shown
    text = scoreboard([best, other])
    assert f"have {shown} intervals at 95 % in total: about {shown / 20:.1f} would miss" in text
    assert f"All published runs have {every}; a claim counts once per run." in text


def test_the_committed_scoreboard_is_that_of_the_published_runs():
    runs = [analyze(myth, run) for run in suite.runs(PUBLISHED) for myth in suite.OURS if run.has_results(myth)]
    assert (PUBLISHED.parent / "README.md").read_text(encoding="utf-8") == scoreboard(runs)


def test_the_scoreboard_of_nothing_says_so():
    assert "No run has been published yet" in scoreboard([])
