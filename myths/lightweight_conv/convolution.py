"""The operation of lightweight and dynamic convolutions, with four backends that compute the same result.

    y[b, i, c] = Σ_j kernel[…, head(c), j] · x[b, i + j − left_context, c],    head(c) = c // (channels / heads),    x outside = 0

A lightweight kernel [heads, k] is shared by all positions. A dynamic kernel [b, n, heads, k] differs by position (Wu et al. 2019, Sec. 3).
"""

from __future__ import annotations

import functools
import warnings
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from myths.lab.errors import UsageError
from myths.lab.language.mixer import check_heads

Backend = Literal["auto", "unfold", "conv1d", "banded", "fused"]
Kernel: TypeAlias = Float[Tensor, "h k"] | Float[Tensor, "b n h k"]

BLOCK = 64
"""Number of positions per band matrix. Any number gives the correct result; this one is fast."""


def default_left_context(kernel_size: int, *, causal: bool) -> int:
    """Return how many weights of a kernel apply to earlier positions.

    These are all weights but the last if ``causal``, else half of them (the larger half of an even number).
    """
    return kernel_size - 1 if causal else kernel_size // 2


def convolve(x: Float[Tensor, "b n d"], kernel: Kernel, left_context: int, backend: Backend = "auto") -> Float[Tensor, "b n d"]:
    """Convolve a batch of sequences with a kernel.

    Args:
        x: Batch of sequences, with positions before channels.
        kernel: Lightweight or dynamic kernel.
        left_context: Number of kernel weights that apply to earlier positions.
        backend: "auto" uses the Triton kernel on CUDA devices if Triton is installed, and band matrices otherwise.

    Raises:
        UsageError: The number of heads does not divide the number of channels, or the backend does not support the kernel.
    """
    check_heads(x.shape[2], kernel.shape[-2])
    kernel = kernel.to(x.dtype)
    kernel, left_context = _reachable(kernel, left_context, x.shape[1])
    if backend == "auto":
        backend = fastest_backend(x, kernel)
    if backend == "fused":
        return _fused(x, kernel, left_context)
    if backend == "conv1d" and kernel.dim() == 4:
        raise UsageError("backend='conv1d' requires one kernel for all positions. Use unfold, banded or fused for dynamic convolutions.")
    return {"unfold": _unfold, "conv1d": _conv1d, "banded": _banded}[backend](x, kernel, left_context)


