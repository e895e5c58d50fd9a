"""What this machine has and lacks for running the suite."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

from myths.lab import kernels, provenance
from myths.lab.vision.memory_format import corrupts_memory


def findings() -> list[dict[str, Any]]:
    """Lines of {what, found, advice}; ``advice`` is empty where all is well."""
    return [*_software(), *_peers(), *_devices(), *_kernels(), *_places(), *_data()]


def _line(what: str, found: str, advice: str = "") -> dict[str, Any]:
    return {"what": what, "found": found, "advice": advice}


def _software() -> list[dict[str, Any]]:
    old = sys.version_info < (3, 11)
    lines = [_line("Python", platform.python_version(), "the suite needs 3.11 or newer" if old else "")]
    lines += [_line(name, version) for name, version in provenance.packages().items()]
    absent = [name for name in ("matplotlib", "jinja2", "pooch") if importlib.util.find_spec(name) is None]
    return lines + [_line(name, "absent", f"reports and downloads need it: pip install {name}") for name in absent]


def _peers() -> list[dict[str, Any]]:
    """The frameworks that myth 1 compares; tensorflow-cpu and tensorflow are one of them."""
    versions = provenance.packages(provenance.PEERS)
    lines = [_line(f"peer {name}", version) for name, version in versions.items()]
    absent = [name for name in provenance.PEERS if name not in versions and name != "jaxlib" and not name.startswith("tensorflow")]
    absent += [] if any(name.startswith("tensorflow") for name in versions) else ["tensorflow-cpu"]
    return lines + [_line(f"peer {name}", "absent", f"myth 1 leaves it out: make peers, or pip install {name}") for name in absent]


def _kernels() -> list[dict[str, Any]]:
    """Whether this CPU computes the convolutions that oneDNN is known to get wrong on some; in a child process, which may die of it."""
    version = f"oneDNN {kernels.onednn_version() or 'absent'}, {kernels.effective() or 'instruction set unknown'}"
    lines = [_line("linear algebra", ", ".join([version, *provenance.blas()]))]
    found = kernels.check(kernels.narrow_strided(), repetitions=20, seconds=60)
    broken = [finding for finding in found if not finding.right]
    if not broken:
        checked = f"{len(found)} of {len(kernels.narrow_strided())} checks right"
        slow = (
            "the checks took more than a minute; try again when the machine is idle" if len(found) < len(kernels.narrow_strided()) else ""
        )
        return [*lines, _line("convolutions", checked, slow)]
    for finding in broken:
        if _is_avoided(finding.case):
            advice = "a fault of oneDNN (uxlfoundation/oneDNN#6035). The suite never calls it: it computes such networks in another format"
        else:
            advice = "results of this machine cannot be trusted: install another torch, or set ONEDNN_MAX_CPU_ISA=AVX"
        lines.append(_line("convolutions", f"{finding.case}, backward: {finding.result}", advice))
    return lines


def _is_avoided(case: kernels.Case) -> bool:
    return (
        isinstance(case, kernels.Convolution)
        and case.input_format == "channels_last"
        and corrupts_memory(case.in_channels, case.kernel_size, case.stride, case.groups)
    )


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
        if entry["state"] == "variant":
            advice = f"not the official content: {entry['note']}" if entry["note"] else "not the official content"
        elif entry["state"] == "corrupt":
            advice = str(entry["note"])
        lines.append(_line(f"data {entry['name']}", str(entry["state"]), advice))
    return lines
