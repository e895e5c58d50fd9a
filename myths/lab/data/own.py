"""Takes in what the user has: images, parallel texts, arrays or weights, copied into the prepared form under a name."""

from __future__ import annotations

import pickle
import re
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from myths.lab.data import formats, prepared
from myths.lab.data.catalog import CATALOG
from myths.lab.data.embedded import EMBEDDED
from myths.lab.data.own_texts import add_texts, texts_in
from myths.lab.data.prepared import Prepared
from myths.lab.errors import CannotStart, UsageError


def add(name: str, path: Path) -> Prepared:
    """Copies images, parallel texts, an .npz or a weights file into the first of ``prepared.roots()``, with its hash beside it.

    Dashes in a name become underscores. A single picture becomes a folder of one. Images lie in one folder, in CLASS/image, or in
    train/CLASS/image and test/CLASS/image, in any size; those that cannot be read are left out with a warning and listed in the
    sidecar. Of parallel texts see ``own_texts``. Arrays are x_test, y_test, mostly x_train, y_train, and perhaps classes: images of
    uint8, labels from 0. Weights are a .pt or .pth that torch loads with ``weights_only=True``, or a .safetensors. What is there is not
    changed.

    Raises UsageError for a name that is taken or not of the form [a-z0-9_]+, and for anything else at ``path``;
    CannotStart when it cannot be written.
    """
    path, name = Path(path).expanduser(), name.replace("-", "_")
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise UsageError(f"{name!r} is no name for a data set: use small letters, digits, - and _")
    if name in CATALOG or name in EMBEDDED:
        raise UsageError(f"{name} is the name of a data set that the suite knows: choose another")
    taken = (found for found in prepared.every() if found.name.partition(".")[0] == name and found.path)
    if here := prepared.look(name, prepared.roots()[0]) or next(taken, None):
        raise UsageError(f"{name} is here already ({here.path}): choose another name, or move it away")
    if not path.exists():
        raise UsageError(f"there is no {path}")
    if path.is_dir():
        return add_texts(name, path) if texts_in(path) else _add_images(name, path)
    if path.suffix == ".npz":
        return prepared.save(name, _arrays(path), source=path.name, note="own arrays")
    if path.suffix in (".pt", ".pth", ".safetensors"):
        (_check_safetensors if path.suffix == ".safetensors" else _check_pt)(path)
        return _add_weights(name, path)
    from myths.lab.data.folders import SUFFIXES  # here, for it brings torch

    if path.suffix.lower() in SUFFIXES:
        return _add_images(name, path.parent, [path])
    raise UsageError(
        f"{path} is none of: a folder of images or of parallel texts (train.de, train.en, …), an .npz of arrays, "
        "weights as .pt, .pth or .safetensors, one image"
    )


