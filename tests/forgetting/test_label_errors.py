"""Likely label errors: the ranking on hand-made probabilities, planted errors, and what is not listed."""

from dataclasses import replace

import numpy as np
import pytest

from myths.forgetting import tables
from myths.forgetting.confident_learning import MIN_PER_CLASS, find_label_errors, temperature
from myths.forgetting.trials import FindLabelErrors, PredictHeldOut
from myths.forgetting.trials.label_errors import all_folds, stratified_folds
from myths.forgetting.trials.training import DIGITS
from myths.forgetting.user_summary import summarize_user_data
from myths.lab.errors import UsageError
from myths.lab.storage.store import Results, TrialRecord
from myths.lab.trial import Context


def run_all(find):
    outcomes = {}
    for trial in find.held_out:
        outcomes[trial.id] = trial.run(Context(trial))
    return find.run(Context(find, outcomes=lambda trial: outcomes[trial.id]))


def test_an_error_is_a_label_beside_which_another_class_is_confident():
    """Two classes of ten sure examples each, then five whose answer follows from the thresholds by hand."""
    sure = [[0.9, 0.1]] * 10 + [[0.1, 0.9]] * 10
    doubtful = [
        ([0.05, 0.95], 0),  # another class is confident: listed, margin -0.9
        ([0.3, 0.7], 0),  # the other is likelier, but 0.7 is below its threshold: not listed
        ([0.85, 0.15], 1),  # listed, margin -0.7
        ([0.5, 0.5], 1),  # neither is confident
        ([0.88, 0.12], 0),  # as labeled
    ]
    probabilities = np.array(sure + [p for p, _ in doubtful])
    labels = np.array([0] * 10 + [1] * 10 + [label for _, label in doubtful])
    thresholds = [(9 + 0.05 + 0.3 + 0.88) / 13, (9 + 0.15 + 0.5) / 12]
    assert 0.7 < thresholds[1] < 0.9
    assert thresholds[0] < 0.85
    found = find_label_errors(probabilities, labels)
    assert np.flatnonzero(found.likely_error).tolist() == [20, 22]
    assert found.order[:2].tolist() == [20, 22]
    assert found.predicted[[20, 22]].tolist() == [1, 0]
    assert found.order[2] == 21  # of the others the smallest margin comes first
    assert sorted(found.order.tolist()) == list(range(25))


def test_a_class_with_too_few_examples_is_not_judged_and_an_unused_class_never_suggested():
    probabilities = np.array([[0.9, 0.1, 0.0]] * 12 + [[0.8, 0.1, 0.1]] * (MIN_PER_CLASS - 1) + [[0.02, 0.0, 0.98]])
    labels = np.array([0] * 12 + [1] * (MIN_PER_CLASS - 1) + [0])
    found = find_label_errors(probabilities, labels)
    assert not found.likely_error.any()


def test_the_temperature_is_the_one_that_the_labels_were_drawn_with():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4)) * 2
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(1)  # of the softmax of the logits
    for scale in (0.5, 1.0, 3.0):
        assert temperature(scale * logits, labels) == pytest.approx(scale, rel=0.05)


def test_each_example_is_held_out_once_with_equal_shares_of_every_class():
    labels = np.repeat(np.arange(7), [50, 3, 11, 200, 1, 5, 30])
    fold = stratified_folds(labels, 5, np.random.default_rng(0))
    sizes = np.array([np.bincount(labels[fold == k], minlength=7) for k in range(5)])
    assert np.ptp(sizes, axis=0).max() <= 1
    assert np.ptp(sizes.sum(1)) <= 1
    held_out = all_folds(replace(PredictHeldOut.test_instance(), epochs=0.1))
    indices = np.concatenate([trial.run(Context(trial)).arrays["index"] for trial in held_out])
    assert sorted(indices.tolist()) == list(range(240))


