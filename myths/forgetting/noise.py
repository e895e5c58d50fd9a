"""Label noise and pixel noise, as in the authors' ``run_cifar.py``, applied to a whole training set."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from myths.lab.errors import UsageError

PIXEL_MEAN = 120
"""Mean of the noise added to a pixel in the authors' code. The paper's text calls the noise additive Gaussian."""


def flip_labels(
    labels: Int64[Tensor, " n"], fraction: float, classes: int, generator: torch.Generator
) -> tuple[Int64[Tensor, " n"], Bool[Tensor, " n"]]:
    """Flip labels to another class, chosen uniformly.

    Args:
        labels: Class of each example.
        fraction: Fraction of labels to flip, rounded down to whole examples.
        classes: Number of classes.
        generator: Random numbers.

    Returns:
        The labels after flipping, and a mask of the flipped labels.

    Raises:
        UsageError: The fraction is outside 0 to 1, there are fewer than two classes, or a label is outside the range of the classes.
    """
    if not 0 <= fraction <= 1:
        raise UsageError(f"label_noise={fraction:g} does not fit: expected a fraction from 0 to 1")
    if classes < 2:
        raise UsageError("label noise requires at least two classes; the dataset has one")
    low, high = (int(labels.min()), int(labels.max())) if len(labels) else (0, 0)
    if low < 0 or high >= classes:
        raise UsageError(f"the labels are {low} to {high}; expected 0 to {classes - 1}, since there are {classes} classes")
    n = len(labels)
    chosen = torch.randperm(n, generator=generator)[: int(fraction * n + 1e-9)].to(labels.device)
    shift = torch.randint(1, classes, (len(chosen),), generator=generator).to(labels.device)
    noisy, flipped = labels.clone(), torch.zeros(n, dtype=torch.bool, device=labels.device)
    noisy[chosen] = (labels[chosen] + shift) % classes
    flipped[chosen] = True
    return noisy, flipped


def add_pixel_noise(
    x: UInt8[Tensor, "n c h w"], std: float, generator: torch.Generator, fraction: float = 1.0, batch_size: int = 4096
) -> UInt8[Tensor, "n c h w"]:
    """Return images with Gaussian noise of mean 120 in one random channel of each noisy pixel.

    This is what the authors' code does. It differs from what "additive Gaussian noise" suggests: the noise brightens one channel by about
    120 gray levels for every standard deviation, and values above 255 wrap around to 0, since the images are bytes. The standard deviation
    of the noise hardly matters beside the 62 gray levels of the pixels of CIFAR-10. Counts therefore increase from clean to noisy images
    but stay constant for standard deviations from 0.5 to 10. Issue 6 of the authors' repository reports that the paper's figure cannot be
    reproduced with this noise; its shape suggests noise with mean 0 in units of the standard deviation of the pixels. As in the authors'
    code, the test images are clean; a network trained on this noise classifies them at chance.

    Args:
        x: Images.
        std: Standard deviation of the noise, in gray levels.
        generator: Random numbers.
        fraction: Fraction of pixels with noise.
        batch_size: Number of images processed at once.
    """
    n, channels, height, width = x.shape
    count = int(fraction * height * width + 1e-9)
    noisy = x.flatten(2).clone()
    for first in range(0, n, batch_size):
        part = noisy[first : first + batch_size]
        where = torch.rand(len(part), height * width, generator=generator).argsort(1)[:, :count]
        channel = torch.randint(0, channels, where.shape, generator=generator)
        noise = PIXEL_MEAN + std * torch.randn(where.shape, generator=generator)
        rows = torch.arange(len(part))[:, None]
        where, channel, noise, rows = (t.to(x.device) for t in (where, channel, noise, rows))
        sums = part[rows, channel, where].float() + noise
        part[rows, channel, where] = (sums.to(torch.int32) % 256).to(torch.uint8)
    return noisy.view_as(x)
