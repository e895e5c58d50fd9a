"""The classical methods against their reference implementations, and evaluation on a new test set."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from myths.cifar10_1 import classical, features, profiles, tables
from myths.cifar10_1.trials import CompareModelRanks, EvaluateModel, FitClassical, new_models
from myths.lab.data import prepared
from myths.lab.data.images import image_set
from myths.lab.errors import UsageError
from myths.lab.storage.store import Results, TrialRecord
from myths.lab.trial import Context
from myths.lab.vision.classifier import TrainClassifier


def pictures(n, channels=3, size=32, seed=0):
    return torch.randint(0, 256, (n, channels, size, size), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.fixture(scope="module")
def digits():
    return image_set("digits", "cpu")


def outcomes(*trials):
    """Runs trials in this order; gives a look-up of all outcomes."""
    done = {}
    for trial in trials:
        done[trial.id] = trial.run(Context(trial, "cpu", lambda t: done[t.id]))
    return done


# --- features ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("channels", "size"), [(3, 32), (1, 32), (1, 8)])
def test_hog_is_skimage_hog(channels, size):
    from skimage.feature import hog

    x = pictures(6, channels, size)
    x[0, :, :, :] = 7  # no gradient at all
    settings = {"orientations": 9, "pixels_per_cell": (size // 4, size // 4), "cells_per_block": (2, 2), "block_norm": "L2-Hys"}
    expected = np.stack([hog(image.permute(1, 2, 0).numpy().astype(float), channel_axis=-1, **settings) for image in x])
    np.testing.assert_allclose(features.hog(x).numpy(), expected, atol=2e-5)


def test_random_patches_are_responses_to_whitened_patches():
    """The folded convolution equals centering, whitening and projecting every patch."""
    x = pictures(12, 3, 12)
    drawn = features.RandomPatches(x, 5, torch.Generator().manual_seed(1))
    patches = torch.nn.functional.unfold(x.float() / 255, drawn.weight.shape[-1]).transpose(1, 2)
    z = (patches @ drawn.weight.flatten(1).T + drawn.bias).transpose(1, 2)
    side = x.shape[-1] - drawn.weight.shape[-1] + 1
    sides = torch.cat([(z - 0.5).relu(), (-z - 0.5).relu()], 1).view(12, 10, side, side)
    expected = torch.nn.functional.adaptive_avg_pool2d(sides, 2).flatten(1)
    torch.testing.assert_close(drawn(x), expected, atol=1e-4, rtol=1e-4)
    assert z.mean().abs() < 0.2
    assert z.std() == pytest.approx(1, abs=0.2)


# --- fits ----------------------------------------------------------------------------------------------


def test_nearest_neighbor_is_sklearn(digits):
    from sklearn.neighbors import KNeighborsClassifier

    x, y = digits.x_train[:300], digits.y_train[:300]
    expected = KNeighborsClassifier(1).fit(x.flatten(1).numpy(), y.numpy()).predict(digits.x_test.flatten(1).numpy())
    found = classical.nearest(x, y, 10, digits.x_test).argmax(1).numpy()
    assert (found == expected).mean() > 0.995  # ties


def test_a_class_without_examples_is_never_nearest():
    x = pictures(4, 1, 4)
    assert classical.nearest(x, torch.tensor([0, 0, 2, 2]), 3, x).argmax(1).tolist() == [0, 0, 2, 2]


def test_ridge_is_sklearn(digits):
    from sklearn.linear_model import Ridge

    x, y = features.pixels(digits.x_train), digits.y_train
    held_out = torch.arange(len(x)) % 10 == 0
    head, strength = classical.ridge(x, y, 10, held_out)
    mean, deviation = x.mean(0), x.std(0).clamp_min(1e-6)
    reference = Ridge(alpha=strength * len(x)).fit(((x - mean) / deviation).double().numpy(), np.eye(10)[y])
    expected = reference.predict(((features.pixels(digits.x_test) - mean) / deviation).double().numpy())
    found = torch.cat([features.pixels(digits.x_test), torch.ones(len(digits.x_test), 1)], 1) @ head
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-3)


@pytest.mark.parametrize("solver", ["lbfgs", "newton"])
def test_the_support_vector_machine_is_sklearn_linear_svc(digits, solver):
    """The chosen C, the same objective and the same answers as liblinear, whose constant input is penalized as well."""
    from sklearn.svm import LinearSVC

    held_out = torch.arange(len(digits.x_train)) % 10 == 0
    head, cost = classical.linear_svm(features.hog(digits.x_train), digits.y_train, 10, held_out, solver)
    x, tested = (
        np.pad(features.hog(part).double().numpy(), ((0, 0), (0, 1)), constant_values=1.0) for part in (digits.x_train, digits.x_test)
    )
    reference = LinearSVC(C=cost, dual=False, tol=1e-8, fit_intercept=False).fit(x, digits.y_train.numpy())
    sign = 2.0 * np.eye(10)[digits.y_train] - 1

    def objective(weights):
        return ((weights**2).sum(0) / 2 + cost * (np.maximum(0, 1 - sign * (x @ weights)) ** 2).sum(0)).sum()

    found = head.double().numpy()
    assert objective(found) == pytest.approx(objective(reference.coef_.T), rel=2e-3 if solver == "lbfgs" else 1e-4)
    scores = np.sort(reference.decision_function(tested), axis=1)
    clear = scores[:, -1] - scores[:, -2] > 0.02
    assert clear.mean() > 0.95
    assert ((tested @ found).argmax(1) == reference.predict(tested))[clear].all()


def test_only_the_profile_of_two_cores_stops_its_support_vector_machine_early():
    solvers = {
        profile: {m.solver for m in rung(0) if isinstance(m, FitClassical) and m.method == "hog + linear svm"}
        for profile, rung in {"laptop": profiles._laptop, "gpu": profiles._gpu, "paper": profiles._paper}.items()
    }
    assert solvers == {"laptop": {"lbfgs"}, "gpu": {"newton"}, "paper": {"newton"}}


@pytest.mark.parametrize(
    ("method", "floor"), [("nearest neighbor", 90), ("linear on pixels", 85), ("random features", 90), ("hog + linear svm", 85)]
)
def test_every_method_learns_digits_and_repeats_itself(method, floor):
    trial = FitClassical(method=method, dataset="digits", n_filters=16)
    first, second = (trial.run(Context(trial)) for _ in range(2))
    assert first.rows == second.rows
    assert first.rows[0]["test_accuracy_percent"] > floor
    assert first.arrays["test_scores"].shape == (600, 10)


def test_another_seed_draws_other_examples():
    one, other = (
        FitClassical.test_instance(),
        FitClassical(method="random features", dataset="digits", train_examples=300, n_filters=4, seed=1),
    )
    assert one.run(Context(one)).rows != other.run(Context(other)).rows


# --- evaluation -----------------------------------------------------------------------------------------


def test_the_prediction_is_the_best_of_the_allowed_classes():
    scores = np.array([[0.9, 0.1, 0.5], [0.2, 0.3, 0.1], [0.0, 0.4, 0.6]])
    assert new_models.restricted_predictions(scores, np.array([0, 1, 2])).tolist() == [0, 1, 2]
    assert new_models.restricted_predictions(scores, np.array([1, 2])).tolist() == [2, 1, 2]
    assert new_models.restricted_predictions(scores, np.array([1])).tolist() == [1, 1, 1]


@given(hnp.arrays(float, (7, 5), elements=st.floats(-5, 5)), hnp.arrays(np.int64, 7, elements=st.sampled_from([1, 3, 4])))
def test_fewer_classes_to_choose_from_never_hurt(scores, labels):
    allowed = np.array([1, 3, 4])
    all_ways, fewer = (new_models.restricted_predictions(scores, a) == labels for a in (np.arange(5), allowed))
    assert (fewer | ~all_ways).all()


def test_labels_are_matched_by_the_names_of_classes():
    known = ("airplane", "cat", "dog")
    assert new_models.map_labels(np.array([0, 1]), ("cat", "dog"), known).tolist() == [1, 2]
    assert new_models.map_labels(np.array([0, 2]), ("0", "1", "2"), known).tolist() == [0, 2]
    assert new_models.map_labels(np.array([0, 2]), known, known).tolist() == [0, 2]
    ten = tuple("abcdefghij")
    assert new_models.map_labels(np.array([0, 1, 2]), ("0", "1", "3"), ten).tolist() == [0, 1, 3]
    assert new_models.map_labels(np.array([1, 0]), ("2", "9"), ten).tolist() == [9, 2]
    assert new_models.map_labels(np.array([0]), ("00007",), ten).tolist() == [7]
    with pytest.raises(UsageError, match="class number 10; expected 0 to 9, since the models have 10 classes"):
        new_models.map_labels(np.array([0]), ("1", "10"), ten)
    with pytest.raises(UsageError, match="'frog'"):
        new_models.map_labels(np.array([0]), ("frog",), known)


def test_on_its_own_test_set_a_model_has_no_gap():
    model = FitClassical.test_instance()
    evaluation = EvaluateModel(model=model, test_set="digits")
    done = outcomes(model, evaluation)
    (row,) = done[evaluation.id].rows
    assert row["new_correct"] == row["original_correct"]
    assert 100 * row["original_correct"] / row["original_n"] == pytest.approx(done[model.id].rows[0]["test_accuracy_percent"])


@pytest.fixture
def new_digits(tmp_path, monkeypatch):
    """A new test set in CIFAR-10.1's prepared form: nothing but x_test and y_test; half of the digits, and only 0 to 4."""
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path))
    arrays = prepared.load("digits")
    chosen = np.nonzero(arrays["y_test"] < 5)[0][::2]
    names = np.array([str(c) for c in range(10)])
    prepared.save(
        "new_digits", {"x_test": arrays["x_test"][chosen], "y_test": arrays["y_test"][chosen], "classes": names}, source="a test", note=""
    )
    return len(chosen)


