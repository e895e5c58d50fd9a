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
"""Names of the layers, in the order of the paper's ablation (Table 3). Each convolution adds one element to the previous one.

"attention-materialized" is full attention that stores its n x n weights, as implemented in 2019. "shared-kernel" shares kernels across
channels.
"""


def increasing_kernel_sizes(layers: int) -> tuple[int, ...]:
    """Return kernel sizes that increase with depth: the 3, 7, 15, 31 of the paper, with 31 for all further layers."""
    sizes = (3, 7, 15, 31)
    if layers >= len(sizes):
        return sizes + (sizes[-1],) * (layers - len(sizes))
    return {0: (), 1: (31,), 2: (3, 31), 3: (3, 15, 31)}[layers]
