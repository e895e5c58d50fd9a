"""Prepared datasets: find, load, verify, save and remove them.

A prepared dataset is ``<root>/<name>.npz``, ``<root>/images/<name>/``, ``<root>/text/<name>.txt`` (or ``.jsonl``) or
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
from collections.abc import Callable, Iterable, Iterator, Mapping
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
"""Kind, folder below the root and suffix of each prepared form. "texts" are parallel corpora: a JSON file with their languages, and one
text per split and language."""


@dataclass(frozen=True)
class PreparedDataset:
    """A dataset on this machine; ``sha256`` and ``note`` are read from its sidecar. Built-in datasets have no path."""

    name: str
    path: Path | None
    kind: Kind
    source: str
    note: str
    sha256: str
    archives: tuple[tuple[str, str], ...] = ()
    """Published files that it was prepared from, with their SHA-256, if it was downloaded."""
    examples: tuple[tuple[str, int], ...] = ()
    """Number of examples per split of a user dataset: "train", "val", "test", or "all" without splits."""
    summary: tuple[str, ...] = ()
    """How ``myths data add`` interpreted the data, one sentence each."""
    settings: tuple[tuple[str, str], ...] = ()
    """Settings of weights given to ``myths data add``: "normalization"."""

    @property
    def bytes(self) -> int:
        """What its file, or all files of its folder, hold; 0 of an built-in set."""
        if self.path is None:
            return 0
        if self.kind == "texts":
            return sum(f.stat().st_size for f in parts_of_texts(self.path))
        return sum(f.stat().st_size for f in self.path.rglob("*") if f.is_file()) if self.path.is_dir() else self.path.stat().st_size

    def metadata(self) -> dict[str, str]:
        """Return what results record about the dataset: source, note, hash and state, without paths."""
        return {"source": self.source, "note": self.note, "sha256": self.sha256, "state": state_of(self)}


@dataclass(frozen=True)
class Verification:
    """Result of recomputing the hash of a dataset; ``expected`` and ``found`` are SHA-256 of the content."""

    name: str
    state: State
    note: str
    expected: str | None
    found: str | None
    path: Path | None


def roots() -> tuple[Path, ...]:
    """Return the folders that are searched for prepared datasets, in order. New ones are saved in the first."""
    given = os.environ.get("MYTHS_DATA")
    return (*((expanded(given),) if given else ()), home() / ".cache" / "myths")


# --- content hashes --------------------------------------------------------------


def content_sha256(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of arrays: of name, dtype, shape and C-ordered bytes of each, sorted by name.

    Raises:
        ValueError: An array holds Python objects, whose bytes are addresses.
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
    """Return the SHA-256 of files: of the path relative to ``root`` and the bytes of each, sorted by path."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


# --- finding and reading --------------------------------------------------------------------------


def find(name: str) -> PreparedDataset | None:
    """Return the prepared or built-in dataset of this name as described by its sidecar, or None. The data is not opened.

    Raises:
        CannotStart: The sidecar cannot be read.
        UsageError: The name is invalid.
    """
    name = canonical_name(name)
    if name in BUILT_IN:
        return PreparedDataset(name, None, "built-in", "built-in", "", _built_in_sha256(name))
    return next((found for root in roots() if (found := find_in(name, root))), None)


def find_in(name: str, root: Path) -> PreparedDataset | None:
    """Return the prepared dataset of this name in one root, or None."""
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
                f"{path} has no {sidecar.name}, which describes it: copy the matching file, "
                f"or add the data under another name with `myths data add NAME {path}`"
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CannotStart(f"{sidecar} cannot be read ({error}): copy it and {path.name} again from the same source") from error
        return PreparedDataset(name, path, kind, source, note, sha256, archives, examples, summary, settings)
    return None


def examples_of(name: str, *parts: str) -> int | None:
    """Return the number of examples of the first of ``parts`` that a user dataset has, or None if unknown.

    Example:
        ``examples_of("mine", "train", "all")`` is the number of training images, or of all images without splits.
    """
    try:
        found = find(name)
    except (CannotStart, UsageError):
        return None
    counts = dict(found.examples) if found else {}
    return next((counts[part] for part in parts if part in counts), None)


