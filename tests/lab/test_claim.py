"""Criteria, and every way to a verdict."""

import itertools
import math
from dataclasses import dataclass

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myths.lab.claim import Claim, FirstOf, cited, evaluate_claims, myth_judgment
from myths.lab.criterion import Criterion, above, at_least, at_most, below, between, within
from myths.lab.estimate import Estimate
from myths.lab.trial import Trial
from myths.lab.verdict import FULL_STRENGTH, STRENGTHS, Evidence, MythVerdict, Verdict, judge_myth

REPRODUCED, BEYOND, NOT_SEEN, NOT_REPRODUCED, INCONCLUSIVE, NOT_TESTED, ILLUSTRATION, HELD, FAILED, UNDECIDED, NOT_RUN = Verdict
OF_CLAIMS, OF_CONTROLS = tuple(Verdict)[:7], tuple(Verdict)[7:]


def spanning(low: float, high: float) -> Estimate:
    return Estimate(float(low if math.isinf(high) else (low + high) / 2), float(low), float(high), "test examples", 5)


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


@pytest.mark.parametrize(
    "ends", [{"low": 2.0, "high": 1.0}, {"low": 1.0, "high": 1.0, "strict": True}, {}, {"low": math.nan}, {"low": 1.0, "beyond": "low"}]
)
def test_a_criterion_that_all_or_no_numbers_meet_is_refused(ends):
    with pytest.raises(ValueError, match="expected a range"):
        Criterion(**ends)


@pytest.mark.parametrize(
    ("criterion", "low", "high", "place"),
    [
        (at_least(1.0), 1.1, 2, "inside"),
        (at_least(1.0), 1, 2, "inside"),  # the end is in it
        (at_least(1.0), 1, 1, "inside"),
        (at_least(1.0), 0.9, 1.1, "straddles"),
        (at_least(1.0), 0.5, 1, "straddles"),  # one point of the interval meets it
        (at_least(1.0), 0.5, 0.9, "outside"),
        (at_least(1.0), 2, math.inf, "inside"),
        (above(1.0), 1.1, 2, "inside"),
        (above(1.0), 1, 2, "straddles"),
        (above(1.0), 1, 1, "outside"),
        (above(1.0), 0.5, 1, "outside"),  # touching, but the end is not in it
        (above(1.0), 2, math.inf, "inside"),
        (at_most(1.0), 0.5, 1, "inside"),
        (at_most(1.0), 1, 2, "straddles"),
        (below(1.0), 0.5, 1, "straddles"),
        (below(1.0), 1, 2, "outside"),
        (between(0.0, 1.0), 0, 1, "inside"),
        (between(0.0, 1.0), 0.2, 0.3, "inside"),
        (between(0.0, 1.0), -1, 2, "straddles"),  # holds the whole range, and more
        (between(0.0, 1.0), 0.5, 2, "straddles"),
        (between(0.0, 1.0), 1, 2, "straddles"),
        (between(0.0, 1.0), 1.5, 2, "outside"),
        (between(0.0, 1.0), -2, -1, "outside"),
        (between(0.0, 0.0), 0, 0, "inside"),
        (between(0.0, 0.0), 1e-9, 1e-9, "outside"),
        (within(1.0, beyond="high"), -1, 1, "inside"),
        (within(1.0, beyond="high"), 1.1, 2, "beyond"),
        (within(1.0, beyond="high"), 0.5, 2, "straddles"),
        (within(1.0, beyond="high"), -2, -1.1, "outside"),
        (within(1.0, beyond="low"), -2, -1.1, "beyond"),
        (within(1.0, beyond="low"), 1.1, 2, "outside"),
    ],
)
def test_the_whole_interval_is_placed(criterion, low, high, place):
    assert criterion.place(spanning(low, high)) == place


@settings(deadline=None)
@given(st.integers(-5, 5), st.integers(0, 5), st.integers(-5, 5), st.integers(0, 5), st.booleans())
def test_a_place_says_whether_all_or_none_of_the_interval_meets_the_criterion(low, width, start, length, strict):
    if strict and width == 0:
        return
    criterion = Criterion(float(low), float(low + width), strict)
    points = [start + length * i / 60 for i in range(61)]  # the whole numbers are among them
    met = {criterion.contains(p) for p in points}
    expected = {frozenset({True}): "inside", frozenset({False}): "outside"}.get(frozenset(met), "straddles")
    assert criterion.place(spanning(start, start + length)) == expected


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
    return (
        Estimate(float(values.mean()), float(rows["low"].min()), float(rows["high"].max()), "test examples", len(rows))
        if len(values)
        else None
    )


