"""A folder of images is read once and by one rule, which the copy keeps."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from myths.lab.data import prepared
from myths.lab.data.fetch import add, list_datasets
from myths.lab.data.folders import image_folder
from myths.lab.data.images import image_set
from myths.lab.data.layout import find_images, read_layout
from myths.lab.errors import CannotStart, UsageError


def draw(root: Path, *files: str, size=(6, 5), mode="RGB"):
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, size).save(root / file)
    return root


def test_classes_are_the_first_level_and_deeper_folders_belong_to_them():
    layout = read_layout(["cat/a/1.png", "dog/a/2.png", "dog/3.png"])
    assert (layout.classes, layout.labels, layout.is_split) == (("cat", "dog"), ("cat", "dog", "dog"), False)


@pytest.mark.parametrize("train", ["train", "Train", "TRAIN", "training"])
@pytest.mark.parametrize("val", ["val", "valid", "Validation", "dev"])
def test_parts_are_parts_however_they_are_spelled(train, val):
    layout = read_layout([f"{train}/cat/1.png", f"{val}/cat/2.png", "Test/cat/deep/3.png"])
    assert (layout.splits, layout.classes) == (("train", "val", "test"), ("cat",))


@pytest.mark.parametrize("other", ["bus", "car"])
def test_a_class_that_is_called_train_is_a_class(other):
    layout = read_layout(["train/1.png", f"{other}/2.png"])
    assert (layout.is_split, layout.classes) == (False, tuple(sorted((other, "train"))))


def test_numbered_folders_are_in_numeric_order():
    assert read_layout([f"{n}/a.png" for n in (10, 2, 0)]).classes == ("0", "2", "10")
    assert read_layout([f"{n}/a.png" for n in ("00010", "00002")]).classes == ("00002", "00010")
    assert read_layout([f"{n}/a.png" for n in ("10", "2", "x")]).classes == ("10", "2", "x")
    with pytest.raises(UsageError, match="01 and 1 are the same number"):
        read_layout(["1/a.png", "01/b.png"])


def test_one_class_in_two_spellings_is_one_class_only_across_parts():
    assert read_layout(["train/Cat/1.png", "test/cat/2.png"]).labels == ("Cat", "Cat")
    assert read_layout(["train/1/1.png", "test/01/2.png"]).labels == ("1", "1")
    assert read_layout(["A/1.png", "a/2.png"]).classes == ("A", "a")
    assert read_layout(["train/A/1.png", "train/a/2.png", "test/a/3.png"]).classes == ("A", "a")


NAMES = st.sampled_from(["train", "Test", "val", "dev", "cat", "Cat", "dog", "1", "2", "10", "deep"])
PATHS = st.lists(st.tuples(st.lists(NAMES, max_size=3), st.integers(0, 9)), min_size=1, max_size=12)


@given(PATHS)
def test_what_is_kept_of_a_folder_reads_the_same_again(paths):
    files = sorted({"/".join([*folders, f"{i}.png"]) for folders, i in paths})
    first = read_layout(files)
    kept = [i for i in range(len(files)) if i not in set(first.outside_splits)]
    again = read_layout([files[i] for i in kept])
    assert again.labels == tuple(first.labels[i] for i in kept)
    assert again.splits == tuple(first.splits[i] for i in kept)
    assert set(again.classes) == {label for label in again.labels if label}


def test_test_images_never_enter_training(tmp_path, home):
    draw(tmp_path / "pets", "train/cat/1.png", "train/dog/2.png", "val/cat/3.png", "test/dog/4.png", "extra/5.png", "6.png")
    added = add("pets", tmp_path / "pets")
    assert added.examples == (("train", 2), ("val", 1), ("test", 1))
    assert "left out, outside the folders train, val and test: 6.png, extra/5.png" in added.summary
    images = image_set("pets", "cpu")
    assert (len(images.x_train), len(images.x_test), images.classes) == (2, 1, ("cat", "dog"))
    assert images.y_test.tolist() == [1]


def test_the_validation_part_tests_where_there_is_no_test_part(tmp_path, home):
    draw(tmp_path / "pets", "train/cat/1.png", "valid/cat/2.png", "valid/cat/3.png")
    add("pets", tmp_path / "pets")
    assert len(image_set("pets", "cpu").x_test) == 2
    draw(tmp_path / "only", "train/cat/1.png")
    add("only", tmp_path / "only")
    with pytest.raises(CannotStart, match="no test split"):
        image_set("only", "cpu")


def test_linked_folders_are_followed_unless_they_loop(tmp_path, home):
    draw(tmp_path / "elsewhere", "1.png", "deep/2.png")
    root = draw(tmp_path / "pets", "dog/1.png")
    (root / "cat").symlink_to(tmp_path / "elsewhere")
    (root / "dog/up").symlink_to(root)
    (root / "dog/gone.png").symlink_to(tmp_path / "nothing.png")
    added = add("pets", root)
    assert image_folder("pets").files == ("cat/1.png", "cat/deep/2.png", "dog/1.png")
    assert not added.path.joinpath("cat").is_symlink()
    assert "left out, the link leads back to a folder above it: dog/up" in added.summary
    assert "left out, the link leads nowhere: dog/gone.png" in added.summary


def test_hidden_files_and_clutter_do_not_count(tmp_path):
    draw(tmp_path, "cat/1.png", ".hidden/2.png", "cat/._1.png", "__MACOSX/cat/1.png", "@eaDir/cat/3.png")
    for name in ("Thumbs.db", ".DS_Store", "cat/desktop.ini", "notes.txt", "cat/raw.HEIC"):
        (tmp_path / name).write_text("no image")
    found = find_images(tmp_path)
    assert [image.relative_to(tmp_path).as_posix() for image in found.images] == ["cat/1.png"]
    assert found.others == ((".heic", 1), (".txt", 1))


def test_a_folder_that_cannot_be_opened_is_named(tmp_path):
    draw(tmp_path, "cat/1.png", "dog/2.png")
    (tmp_path / "dog").chmod(0)
    try:
        if os.access(tmp_path / "dog", os.R_OK):
            pytest.skip("this user may open any folder")
        assert dict(find_images(tmp_path).skipped)["dog"].startswith("the folder cannot be opened")
    finally:
        (tmp_path / "dog").chmod(0o755)


def test_the_summary_says_what_was_understood(tmp_path, home):
    root = draw(tmp_path / "pets", "cat/1.png", "dog/1.png", "dog/2.png")
    draw(root, "dog/big.jpg", size=(40, 30), mode="CMYK")
    Image.fromarray(np.zeros((5, 6), np.uint16)).save(root / "dog/deep.png")
    frames = [Image.fromarray(np.full((5, 6), 90 * i, np.uint8)) for i in range(3)]
    frames[0].save(root / "cat/moves.gif", save_all=True, append_images=frames[1:])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 5)).save(root / "cat/turned.jpg", exif=exif)
    (root / "cat/broken.png").write_bytes((root / "cat/1.png").read_bytes()[:40])
    (root / "cat/words.txt").write_text("")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # all is said in the summary, and nothing twice
        summary = add("pets", root).summary
    assert summary[0] == "7 images"
    assert summary[1] == "2 classes: cat 3, dog 4 (3 to 4 images each)"
    text = "\n".join(summary)
    assert "sizes 6x5 to 40x30 (2 different); modes RGB 4" in text
    assert "CMYK, I;16, P become 8-bit RGB" in text
    assert "1 with several frames or pages: the first is used" in text
    assert "1 turned upright as the camera noted" in text
    assert "cat/broken.png" in text
    assert "no images, so not used: 1 .txt" in text


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (("1.png", "2.png"), "no classes: no image is in a class folder"),
        (("all/cat/1.png", "all/dog/2.png"), "a single class: .*if the 2 folders in all are the classes or parts, add all instead"),
        (("all/train/cat/1.png", "all/test/cat/2.png"), "a single class: .*classes or parts, add all instead"),
        (
            ("cat/train/1.png", "dog/Test/2.png"),
            "test and train below the classes are not read as parts, so test and train images are mixed",
        ),
        (("cat/1.png", "dog/2.png"), r"\(1 images each\)"),
        (("cat/1.png",), "a single class: its labels cannot be learned$"),
        (("cat/1.png", "dog/2.png", "3.png"), "1 image in no class folder: used only where no class is needed"),
        (("train/cat/1.png", "test/images/2.png"), "classes without training images: images"),
        (("val/cat/1.png", "test/cat/2.png"), "there is no training split"),
        (("0/1.png", "3/2.png"), "the number of a folder is the class"),
    ],
)
def test_what_is_odd_about_a_folder_is_said_when_it_is_added(files, words, tmp_path, home):
    import re

    summary = add("odd", draw(tmp_path / "odd", *files)).summary
    assert any(re.search(words, line) for line in summary), summary


def test_a_set_can_be_removed_and_added_again(tmp_path, home):
    source = draw(tmp_path / "pets", "cat/1.png", "dog/1.png")
    added = add("my-pets", source)
    assert prepared.find("my-pets") == added
    removed = prepared.remove("my-pets")
    assert sorted(path.name for path in removed) == ["my_pets", "my_pets.json"]
    assert prepared.find("my_pets") is None
    assert (source / "cat/1.png").exists()
    add("my_pets", source)
    for name, words in (("nothing", "Unknown dataset 'nothing'"), ("digits", "it is built-in"), ("cifar10", "was not added with")):
        with pytest.raises(UsageError, match=words):
            prepared.remove(name)


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", "a ", " a", "/etc/passwd"])
def test_no_name_reaches_outside_the_data_folder(name):
    with pytest.raises(UsageError, match="Invalid dataset name"):
        prepared.find(name)


def test_a_damaged_set_stays_in_the_list(tmp_path, home):
    add("pets", draw(tmp_path / "pets", "cat/1.png"))
    np.savez(tmp_path / "a.npz", x_test=np.zeros((2, 4, 4), np.uint8), y_test=np.array([0, 1]))
    add("arrays", tmp_path / "a.npz")
    (home / "images/pets.json").write_text("{")
    (home / "arrays.json").unlink()
    states = {line["name"]: line["state"] for line in list_datasets()}
    assert states["pets"] == states["arrays"] == "corrupt"
