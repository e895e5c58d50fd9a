"""Which planned trials a claim needs, and which claims and trials a request names."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence

from myths.lab.claim import Claim, control_ids
from myths.lab.errors import UsageError
from myths.lab.myth import Myth
from myths.lab.trial import Trial, dependencies_first

PRIMARY = "primary"
"""Selects the primary claims without a decision (inconclusive, not tested or illustration)."""


def claims(
    myths: Sequence[Myth], words: Iterable[str], is_open: Callable[[Myth], Callable[[str], bool]], device: str
) -> dict[str, list[Claim]]:
    """Return the claims that a request names, with the controls and calibrations that they need.

    If a word names several claims, claims measured on another kind of device are left out.

    Args:
        myths: Myths to search.
        words: Ids, prefixes of ids up to a hyphen, or "primary".
        is_open: Returns for a myth a function that tells whether a claim has no decision in the run, by id.
        device: Device of the run.

    Returns:
        The claims of each myth that has any, by name of the myth.

    Raises:
        UsageError: A word names no claim, or only claims measured on another kind of device.
    """
    found: dict[str, dict[str, Claim]] = {}
    for word in words:
        named = {myth.name: _open_primary(myth, is_open) if word == PRIMARY else _named(myth, word) for myth in myths}
        if word != PRIMARY and not any(named.values()):
            ids = [claim.id for myth in myths for claim in myth.claims]
            near = difflib.get_close_matches(word, ids, 3) or ids[:3]
            asked = ", ".join(myth.name for myth in myths)
            raise UsageError(
                f"Unknown --claim {word!r}: expected the id of a claim of {asked}, or its start up to a hyphen. Similar: {', '.join(near)}"
            )
        if elsewhere := [claim.id for each in named.values() for claim in each if not claim.is_measured_on(device)]:
            named = {name: [claim for claim in each if claim.is_measured_on(device)] for name, each in named.items()}
            if word != PRIMARY and not any(named.values()):
                here, there, fix = ("a CPU", "a GPU", "cuda") if device == "cpu" else ("a GPU", "a CPU", "cpu")
                raise UsageError(
                    f"--claim {word}: {', '.join(elsewhere[:3])} is measured on {there}, but this run uses {here}. Use --device {fix}"
                )
        for myth in myths:
            by_id = {claim.id: claim for claim in myth.claims}
            for claim in named[myth.name]:
                found.setdefault(myth.name, {}).update((each.id, each) for each in with_controls(claim, by_id))
    return {name: list(chosen.values()) for name, chosen in found.items()}


def with_controls(claim: Claim, by_id: dict[str, Claim]) -> list[Claim]:
    """Return a claim with its calibration and the controls that bring trials, recursively."""
    found = {claim.id: claim}
    waiting = [claim]
    for each in waiting:
        for identity in (*control_ids(each, by_id.values()), *((each.calibration,) if each.calibration else ())):
            if identity not in found and by_id[identity].brings_trials:
                found[identity] = by_id[identity]
                waiting.append(by_id[identity])
    return list(found.values())


def unmeasured(chosen: Iterable[Claim], trials: Iterable[Trial]) -> list[Claim]:
    """Return the claims, controls excepted, that no trial of a profile measures."""
    trials = list(trials)
    return [claim for claim in chosen if claim.kind != "control" and not any(claim.selects(trial) for trial in trials)]


def needed_by(chosen: Iterable[Claim], trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials of a profile that claims are measured on."""
    chosen = list(chosen)
    return [trial for trial in trials if any(claim.selects(trial) for claim in chosen)]


def most_urgent(all_claims: Sequence[Claim], trials: Sequence[Trial], named: Iterable[Claim] = ()) -> list[Trial]:
    """Return the trials that named and primary claims are measured on, one claim after another, each followed by its controls.

    Claims that supersede a primary claim come last.

    Args:
        all_claims: Claims of a myth.
        trials: Trials to run.
        named: Claims that the user names, as ``claims`` returns them. They come first.
    """
    by_id = {claim.id: claim for claim in all_claims}
    primary = [claim for claim in all_claims if claim.primary]
    better = [by_id[claim.superseded_by] for claim in primary if claim.superseded_by]
    found: dict[str, Trial] = {}
    with_their_controls = (each for claim in (*primary, *better) for each in with_controls(claim, by_id))
    for each in (*named, *with_their_controls):
        found.update((trial.id, trial) for trial in trials if trial.id not in found and each.selects(trial))
    return list(found.values())


def trial_classes(myths: Sequence[Myth], words: Iterable[str]) -> tuple[type[Trial], ...]:
    """Return the trial classes that a request names, case-insensitively.

    Args:
        myths: Myths to search.
        words: Names of classes.

    Raises:
        UsageError: A word names no trial class of these myths.
    """
    known = {kind.__name__.lower(): kind for myth in myths for kind in myth.trial_types}
    for word in words:
        if word.lower().replace("-", "") not in known:
            near = difflib.get_close_matches(word.lower(), known, 3)
            names = ", ".join(known[name].__name__ for name in near or sorted(known))
            raise UsageError(f"Unknown --trial {word!r}. {'Similar' if near else 'Available'}: {names}")
    wanted = {word.lower().replace("-", "") for word in words}
    return tuple(kind for myth in myths for kind in myth.trial_types if kind.__name__.lower() in wanted)


def of_classes(kinds: tuple[type[Trial], ...], trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials and dependencies that belong to one of the classes."""
    return [trial for trial in dependencies_first(trials) if type(trial) in kinds]


def _named(myth: Myth, word: str) -> list[Claim]:
    exact = [claim for claim in myth.claims if claim.id == word]
    return exact or [claim for claim in myth.claims if claim.id.startswith(word.rstrip("-") + "-")]


def _open_primary(myth: Myth, is_open: Callable[[Myth], Callable[[str], bool]]) -> list[Claim]:
    primary = [claim for claim in myth.claims if claim.primary]
    better = {claim.superseded_by for claim in primary}
    open_here = is_open(myth)
    return [claim for claim in myth.claims if (claim.primary or claim.id in better) and open_here(claim.id)]
