"""Names of datasets: canonical spelling, and names that user datasets must not have."""

from __future__ import annotations

import re

from myths.lab.data.built_in import BUILT_IN
from myths.lab.data.catalog import CATALOG
from myths.lab.errors import UsageError

MAX_LENGTH = 64
"""Maximum length of a name. With suffixes and hashes it must still fit into a file name."""

TAKEN = frozenset({"dates", "numbers", "untrained", "wmt14_en_de", "billion_word", "cnn_dm"})
"""Names that the myths use for procedural data or for datasets that are only cited."""

_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10))})
"""Device names of Windows, which no file can have."""

_OWN = re.compile(r"[a-z0-9_]+")
_ANY = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_ -]*[A-Za-z0-9_-])?(\.[A-Za-z0-9_-]+)*")


def canonical_name(name: str) -> str:
    """Return the canonical spelling of a name: dashes become underscores, except after a dot.

    Args:
        name: A name as a user types it, such as "my-clean" or "ours.train.pt-br".

    Returns:
        The name under which the dataset is stored, such as "my_clean".

    Raises:
        UsageError: The name is invalid, such as "../x" or "".
    """
    if not _ANY.fullmatch(name):
        raise UsageError(f"Invalid dataset name {name!r}: expected letters, digits, - and _. `myths data list` prints the available names")
    head, dot, rest = name.partition(".")
    return f"{head.replace('-', '_')}{dot}{rest}"


def canonical_names(names: str) -> tuple[str, ...]:
    """Return the names in a comma-separated list, in canonical spelling.

    Raises:
        UsageError: A name is empty or invalid.
    """
    listed = [name.strip() for name in names.split(",")]
    if not all(listed):
        raise UsageError(f"--data {names!r} contains an empty name: expected names separated by commas, such as --data mine,theirs")
    return tuple(map(canonical_name, listed))


def user_dataset_name(name: str) -> str:
    """Return the canonical spelling of the name of a user dataset.

    Raises:
        UsageError: The name is invalid, too long, reserved by an operating system, or used by the suite.
    """
    own = name.replace("-", "_")
    if not _OWN.fullmatch(own):
        raise UsageError(f"Invalid dataset name {name!r}: use lower-case letters, digits, - and _")
    if len(own) > MAX_LENGTH:
        raise UsageError(f"the name {name[:20]}… has {len(name)} characters: use at most {MAX_LENGTH}")
    if own in _DEVICES:
        raise UsageError(f"{name} is a device name of Windows: choose another name")
    if own in reserved():
        raise UsageError(f"{name} is the name of a dataset of the suite: choose another name")
    return own


def reserved() -> frozenset[str]:
    """Return the names that the suite uses: datasets, their parts, and procedural data."""
    known = {name.partition(".")[0] for name in CATALOG}
    members = {member for entry in CATALOG.values() for member in entry.members}
    return frozenset({*known, *members, *BUILT_IN, *TAKEN})
