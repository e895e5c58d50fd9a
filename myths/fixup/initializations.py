"""Initializations: Fixup scaling, He and Glorot standard deviations, orthonormal weights, and layer-sequential unit variance."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn


def fixup_factor(branches: int, layers: int) -> float:
    """Return L^(−1/(2m−2)), by which Fixup scales all layers of a branch except the last (Zhang et al. 2019, Sec. 3).

    Args:
        branches: Number L of residual branches.
        layers: Number m of layers per branch.

    Raises:
        ValueError: ``layers`` is 1. The only layer of such a branch is the last, which is initialized to zero.
    """
    if layers < 2:
        raise ValueError(f"layers={layers}: Fixup needs at least 2 layers per branch; a branch of one layer has no layer to scale")
    return branches ** (-1 / (2 * layers - 2))


def standard_deviation(conv: nn.Conv2d, weights: Literal["he", "xavier"]) -> float:
    """Return the standard deviation of normal weights by He et al. 2015 (fan-out, as in the authors' code) or Glorot & Bengio 2010."""
    area = math.prod(conv.kernel_size)
    if weights == "he":
        return math.sqrt(2 / (conv.out_channels * area))
    return math.sqrt(2 / ((conv.in_channels + conv.out_channels) * area))


def orthonormal(normal: Float[Tensor, "o i k l"]) -> Float[Tensor, "o i k l"]:
    """Return weights with orthonormal rows, or columns if there are fewer, computed from normal numbers (Saxe et al. 2014)."""
    flat = normal.flatten(1)
    wide = flat.shape[0] < flat.shape[1]
    q, r = torch.linalg.qr(flat.T if wide else flat)
    q = q * r.diagonal().sign()  # makes the decomposition unique
    return (q.T if wide else q).reshape(normal.shape)


@torch.no_grad()
def unit_variance(network: nn.Module, pixels: Float[Tensor, "n c h w"]) -> None:
    """Scale the weights of each layer, first to last, so that its outputs have standard deviation 1 (Mishkin & Matas 2016).

    Mishkin & Matas iterate to a tolerance. The outputs are linear in the weights, so one division in one forward pass is exact.

    Args:
        network: The network, changed in place.
        pixels: Images between 0 and 1 whose outputs are normalized.
    """

    def divide(layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        std = output.std().clamp_min(1e-12)
        layer.weight.div_(std)
        return output / std

    hooks = [m.register_forward_hook(divide) for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    try:
        network(pixels)
    finally:
        for hook in hooks:
            hook.remove()
