"""The page of a myth shows every attempt at a trial that ran several times, and which of them counts."""

import re
from dataclasses import replace
from html import unescape

import pytest

from myths.lab.analysis import analyze
from myths.lab.report import site
from tests.lab.report import coin


def rows_of(page: str) -> list[list[str]]:
    """The cells of the table of attempts, as text."""
    table = re.search(r'<details id="[\w-]+-attempts">.*?</details>', page, flags=re.DOTALL)
    found = [] if table is None else re.findall(r"<tr>(.*?)</tr>", table[0].partition("<tbody>")[2], flags=re.DOTALL)
    return [[unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in found]


@pytest.mark.parametrize(
    ("heads", "found"),
    [(5100, ["heads=5040", "heads=5100"]), (5040, ["the same rows", "the same rows"])],
)
def test_all_attempts_are_shown_and_the_last_is_marked_as_the_one_that_counts(heads, found, tmp_path):
    run = coin.make_run(tmp_path / "local" / "cpu-laptop", heads={"euro": (5040,), "ducat": (5080,)})
    store = run.store(coin.COIN)
    euro = store.records[0]
    run.add_invocation("cpu", coin.invocation("laptop", "20260102T000000-cd34", again=[euro.trial.id]), {})
    store.append(replace(euro, invocation="20260102T000000-cd34", rows=[{**euro.rows[0], "heads": heads}]))
    analysis = analyze(coin.COIN, run)
    page = (site.build([analysis], tmp_path / "report", (coin.COIN,)).parent / "fair-coin.html").read_text(encoding="utf-8")
    trial = f"Toss {euro.trial.id}"
    assert rows_of(page) == [
        [trial, "1", found[0], "20260101T000000-ab12"],
        [trial, "2 used", found[1], "20260102T000000-cd34"],
    ]
    assert analysis.tables["tosses"].loc[lambda t: t["coin"] == "euro", "heads"].tolist() == [heads]


def test_a_run_without_repeated_trials_says_nothing_of_attempts(tmp_path):
    analysis = coin.analysis(tmp_path / "local" / "cpu-laptop")
    page = (site.build([analysis], tmp_path / "report", (coin.COIN,)).parent / "fair-coin.html").read_text(encoding="utf-8")
    assert rows_of(page) == []
    assert "Trials that ran several times" not in page
