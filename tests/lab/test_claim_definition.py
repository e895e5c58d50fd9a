"""The definition of a claim: what changes it, what does not, and what a run recorded of it."""

import json
from dataclasses import replace
from functools import partial

import pytest

from myths import suite
from myths.lab.analysis import analyze
from myths.lab.claim_definition import change_since, definition, definition_text
from myths.lab.criterion import above, between, within
from myths.lab.measures import largest, mean_over_seeds
from myths.lab.storage import provenance
from tests.lab.report import coin

CLAIM = replace(coin.CLAIMS[0], measure=partial(mean_over_seeds, "heads"), where={"coin": "ducat", "times": (10, 20)})


@pytest.mark.parametrize(
    "changes",
    [
        {"criterion": above(51.0)},
        {"criterion": within(50.0, "low")},
        {"where": {"coin": "euro", "times": (10, 20)}},
        {"where": {"coin": "ducat", "times": (10, 20, 30)}},
        {"table": "nothing"},
        {"measure": partial(mean_over_seeds, "tails")},
        {"measure": partial(largest, "heads")},
        {"measure": mean_over_seeds},
        {"repetition_unit": "seeds"},
        {"version": 2},
    ],
)
def test_what_a_claim_asks_is_its_definition(changes):
    assert definition(replace(CLAIM, **changes)) != definition(CLAIM)


def test_the_beyond_end_of_a_criterion_is_a_part_of_it():
    assert definition(replace(CLAIM, criterion=within(0.3, "low"))) != definition(replace(CLAIM, criterion=within(0.3, "high")))
    assert definition(replace(CLAIM, criterion=within(0.3, "low"))) != definition(replace(CLAIM, criterion=between(-0.3, 0.3)))


def test_wording_and_order_are_no_part_of_it():
    reworded = replace(CLAIM, statement="Another sentence", source="Sec. 9", unit="percent", primary=False, blind=False)
    assert definition(reworded) == definition(CLAIM)
    assert definition(replace(CLAIM, where={"times": (10, 20), "coin": "ducat"})) == definition(CLAIM)


def test_the_definition_is_data_that_every_process_agrees_on():
    for claim in (claim for myth in suite.OURS for claim in myth.claims):
        text = definition_text(claim)
        assert " at 0x" not in text, claim.id
        assert json.loads(text)["criterion"] == str(claim.criterion)


def test_every_invocation_records_the_definitions():
    found = provenance.invocation({"machine": {}}, {}, iter(coin.CLAIMS))
    assert found["definitions"] == {claim.id: definition(claim) for claim in coin.CLAIMS}
    assert found["criteria"].keys() == found["definitions"].keys()
    assert [change_since(found, claim) for claim in coin.CLAIMS] == [""] * len(coin.CLAIMS)


def test_a_change_since_a_run_is_told():
    made = coin.invocation("laptop")
    claim = coin.CLAIMS[0]
    assert change_since(made, replace(claim, criterion=above(51.0))) == "its criterion was > 50 %, now it is > 51 %"
    assert change_since(made, replace(claim, unit="percent")) == ""
    changed = change_since(made, replace(claim, version=2))
    assert (
        changed == f"its measure or its rows are others (definition {definition(replace(claim, version=2))} instead of {definition(claim)})"
    )
    assert change_since(made, replace(claim, id="C99")) == "the run is older than the claim"
    del made["definitions"]  # as in runs of former commits
    assert change_since(made, replace(claim, version=2)) == ""
    assert "criterion was" in change_since(made, replace(claim, criterion=above(51.0)))


def test_a_criterion_that_is_newer_than_its_run_is_not_blind(tmp_path):
    run = coin.make_run(tmp_path / "local" / "cpu-laptop")
    claims = {"C1-ducat": replace(coin.COIN.claims[0], criterion=above(40.0))}
    assert coin.COIN.claims[0].id == "C1-ducat"
    blind = {each.claim: each.blind for each in analyze(coin.COIN, run).claims}
    changed = analyze(replace(coin.COIN, claims=tuple(claims.get(each.id, each) for each in coin.COIN.claims)), run)
    assert {each.claim: each.blind for each in changed.claims} == {**blind, "C1-ducat": False}
    assert blind["C1-ducat"]
    assert not next(each for each in changed.claim_results if each.claim.id == "C1-ducat").evidence.blind
    renamed = replace(coin.COIN, claims=(*coin.COIN.claims[1:], replace(coin.COIN.claims[0], id="C99")))
    assert not next(each for each in analyze(renamed, run).claims if each.claim == "C99").blind


def test_the_page_warns_of_a_change_after_the_run(tmp_path):
    run = coin.make_run(tmp_path / "local" / "cpu-laptop")
    assert not [said for said in analyze(coin.COIN, run).warnings if "changed" in said]
    changed = replace(coin.COIN, claims=tuple(replace(each, version=2) if each.id == "C1-ducat" else each for each in coin.COIN.claims))
    (said,) = (said for said in analyze(changed, run).warnings if "changed" in said)
    assert said.startswith("C1-ducat changed after its trials ran: its measure or its rows are others (definition 2-")
