"""Takes in what the user has: images, arrays or weights, copied into the prepared form under a name."""

from __future__ import annotations

import pickle
import re
import shutil
from pathlib import Path

import numpy as np

from myths.lab.data import formats, prepared
from myths.lab.data.catalog import CATALOG
from myths.lab.data.embedded import EMBEDDED
from myths.lab.data.prepared import Prepared
from myths.lab.errors import CannotStart, UsageError


def add(name: str, path: Path) -> Prepared:
    """Copies an image folder, an .npz or a weights file into the first of ``prepared.roots()``, with its hash beside it.

    Images lie in CLASS/image, or in train/CLASS/image and test/CLASS/image; arrays hold numbers or text;
    weights are a .pt that torch loads with ``weights_only=True``, or a .safetensors. What is there is not changed.

    Raises UsageError for a name that is taken or not of the form [a-z0-9_]+, and for anything else at ``path``;
    CannotStart when it cannot be written.
    """
    path = Path(path).expanduser()
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise UsageError(f"{name!r} is no name for a data set: use small letters, digits and _")
    if name in CATALOG or name in EMBEDDED:
        raise UsageError(f"{name} is the name of a data set that the suite knows: choose another")
    if here := prepared.look(name, prepared.roots()[0]):
        raise UsageError(f"{name} is here already ({here.path}): choose another name, or move it away")
    if not path.exists():
        raise UsageError(f"there is no {path}")
    if path.is_dir():
        return _add_images(name, path)
    if path.suffix == ".npz":
        return prepared.save(name, _plain_arrays(path), source=path.name, note="own arrays")
    if path.suffix in (".pt", ".safetensors"):
        (_check_pt if path.suffix == ".pt" else _check_safetensors)(path)
        return _add_weights(name, path)
    raise UsageError(f"{path} is none of: a folder of CLASS/image files, an .npz of arrays, weights as .pt or .safetensors")


def _add_images(name: str, folder: Path) -> Prepared:
    from PIL import Image

    from myths.lab.data.images import folder_splits

    splits = folder_splits(folder)
    if not splits:
        raise UsageError(f"{folder} holds no CLASS/image files: expected one folder a class, each with images, or train/ and test/ of such")
    images = [f for by_class in splits.values() for files in by_class.values() for f in files]
    target = prepared.roots()[0] / "images" / name
    with prepared.writing(target) as temporary:
        try:
            for image in images:
                try:
                    with Image.open(image) as opened:
                        opened.load()
                except (OSError, SyntaxError, ValueError) as error:
                    raise UsageError(f"{image} is not an image that can be read") from error
                copy = temporary / image.relative_to(folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(image, copy)
            sha256 = prepared.folder_sha256((f for f in temporary.rglob("*") if f.is_file()), temporary)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    classes = len({c for by_class in splits.values() for c in by_class})
    note = f"own images: {len(images)} in {classes} classes"
    prepared.write_sidecar(target.with_name(f"{name}.json"), source=folder.name, note=note, sha256=sha256)
    return _found(name)


def _add_weights(name: str, path: Path) -> Prepared:
    target = prepared.roots()[0] / "weights" / f"{name}{path.suffix}"
    with prepared.writing(target) as temporary:
        shutil.copyfile(path, temporary)
    sha256 = prepared.folder_sha256([target], target.parent)
    prepared.write_sidecar(target.with_suffix(".json"), source=path.name, note="own weights", sha256=sha256)
    return _found(name)


def _plain_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        return formats.npz(path)
    except formats.BadFormat as error:
        raise UsageError(f"{path}: {error}; expected arrays of numbers or text, saved with np.savez") from error


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
