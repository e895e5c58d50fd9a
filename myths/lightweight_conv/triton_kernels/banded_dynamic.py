"""Dynamic convolution as products with band matrices. Softmax and DropConnect of the predicted kernels are applied while they are read.

The rows of a band are the kernels of a block of positions. A program multiplies one part of its columns after the other.
"""

from __future__ import annotations

from typing import Any, no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from myths.lightweight_conv.triton_kernels.tiles import CONFIGS, constants

KEY = ["PER_HEAD", "SOFTMAX", "DROPPED"]
"""Arguments for which the variants are timed again."""


def convolve_dynamic(
    x: Tensor, weights: Tensor, left_context: int, *, softmax: bool = False, kept: Tensor | None = None, dropout: float = 0.0
) -> Tensor:
    """Convolve with one kernel [b, n, heads, k] per position.

    Args:
        x: Input [b, n, d].
        weights: Kernels, or their logits if ``softmax``.
        left_context: Number of kernel weights that apply to earlier positions.
        softmax: Whether the weights of a kernel are normalized by a softmax.
        kept: True [b, n, heads, k] at the weights that DropConnect keeps and divides by 1 - ``dropout``. Default: all weights.
        dropout: Rate of DropConnect.
    """
    kept = None if kept is None else kept.contiguous().view(torch.uint8)
    return _Dynamic.apply(x, weights, left_context, softmax, kept, 1.0 if kept is None else 1 / (1 - dropout))


class _Dynamic(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor, left_context: int, softmax: bool, kept: Tensor | None, scale: float) -> Tensor:
        b, n, d = x.shape
        h, k = weights.shape[2:]
        y = torch.empty((b, n, d), dtype=x.dtype, device=x.device)
        # The logarithm of the sum of exponentials of each kernel is all that the backward pass needs of the softmax.
        norm = torch.empty((b, n, h) if softmax else (1, 1, 1), dtype=torch.float32, device=x.device)
        tiles = _tiles(x, weights, softmax, kept)
        _forward_kernel[(triton.cdiv(n, tiles["ROWS"]), h, b)](
            x, weights, weights if kept is None else kept, norm, y, n, k, left_context, scale, *x.stride(), *weights.stride(),
            TAPS=max(32, triton.next_power_of_2(k)), **tiles,
        )  # fmt: skip
        ctx.save_for_backward(x, weights, kept, norm, y)
        ctx.left_context, ctx.softmax, ctx.scale = left_context, softmax, scale
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weights, kept, norm, y = ctx.saved_tensors
        b, n, d = x.shape
        h, k = weights.shape[2:]
        of_x = torch.empty((b, n, d), dtype=x.dtype, device=x.device)
        of_weights = torch.empty((b, n, h, k), dtype=weights.dtype, device=x.device)
        tiles = _tiles(x, weights, ctx.softmax, kept)
        # Weights that apply to positions outside of the sequence have gradients, too. Blocks therefore start at −left.
        _backward_kernel[(triton.cdiv(n + k - 1, tiles["ROWS"]), h, b)](
            x, weights, weights if kept is None else kept, norm, y, gradient, of_x, of_weights, n, k, ctx.left_context, ctx.scale,
            *x.stride(), *weights.stride(), *gradient.stride(), **tiles,
        )  # fmt: skip
        return of_x, of_weights, None, None, None, None


def _tiles(x: Tensor, weights: Tensor, softmax: bool, kept: Tensor | None) -> dict[str, Any]:
    """Return the compile-time constants. The columns of a band are split into parts of PART, all of which the program adds up."""
    per_head = x.shape[2] // weights.shape[2]
    return {
        **constants(x, per_head),
        "PART": 32,
        "CHANNELS": triton.next_power_of_2(per_head),
        "SOFTMAX": softmax,
        "DROPPED": kept is not None,
    }


