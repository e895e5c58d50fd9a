"""Criteria, and every way to a verdict."""

import itertools
import math
from dataclasses import dataclass

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myths.lab.claim import Claim, ClaimResult, cited, evaluate_claims, myth_verdict
from myths.lab.criterion import Criterion, above, at_least, at_most, below, between
from myths.lab.estimate import Estimate, exact
from myths.lab.trial import Trial
from myths.lab.verdict import MythVerdict, Verdict

REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE, NOT_TESTED, ILLUSTRATION = Verdict


def spanning(low: float, high: float) -> Estimate:
    return Estimate(float(low if math.isinf(high) else (low + high) / 2), float(low), float(high), "seeds", 5)


@pytest.mark.parametrize(
    ("criterion", "printed"),
    [
        (at_least(0.95), "≥ 0.95"),
        (above(1.0), "> 1"),
        (between(0.9, 1.0), "in 0.9…1"),
        (at_most(0.3), "≤ 0.3"),
        (below(-2.5), "< -2.5"),
        (between(0.0, 0.0), "= 0"),
        (Criterion(0.0, 1.0, strict=True), "> 0 and < 1"),
        (at_most(1234567.8), "≤ 1234567.8"),
    ],
)
def test_a_criterion_prints_itself(criterion, printed):
    assert str(criterion) == printed


@settings(deadline=None)
@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_other_criteria_print_otherwise(a, b):
    assert (str(at_least(a)) == str(at_least(b))) == (f"{a:.12g}" == f"{b:.12g}")


@pytest.mark.parametrize("ends", [{"low": 2.0, "high": 1.0}, {"low": 1.0, "high": 1.0, "strict": True}, {}, {"low": math.nan}])
def test_a_criterion_that_all_or_no_numbers_meet_is_refused(ends):
    with pytest.raises(ValueError, match="expected a range"):
        Criterion(**ends)


@pytest.mark.parametrize(
    ("criterion", "low", "high", "verdict"),
    [
        (at_least(1.0), 1.1, 2, REPRODUCED),
        (at_least(1.0), 1, 2, REPRODUCED),  # the end is in it
        (at_least(1.0), 1, 1, REPRODUCED),
        (at_least(1.0), 0.9, 1.1, INCONCLUSIVE),
        (at_least(1.0), 0.5, 1, INCONCLUSIVE),  # one point of the interval meets it
        (at_least(1.0), 0.5, 0.9, NOT_REPRODUCED),
        (at_least(1.0), 2, math.inf, REPRODUCED),
        (above(1.0), 1.1, 2, REPRODUCED),
        (above(1.0), 1, 2, INCONCLUSIVE),
        (above(1.0), 1, 1, NOT_REPRODUCED),
        (above(1.0), 0.5, 1, NOT_REPRODUCED),  # touching, but the end is not in it
        (above(1.0), 2, math.inf, REPRODUCED),
        (at_most(1.0), 0.5, 1, REPRODUCED),
        (at_most(1.0), 1, 2, INCONCLUSIVE),
        (below(1.0), 0.5, 1, INCONCLUSIVE),
        (below(1.0), 1, 2, NOT_REPRODUCED),
        (between(0.0, 1.0), 0, 1, REPRODUCED),
        (between(0.0, 1.0), 0.2, 0.3, REPRODUCED),
        (between(0.0, 1.0), -1, 2, INCONCLUSIVE),  # holds the whole range, and more
        (between(0.0, 1.0), 0.5, 2, INCONCLUSIVE),
        (between(0.0, 1.0), 1, 2, INCONCLUSIVE),
        (between(0.0, 1.0), 1.5, 2, NOT_REPRODUCED),
        (between(0.0, 1.0), -2, -1, NOT_REPRODUCED),
        (between(0.0, 0.0), 0, 0, REPRODUCED),
        (between(0.0, 0.0), 1e-9, 1e-9, NOT_REPRODUCED),
    ],
)
def test_the_whole_interval_is_judged(criterion, low, high, verdict):
    assert criterion.judge(spanning(low, high)) is verdict


@settings(deadline=None)
@given(st.integers(-5, 5), st.integers(0, 5), st.integers(-5, 5), st.integers(0, 5), st.booleans())
def test_a_verdict_says_whether_all_or_none_of_the_interval_meets_the_criterion(low, width, start, length, strict):
    if strict and width == 0:
        return
    criterion = Criterion(float(low), float(low + width), strict)
    points = [start + length * i / 60 for i in range(61)]  # the whole numbers are among them
    met = {criterion.contains(p) for p in points}
    expected = {frozenset({True}): REPRODUCED, frozenset({False}): NOT_REPRODUCED}.get(frozenset(met), INCONCLUSIVE)
    assert criterion.judge(spanning(start, start + length)) is expected


