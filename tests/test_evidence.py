"""What makes a claim evidence: one id in the suite, and numbers that its unit allows."""

import re
from collections import Counter
from math import inf

import pytest

from myths import suite

MYTHS = [pytest.param(myth, id=myth.name) for myth in suite.OURS]

ANY, POSITIVE, PERCENT, PERCENT_CHANGE = (-inf, inf), (0, inf), (0, 100), (-100, inf)
SHARE, DIFFERENCE, CORRELATION, POINTS = (0, 1), (-1, 1), (-1, 1), (-100, 100)
RANGES = {
    "": ANY,
    "%": PERCENT_CHANGE,
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
    "% of the drop": ANY,
    "% of training sets": PERCENT,
    "% of what is above chance": ANY,
    "% of wrong labels": PERCENT,
    "% off": POSITIVE,
    "AUROC": SHARE,
    "BLEU": POINTS,
    "Pearson r": CORRELATION,
    "ROUGE-1": POINTS,
    "R²": SHARE,
    "Spearman ρ": CORRELATION,
    "at ε = 1/255": ANY,
    "cells that differ": POSITIVE,
    "d log ‖Δf‖ / d log L": ANY,
    "difference of exponents": ANY,
    "events": ANY,
    "exponent": ANY,
    "growth a branch": ANY,
    "largest |logit|": POSITIVE,
    "margins": POSITIVE,
    "nats a token": ANY,
    "of its BLEU": POSITIVE,
    "of the images": SHARE,
    "of the images that only one attack leaves untouched": SHARE,
    "of the top 1,000": SHARE,
    "of the top 1,000, the largest of three methods": DIFFERENCE,
    "of the top 5": SHARE,
    "of the top k": DIFFERENCE,
    "of the top k left": SHARE,
    "of the top k, random less attack": DIFFERENCE,
    "of the top k, rescaled": ANY,
    "of the top k, the least of all images": SHARE,
    "pp": POINTS,
    "pp of AP": POINTS,
    "pp of accuracy": POINTS,
    "px, attack less random": ANY,
    "rank correlation": CORRELATION,
    "relative difference": POSITIVE,
    "relative error": POSITIVE,
    "times": POSITIVE,
    "weights that differ": POSITIVE,
    "x": POSITIVE,
    "× an even spread of errors": POSITIVE,
    "× chance": POSITIVE,
}
"""Possible numbers of every unit of a claim."""


def test_no_two_claims_of_the_suite_share_an_id():
    ids = Counter(claim.id for myth in suite.OURS for claim in myth.claims)
    assert [name for name, count in ids.items() if count > 1] == []


@pytest.mark.parametrize("myth", MYTHS)
def test_a_claim_of_today_carries_the_number_of_its_myth(myth):
    found = [(claim.id, re.match(r"T(\d*)", claim.id)) for claim in myth.claims]
    assert [name for name, match in found if match and match[1] != str(myth.number)] == []


@pytest.mark.parametrize("myth", MYTHS)
def test_every_unit_has_a_range_that_holds_the_papers_number_and_part_of_the_criterion(myth):
    for claim in myth.claims:
        low, high = RANGES[claim.unit]
        assert all(low <= number <= high for number in (claim.paper, claim.paper_low, claim.paper_high) if number is not None), claim.id
        assert claim.criterion.low <= high, claim.id
        assert claim.criterion.high >= low, claim.id
