"""What to compute on: the device, its name, precision, determinism, and what to do when memory runs out."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Literal, TypeVar

from myths.lab.errors import CannotStart, UsageError

Precision = Literal["fp32", "bf16"]

WITHOUT_BF16 = {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"}
"""Values of ``ONEDNN_MAX_CPU_ISA`` under which oneDNN uses no bf16 units."""

T = TypeVar("T")

MAX_ELEMENTS = 2**31 - 1
"""Numbers of one tensor: kernels that index with 32 bits refuse more, or are wrong."""
MAX_BYTES = 2**31
"""Bytes of one tensor of a batched operation, of which a few are held at once."""
CHANNELS = 64
"""Numbers per pixel of a network's largest activations: its first layers have the size of the image and about so many channels."""

_VENDORS = {"nvidia", "geforce", "tesla", "quadro", "amd", "radeon", "instinct", "graphics", "generation", "gpu"}
_BUILD = re.compile(r"\d+gb|sxm\d*|hbm\d*e?")


def select_device(wanted: str) -> str:
    """The device to compute on, as torch names it: "cpu", "cuda", "cuda:1", "mps".

    "auto" takes a CUDA GPU where there is one, else the CPU. Apple's "mps" must be asked for: it lacks operations.
    Raises UsageError for a word that is no device and CannotStart for a device that is not here.
    """
    import torch

    kind, _, index = wanted.partition(":")
    if kind not in ("auto", "cpu", "cuda", "mps") or (index and not (kind == "cuda" and index.isdecimal())):
        raise UsageError(f"--device {wanted} is none of auto, cpu, cuda, cuda:0 …, mps")
    if kind == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cuda" and not torch.cuda.is_available():
        why = "this torch was built without CUDA" if torch.version.cuda is None else "torch sees no GPU or no driver"
        raise CannotStart(f"no CUDA device here ({why}); --device cpu or auto runs on the CPU")
    if index and int(index) >= torch.cuda.device_count():
        raise CannotStart(f"no device {wanted}: this machine has {torch.cuda.device_count()} GPU(s), counted from cuda:0")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise CannotStart("no Apple GPU here; --device cpu or auto runs on the CPU")
    return wanted


def machine_class(device: str) -> str:
    """The class of machine that results are compared within: "cpu", "mps", or the GPU model ("h200", "rtx-4090")."""
    if not device.startswith("cuda"):
        return device
    import torch

    return gpu_slug(torch.cuda.get_device_name(device))


def gpu_slug(name: str) -> str:
    """A GPU's marketing name without maker, memory size and socket: "NVIDIA H100 80GB HBM3" is "h100"."""
    words = re.split(r"[^a-z0-9.]+", name.lower())
    return "-".join(word.replace(".", "-") for word in words if word and word not in _VENDORS and not _BUILD.fullmatch(word))


def precision_of(device: str, wanted: Literal["auto", "fp32", "bf16"]) -> Precision:
    """The precision that "auto" stands for on this device; any other word is given back as it is.

    GPUs with bf16 units take bf16. So do CPUs with AVX512-BF16 or AMX that oneDNN may use (``ONEDNN_MAX_CPU_ISA``); elsewhere bf16 is
    emulated, slower than fp32, and less exact: gradients are summed in bf16.
    """
    if wanted != "auto":
        return wanted
    import torch

    if device.startswith("cuda"):
        fast = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        # torch before 2.12 cannot tell what the CPU has: fp32 is never wrong. oneDNN may be kept from using what the CPU has.
        capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        used = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() not in WITHOUT_BF16
        fast = device == "cpu" and used and bool(capabilities.get("avx512_bf16", False))
    return "bf16" if fast else "fp32"


def autocast(device: str, precision: Precision) -> AbstractContextManager[object]:
    """Forward passes in bf16 where that is safe, or untouched for "fp32".

    "fp32" leaves torch's own defaults, under which cuDNN convolutions may round their inputs to TF32.
    """
    import torch

    return torch.autocast(device.partition(":")[0], dtype=torch.bfloat16, enabled=precision == "bf16")


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    """Two executions inside give the same bits on the same machine, at the price of speed; restores the settings after.

    An operation without a deterministic kernel raises RuntimeError. The first use of cuBLAS in the process must lie
    inside as well, because cuBLAS reads its workspace configuration only once.
    """
    import torch

    cudnn = torch.backends.cudnn
    flags = cudnn.deterministic, cudnn.benchmark
    algorithms = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    workspace = os.environ.get("CUBLAS_WORKSPACE_CONFIG")
    cudnn.deterministic, cudnn.benchmark = True, False
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(algorithms[0], warn_only=algorithms[1])
        cudnn.deterministic, cudnn.benchmark = flags
        if workspace is None:
            del os.environ["CUBLAS_WORKSPACE_CONFIG"]
        else:
            os.environ["CUBLAS_WORKSPACE_CONFIG"] = workspace


def chunk_size(wanted: int, elements: int, element_bytes: int = 4) -> int:
    """Return how many items a batched operation takes at once.

    Args:
        wanted: The number that is fastest where nothing forbids it, 1 or more.
        elements: How many numbers the largest tensor of the operation holds for each item.
        element_bytes: Bytes of one of them.

    Returns:
        At most ``wanted``, and so few that the tensor has at most MAX_ELEMENTS numbers and MAX_BYTES bytes. One item where even that
        passes the bytes.

    Raises:
        ValueError: ``wanted`` is below 1.
        CannotStart: The tensor of one item has more than MAX_ELEMENTS numbers.
    """
    if wanted < 1:
        raise ValueError(f"a chunk of {wanted} makes no progress")
    if elements > MAX_ELEMENTS:
        raise CannotStart(f"one item alone needs a tensor of {elements:,} numbers; at most {MAX_ELEMENTS:,} function: make it smaller")
    elements = max(1, elements)
    return max(1, min(wanted, MAX_ELEMENTS // elements, MAX_BYTES // (elements * element_bytes)))


def halve_on_out_of_memory(
    function: Callable[[slice], T], total: int, chunk: int, *, elements: int, element_bytes: int = 4
) -> tuple[list[T], int]:
    """Do ``function`` on consecutive slices of ``range(total)``, of at most ``chunk_size(chunk, elements, element_bytes)`` items each.

    When a slice runs out of GPU memory it is done again in halves, and so is all that follows; the results before it
    are kept.

    Args:
        function: What is done on a slice.
        total: The number of items.
        chunk: How many items at once, if size and memory allow it.
        elements: How many numbers the largest tensor inside ``function`` holds for each item.
        element_bytes: Bytes of one of them.

    Returns:
        The results in order, and the chunk size that fitted.

    Raises:
        torch.OutOfMemoryError: Even a single item does not fit.
        CannotStart: A single item has more numbers than a tensor may.
    """
    import torch

    chunk = chunk_size(chunk, elements, element_bytes)
    results: list[T] = []
    start = 0
    while start < total:
        piece = slice(start, min(start + chunk, total))
        try:
            results.append(function(piece))
            start = piece.stop
            continue
        except torch.OutOfMemoryError:
            if piece.stop - start == 1:
                raise
        # Outside the handler, where the traceback no longer keeps the failed attempt's tensors alive.
        chunk = (piece.stop - start + 1) // 2
        torch.cuda.empty_cache()
    return results, chunk