# --- claims on tables ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Measure(Trial):
    dataset: str
    size: int = 1


@dataclass(frozen=True, kw_only=True)
class Other(Trial):
    dataset: str


def mean(rows: pd.DataFrame) -> Estimate | None:
    """The row's own interval; None without rows that have a value."""
    values = rows["value"].dropna()
    return Estimate(float(values.mean()), float(rows["low"].min()), float(rows["high"].max()), "seeds", len(rows)) if len(values) else None


def claim(identity="C1", kind="effect", **more):
    fields = {
        "statement": "",
        "source": "Table 1",
        "paper": 1.5,
        "paper_value_source": "read",
        "table": "values",
        "trial": Measure,
        "measure": mean,
        "criterion": above(1.0),
    }
    return Claim(id=identity, kind=kind, **(fields | more))


def table(*rows, protocol="reduced"):
    """Rows (dataset, low, high)."""
    lines = [
        {"dataset": name, "value": (low + high) / 2, "low": low, "high": high, "protocol": protocol, "device": "cpu"}
        for name, low, high in rows
    ]
    return {"values": pd.DataFrame(lines, columns=["dataset", "value", "low", "high", "protocol", "device"])}


def only(claims, tables, skipped=()):
    (claim_result,) = [j for j in evaluate_claims(claims, tables, skipped) if j.claim is claims[0]]
    return claim_result.verdict, claim_result.reason


def test_a_citation_says_what_the_paper_states_and_how_that_is_known():
    found = claim(**cited("from memory", "Fig. 2", 4.5, 4.0, 5.0))
    assert (found.source, found.paper, found.paper_low, found.paper_high, found.paper_value_source) == (
        "Fig. 2",
        4.5,
        4.0,
        5.0,
        "from memory",
    )
    in_words = claim(**cited("read", "Fig. 2, in words"))
    assert (in_words.paper, in_words.paper_low, in_words.paper_high) == (None, None, None)


def test_what_no_profile_measures_is_cited_and_never_judged():
    tables = table(("svhn", 2.0, 3.0))
    assert only([claim()], tables) == (REPRODUCED, "")
    assert only([claim(needs=())], tables) == (NOT_TESTED, "no profile measures it")


def test_the_criterion_is_printed_with_its_unit():
    assert claim(criterion=at_most(0.3), unit="pp").criterion_text == "≤ 0.3 pp"
    assert claim(criterion=at_most(0.3)).criterion_text == "≤ 0.3"


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.2, 1.4, (REPRODUCED, "")),
        (0.2, 0.4, (NOT_REPRODUCED, "")),
        (0.8, 1.4, (INCONCLUSIVE, "the interval crosses the bound of the criterion")),
    ],
)
@pytest.mark.parametrize("kind", ["effect", "control", "follow-up"])
def test_by_its_interval(low, high, verdict, kind):
    assert only([claim(kind=kind)], table(("digits", low, high))) == verdict


def test_a_judgement_says_on_what_it_rests():
    (claim_result,) = evaluate_claims([claim()], table(("digits", 1.2, 1.4), ("cifar", 1.2, 1.4)))
    assert (claim_result.protocol, claim_result.dataset, claim_result.device) == ("reduced", "cifar, digits", "cpu")
    assert claim_result.estimate is not None
    assert claim_result.estimate.n == 2


def test_only_its_own_rows_are_measured():
    tables = table(("digits", 1.2, 1.4), ("cifar", 0.2, 0.4))
    assert only([claim(where={"dataset": "digits"})], tables)[0] is REPRODUCED
    assert only([claim(where={"dataset": "cifar"})], tables)[0] is NOT_REPRODUCED
    assert only([claim(where={"dataset": "svhn"})], tables) == (NOT_TESTED, "no trial of this run measures it")


def test_a_column_that_the_table_has_not_is_an_error_and_not_an_untested_claim():
    with pytest.raises(ValueError, match=r"claim .*: table values has no column 'no_such_column'\. Available: dataset, value"):
        only([claim(where={"no_such_column": 1})], table(("digits", 1.2, 1.4)))
    assert only([claim(where={"no_such_column": 1})], table()) == (NOT_TESTED, "no trial of this run measures it")


@pytest.mark.parametrize("unit", ["", " %", " of the top k, the least of all images", " and more"])
@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.sampled_from(["both", "low", "high"]), st.booleans())
def test_a_printed_criterion_is_read_as_what_it_was(unit, one, other, ends, strict):
    low, high = (float(f"{end:.12g}") for end in sorted((one, other)))
    low, high = low if ends != "high" else -math.inf, high if ends != "low" else math.inf
    if low == high and strict:
        return
    criterion = Criterion(low, high, strict)
    assert Criterion.parse(str(criterion) + unit) == criterion


