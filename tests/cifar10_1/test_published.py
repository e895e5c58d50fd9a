"""The recomputed table, cell by cell, and the parts that make it."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from myths.cifar10_1 import MYTH, linear_fit, measures, published, rank_comparison, tables
from myths.cifar10_1.claims import CLAIMS
from myths.cifar10_1.trials import PublishedAccuracy, PublishedHardImages, PublishedRanks
from myths.lab.claim import evaluate_claims
from myths.lab.data import prepared
from myths.lab.storage.store import Results, TrialRecord
from myths.lab.trial import Context

REFERENCE = {
    row["model"]: row
    for row in csv.DictReader((Path(__file__).parent / "data" / "cifar10_1_table.csv").read_text(encoding="utf-8").splitlines())
}
PREFIX = {"original": "o", "v4": "v4", "v6": "v6"}

real_predictions = [
    pytest.mark.real_data,
    pytest.mark.skipif(prepared.find(published.PREDICTIONS) is None, reason="cifar10_1_predictions is not here"),
]


def finished(*trials):
    return Results([TrialRecord(t, "ok", t.run(Context(t)).rows) for t in trials])


def expected_cells(model: str, test_set: str) -> dict[str, float]:
    row, p = REFERENCE[model], PREFIX[test_set]
    names = {"correct": "correct", "accuracy_percent": "acc", "accuracy_low_percent": "lo", "accuracy_high_percent": "hi", "rank": "rank"}
    if test_set != "original":
        names |= {"gap_pp": "gap", "error_ratio": "err_ratio", "rank_change": "drank", "balanced_percent": "bal"}
    return {ours: float(row[f"{p}_{theirs}"]) for ours, theirs in names.items()}


@pytest.mark.parametrize("source", ["reference table", pytest.param("predictions", marks=real_predictions)])
def test_every_cell_of_the_table(source):
    table = tables.accuracies(finished(PublishedAccuracy(source=source)))
    assert len(table) == 90
    assert set(table["model"]) == set(REFERENCE)
    wrong = []
    for line in table.to_dict("records"):
        for name, value in expected_cells(line["model"], line["test_set"]).items():
            if abs(line[name] - value) > 0.5e-4 + 1e-9:
                wrong.append((line["model"], line["test_set"], name, line[name], value))
    assert not wrong


def test_the_fits_are_those_of_the_claims_sheet():
    fits = tables.fits(finished(PublishedAccuracy(source="reference table"))).set_index(["test_set", "scale"])
    assert fits.loc[("v4", "accuracy"), "slope"] == pytest.approx(1.617, abs=5e-4)
    assert fits.loc[("v6", "accuracy"), "slope"] == pytest.approx(1.595, abs=5e-4)
    assert fits.loc[("v4", "accuracy"), "r2"] == pytest.approx(0.989, abs=5e-4)
    assert fits.loc[("v6", "accuracy"), "r2"] == pytest.approx(0.990, abs=5e-4)
    assert fits.loc[("v4", "probit"), "slope"] == pytest.approx(0.951, abs=1e-3)
    assert fits.loc[("v4", "accuracy"), "intercept"] == pytest.approx(-0.655, abs=5e-4)
    low, high = fits.loc[("v4", "accuracy"), ["slope_low", "slope_high"]]
    assert low < 1.53, "over families the interval is wider than over models"
    assert high > 1.70


def test_every_published_model_has_a_family():
    families = {model: published.family(model) for model in REFERENCE}
    assert set(families.values()) <= set(published.FAMILIES.values())
    assert len(set(families.values())) == 13
    assert {m for m, f in families.items() if f == "ResNet"} == {m for m in REFERENCE if "resnet" in m and "wide" not in m}
    assert published.family("my_model") == "my_model"


@pytest.mark.real_data
@pytest.mark.skipif(prepared.find(published.PREDICTIONS) is None, reason="cifar10_1_predictions is not here")
def test_published_ranks_hard_images_and_control():
    both = [t(test_set=s) for s in ("v4", "v6") for t in (PublishedRanks, PublishedHardImages)]
    results = finished(PublishedAccuracy(source="reference table"), PublishedAccuracy(source="predictions"), *both)
    kept = tables.ranks(results).set_index("test_set")
    assert kept[["pairs", "rank_reversals", "significant_reversals", "largest_rank_change"]].T.to_dict("list") == {
        "v4": [435, 24, 0, 4],
        "v6": [435, 30, 1, 4],
    }
    assert kept["spearman"].tolist() == pytest.approx([0.978, 0.971], abs=5e-4)
    assert kept["kendall"].tolist() == pytest.approx([0.888, 0.861], abs=5e-4)
    flips = tables.rank_reversals(results)
    assert len(flips) == 54
    (significant,) = flips[flips["p_value"] < 0.05].to_dict("records")
    assert (significant["test_set"], significant["better_on_original"], significant["better_on_new"]) == (
        "v6", "resnet_basic_110", "resnet_preact_basic_110",
    )  # fmt: skip
    assert significant["p_value"] == pytest.approx(0.035, abs=5e-4)
    hard = tables.hard_images(results).set_index(["test_set", "correct_by"])
    assert hard.loc[("v4", "no model"), ["original_images", "original_n", "new_images", "new_n"]].tolist() == [28, 10_000, 21, 2021]
    assert hard.loc[("v4", "all models"), "original_percent"] == pytest.approx(65.1, abs=0.05)
    assert hard.loc[("v4", "all models"), "new_percent"] == pytest.approx(43.1, abs=0.05)
    found = tables.recomputed(results)
    assert len(found) == 270
    assert found["equal"].all()


def test_the_reference_table_is_read_without_the_prepared_set_and_decides_what_it_can():
    results = finished(PublishedAccuracy(source="reference table"))
    verdicts = {j.claim.id: str(j.verdict) for j in evaluate_claims(CLAIMS, {name: table(results) for name, table in MYTH.tables.items()})}
    assert verdicts["G0-table"] == "not run"
    assert verdicts["G1-v4"] == verdicts["G1-v6"] == verdicts["G2-slope-v4"] == "inconclusive"
    assert verdicts["G5-flips-v4"] == verdicts["G8-v4"] == verdicts["G9"] == "not tested"


def test_an_altered_reference_table_breaks_the_control_and_with_it_the_claim():
    known, computed = PublishedAccuracy(source="reference table"), PublishedAccuracy(source="predictions")
    rows = known.run(Context(known)).rows
    altered = [dict(row, correct=row["correct"] + (i == 4)) for i, row in enumerate(rows)]
    results = Results([TrialRecord(known, "ok", rows), TrialRecord(computed, "ok", altered)])
    judged = {j.claim.id: j for j in evaluate_claims(CLAIMS, {name: table(results) for name, table in MYTH.tables.items()})}
    assert judged["G0-table"].estimate.value == 1
    assert judged["G0-table"].verdict == "failed"
    assert judged["G1-v4"].reason == "control G0-table failed"


def test_balanced_accuracy_weighs_classes_not_images():
    answers = published.Predictions(("m",), np.array([[0, 0, 0, 0]], np.uint8), np.array([0, 0, 0, 1], np.uint8))
    assert answers.balanced.tolist() == [0.5]


def test_the_most_accurate_network_is_the_best_mean_over_seeds():
    rows = pd.DataFrame({"model": ["a", "a", "b", "b"], "test_accuracy_percent": [95.0, 85.0, 91.0, 90.8], "n_test": 1000})
    found = measures.most_accurate(rows)
    assert found.value == pytest.approx(90.9)
    both = stats.binomtest(909, 1000).proportion_ci(1 - 0.05 / 2)  # Bonferroni: either network could have been the best
    assert (found.low, found.high) == pytest.approx([100 * end for end in both])


# --- order -----------------------------------------------------------------------------------------

correctness = hnp.arrays(bool, st.tuples(st.integers(2, 6), st.integers(1, 30)))


def test_ties_share_the_smallest_rank():
    assert rank_comparison.ranks(np.array([5, 9, 9, 1])).tolist() == [3, 1, 1, 4]


@given(hnp.arrays(np.int64, st.integers(1, 12), elements=st.integers(0, 20)))
def test_a_rank_is_one_plus_the_number_that_are_better(score):
    assert rank_comparison.ranks(score).tolist() == [1 + int((score > s).sum()) for s in score]


@given(correctness)
def test_no_rank_is_reversed_on_the_same_images(correct):
    assert rank_comparison.compare(correct, correct).rank_reversals == 0
    assert (rank_comparison.rank_changes(correct.sum(1), correct.sum(1)) == 0).all()


@given(correctness, st.data())
def test_rank_reversals_are_counted_pair_by_pair_and_both_ways(original, data):
    new = data.draw(hnp.arrays(bool, original.shape))
    a, b = original.mean(1), new.mean(1)
    expected = {
        (i, j) for i in range(len(a)) for j in range(i + 1, len(a)) if (a[i] > a[j] and b[i] < b[j]) or (a[i] < a[j] and b[i] > b[j])
    }
    compared = rank_comparison.compare(original, new)
    assert set(zip(compared.first.tolist(), compared.second.tolist(), strict=True)) == expected
    assert compared.rank_reversals == rank_comparison.compare(new, original).rank_reversals
    assert compared.pairs == len(a) * (len(a) - 1) // 2
    assert 0 <= compared.significant() <= compared.rank_reversals


@given(correctness)
def test_mcnemar_is_statsmodels_exact(correct):
    from statsmodels.stats.contingency_tables import mcnemar

    ours = rank_comparison.mcnemar(correct)
    for i in range(len(correct)):
        for j in range(len(correct)):
            a, b = correct[i], correct[j]
            counts = [[int((a & b).sum()), int((a & ~b).sum())], [int((~a & b).sum()), int((~a & ~b).sum())]]
            expected = mcnemar(counts, exact=True).pvalue if counts[0][1] + counts[1][0] else 1.0
            assert ours[i, j] == pytest.approx(min(1.0, expected))


# --- the line ----------------------------------------------------------------------------------------


@given(hnp.arrays(float, st.tuples(st.integers(4, 30), st.just(2)), elements=st.floats(0.05, 0.95)))
def test_least_squares_is_scipy_linregress(points):
    x, y = points.T
    if np.ptp(x) < 1e-3 or np.ptp(y) < 1e-3:
        return
    ours, theirs = linear_fit.least_squares(x, y), stats.linregress(x, y)
    assert float(ours.slope) == pytest.approx(theirs.slope, rel=1e-8, abs=1e-10)
    assert float(ours.intercept) == pytest.approx(theirs.intercept, rel=1e-8, abs=1e-10)
    assert float(ours.r2) == pytest.approx(theirs.rvalue**2, rel=1e-8, abs=1e-10)


@given(st.floats(0.3, 2.0), st.floats(-0.5, 0.1))
def test_a_line_of_probits_is_found_exactly(slope, intercept):
    original = np.linspace(0.3, 0.95, 9)
    new = stats.norm.cdf(slope * stats.norm.ppf(original) + intercept)
    line = linear_fit.fit(original, new, "probit", np.arange(9))
    assert line.slope.value == pytest.approx(slope, abs=1e-6)
    assert line.intercept.value == pytest.approx(intercept, abs=1e-6)
    assert line.r2.value == pytest.approx(1)
    np.testing.assert_allclose(line.predict(original), new)
    assert linear_fit.count_outliers(line, original, new, np.full(9, 2000)) == 0


def test_the_jackknife_over_single_models_agrees_with_the_robust_standard_error_of_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(0)
    x = np.linspace(0.4, 0.9, 40)
    y = 1.5 * x - 0.5 + 0.01 * rng.standard_normal(40)
    line = linear_fit.fit(x, y, "accuracy", np.arange(40))
    theirs = sm.OLS(y, sm.add_constant(x)).fit(cov_type="HC3")
    assert [line.intercept.value, line.slope.value] == pytest.approx(theirs.params.tolist())
    assert line.r2.value == pytest.approx(theirs.rsquared)
    widths = [2 * stats.t.ppf(0.975, 39) * error for error in theirs.bse]
    assert [line.intercept.high - line.intercept.low, line.slope.high - line.slope.low] == pytest.approx(widths, rel=0.03)
    assert line.slope.source_of_variation == "models"
    assert line.slope.n == 40
    assert 0 <= line.r2.low <= line.r2.value <= line.r2.high <= 1


def test_copies_of_models_add_nothing_to_a_fit():
    rng = np.random.default_rng(0)
    x = np.linspace(0.4, 0.9, 10)
    y = 1.5 * x - 0.5 + 0.01 * rng.standard_normal(10)
    once, thrice = (linear_fit.fit(np.tile(x, k), np.tile(y, k), "accuracy", np.tile(np.arange(10), k)) for k in (1, 3))
    for part in ("slope", "intercept", "r2"):
        one, other = getattr(once, part), getattr(thrice, part)
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_too_few_families_make_no_interval():
    x = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    assert linear_fit.fit(x, x, "accuracy", np.array([0, 1, 2, 2, 2])) is None
    assert rank_comparison.spearman(x, x, np.array([0, 1, 2, 2, 2])) is None
    assert linear_fit.fit(x, x, "accuracy", np.array([0, 1, 2, 3, 3])) is not None


def test_a_perfect_ranking_has_an_interval_within_its_range():
    found = rank_comparison.spearman(np.arange(10), np.arange(10), np.arange(10))
    assert found.value == pytest.approx(1)
    assert found.high == found.value
    assert 0.8 < found.low < 0.99
    assert rank_comparison.spearman(np.arange(10), np.ones(10), np.arange(10)) is None


def test_a_perfect_model_has_a_finite_probit():
    assert np.isfinite(linear_fit.to_scale(linear_fit.clipped_accuracy(np.array([0, 10]), np.array([10, 10])), "probit")).all()


def test_models_far_from_the_line_are_counted():
    x = np.linspace(0.5, 0.9, 9)
    y = x.copy()
    y[4] -= 0.1
    line = linear_fit.fit(x, y, "accuracy", np.arange(9))
    assert linear_fit.count_outliers(line, x, y, np.full(9, 2000)) == 1
