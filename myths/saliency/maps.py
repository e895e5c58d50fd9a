"""Saliency maps: computed from attributions, and the pixels and centers that are read from them."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from myths.lab.errors import UsageError


def pixel_map(attributions: Float[Tensor, "n c h w"]) -> Float[Tensor, "n h w"]:
    """Return Σ |attribution| over channels, scaled to a mean of 1 over the pixels (Ghorbani et al. 2019).

    Attributions of zero give a constant map.
    """
    salience = attributions.abs().sum(1)
    total = salience.mean((1, 2), keepdim=True)
    is_zero = total == 0
    return torch.where(is_zero, 1.0, salience / torch.where(is_zero, 1.0, total))


def is_map(maps: Float[Tensor, "n h w"]) -> Bool[Tensor, " n"]:
    """Return whether each map is finite and not constant. Other maps are not scored."""
    lowest, highest = maps.amin((1, 2)), maps.amax((1, 2))
    return lowest.isfinite() & highest.isfinite() & (lowest < highest)


def top_k(maps: Float[Tensor, "n h w"], k: int) -> Bool[Tensor, "n h w"]:
    """Return a mask of the ``k`` most salient pixels of each map. Raise UsageError if ``k`` is not in 1..pixels."""
    n, h, w = maps.shape
    if not 1 <= k <= h * w:
        raise UsageError(f"k={k}: expected 1 to {h * w} for images of {h} x {w} pixels")
    chosen = torch.zeros(n, h * w, dtype=torch.bool, device=maps.device)
    return chosen.scatter_(1, maps.flatten(1).topk(k, 1).indices, True).reshape(n, h, w)


def mass_center(maps: Float[Tensor, "n h w"]) -> Float[Tensor, "n 2"]:
    """Return row and column of the center of mass, in pixels."""
    _, h, w = maps.shape
    rows, columns = (torch.arange(size, dtype=maps.dtype, device=maps.device) for size in (h, w))
    total = maps.sum((1, 2))
    return torch.stack([maps.sum(2) @ rows / total, maps.sum(1) @ columns / total], 1)


def least_salient_quadrant(maps: Float[Tensor, "n h w"]) -> Bool[Tensor, "n h w"]:
    """Return a mask of the least salient quadrant of each map. The targeted attack moves saliency into it."""
    _, h, w = maps.shape
    top, left = torch.arange(h, device=maps.device) < h // 2, torch.arange(w, device=maps.device) < w // 2
    quadrants = torch.stack([rows[:, None] & columns for rows in (top, ~top) for columns in (left, ~left)])
    mean = (maps[:, None] * quadrants).sum((2, 3)) / quadrants.sum((1, 2))
    return quadrants[mean.argmin(1)]
