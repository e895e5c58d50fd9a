"""The most memory held, from a moment on: of the process on a CPU, of the allocator on a GPU."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from myths.lab.timing import synchronize


def reset_peak_memory(device: str) -> bool:
    """Lets the high-water mark start anew; False where the system has none that can be reset (only Linux and CUDA have)."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.init()  # in a fresh process there are no statistics to reset yet, which raises
        torch.cuda.reset_peak_memory_stats(device)
        return True
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # memory freed earlier and kept for later would hide what is taken from it
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _resident("VmHWM") < _resident("VmRSS") + 2**24  # some containers take the write and do nothing
    except (OSError, IndexError):
        return False


def peak_memory(device: str) -> int:
    """Bytes: on a GPU what the allocator held at most since the reset, on a CPU the resident high-water mark.

    Where that cannot be reset it is the mark of the whole process so far. 0 where the system keeps no mark (Windows).
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
    """Bytes that one call takes at its highest point beyond what was held before, its result included; None where none can tell."""
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
