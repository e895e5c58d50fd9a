"""What stands behind a number: exactly the trials that it came from, whether its table keeps their rows or makes its own."""

from dataclasses import replace

import pandas as pd
import pytest

from myths.lab.report import run_view, site
from myths.lab.tables import provenance_columns
from tests.lab.report import coin


def by_coin(results):
    """A table that makes its own rows: the sum over the seeds of a coin."""
    table = coin.tosses(results)
    groups = table.groupby("coin", sort=False) if len(table) else ()
    return pd.DataFrame([{"coin": name, **group[["heads", "times"]].sum(), **provenance_columns(group)} for name, group in groups])


def without_trials(results):
    return by_coin(results).drop(columns="trials", errors="ignore")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    mixed = coin.claim("C8-mixed", "ducat", coin.above(50.0), table="by_coin")
    myth = replace(coin.COIN, tables={**coin.COIN.tables, "by_coin": by_coin}, claims=(*coin.CLAIMS, mixed))
    return coin.analysis(tmp_path_factory.mktemp("lines") / "published" / "cpu-laptop", myth=myth)


@pytest.mark.parametrize("claim", ["C1-ducat", "C8-mixed"])
def test_a_number_names_its_trials_also_where_its_table_makes_the_rows(run, claim):
    found = run.records_of(next(claim_result for claim_result in run.claim_results if claim_result.claim.id == claim))
    assert [record.trial for record in found] == [coin.Toss(coin="ducat", times=10_000, seed=seed) for seed in range(3)]
    line = run.claims_table().set_index("claim").loc[claim]
    assert line["trials"].split() == [record.trial.id for record in found]


def test_a_table_that_loses_the_trials_is_refused(tmp_path):
    myth = replace(coin.COIN, tables={**coin.COIN.tables, "by_coin": without_trials})
    with pytest.raises(ValueError, match="table by_coin: a row names no trial in the column 'trials'"):
        coin.analysis(tmp_path / "cpu-laptop", myth=myth)


def test_the_page_says_which(run, tmp_path):
    site.build([run], tmp_path)
    text = (tmp_path / "fair-coin.html").read_text()
    for claim in ("c1-ducat", "c8-mixed"):
        listed = text[(at := text.index(f'id="published-cpu-laptop-claim-{claim}-from"')) : text.index("</tr>", at)]
        assert listed.count('href="#published-cpu-laptop-trial-') == 3
    assert text.count('<table class="data" id="published-cpu-laptop-by-coin">') == 1
    table = text[(at := text.index('id="published-cpu-laptop-by-coin"')) : text.index("</table>", at)]
    assert table.count('href="#published-cpu-laptop-trial-') == len(run.records)


def test_without_a_number_nothing_stands_behind(run):
    franc = next(claim for claim in run_view.RunView(run, "k", {}).claims if claim.id == "C5-franc")
    assert franc.trials == ()
