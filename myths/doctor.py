"""Check what this machine has and lacks for running the suite."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from myths.lab.errors import CannotStart
from myths.lab.measurement import kernels
from myths.lab.storage import provenance
from myths.lab.vision.memory_format import corrupts_memory

if TYPE_CHECKING:
    from myths.lab.execution.cluster import Node


def checks() -> list[dict[str, Any]]:
    """Return the checks as {check, status, fix}; ``fix`` is empty if nothing is wrong."""
    return [*_software(), *_frameworks(), *_devices(), *_kernels(), *_places(), *_data()]


def cluster_checks(address: str) -> list[dict[str, Any]]:
    """Return checks of the nodes of a Ray cluster as {check, status, fix}.

    Args:
        address: "auto" or HOST:PORT.

    Raises:
        UsageError: The address is invalid.
        CannotStart: There is no cluster at this address.
    """
    from myths.lab.execution import cluster

    connected = cluster.Cluster.connect(address)
    try:
        return _node_checks()
    finally:
        connected.close()


def _node_checks() -> list[dict[str, Any]]:
    from myths import suite
    from myths.lab.data import prepared
    from myths.lab.execution import cluster, cluster_node, session

    data = {found.name: found.sha256 for found in prepared.all_prepared()}
    wanted = {device: session.wanted_on_nodes(device, suite.MYTHS, data) for device in ("cpu", "cuda")}
    found = cluster.nodes()
    total = f"{len(found)} node{'s' * (len(found) > 1)}, {sum(node.cores for node in found)} CPUs, {sum(node.gpus for node in found)} GPUs"
    lines = [_check("cluster", total)]
    started = [(node, device, node.start(cluster_node.describe, wanted[device])) for node in found for device in _devices_of(node)]
    for node, device, reference in started:
        try:
            about = cluster.checked(node, reference, wanted[device])
        except (CannotStart, cluster.NodeLost) as error:
            lines.append(_check(f"node {node.name}", "cannot be used", str(error)))
            continue
        offers = f"{node.gpus} × {about.machine_class}" if device == "cuda" else f"{node.cores} CPUs"
        lines.append(_check(f"node {node.name}", f"{offers}, {node.memory / 2**30:.0f} GiB of memory, {about.host}"))
        if about.lacking:
            fix = "The first run that reads them sends them. Or set MYTHS_DATA to a folder that all nodes share"
            lines.append(_check(f"node {node.name}", f"lacks {', '.join(about.lacking)}", fix))
    return lines


def _devices_of(node: Node) -> list[str]:
    """Return the devices of a node that are checked: GPUs if it has any, else its CPUs."""
    return ["cuda"] if node.gpus else ["cpu"] if node.cores else []


def _check(check: str, status: str, fix: str = "") -> dict[str, Any]:
    return {"check": check, "status": status, "fix": fix}


def _software() -> list[dict[str, Any]]:
    return [_check(name, version) for name, version in {"Python": platform.python_version(), **provenance.packages()}.items()]


def _frameworks() -> list[dict[str, Any]]:
    """Check the frameworks that myth 1 compares. tensorflow-cpu and tensorflow count as one."""
    versions = provenance.packages(provenance.FRAMEWORKS)
    lines = [_check(f"framework {name}", version) for name, version in versions.items()]
    absent = [name for name in provenance.FRAMEWORKS if name not in versions and name != "jaxlib" and not name.startswith("tensorflow")]
    absent += [] if any(name.startswith("tensorflow") for name in versions) else ["tensorflow-cpu"]
    return lines + [
        _check(f"framework {name}", "not installed", f"Myth 1 skips it. Run `make frameworks`, or pip install {name}") for name in absent
    ]


def _kernels() -> list[dict[str, Any]]:
    """Check convolutions that oneDNN computes wrongly on some CPUs, in a child process, because they may crash it."""
    version = f"oneDNN {kernels.onednn_version() or 'absent'}, {kernels.effective() or 'instruction set unknown'}"
    lines = [_check("linear algebra", ", ".join([version, *provenance.blas()]))]
    found = kernels.check(kernels.narrow_strided(), repetitions=20, seconds=60)
    broken = [finding for finding in found if not finding.right]
    if not broken:
        checked = f"{len(found)} of {len(kernels.narrow_strided())} checks right"
        slow = (
            "The checks took more than a minute. Try again when the machine is idle" if len(found) < len(kernels.narrow_strided()) else ""
        )
        return [*lines, _check("convolutions", checked, slow)]
    for finding in broken:
        if _is_avoided(finding.case):
            fix = "Known bug of oneDNN (uxlfoundation/oneDNN#6035). The suite avoids it by using another memory format"
        else:
            fix = "Results of this machine may be wrong. Install another version of torch, or set ONEDNN_MAX_CPU_ISA=AVX"
        lines.append(_check("convolutions", f"{finding.case}, backward: {finding.result}", fix))
    return lines


def _is_avoided(case: kernels.Case) -> bool:
    return (
        isinstance(case, kernels.Convolution)
        and case.input_format == "channels_last"
        and corrupts_memory(case.in_channels, case.kernel_size, case.stride, case.groups)
    )


def _devices() -> list[dict[str, Any]]:
    import torch

    from myths.lab.measurement import device

    lines = [_check("CPU", f"{provenance.machine('cpu')['cpu']}, {torch.get_num_threads()} threads, {device.precision_of('cpu', 'auto')}")]
    for index in range(torch.cuda.device_count()):
        facts = provenance.machine(f"cuda:{index}")
        memory = f"{facts['gpu_memory_bytes'] / 2**30:.0f} GiB"
        lines.append(_check(f"cuda:{index}", f"{facts['gpu']}, {memory}, driver {facts['driver']}, CUDA {facts['cuda']}"))
    if not torch.cuda.is_available():
        lines.append(_check("GPU", "not available to torch", "The profiles gpu and paper would take days on a CPU"))
    return lines


def _places() -> list[dict[str, Any]]:
    place = next(path for path in (Path("results"), Path()) if path.exists())
    free = shutil.disk_usage(place).free / 2**30
    return [_check("disk space for results", f"{free:.0f} GiB free", "Free disk space: at least 1 GiB" if free < 1 else "")]


def _data() -> list[dict[str, Any]]:
    from myths.lab.data import fetch

    lines = []
    for entry in fetch.list_datasets():
        fix = f"myths data get {entry['name']}" if entry["state"] == "not downloaded" else ""
        if entry["state"] == "modified":
            fix = f"not the official content: {entry['note']}" if entry["note"] else "not the official content"
        elif entry["state"] == "corrupt":
            fix = str(entry["note"])
        lines.append(_check(f"data {entry['name']}", str(entry["state"]), fix))
    return lines
