"""What users bring: taken in with its hash, or refused with what is expected."""

import errno
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from myths.lab.data import prepared
from myths.lab.data.fetch import add
from myths.lab.data.folders import decode, image_folder
from myths.lab.data.images import image_set
from myths.lab.data.text_files import lines
from myths.lab.data.user_corpora import languages_of
from myths.lab.errors import CannotStart, UsageError


def draw(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 3), (9, 8, 7)).save(path)


@pytest.fixture
def folder(tmp_path):
    for path in ("cat/1.png", "cat/2.JPG", "dog/1.png"):
        draw(tmp_path / "pets" / path)
    (tmp_path / "pets/cat/notes.txt").write_text("not an image")
    return tmp_path / "pets"


def test_an_image_folder(folder, home):
    added = add("pets", folder)
    assert (added.kind, added.source, added.note) == ("images", "pets", "user images: 3 in 2 classes")
    assert sorted(p.relative_to(home).as_posix() for p in home.rglob("*.*")) == [
        "images/pets.json",
        "images/pets/cat/1.png",
        "images/pets/cat/2.JPG",
        "images/pets/dog/1.png",
    ]
    assert prepared.verify("pets").state == "present"
    assert image_set("pets", "cpu").classes == ("cat", "dog")
    assert str(folder) not in str(added.metadata())


def test_a_flat_folder_of_mixed_sizes(tmp_path, home):
    draw(tmp_path / "flat/1.png")
    Image.new("L", (30, 20)).save(tmp_path / "flat/2.png")
    assert add("flat", tmp_path / "flat").note == "user images: 2, without classes"
    assert image_folder("flat").labels == ("", "")
    assert decode(image_folder("flat"), 8).shape == (2, 3, 8, 8)
    with pytest.raises(CannotStart, match="CLASS/image"):
        image_set("flat", "cpu")