def all_prepared() -> list[PreparedDataset]:
    """Return all prepared datasets in the roots, sorted by name. The first root wins; datasets without a readable sidecar are omitted."""
    found: dict[str, PreparedDataset] = {}
    for root in roots():
        for folder in dict.fromkeys(folder for _, folder, _ in _PLACES):
            for sidecar in sorted((root / folder).glob("*.json")):
                with contextlib.suppress(CannotStart):
                    if sidecar.stem not in found and (prepared := find_in(sidecar.stem, root)):
                        found[sidecar.stem] = prepared
    return [found[name] for name in sorted(found)]


def unusable() -> list[tuple[str, str]]:
    """Return the names of unusable datasets in the roots, each with the reason: damaged or missing data or sidecar."""
    found: dict[str, str] = {}
    for root in roots():
        for kind, folder, suffix in _PLACES:
            for path in sorted((root / folder).glob(f"*{suffix}")):
                if path.name.startswith(".") or path.is_dir() != (kind == "images"):
                    continue
                name = path.name.removesuffix(suffix)
                try:
                    if find_in(name, root) is None and kind != "texts":
                        found.setdefault(name, f"{path} has no {name}.json: add it again under another name, or delete it")
                except CannotStart as error:
                    found.setdefault(name, str(error))
    return sorted(found.items())


def remove(name: str) -> list[Path]:
    """Delete a user dataset with its sidecar; of parallel corpora all files.

    Args:
        name: The name under which it was added.

    Returns:
        The deleted files and folders. The originals that they were copied from are not touched.

    Raises:
        UsageError: There is no such dataset, or it was not added by the user.
        CannotStart: A file cannot be deleted.
    """
    name = canonical_name(name)
    if name in CATALOG or name in BUILT_IN or "." in name:
        where = "it is built-in" if name in BUILT_IN else f"delete its files below {roots()[0]} yourself"
        raise UsageError(f"{name} was not added with `myths data add`: {where}")
    folders = [root / folder for root in roots() for folder in dict.fromkeys(folder for _, folder, _ in _PLACES)]
    gone = [path for folder in folders for path in sorted(folder.glob(f"{name}.*"))]
    gone += [path for root in roots() if (path := root / "images" / name).is_dir()]
    if not gone:
        raise UsageError(f"Unknown dataset {name!r}: `myths data list` prints the available names")
    for path in gone:
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError as error:
            raise CannotStart(f"{path} cannot be deleted ({error.strerror or error})") from error
    return gone


def without_paths(text: str) -> str:
    """Return a text with the folders of the prepared datasets replaced by "DATA", so that it can be stored with results."""
    for root in sorted(map(str, roots()), key=len, reverse=True):
        text = text.replace(root, "DATA")
    return text


def require(name: str) -> PreparedDataset:
    """Return the prepared or built-in dataset of this name.

    Raises:
        CannotStart: It is not available; the message explains how to get it.
    """
    if prepared := find(name):
        return prepared
    name = canonical_name(name)
    where = roots()[0]
    if (entry := CATALOG.get(name)) is None:
        here = {found.name.partition(".")[0] for found in all_prepared() if found.path}
        meant = difflib.get_close_matches(name.lower(), [*CATALOG, *here], n=1, cutoff=0.8)
        hint = f" (did you mean {meant[0]}?)" if meant else ""
        raise CannotStart(
            f"Dataset {name} is not available{hint} and has no download. Add your own with `myths data add {name.lower()} PATH`, "
            f"or copy it with its {name}.json to {where}"
        )
    if not entry.files:
        raise CannotStart(f"Dataset {name} is not available and has no download: {entry.note}, and put them into {where}")
    raise CannotStart(
        f"Dataset {name} is not downloaded ({entry.download_bytes / 1e6:,.1f} MB): run `myths data get {name}`, which uses "
        f"{', '.join(entry.mirrors)}; offline, copy {name}.npz and {name}.json to {where}, "
        f"or the published files into {where / 'downloads' / name} and run the same command"
    )


