"""What a machine has to spare at this moment: memory and cores."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


def free_bytes(device: str) -> int:
    """Return the bytes that this process may still take on a device.

    On a CPU the least that the system and its control group say; 8 GiB where neither says anything.
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
    """Return how many cores other work keeps busy; 0 where the system does not say.

    That is the load of the last minute, but not more than the threads that run at this moment: a run that has just ended leaves a load.
    """
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows
        return 0.0
    with contextlib.suppress(OSError, IndexError, ValueError):
        running = int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[0])
        load = min(load, running - 1.0)  # one is this process
    return max(0.0, load)
