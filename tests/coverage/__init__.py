"""Repeated experiments with a known truth, for every measure and repetition unit of the claims.

A repetition draws anew what the claim's ``repetition_unit`` names, and the claim's own measure computes the interval. ``CASES`` lists the
experiments by measure and unit, with as few and as many repetitions as claims have; each myth has a module. A measure that reads an
interval from its table is listed with the table ("of myth.table"), and its cases call the function that computes the interval. To add a
measure, add its cases: a test names the missing ones.
"""

from functools import cache, partial

import numpy as np

from tests.coverage import cifar10_1, common, dataset_bias, fixup, forgetting, hessian_cost, lightweight_conv, order, saliency, wiring
from tests.coverage.experiment import Case

READ = {
    "lab.measures.from_columns": None,
    "forgetting.measures.sum_correlation": None,
    "saliency.measures.over_networks": ("test examples",),
    "saliency.measures.touched": None,
    "saliency.measures.largest_over_methods": None,
}
"""Measures that read an interval from a table, and for which units; None for all units."""

UNDECIDED = {
    ("lab.measures.only_value", "seeds"): "the number has no interval",
}
"""Measures whose interval does not cover the repetition unit, so that their claims are undecided by rule."""

CASES: dict[tuple[str, str], dict[str, Case]] = {}
for _part in (common, hessian_cost, dataset_bias, cifar10_1, forgetting, fixup, lightweight_conv, saliency, order, wiring):
    CASES |= _part.CASES


def measured_as(myth, claim) -> tuple[str, str]:
    """Return the measure and the repetition unit of a claim, as listed in ``CASES``."""
    measure, unit = claim.measure, claim.repetition_unit
    while isinstance(measure, partial):
        measure = measure.func
    name = f"{measure.__module__}.{measure.__name__}".removeprefix("myths.")
    units = READ.get(name, ())
    return (f"{name} of {myth.folder}.{claim.table}" if units is None or unit in units else name), unit


@cache
def simulated_n() -> dict[tuple[str, str], tuple[int, int]]:
    """Return the smallest and the largest n of the experiments of each measure and unit."""
    found = {}
    for key, cases in CASES.items():
        rng = np.random.default_rng(0)
        drawn = [case.draw(rng) for case in cases.values() for _ in range(5)]
        found[key] = min(each.n for each in drawn if each), max(each.n for each in drawn if each)
    return found