def load(name: str) -> dict[str, np.ndarray]:
    """Return the arrays of a prepared or built-in dataset, read-only, with verified hash. They are read once per process.

    Raises:
        CannotStart: The dataset is not available, unreadable, or does not match its hash.
    """
    prepared = require(name)
    if prepared.path is None:
        return dict(_built_in(name))
    if prepared.kind != "arrays":
        raise CannotStart(f"{name} is a dataset of kind {prepared.kind} ({prepared.path}), not arrays")
    stamp = prepared.path.stat()
    return dict(_read(prepared, stamp.st_mtime_ns, stamp.st_size))


def sha256_of(name: str) -> str | None:
    """Return the SHA-256 of the content according to the sidecar, or None if the dataset is not available."""
    return prepared.sha256 if (prepared := find(name)) else None


def hash_lookup() -> Callable[[str], str | None]:
    """Return a cached function from the name of a dataset to its content hash; None if it is unavailable or its sidecar is damaged."""

    @functools.cache
    def lookup(name: str) -> str | None:
        try:
            return sha256_of(name)
        except CannotStart:
            return None

    return lookup


def verify(name: str) -> Verification:
    """Recompute the hash of a dataset and compare it with its sidecar and the catalog. Damaged data raises no exception."""
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
    """Return "present" if a dataset is the official one according to its sidecar, else "modified". User datasets are "present"."""
    entry = CATALOG.get(prepared.name)
    if entry is None or prepared.sha256 == entry.content:
        return "present"
    made_from, published = dict(prepared.archives), {f.file: f.checksum for f in entry.files}
    genuine = bool(published) and all(checksum and checksum == f"sha256:{made_from.get(f)}" for f, checksum in published.items())
    return "present" if genuine else "modified"


def compute_sha256(prepared: PreparedDataset) -> str:
    """Recompute the SHA-256 of the content.

    Raises:
        CannotStart: The file cannot be read.
    """
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
    """Return the files of a parallel corpus, given the path of its JSON file."""
    return sorted(path.parent.glob(f"{path.stem}.*.txt"))


def require_verified(name: str) -> PreparedDataset:
    """Return the dataset of this name with its hash recomputed.

    Raises:
        CannotStart: It is not available, or its content does not match its hash.
    """
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
    """Save arrays in prepared form. If writing fails, existing files are unchanged.

    Args:
        name: Name of the dataset.
        arrays: Its arrays.
        source: Where the data comes from.
        note: Description of the content.
        archives: SHA-256 of each published file that the arrays were prepared from.
        root: Target folder. Default: the first of ``roots()``.
        **facts: Further entries of the sidecar.

    Raises:
        CannotStart: A file cannot be written.
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
    """Write the sidecar of a prepared dataset atomically.

    Raises:
        CannotStart: The file cannot be written.
    """
    with writing(path) as temporary:
        temporary.write_text(json.dumps({k: v for k, v in facts.items() if v != {}}, indent=1) + "\n", encoding="utf-8")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces ``path`` when the block succeeds and is deleted otherwise.

    Raises:
        CannotStart: The disk is full, or the folder is not writable.
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
    """Return the error for a ``path`` that could not be written."""
    if error.errno == errno.ENOSPC:
        return CannotStart(f"no space left for {path}: free some, or set MYTHS_DATA to a folder on another disk")
    return CannotStart(f"{path} cannot be written ({error.strerror or error}): set MYTHS_DATA to a folder that can")


# --- helpers ---------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=8)
def _read(prepared: PreparedDataset, modified: int, size: int) -> dict[str, np.ndarray]:
    """Read and verify arrays. ``modified`` and ``size`` are cache keys, so that a replaced file is read again."""
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
        f"{prepared.path} does not match {prepared.name}.json: its content has SHA-256 {found}, "
        f"expected {prepared.sha256}; {_bring_again(prepared)}"
    )


def _bring_again(prepared: PreparedDataset) -> str:
    again = f"run `myths data get {prepared.name}`" if prepared.name in CATALOG and CATALOG[prepared.name].files else "copy it again"
    return f"move it away and {again} (nothing is deleted for you)"
