"""Convolutions as exact as the CPU's: maps are ranked pixel by pixel, and rounding alone would reorder them."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch


def exact_convolutions() -> AbstractContextManager[None]:
    """Inside, cuDNN computes in full float32, not TF32, and by algorithms that give the same bits each time; nothing changes on a CPU."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
