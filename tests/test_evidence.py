"""What makes a claim evidence: one id, a possible interval, a repetition unit whose interval was simulated, and controls."""

import re
from collections import Counter
from math import inf

import numpy as np
import pandas as pd
import pytest

from myths import suite
from myths.dataset_bias.trials import RecomputePublishedTables
from myths.fixup.trials.update import MeasureUpdate
from myths.lab.analysis import analyze
from myths.lab.myth import PROFILES
from myths.lab.storage.run_folder import RunFolder
from myths.wiring.trials import CompareEpochs, CompareOtherCollection
from tests.coverage import CASES, UNDECIDED, measured_as, simulated_n

MYTHS = [pytest.param(myth, id=myth.name) for myth in suite.OURS]
RUNS = [pytest.param(path.parent, id=path.parent.name) for path in sorted(suite.PUBLISHED.glob("*/run.json"))]

POSITIVE, PERCENT, PERCENT_CHANGE = (0, inf), (0, 100), (-100, inf)
SHARE, DIFFERENCE, CORRELATION, POINTS = (0, 1), (-1, 1), (-1, 1), (-100, 100)
RANGES = {
    "%": PERCENT_CHANGE,
    "% (chance 25)": PERCENT,
    "% between processes": POSITIVE,
    "% drop": (-inf, 100),
    "% drop of AP, mean over sets": (-inf, 100),
    "% error": PERCENT,
    "% of examples": PERCENT,
    "% of flips": PERCENT,
    "% of images, the least of all attacks": PERCENT,
    "% of models": PERCENT,
    "% of pairs with α < 1": PERCENT,
    "% of test images": PERCENT,
    "% of the way from chance to 100 %": (-inf, 100),
    "% of training runs": PERCENT,
    "% of training sets": PERCENT,
    "% of wrong labels": PERCENT,
    "% off": POSITIVE,
    "% from the exact point": (-100, inf),
    "% of s": POSITIVE,
    "% of the final value": POSITIVE,
    "% of draws": PERCENT,
    "AUROC": SHARE,
    "BLEU": POINTS,
    "Pearson r": CORRELATION,
    "ROUGE-1": POINTS,
    "R²": SHARE,
    "Spearman ρ": CORRELATION,
    "Spearman ρ less half of that with true labels": (-1.5, 1.5),
    "cells that differ": POSITIVE,
    "difference of Spearman ρ": (-2, 2),
    "gray levels more than ε, the most of all attacks": (-255, 255),
    "items misplaced": POSITIVE,
    "largest |ρ|": SHARE,
    "mismatches": POSITIVE,
    "of the explainable variance": POSITIVE,
    "r": CORRELATION,
    "R² of ten folds, smallest of five": (-inf, 1),
    "wirings that differ": POSITIVE,
    "largest |logit|": POSITIVE,
    "margins": POSITIVE,
    "of draws": SHARE,
    "of networks": SHARE,
    "of its BLEU": POSITIVE,
    "of starts": SHARE,
    "of the images": SHARE,
    "of the other superclasses": SHARE,
    "of the images that only one attack leaves untouched": SHARE,
    "of the top 1,000": SHARE,
    "of the top 1,000, the largest of three methods": DIFFERENCE,
    "of the top 5": SHARE,
    "of the top k": DIFFERENCE,
    "of the top k left": SHARE,
    "of the variance": (-inf, 1),
    "of the checkpoints": SHARE,
    "of the top k more than the random walk": DIFFERENCE,
    "of the top k, the least of all images": SHARE,
    "overlap²": SHARE,
    "pp": POINTS,
    "pp of AP": POINTS,
    "pp of accuracy": POINTS,
    "pp of training runs": POINTS,
    "rank correlation": CORRELATION,
    "relative difference": POSITIVE,
    "relative error": POSITIVE,
    "times": POSITIVE,
    "weights that differ": POSITIVE,
    "x": POSITIVE,
    "×": POSITIVE,
    "κ": (-2, 2),
    "× an even spread of errors": POSITIVE,
    "× chance": POSITIVE,
    "|partial ρ|": SHARE,
}
"""Possible numbers of every unit of a claim that has a limit. κ is a difference of two."""
UNBOUNDED = {
    "": "a slope",
    "% of the drop": "a ratio of two differences",
    "% of the accuracy above chance of 22 layers": "a ratio of two networks, either of which may be more accurate",
    "% of what is above chance": "a ratio of two classifiers: without near-duplicates, for example, the second may be more accurate",
    "at ε = 1/255": "a difference of curvatures",
    "d log ‖Δf‖ / d log L": "an exponent",
    "difference of exponents": "a difference of exponents",
    "events": "a difference of counts per image, which have no largest number",
    "exponent": "an exponent",
    "growth per branch": "the slope of a logarithm",
    "nats per token": "a difference of losses",
    "of R² of ten folds": "a ratio of two R², which are negative for predictions worse than the mean",
    "of the advantage with HOG": "a ratio of two differences",
    "of the apparent gain": "a ratio of two differences",
    "of the top k, rescaled": "a difference of fractions, divided by one less the fraction of another image's map",
    "px, attack less random": "a difference of shifts: the limit is the size of the image",
}
"""Units without a limit, and why any number is possible."""
RANGES |= dict.fromkeys(UNBOUNDED, (-inf, inf))
ROUNDING = 1e-9
UNCONTROLLED = {RecomputePublishedTables, CompareOtherCollection, CompareEpochs, MeasureUpdate}
"""Trials without default controls: recomputed numbers, and single updates of untrained networks."""


