"""Lightweight convolution as products with a band matrix. Its input is gated and masked while it is read.

All blocks of positions have the same band. A program therefore builds it once and loops over blocks.
"""

from __future__ import annotations

from typing import Any, no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from myths.lightweight_conv.triton_kernels.tiles import CONFIGS, constants


def convolve_lightweight(x: Tensor, kernel: Tensor, left_context: int, *, gated: bool = False, mask: Tensor | None = None) -> Tensor:
    """Convolve with one kernel [heads, k] for all positions.

    Args:
        x: Input [b, n, d], or [b, n, 2 d] if ``gated``.
        kernel: Kernel with the dtype of ``x``.
        left_context: Number of kernel weights that apply to earlier positions.
        gated: Whether the first half of the channels is multiplied by the sigmoid of the second half.
        mask: True [b, n] at positions that are read. The others count as zero.
    """
    return _Lightweight.apply(x, kernel, left_context, gated, None if mask is None else mask.view(torch.uint8))


class _Lightweight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, left_context: int, gated: bool, mask: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, kernel, mask)
        ctx.left_context, ctx.gated = left_context, gated
        b, n, channels = x.shape
        d = channels // 2 if gated else channels
        y = torch.empty((b, n, d), dtype=x.dtype, device=x.device)
        tiles = _tiles(x, d, kernel)
        blocks = triton.cdiv(n, tiles["ROWS"])
        _forward_kernel[_grid(b * blocks, tiles, kernel, 4)](
            x, kernel, *_mask(x, mask), y, n, d, kernel.shape[1], left_context, blocks, b * blocks, *x.stride(), *kernel.stride(),
            GATED=gated, MASKED=mask is not None, **tiles,
        )  # fmt: skip
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, kernel, mask = ctx.saved_tensors
        b, n, d = gradient.shape
        h, k = kernel.shape
        of_x = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        tiles = _tiles(x, d, kernel)
        blocks, rows, width = triton.cdiv(n, tiles["ROWS"]), tiles["ROWS"], tiles["ROWS"] + tiles["TAIL"]
        grid = _grid(b * blocks, tiles, kernel, 2)
        sums = torch.empty((*grid, rows, width), dtype=torch.float32, device=x.device)
        _backward_kernel[grid](
            x, kernel, *_mask(x, mask), gradient, of_x, sums, n, d, k, ctx.left_context, blocks, b * blocks,
            *x.stride(), *kernel.stride(), *gradient.stride(), GATED=ctx.gated, MASKED=mask is not None, **tiles,
        )  # fmt: skip
        # The gradient of a weight is the sum along a diagonal of the band, which is a column of rows that are one element shorter.
        of_band = sums.view(len(sums), h, -1, rows, width).sum((0, 2))
        diagonals = of_band.as_strided((h, rows, k), (rows * width, width - 1, 1), width - k)
        return of_x, diagonals.sum(1).to(kernel.dtype), None, None, None


