"""The names of data sets: one spelling for each, and which ones a user's own set may not have."""

from __future__ import annotations

import re

from myths.lab.data.built_in import BUILT_IN
from myths.lab.data.catalog import CATALOG
from myths.lab.errors import UsageError

MAX_LENGTH = 64
"""Characters of a name; with suffixes and hashes it must still fit a file name."""

TAKEN = frozenset({"dates", "numbers", "untrained", "wmt14_en_de", "billion_word", "cnn_dm"})
"""Names that settings of the myths use for what is drawn by a rule or for what the suite only cites."""

_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10))})
"""Names that Windows keeps for devices, so that no file can have them."""

_OWN = re.compile(r"[a-z0-9_]+")
_ANY = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_ -]*[A-Za-z0-9_-])?(\.[A-Za-z0-9_-]+)*")


def canonical_name(name: str) -> str:
    """Return the one spelling of a name: dashes of a set's name are underscores; parts after a dot stay as they are.

    Args:
        name: A name as a user types it, such as "my-clean" or "ours.train.pt-br".

    Returns:
        The name under which the set is stored, such as "my_clean".

    Raises:
        UsageError: It is no name, such as "../x" or "".
    """
    if not _ANY.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a data set: a name has letters, digits, - and _. `myths data list` prints the names")
    head, dot, rest = name.partition(".")
    return f"{head.replace('-', '_')}{dot}{rest}"


def canonical_names(names: str) -> tuple[str, ...]:
    """Return the names in a list that is separated by commas, each in its one spelling.

    Raises:
        UsageError: A name is empty or is no name.
    """
    listed = [name.strip() for name in names.split(",")]
    if not all(listed):
        raise UsageError(f"--data {names!r} has an empty name: give names separated by commas, such as --data mine,theirs")
    return tuple(map(canonical_name, listed))


def user_dataset_name(name: str) -> str:
    """Return the one spelling of a name for a set of the user's own.

    Raises:
        UsageError: It is no such name, too long, kept by an operating system, or the name of something that the suite knows.
    """
    own = name.replace("-", "_")
    if not _OWN.fullmatch(own):
        raise UsageError(f"{name!r} is no name for a data set: use small letters, digits, - and _")
    if len(own) > MAX_LENGTH:
        raise UsageError(f"the name {name[:20]}… has {len(name)} characters: use at most {MAX_LENGTH}")
    if own in _DEVICES:
        raise UsageError(f"{name} is a name that Windows keeps for a device: choose another")
    if own in reserved():
        raise UsageError(f"{name} is the name of a data set that the suite knows: choose another")
    return own


def reserved() -> frozenset[str]:
    """Return the names that the suite gives to data of its own: sets, parts of sets, and what is drawn by a rule."""
    known = {name.partition(".")[0] for name in CATALOG}
    members = {member for entry in CATALOG.values() for member in entry.members}
    return frozenset({*known, *members, *BUILT_IN, *TAKEN})
