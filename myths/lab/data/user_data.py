"""Add user data: copy images, parallel corpora, arrays, predictions or weights into prepared form."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from myths.lab.counting import counted
from myths.lab.data import formats, prepared, user_graphs, user_predictions
from myths.lab.data.layout import SPLIT_NAMES, SUFFIXES, FolderListing, Layout, all_numeric, find_images, read_layout
from myths.lab.data.names import user_dataset_name
from myths.lab.data.prepared import PreparedDataset
from myths.lab.data.user_corpora import SPLITS, add_texts, texts_in
from myths.lab.data.user_tables import add_table, holds_table
from myths.lab.data.weights import NORMALIZATION_NAMES
from myths.lab.errors import CannotStart, UsageError
from myths.lab.home import expanded

if TYPE_CHECKING:
    from myths.lab.data.folders import ImageInfo

_SAVE_WEIGHTS = "save only the weights, with torch.save(network.state_dict(), FILE)"


def add(name: str, path: Path | str, settings: Mapping[str, str] | None = None) -> PreparedDataset:
    """Copy user data into the first of ``prepared.roots()``, with a sidecar that holds its hash.

    Args:
        name: Lower-case letters, digits, - and _. Dashes become underscores.
        path: An image folder (see ``layout``), a folder with a parallel corpus (see ``user_corpora``), one image, an .npz with x_test,
            y_test and optionally x_train, y_train and classes, predictions for CIFAR-10 and CIFAR-10.1 (see ``user_predictions``), a
            graph as .csv (see ``user_graphs``), a table of items and properties as .csv (see ``user_tables``), or weights as .pt, .pth or
            .safetensors.
        settings: ``source`` and ``target`` of a parallel corpus, ``normalization`` of weights.

    Returns:
        The prepared dataset. Its ``summary`` describes how the data was interpreted.

    Raises:
        UsageError: The name is taken or invalid, or the data at ``path`` is not supported.
        CannotStart: A file cannot be written.
    """
    if not str(path):
        raise UsageError('The path is empty (""): expected a folder, an .npz, a weights file or an image')
    path, name = expanded(path), user_dataset_name(name)
    taken = (found for found in prepared.all_prepared() if found.name.partition(".")[0] == name and found.path)
    if here := prepared.find_in(name, prepared.roots()[0]) or next(taken, None):
        raise UsageError(f"The name {name} is in use ({here.path}): choose another name, or run `myths data remove {name}` first")
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    if path.is_dir() and texts_in(path):
        return add_texts(name, path, settings or {})
    weights = path.suffix in (".pt", ".pth", ".safetensors")
    if settings and not weights:
        raise UsageError(
            f"{', '.join(settings)}: only parallel texts (source, target) and weights (normalization) have settings; {path} is neither"
        )
    if path.is_dir():
        return _add_images(name, path)
    if path.suffix == ".csv" and user_graphs.is_edge_list(path):
        return _add_graph(name, path)
    if path.suffix == ".csv" and holds_table(path):
        return add_table(name, path)
    if path.suffix in user_predictions.SUFFIXES or (path.suffix == ".npz" and user_predictions.holds_predictions(_names_in(path))):
        return _add_predictions(name, path)
    if path.suffix == ".npz":
        return _add_arrays(name, path)
    if weights:
        _check_normalization(settings or {})
        tensors = (_read_safetensors if path.suffix == ".safetensors" else _read_pt)(path)
        return _add_weights(name, path, tensors, settings or {})
    if path.suffix.lower() in SUFFIXES:
        return _add_images(name, path.parent, path)
    raise UsageError(_why_useless(path))


def _why_useless(path: Path) -> str:
    if path.name.lower().endswith(_ARCHIVES):
        return f"{path} is an archive: unpack it and add the folder"
    return (
        f"Unsupported data {path}: expected a folder of images or of parallel texts (train.de, train.en, …), an .npz of arrays, "
        "predictions for CIFAR-10 and CIFAR-10.1 as .json, .csv or .npy, a graph as .csv (source,target), a table of items and "
        "properties as .csv, "
        "weights as .pt, .pth or .safetensors, or one image"
    )


_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar", ".gz")


def _add_images(name: str, folder: Path, only: Path | None = None) -> PreparedDataset:
    from myths.lab.data.folders import inspect_images, skipped_message  # imported here because it imports torch

    found = FolderListing((only,), (), ()) if only else find_images(folder)
    if not found.images:
        others = f"; it contains {_listed_with_numbers(found.others)}" if found.others else ""
        raise UsageError(f"{folder} contains no images ({', '.join(sorted(SUFFIXES))}), neither directly nor in class folders{others}")
    seen = dict(zip((image.relative_to(folder).as_posix() for image in found.images), inspect_images(found.images), strict=True))
    broken = {file: one.why_unreadable for file, one in seen.items() if one.why_unreadable}
    whole = [file for file in seen if file not in broken]
    if not whole:
        first, why = next(iter(broken.items()))
        raise UsageError(f"None of the {len(seen)} image files in {folder} can be read ({first}: {why})")
    layout = read_layout(whole)
    beside = {whole[i]: "outside the folders train, val and test" for i in layout.outside_splits}
    kept = [file for file in whole if file not in beside]
    layout = read_layout(kept)
    target = prepared.roots()[0] / "images" / name
    with prepared.writing(target) as temporary:
        try:
            for file in kept:
                copy = temporary / file
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / file, copy)
            sha256 = prepared.folder_sha256((f for f in temporary.rglob("*") if f.is_file()), temporary)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    note = f"user images: {len(kept)}" + (f" in {len(layout.classes)} classes" if layout.classes else ", without classes")
    if broken:
        note += f"; {skipped_message(broken)}"
    skipped = {**broken, **beside, **dict(found.skipped)}
    prepared.write_sidecar(
        target.with_name(f"{name}.json"),
        source=only.name if only else folder.name,
        note=note,
        sha256=sha256,
        skipped=list(skipped.items()),
        examples={part or "all": n for part in ("", "train", "val", "test") if (n := len(layout.indices(part)))},
        summary=[] if only else _image_summary(layout, kept, [seen[file] for file in kept], skipped, found.others),
    )
    return _found(name)


def _image_summary(
    layout: Layout, files: Sequence[str], looks: Sequence[ImageInfo], skipped: Mapping[str, str], others: Iterable[tuple[str, int]]
) -> list[str]:
    """Describe how an image folder was interpreted, one sentence each."""
    parts: Counter[str] = Counter(layout.splits)
    divided = f" ({', '.join(f'{part} {parts[part]:,}' for part in SPLITS if parts[part])})" if layout.is_split else ""
    lines = [f"{len(files):,} images{divided}"]
    counts = Counter(label for label in layout.labels if label)
    if layout.classes:
        least, most = min(counts.values()), max(counts.values())
        sizes = f"{least:,} images each" if least == most else f"{least:,} to {most:,} images each"
        named = ", ".join(f"{name} {counts[name]:,}" for name in layout.classes[:10])
        order = "; the number of a folder is the class" if all_numeric(layout.classes) else ""
        lines.append(f"{counted(len(layout.classes), 'class')}: {named}{_more(layout.classes, 10)} ({sizes}{order})")
    else:
        lines.append("no classes: no image is in a class folder, so there is nothing to train on, but collections can be compared")
    if layout.classes and (without := layout.labels.count("")):
        lines.append(f"{counted(without, 'image')} in no class folder: used only where no class is needed")
    if len(layout.classes) == 1:
        deeper = {PurePosixPath(file).parts[1 + layout.is_split] for file in files if len(PurePosixPath(file).parts) > 2 + layout.is_split}
        only = layout.classes[0]
        inside = f"; if the {len(deeper)} folders in {only} are the classes or parts, add {only} instead" if len(deeper) > 1 else ""
        lines.append(f"a single class: its labels cannot be learned{inside}")
    lines += _parts_below(files, layout)
    if layout.is_split:
        lines += _differences_of_parts(layout)
    sizes_of = sorted({(one.width, one.height) for one in looks}, key=lambda size: size[0] * size[1])
    (w, h), (most_w, most_h) = sizes_of[0], sizes_of[-1]
    size = f"{w}x{h}" if len(sizes_of) == 1 else f"{w}x{h} to {most_w}x{most_h} ({len(sizes_of):,} different)"
    lines.append(f"sizes {size}; modes {', '.join(f'{mode} {n:,}' for mode, n in Counter(one.mode for one in looks).most_common())}")
    if odd := sorted({one.mode for one in looks} - {"L", "RGB"}):
        lines.append(f"{', '.join(odd)} become 8-bit RGB; transparent images are put on a white background")
    if several := sum(one.frames > 1 for one in looks):
        lines.append(f"{several:,} with several frames or pages: the first is used")
    if turned := sum(one.turned for one in looks):
        lines.append(f"{turned:,} turned upright as the camera noted")
    for why, number in Counter(skipped.values()).most_common():
        first = [file for file, reason in skipped.items() if reason == why]
        lines.append(f"left out, {why}: {', '.join(first[:5])}{_more(first, 5)}" + (f" ({number:,} files)" if number > 5 else ""))
    if unused := _listed_with_numbers(others):
        lines.append(f"no images, so not used: {unused}")
    return lines


def _parts_below(files: Sequence[str], layout: Layout) -> list[str]:
    """Return a hint if folders named like splits are below class folders, as in cat/train and cat/test."""
    below = {PurePosixPath(file).parts[1 + layout.is_split : -1][:1] for file in files}
    named = sorted({SPLIT_NAMES[name.lower()] for names in below for name in names if name.lower() in SPLIT_NAMES})
    if len(layout.classes) < 2 or len(named) < 2:
        return []
    found = " and ".join(named)
    return [
        f"{found} below the classes are not read as parts, so {found} images are mixed; for parts put {found} on top: train/cat, test/cat"
    ]


def _differences_of_parts(layout: Layout) -> list[str]:
    """Return remarks on missing splits and on classes that differ between splits."""
    of = {part: {layout.labels[i] for i in layout.indices(part)} - {""} for part in ("train", "val", "test")}
    lines = ["train is trained on, test is tested on" + ("" if of["test"] else " (val where there is no test)")]
    if not of["train"]:
        lines.append("there is no training split: these images cannot be used for training")
    elif new := sorted((of["val"] | of["test"]) - of["train"]):
        lines.append(f"classes without training images: {', '.join(new[:5])}{_more(new, 5)}")
    return lines


def _listed_with_numbers(others: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{n:,} {suffix}" for suffix, n in others)


def _more(names: Sequence[str], shown: int) -> str:
    return f" and {len(names) - shown:,} more" if len(names) > shown else ""


def _add_arrays(name: str, path: Path) -> PreparedDataset:
    arrays = _arrays(path)
    if "x_test" not in arrays:
        shapes = ", ".join(f"{key} {list(array.shape)}" for key, array in arrays.items())
        return prepared.save(name, arrays, source=path.name, note="user arrays", summary=[f"arrays of numbers: {shapes}"])
    examples = {part: len(arrays[f"x_{part}"]) for part in ("train", "test") if f"x_{part}" in arrays}
    labels = np.concatenate([arrays[f"y_{part}"] for part in examples])
    shape = "x".join(map(str, arrays["x_test"].shape[1:]))
    summary = [
        f"{sum(examples.values()):,} images ({', '.join(f'{part} {n:,}' for part, n in examples.items())}) of {shape}",
        f"{len(np.unique(labels))} classes, labels {labels.min()} to {labels.max()}"
        + ("" if "classes" in arrays else "; the array classes, which would name them, is not there"),
    ]
    return prepared.save(name, arrays, source=path.name, note="user arrays", examples=examples, summary=summary)


def _check_normalization(settings: Mapping[str, str]) -> None:
    """Raise UsageError for an unknown setting of weights or an unknown normalization."""
    if unknown := sorted(set(settings) - {"normalization"}):
        raise UsageError(f"{unknown[0]}={settings[unknown[0]]}: the only setting of weights is normalization")
    given = settings.get("normalization")
    if given is not None and given not in NORMALIZATION_NAMES:
        raise UsageError(f"normalization={given!r} is not known; expected one of {', '.join(NORMALIZATION_NAMES)}")


def _add_weights(name: str, path: Path, tensors: int, settings: Mapping[str, str]) -> PreparedDataset:
    suffix = ".pt" if path.suffix == ".pth" else path.suffix  # torchvision's name for the same format
    target = prepared.roots()[0] / "weights" / f"{name}{suffix}"
    with prepared.writing(target) as temporary:
        shutil.copyfile(path, temporary)
    sha256 = prepared.folder_sha256([target], target.parent)
    summary = [f"weights: {tensors:,} tensors", *(f"{key}: {value} (as you said)" for key, value in settings.items())]
    summary.append(f"use: myths run cifar10-1 --data {name} (ten classes), or myths try saliency AttackUserImages weights={name} image=…")
    facts = {"source": path.name, "note": "user weights", "sha256": sha256, "summary": summary, "settings": dict(settings)}
    prepared.write_sidecar(target.with_suffix(".json"), **facts)
    return _found(name)


def _add_predictions(name: str, path: Path) -> PreparedDataset:
    predicted = user_predictions.read(path)
    summary = [f"predicted classes for {user_predictions.described(predicted)}", "use: myths run cifar10-1 --data " + name]
    return prepared.save(name, predicted, source=path.name, note="user predictions", summary=summary)


def _add_graph(name: str, path: Path) -> PreparedDataset:
    graph = user_graphs.read(path)
    summary = [f"a graph of {len(graph['nodes'])} nodes and {len(graph['edges']):,} edges", "use: myths run wiring --data " + name]
    return prepared.save(name, graph, source=path.name, note="user graph", summary=summary)


def _names_in(path: Path) -> list[str]:
    """Return the names of the arrays of an .npz; an empty list if it cannot be read."""
    try:
        return list(formats.npz(path))
    except formats.BadFormat:
        return []


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Read an .npz with labeled images or with any numeric arrays. Raise UsageError for content that no trial can read."""
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
    """Raise UsageError for images or labels that no trial can read."""
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


