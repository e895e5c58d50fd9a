"""A run: a folder of results of one profile on one class of machine, with its ``run.json`` and its lock."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from myths.lab.errors import CannotStart
from myths.lab.myth import Myth
from myths.lab.store import Store

_INVOCATION = {
    "id": str,
    "started": str,
    "commit": str | None,
    "dirty": bool | None,
    "arguments": {"myths": [str], "profile": str, "seeds": int | None, "data": [str]},
    "machine": dict,
    "packages": {str: str},
    "criteria": {str: str},
    "skipped": [{"myth": str, "trial": {"trial": str, "version": int, "settings": dict}, "reason": str}],
}
_SHAPE = {"machine_class": str | None, "data": {str: {"sha256": str | None}}, "invocations": [_INVOCATION], "notes": [str]}
"""What a ``run.json`` must hold, as ``provenance.invocation`` and ``RunFolder.begin`` write it. There may be more."""


@dataclass(frozen=True)
class RunFolder:
    """``results/local/<run>/`` or ``results/published/<run>/``."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name, such as ``cpu-laptop``."""
        return self.path.name

    @property
    def is_published(self) -> bool:
        """Whether it is among published runs, those in an installed package included."""
        return self.path.resolve().parent.name == "published"

    def metadata(self) -> dict[str, Any]:
        """The content of ``run.json``: machine class, data notes, invocations; empty for a new run.

        Two keys are for a person to add: ``notes``, a list of sentences that every page of the run begins with, and ``shared`` of an
        invocation, true where other invocations used the device at the same time, so that seconds of its trials say nothing.

        Raises CannotStart when the file is not readable as JSON, or lacks what tables and reports read.
        """
        remedy = "put it back, or name another run with --run"
        try:
            metadata = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"machine_class": None, "data": {}, "invocations": []}
        except (ValueError, OSError, RecursionError) as error:
            raise CannotStart(f"cannot read {self.path / 'run.json'} ({error}): {remedy}") from error
        if (wrong := _shape_error({"notes": [], **metadata} if isinstance(metadata, dict) else metadata, _SHAPE)) is not None:
            raise CannotStart(f"{self.path / 'run.json'} is not the record of a run ({wrong}): {remedy}")
        return metadata

    def store(self, myth: Myth) -> Store:
        """The myth's results in this run."""
        shared = frozenset(str(i["id"]) for i in self.metadata()["invocations"] if i.get("shared"))
        return Store(self.path / myth.folder, myth.types_by_name, shared)

    def has_results(self, myth: Myth) -> bool:
        """Whether the run holds results of a myth."""
        return (self.path / myth.folder / "trials.jsonl").exists()

    def add_invocation(self, machine_class: str, invocation: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        """Records an invocation and the notes of the data it uses.

        Raises CannotStart when the run was made on another machine class or the folder cannot be written.
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
        """Keeps a second ``myths run`` out of this folder. Raises CannotStart when one is going."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = (self.path / ".lock").open("w")
        except OSError as error:
            raise CannotStart(f"cannot write to {self.path}: {error.strerror}; choose another folder with --results") from error
        with handle:
            try:
                _lock_without_waiting(handle.fileno())
            except (BlockingIOError, PermissionError) as error:
                raise CannotStart(f"another myths run is going on in {self.path}: wait for it, or name another run with --run") from error
            except OSError as error:
                raise CannotStart(f"cannot lock {self.path}: {error.strerror}; choose a folder on a local disk with --results") from error
            yield


def _shape_error(value: Any, shape: Any, where: str = "it") -> str | None:
    """Return where a JSON value does not have a shape, None if it has it.

    Args:
        value: The value.
        shape: A type; or a list with the shape of every item; or a dict with the shape of each required key, or with ``str`` for all keys.
        where: The place of the value, such as ``invocations[0].id``.
    """
    kind = type(shape) if isinstance(shape, dict | list) else shape
    if not isinstance(value, kind):
        return f"{where} is {type(value).__name__}, expected {kind.__name__ if isinstance(kind, type) else kind}"
    if isinstance(shape, list):
        inside = [(f"{where}[{place}]", item, shape[0]) for place, item in enumerate(value)]
    elif isinstance(shape, dict):
        if lacking := [name for name in shape if name is not str and name not in value]:
            return f"{where} has no {lacking[0]}"
        parts = dict.fromkeys(value, shape[str]) if str in shape else shape
        inside = [(f"{where}.{name}".removeprefix("it."), value[name], part) for name, part in parts.items()]
    else:
        inside = []
    return next((wrong for each, item, part in inside if (wrong := _shape_error(item, part, each)) is not None), None)


def _lock_without_waiting(descriptor: int) -> None:
    """Lock an open file for this process alone. Raises OSError when another process holds the lock."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def write_atomically(path: Path, text: str) -> None:
    """Writes a text file that is never seen half written. Raises CannotStart when it cannot be."""
    partial = path.with_name(path.name + ".partial")
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
        raise CannotStart(f"cannot write {path}: {error.strerror}; make room or choose another folder with --results") from error
