"""The trials: splits that leak nothing, rows that add up, controls at chance, and own collections from folder to verdict."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from myths.dataset_bias import MYTH, feature_loading
from myths.dataset_bias.profiles import trials
from myths.dataset_bias.sets import CAMERAS, SAME_CAMERA
from myths.dataset_bias.trials import (
    ClassifyRandomParts,
    CountDuplicates,
    CrossDatasetEvaluation,
    CrossDatasetNegatives,
    LinearProbe,
    NameThatDataset,
    TrainDatasetClassifier,
)
from myths.dataset_bias.trials.cross_dataset import permuted_within_classes, shared_classes, stratified
from myths.dataset_bias.trials.dataset_classification import accuracy
from myths.lab.analysis import analyze, write
from myths.lab.data import prepared, user_data
from myths.lab.errors import CannotStart, UsageError
from myths.lab.execution import runner
from myths.lab.storage.run_folder import RunFolder
from myths.lab.trial import Context
from myths.lab.vision.networks import Classifier


def rows(trial, outcomes=None):
    return trial.run(Context(trial, "cpu", outcomes)).rows


def naming(sets, **settings):
    return NameThatDataset(sets=sets, **({"feature": "hog", "train_sizes": (140,)} | settings))


# --- splits ---------------------------------------------------------------------------------------


def part(dataset_index, groups, test=300, train=700, seed=0):
    return feature_loading.train_test_split(
        dataset_index, groups, test, train, Context(NameThatDataset(sets=("camera 1", "camera 2"), feature="hog", seed=seed))
    )


def test_training_and_test_share_no_image_and_small_sets_give_their_share():
    dataset_index = torch.arange(3).repeat_interleave(torch.tensor([1000, 100, 400]))
    train, test = part(dataset_index, torch.arange(1500))
    assert not set(train.tolist()) & set(test.tolist())
    assert [int((dataset_index[test] == k).sum()) for k in range(3)] == [300, 30, 120]
    assert [int((dataset_index[train] == k).sum()) for k in range(3)] == [700, 70, 280]
    other, _ = part(dataset_index, torch.arange(1500), seed=1)
    assert set(other.tolist()) != set(train.tolist())


def test_scenes_are_not_parted_and_are_the_same_in_all_sets():
    dataset_index = torch.arange(2).repeat_interleave(60)
    scenes = torch.arange(10).repeat_interleave(6).repeat(2)
    train, test = part(dataset_index, scenes)
    assert len(test) == 36
    assert not set(scenes[train].tolist()) & set(scenes[test].tolist())
    assert len(scenes[test].unique()) == 3


def test_fewer_training_images_are_the_first_of_the_more():
    dataset_index = torch.tensor([0, 1, 0, 0, 1, 2])
    assert feature_loading.first_n_per_group(dataset_index, 1).tolist() == [0, 1, 5]
    assert feature_loading.first_n_per_group(dataset_index, 2).tolist() == [0, 1, 2, 4, 5]


def test_every_class_of_every_set_is_in_training_and_test():
    y, dataset_index = torch.arange(4).repeat(50), torch.arange(2).repeat_interleave(100)
    train, test = stratified(y, dataset_index, 10, Context(CrossDatasetEvaluation.test_instance()))
    assert not set(train.tolist()) & set(test.tolist())
    for chosen, n in ((train, 10), (test, 7)):
        assert torch.bincount(dataset_index[chosen] * 4 + y[chosen]).tolist() == [n] * 8


# --- naming ---------------------------------------------------------------------------------------


def test_images_are_dealt_to_sets_within_each_class():
    y, dataset_index = torch.tensor([0, 1] * 60), torch.tensor([0, 0, 1, 1, 2, 2, 2, 2] * 15)
    dealt = permuted_within_classes(dataset_index, y, Context(CrossDatasetEvaluation.test_instance()))
    for k in (0, 1):
        assert torch.equal(dealt[y == k].bincount(), dataset_index[y == k].bincount()), "every set keeps its number of images"
        assert not torch.equal(dealt[y == k], dataset_index[y == k])
    assert torch.bincount(dealt * 3 + dataset_index, minlength=9).min() > 0, "every set gets images of every other"


def test_cameras_are_named_and_one_camera_under_five_names_is_not():
    told = [r for r in rows(naming(CAMERAS)) if r["kind"] == "learning_curve"][-1]
    null = [rows(naming(SAME_CAMERA, seed=seed))[0]["accuracy_percent"] for seed in range(3)]
    assert told["accuracy_percent"] > 28
    assert told["chance_percent"] == 20
    assert abs(np.mean(null) - 20) < 5


def test_the_confusion_adds_up_to_the_accuracy():
    found = rows(naming(CAMERAS, train_sizes=(5, 140), feature="color thumbnail"))
    curve, cells = [r for r in found if r["kind"] == "learning_curve"], [r for r in found if r["kind"] == "confusion"]
    assert [r["n_per_set"] for r in curve] == [5, 140]
    assert len(cells) == 25
    assert sum(r["n_images"] for r in cells) == curve[-1]["n_test"]
    recalls = [r["n_images"] / r["n_images_of_set"] for r in cells if r["set"] == r["predicted_set"]]
    assert 100 * np.mean(recalls) == pytest.approx(curve[-1]["accuracy_percent"])


def test_accuracy_is_the_mean_recall():
    from sklearn.metrics import balanced_accuracy_score

    scores, y = torch.randn(60, 3, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 7 % 3
    expected = balanced_accuracy_score(y.numpy(), scores.argmax(1).numpy())
    assert accuracy(scores, y, 3)["accuracy_percent"] == pytest.approx(100 * expected)


def test_a_set_with_a_mark_is_named_and_its_parts_are_not(home):
    write_folder(home, "plain", 60)
    write_folder(home, "marked", 60, mark=True)
    told = rows(naming(("plain", "marked"), train_sizes=(42,)))[0]
    assert told["accuracy_percent"] > 90
    parts = [rows(ClassifyRandomParts(set="marked", feature="hog", parts=2, seed=seed))[0]["accuracy_percent"] for seed in range(8)]
    assert abs(np.mean(parts) - 50) < 15


def test_near_duplicates_are_counted_and_left_out(home):
    write_folder(home, "mine", 50)
    write_folder(home, "theirs", 60, start=40)  # ten pictures are in both
    pairs = {(r["set"], r["other"]): r["n_with_duplicate"] for r in rows(CountDuplicates(sets=("mine", "theirs")))}
    assert pairs == {("mine", "mine"): 0, ("mine", "theirs"): 10, ("theirs", "mine"): 10, ("theirs", "theirs"): 0}
    assert rows(naming(("mine", "theirs"), deduplicated=True))[0]["n_duplicates_removed"] == 10
    write_folder(home, "copies", 45, start=20)
    with pytest.raises(UsageError, match="copies has 15 images without near-duplicates; at least 40"):
        rows(naming(("mine", "copies"), deduplicated=True))


def test_pictures_are_of_the_set_that_they_stand_for(home):
    write_folder(home, "plain", 60)
    write_folder(home, "marked", 60, mark=True)
    trial = naming(("plain", "marked"), train_sizes=(42,))
    shown = trial.run(Context(trial)).arrays["most_confident"]
    assert shown.shape == (2, 6, 3, 64, 64)
    corner = shown[..., :12, :12].mean((2, 3, 4))
    assert (corner[1] > 240).all()
    assert (corner[0] < 240).all()


# --- across sets and networks ---------------------------------------------------------------------


def test_a_row_for_each_pair_and_size_and_home_is_tested_on_other_images():
    found = rows(CrossDatasetEvaluation(task="cameras", train_sizes=(1, 4)))
    assert len(found) == 2 * 9
    assert {r["n_train"] for r in found} == {14, 56}
    assert all(0 <= r["ap_percent"] <= 100 for r in found)
    assert shared_classes("cameras") == tuple(sorted(shared_classes("cameras")))
    assert len(shared_classes("cameras")) == 14


def test_foreign_negatives_leave_the_own_ones_as_they_are():
    found = rows(CrossDatasetNegatives(task="cameras", feature="gray thumbnail", n_per_class=5))
    assert [r["set"] for r in found] == ["camera 1", "camera 2", "camera 3"]
    assert all(r["n_positive"] >= 1 and r["n_negative"] > r["n_positive"] for r in found)


def test_a_network_names_what_differs_in_color_and_its_features_are_probed(home, monkeypatch):
    write_folder(home, "plain", 80)
    write_folder(home, "marked", 80, mark=True)
    classifier = TrainDatasetClassifier(sets=("plain", "marked"), epochs=30, max_train_per_set=56)
    outcome = classifier.run(Context(classifier))
    assert outcome.rows[0]["accuracy_percent"] > 80
    probes = {w: LinearProbe(classifier=classifier, task="cameras", features=w, n_per_class=6) for w in ("trained", "random", "pixels")}
    found = {w: rows(p, lambda _: outcome)[0]["accuracy_percent"] for w, p in probes.items()}
    assert len(set(found.values())) == 3
    assert min(found.values()) > 100 / 14
    calibrated = []
    monkeypatch.setattr(Classifier, "calibrate", lambda self, x: calibrated.append(len(x)))
    (row,) = rows(probes["random"])
    assert calibrated == [row["n_train"]], "the untrained network sees no test image either"


# --- profiles -------------------------------------------------------------------------------------


def small(trial):
    """The same trial on simulated cameras, with little to do."""
    settings = {
        "sets": ("camera 1", "camera 2"),
        "set": "camera 1",
        "subset": "all",
        "task": "cameras",
        "train_sizes": (1, 4),
        "n_per_class": 4,
    }
    settings |= {"max_test_per_set": 20, "network": "small_cnn", "epochs": 0.5, "image_size": 32, "max_train_per_set": 16}
    kept = {f.name for f in dataclasses.fields(trial)} & set(settings)
    changed = {name: settings[name] for name in kept}
    if isinstance(trial, LinearProbe):
        changed["classifier"] = small(trial.classifier)
    return dataclasses.replace(trial, **changed)


@pytest.mark.parametrize("profile", ["laptop", "gpu"])
def test_a_profile_is_rehearsed_with_tiny_settings(profile, tmp_path):
    listed = list({t.id: t for t in map(small, trials(profile, 1, ()))}.values())
    assert {type(t) for t in listed} == set(MYTH.trial_types)
    run = RunFolder(tmp_path / "rehearsal")
    store = run.store(MYTH)
    happened = runner.run(runner.plan(listed, store, prepared.sha256_of), store, runner.Invocation("cpu", prepared.sha256_of, "x"))
    assert happened.failed == []
    write(analyze(MYTH, run))


# --- own collections ------------------------------------------------------------------------------


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def write_folder(home, name, n, *, mark=False, start=0):
    """Smooth random pictures, encode_labels from ``start``; of the same number they are the same; ``mark`` whitens a corner."""
    (home / name).mkdir()
    for i in range(start, start + n):
        pixels = np.random.default_rng(i).integers(0, 200, size=(6, 6, 3), dtype=np.uint8)
        picture = np.asarray(Image.fromarray(pixels).resize((96, 80), Image.Resampling.BICUBIC)).copy()
        if mark:
            picture[:20, :28] = 255
        Image.fromarray(picture).save(home / name / f"{i}.png")
    user_data.add(name, home / name)


def test_own_collections_from_folder_to_table_and_picture(home, tmp_path):
    write_folder(home, "mine", 60)
    write_folder(home, "theirs", 60, start=100, mark=True)
    listed = trials("quick", 2, ("mine", "theirs"))
    assert {n for t in listed for n in t.data} == {"mine", "theirs"}
    chosen = [t for t in listed if getattr(t, "feature", "hog") == "hog"]
    run = RunFolder(tmp_path / "run")
    store = run.store(MYTH)
    assert runner.run(runner.plan(chosen, store, lambda n: None), store, runner.Invocation("cpu", lambda n: None, "x")).failed == []
    found = analyze(MYTH, run)
    table = found.tables["accuracy"]
    last = table[(table["n_per_set"] == 700) & (table["transform"] == "none") & ~table["deduplicated"]].iloc[0]
    assert (last["set_group"], last["chance_percent"], last["dataset"]) == ("mine, theirs", 50, "mine, theirs")
    assert last["accuracy_low_percent"] <= last["accuracy_percent"]
    assert last["accuracy_percent"] > 90
    assert set(found.tables["preprocessing_effect"]["transform"]) == {"common format", "without near-duplicates"}
    assert not any(str(j.verdict) in ("reproduced", "not reproduced") for j in found.claim_results)
    words = MYTH.summarize_user_data(found.tables)
    assert words.startswith(f"mine, theirs: {last['accuracy_percent']:.3g} %")
    assert "chance: 50 %" in words
    assert "in a common format (gray, cropped, compressed)" in words
    write(found)
    assert (run.path / "dataset_bias/pictures/most_recognizable.png").exists()
    assert "mine, theirs" in (run.path / "dataset_bias/figures/accuracy.svg").read_text()


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (("mine", "mine"), UsageError, "mine twice"),
        (("mine",), UsageError, "only mine"),
        (("mine", "few"), UsageError, "few has 12 images; at least 40"),
        (("mine", "nothing"), CannotStart, "myths data add nothing PATH"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_runs(data, error, words, home):
    write_folder(home, "mine", 45)
    write_folder(home, "few", 12)
    with pytest.raises(error, match=words):
        trials("quick", None, data)
