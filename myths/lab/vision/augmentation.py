"""Random crops, horizontal flips and cutout for whole batches, on the device of the batch.

Random numbers are drawn from an explicit generator on the generator's device. A CPU generator therefore gives the same
augmentation on every device.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64, Shaped, UInt8
from torch import Tensor

Augmentation = Literal["none", "flip", "crop-flip", "crop-flip-cutout", "shift-alternating-flip"]


PaddingMode = Literal["reflect", "zero"]


def augment(
    x: UInt8[Tensor, "n c h w"],
    kind: Augmentation,
    padding_mode: PaddingMode,
    fill: Float[Tensor, " c"],
    generator: torch.Generator,
    mirrored: Bool[Tensor, " n"] | None = None,
) -> Float[Tensor, "n c h w"]:
    """Augment images as in the CIFAR literature, in proportion to the image size.

    For 32 pixels: crops after padding by 4 (He et al. 2016, §4.2), horizontal flips, and cutout of 16 × 16 pixels
    (DeVries & Taylor 2017). "shift-alternating-flip" (Jordan 2024): shifts by at most 2 pixels, and flips of the images that
    ``AlternatingFlips`` names.

    Args:
        x: Images with values 0 to 255.
        kind: Augmentation.
        padding_mode: How crops are padded.
        fill: Value of cutout pixels, the channel means.
        generator: Source of randomness.
        mirrored: Images to flip, for "shift-alternating-flip".

    Returns:
        Pixel values in 0..1.
    """
    side = x.shape[-1]
    if kind == "shift-alternating-flip":
        assert mirrored is not None
        return flip(random_crop(x, max(1, side // 16), padding_mode, generator), mirrored).float() / 255
    if kind in ("crop-flip", "crop-flip-cutout"):
        x = random_crop(x, max(1, side // 8), padding_mode, generator)
    if kind != "none":
        x = random_flip(x, generator)
    pixels = x.float() / 255
    return random_cutout(pixels, side // 2, fill, generator) if kind == "crop-flip-cutout" else pixels


def random_crop(
    x: Shaped[Tensor, "n c h w"], padding: int, padding_mode: PaddingMode, generator: torch.Generator
) -> Shaped[Tensor, "n c h w"]:
    """Pad each image by ``padding`` pixels on all sides and crop it to its size at a random offset."""
    return crop(x, padding, padding_mode, _draw(0, 2 * padding + 1, (2, len(x)), generator, x))


def crop(x: Shaped[Tensor, "n c h w"], padding: int, padding_mode: PaddingMode, offsets: Int64[Tensor, "2 n"]) -> Shaped[Tensor, "n c h w"]:
    """Crop each padded image at its (row, column) offset in 0..2·padding; the offset ``padding`` returns the image unchanged."""
    n, channels, height, width = x.shape
    rows = offsets[0, :, None] - padding + torch.arange(height, device=x.device)
    columns = offsets[1, :, None] - padding + torch.arange(width, device=x.device)
    # Gathering from the images avoids a padded copy of the batch.
    source = _mirrored(rows, height)[:, :, None] * width + _mirrored(columns, width)[:, None, :]
    pixels = x.flatten(2).gather(2, source.view(n, 1, -1).expand(-1, channels, -1)).view_as(x)
    if padding_mode == "reflect":
        return pixels
    inside = _inside(rows, height)[:, :, None] & _inside(columns, width)[:, None, :]
    return torch.where(inside[:, None], pixels, torch.zeros((), dtype=x.dtype, device=x.device))


def random_flip(x: Shaped[Tensor, "n c h w"], generator: torch.Generator) -> Shaped[Tensor, "n c h w"]:
    """Flip each image horizontally with probability 1/2."""
    return flip(x, _draw(0, 2, (len(x),), generator, x).bool())


def flip(x: Shaped[Tensor, "n c h w"], mirrored: Bool[Tensor, " n"]) -> Shaped[Tensor, "n c h w"]:
    """Flip the images for which ``mirrored`` is True horizontally."""
    return torch.where(mirrored[:, None, None, None], x.flip(-1), x)


class AlternatingFlips:
    """Flips of each example at random in the first epoch and then in every other epoch (Jordan 2024).

    In two consecutive epochs a network sees all images and all mirror images. With independent flips it would see 1.5 views per image.

    Args:
        n: Number of examples.
        generator: Source of randomness.
        like: A tensor on the device.
    """

    def __init__(self, n: int, generator: torch.Generator, like: Tensor):
        self._first = _draw(0, 2, (n,), generator, like).bool()

    def of(self, indices: Int64[Tensor, " b"], epoch: Int64[Tensor, ""]) -> Bool[Tensor, " b"]:
        """Return which examples are flipped in an epoch, counted from 0."""
        return self._first[indices] ^ (epoch % 2).bool()


def random_cutout(
    x: Float[Tensor, "n c h w"], size: int, fill: Float[Tensor, " c"], generator: torch.Generator
) -> Float[Tensor, "n c h w"]:
    """Fill a square of ``size`` × ``size`` pixels around a random pixel of each image; the square may extend beyond the image."""
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
