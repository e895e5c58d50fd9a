"""The published formats: tiny files of the same make become the same arrays; anything else is refused."""

import json
import os
import pickle

import numpy as np
import pytest

from myths.lab.data import formats
from myths.lab.data.catalog import CATALOG, CIFAR10_CLASSES, MODELS
from tests.lab.data import published

rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
LABELS = np.arange(12, dtype=np.uint8) % 10


def write(folder, **files):
    paths = {}
    for name, body in files.items():
        paths[name] = folder / name
        paths[name].write_bytes(body)
    return paths


def test_cifar10(tmp_path):
    files = write(tmp_path, **{"cifar-10-python.tar.gz": published.cifar10(IMAGES, LABELS, list(CIFAR10_CLASSES))})
    arrays = CATALOG["cifar10"].prepare(files)
    assert np.array_equal(arrays["x_train"], IMAGES[:10])
    assert np.array_equal(arrays["x_test"], IMAGES[10:])
    assert np.array_equal(arrays["y_train"], LABELS[:10])
    assert np.array_equal(arrays["y_test"], LABELS[10:])
    assert tuple(arrays["classes"]) == CIFAR10_CLASSES
    assert [arrays[k].dtype.str for k in sorted(arrays)] == ["<U10", "|u1", "|u1", "|u1", "|u1"]


def test_cifar100(tmp_path):
    fine_to_coarse = np.arange(100, dtype=np.uint8) * 7 % 20
    fine = np.arange(100, dtype=np.uint8)[::-1]
    data = rng.integers(0, 256, (100, 3072), dtype=np.uint8)
    train = published.python2_batch(data, fine_labels=fine.tolist(), coarse_labels=fine_to_coarse[fine].tolist())
    test = published.python2_batch(data[:2], fine_labels=[4, 3], coarse_labels=[0, 0])
    body = published.tar_gz(**{"cifar-100-python__train": train, "cifar-100-python__test": test})
    arrays = CATALOG["cifar100"].prepare(write(tmp_path, **{"cifar-100-python.tar.gz": body}))
    assert sorted(arrays) == ["fine_to_coarse", "x_test", "x_train", "y_test", "y_train"]
    assert np.array_equal(arrays["fine_to_coarse"], fine_to_coarse)
    assert np.array_equal(arrays["x_train"][5].transpose(2, 0, 1).ravel(), data[5])
    assert arrays["y_test"].tolist() == [4, 3]
    assert {a.dtype.str for a in arrays.values()} == {"|u1"}


def test_arrays_pickled_by_python_3_are_read_as_well(tmp_path):
    body = pickle.dumps({"data": IMAGES.reshape(12, -1), "fine_labels": [1]}, protocol=2)
    path = tmp_path / "a.tar.gz"
    path.write_bytes(published.tar_gz(batch=body))
    assert np.array_equal(formats.pickled(path, {"one": "batch"})["one"]["data"], IMAGES.reshape(12, -1))


