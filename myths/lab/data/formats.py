"""Readers of published file formats. They return arrays in the official order.

All readers raise BadFormat for unexpected content. None executes code from a file.
"""

from __future__ import annotations

import gzip
import json
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np


class BadFormat(ValueError):
    """The content of a file does not have the expected format."""


class ArrayUnpickler(pickle.Unpickler):
    """Unpickler for containers, text, numbers and NumPy arrays only.

    Pickles can call any global. This class refuses all globals except those that pickled arrays need.
    """

    _ALLOWED: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        # Where NumPy 1 and NumPy 2 keep the same function; asked of an array, as neither place is public.
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("_codecs", "encode"): lambda text, encoding="utf-8": str(text).encode(str(encoding)),
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return an allowed global; raise pickle.UnpicklingError for any other."""
        try:
            return self._ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no part of an array") from None


def pickled(archive: Path, members: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Read pickled dictionaries of arrays from a tar.gz archive.

    Args:
        archive: Path of the archive.
        members: Key of the result -> path in the archive.

    Raises:
        BadFormat: A member is missing or is not a dictionary of arrays.
    """
    try:
        with tarfile.open(archive, "r:gz") as tar:
            found = {}
            for key, member in members.items():
                stream = tar.extractfile(member)
                if stream is None:
                    raise BadFormat(f"{member} in {archive.name} is no file")
                # latin1: they were written by Python 2, whose byte strings NumPy expects in this encoding.
                found[key] = ArrayUnpickler(stream, encoding="latin1").load()
                if not isinstance(found[key], dict):
                    raise BadFormat(f"{member} in {archive.name} holds no dictionary")
    except KeyError as error:
        raise BadFormat(f"{archive.name} lacks a member: {error.args[0]}") from error
    # Unpickling damaged bytes raises many exceptions, without a common base class.
    except (tarfile.TarError, EOFError, OSError, zlib.error, pickle.UnpicklingError, TypeError, ValueError, IndexError) as error:
        raise error if isinstance(error, BadFormat) else BadFormat(f"{archive.name} cannot be read: {error}") from error
    return found


def cifar10(files: Mapping[str, Path]) -> dict[str, np.ndarray]:
    """Read cifar-10-python.tar.gz: x_train uint8 [n, 32, 32, 3], y_train uint8 [n], x_test, y_test, classes."""
    folder = "cifar-10-batches-py/"
    train = {f"train{i}": f"{folder}data_batch_{i}" for i in range(1, 6)}
    read = pickled(files["cifar-10-python.tar.gz"], {**train, "test": f"{folder}test_batch", "meta": f"{folder}batches.meta"})
    return {
        "x_train": np.concatenate([_cifar_images(read[key]) for key in train]),
        "y_train": np.concatenate([_labels(read[key].get("labels"), 10) for key in train]),
        "x_test": _cifar_images(read["test"]),
        "y_test": _labels(read["test"].get("labels"), 10),
        "classes": np.array(read["meta"]["label_names"]),
    }


def cifar100(files: Mapping[str, Path]) -> dict[str, np.ndarray]:
    """Read cifar-100-python.tar.gz: x_train, y_train, x_test, y_test (fine labels), and fine_to_coarse uint8 [100]."""
    folder = "cifar-100-python/"
    read = pickled(files["cifar-100-python.tar.gz"], {"train": f"{folder}train", "test": f"{folder}test"})
    fine = {split: _labels(read[split].get("fine_labels"), 100) for split in read}
    fine_to_coarse = np.zeros(100, dtype=np.uint8)
    fine_to_coarse[fine["train"]] = _labels(read["train"].get("coarse_labels"), 20)
    return {
        "x_train": _cifar_images(read["train"]),
        "y_train": fine["train"],
        "x_test": _cifar_images(read["test"]),
        "y_test": fine["test"],
        "fine_to_coarse": fine_to_coarse,
    }


