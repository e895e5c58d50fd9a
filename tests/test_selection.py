"""Claims choose the trials that they are measured on: enough of them, and no more."""

import random

import pytest

from myths import suite
from myths.lab.errors import UsageError
from myths.lab.execution import selection, session
from myths.lab.execution.session import RunRequest
from myths.lab.myth import PROFILES
from myths.lab.storage.run_folder import RunFolder
from tests.chosen import chosen, excused, idle, measured, number, records

FORGETTING = suite.find("forgetting")
DROPPED = 25
"""Trials that are dropped here, one at a time; benchmarks/test_selection.py drops every one."""


def test_every_published_number_comes_from_the_trials_that_its_claim_chooses_alone():
    found = list(measured())
    assert len(found) > 150
    for myth, claim, published in found:
        assert number(myth, claim, chosen(myth, claim)) == pytest.approx(published, rel=1e-9, abs=1e-9), claim.id


def test_a_chosen_trial_that_is_dropped_is_missed():
    """Its claim has another number then, or, where the number is an extreme or a largest size, other rows; few are excused."""
    cases = [(myth, claim, identity) for myth, claim, _ in measured() for identity in sorted(chosen(myth, claim))]
    for myth, claim, identity in random.Random(0).sample(cases, DROPPED):
        trial = records(myth)[identity].trial
        assert idle(myth, claim, identity, chosen(myth, claim)) == excused(claim, trial), (claim.id, str(trial))


def test_a_claim_of_another_profile_is_not_replaced_by_its_controls(tmp_path):
    def plan(*claims):
        (planned,) = session.plans(
            RunRequest(myths=[FORGETTING], profile="laptop", run=RunFolder(tmp_path / "run"), device="cpu", claims=claims)
        )
        return planned

    for claims in (("F3-ordered-30",), ("primary",)):
        with pytest.raises(UsageError, match=r"laptop has no trial of F3-ordered-30 \(in overnight, gpu, paper\)"):
            plan(*claims)
    assert plan("F3-ordered-30", "F4-mnist").unmeasured == ("F3-ordered-30 (in overnight, gpu, paper)",)
    only_a_control = plan("F0-nothing")
    assert only_a_control.unmeasured == ()
    assert [type(step.trial).__name__ for step in only_a_control.plan.steps] == ["PruneNothing"]


def test_claims_choose_a_part_of_what_a_profile_plans():
    forgetting = suite.find("forgetting")
    (claim,) = (claim for claim in forgetting.claims if claim.id == "F3-ordered-30")
    kept = selection.needed_by([claim], forgetting.trials("gpu", None, ()))
    assert {(trial.pruning_order, trial.pruned_fraction) for trial in kept} == {("lowest first", 0.3), ("random", 0.0)}
    assert {trial.dataset for trial in kept} == {"cifar10"}


@pytest.mark.parametrize("myth", [pytest.param(myth, id=myth.name) for myth in suite.MYTHS])
def test_every_claim_chooses_trials_of_some_profile_or_says_that_none_measures_it(myth):
    planned = [myth.trials(profile, None, ()) for profile in PROFILES]
    for claim in myth.claims:
        assert bool(claim.needs) == any(selection.needed_by([claim], trials) for trials in planned), claim.id


@pytest.mark.parametrize("myth", [pytest.param(myth, id=myth.name) for myth in suite.MYTHS])
def test_a_profile_for_a_cpu_measures_all_primary_claims_and_their_controls_except_u2(myth):
    """U2-gap, 110 layers on all of CIFAR-10, needs a GPU. A verdict is given for one run, and therefore for one profile."""
    by_id = {claim.id: claim for claim in myth.claims}

    def measures(trials, claim):
        return all(selection.needed_by([by_id[i]], trials) for i in (claim.id, *claim.controls))

    def unmeasured(profile):
        trials = myth.trials(profile, None, ())
        return {
            claim.id
            for claim in myth.claims
            if claim.primary and not measures(trials, claim) and not (claim.superseded_by and measures(trials, by_id[claim.superseded_by]))
        }

    by_profile = {profile: unmeasured(profile) for profile in (("gpu",) if myth.name == "fixup" else ("laptop", "overnight"))}
    assert not all(by_profile.values()), by_profile


