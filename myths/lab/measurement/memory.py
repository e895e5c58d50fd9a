"""Peak memory of the process (CPU) or of the allocator (GPU)."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from myths.lab.measurement.timing import synchronize

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of malloc.h


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next allocation, from now on; other C libraries are left as they are.

    By default, it depends on earlier calls in the process whether an array of several megabytes is returned to the system. The page faults
    of a new one may take as long as the Hessian that fills it. In training they take a sixth of the time (``benchmarks/test_training.py``).
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def reset_peak_memory(device: str) -> bool:
    """Reset the peak memory counter. Return False if the system cannot reset it; only Linux and CUDA can."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.init()  # without it, resetting raises in a new process
        torch.cuda.reset_peak_memory_stats(device)
        return True
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # otherwise memory that was freed but not returned hides new allocations
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _resident("VmHWM") < _resident("VmRSS") + 2**24  # some containers accept the write and ignore it
    except (OSError, IndexError):
        return False


def peak_memory(device: str) -> int:
    """Return the peak memory since the last reset in bytes: allocated memory on a GPU, resident memory on a CPU.

    If the counter cannot be reset, it covers the whole process so far. On Windows, which has no counter, return 0.
    """
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device)
    try:
        return _resident("VmHWM")
    except (OSError, IndexError):
        pass
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def peak_bytes(call: Callable[[], Any], device: str) -> int | None:
    """Return the peak memory that one call allocates in bytes, including its result.

    Return None if the platform cannot reset its peak counter.
    """
    gc.collect()
    if not reset_peak_memory(device):
        call()
        return None
    before = _allocated(device)
    result = call()
    synchronize(device)
    most = peak_memory(device)
    del result
    return max(0, most - before)


def _allocated(device: str) -> int:
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)
        return torch.cuda.memory_allocated(device)
    return _resident("VmRSS")


def _resident(line: str) -> int:
    return int(Path("/proc/self/status").read_text().split(f"{line}:")[1].split()[0]) * 1024