CLAIM = {
    "id": "C1",
    "statement": "",
    "source": "Table 1",
    "paper": 1.5,
    "paper_value_source": "read",
    "table": "values",
    "trial": Measure,
    "measure": mean,
    "criterion": above(1.0),
    "repetition_unit": "test examples",
}


def claim(identity="C1", kind="effect", **more):
    direction = {"direction": "weakens"} if kind == "follow-up" else {}
    return Claim(**{**CLAIM, "id": identity, "kind": kind, **direction, **more})


def table(*rows, protocol="paper"):
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
@pytest.mark.parametrize("kind", ["effect", "follow-up"])
def test_by_its_interval(low, high, verdict, kind):
    tables = table(("digits", low, high))
    assert only([claim(kind=kind)], tables) == verdict
    as_control = {REPRODUCED: HELD, NOT_REPRODUCED: FAILED, INCONCLUSIVE: UNDECIDED}[verdict[0]]
    assert only([claim(kind="control")], tables) == (as_control, verdict[1])


@pytest.mark.parametrize(("protocol", "verdict"), [("paper", NOT_REPRODUCED), ("recomputed", NOT_REPRODUCED), ("reduced", NOT_SEEN)])
def test_only_a_number_of_full_strength_contradicts_a_paper(protocol, verdict):
    tables = table(("digits", 0.2, 0.4), protocol=protocol)
    assert only([claim()], tables) == (verdict, "")
    (found,) = evaluate_claims([claim()], tables)
    assert (found.strength, found.protocol) == (protocol, protocol)
    assert only([claim(kind="control")], tables)[0] is FAILED  # a control is judged by its interval alone


def test_better_than_no_change_is_beyond_the_paper():
    equal = claim(criterion=within(1.0, beyond="high"))
    assert only([equal], table(("digits", 1.5, 2.0))) == (BEYOND, "better than the paper's: check the baseline")
    assert only([equal], table(("digits", -2.0, -1.5)))[0] is NOT_REPRODUCED
    assert only([equal], table(("digits", 0.5, 2.0)))[0] is INCONCLUSIVE
    assert only([equal], table(("digits", -0.5, 0.5)))[0] is REPRODUCED


def test_an_interval_over_something_else_than_a_repetition_decides_nothing():
    tables = table(("digits", 1.2, 1.4), ("digits", 1.2, 1.4), ("digits", 1.2, 1.4))
    assert only([claim(repetition_unit="test examples")], tables) == (REPRODUCED, "")
    assert only([claim(repetition_unit="datasets")], tables) == (INCONCLUSIVE, "the interval covers test examples, not datasets")
    assert only([claim(kind="control", repetition_unit="datasets")], tables)[0] is UNDECIDED


def test_an_interval_of_width_0_decides_nothing_unless_a_repetition_gives_the_same_number():
    def equal(unit, width=0.0):
        return lambda rows: Estimate(1.3, 1.3, 1.3 + width, unit, 6)

    assert only([claim(repetition_unit="exact", measure=equal("exact"))], table(("tiny", 1.3, 1.3)))[0] is REPRODUCED
    assert only([claim(repetition_unit="seeds", measure=equal("seeds", 0.01))], table(("tiny", 1.3, 1.3)))[0] is REPRODUCED
    for width in (0.0, 1e-16):
        found = only([claim(repetition_unit="seeds", measure=equal("seeds", width))], table(("tiny", 1.3, 1.3)))
        assert found == (INCONCLUSIVE, "the interval has width 0 although seeds vary")


@pytest.mark.parametrize(("unit", "needed"), [("seeds", 3), ("processes", 5), ("models", 1)])
def test_too_few_repetitions_decide_nothing(unit, needed):
    def over(rows):
        return Estimate(1.3, 1.2, 1.4, unit, len(rows))

    rows = [("digits", 1.2, 1.4)]
    assert only([claim(repetition_unit=unit, measure=over)], table(*rows * needed))[0] is REPRODUCED
    if needed > 1:
        reason = f"{needed - 1} {unit}, at least {needed} are needed"
        assert only([claim(repetition_unit=unit, measure=over)], table(*rows * (needed - 1))) == (INCONCLUSIVE, reason)
        fewer = claim(repetition_unit=unit, measure=over, min_repetitions=needed - 1)
        assert only([fewer], table(*rows * (needed - 1)))[0] is REPRODUCED


