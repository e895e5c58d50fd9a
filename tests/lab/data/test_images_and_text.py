"""Image sets as the networks take them; texts as they are."""

import numpy as np
import pytest
import torch
from PIL import Image

from myths.lab.data import prepared
from myths.lab.data.images import image_set
from myths.lab.data.text_files import lines
from myths.lab.errors import CannotStart


def save(**arrays):
    return prepared.save("own", arrays, source="a test", note="")


def test_colors_come_channels_first():
    x = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    save(x_train=x, y_train=np.array([1, 0], np.uint8), x_test=x[:1], y_test=np.array([1], np.uint8), classes=np.array(["cat", "dog"]))
    images = image_set("own", "cpu")
    assert images.classes == ("cat", "dog")
    assert images.x_train.shape == (2, 3, 4, 5)
    assert images.x_train[1, 2, 3, 4] == x[1, 3, 4, 2]
    assert images.x_train.is_contiguous()
    assert images.y_train.tolist() == [1, 0]
    assert (images.x_test.dtype, images.y_test.dtype) == (torch.uint8, torch.int64)


def test_a_tensor_that_is_changed_does_not_change_the_set():
    save(x_test=np.zeros((1, 2, 2), np.uint8), y_test=np.array([3]))
    image_set("own", "cpu").x_test.fill_(1)
    assert image_set("own", "cpu").x_test.sum() == 0


def test_gray_images_have_one_channel_and_a_test_set_no_training_split():
    save(x_test=np.zeros((3, 8, 6), np.uint8), y_test=np.array([0, 2, 1]))
    images = image_set("own", "cpu")
    assert images.x_test.shape == (3, 1, 8, 6)
    assert (images.x_train, images.y_train) == (None, None)
    assert images.classes == ("0", "1", "2")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [({"x": np.zeros(2)}, "holds x"), ({"x_test": np.zeros((1, 2, 2)), "y_test": np.array([0])}, r"float64 \(1, 2, 2\)")],
)
def test_what_is_no_image_set_is_refused(arrays, words):
    save(**arrays)
    with pytest.raises(CannotStart, match=words):
        image_set("own", "cpu")


def draw(path, color, size=(4, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


def describe(home):
    folder = home / "images" / "own"
    sha256 = prepared.folder_sha256((f for f in folder.rglob("*") if f.is_file()), folder)
    prepared.write_sidecar(home / "images" / "own.json", source="a test", note="", sha256=sha256)


def test_an_image_folder_is_a_test_set(home):
    draw(home / "images/own/red/b.png", (255, 0, 0))
    draw(home / "images/own/blue/a.png", (0, 0, 255))
    describe(home)
    images = image_set("own", "cpu")
    assert images.classes == ("blue", "red")
    assert images.x_test.shape == (2, 3, 3, 4)
    assert images.x_test[images.y_test == 1][0, :, 0, 0].tolist() == [255, 0, 0]
    assert images.x_train is None


def test_a_folder_in_two_parts_is_trained_on(home):
    for split, n in {"train": 3, "test": 2}.items():
        for i in range(n):
            draw(home / f"images/own/{split}/red/{i}.png", (255, 0, 0))
    describe(home)
    images = image_set("own", "cpu")
    assert (len(images.x_train), len(images.x_test), images.classes) == (3, 2, ("red",))


def test_images_of_two_sizes_are_refused(home):
    draw(home / "images/own/red/a.png", 1)
    draw(home / "images/own/red/b.png", 1, size=(5, 5))
    describe(home)
    with pytest.raises(CannotStart, match="differ in size"):
        image_set("own", "cpu")


def test_a_folder_in_which_something_changed_is_refused(home):
    draw(home / "images/own/red/a.png", 1)
    describe(home)
    draw(home / "images/own/red/b.png", 1)
    with pytest.raises(CannotStart, match=r"does not match own\.json"):
        image_set("own", "cpu")
    assert prepared.verify("own").state == "corrupt"


def text(home, body: bytes, suffix=".txt"):
    path = home / "text" / f"own.de{suffix}"
    path.parent.mkdir(parents=True)
    path.write_bytes(body)
    prepared.write_sidecar(path.with_suffix(".json"), source="", note="", sha256=prepared.folder_sha256([path], path.parent))
    return path


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("eins\nzwei\n", ["eins", "zwei"]),
        ("eins\n\nzwei", ["eins", "", "zwei"]),
        ("a\u2028b\x0bc\x85d\r\n", ["a\u2028b\x0bc\x85d\r"]),
        ("", []),
        ("\n", [""]),
    ],
)
def test_lines_end_at_line_feeds_only(home, body, expected):
    text(home, body.encode())
    assert lines("own.de") == expected


def test_a_jsonl_file_is_a_text(home):
    text(home, b'{"a": 1}\n', ".jsonl")
    assert lines("own.de") == ['{"a": 1}']
    assert prepared.verify("own.de").state == "present"


def test_a_bad_text_is_refused(home):
    path = text(home, b"\xff\xfe\n")
    with pytest.raises(CannotStart, match="UTF-8"):
        lines("own.de")
    path.write_bytes(b"other")
    with pytest.raises(CannotStart, match="does not match"):
        lines("own.de")
    with pytest.raises(CannotStart, match="not a text"):
        lines("digits")
    with pytest.raises(CannotStart, match="not arrays"):
        prepared.load("own.de")
