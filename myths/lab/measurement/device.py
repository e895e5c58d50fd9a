"""Device selection, machine class, precision, determinism, and retries after GPU memory runs out."""

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
"""Values of ``ONEDNN_MAX_CPU_ISA`` with which oneDNN uses no bf16 instructions."""

T = TypeVar("T")

MAX_ELEMENTS = 2**31 - 1
"""Maximum number of elements of a tensor. Kernels with 32-bit indices refuse larger tensors or return wrong results."""
MAX_BYTES = 2**31
"""Maximum size of a tensor of a batched operation, which holds a few such tensors at once."""
CHANNELS = 64
"""Elements per pixel of the largest activations of a network. Its first layers have the size of the image and about this many channels."""

_VENDORS = {"nvidia", "geforce", "tesla", "quadro", "amd", "radeon", "instinct", "graphics", "generation", "gpu"}
_BUILD = re.compile(r"\d+gb|sxm\d*|hbm\d*e?")


def select_device(wanted: str) -> str:
    """Return the device to compute on, as torch names it: "cpu", "cuda", "cuda:1", "mps".

    Args:
        wanted: A device, or "auto": a CUDA GPU if available, else the CPU. Apple's "mps" must be requested, because it lacks operations.

    Raises:
        UsageError: The name is not a device.
        CannotStart: The device is not available.
    """
    check_device_name(wanted)
    import torch

    kind, _, index = wanted.partition(":")
    if kind == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cuda" and not torch.cuda.is_available():
        why = "this torch was built without CUDA" if torch.version.cuda is None else "torch sees no GPU or no driver"
        raise CannotStart(f"No CUDA device available ({why}). Use --device cpu or --device auto")
    if index and int(index) >= torch.cuda.device_count():
        raise CannotStart(f"No device {wanted}: this machine has {torch.cuda.device_count()} GPU(s), numbered from cuda:0")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise CannotStart("No Apple GPU available. Use --device cpu or --device auto")
    return wanted


def check_device_name(wanted: str) -> None:
    """Check a device as the user gives it, without a look at this machine.

    Raises:
        UsageError: The name is not a device.
    """
    kind, _, index = wanted.partition(":")
    if kind not in ("auto", "cpu", "cuda", "mps") or (index and not (kind == "cuda" and index.isdecimal())):
        raise UsageError(f"Invalid --device {wanted!r}: expected auto, cpu, cuda, cuda:0, … or mps")


def machine_class(device: str) -> str:
    """Return the class of machines within which results are comparable: "cpu", "mps", or the GPU model ("h200", "rtx-4090")."""
    if not device.startswith("cuda"):
        return device
    import torch

    return gpu_slug(torch.cuda.get_device_name(device))


def gpu_slug(name: str) -> str:
    """Return the name of a GPU without vendor, memory size and socket: "NVIDIA H100 80GB HBM3" gives "h100"."""
    words = re.split(r"[^a-z0-9.]+", name.lower())
    return "-".join(word.replace(".", "-") for word in words if word and word not in _VENDORS and not _BUILD.fullmatch(word))


def precision_of(device: str, wanted: Literal["auto", "fp32", "bf16"]) -> Precision:
    """Return the precision that "auto" selects on a device; any other value is returned unchanged.

    "auto" selects bf16 where it is the faster one: on GPUs with bf16 units, on CPUs with AMX, and on CPUs of AMD with AVX512-BF16. CPUs of
    Intel with AVX512-BF16 but without AMX, as in some virtual machines, multiply in bf16 at half the rate of fp32
    (``benchmarks/test_training.py``). Other CPUs emulate bf16: it is slower, and less exact, because gradients are summed in bf16.

    Args:
        device: Device as torch names it.
        wanted: Requested precision.
    """
    if wanted != "auto":
        return wanted
    import torch

    if device.startswith("cuda"):
        fast = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        # torch before 2.12 does not report CPU features; fp32 is always valid. The environment may restrict oneDNN.
        capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        allowed = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
        amx = capabilities.get("amx_bf16", False) and (allowed in ("", "ALL", "DEFAULT") or "AMX" in allowed)
        amd = capabilities.get("sse4a", False)  # an extension that no CPU of Intel has
        fast = device == "cpu" and bool(amx or (amd and capabilities.get("avx512_bf16", False) and allowed not in WITHOUT_BF16))
    return "bf16" if fast else "fp32"


def autocast(device: str, precision: Precision) -> AbstractContextManager[object]:
    """Return a context manager for forward passes in bf16 where that is safe; it does nothing for "fp32".

    "fp32" keeps torch's defaults, with which cuDNN convolutions may round their inputs to TF32.
    """
    import torch

    return torch.autocast(device.partition(":")[0], dtype=torch.bfloat16, enabled=precision == "bf16")


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    """Make computations in a ``with`` block bit-reproducible on the same machine, at the cost of speed.

    An operation without a deterministic kernel raises RuntimeError. The first use of cuBLAS in the process must be inside the block as
    well, because cuBLAS reads its workspace configuration only once.
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
    """Return the number of items that a batched operation processes at once.

    Args:
        wanted: Preferred number of items, at least 1.
        elements: Elements per item of the largest tensor of the operation.
        element_bytes: Bytes per element.

    Returns:
        At most ``wanted``, limited so that the tensor has at most MAX_ELEMENTS elements and MAX_BYTES bytes; at least 1.

    Raises:
        ValueError: ``wanted`` is below 1.
        CannotStart: The tensor of one item has more than MAX_ELEMENTS elements.
    """
    if wanted < 1:
        raise ValueError(f"wanted={wanted}: expected at least 1")
    if elements > MAX_ELEMENTS:
        raise CannotStart(f"One item requires a tensor of {elements:,} elements: expected at most {MAX_ELEMENTS:,}. Make the item smaller")
    elements = max(1, elements)
    return max(1, min(wanted, MAX_ELEMENTS // elements, MAX_BYTES // (elements * element_bytes)))


def halve_on_out_of_memory(
    function: Callable[[slice], T], total: int, chunk: int, *, elements: int, element_bytes: int = 4
) -> tuple[list[T], int]:
    """Call ``function`` on consecutive slices of ``range(total)`` and halve the slices if GPU memory runs out.

    If a slice runs out of GPU memory, it is retried with half the size, and so are all later slices. Earlier results are kept.

    Args:
        function: Returns the result of a slice.
        total: Number of items.
        chunk: Requested number of items per slice; limited by ``chunk_size``.
        elements: Elements per item of the largest tensor in ``function``.
        element_bytes: Bytes per element.

    Returns:
        The results in order, and the slice size that fit.

    Raises:
        torch.OutOfMemoryError: A single item does not fit.
        CannotStart: A single item requires a tensor with too many elements.
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
