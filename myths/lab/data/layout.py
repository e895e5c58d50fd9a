"""Layout of image folders: splits, classes, and image files.

``find_images`` walks a folder and ``read_layout`` interprets the paths. The layout depends on the paths only, so a prepared copy has the
same layout on every machine. docs/own-data.md describes the rules for users.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from myths.lab.errors import UsageError

Split = Literal["", "train", "val", "test"]
SPLIT_NAMES: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Folder name in lower case -> split."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
"""Suffixes of image files."""

_CLUTTER = frozenset({"__macosx", "@eadir", "$recycle.bin", "thumbs.db", "desktop.ini"})
"""Names of files and folders that operating systems create, in lower case."""


@dataclass(frozen=True)
class FolderListing:
    """The files of a folder, before any is opened.

    Attributes:
        images: Files with an image suffix, sorted by path.
        skipped: Path relative to the folder, and the reason: circular or broken links, folders that cannot be opened.
        others: Number of other files per suffix, without hidden files and system files.
    """

    images: tuple[Path, ...]
    skipped: tuple[tuple[str, str], ...]
    others: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Layout:
    """Splits and classes of the files of an image folder.

    Attributes:
        splits: Split of each file; "" everywhere in a folder without splits, and for files beside the splits.
        labels: Class of each file; "" for a file outside class folders.
        classes: Class names, in numeric order if all are numbers, otherwise alphabetical.
        is_split: Whether the folder has splits.
    """

    splits: tuple[Split, ...]
    labels: tuple[str, ...]
    classes: tuple[str, ...]
    is_split: bool

    def indices(self, split: Split) -> list[int]:
        """Return the positions of the files of a split."""
        return [i for i, found in enumerate(self.splits) if found == split]

    @property
    def outside_splits(self) -> list[int]:
        """Positions of files outside the splits of a folder with splits."""
        return self.indices("") if self.is_split else []


def find_images(folder: Path) -> FolderListing:
    """Walk a folder and list its images.

    Links to folders are followed unless they are circular. Hidden files and folders, and files of operating systems (``__MACOSX``,
    ``Thumbs.db``), are ignored.

    Args:
        folder: The folder to walk.

    Returns:
        The images, sorted by path, and the skipped files.
    """
    images: list[Path] = []
    skipped: dict[str, str] = {}
    others: Counter[str] = Counter()

    def walk(place: Path, above: frozenset[tuple[int, int]]) -> None:
        below = place.relative_to(folder).as_posix()
        try:
            status = os.stat(place)
            if (key := (status.st_dev, status.st_ino)) in above:
                skipped[below] = "the link leads back to a folder above it"
                return
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError as error:
            skipped[below] = f"the folder cannot be opened ({error.strerror or error})"
            return
        for entry in entries:
            path = place / entry.name
            if entry.name.startswith(".") or entry.name.lower() in _CLUTTER:
                continue
            if entry.is_dir():
                walk(path, above | {key})
            elif path.suffix.lower() not in SUFFIXES:
                others[path.suffix.lower() or "no suffix"] += 1
            elif entry.is_file():
                images.append(path)
            else:
                skipped[path.relative_to(folder).as_posix()] = "the link leads nowhere" if entry.is_symlink() else "it is no file"

    walk(folder, frozenset())
    return FolderListing(tuple(sorted(images)), tuple(sorted(skipped.items())), tuple(sorted(others.items())))


def read_layout(files: Iterable[str]) -> Layout:
    """Determine the split and the class of each file of a folder.

    A folder has splits if all of its subfolders have the name of a split, or if one is the training split and another the validation or
    test split. Splits are named train, val (or valid, validation, dev) and test, in upper or lower case. The first folder below a split,
    or below the root of a folder without splits, is the class. Deeper folders belong to their class.

    Args:
        files: Paths relative to the folder, separated by "/".

    Returns:
        The split and the class of each file, in the order of ``files``.

    Raises:
        UsageError: Two class folders of one split are the same number, such as 1 and 01.
    """
    steps = [PurePosixPath(file).parts for file in files]
    top = {parts[0] for parts in steps if len(parts) > 1}
    named = {SPLIT_NAMES[name.lower()] for name in top if name.lower() in SPLIT_NAMES}
    is_split = bool(top) and ((len(named) > 1 and "train" in named) or all(name.lower() in SPLIT_NAMES for name in top))
    parts: list[Split] = [SPLIT_NAMES.get(step[0].lower(), "") if is_split and len(step) > 1 else "" for step in steps]
    below = [step[1:] if part else step for step, part in zip(steps, parts, strict=True)]
    given = [step[0] if len(step) > 1 and (part or not is_split) else "" for step, part in zip(below, parts, strict=True)]
    spelling = _canonical_spellings(parts, given)
    labels = tuple(spelling.get(label, label) for label in given)
    return Layout(tuple(parts), labels, sort_classes({label for label in labels if label}), is_split)


def sort_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Sort class names: numerically if all are numbers, otherwise alphabetically."""
    listed = sorted(names)
    return tuple(sorted(listed, key=int)) if all_numeric(listed) else tuple(listed)


def all_numeric(names: Sequence[str]) -> bool:
    """Return whether all names are non-negative integers in ASCII digits, so that folder names are class numbers."""
    return bool(names) and all(name.isascii() and name.isdecimal() for name in names)


def _canonical_spellings(parts: Sequence[Split], labels: Sequence[str]) -> dict[str, str]:
    """Return a common name for classes that are spelled differently in different splits (train/Cat, test/cat; train/1, test/01).

    Two spellings in one split are two classes, such as handwritten "A" and "a".
    """
    used: dict[str, dict[str, set[Split]]] = {}
    every = all_numeric(sorted({label for label in labels if label}))
    for part, label in zip(parts, labels, strict=True):
        key = str(int(label)) if every and label else unicodedata.normalize("NFC", label).casefold().strip()
        used.setdefault(key, {}).setdefault(label, set()).add(part)
    rename: dict[str, str] = {}
    order = ("train", "val", "test", "")
    for spellings in used.values():
        places = [part for where in spellings.values() for part in where]
        if len(spellings) == 1:
            continue
        if len(places) > len(set(places)):
            if every:
                raise UsageError(f"the class folders {' and '.join(sorted(spellings))} are the same number: merge them or name them apart")
            continue
        first = min(spellings, key=lambda name: min(order.index(part) for part in spellings[name]))
        rename |= dict.fromkeys(spellings, first)
    return rename