class Evil:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("evil", "named"),
    [
        (Evil(os.system, "echo > pwned"), "system"),
        (Evil(eval, "1"), "eval"),
        (Evil(np.load, "x", None, True), "load"),
        (Evil(open, "x"), "open"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_calls_is_refused_by_name(evil, named, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.tar.gz").write_bytes(published.tar_gz(batch=pickle.dumps({"data": evil}, protocol=protocol)))
    with pytest.raises(formats.BadFormat, match=rf"asks for .*{named}"):
        formats.pickled(tmp_path / "a.tar.gz", {"one": "batch"})
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar.gz"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        published.cifar10(IMAGES, LABELS, ["a"])[:2000],
        published.tar_gz(other=b""),
        published.tar_gz(batch=b"\x80\x02}"),
        published.tar_gz(batch=b"nonsense"),
        published.tar_gz(batch=pickle.dumps([1])),
    ],
    # Names of their own: gzip writes the time into its head, and every test process must find the same tests.
    ids=["empty", "a web page", "cut off", "another member", "half a pickle", "no pickle", "a list"],
)
def test_a_bad_archive_is_refused(body, tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(body)
    with pytest.raises(formats.BadFormat, match=r"a\.tar\.gz"):
        formats.pickled(tmp_path / "a.tar.gz", {"one": "batch"})


def test_a_batch_of_another_shape_is_refused(tmp_path):
    bad = published.python2_batch(np.zeros((2, 4), np.uint8), fine_labels=[0, 1], coarse_labels=[0, 1])
    body = published.tar_gz(**{"cifar-100-python__train": bad, "cifar-100-python__test": bad})
    with pytest.raises(formats.BadFormat, match="3072"):
        formats.cifar100(write(tmp_path, **{"cifar-100-python.tar.gz": body}))


def mnist_files(folder):
    digits = rng.integers(0, 256, (7, 28, 28), dtype=np.uint8)
    return digits, write(
        folder,
        **{
            "train-images-idx3-ubyte.gz": published.idx_gz(digits[:4]),
            "train-labels-idx1-ubyte.gz": published.idx_gz(LABELS[:4]),
            "t10k-images-idx3-ubyte.gz": published.idx_gz(digits[4:]),
            "t10k-labels-idx1-ubyte.gz": published.idx_gz(LABELS[4:7]),
        },
    )


def test_mnist(tmp_path):
    digits, files = mnist_files(tmp_path)
    arrays = CATALOG["mnist"].prepare(files)
    assert np.array_equal(np.concatenate([arrays["x_train"], arrays["x_test"]]), digits)
    assert np.array_equal(np.concatenate([arrays["y_train"], arrays["y_test"]]), LABELS[:7])


@pytest.mark.parametrize("change", [lambda b: b[:-30], lambda b: b"", lambda b: b"<html>", lambda b: published.npy(IMAGES)])
def test_a_bad_idx_file_is_refused(change, tmp_path):
    _, files = mnist_files(tmp_path)
    path = files["train-images-idx3-ubyte.gz"]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(formats.BadFormat, match="train-images"):
        formats.mnist(files)


def test_an_idx_file_that_announces_more_than_it_holds_is_refused(tmp_path):
    import gzip

    path = tmp_path / "short.gz"
    path.write_bytes(gzip.compress(gzip.decompress(published.idx_gz(IMAGES))[:-1]))
    with pytest.raises(formats.BadFormat, match="announces"):
        formats.idx(path)


@pytest.mark.parametrize("version", ["v4", "v6"])
def test_cifar10_1(version, tmp_path):
    files = write(
        tmp_path,
        **{
            f"cifar10.1_{version}_data.npy": published.npy(IMAGES),
            f"cifar10.1_{version}_labels.npy": published.npy(LABELS.astype(np.int32)),
        },
    )
    arrays = CATALOG[f"cifar10_1_{version}"].prepare(files)
    assert np.array_equal(arrays["x_test"], IMAGES)
    assert np.array_equal(arrays["y_test"], LABELS)
    assert arrays["y_test"].dtype == np.uint8


def prediction_files(folder, n=5):
    predicted = rng.integers(0, 10, (3, len(MODELS), n))
    files = {}
    for split, rows in zip(("original", "v4", "v6"), predicted, strict=True):
        files[f"{split}_labels.npy"] = published.npy(LABELS[:n].astype(np.int32))
        for i, (model, row) in enumerate(zip(MODELS, rows, strict=True)):
            # Both of the layouts that the authors used.
            files[f"{split}_{model}_predictions.json"] = json.dumps(row.tolist(), indent=2 if i % 2 else None).encode()
    return predicted, write(folder, **files)


def test_cifar10_1_predictions(tmp_path):
    entry = CATALOG["cifar10_1_predictions"]
    predicted, files = prediction_files(tmp_path)
    assert set(files) == {f.file for f in entry.files}
    arrays = entry.prepare(files)
    assert tuple(arrays["models"]) == MODELS
    for split, rows in zip(("original", "v4", "v6"), predicted, strict=True):
        assert np.array_equal(arrays[split], rows)
        assert np.array_equal(arrays[f"labels_{split}"], LABELS[:5])
    assert {a.dtype.str for a in arrays.values()} == {"|u1", "<U33"}


@pytest.mark.parametrize("text", ["[0, 1]", "[0, 1, 2, 3, 10]", "[0, 1, 2, 3, -1]", "[0, 1, 2, 3, 0.5]", "{}", "[", "[[0], [1, 2]]", ""])
def test_bad_predictions_are_refused(text, tmp_path):
    _, files = prediction_files(tmp_path)
    files[f"v4_{MODELS[3]}_predictions.json"].write_text(text)
    with pytest.raises(formats.BadFormat):
        CATALOG["cifar10_1_predictions"].prepare(files)


def test_an_npy_of_objects_is_refused(tmp_path):
    (tmp_path / "x.npy").write_bytes(published.npy(np.array([{}, []], dtype=object)))
    with pytest.raises(formats.BadFormat, match=r"x\.npy"):
        formats.npy(tmp_path / "x.npy")
