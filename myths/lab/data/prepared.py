"""The prepared form of a data set, in which every myth reads it: where it lies, and whether it is intact.

A prepared set is ``<root>/<name>.npz``, ``<root>/images/<name>/``, ``<root>/text/<name>.txt`` (or ``.jsonl``) or
``<root>/weights/<name>.pt`` (or ``.safetensors``), each with ``<name>.json`` beside it: source, note and the SHA-256 of its content.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from myths.lab.data import formats
from myths.lab.data.built_in import BUILT_IN
from myths.lab.data.catalog import CATALOG
from myths.lab.data.names import canonical_name
from myths.lab.errors import CannotStart, UsageError
from myths.lab.home import expanded, home

Kind = Literal["arrays", "images", "text", "texts", "weights", "built-in"]
State = Literal["present", "not downloaded", "modified", "corrupt"]

_PLACES: tuple[tuple[Kind, str, str], ...] = (
    ("arrays", "", ".npz"),
    ("images", "images", ""),
    ("text", "text", ".txt"),
    ("text", "text", ".jsonl"),
    ("texts", "text", ".json"),
    ("weights", "weights", ".pt"),
    ("weights", "weights", ".safetensors"),
)
"""Kind, folder below the root and suffix of each prepared form. "texts" are parallel texts: a JSON that names their languages, and a
text for each part and language."""


@dataclass(frozen=True)
class PreparedDataset:
    """A data set that is here; ``sha256`` and ``note`` are what its sidecar says. Embedded sets have no path."""

    name: str
    path: Path | None
    kind: Kind
    source: str
    note: str
    sha256: str
    archives: tuple[tuple[str, str], ...] = ()
    """The published files it was made from and their SHA-256, where it was made from a download."""
    examples: tuple[tuple[str, int], ...] = ()
    """How many examples each part of a set of the user's own has: "train", "val", "test", or "all" of a set without parts."""
    summary: tuple[str, ...] = ()
    """What ``myths data add`` understood, a sentence each."""
    settings: tuple[tuple[str, str], ...] = ()
    """What ``myths data add`` was told of weights: "normalization"."""

    @property
    def bytes(self) -> int:
        """What its file, or all files of its folder, hold; 0 of an built-in set."""
        if self.path is None:
            return 0
        if self.kind == "texts":
            return sum(f.stat().st_size for f in parts_of_texts(self.path))
        return sum(f.stat().st_size for f in self.path.rglob("*") if f.is_file()) if self.path.is_dir() else self.path.stat().st_size

    def metadata(self) -> dict[str, str]:
        """What a result that was made from it records: its source, note, hash and whether it is the official set. No path."""
        return {"source": self.source, "note": self.note, "sha256": self.sha256, "state": state_of(self)}


@dataclass(frozen=True)
class Verification:
    """What recomputing the hash of a data set says; ``expected`` and ``found`` are SHA-256 of the content."""

    name: str
    state: State
    note: str
    expected: str | None
    found: str | None
    path: Path | None


def roots() -> tuple[Path, ...]:
    """Where prepared sets are looked for, in order; the first is where new ones go."""
    given = os.environ.get("MYTHS_DATA")
    return (*((expanded(given),) if given else ()), home() / ".cache" / "myths")


# --- what the content is the hash of --------------------------------------------------------------