@pytest.mark.parametrize("myth", [pytest.param(myth, id=myth.name) for myth in suite.MYTHS])
def test_needs_name_columns_that_trials_have(myth):
    for claim in myth.claims:
        for need in claim.needs:
            kind = need.get("trial", claim.trial)
            assert set(need) - {"trial"} <= set(kind.test_instance().columns), claim.id


def test_trials_of_a_claim_that_the_user_names_run_before_those_of_primary_claims():
    trials = FORGETTING.trials("overnight", None, ())
    by_id = {claim.id: claim for claim in FORGETTING.claims}
    wanted = selection.claims([FORGETTING], ["F3-vs-random-30"], lambda myth: lambda claim: True, "cpu")["forgetting"]
    first = selection.most_urgent(FORGETTING.claims, trials, wanted)
    own = selection.needed_by([by_id["F3-vs-random-30"]], trials)
    assert first[: len(own)] == own
    assert selection.most_urgent(FORGETTING.claims, trials)[: len(own)] != own
    assert {trial.id for trial in first} >= {trial.id for trial in selection.most_urgent(FORGETTING.claims, trials)}


# --- what a request names ------------------------------------------------------------------------


def named(*words, open_=lambda identity: True):
    found = selection.claims([FORGETTING], words, lambda myth: open_, "cpu")
    return [claim.id for claim in found.get("forgetting", [])]


def test_a_claim_brings_its_controls_and_its_calibration():
    assert named("F3-ordered-30") == ["F3-ordered-30", "F0-nothing", "F0-shuffled-30", "F0-rankings-30", "F0-trained-cifar10"]
    assert named("F1-mnist") == ["F1-mnist", "F0-counted-mnist", "F1-calibration-mnist"]


def test_the_beginning_of_an_id_ends_at_a_hyphen():
    assert named("F8") == ["F8", "F0-counted-cifar10"]
    assert named("F7") == ["F7", "F0-counted-noisy"]  # not F7-unforgettable: an id stands for itself
    assert {i for i in named("F9") if i.startswith("F9")} == {"F9-el2n"}
    assert [i for i in named("F2c") if i.startswith("F2c")] == [
        "F2c-margin-level",
        "F2c-margin",
        "F2c-first-learnt-level",
        "F2c-first-learnt",
    ]
    with pytest.raises(UsageError, match="expected the id of a claim of forgetting"):
        named("F3-ord")


def test_deciding_claims_are_those_that_are_open():
    assert named("primary")[0] == "F3-ordered-30"
    assert "F3-vs-random-30" in named("primary")
    assert named("primary", open_=lambda identity: identity != "F3-ordered-30")[0] == "F3-vs-random-30"
    assert named("primary", open_=lambda identity: False) == []


@pytest.mark.parametrize(("device", "kind", "other"), [("cpu", "cpu", "gpu"), ("cuda", "gpu", "cpu"), ("mps", "gpu", "cpu")])
def test_claims_of_another_kind_of_device_are_left_out_or_the_word_is_refused(device, kind, other):
    hessians = suite.find("hessian-cost")

    def ids(*words):
        found = selection.claims([hessians], words, lambda myth: lambda identity: True, device)
        return [claim.id for claim in found.get("hessian-cost", [])]

    assert f"H1-{kind}-quad" in ids("H1")
    assert {claim.where.get("device_kind", kind) for claim in hessians.claims if claim.id in ids("H1", "primary")} == {kind}
    with pytest.raises(UsageError, match=f"--claim H2-{other}: H2-{other}-.* but this run uses"):
        ids(f"H2-{other}")


def test_every_claim_that_says_a_kind_of_device_says_one_that_exists():
    for claim in (claim for myth in suite.MYTHS for claim in myth.claims):
        assert claim.where.get("device_kind", "cpu") in ("cpu", "gpu"), claim.id
        assert "device" not in claim.where, claim.id


def test_trial_classes_are_found_however_they_are_spelled():
    from myths.forgetting.trials import CountForgetting

    assert selection.trial_classes([FORGETTING], ["count-forgetting"]) == (CountForgetting,)
    with pytest.raises(UsageError, match="Available: CompareCounts"):
        selection.trial_classes([FORGETTING], ["Qqq"])
