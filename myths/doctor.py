"""What this machine has and lacks for running the suite."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

from myths.lab import provenance


def findings() -> list[dict[str, Any]]:
    """Lines of {what, found, advice}; ``advice`` is empty where all is well."""
    return [*_software(), *_devices(), *_places(), *_data()]


def _line(what: str, found: str, advice: str = "") -> dict[str, Any]:
    return {"what": what, "found": found, "advice": advice}


def _software() -> list[dict[str, Any]]:
    old = sys.version_info < (3, 11)
    lines = [_line("Python", platform.python_version(), "the suite needs 3.11 or newer" if old else "")]
    lines += [_line(name, version) for name, version in provenance.packages().items()]
    absent = [name for name in ("matplotlib", "jinja2", "pooch") if importlib.util.find_spec(name) is None]
    return lines + [_line(name, "absent", f"reports and downloads need it: pip install {name}") for name in absent]


def _devices() -> list[dict[str, Any]]:
    import torch

    from myths.lab import device

    lines = [_line("CPU", f"{provenance.machine('cpu')['cpu']}, {torch.get_num_threads()} threads, {device.precision_of('cpu', 'auto')}")]
    for index in range(torch.cuda.device_count()):
        facts = provenance.machine(f"cuda:{index}")
        memory = f"{facts['gpu_memory_bytes'] / 2**30:.0f} GiB"
        lines.append(_line(f"cuda:{index}", f"{facts['gpu']}, {memory}, driver {facts['driver']}, CUDA {facts['cuda']}"))
    if not torch.cuda.is_available():
        lines.append(_line("GPU", "none that torch sees", "the gpu and paper profiles would take days on a CPU"))
    return lines


def _places() -> list[dict[str, Any]]:
    place = next(path for path in (Path("results"), Path()) if path.exists())
    free = shutil.disk_usage(place).free / 2**30
    return [_line("room for results", f"{free:.0f} GiB", "less than 1 GiB is little" if free < 1 else "")]


def _data() -> list[dict[str, Any]]:
    from myths.lab.data import fetch

    lines = []
    for entry in fetch.listing():
        advice = f"myths data get {entry['name']}" if entry["state"] == "absent" else ""
        lines.append(_line(f"data {entry['name']}", str(entry["state"]), advice))
    return lines
