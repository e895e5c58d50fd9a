"""Seeds of trials: give a run seeds that no other run uses, and compare trials apart from their seeds.

A seed is a field named ``seed``, or one whose name ends in ``_seed``.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, TypeVar

from myths.lab.errors import UsageError
from myths.lab.trial import Trial, canonical

T = TypeVar("T", bound=Trial)

SEEDS_PER_RUN = 1000
"""First seeds are multiples of it, and no trial uses a seed as large, so that runs with different first seeds share none."""
MAX_SEEDS = SEEDS_PER_RUN // 2
"""Largest number of seeds of a run. A trial that compares two training runs takes two."""
MAX_FIRST_SEED = 10**9


def check_seeds(seeds: int | None, first_seed: int) -> None:
    """Check the number of seeds of a run, and its first seed.

    Raises:
        UsageError: There are no seeds, or more than ``MAX_SEEDS``; the first one is not a multiple of ``SEEDS_PER_RUN``, or out of range.
    """
    if seeds is not None and not 1 <= seeds <= MAX_SEEDS:
        raise UsageError(f"Invalid seeds={seeds}: expected 1 to {MAX_SEEDS}")
    if first_seed % SEEDS_PER_RUN or not 0 <= first_seed <= MAX_FIRST_SEED:
        raise UsageError(
            f"Invalid --first-seed {first_seed}: expected a multiple of {SEEDS_PER_RUN} from 0 to {MAX_FIRST_SEED}. Runs with different "
            "first seeds are independent"
        )


def is_first_seed(seed: int) -> bool:
    """Return whether a seed is the first one of a run."""
    return seed % SEEDS_PER_RUN == 0


def starting_at(first_seed: int) -> Callable[[T], T]:
    """Return a function that adds a number to all seeds of a trial and of its dependencies.

    Trials that shared a seed still share one, so that pairs stay pairs. A trial without seeds stays the same trial.

    Args:
        first_seed: The number. 0 changes nothing.
    """

    found: dict[str, Trial] = {}  # trials of a profile share their dependencies

    def moved(trial: Trial) -> Trial:
        if trial.id not in found:
            values = {name: getattr(trial, name) for name in _names(type(trial))}
            changed = {name: new for name, value in values.items() if (new := _moved(name, value)) != value}
            found[trial.id] = dataclasses.replace(trial, **changed) if changed else trial
        return found[trial.id]

    def _moved(name: str, value: Any) -> Any:
        if isinstance(value, Trial):
            return moved(value)
        if isinstance(value, tuple):
            return tuple(moved(each) if isinstance(each, Trial) else each for each in value)
        return value + first_seed if _is_seed(name) else value

    return lambda trial: moved(trial) if first_seed else trial  # type: ignore[return-value]  # of the same class


def seeds_of(trial: Trial) -> frozenset[int]:
    """Return all seeds of a trial and of its dependencies."""
    own = {getattr(trial, name) for name in _names(type(trial)) if _is_seed(name)}
    return frozenset(own.union(*map(seeds_of, trial.dependencies)))


def without_seeds(trial: Trial) -> str:
    """Return class, version and settings of a trial and of its dependencies as text, without their seeds."""
    return repr(_without_seeds(canonical(trial)))


def _without_seeds(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_seeds(each) for name, each in value.items() if not _is_seed(name)}
    return [_without_seeds(each) for each in value] if isinstance(value, list) else value


def _is_seed(name: str) -> bool:
    return name == "seed" or name.endswith("_seed")


def _find_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


_names: Callable[[type], tuple[str, ...]] = functools.cache(_find_names)