def test_only_follow_up_claims_have_a_direction_and_only_controls_guard():
    for wrong in ({"kind": "follow-up"}, {"direction": "weakens"}):
        with pytest.raises(ValueError, match="direction"):
            Claim(**{**CLAIM, **wrong})
    with pytest.raises(ValueError, match="only controls guard"):
        claim(guards=(Measure,))


def test_a_judgement_says_on_what_it_rests():
    (claim_result,) = evaluate_claims([claim()], table(("digits", 1.2, 1.4), ("cifar", 1.2, 1.4)))
    assert (claim_result.protocol, claim_result.dataset, claim_result.device) == ("paper", "cifar, digits", "cpu")
    assert claim_result.estimate is not None
    assert claim_result.estimate.n == 2


def test_only_its_own_rows_are_measured():
    tables = table(("digits", 1.2, 1.4), ("cifar", 0.2, 0.4))
    assert only([claim(where={"dataset": "digits"})], tables)[0] is REPRODUCED
    assert only([claim(where={"dataset": "cifar"})], tables)[0] is NOT_REPRODUCED
    assert only([claim(where={"dataset": "svhn"})], tables) == (NOT_TESTED, "no trial of this run measures it")


def test_of_values_in_the_order_of_preference_one_is_used_and_never_a_mixture():
    tables = table(("digits", 1.2, 1.4), ("cifar", 0.2, 0.4))
    for preferred, verdict in (
        (FirstOf("cifar", "digits"), NOT_REPRODUCED),
        (FirstOf("svhn", "digits", "cifar"), REPRODUCED),
        (FirstOf("svhn", "mnist"), NOT_TESTED),
        (("cifar", "digits"), INCONCLUSIVE),
    ):
        assert only([claim(where={"dataset": preferred})], tables)[0] is verdict, preferred
    filtered = {"values": tables["values"].assign(noise=[0, 1])}
    assert only([claim(where={"dataset": FirstOf("cifar", "digits"), "noise": 0})], filtered)[0] is REPRODUCED


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
    assert only([claim(kind="control")], tables)[0] is AS_CONTROL[above(1.0).place(spanning(low, high))]


def test_one_stand_in_row_makes_it_an_illustration():
    mixed = pd.concat(table(("digits", 1.2, 1.4), protocol=p)["values"] for p in ("paper", "stand-in"))
    (claim_result,) = evaluate_claims([claim()], {"values": mixed})
    assert (claim_result.verdict, claim_result.protocol) == (ILLUSTRATION, "stand-in")


AS_CLAIM = {"inside": REPRODUCED, "outside": NOT_REPRODUCED, "straddles": INCONCLUSIVE}
AS_CONTROL = {"inside": HELD, "outside": FAILED, "straddles": UNDECIDED}
CONTROL = {"kind": "control", "where": {"dataset": "null"}, "criterion": between(-1.0, 1.0)}


@pytest.mark.parametrize(
    ("null", "verdict", "reason"),
    [
        ((-0.5, 0.5), REPRODUCED, ""),
        ((2, 3), INCONCLUSIVE, "control C0 failed"),
        ((0, 3), INCONCLUSIVE, "control C0 is undecided"),
        (None, INCONCLUSIVE, "control C0 was not run"),
    ],
)
@pytest.mark.parametrize("value", [(1.2, 1.4), (0.2, 0.4)])
def test_a_control_that_did_not_hold_leaves_it_inconclusive(null, verdict, reason, value):
    tables = table(("digits", *value), *([("null", *null)] if null else []))
    found = only([claim(where={"dataset": "digits"}, controls=("C0",)), claim("C0", **CONTROL)], tables)
    if verdict is REPRODUCED and value[0] < 1:
        verdict = NOT_REPRODUCED
    assert found == (verdict, reason)


def test_a_failed_control_does_not_lift_an_inconclusive_claim():
    claims = [claim(where={"dataset": "digits"}, controls=("C0",)), claim("C0", **CONTROL)]
    assert only(claims, table(("null", 2, 3)))[0] is NOT_TESTED
    assert only(claims, table(("digits", 0.5, 1.5), ("null", 2, 3))) == (INCONCLUSIVE, "the interval crosses the bound of the criterion")


@dataclass(frozen=True, kw_only=True)
class Timed(Trial):
    dataset: str


