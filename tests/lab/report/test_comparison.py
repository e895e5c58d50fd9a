"""Two runs side by side: what moved, what only shook."""

from pathlib import Path

import pytest

from myths import standings
from myths.lab.errors import UsageError
from myths.lab.report import site, view
from myths.lab.report.comparison import comparisons
from myths.lab.run_folder import RunFolder
from myths.lab.store import Record
from tests.lab.report import coin


def run_view(derived, key):
    return view.RunView(derived, key, derived.run.facts())


def timed(path: Path, seconds, jobs: int = 1):
    """A run of one coin, its tosses taking the given times, so many at a time."""
    made = coin.invocation("laptop")
    run = coin.make_run(path, heads={}, arguments={**made["arguments"], "jobs": jobs})
    store = run.store(coin.COIN)
    for seed, each in enumerate(seconds):
        rows = [{"dataset": "ducat", "heads": 5300, "times": 10_000}]
        store.append(Record(coin.Toss(coin="ducat", times=10_000, seed=seed), "ok", rows, seconds=each, invocation=made["id"]))
    return coin.derive(coin.COIN, run)


def compared(one, other):
    (found,) = comparisons([[run_view(one, "a"), run_view(other, "b")]])
    return found


def test_moved_is_beyond_both_intervals_and_changed_is_another_verdict(tmp_path):
    one = coin.derived(tmp_path / "one", heads={"ducat": (5400, 5350), "euro": (5040,), "guilder": (5300,)})
    other = coin.derived(tmp_path / "other", heads={"ducat": (5400, 5350), "euro": (5400,), "guilder": (5310,)})
    found = compared(one, other)
    assert {pair.one.id for pair in found.moved} == {"C2-euro"}
    assert {pair.one.id for pair in found.changed} == {"C2-euro"}
    assert {pair.one.id for pair in found.pairs} >= {"C1-ducat", "C1-guilder", "C2-euro"}
    assert "C5-franc" not in {pair.one.id for pair in found.pairs}


def test_runs_that_share_no_claim_are_not_compared(tmp_path):
    one = coin.derived(tmp_path / "one", heads={"euro": (5040,)})
    other = coin.derived(tmp_path / "other", heads={"franc": (5040,)})
    assert comparisons([[run_view(one, "a"), run_view(other, "b")]]) == []


@pytest.mark.parametrize(
    ("theirs", "moved"),
    [((20.0, 41.0, 59.0), True), ((9.0, 22.0, 29.0), False), ((20.0,), False)],
)
def test_times_move_only_beyond_their_noise(theirs, moved, tmp_path):
    (pace,) = compared(timed(tmp_path / "one", (10.0, 20.0, 30.0)), timed(tmp_path / "other", theirs)).paces
    assert pace.moved is moved
    assert pace.ratio.n == len(theirs)


def test_times_of_trials_in_another_company_are_not_compared(tmp_path):
    one, other = timed(tmp_path / "one", (10.0, 20.0), jobs=1), timed(tmp_path / "other", (30.0, 61.0), jobs=2)
    assert compared(one, other).paces == ()
    assert len(compared(other, timed(tmp_path / "third", (30.0, 61.0), jobs=2)).paces) == 1


def test_the_terminal_says_the_same_as_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(standings.suite, "MYTHS", (coin.COIN,))
    one, other = timed(tmp_path / "one", (10.0, 20.0)), timed(tmp_path / "other", (30.0, 61.0))
    found = standings.compare(one.run, other.run)
    *claims, time = standings.compared_lines(found)
    assert {line["what"] for line in claims} == {pair.one.id for pair in compared(one, other).pairs}
    assert not any(line["moved"] or line["changed"] for line in claims)
    assert time["moved"]
    assert (time["what"], time["other"].split()[1]) == ("time of Toss (n = 2)", "3.02")


def test_the_terminal_names_both_verdicts_where_they_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(standings.suite, "MYTHS", (coin.COIN,))
    one = coin.derived(tmp_path / "one", heads={"euro": (5040,)})
    other = coin.derived(tmp_path / "other", heads={"euro": (5400,)})
    (line,) = (line for line in standings.compared_lines(standings.compare(one.run, other.run)) if line["changed"])
    assert (line["what"], line["verdicts"], line["moved"]) == ("C2-euro", "inconclusive → reproduced", True)


def test_runs_that_share_nothing_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(standings.suite, "MYTHS", (coin.COIN,))
    with pytest.raises(UsageError, match="no claim in common"):
        standings.compare(RunFolder(tmp_path / "no"), RunFolder(tmp_path / "none"))


def test_the_page_says_what_changed(tmp_path):
    runs = [timed(tmp_path / "local" / "cpu-laptop", (10.0, 20.0)), timed(tmp_path / "published" / "cpu-laptop", (30.0, 61.0))]
    site.build(runs, tmp_path / "report")
    text = (tmp_path / "report" / "compare-local-cpu-laptop-published-cpu-laptop.html").read_text()
    assert "no verdicts changed; no numbers moved beyond the intervals; 1 time beyond the noise." in " ".join(text.split())
    assert "× 3.02" in text
    assert "compare-local-cpu-laptop-published-cpu-laptop.html" in (tmp_path / "report" / "index.html").read_text()
