"""The myths that exist, in order; the only list of them."""

from __future__ import annotations

import re
from pathlib import Path

from myths.cifar10_1 import MYTH as CIFAR10_1
from myths.dataset_bias import MYTH as DATASET_BIAS
from myths.fixup import MYTH as FIXUP
from myths.forgetting import MYTH as FORGETTING
from myths.hessian_cost import MYTH as HESSIAN_COST
from myths.lab.errors import UsageError
from myths.lab.myth import Myth
from myths.lab.run_folder import RunFolder
from myths.lightweight_conv import MYTH as LIGHTWEIGHT_CONV
from myths.saliency import MYTH as SALIENCY

MYTHS: tuple[Myth, ...] = (HESSIAN_COST, DATASET_BIAS, CIFAR10_1, FORGETTING, FIXUP, LIGHTWEIGHT_CONV, SALIENCY)

LOCAL = Path("results/local")
PUBLISHED = Path("results/published")


def find(name: str) -> Myth:
    """A myth by its name, with dashes or underscores. Raises UsageError that lists the names."""
    for myth in MYTHS:
        if name.replace("_", "-") == myth.name:
            return myth
    raise UsageError(f"there is no myth {name!r}; there are: {', '.join(myth.name for myth in MYTHS)}")


def runs(*roots: Path) -> list[RunFolder]:
    """The runs in some folders (by default the local and the published ones), in the order of their names."""
    folders = [path.parent for root in roots or (LOCAL, PUBLISHED) for path in sorted(root.glob("*/run.json"))]
    return [RunFolder(folder) for folder in folders]


def new_run(name: str, root: Path | None = None) -> RunFolder:
    """The folder of a run that is to be made or gone on with. Raises UsageError for a name that is none, such as a path."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UsageError(f"--run {name!r}: a run's name has letters, digits, dots, dashes and underscores")
    return RunFolder((root or LOCAL) / name)


def find_run(name: str, *roots: Path) -> RunFolder:
    """A run by its name or folder; a local one before a published one of the same name. Raises UsageError that lists the names."""
    if (Path(name) / "run.json").exists():
        return RunFolder(Path(name))
    found = runs(*roots)
    for run in found:
        if run.name == name:
            return run
    raise UsageError(f"there is no run {name!r}; there are: {', '.join(dict.fromkeys(r.name for r in found)) or 'none yet (myths run)'}")
