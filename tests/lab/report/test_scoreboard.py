"""The scoreboard of published runs."""

from dataclasses import replace

from myths.lab.report.scoreboard import scoreboard
from tests.lab.report import coin

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


def test_the_scoreboard_of_nothing_says_so():
    assert "No run has been published yet" in scoreboard([])
