"""Which run of a myth a list shows, and what it says of the others."""

import pytest

from myths.lab.ranking import best_first, measured_elsewhere, other_verdicts, run_rank
from myths.lab.verdict import Verdict
from tests.lab.report import coin


def test_a_run_that_stopped_early_does_not_outrank_one_that_measured_what_decides(tmp_path):
    whole = coin.analysis(tmp_path / "cpu-laptop", "laptop")
    part = coin.analysis(tmp_path / "h200-gpu", "gpu", heads={"euro": (5040,)})
    more = coin.analysis(tmp_path / "h200-paper", "paper")
    assert [d.run.name for d in best_first([part, whole])] == ["cpu-laptop", "h200-gpu"]
    assert [d.run.name for d in best_first([part, whole, more])] == ["h200-paper", "cpu-laptop", "h200-gpu"]
    quick = coin.analysis(tmp_path / "cpu-quick", "quick", heads={"euro": (5040,)})
    assert [d.run.name for d in best_first([quick, part])] == ["h200-gpu", "cpu-quick"]


def test_of_two_runs_that_tested_as_many_claims_the_one_that_decided_more_ranks_higher():
    decided, undecided = [Verdict.NOT_SEEN, Verdict.NOT_TESTED], [Verdict.INCONCLUSIVE, Verdict.NOT_TESTED]
    assert run_rank("laptop", decided, []) > run_rank("gpu", undecided, [])
    assert run_rank("gpu", decided, []) > run_rank("laptop", decided, [])
    assert run_rank("laptop", [Verdict.INCONCLUSIVE] * 2, []) > run_rank("gpu", decided, [])


def test_of_two_equal_runs_the_one_that_decided_more_follow_up_claims_ranks_higher():
    decided = [Verdict.REPRODUCED]
    today = [Verdict.REPRODUCED, Verdict.NOT_SEEN, Verdict.INCONCLUSIVE]
    assert run_rank("laptop", decided, today) > run_rank("laptop", decided, [Verdict.REPRODUCED, Verdict.NOT_TESTED])
    assert run_rank("gpu", decided, []) > run_rank("laptop", decided, today)


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_a_claim_of_today_does_not_disappear_behind_the_name_of_a_run(tmp_path, names):
    """Both runs tested the same primary claims in the same profile. One of them also has a reproduced claim that weakens."""
    silent, aged = (
        coin.analysis(tmp_path / name, heads={**coin.HEADS, "guilder": (5300,), **more})
        for name, more in zip(names, ({}, {"franc": (5600,)}), strict=True)
    )
    ranked = best_first([silent, aged])
    assert [str(each.judgment) for each in ranked] == ["leans refuted, aged", "leans refuted"]
    assert other_verdicts(ranked) == [silent]


def test_two_runs_that_decided_as_many_claims_of_today_and_disagree_are_both_named(tmp_path):
    heads = {**coin.HEADS, "guilder": (5300,)}
    ranked = best_first([coin.analysis(tmp_path / name, heads={**heads, "franc": (n,)}) for name, n in (("a", 4400), ("b", 5600))])
    assert [each.run.name for each in ranked] == ["a", "b"]
    assert [str(each.judgment) for each in other_verdicts(ranked)] == ["leans refuted, aged"]
    part = coin.analysis(tmp_path / "c", heads={"ducat": (5400, 5350, 5380)})  # tested fewer primary claims, so that it is open
    assert other_verdicts([ranked[0], part]) == []
    assert other_verdicts([]) == []


def test_the_number_of_another_run_is_found_for_a_primary_claim_without_one(tmp_path):
    best = coin.analysis(tmp_path / "a", heads={"ducat": (5400, 5350, 5380)})
    gpu, quick = (coin.analysis(tmp_path / name, heads={"guilder": (n,), "euro": (5040,)}) for name, n in (("b", 5300), ("c", 5200)))
    found = measured_elsewhere([best, gpu, quick])
    assert list(found) == ["C1-guilder"]
    run, record = found["C1-guilder"]
    assert (run, record.estimate, record.verdict) == (gpu, pytest.approx(53), Verdict.REPRODUCED)
    assert measured_elsewhere([best]) == measured_elsewhere([]) == {}
    assert str(best.judgment) == "open"