def convolve_gated(
    x: Float[Tensor, "b n dd"], kernel: Float[Tensor, "h k"], left_context: int, mask: Bool[Tensor, "b n"] | None, backend: Backend = "auto"
) -> Float[Tensor, "b n d"]:
    """Convolve gated inputs: ``convolve`` of the first half of the channels times the sigmoid of the second half.

    Args:
        x: Batch of sequences with twice the channels.
        kernel: Lightweight kernel.
        left_context: Number of kernel weights that apply to earlier positions.
        mask: True for real tokens. The others count as zero. Default: all.
        backend: As in ``convolve``. "fused" applies gate and mask while the input is read.
    """
    if _uses_bands(x, kernel, backend):
        from myths.lightweight_conv.triton_kernels.banded_lightweight import convolve_lightweight

        check_heads(x.shape[2] // 2, len(kernel))
        return convolve_lightweight(x, *_reachable(kernel.to(x.dtype), left_context, x.shape[1]), gated=True, mask=mask)
    return convolve(gate(x, mask), kernel, left_context, backend)


def gate(x: Float[Tensor, "b n dd"], mask: Bool[Tensor, "b n"] | None) -> Float[Tensor, "b n d"]:
    """Return the first half of the channels times the sigmoid of the second half (GLU), and zeros at padding tokens."""
    gated = F.glu(x, dim=-1)
    return gated if mask is None else gated.masked_fill(~mask[..., None], 0.0)


def convolve_predicted(
    x: Float[Tensor, "b n d"],
    weights: Float[Tensor, "b n h k"],
    left_context: int,
    *,
    softmax: bool,
    dropout: float = 0.0,
    backend: Backend = "auto",
) -> Float[Tensor, "b n d"]:
    """Convolve with a kernel for each position that a layer has predicted.

    Args:
        x: Batch of sequences.
        weights: Predicted weights.
        left_context: Number of kernel weights that apply to earlier positions.
        softmax: Whether the weights of a kernel are normalized by a softmax.
        dropout: Rate of DropConnect, which zeroes random weights and scales the others up.
        backend: As in ``convolve``. "fused" applies softmax and DropConnect while the weights are read.
    """
    if _uses_bands(x, weights, backend):
        from myths.lightweight_conv.triton_kernels.banded_dynamic import convolve_dynamic

        check_heads(x.shape[2], weights.shape[2])
        kept = torch.empty(weights.shape, dtype=torch.bool, device=x.device).bernoulli_(1 - dropout) if dropout else None
        return convolve_dynamic(x, weights, left_context, softmax=softmax, kept=kept, dropout=dropout)
    return convolve(x, F.dropout(weights.softmax(-1) if softmax else weights, dropout), left_context, backend)


def convolve_last_position(window: Float[Tensor, "b m d"], kernel: Float[Tensor, "h k"] | Float[Tensor, "b h k"]) -> Float[Tensor, "b d"]:
    """Return the causal convolution at the last of ``m`` positions, with ``m`` at most the kernel size ``k``."""
    weights = kernel[..., kernel.shape[-1] - window.shape[1] :].to(window.dtype)
    return (weights.unsqueeze(-2) @ window.unflatten(2, (kernel.shape[-2], -1)).transpose(1, 2)).flatten(1)


def fastest_backend(x: Float[Tensor, "b n d"], kernel: Kernel) -> Backend:
    """Return the backend that "auto" uses."""
    if x.is_cuda and _has_triton():
        return "fused"
    return "banded"


def _uses_bands(x: Tensor, kernel: Kernel, backend: Backend) -> bool:
    """Return whether the banded Triton kernels compute the convolution."""
    if backend == "auto":
        backend = fastest_backend(x, kernel)
    if backend != "fused":
        return False
    from myths.lightweight_conv.triton_kernels.tiles import supports

    return supports(x, kernel)


def _fused(x: Tensor, kernel: Tensor, left_context: int) -> Tensor:
    if not _uses_bands(x, kernel, "fused"):
        from myths.lightweight_conv.triton_kernels.taps import convolve_taps

        return convolve_taps(x, kernel, left_context)
    if kernel.dim() == 2:
        from myths.lightweight_conv.triton_kernels.banded_lightweight import convolve_lightweight

        return convolve_lightweight(x, kernel, left_context)
    from myths.lightweight_conv.triton_kernels.banded_dynamic import convolve_dynamic

    return convolve_dynamic(x, kernel, left_context)


def _reachable(kernel: Tensor, left_context: int, n: int) -> tuple[Tensor, int]:
    """Remove the kernel weights that lie outside a sequence of length ``n``, and return the kernel and its left context."""
    before, after = min(left_context, n - 1), min(kernel.shape[-1] - 1 - left_context, n - 1)
    return kernel[..., left_context - before : left_context + after + 1], before


def _unfold(x: Tensor, kernel: Tensor, left_context: int) -> Tensor:
    windows = _padded(x, kernel, left_context).unfold(1, kernel.shape[-1], 1).unflatten(2, (kernel.shape[-2], -1))
    return torch.einsum("bnhek,hk->bnhe" if kernel.dim() == 2 else "bnhek,bnhk->bnhe", windows, kernel).flatten(2)


def _conv1d(x: Tensor, kernel: Tensor, left_context: int) -> Tensor:
    d = x.shape[2]
    each = kernel.repeat_interleave(d // kernel.shape[0], dim=0)[:, None]
    return F.conv1d(_padded(x, kernel, left_context).transpose(1, 2), each, groups=d).transpose(1, 2)


def _banded(x: Tensor, kernel: Tensor, left_context: int) -> Tensor:
    """Convolve by matrix products: one band matrix per block of positions. The time is linear in ``n``."""
    n, (h, k) = x.shape[1], kernel.shape[-2:]
    block = min(BLOCK, n)
    blocks = -(-n // block)
    if blocks == 1:
        inputs = x.unflatten(2, (h, -1)).permute(0, 2, 1, 3)
        rows = kernel[:, None].expand(h, n, k) if kernel.dim() == 2 else kernel.transpose(1, 2)
        return (_band(rows)[..., left_context : left_context + n] @ inputs).transpose(1, 2).flatten(2)
    reached = _padded(x, kernel, left_context, extra=blocks * block - n).unfold(1, block + k - 1, block).unflatten(2, (h, -1))
    if kernel.dim() == 2:
        rows = kernel[:, None].expand(h, block, k)
    else:
        rows = F.pad(kernel, (0, 0, 0, 0, 0, blocks * block - n)).unflatten(1, (blocks, block)).transpose(2, 3)
    return (_band(rows) @ reached.transpose(-1, -2)).transpose(2, 3).flatten(3).flatten(1, 2)[:, :n]


def _band(rows: Float[Tensor, "*b c k"]) -> Float[Tensor, "*b c w"]:
    """Return a band matrix of c + k - 1 columns in which row i is shifted right by i."""
    c, k = rows.shape[-2:]
    return F.pad(rows, (0, c)).flatten(-2)[..., : c * (c + k - 1)].unflatten(-1, (c, c + k - 1))


def _padded(x: Tensor, kernel: Tensor, left_context: int, extra: int = 0) -> Tensor:
    return F.pad(x, (0, 0, left_context, kernel.shape[-1] - 1 - left_context + extra))


@functools.cache
def _has_triton() -> bool:
    try:
        import triton  # noqa: F401
    except ImportError:
        warnings.warn(
            "Triton is not installed. Convolutions on the GPU use the slower backend 'banded'. To fix: pip install triton", stacklevel=4
        )
        return False
    return True