@pytest.mark.parametrize(
    ("of_claim", "of_control", "guarded"),
    [
        ({}, {}, True),
        ({"where": {"dataset": "digits"}}, {"guarded": {"dataset": ("digits", "cifar")}}, True),
        ({"where": {"dataset": ("svhn", "cifar")}}, {"guarded": {"dataset": ("digits", "cifar")}}, True),
        ({"where": {"dataset": "svhn"}}, {"guarded": {"dataset": "digits"}}, False),
        ({}, {"guarded": {"dataset": "digits"}}, True),  # a claim on all datasets
        ({"trial": Timed}, {}, False),
        ({"without_controls": {"C0": "does not apply"}}, {}, False),
    ],
)
def test_a_control_guards_the_claims_on_its_trials_unless_a_claim_drops_it(of_claim, of_control, guarded):
    control = claim("C0", "control", guards=(Measure,), **of_control)
    results = {result.claim.id: result for result in evaluate_claims([claim(**of_claim), control], table())}
    assert results["C1"].controls == (("C0",) if guarded else ())
    assert results["C0"].controls == ()


REDUCED = (NOT_TESTED, "reduced protocol: absolute values need a calibration that held")


@pytest.mark.parametrize("value", [(1.2, 1.4), (0.2, 0.4), (0.8, 1.4)])
def test_a_level_speaks_from_the_papers_protocol_only(value):
    by_interval = AS_CLAIM[above(1.0).place(spanning(*value))]
    for protocol in ("paper", "recomputed"):
        assert only([claim(kind="absolute")], table(("digits", *value), protocol=protocol))[0] is by_interval
    reduced = table(("digits", *value), protocol="reduced")
    assert only([claim(kind="absolute")], reduced) == REDUCED
    (claim_result,) = evaluate_claims([claim(kind="absolute")], reduced)
    assert claim_result.estimate is not None  # the number is shown


@pytest.mark.parametrize("value", [(1.2, 1.4), (0.2, 0.4), (0.8, 1.4)])
@pytest.mark.parametrize(("null", "speaks"), [((-0.5, 0.5), True), ((0, 3), False), ((2, 3), False), (None, False)])
def test_a_level_speaks_from_a_calibrated_reduction(value, null, speaks):
    tables = table(("digits", *value), *([("null", *null)] if null else []), protocol="reduced")
    claims = [claim(kind="absolute", where={"dataset": "digits"}, calibration="C0"), claim("C0", **CONTROL)]
    found = only(claims, tables)
    if speaks:
        assert found[0] is AS_CLAIM[above(1.0).place(spanning(*value))]
        assert evaluate_claims(claims, tables)[0].strength == "calibrated"
    else:
        assert found == REDUCED


def test_stand_in_data_calibrate_nothing():
    tables = pd.concat(
        [table(("digits", 1.2, 1.4), protocol="reduced")["values"], table(("null", -0.5, 0.5), protocol="stand-in")["values"]]
    )
    claims = [claim(kind="absolute", where={"dataset": "digits"}, calibration="C0"), claim("C0", **CONTROL)]
    assert only(claims, {"values": tables}) == REDUCED


def test_a_calibrated_level_whose_control_failed_is_inconclusive():
    tables = table(("digits", 1.2, 1.4), ("null", -0.5, 0.5), ("broken", 2, 3), protocol="reduced")
    claims = [
        claim(kind="absolute", where={"dataset": "digits"}, calibration="C0", controls=("C9",)),
        claim("C0", **CONTROL),
        claim("C9", **(CONTROL | {"where": {"dataset": "broken"}})),
    ]
    assert only(claims, tables) == (INCONCLUSIVE, "control C9 failed")


@pytest.mark.parametrize(
    ("better", "deciding"),
    [
        ("photographs", "B"),
        ("photographs, reduced", "common"),  # weaker than what it would replace
        ("absent", "common"),
        ("digits", "common"),  # stand-in data
    ],
)
def test_a_claim_is_superseded_by_one_of_equal_or_stronger_protocol_that_was_tested(better, deciding):
    tables = {
        "values": pd.concat(
            [
                table(("cifar", 1.2, 1.4), ("photographs", 0.2, 0.4))["values"],
                table(("photographs, reduced", 0.2, 0.4), protocol="reduced")["values"],
                table(("digits", 1.2, 1.4), protocol="stand-in")["values"],
            ]
        )
    }
    on_cifar = {"primary": True, "where": {"dataset": "cifar"}}
    judged = evaluate_claims(
        [claim("A", **on_cifar), claim("common", **on_cifar, superseded_by="B"), claim("B", where={"dataset": better})], tables
    )
    assert [j.claim.id for j in judged if j.primary] == ["A", deciding]
    assert myth_judgment(judged).verdict is (MythVerdict.MIXED if deciding == "B" else MythVerdict.REFUTED)


