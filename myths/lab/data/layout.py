"""The rule by which a folder of images is read: its parts, its classes, and which files count.

``find_images`` walks a folder, ``read_layout`` says what the paths mean. The second is a function of the paths alone. A prepared copy holds
the same paths, so it reads the same on every machine and at every later time. docs/own-data.md states the rule for users.
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
"""Names of folders that are parts, in any case."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
"""What counts as an image in a folder."""

_CLUTTER = frozenset({"__macosx", "@eadir", "$recycle.bin", "thumbs.db", "desktop.ini"})
"""What operating systems leave in folders, in lower case."""


@dataclass(frozen=True)
class FolderListing:
    """The files of a folder, before any is opened.

    Attributes:
        images: Files with the name of an image, in the order of their paths.
        skipped: Path below the folder, and why it is left out: links that loop or lead nowhere, folders that cannot be opened.
        others: Number of files of each suffix that is not an image's; hidden files and clutter are not counted.
    """

    images: tuple[Path, ...]
    skipped: tuple[tuple[str, str], ...]
    others: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Layout:
    """What the paths of a folder of images mean.

    Attributes:
        parts: Split of each file; "" everywhere in a folder without parts, and for files beside the parts.
        labels: Class of each file; "" for a file that lies in no class folder.
        classes: Names of the classes, in numeric order if all of them are numbers, else in alphabetical order.
        parted: Whether the folder is divided into parts.
    """

    splits: tuple[Split, ...]
    labels: tuple[str, ...]
    classes: tuple[str, ...]
    is_split: bool

    def indices(self, part: Split) -> list[int]:
        """Return the positions of the files of one part."""
        return [i for i, found in enumerate(self.splits) if found == part]

    @property
    def outside_splits(self) -> list[int]:
        """Positions of files that lie beside the parts of a folder that is divided into parts."""
        return self.indices("") if self.is_split else []


def find_images(folder: Path) -> FolderListing:
    """Walk a folder and list its images.

    Links to folders are followed, unless they lead back to a folder above them. Hidden files and folders, and what operating systems
    leave behind (``__MACOSX``, ``Thumbs.db``), are ignored.

    Args:
        folder: The folder to walk.

    Returns:
        The images in the order of their paths, and what was left out.
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
    """Say which part and which class each file of a folder belongs to.

    A folder has parts if all of its folders have the name of a part, or if one is the training part and another the validation or test
    part. Parts are named train, val (or valid, validation, dev) and test, in any case. The first folder below a part, or below the
    root of a folder without parts, is the class. Deeper folders belong to their class.

    Args:
        files: Paths below the folder, with "/" between their steps.

    Returns:
        The part and the class of each file, in the order of ``files``.

    Raises:
        UsageError: Two class folders of one part are the same number, such as 1 and 01.
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
    """Sort class names: by number if all of them are numbers, else alphabetically."""
    listed = sorted(names)
    return tuple(sorted(listed, key=int)) if all_numeric(listed) else tuple(listed)


def all_numeric(names: Sequence[str]) -> bool:
    """Return whether all names are whole numbers in ASCII digits, so that the name of a folder is the number of a class."""
    return bool(names) and all(name.isascii() and name.isdecimal() for name in names)


def _canonical_spellings(parts: Sequence[Split], labels: Sequence[str]) -> dict[str, str]:
    """The name for each class that is spelled differently in different parts (train/Cat, test/cat; train/1, test/01).

    Two spellings in one part are two classes, as with handwritten "A" and "a".
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
