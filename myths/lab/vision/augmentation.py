"""Random crops, mirror images and cutout for a whole batch at once, on the device where it lies.

What is random is drawn from an explicit generator, on the generator's own device, so that a generator on the CPU gives
the same draw whatever computes.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int64, Shaped, UInt8
from torch import Tensor

Augmentation = Literal["none", "flip", "crop-flip", "crop-flip-cutout"]


PaddingMode = Literal["reflect", "zero"]


def augment(
    x: UInt8[Tensor, "n c h w"], kind: Augmentation, padding_mode: PaddingMode, fill: Float[Tensor, " c"], generator: torch.Generator
) -> Float[Tensor, "n c h w"]:
    """Pixel values in 0..1, augmented as CIFAR's papers do, in proportion to the size of the image.

    For 32 pixels: crops after padding by 4 (He et al. 2016, §4.2), mirror images, and a square of 16 pixels cut out
    (DeVries & Taylor 2017) and filled with ``fill``, the channels' means.
    """
    side = x.shape[-1]
    if kind in ("crop-flip", "crop-flip-cutout"):
        x = random_crop(x, max(1, side // 8), padding_mode, generator)
    if kind != "none":
        x = random_flip(x, generator)
    pixels = x.float() / 255
    return random_cutout(pixels, side // 2, fill, generator) if kind == "crop-flip-cutout" else pixels


def random_crop(
    x: Shaped[Tensor, "n c h w"], padding: int, padding_mode: PaddingMode, generator: torch.Generator
) -> Shaped[Tensor, "n c h w"]:
    """Each image padded by ``padding`` pixels on all sides, then cut to its size again at a random offset."""
    return crop(x, padding, padding_mode, _draw(0, 2 * padding + 1, (2, len(x)), generator, x))


def crop(x: Shaped[Tensor, "n c h w"], padding: int, padding_mode: PaddingMode, offsets: Int64[Tensor, "2 n"]) -> Shaped[Tensor, "n c h w"]:
    """Each padded image cut at its (row, column) offset, 0..2·padding; ``padding`` each keeps the images as they are."""
    n, channels, height, width = x.shape
    rows = offsets[0, :, None] - padding + torch.arange(height, device=x.device)
    columns = offsets[1, :, None] - padding + torch.arange(width, device=x.device)
    # Gathering from the images themselves needs no padded copy of the batch.
    source = _mirrored(rows, height)[:, :, None] * width + _mirrored(columns, width)[:, None, :]
    pixels = x.flatten(2).gather(2, source.view(n, 1, -1).expand(-1, channels, -1)).view_as(x)
    if padding_mode == "reflect":
        return pixels
    inside = _inside(rows, height)[:, :, None] & _inside(columns, width)[:, None, :]
    return torch.where(inside[:, None], pixels, torch.zeros((), dtype=x.dtype, device=x.device))


def random_flip(x: Shaped[Tensor, "n c h w"], generator: torch.Generator) -> Shaped[Tensor, "n c h w"]:
    """Each image mirrored left to right with probability one half."""
    mirrored = _draw(0, 2, (len(x),), generator, x).bool()
    return torch.where(mirrored[:, None, None, None], x.flip(-1), x)


def random_cutout(
    x: Float[Tensor, "n c h w"], size: int, fill: Float[Tensor, " c"], generator: torch.Generator
) -> Float[Tensor, "n c h w"]:
    """A square of ``size`` pixels around a random pixel of each image becomes ``fill``; it may stick out of the image."""
    height, width = x.shape[-2:]
    rows = _covered(_draw(0, height, (len(x),), generator, x), size, height)
    columns = _covered(_draw(0, width, (len(x),), generator, x), size, width)
    square = (rows[:, :, None] & columns[:, None, :])[:, None]
    return torch.where(square, fill[:, None, None].to(x), x)


def _covered(center: Tensor, size: int, length: int) -> Tensor:
    first = (center - size // 2)[:, None]
    position = torch.arange(length, device=center.device)
    return (position >= first) & (position < first + size)


def _mirrored(index: Tensor, length: int) -> Tensor:
    return (length - 1) - (index.abs() - (length - 1)).abs()


def _inside(index: Tensor, length: int) -> Tensor:
    return (index >= 0) & (index < length)


def _draw(low: int, high: int, shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    return torch.randint(low, high, shape, generator=generator, device=generator.device).to(like.device, non_blocking=True)