def test_broken_images_are_left_out_and_named(folder, home):
    body = (folder / "cat/1.png").read_bytes()
    (folder / "cat/3.png").write_bytes(body[: len(body) // 2])
    (folder / "dog/2.jpg").write_text("no image")
    added = add("pets", folder)
    assert added.note == "user images: 3 in 2 classes; 2 skipped because they cannot be read: cat/3.png, dog/2.jpg"
    kept = image_folder("pets")
    assert kept.files == ("cat/1.png", "cat/2.JPG", "dog/1.png")
    assert [file for file, _ in kept.skipped] == ["cat/3.png", "dog/2.jpg"]
    assert all(why for _, why in kept.skipped)
    assert not list((home / "images/pets").rglob("3.png"))


def test_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", x_test=np.zeros((2, 4, 4), np.uint8), y_test=np.array([0, 1]))
    assert add("own", tmp_path / "a.npz").kind == "arrays"
    assert image_set("own", "cpu").x_test.shape == (2, 1, 4, 4)


def test_weights(tmp_path):
    torch.save(torch.nn.Linear(2, 3).state_dict(), tmp_path / "net.pt")
    added = add("my_net", tmp_path / "net.pt")
    assert (added.kind, added.path.name) == ("weights", "my_net.pt")
    assert torch.load(added.path, weights_only=True).keys() == {"weight", "bias"}
    assert prepared.verify("my_net").state == "present"
    added.path.write_bytes(b"other")
    assert prepared.verify("my_net").state == "corrupt"


class Evil:
    def __reduce__(self):
        return (open, ("pwned", "w"))


def pickled_network(path):
    torch.save(Evil(), path / "net.pt")
    return path / "net.pt"


def no_weights(path):
    (path / "net.pt").write_bytes(b"nothing")
    return path / "net.pt"


def a_list_of_weights(path):
    torch.save([torch.zeros(2)], path / "net.pt")
    return path / "net.pt"


def empty_weights(path):
    torch.save({}, path / "net.pt")
    return path / "net.pt"


def an_archive(path):
    return Path(shutil.make_archive(str(path / "pets"), "zip", path, "."))


def object_arrays(path):
    np.savez(path / "a.npz", x=np.array([{}, 1], dtype=object))
    return path / "a.npz"


def no_arrays(path):
    (path / "a.npz").write_text("<html>")
    return path / "a.npz"


def empty_folder(path):
    (path / "empty").mkdir()
    return path / "empty"


def folder_of_broken_images(path):
    draw(path / "pets/cat/1.png")
    body = (path / "pets/cat/1.png").read_bytes()
    (path / "pets/cat/1.png").write_bytes(body[: len(body) // 2])
    return path / "pets"


def arrays(**changed):
    """Saves a good set of arrays with some changed or, where None, left out."""
    good = {"x_train": np.zeros((3, 4, 4), np.uint8), "y_train": np.arange(3), "x_test": np.zeros((2, 4, 4), np.uint8)}
    good |= {"y_test": np.arange(2), "classes": np.array(["a", "b", "c"])}

    def make(path):
        np.savez(path / "a.npz", **{name: value for name, value in (good | changed).items() if value is not None})
        return path / "a.npz"

    return make


def text_file(path):
    (path / "words.txt").write_text("words")
    return path / "words.txt"


def nothing(path):
    return path / "nothing"


WRONG = {
    pickled_network: "contains Python objects .* was not loaded: save only the weights, .*state_dict",
    no_weights: "was not written by torch.save: save only the weights, .*state_dict",
    a_list_of_weights: "holds a list; expected a dictionary from names to tensors",
    empty_weights: "holds a dictionary without named tensors",
    an_archive: "is an archive: unpack it and add the folder",
    object_arrays: "arrays of numbers or text",
    no_arrays: "arrays of numbers or text",
    empty_folder: "contains no images",
    folder_of_broken_images: "None of the 1 image files .* can be read .cat/1.png",
    text_file: "Unsupported data .*: expected a folder of images or of parallel texts .*, an .npz of arrays, predictions .*, weights",
    nothing: "does not exist",
    arrays(x_train=np.zeros((3, 4, 4))): "x_train is float64 .*expected uint8",
    arrays(x_test=np.zeros((2, 4, 4, 2), np.uint8)): "x_test is uint8 .*expected uint8",
    arrays(x_test=np.zeros((0, 4, 4), np.uint8)): "x_test is uint8",
    arrays(images=np.zeros((3, 4, 4), np.uint8)): "holds images: arrays of images are named x_train, y_train",
    arrays(y_test=None): "x_test and y_test are needed",
    arrays(y_train=None): "x_train goes with y_train",
    arrays(y_train=np.arange(3) - 1): "y_train goes from -1 to 1; expected labels from 0 to 2",
    arrays(y_test=np.array([0, 3])): "y_test goes from 0 to 3; expected labels from 0 to 2, as classes has 3 names",
    arrays(y_test=np.array([0.0, 1.0])): "y_test is float64",
    arrays(y_test=np.arange(3)): "y_test is int64 .*expected 2 whole numbers",
    arrays(x_test=np.zeros((2, 5, 5), np.uint8)): "training images of .4, 4., test images of .5, 5.",
}


@pytest.mark.parametrize(("make", "words"), WRONG.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_anything_else_is_refused(make, words, tmp_path, home, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=words):
        add("own", make(tmp_path))
    assert not (tmp_path / "pwned").exists()
    assert not [f for f in home.rglob("*") if f.is_file()]
    assert prepared.find("own") is None


@pytest.mark.parametrize("name", ["Pets", "my pets", "../pets", "", "pets.2", "x" * 65])
def test_a_bad_or_taken_name_is_refused(name, folder):
    with pytest.raises(UsageError, match="name"):
        add(name, folder)


@pytest.mark.parametrize(
    "name",
    ["cifar10", "digits", "multi30k", "caltech101", "dates", "squeezenet", "con", "lpt1", "com9"],
)
def test_a_name_that_the_suite_or_the_system_uses_is_refused(name, folder):
    with pytest.raises(UsageError, match=rf"{name} is (the|a device) name of .*choose another name"):
        add(name, folder)


def test_what_is_here_is_not_overwritten(folder):
    add("pets", folder)
    with pytest.raises(UsageError, match="is in use"):
        add("pets", folder)


def test_a_full_disk_leaves_nothing_half_copied(folder, home, monkeypatch):
    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(CannotStart, match="no space left"):
        add("pets", folder)
    assert [f.name for f in home.rglob("*")] == ["images"]


def test_safetensors(tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"nothing")
    try:
        import safetensors.numpy
    except ImportError:
        with pytest.raises(CannotStart, match="pip install safetensors"):
            add("my_net", path)
        return
    with pytest.raises(UsageError, match=r"is not a \.safetensors file"):
        add("my_net", path)
    safetensors.numpy.save_file({"weight": np.zeros(2)}, path)
    assert add("my_net", path).path.suffix == ".safetensors"


def test_a_single_picture_and_dashes(tmp_path, home):
    Image.new("RGB", (5, 4), "red").save(tmp_path / "Cat.PNG")
    Image.new("RGB", (5, 4), "blue").save(tmp_path / "other.png")
    found = add("my-cat", tmp_path / "Cat.PNG")
    assert (found.name, found.kind, found.source) == ("my_cat", "images", "Cat.PNG")
    assert [f.name for f in sorted(found.path.iterdir())] == ["Cat.PNG"]
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(UsageError, match="can be read"):
        add("broken", tmp_path / "broken.jpg")


def test_weights_by_torchvisions_suffix(tmp_path, home):
    torch.save({"weight": torch.ones(2)}, tmp_path / "net.pth")
    found = add("net", tmp_path / "net.pth")
    assert (found.kind, found.path.name) == ("weights", "net.pt")


# --- parallel texts -----------------------------------------------------------------------------------


@pytest.fixture
def parallel(tmp_path):
    folder = tmp_path / "parallel"
    folder.mkdir()
    for split, n in (("train", 5), ("val", 2), ("test", 3)):
        (folder / f"{split}.fr").write_text("".join(f"phrase\u2028 {i}\n" for i in range(n)), encoding="utf-8")
        (folder / f"{split}.de").write_text("\n".join(f"Satz {i}" for i in range(n)), encoding="utf-8")  # no last line feed
    (folder / "README").write_text("not a part")
    return folder


def test_parallel_texts_come_in_line_by_line(parallel, home):
    add("my-texts", parallel)
    assert languages_of("my_texts") == ("de", "fr")
    assert lines("my_texts.train.fr") == [f"phrase\u2028 {i}" for i in range(5)]
    assert lines("my_texts.test.de") == ["Satz 0", "Satz 1", "Satz 2"]
    with pytest.raises(UsageError, match="is in use"):
        add("my_texts", parallel)


def test_parallel_texts_that_are_not_parallel_are_refused(parallel, home):
    (parallel / "val.de").write_text("one line\n")
    with pytest.raises(UsageError, match=r"val\.de has 1 lines and val\.fr 2"):
        add("texts", parallel)
    (parallel / "val.de").write_bytes(b"x\ncaf\xe9\n")
    with pytest.raises(UsageError, match=r"val\.de, line 2, is not UTF-8"):
        add("texts", parallel)
    for language in ("de", "fr"):
        (parallel / f"val.{language}").write_text("one line\n")
    with pytest.raises(UsageError, match=r"val\.de has one sentence pair: .* at least two"):
        add("texts", parallel)
    (parallel / "val.de").unlink()
    with pytest.raises(UsageError, match=r"has no val\.de: .*six files in all"):
        add("texts", parallel)
    assert not list(home.rglob("*.txt"))
    with pytest.raises(CannotStart, match="no parallel texts texts"):
        languages_of("texts")


def test_line_ends_and_byte_order_marks_of_other_systems_are_removed(parallel, home):
    (parallel / "val.de").write_bytes(b"\xef\xbb\xbfeins\r\nzwei\r\n\r\n\r\n")
    (parallel / "val.fr").write_bytes(b"un\rdeux\r")
    add("texts", parallel)
    assert lines("texts.val.fr") == ["un", "deux"]
    assert lines("texts.val.de") == ["eins", "zwei"]


def test_pairs_that_are_blank_on_both_sides_are_left_out(parallel, home):
    for language in ("de", "fr"):
        (parallel / f"val.{language}").write_text("eins\n  \nzwei\n")
    assert "1 pairs that are blank on both sides are left out" in add("texts", parallel).summary
    assert lines("texts.val.de") == lines("texts.val.fr") == ["eins", "zwei"]


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("val.de", b"eins\n\n", "val.de has 1 lines and val.fr 2"),
        ("val.de", b"\nzwei\n", r"val\.de, line 1, is blank and line 1 of val\.fr is not"),
        ("test.fr", b"un\n \t\ntrois\n", r"test\.fr, line 2, is blank and line 2 of test\.de is not"),
        ("val.de", b"", r"val\.de is empty"),
        ("val.de", b"\r\n\r\n", r"val\.de is empty"),
        ("val.de", "eins\nzwei\n".encode("utf-16"), r"val\.de is UTF-16"),
        ("val.de", "eins\nzwei\n".encode("utf-16-le"), r"val\.de, line 1, has a zero byte"),
        ("val.de", b"eins\rzwei\ndrei\n", r"val\.de, line 1, has a carriage return inside"),
    ],
)
def test_what_is_wrong_with_a_text_is_said_with_file_and_line(file, content, words, parallel, home):
    (parallel / file).write_bytes(content)
    with pytest.raises(UsageError, match=words):
        add("texts", parallel)
    assert prepared.find("texts") is None


def renamed(folder, **languages):
    """The same texts under other codes."""
    for path in list(folder.glob("*.*")):
        split, _, language = path.name.partition(".")
        path.rename(folder / f"{split}.{languages.get(language, language)}")
    return folder


def test_the_direction_is_said_and_can_be_chosen(parallel, home):
    assert add("texts", parallel).summary[0].startswith("de is translated into fr (by the alphabet")
    assert add("back", parallel, {"source": "fr"}).summary[0] == "fr is translated into de (as you said)"
    assert languages_of("back") == ("fr", "de")
    for wrong, words in (
        ({"source": "it"}, "no files of the language it"),
        ({"source": "de", "target": "de"}, "both de"),
        ({"x": "y"}, "x:"),
    ):
        with pytest.raises(UsageError, match=words):
            add("other", parallel, wrong)


def test_of_more_than_two_languages_two_are_to_be_chosen(parallel, home):
    for split in ("train", "val", "test"):
        (parallel / f"{split}.it").write_text((parallel / f"{split}.de").read_text())
    with pytest.raises(UsageError, match=r"texts in de, fr, it: say which with source=LANGUAGE target=LANGUAGE"):
        add("texts", parallel)
    with pytest.raises(UsageError, match="say which"):
        add("texts", parallel, {"source": "it"})
    assert add("texts", parallel, {"source": "it", "target": "fr"}).name == "texts"
    assert languages_of("texts") == ("it", "fr")


@pytest.mark.parametrize(("given", "code"), [("pt-BR", "pt-br"), ("zh_Hant", "zh-hant"), ("sr-Latn-RS", "sr-latn-rs"), ("yue", "yue")])
def test_regions_and_scripts_belong_to_a_language(given, code, parallel, home):
    add("texts", renamed(parallel, fr=given))
    assert languages_of("texts") == ("de", code)
    assert len(lines(f"texts.train.{code}")) == 5
    assert prepared.verify("texts").state == "present"


def test_other_files_and_spellings_of_parts(parallel, home):
    (parallel / "val.de").rename(parallel / "Dev.de.txt")
    for name in ("train.csv", "test.py", "val.zip"):
        (parallel / name).write_text("no text")
    add("texts", parallel)
    assert lines("texts.val.de") == ["Satz 0", "Satz 1"]
    (parallel / "valid.de").write_text("again\n")
    with pytest.raises(UsageError, match=r"Dev\.de\.txt and valid\.de .* same part"):
        add("other", parallel)


def test_few_pairs_and_pairs_to_be_remembered_are_said_once(parallel, home):
    summary = add("texts", parallel).summary
    assert any("5 training pairs are few" in line for line in summary)
    assert "3 pairs of test are in train too: what is measured on them is memory" in summary