def test_no_two_claims_of_the_suite_share_an_id():
    ids = Counter(claim.id for myth in suite.OURS for claim in myth.claims)
    assert [name for name, count in ids.items() if count > 1] == []


@pytest.mark.parametrize("myth", MYTHS)
def test_a_claim_of_today_carries_the_number_of_its_myth(myth):
    found = [(claim.id, re.match(r"T(\d*)", claim.id)) for claim in myth.claims]
    assert [name for name, match in found if match and match[1] != str(myth.number)] == []


def test_a_unit_has_a_limit_or_a_reason_why_it_has_none():
    assert set(RANGES) == {claim.unit for myth in suite.OURS for claim in myth.claims}
    assert {unit for unit, ends in RANGES.items() if ends == (-inf, inf)} == set(UNBOUNDED)


@pytest.mark.parametrize("myth", MYTHS)
def test_every_unit_has_a_range_that_holds_the_papers_number_and_part_of_the_criterion(myth):
    for claim in myth.claims:
        low, high = RANGES[claim.unit]
        assert all(low <= number <= high for number in (claim.paper, claim.paper_low, claim.paper_high) if number is not None), claim.id
        assert claim.criterion.low <= high, claim.id
        assert claim.criterion.high >= low, claim.id


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("myth", MYTHS)
def test_no_published_interval_leaves_the_range_of_its_unit(myth, run):
    outside = []
    for result in analyze(myth, RunFolder(run)).claim_results:
        low, high = RANGES[result.claim.unit]
        if result.estimate is not None and not (low - ROUNDING <= result.estimate.low and result.estimate.high <= high + ROUNDING):
            outside.append((result.claim.id, result.estimate.low, result.estimate.high))
    assert outside == []


@pytest.mark.parametrize("run", RUNS)
def test_no_published_interval_has_width_0_unless_a_repetition_gives_the_same_number(run):
    listed = pd.concat([pd.read_csv(path) for path in sorted(run.glob("*/claims.csv"))])
    flat = listed[(listed["repetition_unit"] != "exact") & listed["estimate"].notna() & np.isclose(listed["low"], listed["high"], 1e-9, 0)]
    assert flat["claim"].tolist() == []


# --- CONTRACT OF ALL MYTHS


def measured_claims(myth):
    """Return the claims that a profile measures."""
    return [claim for claim in myth.claims if not claim.is_only_cited]


@pytest.mark.parametrize("myth", MYTHS)
def test_the_coverage_of_every_interval_is_simulated(myth):
    """A number that a repetition would not change has no interval."""
    needed = {measured_as(myth, claim) for claim in measured_claims(myth) if claim.repetition_unit != "exact"}
    assert needed - set(CASES) - set(UNDECIDED) == set()


@pytest.mark.parametrize("run", RUNS)
def test_the_coverage_of_every_interval_that_decides_is_simulated_with_as_many_repetitions(run):
    outside = []
    for myth in suite.OURS:
        path, claims = run / myth.folder / "claims.csv", {claim.id: claim for claim in measured_claims(myth)}
        for row in pd.read_csv(path).dropna(subset=["estimate"]).itertuples() if path.exists() else ():
            claim = claims.get(row.claim)
            if claim is None or claim.repetition_unit == "exact" or row.source_of_variation != claim.repetition_unit:
                continue
            low, high = simulated_n().get(measured_as(myth, claim), (0, inf))
            if row.n >= claim.needed_repetitions and not low <= row.n <= high:
                outside.append((row.claim, int(row.n), low, high))
    assert outside == []


def test_every_simulated_interval_is_that_of_a_claim():
    assert set(CASES) - {measured_as(myth, claim) for myth in suite.OURS for claim in myth.claims} == set()


@pytest.mark.parametrize("myth", MYTHS)
def test_every_claim_has_a_control_unless_nothing_is_trained_timed_or_named(myth):
    controls = [claim for claim in myth.claims if claim.kind == "control"]
    for claim in measured_claims(myth):
        if claim.kind != "control" and claim.trial not in UNCONTROLLED:
            assert claim.controls or claim.without_controls or any(control.guards_claim(claim) for control in controls), claim.id


@pytest.mark.parametrize("myth", MYTHS)
def test_the_trials_behind_a_primary_number_are_in_a_profile(myth):
    """A user can measure the number again. The notes of a run say if its profile has changed since."""
    planned = {trial.id for profile in PROFILES for trial in myth.trials(profile)}
    for path in sorted(suite.PUBLISHED.glob(f"*/{myth.folder}/claims.csv")):
        claims = pd.read_csv(path, dtype={"trials": str})
        numbers = claims[claims["primary"] & claims["estimate"].notna()]
        missing = [claim for claim, trials in zip(numbers["claim"], numbers["trials"], strict=True) if not set(trials.split()) <= planned]
        notes = RunFolder(path.parents[1]).metadata().get("notes", ())
        assert not missing or any("profile" in note and "changed since" in note for note in notes), (path.parents[1].name, missing)
