"""A model of the user's beside the published ones, against independent computations."""

import itertools
import json

import numpy as np
import pytest

from myths.cifar10_1 import MYTH, published, tables, user_summary
from myths.cifar10_1.class_permutation import best_class_permutation
from myths.cifar10_1.trials import CompareUserModel, PublishedAccuracy, user_models
from myths.lab.data import prepared
from myths.lab.data.user_data import add
from myths.lab.storage.store import Results, TrialRecord
from myths.lab.trial import Context

REAL = pytest.mark.skipif(prepared.find("cifar10_1_predictions") is None, reason="the published predictions are not here")


def results(*trials):
    return Results([TrialRecord(t, "ok", t.run(Context(t)).rows) for t in trials])


def test_counts_are_those_of_statsmodels_and_places_those_of_sorting():
    from statsmodels.stats.contingency_tables import mcnemar

    found = results(CompareUserModel.test_instance())
    mine = user_models.user_predictions(published.PROCEDURAL)
    for line in tables.user_model_comparisons(found).to_dict("records"):
        theirs = published.predictions(published.PROCEDURAL, line["test_set"])
        right = mine[line["test_set"]] == theirs.labels
        other = theirs.correct[theirs.models.index(line["model"])]
        table = [[(right & other).sum(), (right & ~other).sum()], [(~right & other).sum(), (~right & ~other).sum()]]
        assert line["p_value"] == pytest.approx(mcnemar(table, exact=True).pvalue)
        assert line["difference_pp"] == pytest.approx(100 * (right.mean() - other.mean()))
    compared = tables.user_models(found).set_index("test_set")
    assert compared["rank"].tolist() == [3, 3, 3]
    assert set(compared["models"]) == {6}
    assert compared.loc["v4", "gap_pp"] == pytest.approx(
        compared.loc["original", "accuracy_percent"] - compared.loc["v4", "accuracy_percent"]
    )


@pytest.mark.parametrize("seed", range(6))
def test_the_best_order_of_classes_is_that_of_trying_all(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(5, size=300)
    meant = rng.permutation(5)
    predicted = np.where(rng.random(300) < 0.8, meant[labels], rng.integers(5, size=300))
    best = max(int((np.array(order)[predicted] == labels).sum()) for order in itertools.permutations(range(5)))
    found, swaps = best_class_permutation(predicted, labels)
    assert found == best
    moved = {int(a): int(b) for a, b in (s.split(">") for s in swaps.split())}
    assert moved == {int(meant[c]): c for c in range(5) if meant[c] != c}


def test_a_model_that_merely_guesses_is_not_told_to_reorder_its_classes():
    told = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        predicted, labels = rng.integers(10, size=(2, 1000))
        told += bool(best_class_permutation(predicted, labels)[1])
    assert told <= 4


def write(path, predictions):
    path.write_text(json.dumps({name: np.asarray(values).tolist() for name, values in predictions.items()}))


@pytest.fixture
def add_mine(tmp_path, monkeypatch):
    roots = prepared.roots()
    monkeypatch.setattr(prepared, "roots", lambda: (tmp_path / "data", *roots))

    def added(name, predictions):
        write(tmp_path / f"{name}.json", predictions)
        add(name, tmp_path / f"{name}.json")

    return added


@pytest.mark.real_data
@REAL
def test_a_published_model_lies_where_it_lies(add_mine):
    """Its own predictions, as a user would bring them: the paper's counts, its rank, and the residual of its point."""
    each = {t: published.predictions(published.PREDICTIONS, t) for t in published.TEST_SETS}
    at = each["v4"].models.index("vgg_15_BN_64")
    add_mine("mine", {t: p.predicted[at] for t, p in each.items()})
    listed = MYTH.trials("quick", None, ("mine",))
    assert [type(t) for t in listed] == [PublishedAccuracy, CompareUserModel]
    found = results(*listed)
    compared = tables.user_models(found).set_index("test_set")
    accuracies = tables.accuracies(found)
    for test_set in published.TEST_SETS:
        line = accuracies[(accuracies["test_set"] == test_set) & (accuracies["model"] == "vgg_15_BN_64")].iloc[0]
        for name in ("correct", "accuracy_percent", "accuracy_low_percent"):
            assert compared.loc[test_set, name] == pytest.approx(line[name])
        assert compared.loc[test_set, "rank"] == line["rank"]
    new = accuracies[accuracies["test_set"] == "v4"]
    slope, intercept = np.polyfit(new["original_accuracy_percent"], new["accuracy_percent"], 1)
    expected = compared.loc["v4", "accuracy_percent"] - slope * compared.loc["original", "accuracy_percent"] - intercept
    assert compared.loc["v4", "residual_pp"] == pytest.approx(expected)
    assert set(compared["class_permutation"]) == {""}
    every = {name: table(found) for name, table in MYTH.tables.items()}
    said = user_summary.summarize_user_data(every)
    assert "mine on v4: 84.8" in said
    assert "most similar accuracy: vgg_15_BN_64, difference +0.00 points, McNemar's exact p = 1" in said
    assert MYTH.figures["user_models"](every) is not None


@pytest.mark.real_data
@REAL
def test_classes_in_another_order_are_reported(add_mine):
    each = {t: published.predictions(published.PREDICTIONS, t) for t in published.TEST_SETS}
    swapped = np.array([0, 1, 2, 5, 4, 3, 6, 7, 8, 9])
    add_mine("mixed", {"original": swapped[each["original"].predicted[3]], "v6": swapped[each["v6"].predicted[3]]})
    found = results(*MYTH.trials("quick", None, ("mixed",)))
    compared = tables.user_models(found)
    assert compared["class_permutation"].tolist() == ["3>5 5>3"] * 2
    every = {name: table(found) for name, table in MYTH.tables.items()}
    assert "check the order of the classes: " in user_summary.summarize_user_data(every)
    assert "if cat means dog, dog means cat" in user_summary.summarize_user_data(every)
    right = each["original"].predicted[3] == each["original"].labels
    assert compared.iloc[0]["permuted_percent"] == pytest.approx(100 * right.mean())
