"""How alike two saliency maps of one image are, one number per image; all at once on the device.

Every measure is NaN where one of the maps is none: empty, constant or not finite (``maps.is_map``).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from myths.saliency.maps import is_map, mass_center, top_k

WINDOW = 7
"""Pixels a side of the window of SSIM, as in scikit-image."""


def intersection(one: Float[Tensor, "n h w"], other: Float[Tensor, "n h w"], k: int) -> Float[Tensor, " n"]:
    """Share of the top ``k`` pixels that two maps have in common, 0..1."""
    return _of_maps((top_k(one, k) & top_k(other, k)).sum((1, 2)) / k, one, other)


def lens_recall(one: Float[Tensor, "n h w"], other: Float[Tensor, "n h w"], k: int) -> Float[Tensor, " n"]:
    """Share of the first map's top ``k`` pixels with a top pixel of the other in their 3×3 neighborhood (Kamath et al. 2024)."""
    return _of_maps((top_k(one, k) & neighborhood(top_k(other, k))).sum((1, 2)) / k, one, other)


def lens_precision(one: Float[Tensor, "n h w"], other: Float[Tensor, "n h w"], k: int) -> Float[Tensor, " n"]:
    """Share of the other map's top ``k`` pixels with a top pixel of the first in their 3×3 neighborhood (Kamath et al. 2024)."""
    return lens_recall(other, one, k)


def neighborhood(pixels: Bool[Tensor, "n h w"]) -> Bool[Tensor, "n h w"]:
    """The pixels and their eight neighbors."""
    return F.max_pool2d(pixels.float(), 3, 1, 1) > 0


def spearman(one: Float[Tensor, "n h w"], other: Float[Tensor, "n h w"]) -> Float[Tensor, " n"]:
    """Spearman's rank correlation over the pixels, equal values at their mean rank."""
    a, b = (ranks(maps.flatten(1)) for maps in (one, other))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    return _of_maps((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1)), one, other)


def ranks(values: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
    """Ranks from 0 within each row, equal values at the mean of theirs."""
    ordered, order = values.sort(1)
    new = F.pad((ordered[:, 1:] != ordered[:, :-1]).long(), (1, 0))
    group = new.cumsum(1)
    places = torch.arange(values.shape[1], dtype=torch.float64, device=values.device).expand(values.shape)
    sums, sizes = (torch.zeros_like(places).scatter_add_(1, group, what) for what in (places.contiguous(), torch.ones_like(places)))
    means = (sums / sizes.clamp_min(1)).gather(1, group)
    return torch.zeros_like(places).scatter_(1, order, means).to(values.dtype)


def center_shift(one: Float[Tensor, "n h w"], other: Float[Tensor, "n h w"]) -> Float[Tensor, " n"]:
    """Distance of the centers of mass, in pixels."""
    return _of_maps((mass_center(one) - mass_center(other)).norm(dim=1), one, other)


def ssim(one: Float[Tensor, "n h w"], other: Float[Tensor, "n h w"]) -> Float[Tensor, " n"]:
    """Structural similarity (Wang et al. 2004) of maps scaled to 0..1: 7×7 windows of equal weights, as scikit-image's default.

    Raises ValueError for maps smaller than the window.
    """
    if min(one.shape[1:]) < WINDOW:
        raise ValueError(f"SSIM needs maps of {WINDOW} pixels a side or more")
    x, y = (_to_one(maps.double())[:, None] for maps in (one, other))
    mean_x, mean_y = _means(x), _means(y)
    sample = WINDOW**2 / (WINDOW**2 - 1)
    variance_x, variance_y = (sample * (_means(z * z) - m * m) for z, m in ((x, mean_x), (y, mean_y)))
    covariance = sample * (_means(x * y) - mean_x * mean_y)
    c1, c2 = 0.01**2, 0.03**2
    above = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    below = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return _of_maps((above / below).mean((1, 2, 3)).to(one.dtype), one, other)


def _of_maps(values: Tensor, one: Tensor, other: Tensor) -> Tensor:
    return torch.where(is_map(one) & is_map(other), values, torch.nan)


def _means(z: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 i j"]:
    return F.avg_pool2d(z, WINDOW, 1)


def _to_one(maps: Tensor) -> Tensor:
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return (maps - low) / torch.where(high > low, high - low, 1.0)