def _tiles(x: Tensor, d: int, kernel: Tensor) -> dict[str, Any]:
    """Return the compile-time constants. Each of ROWS positions reads some of the next TAIL, which the next block shares."""
    h, k = kernel.shape
    tail, channels = max(32, triton.next_power_of_2(k - 1)), min(64, triton.next_power_of_2(d // h))
    return {**constants(x, d // h), "TAIL": tail, "CHANNELS": channels}


def _grid(blocks: int, tiles: dict[str, Any], kernel: Tensor, per_multiprocessor: int) -> tuple[int, int]:
    """Return the number of programs per tile of channels, so that all run at once, and the number of such tiles."""
    columns = len(kernel) * triton.cdiv(tiles["PER_HEAD"], tiles["CHANNELS"])
    multiprocessors = torch.cuda.get_device_properties(kernel.device).multi_processor_count if kernel.is_cuda else 1
    return min(blocks, max(1, per_multiprocessor * multiprocessors // columns)), columns


def _mask(x: Tensor, mask: Tensor | None) -> tuple[Tensor, int, int]:
    return (x, 0, 0) if mask is None else (mask, mask.stride(0), mask.stride(1))


@triton.autotune(configs=CONFIGS, key=["PER_HEAD", "GATED", "MASKED", "TAIL"])
@triton.jit(do_not_specialize=["n", "kernel_size", "left_context", "blocks", "total"])
@no_type_check
def _forward_kernel(
    x, w, mask, m_b, m_n, y, n, d, kernel_size, left_context, blocks, total, x_b, x_n, x_c, w_h, w_k,
    PER_HEAD: tl.constexpr, GATED: tl.constexpr, MASKED: tl.constexpr,
    OPERAND: tl.constexpr, ROWS: tl.constexpr, TAIL: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """y[i] = Σ_q band[i, q] x[i₀ − left + q] for the positions i₀ … i₀ + ROWS of a block.

    Of 31 taps and 64 channels per head, gated, in bfloat16: a program of four warps needs 72 registers of each thread and, to read three
    blocks ahead, 70 kB of shared memory, so that three fit on a multiprocessor of an H200.
    """
    offset, column, ok = _columns(PER_HEAD, CHANNELS)
    row, end = tl.arange(0, ROWS), tl.arange(0, TAIL)
    main = _band(w + offset * w_h, row[None, :] - row[:, None], w_k, kernel_size).to(OPERAND)
    tail = _band(w + offset * w_h, ROWS + end[None, :] - row[:, None], w_k, kernel_size).to(OPERAND)
    for block in range(tl.program_id(0), total, tl.num_programs(0)):
        batch, first = (block // blocks).to(tl.int64), block % blocks * ROWS
        start = first - left_context
        here = start + row
        read = _exists(mask + batch * m_b, here, m_n, n, MASKED)[:, None] & ok[None, :]
        value = _read(x + batch * x_b + here[:, None] * x_n + column[None, :] * x_c, read, d * x_c, GATED)
        summed = tl.dot(main, value.to(OPERAND), input_precision="ieee")
        here = start + ROWS + end
        read = (_exists(mask + batch * m_b, here, m_n, n, MASKED) & (end < kernel_size - 1))[:, None] & ok[None, :]
        value = _read(x + batch * x_b + here[:, None] * x_n + column[None, :] * x_c, read, d * x_c, GATED)
        summed = tl.dot(tail, value.to(OPERAND), summed, input_precision="ieee")
        here = first + row
        to = y + batch * n * d + here[:, None] * d + column[None, :]
        tl.store(to, summed.to(y.dtype.element_ty), mask=(here < n)[:, None] & ok[None, :])


@triton.autotune(configs=CONFIGS, key=["PER_HEAD", "GATED", "MASKED", "TAIL"])
@triton.jit(do_not_specialize=["n", "kernel_size", "left_context", "blocks", "total"])
@no_type_check
def _backward_kernel(
    x, w, mask, m_b, m_n, g, x_grad, sums, n, d, kernel_size, left_context, blocks, total, x_b, x_n, x_c, w_h, w_k, g_b, g_n, g_c,
    PER_HEAD: tl.constexpr, GATED: tl.constexpr, MASKED: tl.constexpr,
    OPERAND: tl.constexpr, ROWS: tl.constexpr, TAIL: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Compute both gradients from one reading of x and of the gradient g of y.

    The gradient of x is a product with the transposed band, and that of the band the product of x and g, which stays in registers and is
    summed over all blocks of a program. Of 31 taps and 64 channels per head, gated, in bfloat16: a program of four warps needs 253
    registers of each thread and 90 kB of shared memory, so that two fit on a multiprocessor of an H200.
    """
    offset, column, ok = _columns(PER_HEAD, CHANNELS)
    row, end = tl.arange(0, ROWS), tl.arange(0, TAIL)
    # Row i of the transposed band applies to the gradients that position i contributed to: from left − (k − 1) to left of it.
    main = _band(w + offset * w_h, kernel_size - 1 - row[None, :] + row[:, None], w_k, kernel_size).to(OPERAND)
    tail = _band(w + offset * w_h, kernel_size - 1 - ROWS - end[None, :] + row[:, None], w_k, kernel_size).to(OPERAND)
    of_main, of_tail = tl.zeros((ROWS, ROWS), dtype=tl.float32), tl.zeros((ROWS, TAIL), dtype=tl.float32)
    for block in range(tl.program_id(0), total, tl.num_programs(0)):
        batch, first = (block // blocks).to(tl.int64), block % blocks * ROWS
        here = first + row
        inside = (here < n)[:, None] & ok[None, :]
        read = _exists(mask + batch * m_b, here, m_n, n, MASKED)[:, None] & ok[None, :]
        at = x + batch * x_b + here[:, None] * x_n + column[None, :] * x_c
        value = tl.load(at, mask=read, other=0.0).to(tl.float32)
        gate = tl.sigmoid(tl.load(at + d * x_c, mask=read, other=0.0).to(tl.float32)) if GATED else 1.0
        factor = (value * gate).to(x.dtype.element_ty).to(OPERAND)

        start = first + left_context - (kernel_size - 1)
        there = start + row
        read_g = ((there >= 0) & (there < n))[:, None] & ok[None, :]
        slope = tl.load(g + batch * g_b + there[:, None] * g_n + column[None, :] * g_c, mask=read_g, other=0.0).to(OPERAND)
        of_x = tl.dot(main, slope, input_precision="ieee")
        of_main = tl.dot(factor, tl.trans(slope), of_main, input_precision="ieee")
        there = start + ROWS + end
        read_g = ((there >= 0) & (there < n) & (end < kernel_size - 1))[:, None] & ok[None, :]
        slope = tl.load(g + batch * g_b + there[:, None] * g_n + column[None, :] * g_c, mask=read_g, other=0.0).to(OPERAND)
        of_x = tl.dot(tail, slope, of_x, input_precision="ieee")
        of_tail = tl.dot(factor, tl.trans(slope), of_tail, input_precision="ieee")

        of_x = tl.where(read, of_x, 0.0)
        width = 2 * d if GATED else d
        to = x_grad + batch * n * width + here[:, None] * width + column[None, :]
        tl.store(to, (of_x * gate).to(x.dtype.element_ty), mask=inside)
        if GATED:
            tl.store(to + d, (of_x * value * gate * (1.0 - gate)).to(x.dtype.element_ty), mask=inside)
    program = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    to = sums + (program.to(tl.int64) * ROWS + row[:, None]) * (ROWS + TAIL)
    # Columns are written from the last to the first, so that the taps along a row ascend.
    tl.store(to + ROWS + TAIL - 1 - row[None, :], of_main)
    tl.store(to + TAIL - 1 - end[None, :], of_tail)


@triton.jit
@no_type_check
def _columns(PER_HEAD: tl.constexpr, CHANNELS: tl.constexpr):
    """Return the head of a program, its channels, and which of them exist."""
    tiles: tl.constexpr = (PER_HEAD + CHANNELS - 1) // CHANNELS
    head = tl.program_id(1) // tiles
    channel = tl.program_id(1) % tiles * CHANNELS + tl.arange(0, CHANNELS)
    return head, head * PER_HEAD + channel, channel < PER_HEAD


@triton.jit
@no_type_check
def _band(w, tap, w_k, kernel_size):
    """Return the weights of taps, and 0 beyond the kernel."""
    return tl.load(w + tap * w_k, mask=(tap >= 0) & (tap < kernel_size), other=0.0)


@triton.jit
@no_type_check
def _exists(mask, here, m_n, n, MASKED: tl.constexpr):
    """Return which positions are in the sequence and not masked."""
    inside = (here >= 0) & (here < n)
    if MASKED:
        inside &= tl.load(mask + here * m_n, mask=inside, other=0) != 0
    return inside


@triton.jit
@no_type_check
def _read(at, read, gate, GATED: tl.constexpr):
    """Return a tile of x, gated and rounded to its dtype."""
    value = tl.load(at, mask=read, other=0.0)
    if GATED:
        value = (value.to(tl.float32) * tl.sigmoid(tl.load(at + gate, mask=read, other=0.0).to(tl.float32))).to(value.dtype)
    return value