def content_sha256(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of arrays: of name, dtype, shape and C-ordered bytes of each, in the order of the names.

    Raises ValueError for an array of Python objects, whose bytes are addresses.
    """
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        if array.dtype.hasobject:
            raise ValueError(f"{name} holds Python objects, not numbers or text")
        contiguous = np.ascontiguousarray(array)
        digest.update(f"{name} {contiguous.dtype.str} {contiguous.shape}\n".encode())
        digest.update(contiguous.tobytes())
    return digest.hexdigest()


def folder_sha256(paths: Iterable[Path], root: Path) -> str:
    """SHA-256 of files: of the path below ``root`` and the bytes of each, in the order of the paths."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


# --- finding and reading --------------------------------------------------------------------------


def find(name: str) -> PreparedDataset | None:
    """The prepared or built-in set of this name, by its sidecar, or None. Opens no data.

    Dashes in the name of a set are underscores. Raises CannotStart when its sidecar cannot be read, UsageError for what is no name.
    """
    name = canonical_name(name)
    if name in BUILT_IN:
        return PreparedDataset(name, None, "built-in", "carried by the suite or a package it needs", "", _built_in_sha256(name))
    return next((found for root in roots() if (found := find_in(name, root))), None)


def find_in(name: str, root: Path) -> PreparedDataset | None:
    """As ``find``, in one root and for what lies on disk only."""
    for kind, folder, suffix in _PLACES:
        path = root / folder / f"{name}{suffix}"
        sidecar = root / folder / f"{name}.json"
        if not (path.is_dir() if kind == "images" else path.is_file()) or (kind == "images" and not sidecar.exists()):
            continue
        try:
            facts = json.loads(sidecar.read_text(encoding="utf-8"))
            if kind == "texts" and "languages" not in facts:
                continue
            source, note, sha256 = (str(facts[key]) for key in ("source", "note", "sha256"))
            archives = tuple(sorted(dict(facts.get("archives", {})).items()))
            examples = tuple((str(part), int(n)) for part, n in dict(facts.get("examples", {})).items())
            summary = tuple(map(str, facts.get("summary", ())))
            settings = tuple((str(key), str(value)) for key, value in dict(facts.get("settings", {})).items())
        except FileNotFoundError as error:
            raise CannotStart(
                f"{path} has no {sidecar.name} beside it, which says what it is: bring the one that belongs to it, "
                f"or take the data in under a name of your own with `myths data add NAME {path}`"
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CannotStart(f"{sidecar} cannot be read ({error}): bring it and {path.name} again, both from one place") from error
        return PreparedDataset(name, path, kind, source, note, sha256, archives, examples, summary, settings)
    return None


def examples_of(name: str, *parts: str) -> int | None:
    """How many examples the first of some parts has that a set of the user's own has; None where nothing says so.

    Example:
        ``examples_of("mine", "train", "all")`` is the number of training images, or of all images of a set without parts.
    """
    try:
        found = find(name)
    except (CannotStart, UsageError):
        return None
    counts = dict(found.examples) if found else {}
    return next((counts[part] for part in parts if part in counts), None)


def all_prepared() -> list[PreparedDataset]:
    """All that lies in the roots, by name; of two of one name the one that is found first. Skips what has no readable sidecar."""
    found: dict[str, PreparedDataset] = {}
    for root in roots():
        for folder in dict.fromkeys(folder for _, folder, _ in _PLACES):
            for sidecar in sorted((root / folder).glob("*.json")):
                with contextlib.suppress(CannotStart):
                    if sidecar.stem not in found and (prepared := find_in(sidecar.stem, root)):
                        found[sidecar.stem] = prepared
    return [found[name] for name in sorted(found)]


def unusable() -> list[tuple[str, str]]:
    """What lies in the roots and cannot be used, by name, each with why: a sidecar that is damaged or absent, or data that are."""
    found: dict[str, str] = {}
    for root in roots():
        for kind, folder, suffix in _PLACES:
            for path in sorted((root / folder).glob(f"*{suffix}")):
                if path.name.startswith(".") or path.is_dir() != (kind == "images"):
                    continue
                name = path.name.removesuffix(suffix)
                try:
                    if find_in(name, root) is None and kind != "texts":
                        found.setdefault(name, f"{path} has no {name}.json beside it: add it again under another name, or delete it")
                except CannotStart as error:
                    found.setdefault(name, str(error))
    return sorted(found.items())


def remove(name: str) -> list[Path]:
    """Delete a set that ``myths data add`` brought, with its sidecar; of parallel texts all parts.

    Args:
        name: The name under which it was added.

    Returns:
        The files and folders that are gone. What they were copied from is untouched.

    Raises:
        UsageError: There is no such set, or it is not one of the user's own.
        CannotStart: A file cannot be deleted.
    """
    name = canonical_name(name)
    if name in CATALOG or name in BUILT_IN or "." in name:
        where = "it is part of an installed package" if name in BUILT_IN else f"delete its files below {roots()[0]} yourself"
        raise UsageError(f"{name} is no set that `myths data add` brought: {where}")
    folders = [root / folder for root in roots() for folder in dict.fromkeys(folder for _, folder, _ in _PLACES)]
    gone = [path for folder in folders for path in sorted(folder.glob(f"{name}.*"))]
    gone += [path for root in roots() if (path := root / "images" / name).is_dir()]
    if not gone:
        raise UsageError(f"there is no data set {name!r}: `myths data list` names them")
    for path in gone:
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError as error:
            raise CannotStart(f"{path} cannot be deleted ({error.strerror or error})") from error
    return gone


def require(name: str) -> PreparedDataset:
    """As ``find``; raises CannotStart that says how to get the set when it is not here."""
    if prepared := find(name):
        return prepared
    name = canonical_name(name)
    where = roots()[0]
    if (entry := CATALOG.get(name)) is None:
        here = {found.name.partition(".")[0] for found in all_prepared() if found.path}
        meant = difflib.get_close_matches(name.lower(), [*CATALOG, *here], n=1, cutoff=0.8)
        hint = f" (did you mean {meant[0]}?)" if meant else ""
        raise CannotStart(
            f"the data set {name} is not here{hint}, and the suite knows no download of it: `myths data add {name.lower()} PATH` brings "
            f"your own, or put it with its {name}.json below {where}"
        )
    if not entry.files:
        raise CannotStart(f"the data set {name} is not here and has no download: {entry.note}, and put them into {where}")
    raise CannotStart(
        f"the data set {name} is not here ({entry.download_bytes / 1e6:,.1f} MB to download): run `myths data get {name}`, which asks "
        f"{', '.join(entry.mirrors)}; offline, put {name}.npz and {name}.json into {where}, "
        f"or the published files into {where / 'downloads' / name} and run the same command"
    )


def load(name: str) -> dict[str, np.ndarray]:
    """The arrays of a prepared or built-in set, read-only, with their hash checked; read once per process.

    Raises CannotStart when the set is absent, unreadable, or not what its sidecar says.
    """
    prepared = require(name)
    if prepared.path is None:
        return dict(_built_in(name))
    if prepared.kind != "arrays":
        raise CannotStart(f"{name} is a set of {prepared.kind} ({prepared.path}), not of arrays")
    stamp = prepared.path.stat()
    return dict(_read(prepared, stamp.st_mtime_ns, stamp.st_size))


def sha256_of(name: str) -> str | None:
    """The SHA-256 of the content as its sidecar says, or None when the set is not here."""
    return prepared.sha256 if (prepared := find(name)) else None


def verify(name: str) -> Verification:
    """Recomputes the hash of a set and compares it with its sidecar and the catalog. Raises nothing for data at fault."""
    name = canonical_name(name)
    official = CATALOG[name].content if name in CATALOG else None
    try:
        prepared = find(name)
    except CannotStart as error:
        return Verification(name, "corrupt", str(error), official, None, None)
    if prepared is None:
        return Verification(name, "not downloaded", "", official, None, None)
    try:
        found = compute_sha256(prepared)
    except CannotStart as error:
        return Verification(name, "corrupt", str(error), prepared.sha256, None, prepared.path)
    if found != prepared.sha256:
        return Verification(name, "corrupt", str(_differs(prepared, found)), prepared.sha256, found, prepared.path)
    return Verification(name, state_of(prepared), prepared.note, official or prepared.sha256, found, prepared.path)


def state_of(prepared: PreparedDataset) -> Literal["present", "modified"]:
    """Whether a set is the official one, believing its sidecar. Sets that the catalog does not know are what they are."""
    entry = CATALOG.get(prepared.name)
    if entry is None or prepared.sha256 == entry.content:
        return "present"
    made_from, published = dict(prepared.archives), {f.file: f.checksum for f in entry.files}
    genuine = bool(published) and all(checksum and checksum == f"sha256:{made_from.get(f)}" for f, checksum in published.items())
    return "present" if genuine else "modified"


def compute_sha256(prepared: PreparedDataset) -> str:
    """The SHA-256 of the content, recomputed. Raises CannotStart naming the file when it cannot be read."""
    if prepared.path is None:
        return _built_in_sha256(prepared.name)
    try:
        if prepared.kind == "arrays":
            return content_sha256(formats.npz(prepared.path))
        if prepared.kind == "images":
            return folder_sha256((f for f in prepared.path.rglob("*") if f.is_file()), prepared.path)
        if prepared.kind == "texts":
            return folder_sha256(parts_of_texts(prepared.path), prepared.path.parent)
        return folder_sha256([prepared.path], prepared.path.parent)
    except (OSError, formats.BadFormat) as error:
        raise CannotStart(f"{prepared.path} cannot be read ({error}): {_bring_again(prepared)}") from error


def parts_of_texts(path: Path) -> list[Path]:
    """The files of parallel texts, by the path of the JSON that says what they are."""
    return sorted(path.parent.glob(f"{path.stem}.*.txt"))


def require_verified(name: str) -> PreparedDataset:
    """As ``require``, with the hash recomputed; raises CannotStart with both hashes when it is not what its sidecar says."""
    prepared = require(name)
    if (found := compute_sha256(prepared)) != prepared.sha256:
        raise _differs(prepared, found)
    return prepared


# --- writing --------------------------------------------------------------------------------------


def save(
    name: str,
    arrays: Mapping[str, np.ndarray],
    source: str,
    note: str,
    archives: Mapping[str, str] | None = None,
    root: Path | None = None,
    **facts: Any,
) -> PreparedDataset:
    """Writes arrays in prepared form into ``root`` (the first of ``roots()`` if none is given), the sidecar last.

    ``archives`` gives the SHA-256 of each published file they were made from; further ``facts`` go into the sidecar. Raises
    CannotStart when it cannot be written; then nothing half-written is left, and what was there before still is.
    """
    path = (root or roots()[0]) / f"{name}.npz"
    sha256 = content_sha256(arrays)
    with writing(path) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]
    write_sidecar(path.with_suffix(".json"), source=source, note=note, sha256=sha256, archives=dict(archives or {}), **facts)
    found = find_in(name, root or roots()[0])
    assert found is not None
    return found


def write_sidecar(path: Path, **facts: Any) -> None:
    """Writes the JSON beside a prepared set, all or nothing. Raises CannotStart when it cannot."""
    with writing(path) as temporary:
        temporary.write_text(json.dumps({k: v for k, v in facts.items() if v != {}}, indent=1) + "\n", encoding="utf-8")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A temporary path in the folder of ``path`` that takes its place when the block ends well and is gone otherwise.

    Raises CannotStart when there is no space left, or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> CannotStart:
    """The error for the user when ``path`` could not be written."""
    if error.errno == errno.ENOSPC:
        return CannotStart(f"no space left for {path}: free some, or set MYTHS_DATA to a folder on another disk")
    return CannotStart(f"{path} cannot be written ({error.strerror or error}): set MYTHS_DATA to a folder that can")


# --- inside ---------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=8)
def _read(prepared: PreparedDataset, modified: int, size: int) -> dict[str, np.ndarray]:
    """``modified`` and ``size`` are there to read a file again that was replaced."""
    assert prepared.path is not None
    try:
        arrays = formats.npz(prepared.path)
    except formats.BadFormat as error:
        raise CannotStart(f"{prepared.path} cannot be read ({error}): {_bring_again(prepared)}") from error
    if (found := content_sha256(arrays)) != prepared.sha256:
        raise _differs(prepared, found)
    return _frozen(arrays)


@functools.cache
def _built_in(name: str) -> dict[str, np.ndarray]:
    return _frozen(BUILT_IN[name]())


@functools.cache
def _built_in_sha256(name: str) -> str:
    return content_sha256(_built_in(name))


def _frozen(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


def _differs(prepared: PreparedDataset, found: str) -> CannotStart:
    return CannotStart(
        f"{prepared.path} is not what {prepared.name}.json beside it says: its content has SHA-256 {found}, "
        f"not {prepared.sha256}; {_bring_again(prepared)}"
    )


def _bring_again(prepared: PreparedDataset) -> str:
    again = f"run `myths data get {prepared.name}`" if prepared.name in CATALOG and CATALOG[prepared.name].files else "bring it again"
    return f"move it away and {again} (nothing is deleted for you)"