@pytest.mark.parametrize(
    "model",
    [
        FitClassical.test_instance(),
        FitClassical(method="nearest neighbor", dataset="digits"),
        TrainClassifier(dataset="digits", network="small_cnn", epochs=1.0, batch_size=32),
    ],
)
def test_a_new_test_set_with_fewer_classes_is_evaluated_both_ways(new_digits, model):
    evaluation = EvaluateModel(model=model, test_set="new_digits")
    done = outcomes(model, evaluation)
    fewer, all_ways = done[evaluation.id].rows
    assert (fewer["n_classes"], all_ways["n_classes"]) == (5, 10)
    assert fewer["new_n"] == all_ways["new_n"] == new_digits
    assert fewer["original_n"] == int((prepared.load("digits")["y_test"] < 5).sum())
    assert fewer["new_correct"] >= all_ways["new_correct"]
    assert fewer["original_correct"] >= all_ways["original_correct"]
    arrays = done[evaluation.id].arrays
    assert int(arrays["new_5"].sum()) == fewer["new_correct"]
    # Half of the original's images of those classes, in their order: right on the same ones.
    assert (arrays["new_10"] == arrays["original_10"][::2]).all()


@pytest.mark.parametrize("name", ["cifar10_1_v4", "cifar10_1_v6"])
def test_cifar10_1_without_its_images_says_how_to_get_them(name, tmp_path, monkeypatch):
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    evaluation = EvaluateModel(model=FitClassical.test_instance(), test_set=name)
    assert evaluation.skip_reason() == f"the CIFAR-10.1 {name[-2:]} images are not on this machine: myths data get {name}"
    prepared.save(name, {"x_test": np.zeros((3, 8, 8), np.uint8), "y_test": np.arange(3)}, source="a test", note="")
    assert evaluation.skip_reason() is None


