"""Wrong labels and noisy pixels, as in the authors' ``run_cifar.py``, for a whole training set at once."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from myths.lab.errors import UsageError

PIXEL_MEAN = 120
"""Mean of the noise that is added to a pixel, as the code has it; the paper's text calls the noise additive Gaussian."""


def flip_labels(
    labels: Int64[Tensor, " n"], share: float, classes: int, generator: torch.Generator
) -> tuple[Int64[Tensor, " n"], Bool[Tensor, " n"]]:
    """Labels of which ``share`` (rounded down) became another class, each other class equally likely, and which those are.

    Raises UsageError for a share outside 0..1, fewer than two classes, or labels that are none of the classes.
    """
    if not 0 <= share <= 1:
        raise UsageError(f"label_noise={share:g} is no share: 0 … 1")
    if classes < 2:
        raise UsageError("with one class there is no other label to flip to")
    low, high = (int(labels.min()), int(labels.max())) if len(labels) else (0, 0)
    if low < 0 or high >= classes:
        raise UsageError(f"labels go from {low} to {high}; with {classes} classes they are 0 … {classes - 1}")
    n = len(labels)
    chosen = torch.randperm(n, generator=generator)[: int(share * n + 1e-9)].to(labels.device)
    shift = torch.randint(1, classes, (len(chosen),), generator=generator).to(labels.device)
    noisy, flipped = labels.clone(), torch.zeros(n, dtype=torch.bool, device=labels.device)
    noisy[chosen] = (labels[chosen] + shift) % classes
    flipped[chosen] = True
    return noisy, flipped


def add_pixel_noise(
    x: UInt8[Tensor, "n c h w"], deviation: float, generator: torch.Generator, share: float = 1.0, chunk: int = 4096
) -> UInt8[Tensor, "n c h w"]:
    """Images in which ``share`` of the pixels got Gaussian noise of mean 120 in one random channel each.

    What the published code does, and not what one would expect of "additive Gaussian noise": a pixel is brightened by about
    120 gray levels in a single channel, whatever the deviation, and what passes 255 wraps around to 0, since the image is kept as
    bytes. The deviation (in gray levels) changes only how even that is: pixels of CIFAR-10 deviate by 62 themselves. So counts rise
    from clean images to noisy ones and stay where they are from deviation 0.5 to 10. Issue 6 of the repository reports that the paper's
    figure is not reached this way; its shape suggests noise of mean 0 in units of the pixels' own deviation. The test images are left
    clean, as in the code, so a network that was trained on this noise answers them by chance.
    """
    n, channels, height, width = x.shape
    count = int(share * height * width + 1e-9)
    noisy = x.flatten(2).clone()
    for first in range(0, n, chunk):
        part = noisy[first : first + chunk]
        where = torch.rand(len(part), height * width, generator=generator).argsort(1)[:, :count]
        channel = torch.randint(0, channels, where.shape, generator=generator)
        noise = PIXEL_MEAN + deviation * torch.randn(where.shape, generator=generator)
        rows = torch.arange(len(part))[:, None]
        where, channel, noise, rows = (t.to(x.device) for t in (where, channel, noise, rows))
        sums = part[rows, channel, where].float() + noise
        part[rows, channel, where] = (sums.to(torch.int32) % 256).to(torch.uint8)
    return noisy.view_as(x)
