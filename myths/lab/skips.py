"""Trials that a run skipped and that it still lacks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from myths.lab.errors import MythsError, UsageError
from myths.lab.myth import Myth, Profile
from myths.lab.seeds import starting_at
from myths.lab.storage.store import TrialRecord
from myths.lab.trial import Trial, decode, dependencies_first


def skipped_trials(myth: Myth, invocations: Iterable[Mapping[str, Any]], records: Iterable[TrialRecord]) -> list[tuple[Trial, str]]:
    """Return the skipped trials of a run, each with the reason that was recorded last.

    A skip is left out if the trial finished, if its profile no longer lists it, or if it lacked a dataset that a trial of the same or a
    later invocation read.

    Args:
        myth: The myth.
        invocations: Invocations of ``run.json``, the oldest first.
        records: Records of the trials of the run.
    """
    finished = [record for record in records if record.status == "ok"]
    done, available = {record.trial.id for record in finished}, set[str]()
    found: dict[str, tuple[Trial, str]] = {}
    for invocation in reversed(list(invocations)):
        available.update(name for record in finished if record.invocation == invocation["id"] for name in record.data)
        recorded = _recorded(myth, invocation)
        listed = _listed(myth, invocation) if recorded else None
        for trial, reason in recorded:
            if trial.id not in done and (listed is None or trial.id in listed) and not _named(trial, reason) & available:
                found.setdefault(trial.id, (trial, reason))
    return list(found.values())


def _recorded(myth: Myth, invocation: Mapping[str, Any]) -> list[tuple[Trial, str]]:
    """Return the trials of a myth that an invocation skipped. Trials of another version of the suite are left out."""
    found = []
    for entry in invocation.get("skipped", []):
        if entry["myth"] == myth.name and entry["trial"]["trial"] in myth.types_by_name:
            try:
                found.append((decode(entry["trial"], myth.types_by_name), entry["reason"]))
            except (ValueError, KeyError, UsageError):
                continue
    return found


def _listed(myth: Myth, invocation: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the ids of the trials that the profile of an invocation lists today, or None if that depends on data of the user."""
    arguments = invocation["arguments"]
    if arguments["data"]:
        return None
    try:
        trials = myth.trials(cast(Profile, arguments["profile"]), arguments["seeds"], ())
    except MythsError:
        return None
    return frozenset(trial.id for trial in dependencies_first(map(starting_at(arguments.get("first_seed", 0)), trials)))


def _named(trial: Trial, reason: str) -> set[str]:
    """Return the datasets of a trial, or of its dependencies, that a reason names."""
    return {name for each in dependencies_first([trial]) for name in each.data if re.search(rf"\b{re.escape(name)}\b", reason)}
