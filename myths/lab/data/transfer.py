"""Copy a prepared dataset to a machine that lacks it, in parts of bounded size."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from myths.lab.data import prepared
from myths.lab.data.prepared import PreparedDataset
from myths.lab.errors import CannotStart

PART_BYTES = 64 * 2**20
"""Maximum number of bytes of a part."""


@dataclass(frozen=True)
class Part:
    """Some bytes of the files of a dataset: pieces with the path below the root, the offset, and the bytes."""

    pieces: tuple[tuple[str, int, bytes], ...]

    @property
    def bytes(self) -> int:
        """Number of bytes."""
        return sum(len(content) for _, _, content in self.pieces)


def wanting(wanted: Mapping[str, str]) -> tuple[list[str], str]:
    """Compare the datasets of this machine with those of a run, and recompute their hashes.

    Args:
        wanted: Content hash of each dataset, by name.

    Returns:
        Names of the datasets that this machine lacks, and why another one cannot be used; "" if all can.
    """
    lacking = []
    for name, sha256 in wanted.items():
        found = prepared.verify(name)
        if found.path is None and found.state == "not downloaded":
            lacking.append(name)
        elif found.found != sha256:
            return lacking, (
                f"its dataset {name} has other contents (SHA-256 {(found.found or 'unknown')[:12]}…, expected {sha256[:12]}…). "
                "Move it away on that node; it is then sent"
            )
    return lacking, ""


def parts(name: str, part_bytes: int = PART_BYTES) -> Iterator[Part]:
    """Yield the files of a prepared dataset of this machine, with its sidecar, in parts.

    Args:
        name: Name of the dataset.
        part_bytes: Maximum number of bytes of a part.
    """
    root, files = _files(prepared.require(name))
    pieces: list[tuple[str, int, bytes]] = []
    free = part_bytes
    for path in files:
        relative, offset = path.relative_to(root).as_posix(), 0
        with path.open("rb") as file:
            while (content := file.read(free)) or not offset:
                pieces.append((relative, offset, content))
                offset += len(content)
                free -= len(content)
                if not free:
                    yield Part(tuple(pieces))
                    pieces, free = [], part_bytes
                if not content:
                    break
    if pieces:
        yield Part(tuple(pieces))


def write(part: Part, name: str, source: str) -> None:
    """Write a part of a dataset into a folder for incomplete ones.

    Args:
        part: The part.
        name: Name of the dataset.
        source: Name of the transfer. Two transfers to one folder do not disturb each other.

    Raises:
        CannotStart: The disk is full, or the folder is not writable.
    """
    folder = _incomplete(name, source)
    try:
        for relative, offset, content in part.pieces:
            path = folder / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("r+b" if path.exists() else "wb") as file:
                file.seek(offset)
                file.write(content)
    except OSError as error:
        raise prepared.unwritable(folder, error) from error


def finish(name: str, sha256: str, source: str) -> None:
    """Check the hash of a dataset whose parts were all written, and move it to its place. The sidecar comes last, so that no part is used.

    Args:
        name: Name of the dataset.
        sha256: Expected content hash.
        source: Name of the transfer.

    Raises:
        CannotStart: A file cannot be moved, or the content is not the expected one.
    """
    root, folder = prepared.roots()[0], _incomplete(name, source)
    arrived = prepared.find_in(name, folder)
    if (found := arrived and prepared.compute_sha256(arrived)) != sha256:
        shutil.rmtree(folder, ignore_errors=True)
        raise CannotStart(f"{name} arrived with SHA-256 {found}, expected {sha256}. Run again")
    files = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: (path.name == f"{name}.json", path))
    try:
        for path in files:
            target = root / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
        shutil.rmtree(folder)
    except OSError as error:
        raise prepared.unwritable(root, error) from error


def _incomplete(name: str, source: str) -> Path:
    return prepared.roots()[0] / "incomplete" / f"{name}-{source}"


def _files(found: PreparedDataset) -> tuple[Path, list[Path]]:
    """Return the root of a dataset and its files, the sidecar last."""
    assert found.path is not None
    sidecar = found.path.parent / f"{found.name}.json"
    if found.kind == "images":
        return found.path.parent.parent, [*sorted(path for path in found.path.rglob("*") if path.is_file()), sidecar]
    if found.kind == "texts":
        texts = prepared.parts_of_texts(found.path)
        return found.path.parent.parent, [*texts, *(path.with_suffix(".json") for path in texts), sidecar]
    return found.path.parent if found.kind == "arrays" else found.path.parent.parent, [found.path, sidecar]
