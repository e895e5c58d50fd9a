"""Any convolution, one tap at a time. Each tap reads its tile of the input again, from the first cache."""

from __future__ import annotations

from typing import Any, no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

ROWS, COLUMNS = 32, 64
"""Number of positions and channels that one program computes."""


def convolve_taps(x: Tensor, kernel: Tensor, left_context: int) -> Tensor:
    """Convolve as ``convolution.convolve``, with a kernel of the dtype of ``x`` whose left and right context are below the length.

    Sums are computed in float32 (in float64 for float64). Only first-order gradients are supported.
    """
    return _Convolve.apply(x, kernel, left_context)


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, left_context: int) -> Tensor:
        ctx.save_for_backward(x, kernel)
        ctx.left_context = left_context
        return _apply(x, kernel, left_context, transposed=False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, kernel = ctx.saved_tensors
        of_x = _apply(gradient, kernel, ctx.left_context, transposed=True) if ctx.needs_input_grad[0] else None
        of_kernel = _kernel_gradient(x, kernel, gradient, ctx.left_context) if ctx.needs_input_grad[1] else None
        return of_x, of_kernel, None


def _apply(x: Tensor, kernel: Tensor, left_context: int, *, transposed: bool) -> Tensor:
    b, n, d = x.shape
    y = torch.empty((b, n, d), dtype=x.dtype, device=x.device)
    grid = (triton.cdiv(n, ROWS), triton.cdiv(d, COLUMNS), b)
    _convolve_kernel[grid](
        x, kernel, y, n, d, d // kernel.shape[-2], left_context, *x.stride(), *_strides(kernel), *y.stride(),
        KERNEL_SIZE=kernel.shape[-1], TRANSPOSED=transposed, SHARED=kernel.dim() == 2, SUM=_sum_dtype(x), ROWS=ROWS, COLUMNS=COLUMNS,
    )  # fmt: skip
    return y


def _kernel_gradient(x: Tensor, kernel: Tensor, gradient: Tensor, left_context: int) -> Tensor:
    b, n, d = x.shape
    h, k = kernel.shape[-2:]
    shared = kernel.dim() == 2
    row_blocks = triton.cdiv(n, ROWS)
    # The gradient of a shared kernel sums over all positions: first within each program, then over the programs in a fixed order.
    parts = torch.empty((b, row_blocks if shared else n, h, k), dtype=_sum_torch(x) if shared else kernel.dtype, device=x.device)
    columns = min(COLUMNS, triton.next_power_of_2(d // h))
    _kernel_gradient_kernel[(row_blocks, h, b)](
        x, gradient, parts, n, d // h, left_context, *x.stride(), *gradient.stride(), *parts.stride(),
        KERNEL_SIZE=k, SHARED=shared, SUM=_sum_dtype(x), ROWS=ROWS, COLUMNS=columns,
    )  # fmt: skip
    return parts.sum((0, 1)).to(kernel.dtype) if shared else parts


@triton.jit
@no_type_check
def _convolve_kernel(
    x, w, y, n, d, per_head, left_context,
    x_b, x_n, x_c, w_b, w_n, w_h, w_k, y_b, y_n, y_c,
    KERNEL_SIZE: tl.constexpr, TRANSPOSED: tl.constexpr, SHARED: tl.constexpr, SUM: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """y[i] = Σ_j w[i, j] x[i + j − left]; transposed, the gradient of x: Σ_j w[i + left − j, j] x[i + left − j]."""
    batch = tl.program_id(2).to(tl.int64)
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    heads = columns // per_head
    inside = columns < d
    total = tl.zeros((ROWS, COLUMNS), dtype=SUM)
    for tap in range(KERNEL_SIZE):
        at = rows + left_context - tap if TRANSPOSED else rows + tap - left_context
        read = ((at >= 0) & (at < n))[:, None] & inside[None, :]
        value = tl.load(x + batch * x_b + at[:, None] * x_n + columns[None, :] * x_c, mask=read, other=0.0)
        if SHARED:
            weight = tl.load(w + heads * w_h + tap * w_k, mask=inside, other=0.0)[None, :]
        else:
            weighed = at if TRANSPOSED else rows
            weighs = read if TRANSPOSED else (rows < n)[:, None] & inside[None, :]
            weight = tl.load(w + batch * w_b + weighed[:, None] * w_n + heads[None, :] * w_h + tap * w_k, mask=weighs, other=0.0)
        total += value.to(SUM) * weight.to(SUM)
    where = y + batch * y_b + rows[:, None] * y_n + columns[None, :] * y_c
    tl.store(where, total.to(y.dtype.element_ty), mask=(rows < n)[:, None] & inside[None, :])


@triton.jit
@no_type_check
def _kernel_gradient_kernel(
    x, g, parts, n, per_head, left_context,
    x_b, x_n, x_c, g_b, g_n, g_c, p_b, p_n, p_h, p_k,
    KERNEL_SIZE: tl.constexpr, SHARED: tl.constexpr, SUM: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """parts[i, head, j] = Σ_c g[i, c] x[i + j − left, c] over the channels of the head; summed over the rows if SHARED."""
    batch, head = tl.program_id(2).to(tl.int64), tl.program_id(1)
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    for tap in range(KERNEL_SIZE):
        at = rows + tap - left_context
        total = tl.zeros((ROWS,), dtype=SUM)
        for first in range(0, per_head, COLUMNS):
            offset = first + tl.arange(0, COLUMNS)
            columns = head * per_head + offset
            inside = (rows < n)[:, None] & (offset < per_head)[None, :]
            read = inside & ((at >= 0) & (at < n))[:, None]
            value = tl.load(x + batch * x_b + at[:, None] * x_n + columns[None, :] * x_c, mask=read, other=0.0)
            slope = tl.load(g + batch * g_b + rows[:, None] * g_n + columns[None, :] * g_c, mask=inside, other=0.0)
            total += tl.sum(value.to(SUM) * slope.to(SUM), axis=1)
        if SHARED:
            tl.store(parts + batch * p_b + tl.program_id(0) * p_n + head * p_h + tap * p_k, tl.sum(total, axis=0))
        else:
            tl.store(parts + batch * p_b + rows * p_n + head * p_h + tap * p_k, total.to(parts.dtype.element_ty), mask=rows < n)


def _strides(kernel: Tensor) -> tuple[int, ...]:
    return kernel.stride() if kernel.dim() == 4 else (0, 0, *kernel.stride())


def _sum_dtype(x: Tensor) -> tl.dtype:
    return tl.float64 if x.dtype == torch.float64 else tl.float32


def _sum_torch(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32