def test_planted_errors_are_listed_first_and_clean_labels_seldom():
    planted = PredictHeldOut(**DIGITS, epochs=12.0, train_examples=700, label_noise=0.05)
    find = FindLabelErrors(held_out=all_folds(planted))
    found = run_all(find)
    summary, errors = found.rows[0], found.rows[1:]
    assert summary["flipped_examples"] == 35
    assert summary["listed"] == len(errors)
    flipped = [row["flipped"] for row in errors]
    assert sum(flipped[:20]) >= 19  # precision at 20
    assert np.mean(flipped) >= 0.85
    assert sum(flipped) >= 22  # of 35
    assert errors[0]["confidence"] > 0.9 > 0.1 > errors[0]["label_probability"]
    results = Results([TrialRecord(find, "ok", found.rows)])
    table = tables.label_errors(results)
    assert table["rank"].tolist() == list(range(1, len(errors) + 1))
    assert set(table["dataset"]) == {"digits subset"} == set(tables.held_out(results)["dataset"])
    assert (table["label"] != table["predicted"]).all()
    assert table["index"].dtype.kind == "i"  # not "example 157.0"
    clean = run_all(FindLabelErrors(held_out=all_folds(replace(planted, label_noise=0.0))))
    assert clean.rows[0]["listed"] <= 7  # 1 %
    assert clean.rows[0]["accuracy_percent"] > 94


def test_a_training_run_that_diverged_lists_nothing():
    find = FindLabelErrors(held_out=all_folds(replace(PredictHeldOut.test_instance(), learning_rate=1e9)))
    found = run_all(find)
    assert found.rows[0]["diverged"] >= 1
    assert len(found.rows) == 1
    assert np.isfinite(found.rows[0]["accuracy_percent"])
    results = Results([TrialRecord(find, "ok", found.rows)])
    assert tables.label_errors(results).empty
    assert tables.held_out(results)["listed"].tolist() == [0]


def test_impossible_folds_are_refused():
    with pytest.raises(UsageError, match="fold=3 does not exist"):
        replace(PredictHeldOut.test_instance(), fold=3)
    with pytest.raises(UsageError, match="folds 0 to 2"):
        FindLabelErrors(held_out=all_folds(PredictHeldOut.test_instance())[:2])
    few = PredictHeldOut(**DIGITS, epochs=1.0, train_examples=9)
    with pytest.raises(UsageError, match="needs 10 or more"):
        few.run(Context(few))


def of_own(n, listed=(), summary=None):
    """Tables of a run on ``n`` images of two classes, of which the second has nine."""
    import pandas as pd

    labels = ["cat"] * (n - 9) + ["dog"] * 9
    rows = [{"index": i, "file": f"{label}/{i}.png", "label": label, "events": 1.0} for i, label in enumerate(labels)]
    forgetting = pd.DataFrame(rows).assign(dataset="mine", never_forgotten=False)
    errors = [{"rank": k, "file": file, "label": "cat", "predicted": "dog", "confidence": 0.97} for k, file in enumerate(listed, 1)]
    return {
        "user_examples": forgetting,
        "pruning_list_balanced": forgetting.assign(prunable=False),
        "label_errors": pd.DataFrame(errors).assign(dataset="mine"),
        "held_out": pd.DataFrame(summary or []).assign(dataset="mine"),
    }


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (of_own(60), "at least 100 examples are needed, mine has 60"),
        (of_own(200, (), [{"n": 200, "diverged": 1}]), "label errors are not listed: a training run diverged"),
        (
            of_own(200, (), [{"n": 200, "diverged": 0, "accuracy_percent": 98.5}]),
            "likely label errors: none (held-out predictions, 98.5 % as labeled)",
        ),
        (of_own(200, ["cat/7.png"], [{"n": 200, "diverged": 0, "accuracy_percent": 46.0}]), "unreliable: held-out accuracy is below 70 %"),
        (of_own(200, ["cat/7.png"], [{"n": 200, "diverged": 0, "accuracy_percent": 98.5}]), "first: cat/7.png (cat → dog, 97%) …"),
        (of_own(200, ["cat/7.png"], [{"n": 200, "diverged": 0, "accuracy_percent": 98.5}]), "fewer than 10 examples each: dog"),
    ],
)
def test_the_summary_says_which_labels_to_look_at_or_why_none_are_named(made, said):
    assert said in summarize_user_data(made)
