"""Deterministic float32 convolutions. Maps are ranked pixel by pixel, so rounding errors alone would reorder them."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch


def exact_convolutions() -> AbstractContextManager[None]:
    """Return a context in which cuDNN uses float32 instead of TF32, and deterministic algorithms. On a CPU it has no effect."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
