"""Random crops, mirror images and cutout for a whole batch at once, on the device where it lies.

What is random is drawn from an explicit generator, on the generator's own device, so that a generator on the CPU gives
the same draw whatever computes.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, Shaped, UInt8
from torch import Tensor

Augmentation = Literal["none", "flip", "crop-flip", "crop-flip-cutout"]


Border = Literal["reflect", "zero"]


def augment(
    x: UInt8[Tensor, "n c h w"], kind: Augmentation, border: Border, fill: Float[Tensor, " c"], generator: torch.Generator
) -> Float[Tensor, "n c h w"]:
    """Pixel values in 0..1, augmented as CIFAR's papers do, in proportion to the size of the image.

    For 32 pixels: crops after padding by 4 (He et al. 2016, §4.2), mirror images, and a square of 16 pixels cut out
    (DeVries & Taylor 2017) and filled with ``fill``, the channels' means.
    """
    side = x.shape[-1]
    if kind in ("crop-flip", "crop-flip-cutout"):
        x = random_crop(x, max(1, side // 8), border, generator)
    if kind != "none":
        x = random_flip(x, generator)
    pixels = x.float() / 255
    return random_cutout(pixels, side // 2, fill, generator) if kind == "crop-flip-cutout" else pixels


def random_crop(x: Shaped[Tensor, "n c h w"], padding: int, border: Border, generator: torch.Generator) -> Shaped[Tensor, "n c h w"]:
    """Each image padded by ``padding`` pixels on all sides, then cut to its size again at a random offset."""
    return crop(x, padding, border, _draw(0, 2 * padding + 1, (2, len(x)), generator, x))


def crop(x: Shaped[Tensor, "n c h w"], padding: int, border: Border, offsets: Int64[Tensor, "2 n"]) -> Shaped[Tensor, "n c h w"]:
    """Each padded image cut at its (row, column) offset, 0..2·padding; ``padding`` each keeps the images as they are."""
    height, width = x.shape[-2:]
    padded = _reflect(x, padding) if border == "reflect" else F.pad(x, (padding,) * 4)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(len(x), device=x.device), :, offsets[0], offsets[1]]


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


def _reflect(x: Tensor, padding: int) -> Tensor:
    # torch's own reflection knows no uint8; selecting mirrored rows and columns works for every type.
    for dimension in (2, 3):
        length = x.shape[dimension]
        index = torch.arange(-padding, length + padding, device=x.device).abs()
        x = x.index_select(dimension, torch.where(index < length, index, 2 * (length - 1) - index))
    return x


def _draw(low: int, high: int, shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    return torch.randint(low, high, shape, generator=generator, device=generator.device).to(like.device, non_blocking=True)
