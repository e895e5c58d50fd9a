"""A run: the results of one profile on one class of machine, in one folder with ``run.json`` and a lock."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from myths.lab.errors import CannotStart
from myths.lab.myth import Myth
from myths.lab.storage.store import Store

_INVOCATION = {
    "id": str,
    "started": str,
    "commit": str | None,
    "dirty": bool | None,
    "arguments": {"myths": [str], "profile": str, "seeds": int | None, "data": [str]},
    "machine": dict,
    "packages": {str: str},
    "criteria": {str: str},
    "definitions": {str: str},
    "skipped": [{"myth": str, "trial": {"trial": str, "version": int, "settings": dict}, "reason": str}],
}
_SHAPE = {"machine_class": str | None, "data": {str: {"sha256": str | None}}, "invocations": [_INVOCATION], "notes": [str]}
"""Required structure of ``run.json``, as ``provenance.invocation`` and ``RunFolder.add_invocation`` write it. Further keys are allowed."""
_OPTIONAL_KEYS = {"notes", "definitions"}

SUBMITTED = "submitted"
"""Name of the folder that holds unpacked archives."""
REMEDY = "Restore it or use a different --run"
"""What to do about a ``run.json`` that cannot be used: the last sentence of its errors."""


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run, ``results/local/<run>/`` or ``results/published/<run>/``."""

    path: Path

    @property
    def name(self) -> str:
        """Name of the run, such as ``cpu-laptop``."""
        return self.path.name

    @property
    def is_published(self) -> bool:
        """Whether it is a published run, including those of an installed package."""
        return self.path.resolve().parent.name == "published"

    @property
    def location(self) -> Literal["published", "submitted", "local"]:
        """Where the run comes from: a published run, an unpacked archive, or this machine."""
        return "published" if self.is_published else "submitted" if self.path.parent.name == SUBMITTED else "local"

    def metadata(self) -> dict[str, Any]:
        """Return the content of ``run.json``: machine class, datasets, invocations; empty lists for a new run.

        Three keys are not written by a run. ``notes`` is a list of sentences at the top of every page of the run. ``shared`` of an
        invocation is true if other invocations used the device at the same time, so that its durations are not comparable. ``converted``
        is the commit whose names the stored trials had before they were converted to present names; values did not change.

        Raises:
            CannotStart: The file is not valid JSON, or a required key is missing.
        """
        try:
            metadata = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"machine_class": None, "data": {}, "invocations": []}
        except (ValueError, OSError, RecursionError) as error:
            raise CannotStart(f"Cannot read {self.path / 'run.json'}: {error}. {REMEDY}") from error
        if (wrong := _shape_error(metadata, _SHAPE)) is not None:
            raise CannotStart(f"Invalid {self.path / 'run.json'}: {wrong}. Was it written by another version of Seven Myths? {REMEDY}")
        return metadata

    def store(self, myth: Myth) -> Store:
        """Return the stored trials of a myth in this run."""
        shared = frozenset(str(i["id"]) for i in self.metadata()["invocations"] if i.get("shared"))
        return Store(self.path / myth.folder, myth.types_by_name, shared)

    def has_results(self, myth: Myth) -> bool:
        """Return whether the run has results of a myth."""
        return (self.path / myth.folder / "trials.jsonl").exists()

    def add_invocation(self, machine_class: str, invocation: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        """Record an invocation and the metadata of the datasets that it uses.

        Args:
            machine_class: Machine class of this machine.
            invocation: Entry as ``provenance.invocation`` returns it.
            data: Metadata of the datasets by name.

        Raises:
            CannotStart: The run belongs to another machine class, or the folder cannot be written.
        """
        metadata = self.metadata()
        if metadata["machine_class"] not in (None, machine_class):
            raise CannotStart(
                f"run {self.name} was made on {metadata['machine_class']}, this machine is {machine_class}: "
                "results of the two do not mix; name another run with --run"
            )
        metadata["machine_class"] = machine_class
        metadata["data"].update(data)
        metadata["invocations"].append(dict(invocation))
        write_atomically(self.path / "run.json", json.dumps(metadata, indent=1, ensure_ascii=False) + "\n")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the run in a ``with`` block, so that no second ``myths run`` writes to it.

        Raises:
            CannotStart: Another process holds the lock, or the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = (self.path / ".lock").open("w")
        except OSError as error:
            raise CannotStart(f"Cannot write to {self.path}: {error.strerror}. Use a different --results folder") from error
        with handle:
            try:
                _lock_without_waiting(handle.fileno())
            except (BlockingIOError, PermissionError) as error:
                raise CannotStart(
                    f"Another `myths run` is writing to {self.path}. Wait for it to finish or use a different --run"
                ) from error
            except OSError as error:
                raise CannotStart(f"Cannot lock {self.path}: {error.strerror}. Use a --results folder on a local disk") from error
            yield


def _shape_error(value: Any, shape: Any, where: str = "it") -> str | None:
    """Return where a JSON value violates a required structure, or None.

    Args:
        value: The value.
        shape: A type, a list with the structure of its items, or a dict with the structure of each key or, with the key ``str``, of all
            keys. Keys are required, except for ``_OPTIONAL_KEYS``.
        where: Path of the value, such as ``invocations[0].id``.
    """
    kind = type(shape) if isinstance(shape, dict | list) else shape
    if not isinstance(value, kind):
        return f"{where} is {type(value).__name__}, expected {kind.__name__ if isinstance(kind, type) else kind}"
    if isinstance(shape, list):
        inside = [(f"{where}[{place}]", item, shape[0]) for place, item in enumerate(value)]
    elif isinstance(shape, dict):
        if lacking := [name for name in shape if name is not str and name not in value and name not in _OPTIONAL_KEYS]:
            return f"{where} has no {lacking[0]}"
        parts = dict.fromkeys(value, shape[str]) if str in shape else {name: part for name, part in shape.items() if name in value}
        inside = [(f"{where}.{name}".removeprefix("it."), value[name], part) for name, part in parts.items()]
    else:
        inside = []
    return next((wrong for each, item, part in inside if (wrong := _shape_error(item, part, each)) is not None), None)


def _lock_without_waiting(descriptor: int) -> None:
    """Lock an open file for this process.

    Raises:
        OSError: Another process holds the lock.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def write_atomically(path: Path, text: str) -> None:
    """Write a text file such that no reader sees a partial file.

    Args:
        path: The file.
        text: Its content.

    Raises:
        CannotStart: The file cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")  # another command may write the same file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise CannotStart(f"Cannot write {path}: {error.strerror}. Free disk space or use a different --results folder") from error
