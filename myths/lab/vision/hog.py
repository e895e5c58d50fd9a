"""Histograms of oriented gradients (Dalal & Triggs 2005) for batches of images, on any device."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from myths.lab.measurement.device import halve_on_out_of_memory


def hog(
    x: UInt8[Tensor, "n c h w"], orientations: int = 9, cell: tuple[int, int] = (8, 8), block: tuple[int, int] = (3, 3)
) -> Float[Tensor, "n f"]:
    """Compute one HOG descriptor per image, equal to ``skimage.feature.hog`` with the same settings and "L2-Hys".

    Orientations are unsigned. At each pixel the channel with the largest gradient votes. Overlapping blocks are normalized and clipped
    at 0.2.

    Args:
        x: Images with values 0 to 255.
        orientations: Number of orientation bins.
        cell: Height and width of a cell in pixels.
        block: Height and width of a block in cells.

    Raises:
        ValueError: The images are smaller than a block.
    """
    return blocks(x, orientations, cell, block).flatten(1)


def blocks(
    x: UInt8[Tensor, "n c h w"], orientations: int = 9, cell: tuple[int, int] = (8, 8), block: tuple[int, int] = (3, 3)
) -> Float[Tensor, "n r s d"]:
    """Return the normalized blocks of ``hog`` by position; d = cells per block × orientations."""
    least = (cell[0] * block[0], cell[1] * block[1])
    if x.shape[2] < least[0] or x.shape[3] < least[1]:
        raise ValueError(f"a block of {least[0]}x{least[1]} pixels does not fit into images of {x.shape[2]}x{x.shape[3]}")

    def work(piece: slice) -> Tensor:
        return _blocks(_histograms(x[piece].float(), orientations, cell), block)

    # On a CPU the computation is memory-bound; the votes of 50 images fit into the cache (three times as fast as 500).
    wanted, elements = 2000 if x.is_cuda else 50, max(orientations, x.shape[1]) * x.shape[2] * x.shape[3]
    return torch.cat(halve_on_out_of_memory(work, len(x), wanted, elements=elements)[0])


def _histograms(x: Float[Tensor, "n c h w"], orientations: int, cell: tuple[int, int]) -> Float[Tensor, "n o r s"]:
    rows, columns = torch.zeros_like(x), torch.zeros_like(x)
    rows[:, :, 1:-1] = x[:, :, 2:] - x[:, :, :-2]
    columns[:, :, :, 1:-1] = x[:, :, :, 2:] - x[:, :, :, :-2]
    magnitude, channel = torch.hypot(rows, columns).max(1, keepdim=True)
    row, column = rows.gather(1, channel).long(), columns.gather(1, channel).long()
    bins = _bins(orientations).to(x.device)[row + 255, column + 255]
    votes = torch.zeros(len(x), orientations, *x.shape[2:], device=x.device).scatter_(1, bins, magnitude)
    return F.avg_pool2d(votes, cell)


@functools.cache
def _bins(orientations: int) -> Int64[Tensor, "511 511"]:
    """Return the orientation bin of every possible gradient of uint8 pixels. A lookup is faster than an arc tangent per pixel."""
    part = torch.arange(-255, 256, dtype=torch.float64)
    degrees = torch.rad2deg(torch.atan2(part[:, None], part)) % 180
    return (degrees / (180 / orientations)).long().clamp(0, orientations - 1)


def _blocks(histograms: Float[Tensor, "n o r s"], block: tuple[int, int]) -> Float[Tensor, "n i j d"]:
    windows = histograms.unfold(2, block[0], 1).unfold(3, block[1], 1)  # n, o, i, j, rows, columns
    flat = windows.permute(0, 2, 3, 4, 5, 1).flatten(3)

    def normalized(v: Tensor) -> Tensor:
        return v / (v.square().sum(-1, keepdim=True) + 1e-10).sqrt()

    return normalized(normalized(flat).clamp_max(0.2))
