"""What stands behind a number: exactly the trials it came from, or the word that it is not known which."""

from dataclasses import replace

import pytest

from myths.lab.report import lines, site, view
from tests.lab.report import coin


def by_coin(results):
    """A table that makes its own rows: the mean over the seeds of a coin."""
    table = coin.tosses(results)
    if table.empty:
        return table
    summed = table.groupby("coin", as_index=False)[["heads", "times"]].sum()
    return summed.assign(protocol="reduced", dataset=summed["coin"], device="cpu")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    mixed = coin.claim("C8-mixed", "ducat", coin.above(50.0), table="by_coin")
    myth = replace(coin.COIN, tables={**coin.COIN.tables, "by_coin": by_coin}, claims=(*coin.CLAIMS, mixed))
    return coin.derived(tmp_path_factory.mktemp("lines") / "published" / "cpu-laptop", myth=myth)


def behind(run, claim):
    return lines.behind(next(c for c in run.myth.claims if c.id == claim), run.tables, run.records)


def test_rows_that_a_table_keeps_name_their_trials(run):
    found = behind(run, "C1-ducat")
    assert found.exact
    assert [record.trial for record in found.records] == [coin.Toss(coin="ducat", times=10_000, seed=seed) for seed in range(3)]


def test_rows_that_a_table_makes_name_all_of_the_class_those_that_fit_first(run):
    found = behind(run, "C8-mixed")
    assert not found.exact
    assert len(found.records) == len(run.records)
    assert [record.trial.coin for record in found.records][:4] == ["ducat", "ducat", "ducat", "guilder"]


def test_the_index_is_no_column(run):
    assert "trial" not in run.tables["tosses"].columns
    assert run.tables["tosses"].index.is_unique


def test_the_page_says_which(run, tmp_path):
    site.build([run], tmp_path)
    text = (tmp_path / "fair-coin.html").read_text()
    listed = {claim: text[(at := text.index(f'id="published-cpu-laptop-claim-{claim}-from"')) : text.index("</tr>", at)] for claim in
              ("c1-ducat", "c8-mixed")}  # fmt: skip
    assert "from among" in listed["c8-mixed"]
    assert "from among" not in listed["c1-ducat"]
    assert listed["c1-ducat"].count("-trial-") == 3


def test_without_a_number_nothing_stands_behind(run):
    franc = next(claim for claim in view.RunView(run, "k", {}).claims if claim.id == "C5-franc")
    assert franc.behind.records == ()
