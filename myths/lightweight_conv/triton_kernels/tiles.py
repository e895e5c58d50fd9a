"""Tiles of the banded kernels: which convolutions they support, and how the work is split into programs."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

ROWS = 64
"""Number of positions that a program computes. It is the same for all lengths, because each number would be compiled anew."""
MIN_CHANNELS = 16
"""Fewest channels per head. Matrix units multiply tiles of at least 16 x 16."""
MAX_KERNEL_SIZE = 129
"""Longest kernel: a lightweight band of 64 rows then has 64 + 128 columns, whose gradients fit into the registers of a program."""
MAX_DYNAMIC_CHANNELS = 256
"""Most channels per head of a dynamic convolution, all of which a program computes."""
CONFIGS = [triton.Config({}, num_warps=4, num_stages=3), triton.Config({}, num_warps=8, num_stages=2)]
"""Variants that are timed once per shape on a GPU. The interpreter takes the first."""
if triton.knobs.runtime.interpret:
    CONFIGS = CONFIGS[:1]


def supports(x: Tensor, kernel: Tensor) -> bool:
    """Return whether the banded kernels support an input [batch, positions, channels] and a kernel […, heads, k]."""
    heads, kernel_size = kernel.shape[-2:]
    most = MAX_DYNAMIC_CHANNELS if kernel.dim() == 4 else x.shape[-1]
    return x.dtype != torch.float64 and MIN_CHANNELS <= x.shape[-1] // heads <= most and kernel_size <= MAX_KERNEL_SIZE


def constants(x: Tensor, per_head: int) -> dict[str, Any]:
    """Return the compile-time constants of all kernels for an input [batch, positions, channels].

    PER_HEAD is the number of channels per head, and OPERAND the dtype of the factors of matrix products. The interpreter cannot multiply
    bfloat16, which float32 contains. Lengths and kernel sizes are no constants: a model has many, and a kernel compiles for seconds.
    """
    types = {torch.float32: tl.float32, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}
    operand = types[x.dtype] if x.is_cuda else tl.float32
    return {"PER_HEAD": per_head, "OPERAND": operand, "ROWS": ROWS}
