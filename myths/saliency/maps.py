"""Saliency maps: what attributions become before they are looked at, and what is read off them."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from myths.lab.errors import UsageError


def pixel_map(attributions: Float[Tensor, "n c h w"]) -> Float[Tensor, "n h w"]:
    """Σ over channels of |attribution|, scaled to a mean of 1 over the pixels (Ghorbani et al. 2019); a map of zeros is even."""
    salience = attributions.abs().sum(1)
    total = salience.mean((1, 2), keepdim=True)
    nothing = total == 0
    return torch.where(nothing, 1.0, salience / torch.where(nothing, 1.0, total))


def is_map(maps: Float[Tensor, "n h w"]) -> Bool[Tensor, " n"]:
    """Return whether each map says anything: it is finite, and not the same everywhere as one of zeros is. Other maps are not scored."""
    lowest, highest = maps.amin((1, 2)), maps.amax((1, 2))
    return lowest.isfinite() & highest.isfinite() & (lowest < highest)


def top_k(maps: Float[Tensor, "n h w"], k: int) -> Bool[Tensor, "n h w"]:
    """The ``k`` most salient pixels of each map. Raises UsageError for a ``k`` that is not in 1..pixels."""
    n, h, w = maps.shape
    if not 1 <= k <= h * w:
        raise UsageError(f"k={k}: an image of {h} x {w} pixels has from 1 to {h * w} top pixels")
    chosen = torch.zeros(n, h * w, dtype=torch.bool, device=maps.device)
    return chosen.scatter_(1, maps.flatten(1).topk(k, 1).indices, True).reshape(n, h, w)


def mass_center(maps: Float[Tensor, "n h w"]) -> Float[Tensor, "n 2"]:
    """Row and column of the center of mass, in pixels."""
    _, h, w = maps.shape
    rows, columns = (torch.arange(side, dtype=maps.dtype, device=maps.device) for side in (h, w))
    total = maps.sum((1, 2))
    return torch.stack([maps.sum(2) @ rows / total, maps.sum(1) @ columns / total], 1)


def dullest_quarter(maps: Float[Tensor, "n h w"]) -> Bool[Tensor, "n h w"]:
    """The quadrant of each image that its map finds least salient: where a targeted attack moves the map to."""
    _, h, w = maps.shape
    top, left = torch.arange(h, device=maps.device) < h // 2, torch.arange(w, device=maps.device) < w // 2
    quadrants = torch.stack([rows[:, None] & columns for rows in (top, ~top) for columns in (left, ~left)])
    mean = (maps[:, None] * quadrants).sum((2, 3)) / quadrants.sum((1, 2))
    return quadrants[mean.argmin(1)]