def test_what_prints_no_criterion_is_read_as_none():
    assert [Criterion.parse(text) for text in ("", "at least 5", "≥", "≥ much")] == [None] * 4


def test_without_rows_or_a_number_it_is_not_tested():
    assert only([claim()], table()) == (NOT_TESTED, "no trial of this run measures it")
    assert only([claim(measure=lambda rows: None)], table(("digits", 1.2, 1.4))) == (NOT_TESTED, "too few results")


def test_the_reason_is_that_of_the_absent_trials_of_the_claim():
    skipped = [
        (Measure(dataset="cifar"), "cifar is not here"),
        (Measure(dataset="cifar", size=2), "cifar is not here"),
        (Measure(dataset="svhn"), "svhn is not here"),
        (Other(dataset="cifar"), "other"),
    ]
    assert only([claim(where={"dataset": "cifar"})], table(), skipped) == (NOT_TESTED, "cifar is not here")
    assert only([claim(where={"dataset": "digits"})], table(), skipped) == (NOT_TESTED, "no trial of this run measures it")
    assert only([claim()], table(), skipped) == (NOT_TESTED, "cifar is not here; svhn is not here")
    assert only([claim(where={"method": "a"})], table(), skipped[:1]) == (NOT_TESTED, "cifar is not here")  # no such field: may be it
    assert only([claim()], table(("digits", 1.2, 1.4)), skipped) == (REPRODUCED, "")


@pytest.mark.parametrize(("low", "high"), [(1.2, 1.4), (0.2, 0.4), (0.8, 1.4)])
def test_stand_in_data_illustrate_but_controls_are_judged(low, high):
    tables = table(("digits", low, high), protocol="stand-in")
    for kind in ("effect", "absolute", "follow-up"):
        assert only([claim(kind=kind)], tables) == (ILLUSTRATION, "stand-in data: no conclusion is drawn")
    assert only([claim(kind="control")], tables)[0] is above(1.0).judge(spanning(low, high))


def test_one_stand_in_row_makes_it_an_illustration():
    mixed = pd.concat(table(("digits", 1.2, 1.4), protocol=p)["values"] for p in ("paper", "stand-in"))
    (claim_result,) = evaluate_claims([claim()], {"values": mixed})
    assert (claim_result.verdict, claim_result.protocol) == (ILLUSTRATION, "stand-in")


CONTROL = {"kind": "control", "where": {"dataset": "null"}, "criterion": between(-1.0, 1.0)}


@pytest.mark.parametrize(
    ("null", "verdict", "reason"),
    [
        ((-0.5, 0.5), REPRODUCED, ""),
        ((2, 3), INCONCLUSIVE, "control C0 failed"),
        ((0, 3), INCONCLUSIVE, "control C0 is inconclusive"),
        (None, REPRODUCED, ""),  # not tested is not failed
    ],
)
@pytest.mark.parametrize("value", [(1.2, 1.4), (0.2, 0.4)])
def test_a_failed_control_leaves_it_inconclusive(null, verdict, reason, value):
    tables = table(("digits", *value), *([("null", *null)] if null else []))
    found = only([claim(where={"dataset": "digits"}, controls=("C0",)), claim("C0", **CONTROL)], tables)
    if verdict is REPRODUCED and value[0] < 1:
        verdict = NOT_REPRODUCED
    assert found == (verdict, reason)


def test_a_failed_control_does_not_lift_an_inconclusive_claim():
    claims = [claim(where={"dataset": "digits"}, controls=("C0",)), claim("C0", **CONTROL)]
    assert only(claims, table(("null", 2, 3)))[0] is NOT_TESTED
    assert only(claims, table(("digits", 0.5, 1.5), ("null", 2, 3))) == (INCONCLUSIVE, "the interval crosses the bound of the criterion")


REDUCED = (NOT_TESTED, "reduced protocol: absolute values need a passed calibration")


@pytest.mark.parametrize("value", [(1.2, 1.4), (0.2, 0.4), (0.8, 1.4)])
def test_a_level_speaks_from_the_papers_protocol_only(value):
    by_interval = above(1.0).judge(spanning(*value))
    assert only([claim(kind="absolute")], table(("digits", *value), protocol="paper"))[0] is by_interval
    assert only([claim(kind="absolute")], table(("digits", *value))) == REDUCED
    (claim_result,) = evaluate_claims([claim(kind="absolute")], table(("digits", *value)))
    assert claim_result.estimate is not None  # the number is shown


