"""Names of the layers, and the kernel sizes of a model with increasing kernels."""

from __future__ import annotations

from typing import Literal

Layer = Literal[
    "attention",
    "attention-materialized",
    "attention-window",
    "dense-conv",
    "depthwise",
    "increasing-kernel",
    "dropconnect",
    "shared-kernel",
    "lightweight",
    "dynamic",
    "dynamic-no-softmax",
]
"""In the order of the paper's ablation (Table 3): each convolution has one thing more than the one before it.

"attention-materialized" is full attention with its n x n weights written out, as it was computed in 2019.
"""


def increasing_kernel_sizes(layers: int) -> tuple[int, ...]:
    """Kernels that grow with depth: spread over the paper's 3, 7, 15, 31, the last as often as there are more layers."""
    sizes = (3, 7, 15, 31)
    if layers >= len(sizes):
        return sizes + (sizes[-1],) * (layers - len(sizes))
    return {0: (), 1: (31,), 2: (3, 31), 3: (3, 15, 31)}[layers]
