"""The user's home folder, also on systems that do not define one."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Return the user's home folder. Return the root folder if there is no HOME and the user has no account, as in some containers."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.sep)


def expanded(path: str | Path) -> Path:
    """Return a path with ``~`` and ``~user`` expanded. Return it unchanged if there is no such home, where ``Path.expanduser`` raises."""
    return Path(os.path.expanduser(path))