@pytest.mark.parametrize("value", [(1.2, 1.4), (0.2, 0.4), (0.8, 1.4)])
@pytest.mark.parametrize(("null", "speaks"), [((-0.5, 0.5), True), ((0, 3), False), ((2, 3), False), (None, False)])
def test_a_level_speaks_from_a_calibrated_reduction(value, null, speaks):
    tables = table(("digits", *value), *([("null", *null)] if null else []))
    found = only([claim(kind="absolute", where={"dataset": "digits"}, calibration="C0"), claim("C0", **CONTROL)], tables)
    if speaks:
        assert found[0] is above(1.0).judge(spanning(*value))
    else:
        assert found == REDUCED


def test_stand_in_data_calibrate_nothing():
    tables = pd.concat([table(("digits", 1.2, 1.4))["values"], table(("null", -0.5, 0.5), protocol="stand-in")["values"]])
    claims = [claim(kind="absolute", where={"dataset": "digits"}, calibration="C0"), claim("C0", **CONTROL)]
    assert only(claims, {"values": tables}) == REDUCED


def test_a_calibrated_level_whose_control_failed_is_inconclusive():
    tables = table(("digits", 1.2, 1.4), ("null", -0.5, 0.5), ("broken", 2, 3))
    claims = [
        claim(kind="absolute", where={"dataset": "digits"}, calibration="C0", controls=("C9",)),
        claim("C0", **CONTROL),
        claim("C9", **(CONTROL | {"where": {"dataset": "broken"}})),
    ]
    assert only(claims, tables) == (INCONCLUSIVE, "control C9 failed")


@pytest.mark.parametrize(("better", "deciding"), [("photographs", ["A", "B"]), ("absent", ["A", "common"]), ("digits", ["A", "common"])])
def test_a_claim_is_superseded_by_a_better_one_that_could_be_judged(better, deciding):
    """Not to one without data, nor to one that stand-in data illustrate."""
    real, stand_in = table(("cifar", 1.2, 1.4), ("photographs", 0.2, 0.4)), table(("digits", 1.2, 1.4), protocol="stand-in")
    tables = {"values": pd.concat([real["values"], stand_in["values"]])}
    on_cifar = {"primary": True, "where": {"dataset": "cifar"}}
    judged = evaluate_claims(
        [claim("A", **on_cifar), claim("common", **on_cifar, superseded_by="B"), claim("B", where={"dataset": better})], tables
    )
    assert [j.claim.id for j in judged if j.primary] == deciding
    assert myth_verdict(judged) is (MythVerdict.OPEN if "B" in deciding else MythVerdict.REFUTED)


def test_judgements_come_in_the_order_of_the_claims():
    claims = [claim(str(i)) for i in (3, 1, 2)]
    assert [j.claim.id for j in evaluate_claims(claims, table())] == ["3", "1", "2"]


# --- the myth's verdict --------------------------------------------------------------------------


def judged(verdict, *, primary=True, kind="effect"):
    return ClaimResult(claim(kind=kind), exact(1.0, 1), verdict, primary=primary)


@pytest.mark.parametrize("verdicts", list(itertools.chain(*(itertools.product(Verdict, repeat=n) for n in (1, 2, 3)))))
def test_the_verdict_on_a_myth_by_its_primary_claims(verdicts):
    primary = [judged(v) for v in verdicts]
    if all(v is REPRODUCED for v in verdicts):
        expected = MythVerdict.REFUTED
    elif all(v is NOT_REPRODUCED for v in verdicts):
        expected = MythVerdict.STILL_STANDING
    else:
        expected = MythVerdict.OPEN
    assert myth_verdict(primary) is expected
    others = [judged(v, primary=False, kind=k) for v in Verdict for k in ("effect", "absolute", "control")]
    assert myth_verdict(primary + others) is expected


@pytest.mark.parametrize("today", list(Verdict))
def test_a_refuted_myth_has_aged_when_a_today_claim_is_reproduced(today):
    now = judged(today, primary=False, kind="follow-up")
    aged = today is REPRODUCED
    assert myth_verdict([judged(REPRODUCED), now]) is (MythVerdict.AGED if aged else MythVerdict.REFUTED)
    assert myth_verdict([judged(NOT_REPRODUCED), now]) is MythVerdict.STILL_STANDING
    assert myth_verdict([judged(REPRODUCED), judged(INCONCLUSIVE), now]) is MythVerdict.OPEN


def test_without_primary_claims_a_myth_is_open():
    assert myth_verdict([]) is MythVerdict.OPEN
    assert myth_verdict([judged(REPRODUCED, primary=False)]) is MythVerdict.OPEN
