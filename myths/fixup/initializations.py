"""What weights begin with: Fixup's factor, He's and Glorot's deviations, orthonormal rows, and layer-sequential unit variance."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn


def fixup_factor(branches: int, layers: int) -> float:
    """L^(−1/(2m−2)) for L branches of m layers: what the layers of a branch, but for its last, are scaled by.

    Raises ValueError for branches of a single layer, which is the last and begins at zero.
    """
    if layers < 2:
        raise ValueError("a branch of one layer has none to scale: its only layer begins at zero")
    return branches ** (-1 / (2 * layers - 2))


def standard_deviation(conv: nn.Conv2d, weights: Literal["he", "xavier"]) -> float:
    """Of normal weights by He et al. 2015 (by what goes out, as in the authors' code) or Glorot & Bengio 2010."""
    area = math.prod(conv.kernel_size)
    if weights == "he":
        return math.sqrt(2 / (conv.out_channels * area))
    return math.sqrt(2 / ((conv.in_channels + conv.out_channels) * area))


def orthonormal(normal: Float[Tensor, "o i k l"]) -> Float[Tensor, "o i k l"]:
    """Orthonormal rows, or columns where there are fewer, from normal numbers (Saxe et al. 2014)."""
    flat = normal.flatten(1)
    wide = flat.shape[0] < flat.shape[1]
    q, r = torch.linalg.qr(flat.T if wide else flat)
    q = q * r.diagonal().sign()  # unique, so that the draw alone decides
    return (q.T if wide else q).reshape(normal.shape)


@torch.no_grad()
def unit_variance(network: nn.Module, pixels: Float[Tensor, "n c h w"]) -> None:
    """Layer-sequential unit variance: every layer divided by the deviation of what it gives for these images, first to last.

    What a layer gives is linear in its weights, so one division is exact and one forward pass enough, where Mishkin & Matas 2016
    iterate to a tolerance.
    """

    def divide(layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        deviation = output.std().clamp_min(1e-12)
        layer.weight.div_(deviation)
        return output / deviation

    hooks = [m.register_forward_hook(divide) for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    try:
        network(pixels)
    finally:
        for hook in hooks:
            hook.remove()
