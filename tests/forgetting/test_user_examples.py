"""The user's user images, from ``myths data add`` to the table and the contact sheet."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from myths.forgetting import MYTH
from myths.forgetting.profiles import trials
from myths.forgetting.user_images import user_images
from myths.lab.analysis import analyze, write
from myths.lab.data import prepared, user_data
from myths.lab.errors import UsageError
from myths.lab.execution import runner
from myths.lab.storage.run_folder import RunFolder
from myths.lab.trial import Context


@pytest.fixture(autouse=True)
def data_here(monkeypatch, tmp_path):
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path / "data"))


def draw(kind, rng, width, height):
    """Red, green or blue, with noise."""
    pixels = rng.integers(0, 60, size=(height, width, 3))
    pixels[..., kind] += 150
    return Image.fromarray(pixels.astype(np.uint8))


def folder_of_images(folder, classes=("blue", "green", "red"), each=24, wrong=3):
    """CLASS/NNN.png of mixed sizes; the first ``wrong`` of the first class show what the second class shows."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in range(each):
            shown = (number + 1) % 3 if number == 0 and i < wrong else number
            draw(shown, rng, int(rng.integers(20, 50)), int(rng.integers(20, 50))).save(folder / name / f"{i:03}.png")
    return folder


def run_on(name, tmp_path):
    run = RunFolder(tmp_path / "runs" / "cpu-quick")
    plan = runner.plan(MYTH.trials("quick", None, (name,)), run.store(MYTH), prepared.sha256_of)
    done = runner.run(plan, run.store(MYTH), runner.Invocation("cpu", prepared.sha256_of, "test"))
    assert done.failed == []
    found = analyze(MYTH, run)
    write(found)
    return found


def test_wrong_labels_of_own_images_come_first(tmp_path):
    source = folder_of_images(tmp_path / "mine")
    (source / "red" / "broken.png").write_bytes(b"\x89PNG no more")
    user_data.add("mine", source)
    found = run_on("mine", tmp_path)
    table = found.tables["user_examples"]
    assert len(table) == 72  # the broken file is left out
    wrong = {f"blue/{i:03}.png" for i in range(3)}
    assert set(table["file"].head(3)) == wrong
    assert table["suspicion_rank"].tolist() == list(range(1, 73))
    assert {"file", "label", "events", "first_learned", "margin", "never_forgotten"} <= set(table)
    assert (table["label"] == [file.split("/")[0] for file in table["file"]]).all()
    dropped = found.tables["pruning_list"]
    assert sorted(dropped["index"]) == list(range(72))
    assert dropped["events"].is_monotonic_increasing
    assert (dropped["never_forgotten"] == (dropped["events"] == 0)).all()
    assert wrong <= set(table[~table["never_forgotten"]]["file"])
    assert not found.tables["pruning_list_balanced"]["prunable"].any()  # 72 are too few
    words = MYTH.summarize_user_data(found.tables)
    assert f"mine: {dropped['never_forgotten'].sum()} of 72 examples were never forgotten; pruning needs at least 100 examples" in words
    assert "at least 100 examples are needed, mine has 72" in words
    assert f"smallest margins: {table['file'].iloc[0]}" in words
    written = found.run.path / "forgetting"
    assert (written / "user_examples.csv").read_text().startswith("index,file,label,events")
    assert (written / "pruning_list.csv").exists()
    assert (written / "pictures" / "likely_mislabeled.png").read_bytes()[:4] == b"\x89PNG"
    assert {str(j.verdict) for j in found.claim_results} <= {"not tested", "not run", "illustration"}


def test_own_images_in_train_and_test(tmp_path):
    for part, each in (("train", 9), ("test", 4)):
        folder_of_images(tmp_path / "parted" / part, each=each, wrong=0)
    user_data.add("parted", tmp_path / "parted")
    found = user_images("parted")
    assert (len(found.train), len(found.test), found.classes) == (27, 12, ("blue", "green", "red"))
    assert all(file.startswith("train/") for file in found.train.files)
    trial = trials("quick", None, ("parted",))[0]
    examples = trial.examples(Context(trial))
    assert (len(examples.x), len(examples.x_test), examples.classes) == (27, 12, 3)
    assert examples.x.shape[1:] == (3, 32, 32)
    assert examples.y.bincount().tolist() == [9, 9, 9]


def test_a_set_is_estimated_by_its_own_size(tmp_path):
    user_data.add("mine", folder_of_images(tmp_path / "mine", wrong=0))
    first = trials("quick", None, ("mine",))[0]
    assert first.relative_cost * 50_000 == pytest.approx(replace(first, dataset="cifar10").relative_cost * 72)
    x = np.zeros((40, 16, 16, 3), np.uint8)
    np.savez(tmp_path / "a.npz", x_train=x, y_train=np.arange(40) % 2, x_test=x[:9], y_test=np.zeros(9, int))
    user_data.add("arrays", tmp_path / "a.npz")
    assert replace(first, dataset="arrays").relative_cost * 72 == pytest.approx(first.relative_cost * 40)


def test_one_class_is_nothing_to_learn(tmp_path):
    user_data.add("alike", folder_of_images(tmp_path / "alike", classes=("only",), wrong=0))
    with pytest.raises(UsageError, match="one class"):
        trials("quick", None, ("alike",))


def test_images_in_no_class_folder(tmp_path):
    (tmp_path / "flat").mkdir()
    draw(0, np.random.default_rng(0), 20, 20).save(tmp_path / "flat" / "a.png")
    user_data.add("flat", tmp_path / "flat")
    with pytest.raises(UsageError, match="CLASS/image"):
        user_images("flat")


def test_own_arrays_and_labels_out_of_range():
    x = np.random.default_rng(0).integers(0, 255, size=(30, 16, 16, 3)).astype(np.uint8)
    arrays = {"x_train": x, "y_train": np.arange(30) % 3, "x_test": x[:6], "y_test": np.arange(6) % 3}
    prepared.save("arrays", arrays, source="test", note="")
    prepared.save("outside", arrays | {"y_train": np.arange(30) % 3 - 1}, source="test", note="")
    prepared.save("test_only", {"x_test": x, "y_test": arrays["y_train"]}, source="test", note="")
    for name, words in (("outside", "are -1 to 1"), ("test_only", "no training split")):
        with pytest.raises(UsageError, match=words):
            trials("quick", None, (name,))
    trial = trials("quick", None, ("arrays",))[0]
    assert trial.examples(Context(trial)).classes == 3
    assert trial.protocol == "stand-in"