def test_ranks_of_new_models_and_their_tables():
    order = CompareModelRanks.test_instance()
    models = [e.model for e in order.evaluations]
    done = outcomes(*models, *order.evaluations, order)
    (row,) = done[order.id].rows
    assert (row["models"], row["pairs"], row["rank_reversals"]) == (5, 10, 0)
    results = Results([TrialRecord(t, "ok", done[t.id].rows) for t in (*order.evaluations, order)])
    table = tables.new_models(results)
    assert table["model"].tolist() == 3 * ["random features"] + 2 * ["nearest neighbor"]
    assert (table["gap_pp"] == 0).all()
    assert tables.new_model_fits(results).empty  # two kinds of model make no line
    assert tables.new_model_ranks(results)["test_set"].tolist() == ["digits"]
    assert set(table["protocol"]) == {"stand-in"}


def test_quick_trains_nothing_and_says_so_to_those_who_bring_data():
    assert profiles.new_models("quick", None, ()) == []
    with pytest.raises(UsageError, match="quick trains no models"):
        profiles.new_models("quick", None, ("mine",))


@pytest.mark.parametrize(("profile", "seeds"), [("laptop", 1), ("gpu", 3), ("paper", 3)])
def test_every_profile_trains_nine_models_or_more(profile, seeds):
    evaluations = [t for t in profiles.new_models(profile, None, ("mine",)) if isinstance(t, EvaluateModel)]
    assert {e.test_set for e in evaluations} == {*profiles.NEW_TEST_SETS, "mine"}
    names = {new_models.model_name(e.model) for e in evaluations}
    assert len(names) >= 9
    assert len(evaluations) == 4 * seeds * len(names)
    assert all(e.protocol == "reduced" for e in evaluations)


@pytest.mark.real_data
@pytest.mark.skipif(prepared.find("cifar10") is None or prepared.find("cifar10_tiny_imagenet") is None, reason="no CIFAR-10")
def test_a_weak_model_of_cifar10_loses_accuracy_on_tiny_imagenet():
    model = FitClassical(method="nearest neighbor", train_examples=2000)
    evaluation = EvaluateModel(model=model, test_set="cifar10_tiny_imagenet")
    fewer, all_ways = outcomes(model, evaluation)[evaluation.id].rows
    assert (fewer["n_classes"], all_ways["n_classes"], fewer["original_n"], fewer["new_n"]) == (7, 10, 7000, 2100)
    assert 0.25 < fewer["original_correct"] / 7000 < 0.5
    assert fewer["new_correct"] / 2100 < fewer["original_correct"] / 7000