def _add_images(name: str, folder: Path, only: list[Path] | None = None) -> Prepared:
    from myths.lab.data.folders import SUFFIXES, images_below, say_skipped, unreadable  # here, for they bring torch

    images = only or images_below(folder)
    if not images:
        raise UsageError(f"{folder} holds no images ({', '.join(sorted(SUFFIXES))}), neither in itself nor in one folder a class")
    skipped = {image.relative_to(folder).as_posix(): why for image, why in unreadable(images).items()}
    whole = [image for image in images if image.relative_to(folder).as_posix() not in skipped]
    if not whole:
        first, why = next(iter(skipped.items()))
        raise UsageError(f"none of the {len(images)} files in {folder} is an image that can be read ({first}: {why})")
    target = prepared.roots()[0] / "images" / name
    with prepared.writing(target) as temporary:
        try:
            for image in whole:
                copy = temporary / image.relative_to(folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(image, copy)
            sha256 = prepared.folder_sha256((f for f in temporary.rglob("*") if f.is_file()), temporary)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    classes = len({image.parent for image in whole} - {folder})
    note = f"own images: {len(whole)} in {classes} classes" if classes else f"own images: {len(whole)}, without classes"
    if skipped:
        note += f"; {say_skipped(skipped)}"
        warnings.warn(f"{name}: {say_skipped(skipped)}; {name}.json beside it lists why", stacklevel=3)
    prepared.write_sidecar(
        target.with_name(f"{name}.json"),
        source=only[0].name if only else folder.name,
        note=note,
        sha256=sha256,
        skipped=list(skipped.items()),
    )
    return _found(name)


def _add_weights(name: str, path: Path) -> Prepared:
    suffix = ".pt" if path.suffix == ".pth" else path.suffix  # torchvision's name for the same format
    target = prepared.roots()[0] / "weights" / f"{name}{suffix}"
    with prepared.writing(target) as temporary:
        shutil.copyfile(path, temporary)
    sha256 = prepared.folder_sha256([target], target.parent)
    prepared.write_sidecar(target.with_suffix(".json"), source=path.name, note="own weights", sha256=sha256)
    return _found(name)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a set of images with labels, or any arrays of numbers; raises UsageError for what no trial can read."""
    try:
        arrays = formats.npz(path)
    except formats.BadFormat as error:
        raise UsageError(f"{path}: {error}; expected arrays of numbers or text, saved with np.savez") from error
    if arrays.keys() & {"x_train", "y_train", "x_test", "y_test"}:
        _check_images(path, arrays)
    for key, array in arrays.items():
        if not array.size or (array.dtype.kind not in "biuf" and key != "classes"):
            raise UsageError(f"{path}: {key} is {array.dtype} of shape {list(array.shape)}; expected numbers, at least one")
    if not arrays:
        raise UsageError(f"{path} holds no arrays; expected arrays of numbers, saved with np.savez({path.name!r}, X=X, y=y)")
    return arrays


def _check_images(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Raises UsageError for images or labels that no trial can read."""
    known = ("x_train", "y_train", "x_test", "y_test", "classes")
    if other := sorted(set(arrays) - set(known)):
        raise UsageError(f"{path} holds {', '.join(other)}: arrays of images are named {', '.join(known)}")
    if not {"x_test", "y_test"} <= arrays.keys() or ("x_train" in arrays) != ("y_train" in arrays):
        raise UsageError(f"{path} holds {', '.join(sorted(arrays))}: x_test and y_test are needed, and x_train goes with y_train")
    for split in ("train", "test"):
        if f"x_{split}" in arrays:
            _check_split(path, split, arrays[f"x_{split}"], arrays[f"y_{split}"], arrays.get("classes"))
    if "x_train" in arrays and arrays["x_train"].shape[1:] != arrays["x_test"].shape[1:]:
        raise UsageError(f"{path}: training images of {arrays['x_train'].shape[1:]}, test images of {arrays['x_test'].shape[1:]}")


def _check_split(path: Path, split: str, x: np.ndarray, y: np.ndarray, classes: np.ndarray | None) -> None:
    if x.dtype != np.uint8 or not (x.ndim == 3 or (x.ndim == 4 and x.shape[3] in (1, 3))) or not x.size:
        raise UsageError(
            f"{path}: x_{split} is {x.dtype} {x.shape}; expected uint8 of 0 to 255, [n, height, width] or [n, height, width, 3]"
        )
    if y.dtype.kind not in "iu" or y.shape != (len(x),):
        raise UsageError(f"{path}: y_{split} is {y.dtype} {y.shape}; expected {len(x)} whole numbers, one an image of x_{split}")
    if y.min() < 0 or (classes is not None and y.max() >= len(classes)):
        most = "" if classes is None else f" to {len(classes) - 1}, as classes has {len(classes)} names"
        raise UsageError(f"{path}: y_{split} goes from {y.min()} to {y.max()}; expected labels from 0{most}")


def _check_pt(path: Path) -> None:
    import torch

    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        first = str(error).split("\n")[0]
        raise UsageError(f"{path} does not load as plain weights ({first}): save network.state_dict() with torch.save") from error


def _check_safetensors(path: Path) -> None:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise CannotStart("reading .safetensors needs a package: pip install safetensors; or save the weights as .pt") from error
    try:
        with safe_open(path, framework="np") as file:
            list(file.keys())
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path} is no .safetensors file ({error})") from error


def _found(name: str) -> Prepared:
    found = prepared.look(name, prepared.roots()[0])
    assert found is not None
    return found
