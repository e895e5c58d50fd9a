"""Continue a published run: copy it into a local run of the same machine class, which then runs the remaining trials."""

from __future__ import annotations

import shutil
from pathlib import Path

from myths.lab.errors import CannotStart, UsageError
from myths.lab.storage.run_folder import RunFolder


def needs_copy(source: RunFolder, run: RunFolder, machine_class: str) -> bool:
    """Return whether a run does not contain the results of a published run yet.

    Args:
        source: The published run.
        run: The local run that continues it.
        machine_class: Machine class of this machine.

    Raises:
        CannotStart: The published run belongs to another machine class, or the local run has other results and not all published ones.
    """
    made_on = source.metadata()["machine_class"]
    if made_on != machine_class:
        raise CannotStart(
            f"--from {source.name}: the run holds results of machine class {made_on!r}, but this machine is {machine_class!r}. "
            "Leave out --from"
        )
    published, local = _lines(source), _lines(run)
    if published < local:
        return False
    if not local <= published:
        raise CannotStart(
            f"--from {source.name}: run {run.name!r} exists and has other results in {run.path}. Use a different --run, or leave out "
            "--from to continue it"
        )
    return local < published or not (run.path / "run.json").exists()


def profile_of(source: RunFolder) -> str:
    """Return the profile of a published run.

    Args:
        source: The published run.

    Raises:
        UsageError: The run has trials of several profiles.
    """
    profiles = list(dict.fromkeys(str(invocation["arguments"]["profile"]) for invocation in source.metadata()["invocations"]))
    if len(profiles) != 1:
        raise UsageError(f"--from {source.name}: the run has several profiles ({', '.join(profiles)}). Choose one with --profile")
    return profiles[0]


def copy(source: RunFolder, run: RunFolder) -> None:
    """Copy the results of a published run, with its arrays, into a local run.

    Args:
        source: The published run.
        run: The local run, locked by the caller.

    Raises:
        CannotStart: The folder cannot be written.
    """
    files = [*source.path.glob("*/trials.jsonl"), *source.path.glob("*/arrays/*.npz"), source.path / "run.json"]
    try:
        for file in files:  # run.json last: it completes the copy
            target = run.path / file.relative_to(source.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(target.name + ".partial")
            shutil.copyfile(file, partial)
            partial.replace(target)
    except OSError as error:
        raise CannotStart(
            f"Cannot copy {source.name} to {run.path}: {error.strerror or error}. Free disk space or use a different --results folder"
        ) from error


def _lines(run: RunFolder) -> set[tuple[str, bytes]]:
    """Return the stored lines of a run, each with the folder of its myth."""
    return {(file.parent.name, line) for file in _files(run) for line in file.read_bytes().split(b"\n") if line.strip()}


def _files(run: RunFolder) -> list[Path]:
    return sorted(run.path.glob("*/trials.jsonl"))
