"""Everyday changes of photographs: a small shift or rotation, JPEG compression, and brightness.

Maps of moved images are moved back before they are compared.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from myths.saliency.maps import is_map, top_k
from myths.saliency.metrics import dilate
from myths.saliency.names import GEOMETRIC, Change

SHIFT_PX, ROTATION_DEGREES, JPEG_QUALITY, BRIGHTNESS = 2, 5.0, 75, 0.1


@dataclass(frozen=True)
class Motion:
    """An affine motion of each image, and its inverse, as ``affine_grid`` expects them: from the new positions to the old."""

    there: Float[Tensor, "n 2 3"]
    back: Float[Tensor, "n 2 3"]


def motion(change: Change, signs: Float[Tensor, " n"], size: int) -> Motion | None:
    """Return the motion of a change, or None if it moves no pixel.

    Args:
        change: The change.
        signs: Direction of the change for each image, 1 or -1.
        size: Height and width of the images.
    """
    if change not in GEOMETRIC:
        return None
    angle = signs * (math.radians(ROTATION_DEGREES) if change == "rotation" else 0.0)
    shift = signs * (2 * SHIFT_PX / size if change == "shift" else 0.0)
    return Motion(_affine(angle, -shift), _affine(-angle, shift))


def changed(images: Float[Tensor, "n c h w"], change: Change, signs: Float[Tensor, " n"], moved: Motion | None) -> Float[Tensor, "n c h w"]:
    """Return changed images. Pixels that a motion brings in repeat the border."""
    if moved is not None:
        return move(images, moved.there, "bilinear", "border").clamp(0, 1)
    if change == "brightness":
        return (images * (1 + BRIGHTNESS * signs[:, None, None, None])).clamp(0, 1)
    return torch.stack([_compressed(image) for image in images])


def similarity(
    before: Float[Tensor, "n h w"], after: Float[Tensor, "n h w"], k: int, moved: Motion | None
) -> dict[str, Float[Tensor, " n"]]:
    """Return the similarity of the maps of images and of changed images; NaN without a map.

    The maps of the changed images are moved back, each pixel to the nearest. Pixels that the motion moved out of the image do not count.

    Returns:
        intersection and lens_recall; and ceiling: the intersection of ``before`` with itself, moved there and back, 1 without a motion.
    """
    there_and_back, inside = before, torch.ones_like(before, dtype=torch.bool)
    scored = is_map(before) & is_map(after)
    if moved is not None:
        inside = _nearest(_nearest(torch.ones_like(before), moved.there), moved.back) > 0
        there_and_back = _nearest(_nearest(before, moved.there), moved.back)
        after = _nearest(after, moved.back)
    one, other, ideal = (_top(maps, inside, k) for maps in (before, after, there_and_back))
    found = {"intersection": one & other, "lens_recall": one & dilate(other), "ceiling": one & ideal}
    return {name: torch.where(scored, pixels.sum((1, 2)) / k, torch.nan) for name, pixels in found.items()}


def move(x: Float[Tensor, "n c h w"], theta: Float[Tensor, "n 2 3"], mode: str, padding_mode: str = "zeros") -> Float[Tensor, "n c h w"]:
    """Return moved images."""
    grid = F.affine_grid(theta.to(x), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode=mode, padding_mode=padding_mode, align_corners=False)


def _nearest(maps: Float[Tensor, "n h w"], theta: Float[Tensor, "n 2 3"]) -> Float[Tensor, "n h w"]:
    return move(maps[:, None], theta, "nearest")[:, 0]


def _top(maps: Float[Tensor, "n h w"], inside: Bool[Tensor, "n h w"], k: int) -> Bool[Tensor, "n h w"]:
    return top_k(torch.where(inside, maps, -1.0), k)


def _affine(angle: Float[Tensor, " n"], shift: Float[Tensor, " n"]) -> Float[Tensor, "n 2 3"]:
    """Return matrices of a rotation and a shift along the rows."""
    zero = torch.zeros_like(angle)
    rows = [torch.stack([angle.cos(), -angle.sin(), shift], 1), torch.stack([angle.sin(), angle.cos(), zero], 1)]
    return torch.stack(rows, 1)


def _compressed(image: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
    from PIL import Image

    pixels = (image * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY)
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1).to(image) / 255
