"""Record machine, software versions and commit of each invocation."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import secrets
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from myths.lab.claim import Claim
from myths.lab.claim_definition import definition
from myths.lab.measurement import kernels

PACKAGES = (
    "torch", "torchvision", "numpy", "scipy", "statsmodels", "pandas", "scikit-learn", "scikit-image", "opt-einsum", "sentencepiece",
    "sacrebleu", "rouge-score", "seven-myths",
)  # fmt: skip
"""Packages that numbers depend on."""
FRAMEWORKS = ("jax", "jaxlib", "asdex", "tensorflow-cpu", "tensorflow", "autograd", "pytensor", "casadi", "sympy")
"""Frameworks that myth 1 compares with torch."""
ROOT = Path(__file__).resolve().parents[3]


def invocation(machines: Mapping[str, Any], arguments: Mapping[str, Any], claims: Iterable[Claim]) -> dict[str, Any]:
    """Return an entry of ``run.json``: time, commit, arguments, machine, packages, criteria and definitions of claims.

    No path, user name or host name is recorded.

    Args:
        machines: "machine", as ``machine`` describes it, and for a cluster "nodes", the kinds of its nodes.
        arguments: Arguments of the command, without paths.
        claims: Claims whose criteria and definitions are recorded.
    """
    claims = list(claims)
    now = datetime.now(UTC)
    return {
        "id": f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}",
        "started": now.isoformat(timespec="seconds"),
        **commit(),
        "arguments": dict(arguments),
        **machines,
        "packages": packages(),
        "frameworks": packages(FRAMEWORKS),
        "criteria": {claim.id: claim.criterion_text for claim in claims},
        "definitions": {claim.id: definition(claim) for claim in claims},
        "skipped": [],
    }


def commit() -> dict[str, Any]:
    """Return the commit of this checkout, and whether it has changes that affect measurements; both None outside a checkout."""
    head = _git("rev-parse", "HEAD") if (ROOT / ".git").exists() else None
    return {"commit": head, "dirty": bool(changes()) if head else None}


def changes() -> list[str]:
    """Return the files of this checkout that differ from its commit and can affect measurements.

    Results, and untracked files outside the package, do not count.
    """
    tracked = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)results")
    inside = _git("ls-files", "--others", "--exclude-standard", "--", "myths")
    if tracked is None or inside is None:
        return ["git status failed"]
    return [line.strip().split(maxsplit=1)[-1] for line in tracked.splitlines()] + inside.splitlines()


def machine(device: str) -> dict[str, Any]:
    """Return device, driver and the settings that numbers and times depend on."""
    import torch

    facts: dict[str, Any] = {
        "device": device,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cpu": _cpu_model(),
        "instruction_set": kernels.effective(),
        "torch_cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "onednn": kernels.onednn_version(),
        "blas": blas(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }
    if device.startswith("cuda"):
        properties = torch.cuda.get_device_properties(device)
        facts |= {
            "gpu": properties.name,
            "gpu_memory_bytes": properties.total_memory,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "driver": _gpu_driver(),
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
            "tf32": torch.backends.cuda.matmul.allow_tf32,
        }
    return facts


def host_class(machine: Mapping[str, Any]) -> str:
    """Return the host of a machine: CPU model and number of cores. Durations of different hosts are not comparable.

    Args:
        machine: The machine, as ``machine`` describes it; "" is returned if it has no CPU model.
    """
    return f"{machine['cpu']}, {machine.get('cores')} cores" if machine.get("cpu") else ""


def blas() -> list[str]:
    """Return the loaded linear algebra libraries with version and kernels, such as "openblas 0.3.31 (SkylakeX)".

    threadpoolctl cannot inspect the MKL that is linked into torch; torch reports its version.
    """
    import numpy.linalg  # noqa: F401 (loads the BLAS of NumPy)
    import torch
    from threadpoolctl import threadpool_info

    found = [
        f"{library['internal_api']} {library['version']}" + (f" ({library['architecture']})" if library.get("architecture") else "")
        for library in threadpool_info()
        if library["user_api"] == "blas"
    ]
    built = [line.strip(" -") for line in torch.__config__.show().splitlines() if "Math Kernel Library" in line]
    found += [f"mkl {line.split('Version ')[1].split('-')[0]} (in torch)" for line in built if "Version " in line]
    return list(dict.fromkeys(found))


def packages(names: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of the installed packages among ``names``. Default: the packages that numbers depend on."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _gpu_driver() -> str | None:
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.splitlines()[0].strip() or None


def _cpu_model() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
