"""The list of all myths: those of this repository, then those of installed packages."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from myths.cifar10_1 import MYTH as CIFAR10_1
from myths.dataset_bias import MYTH as DATASET_BIAS
from myths.fixup import MYTH as FIXUP
from myths.forgetting import MYTH as FORGETTING
from myths.hessian_cost import MYTH as HESSIAN_COST
from myths.lab.errors import UsageError
from myths.lab.myth import Myth
from myths.lab.storage.run_folder import RunFolder
from myths.lightweight_conv import MYTH as LIGHTWEIGHT_CONV
from myths.order import MYTH as ORDER
from myths.saliency import MYTH as SALIENCY
from myths.wiring import MYTH as WIRING

OURS: tuple[Myth, ...] = (HESSIAN_COST, DATASET_BIAS, CIFAR10_1, FORGETTING, FIXUP, LIGHTWEIGHT_CONV, SALIENCY, ORDER, WIRING)


def _installed() -> tuple[Myth, ...]:
    """Return the myths of installed packages (entry points in the group ``myths``), by number."""
    found: list[Myth] = []
    for entry in entry_points(group="myths"):
        try:
            found.append(_distinct(entry.load(), [*OURS, *found]))
        except (Exception, SystemExit) as error:  # noqa: BLE001 (an error of a third-party package must not affect other myths)
            package = entry.dist.name if entry.dist else "an installed package"
            warnings.warn(f"Myth {entry.name} of {package} is ignored: {str(error) or type(error).__name__}", stacklevel=2)
    return tuple(sorted(found, key=lambda myth: myth.number))


def _distinct(myth: Any, others: Sequence[Myth]) -> Myth:
    if not isinstance(myth, Myth):
        raise TypeError(f"its entry point is a {type(myth).__name__}: expected a Myth")
    if any((myth.name == other.name) or (myth.number == other.number) for other in others):
        raise ValueError(f"another myth has the name {myth.name} or the number {myth.number}")
    return myth


MYTHS: tuple[Myth, ...] = (*OURS, *_installed())

LOCAL = Path("results/local")
PUBLISHED = Path("results/published")
BUNDLED = next(
    (folder for folder in (Path(__file__).parent / "published", Path(__file__).parents[1] / "results" / "published") if folder.is_dir()),
    PUBLISHED,
)
"""Published runs that are part of the suite: in an installed package, or in its checkout."""


def find(name: str) -> Myth:
    """Return a myth by its name, with dashes or underscores.

    Raises:
        UsageError: There is no such myth.
    """
    for myth in MYTHS:
        if name.replace("_", "-") == myth.name:
            return myth
    raise UsageError(f"Unknown myth {name!r}. Available: {', '.join(myth.name for myth in MYTHS)}")


def roots(results: Path | None = None) -> tuple[Path, ...]:
    """Return the folders to search for runs: local runs (or ``results``), then published runs."""
    return (results or LOCAL, PUBLISHED, BUNDLED)


def runs(*roots: Path) -> list[RunFolder]:
    """Return the runs in some folders, each once. Default: local, published and bundled runs."""
    folders = [path.parent for root in roots or (LOCAL, PUBLISHED, BUNDLED) for path in sorted(root.glob("*/run.json"))]
    each_once: dict[Path, Path] = {}
    for folder in folders:
        each_once.setdefault(folder.resolve(), folder)
    return [RunFolder(folder) for folder in each_once.values()]


def new_run(name: str, root: Path | None = None, option: str = "--run") -> RunFolder:
    """Return the folder of a run that is created or resumed.

    Args:
        name: Name of the run.
        root: Folder of the runs. Default: results/local.
        option: Option that gave the name.

    Raises:
        UsageError: The name is invalid, for example a path.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UsageError(f"Invalid {option} {name!r}: expected letters, digits, dots, dashes and underscores")
    return RunFolder((root or LOCAL) / name)


def find_run(name: str, *roots: Path) -> RunFolder:
    """Return a run by its name or folder. A local run takes precedence over a published run of the same name.

    Raises:
        UsageError: There is no such run.
    """
    if (Path(name) / "run.json").exists():
        return RunFolder(Path(name))
    found = runs(*roots)
    for run in found:
        if run.name == name:
            return run
    raise UsageError(f"Unknown run {name!r}. Available: {', '.join(dict.fromkeys(r.name for r in found)) or 'none yet (see `myths run`)'}")
