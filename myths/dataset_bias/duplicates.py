"""Near-duplicates by perceptual hash. The same image in two datasets, or in training and test data, would be memorized."""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from myths.lab.measurement.device import halve_on_out_of_memory

BITS = 64
MAX_HASH_DISTANCE = 4
"""Largest number of different bits between hashes of near-duplicates. Unrelated images differ in about 32 bits."""
_CHUNK = 2000


def perceptual_hash(images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 64"]:
    """Return the pHash (Zauner 2010): signs (±1) of the 8×8 lowest frequencies of a 32×32 gray image relative to their median.

    The median excludes the mean brightness; the hash includes it, as in common implementations.
    """
    weights = torch.tensor([0.299, 0.587, 0.114], device=images.device)
    basis = _cosines().to(images.device)

    def work(piece: slice) -> Tensor:
        gray = torch.einsum("nchw,c->nhw", images[piece].float(), weights)
        small = F.interpolate(gray[:, None], size=(32, 32), mode="bilinear", antialias=True)[:, 0]
        low = (basis @ small @ basis.T).flatten(1)
        return torch.where(low > low[:, 1:].median(1, keepdim=True).values, 1.0, -1.0)

    hashes, _ = halve_on_out_of_memory(work, len(images), _CHUNK, elements=math.prod(images.shape[1:]))
    return torch.cat(hashes) if hashes else torch.zeros(0, BITS, device=images.device)


def distances(a: Float[Tensor, "n 64"], b: Float[Tensor, "m 64"]) -> Float[Tensor, "n m"]:
    """Return the Hamming distances between two sets of hashes."""
    return (BITS - a @ b.T) / 2


def near_duplicate_pairs(hashes: Float[Tensor, "n 64"], near: int = MAX_HASH_DISTANCE) -> Int64[Tensor, "pairs 2"]:
    """Return all pairs i < j of hashes that differ in at most ``near`` bits."""

    def work(piece: slice) -> Tensor:
        close = (distances(hashes[piece], hashes[piece.start :]) <= near).nonzero()
        return close[close[:, 0] < close[:, 1]] + piece.start

    found, _ = halve_on_out_of_memory(work, len(hashes), _CHUNK, elements=len(hashes))
    return torch.cat(found) if found else torch.zeros(0, 2, dtype=torch.int64)


def duplicate_mask(hashes: Float[Tensor, "n 64"], near: int = MAX_HASH_DISTANCE) -> Bool[Tensor, " n"]:
    """Return a mask of the images to remove. An image is removed if it is a near-duplicate of an earlier image that is kept."""
    dropped = torch.zeros(len(hashes), dtype=torch.bool)
    later: dict[int, list[int]] = {}
    for i, j in near_duplicate_pairs(hashes, near).tolist():
        later.setdefault(i, []).append(j)
    for i in sorted(later):
        if not dropped[i]:
            dropped[later[i]] = True
    return dropped


@functools.cache
def _cosines() -> Float[Tensor, "8 32"]:
    """Return the first eight rows of the DCT-II of length 32, unscaled."""
    place = torch.arange(32, dtype=torch.float64)
    return torch.cos(torch.pi / 32 * (place + 0.5) * torch.arange(8)[:, None]).float()