def mnist(files: Mapping[str, Path]) -> dict[str, np.ndarray]:
    """Read the four idx.gz files of MNIST: x_train uint8 [n, 28, 28], y_train uint8 [n], x_test, y_test."""
    return {
        "x_train": idx(files["train-images-idx3-ubyte.gz"]),
        "y_train": idx(files["train-labels-idx1-ubyte.gz"]),
        "x_test": idx(files["t10k-images-idx3-ubyte.gz"]),
        "y_test": idx(files["t10k-labels-idx1-ubyte.gz"]),
    }


def idx(path: Path) -> np.ndarray:
    """Read the uint8 array of a gzipped idx file (two zero bytes, type 8, number of axes, big-endian lengths, values)."""
    try:
        data = gzip.decompress(path.read_bytes())
        zero, kind, axes = struct.unpack_from(">HBB", data)
        shape = struct.unpack_from(f">{axes}I", data, 4)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise BadFormat(f"{path.name} is no gzipped idx file: {error}") from error
    values = np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * axes)
    if (zero, kind) != (0, 8) or values.size != np.prod(shape):
        raise BadFormat(f"{path.name} announces type {kind} and shape {shape} but holds {values.size} bytes")
    return values.reshape(shape)


def cifar10_1(files: Mapping[str, Path], classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read a *_data.npy and a *_labels.npy: x_test uint8 [n, 32, 32, 3], y_test uint8 [n], classes."""
    images, labels = (npy(files[next(f for f in files if f.endswith(end))]) for end in ("_data.npy", "_labels.npy"))
    if images.dtype != np.uint8 or images.shape != (len(labels), 32, 32, 3):
        raise BadFormat(f"expected {len(labels)} uint8 images of 32x32x3, found {images.dtype} {images.shape}")
    return {"x_test": images, "y_test": _labels(labels, len(classes)), "classes": np.array(classes)}


def cifar10_1_predictions(files: Mapping[str, Path], models: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read published predictions: models; original, v4, v6 uint8 [model, image]; labels_original, labels_v4, labels_v6 uint8 [image]."""
    arrays = {"models": np.array(models)}
    for split in ("original", "v4", "v6"):
        arrays[f"labels_{split}"] = _labels(npy(files[f"{split}_labels.npy"]), 10)
        rows = [_labels(_json(files[f"{split}_{model}_predictions.json"]), 10) for model in models]
        if {len(row) for row in rows} != {len(arrays[f"labels_{split}"])}:
            raise BadFormat(f"the {split} predictions are not all for the {len(arrays[f'labels_{split}'])} labeled images")
        arrays[split] = np.stack(rows)
    return arrays


def npy(path: Path) -> np.ndarray:
    """Read the array of an .npy file; Python objects are refused."""
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise BadFormat(f"{path.name} is no .npy file of plain numbers: {error}") from error


def npz(path: Path) -> dict[str, np.ndarray]:
    """Read the named arrays of an .npz file; Python objects are refused."""
    try:
        with path.open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if isinstance(file, np.ndarray):
                raise BadFormat("it holds a single array, not named ones")
            return {name: file[name] for name in file.files}
    # zipfile and NumPy raise these for a damaged archive.
    except (OSError, EOFError, ValueError, KeyError, NotImplementedError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise BadFormat(f"{path.name} is no .npz file of plain arrays: {error}") from error


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise BadFormat(f"{path.name} is no JSON: {error}") from error


def _cifar_images(batch: Mapping[str, Any]) -> np.ndarray:
    data = batch.get("data")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
        raise BadFormat("a CIFAR batch without its uint8 [n, 3072] data")
    return np.ascontiguousarray(data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def _labels(values: Any, classes: int) -> np.ndarray:
    try:
        labels = np.asarray(values)
    except ValueError as error:
        raise BadFormat(f"labels are not a plain list: {error}") from error
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels) or labels.min() < 0 or labels.max() >= classes:
        raise BadFormat(f"labels are not a list of integers from 0 to {classes - 1}")
    return labels.astype(np.uint8)
