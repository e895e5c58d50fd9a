"""Free memory and cores of this machine."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def cores() -> int:
    """Return the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


def free_bytes(device: str) -> int:
    """Return the free memory of a device in bytes.

    On a CPU this is the minimum over the system and its control group, or 8 GiB if neither reports it.
    """
    if device.startswith("cuda"):
        import torch

        return torch.cuda.mem_get_info(device)[0]
    found: list[int] = []
    with contextlib.suppress(AttributeError):  # Windows has no sysconf
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(OSError, IndexError, ValueError):
        found.append(int(Path("/proc/meminfo").read_text(encoding="ascii").split("MemAvailable:")[1].split()[0]) * 1024)
    with contextlib.suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        found.append(int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    return max(0, min(found, default=2**33))


def busy_cores() -> float:
    """Return the number of cores that other processes use; 0 if the system does not report it.

    This is the load of the last minute, limited to the number of threads that run now, because the load includes runs that have just ended.
    """
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows
        return 0.0
    with contextlib.suppress(OSError, IndexError, ValueError):
        running = int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[0])
        load = min(load, running - 1.0)  # one is this process
    return max(0.0, load)
