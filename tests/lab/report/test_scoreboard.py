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
    assert text == scoreboard([gpu, quick, dice])


def test_the_scoreboard_of_nothing_says_so():
    assert "No run has been published yet" in scoreboard([])
