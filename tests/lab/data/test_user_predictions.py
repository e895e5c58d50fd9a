"""Predictions of the user's model, as files bring them."""

import json

import numpy as np
import pytest

from myths.lab.data import prepared, user_predictions
from myths.lab.data.user_data import add
from myths.lab.data.user_predictions import CLASSES, IMAGES, read
from myths.lab.errors import UsageError


@pytest.fixture
def classes():
    rng = np.random.default_rng(0)
    return {name: rng.integers(10, size=n) for name, n in IMAGES.items()}


def as_json(path, given, **more):
    path.write_text(json.dumps({name: np.asarray(v).tolist() for name, v in given.items()} | more))


def as_csv(path, given):
    columns = [list(map(str, v)) for v in given.values()]
    longest = max(map(len, columns))
    cells = [column + [""] * (longest - len(column)) for column in columns]
    path.write_text("\n".join([",".join(given), *map(",".join, zip(*cells, strict=True))]) + "\n")


def scores(classes, seed=1):
    drawn = np.random.default_rng(seed).random((len(classes), 10))
    drawn[np.arange(len(classes)), classes] += 1
    return drawn


WRITERS = {
    "numbers.json": as_json,
    "names.json": lambda path, given: as_json(path, {k: np.array(CLASSES)[v] for k, v in given.items()}),
    "scores.json": lambda path, given: as_json(path, {k: scores(v) for k, v in given.items()}),
    "reordered.json": lambda path, given: as_json(path, {k: 9 - v for k, v in given.items()}, classes=list(reversed(CLASSES))),
    "numbers.csv": as_csv,
    "names.csv": lambda path, given: as_csv(path, {k: np.array(CLASSES)[v] for k, v in given.items()}),
    "numbers.npy": lambda path, given: np.save(path, np.concatenate(list(given.values()))),
    "floats.npy": lambda path, given: np.save(path, np.concatenate(list(given.values())).astype(np.float32)),
    "scores.npy": lambda path, given: np.save(path, scores(np.concatenate(list(given.values())))),
    "numbers.npz": lambda path, given: np.savez(path, **given),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_form_gives_the_same_classes(name, classes, tmp_path, monkeypatch):
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path / "data"))
    WRITERS[name](tmp_path / name, classes)
    added = add("mine", tmp_path / name)
    assert added.summary[0] == "predicted classes for original (10,000 images), v4 (2,021 images), v6 (2,000 images)"
    arrays = prepared.load("mine")
    assert set(arrays) == set(IMAGES)
    for test_set, expected in classes.items():
        assert arrays[test_set].dtype == np.uint8
        assert (arrays[test_set] == expected).all()


@pytest.mark.parametrize("test_sets", [("original",), ("original", "v4"), ("original", "v6")])
def test_a_npy_is_told_by_its_length(test_sets, classes, tmp_path):
    np.save(tmp_path / "p.npy", np.concatenate([classes[t] for t in test_sets]))
    assert tuple(read(tmp_path / "p.npy")) == test_sets


def wrong(classes, **changes):
    return {k: np.asarray(v).tolist() for k, v in ({**classes, **changes}).items() if v is not None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: wrong(c, v4=c["v6"]), r"v4 holds 2,000 predictions; this test set has 2,021 images; v6 has as many"),
        (lambda c: wrong(c, original=c["original"][:-1]), r"original holds 9,999 predictions; this test set has 10,000"),
        (lambda c: wrong(c, original=None), r"lacks 'original'"),
        (lambda c: wrong(c, v5=[1]), r"holds 'v5'; expected a list per test set"),
        (lambda c: wrong(c, original=c["original"] + 1), r"goes from 1 to 10; expected class numbers 0 to 9; .*subtract 1"),
        (lambda c: wrong(c, original=c["original"] - 1), r"goes from -1 to 8; expected class numbers 0 to 9$"),
        (lambda c: wrong(c, original=["plane"] * 10_000), r"predicts 'plane'; the classes are airplane"),
        (lambda c: wrong(c, original=c["original"] + 0.5), r"no class numbers"),
        (lambda c: wrong(c, original=[[1.0, 2.0]] * 10_000), r"shape \(10000, 2\); expected a class or ten scores"),
        (lambda c: wrong(c, original=[[float("nan")] * 10] * 10_000), r"not finite, first for image 0"),
        (lambda c: wrong(c) | {"original": [[1.0], [1.0, 2.0]] * 5_000}, r"rows of different lengths"),
        (lambda c: wrong(c, original=3), r"original holds no list"),
        (lambda c: wrong(c) | {"classes": ["cat"]}, r"classes=\['cat'\]; expected the ten names"),
        (lambda c: [1, 2], r"holds a list; expected a list per test set"),
        (lambda c: wrong(c, original=[None] * 10_000), r"no class numbers"),
    ],
)
def test_what_cannot_be_predictions_is_refused_with_the_reason(change, message, classes, tmp_path):
    (tmp_path / "p.json").write_text(json.dumps(change(classes)))
    with pytest.raises(UsageError, match=message):
        read(tmp_path / "p.json")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.json", b"{", r"p\.json cannot be read as json"),
        ("p.json", b"\xff\xfe", r"p\.json cannot be read as json"),
        ("p.csv", b"", r"lacks 'original'"),
        ("p.csv", b"original\n1,2\n", r"line 2 has more cells than the header has columns"),
        ("p.npy", b"no array", r"p\.npy cannot be read as npy"),
        ("p.npy", b"", r"p\.npy cannot be read as npy"),
    ],
)
def test_a_broken_file_is_refused_with_its_name(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read(tmp_path / name)


def test_objects_in_an_array_are_not_executed(tmp_path):
    np.save(tmp_path / "p.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UsageError, match="cannot be read as npy"):
        read(tmp_path / "p.npy")


def test_arrays_of_images_are_no_predictions():
    assert user_predictions.holds_predictions(("original", "v6"))
    assert not user_predictions.holds_predictions(("v6",))
    assert not user_predictions.holds_predictions(("x_test", "y_test"))
