"""Similarity of two saliency maps, one number per image.

Every measure is NaN where a map is constant or not finite (``maps.is_map``).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from myths.saliency.maps import is_map, mass_center, top_k

WINDOW = 7
"""Window size of SSIM in pixels, the default of scikit-image."""


def intersection(one: Float[Tensor, "n h w"], other: Float[Tensor, "n h w"], k: int) -> Float[Tensor, " n"]:
    """Return the top-k intersection: the fraction of the top ``k`` pixels that two maps share, 0..1."""
    return _where_maps((top_k(one, k) & top_k(other, k)).sum((1, 2)) / k, one, other)


def lens_recall(one: Float[Tensor, "n h w"], other: Float[Tensor, "n h w"], k: int) -> Float[Tensor, " n"]:
    """Return the fraction of the first map's top ``k`` pixels with a top pixel of the other in their 3×3 window (Kamath et al. 2024)."""
    return _where_maps((top_k(one, k) & dilate(top_k(other, k))).sum((1, 2)) / k, one, other)


def lens_precision(one: Float[Tensor, "n h w"], other: Float[Tensor, "n h w"], k: int) -> Float[Tensor, " n"]:
    """Return the fraction of the other map's top ``k`` pixels with a top pixel of the first in their 3×3 window (Kamath et al. 2024)."""
    return lens_recall(other, one, k)


def dilate(pixels: Bool[Tensor, "n h w"]) -> Bool[Tensor, "n h w"]:
    """Return the pixels and their eight neighbors."""
    return F.max_pool2d(pixels.float(), 3, 1, 1) > 0


def spearman(one: Float[Tensor, "n h w"], other: Float[Tensor, "n h w"]) -> Float[Tensor, " n"]:
    """Return Spearman's rank correlation over the pixels; ties have their mean rank."""
    a, b = (ranks(maps.flatten(1)) for maps in (one, other))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    return _where_maps((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1)), one, other)


def ranks(values: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
    """Return the ranks within each row, from 0; ties have their mean rank."""
    ordered, order = values.sort(1)
    new = F.pad((ordered[:, 1:] != ordered[:, :-1]).long(), (1, 0))
    group = new.cumsum(1)
    places = torch.arange(values.shape[1], dtype=torch.float64, device=values.device).expand(values.shape)
    sums, sizes = (torch.zeros_like(places).scatter_add_(1, group, values) for values in (places.contiguous(), torch.ones_like(places)))
    means = (sums / sizes.clamp_min(1)).gather(1, group)
    return torch.zeros_like(places).scatter_(1, order, means).to(values.dtype)


def center_shift(one: Float[Tensor, "n h w"], other: Float[Tensor, "n h w"]) -> Float[Tensor, " n"]:
    """Return the distance of the centers of mass, in pixels."""
    return _where_maps((mass_center(one) - mass_center(other)).norm(dim=1), one, other)


def ssim(one: Float[Tensor, "n h w"], other: Float[Tensor, "n h w"]) -> Float[Tensor, " n"]:
    """Return the structural similarity (Wang et al. 2004) of maps scaled to 0..1, with uniform 7×7 windows as in scikit-image.

    Raises:
        ValueError: The maps are smaller than the window.
    """
    if min(one.shape[1:]) < WINDOW:
        raise ValueError(f"SSIM needs maps of at least {WINDOW} x {WINDOW} pixels, not {one.shape[1]} x {one.shape[2]}")
    x, y = (_scale_to_unit(maps.double())[:, None] for maps in (one, other))
    mean_x, mean_y = _means(x), _means(y)
    sample = WINDOW**2 / (WINDOW**2 - 1)
    variance_x, variance_y = (sample * (_means(z * z) - m * m) for z, m in ((x, mean_x), (y, mean_y)))
    covariance = sample * (_means(x * y) - mean_x * mean_y)
    c1, c2 = 0.01**2, 0.03**2
    above = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    below = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return _where_maps((above / below).mean((1, 2, 3)).to(one.dtype), one, other)


def _where_maps(values: Tensor, one: Tensor, other: Tensor) -> Tensor:
    return torch.where(is_map(one) & is_map(other), values, torch.nan)


def _means(z: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 i j"]:
    return F.avg_pool2d(z, WINDOW, 1)


def _scale_to_unit(maps: Tensor) -> Tensor:
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return (maps - low) / torch.where(high > low, high - low, 1.0)