@triton.autotune(configs=CONFIGS, key=KEY)
@triton.jit(do_not_specialize=["n", "kernel_size", "left_context", "scale"])
@no_type_check
def _forward_kernel(
    x, w, kept, norm, y, n, kernel_size, left_context, scale, x_b, x_n, x_c, w_b, w_n, w_h, w_k,
    TAPS: tl.constexpr, PER_HEAD: tl.constexpr, SOFTMAX: tl.constexpr, DROPPED: tl.constexpr,
    OPERAND: tl.constexpr, ROWS: tl.constexpr, PART: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """y[i] = Σ_q band[i, q] x[i₀ − left + q] for the positions i₀ … i₀ + ROWS of a block.

    Of 31 taps and 64 channels per head, in bfloat16: a program of eight warps needs 72 registers of each thread and 12 kB of shared memory,
    so that three fit on a multiprocessor of an H200. The logits are read twice, the second time from the first cache.
    """
    batch, head, heads = tl.program_id(2).to(tl.int64), tl.program_id(1), tl.num_programs(1)
    row, part, channel = tl.arange(0, ROWS), tl.arange(0, PART), tl.arange(0, CHANNELS)
    first = tl.program_id(0) * ROWS
    at, kernels = first + row, batch * n * heads + head
    exists = at < n
    w, kept, norm = w + batch * w_b + head * w_h, kept + kernels * kernel_size, norm + kernels
    log_sum = tl.zeros((ROWS,), dtype=tl.float32)
    if SOFTMAX:
        every = tl.arange(0, TAPS)
        logit = tl.load(w + (at[:, None] * w_n + every[None, :] * w_k), mask=exists[:, None] & (every < kernel_size)[None, :], other=0.0)
        logit = tl.where((every < kernel_size)[None, :], logit.to(tl.float32), float("-inf"))
        largest = tl.max(logit, axis=1)
        log_sum = largest + tl.log(tl.sum(tl.exp(logit - largest[:, None]), axis=1))
        tl.store(norm + at * heads, log_sum, mask=exists)
    x, y = x + batch * x_b + head * PER_HEAD * x_c, y + kernels * PER_HEAD
    summed = tl.zeros((ROWS, CHANNELS), dtype=tl.float32)
    for start in range(0, ROWS + kernel_size - 1, PART):
        tap = start + part[None, :] - row[:, None]
        p, factor = _weight(w, kept, log_sum[:, None], at[:, None], exists[:, None], tap, w_n, w_k, heads * kernel_size, scale,
                            kernel_size, SOFTMAX, DROPPED)  # fmt: skip
        band = (p * factor).to(x.dtype.element_ty).to(OPERAND)
        value = _tile(x, first - left_context + start + part, channel, n, x_n, x_c, PER_HEAD).to(OPERAND)
        summed = tl.dot(band, value, summed, input_precision="ieee")
    to = y + at[:, None] * heads * PER_HEAD + channel[None, :]
    tl.store(to, summed.to(y.dtype.element_ty), mask=exists[:, None] & (channel < PER_HEAD)[None, :])


@triton.autotune(configs=CONFIGS, key=KEY)
@triton.jit(do_not_specialize=["n", "kernel_size", "left_context", "scale"])
@no_type_check
def _backward_kernel(
    x, w, kept, norm, y, g, x_grad, w_grad, n, kernel_size, left_context, scale, x_b, x_n, x_c, w_b, w_n, w_h, w_k, g_b, g_n, g_c,
    PER_HEAD: tl.constexpr, SOFTMAX: tl.constexpr, DROPPED: tl.constexpr,
    OPERAND: tl.constexpr, ROWS: tl.constexpr, PART: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Compute both gradients from one reading of x, y and the gradient g of y, for the positions of x in a block.

    Each pair of a position of x and a kernel that applies to it belongs to one program, which therefore writes its gradient without
    atomics. As in FlashAttention, the softmax needs Σ_j p_j dp_j = Σ_c g y of each kernel.

    Of 31 taps and 64 channels per head, in bfloat16: a program of four warps needs 240 registers of each thread and 21 kB of shared memory,
    so that two fit on a multiprocessor of an H200. All parts of a band at once would not fit into the registers.
    """
    batch, head, heads = tl.program_id(2).to(tl.int64), tl.program_id(1), tl.num_programs(1)
    row, part, channel = tl.arange(0, ROWS), tl.arange(0, PART), tl.arange(0, CHANNELS)
    at, kernels = tl.program_id(0) * ROWS - left_context + row, batch * n * heads + head
    w, kept, w_grad = w + batch * w_b + head * w_h, kept + kernels * kernel_size, w_grad + kernels * kernel_size
    x, g = x + batch * x_b + head * PER_HEAD * x_c, g + batch * g_b + head * PER_HEAD * g_c
    y, x_grad, norm = y + kernels * PER_HEAD, x_grad + kernels * PER_HEAD, norm + kernels
    value = _tile(x, at, channel, n, x_n, x_c, PER_HEAD).to(OPERAND)
    of_x = tl.zeros((ROWS, CHANNELS), dtype=tl.float32)
    for start in range(0, ROWS + kernel_size - 1, PART):
        there = tl.program_id(0) * ROWS - (kernel_size - 1) + start + part
        exists = (there >= 0) & (there < n)
        tap = kernel_size - 1 - start - part[None, :] + row[:, None]
        log_sum = tl.load(norm + there * heads, mask=exists & SOFTMAX, other=0.0)
        p, factor = _weight(w, kept, log_sum[None, :], there[None, :], exists[None, :], tap, w_n, w_k, heads * kernel_size, scale,
                            kernel_size, SOFTMAX, DROPPED)  # fmt: skip
        slope = _tile(g, there, channel, n, g_n, g_c, PER_HEAD)
        of_x = tl.dot((p * factor).to(x.dtype.element_ty).to(OPERAND), slope.to(OPERAND), of_x, input_precision="ieee")
        of_weight = tl.dot(value, tl.trans(slope.to(OPERAND)), input_precision="ieee") * factor
        if SOFTMAX:
            output = _tile(y, there, channel, n, heads * PER_HEAD, 1, PER_HEAD)
            of_weight = p * (of_weight - tl.sum(slope.to(tl.float32) * output.to(tl.float32), axis=1)[None, :])
        to = w_grad + there[None, :] * heads * kernel_size + tap
        tl.store(to, of_weight.to(w_grad.dtype.element_ty), mask=exists[None, :] & (tap >= 0) & (tap < kernel_size))
    to = x_grad + at[:, None] * heads * PER_HEAD + channel[None, :]
    tl.store(to, of_x.to(x_grad.dtype.element_ty), mask=((at >= 0) & (at < n))[:, None] & (channel < PER_HEAD)[None, :])


@triton.jit
@no_type_check
def _weight(w, kept, log_sum, at, exists, tap, w_n, w_k, kept_n, scale, kernel_size, SOFTMAX: tl.constexpr, DROPPED: tl.constexpr):
    """Return the normalized weights of kernels and taps, 0 beyond the kernel, and their factors of DropConnect."""
    exists = exists & (tap >= 0) & (tap < kernel_size)
    p = tl.load(w + (at * w_n + tap * w_k), mask=exists, other=0.0).to(tl.float32)
    if SOFTMAX:
        p = tl.where(exists, tl.exp(p - log_sum), 0.0)
    factor = tl.where(exists, scale, 0.0)
    if DROPPED:
        factor *= tl.load(kept + (at * kept_n + tap), mask=exists, other=0).to(tl.float32)
    return p, factor


@triton.jit
@no_type_check
def _tile(x, at, channel, n, x_n, x_c, PER_HEAD: tl.constexpr):
    """Return x at positions and channels of a head, and 0 outside of the sequence."""
    read = ((at >= 0) & (at < n))[:, None] & (channel < PER_HEAD)[None, :]
    return tl.load(x + (at[:, None] * x_n + channel[None, :] * x_c), mask=read, other=0.0)
