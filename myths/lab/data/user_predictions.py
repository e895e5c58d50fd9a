"""Read predictions of a user model for the test sets of CIFAR-10 and CIFAR-10.1."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from myths.lab.data import formats
from myths.lab.errors import UsageError

IMAGES = {"original": 10_000, "v4": 2_021, "v6": 2_000}
"""Number of images per test set: CIFAR-10 ("original"), CIFAR-10.1 v4 and v6."""
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""In the order of CIFAR-10."""
SUFFIXES = (".json", ".csv", ".npy")

_LAYOUT = "expected a list per test set, named original (10,000 images), v4 (2,021) or v6 (2,000)"

Predicted = UInt8[np.ndarray, " n"]


def read(path: Path) -> dict[str, Predicted]:
    """Return the predicted class of each image, by test set, in the order of the published test sets.

    A prediction is a class number 0 to 9, a class name, or ten scores (the highest is used). JSON holds one list per test set
    (``{"original": [...], "v4": [...]}``) and optionally ``classes``, the class names in the order of the model. CSV has one column per
    test set and one row per image; shorter columns end with empty cells. A .npy holds the predictions for original, optionally followed
    by those for v4 and v6 or one of them.

    Args:
        path: A .json, .csv, .npy, or .npz file.

    Raises:
        UsageError: The format is not supported, the original test set is missing, or predictions are missing or invalid.
    """
    try:
        found, classes = _READERS[path.suffix](path)
    except (ValueError, OSError, EOFError, csv.Error, formats.BadFormat) as error:
        raise UsageError(f"{path} cannot be read as {path.suffix[1:]} ({str(error).splitlines()[0]}); {_LAYOUT}") from error
    if unknown := sorted(set(found) - set(IMAGES)):
        raise UsageError(f"{path} holds {unknown[0]!r}; {_LAYOUT}")
    if "original" not in found:
        raise UsageError(f"{path} lacks 'original', the predictions for CIFAR-10's own test set, which gaps and the line begin at")
    return {name: _numbers(path, name, found[name], classes) for name in IMAGES if name in found}


def holds_predictions(names: Sequence[str]) -> bool:
    """Return whether arrays with these names are predictions (not images)."""
    return "original" in names and set(names) <= set(IMAGES)


def _json(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    read = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(read, dict):
        raise UsageError(f"{path} holds a {type(read).__name__}; {_LAYOUT}")
    classes = read.pop("classes", CLASSES)
    if not isinstance(classes, list | tuple) or sorted(map(str, classes)) != sorted(CLASSES):
        raise UsageError(f"{path}: classes={classes!r}; expected the ten names in the order of the model: {', '.join(CLASSES)}")
    return read, tuple(classes)


def _csv(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.DictReader(file)
        columns: dict[str, list[str]] = {name.strip(): [] for name in lines.fieldnames or ()}
        for line in lines:
            if None in line:
                raise UsageError(f"{path}: line {lines.line_num} has more cells than the header has columns ({', '.join(columns)})")
            for name, cell in line.items():
                if cell is not None and cell.strip():
                    columns[name.strip()].append(cell.strip())
    return {name: [int(c) if c.lstrip("-").isdecimal() else c for c in cells] for name, cells in columns.items()}, CLASSES


def _npy(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    array = np.load(path, allow_pickle=False)
    for names in (("original",), ("original", "v4", "v6"), ("original", "v4"), ("original", "v6"), ("v4",), ("v6",)):
        if array.ndim in (1, 2) and len(array) == sum(IMAGES[name] for name in names):
            ends = np.cumsum([IMAGES[name] for name in names])[:-1]
            return dict(zip(names, np.split(array, ends), strict=True)), CLASSES
    raise UsageError(
        f"{path} holds an array of shape {array.shape}; expected 10,000 predictions, or more with those for v4 and v6 after them"
    )


def _npz(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    return dict(formats.npz(path)), CLASSES


_READERS = {".json": _json, ".csv": _csv, ".npy": _npy, ".npz": _npz}


def _numbers(path: Path, name: str, given: Any, classes: Sequence[str]) -> Predicted:
    where = f"{path}: {name}"
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise UsageError(f"{where} has rows of different lengths; expected a class or ten scores for each image") from error
    if array.shape[:1] != (IMAGES[name],):
        length = f"{len(array):,} predictions" if array.ndim else "no list"
        other = next((f"; {n} has as many" for n, size in IMAGES.items() if array.ndim and len(array) == size), "")
        raise UsageError(f"{where} holds {length}; this test set has {IMAGES[name]:,} images{other}")
    order = np.array([CLASSES.index(c) for c in classes])
    if array.ndim == 2 and array.shape[1] == len(CLASSES) and array.dtype.kind in "iuf":
        if not np.isfinite(array).all():
            raise UsageError(f"{where} has scores that are not finite, first for image {int((~np.isfinite(array)).any(1).argmax())}")
        return order[array.argmax(1)].astype(np.uint8)
    if array.ndim != 1:
        raise UsageError(f"{where} has the shape {array.shape}; expected a class or ten scores for each image")
    if array.dtype.kind in "US":
        known = {c: i for i, c in enumerate(CLASSES)}
        if unknown := [str(c) for c in array if str(c) not in known]:
            raise UsageError(f"{where} predicts {unknown[0]!r}; the classes are {', '.join(CLASSES)}, or 0 to 9 in this order")
        return np.array([known[str(c)] for c in array], np.uint8)
    if array.dtype.kind not in "iuf" or not np.array_equal(array, np.floor(array)):
        raise UsageError(f"{where} holds {array.dtype} values that are no class numbers; expected 0 to 9, names, or ten scores per image")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= len(CLASSES):
        hint = "; they seem to be counted from 1: subtract 1" if (low, high) == (1, 10) else ""
        raise UsageError(f"{where} goes from {low} to {high}; expected class numbers 0 to 9{hint}")
    return order[array.astype(np.int64)].astype(np.uint8)


def described(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the test sets and their sizes as text."""
    return ", ".join(f"{name} ({len(array):,} images)" for name, array in arrays.items())
