"""The user's home folder, also where the system knows of none."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Return the user's home folder; the root, as containers have it, where there is no HOME and the user has no account."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.sep)


def expanded(path: str | Path) -> Path:
    """Return a path with ``~`` and ``~user`` replaced; the same path where there is no such home.

    ``Path.expanduser`` raises there.
    """
    return Path(os.path.expanduser(path))