def _read_pt(path: Path) -> int:
    """Return the number of tensors in a file of torch.save. Raise UsageError for anything but named tensors."""
    import torch

    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch advises weights_only=False here, which would run whatever the file holds.
        with path.open("rb") as stream:
            pickled = stream.read(2)[:1] == b"\x80" or zipfile.is_zipfile(path)
        if not pickled:
            raise UsageError(f"{path} was not written by torch.save: {_SAVE_WEIGHTS}") from error
        raise UsageError(
            f"{path} contains Python objects in addition to tensors. Loading them can execute arbitrary code, so the file was not loaded: "
            f"{_SAVE_WEIGHTS}"
        ) from error
    except (OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        raise UsageError(f"{path} was not written by torch.save, or it is damaged: {_SAVE_WEIGHTS}") from error
    if isinstance(loaded, dict) and len(loaded) and all(isinstance(key, str) for key in loaded):
        for nested in (loaded, *(value for value in loaded.values() if isinstance(value, dict))):
            if tensors := sum(isinstance(value, torch.Tensor) for value in nested.values()):
                return tensors
    what = f"a {type(loaded).__name__}" if not isinstance(loaded, dict) else "a dictionary without named tensors"
    raise UsageError(f"{path} holds {what}; expected a dictionary from names to tensors: {_SAVE_WEIGHTS}")


def _read_safetensors(path: Path) -> int:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise CannotStart("Reading .safetensors requires a package: pip install safetensors; or save the weights as .pt") from error
    try:
        with safe_open(path, framework="np") as file:
            tensors = len(list(file.keys()))
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path} is not a .safetensors file ({error})") from error
    if not tensors:
        raise UsageError(f"{path} contains no tensors: save network.state_dict()")
    return tensors


def _found(name: str) -> PreparedDataset:
    found = prepared.find_in(name, prepared.roots()[0])
    assert found is not None
    return found