def test_what_was_not_tested_is_superseded_by_what_was():
    judged = evaluate_claims(
        [claim("A", primary=True, where={"dataset": "absent"}, superseded_by="B"), claim("B", where={"dataset": "digits"})],
        table(("digits", 1.2, 1.4), protocol="reduced"),
    )
    assert [j.claim.id for j in judged if j.primary] == ["B"]


def test_judgements_come_in_the_order_of_the_claims():
    claims = [claim(str(i)) for i in (3, 1, 2)]
    assert [j.claim.id for j in evaluate_claims(claims, table())] == ["3", "1", "2"]


# --- the myth's verdict --------------------------------------------------------------------------


def seen(*verdicts, strength="paper", blind=True, direction=None):
    return [Evidence(f"C{i}", verdict, strength, blind, direction) for i, verdict in enumerate(verdicts)]


@pytest.mark.parametrize("verdicts", list(itertools.chain(*(itertools.product(OF_CLAIMS, repeat=n) for n in (1, 2, 3)))))
def test_the_verdict_on_a_myth_by_its_primary_claims(verdicts):
    against = (NOT_REPRODUCED, NOT_SEEN)
    if any(v in (INCONCLUSIVE, NOT_TESTED, ILLUSTRATION, BEYOND) for v in verdicts):
        expected = MythVerdict.OPEN
    elif all(v is REPRODUCED for v in verdicts):
        expected = MythVerdict.REFUTED
    elif all(v in against for v in verdicts):
        expected = MythVerdict.STANDING
    else:
        expected = MythVerdict.MIXED
    found = judge_myth(seen(*verdicts), [])
    assert found.verdict is expected
    assert found.today is None
    assert all(f"C{i}" in found.reason for i, v in enumerate(verdicts) if expected is MythVerdict.MIXED or v is INCONCLUSIVE)


@pytest.mark.parametrize(("verdict", "full", "leans"), [
    (REPRODUCED, MythVerdict.REFUTED, MythVerdict.LEANS_REFUTED), (NOT_REPRODUCED, MythVerdict.STANDING, MythVerdict.LEANS_STANDING),
])  # fmt: skip
@pytest.mark.parametrize("strength", STRENGTHS)
def test_a_myth_takes_the_weakest_of_its_primary_claims(verdict, full, leans, strength):
    found = judge_myth([*seen(verdict), Evidence("weak", verdict, strength, True)], [])
    assert found.verdict is (full if strength in FULL_STRENGTH else leans)
    assert found.reason == ("" if strength in FULL_STRENGTH else f"The protocol of weak is {strength}.")


def test_a_myth_without_a_blind_criterion_only_leans():
    assert judge_myth(seen(REPRODUCED, REPRODUCED, blind=False), []).verdict is MythVerdict.LEANS_REFUTED
    known = "Every primary claim, or its criterion, was chosen after its number was known."
    assert judge_myth(seen(REPRODUCED, blind=False), []).reason == known
    assert judge_myth([*seen(REPRODUCED, blind=False), Evidence("blind", REPRODUCED, "paper", True)], []).verdict is MythVerdict.REFUTED


@pytest.mark.parametrize(("directions", "today"), [
    (["strengthens"], "stronger today"), (["weakens"], "aged"), (["overtakes"], "overtaken"),
    (["strengthens", "weakens"], "aged"), (["weakens", "overtakes", "strengthens"], "overtaken"),
])  # fmt: skip
def test_reproduced_follow_up_claims_add_to_every_verdict_but_open(directions, today):
    follow_ups = [Evidence(f"T-{each}", REPRODUCED, "reduced", True, each) for each in directions]
    for primary, verdict in (
        (seen(REPRODUCED), MythVerdict.REFUTED),
        (seen(NOT_REPRODUCED), MythVerdict.STANDING),
        (seen(REPRODUCED, NOT_SEEN), MythVerdict.MIXED),
    ):
        found = judge_myth(primary, follow_ups)
        assert (found.verdict, found.today, str(found)) == (verdict, today, f"{verdict}, {today}")
        assert all(f"T-{each} was reproduced." in found.reason for each in directions)
    assert str(judge_myth(seen(REPRODUCED, INCONCLUSIVE), follow_ups)) == "open"


@pytest.mark.parametrize("verdict", [v for v in OF_CLAIMS if v is not REPRODUCED])
def test_other_follow_up_claims_add_nothing(verdict):
    assert judge_myth(seen(REPRODUCED), seen(verdict, direction="weakens")).today is None


def test_without_primary_claims_a_myth_is_open():
    assert judge_myth([], []).verdict is MythVerdict.OPEN
    assert myth_judgment(evaluate_claims([claim()], table(("digits", 1.2, 1.4)))).verdict is MythVerdict.OPEN
