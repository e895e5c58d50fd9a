"""Integrated gradients (Sundararajan et al. 2017)."""

from __future__ import annotations

from typing import Unpack

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from myths.saliency.attributions import gradient


def attribute(
    network: nn.Module,
    images: Float[Tensor, "n c h w"],
    labels: Int64[Tensor, " n"],
    *,
    baseline: Float[Tensor, "c 1 1"],
    n_steps: int,
    part: range | None = None,
    **options: Unpack[gradient.GradientOptions],
) -> Float[Tensor, "n c h w"]:
    """Return the mean gradient on the straight path from the baseline to the image, times their difference (midpoint rule).

    The sum over the pixels is output(image) − output(baseline), up to the discretization error.

    Args:
        network: The network.
        images: Pixel values 0..1.
        labels: Class of each image.
        baseline: Baseline color.
        n_steps: Number of steps of the path.
        part: Steps that are included. The parts of a partition of the steps sum to the whole. Default: all.
        options: Options of ``gradient.attribute``.
    """
    chosen = range(n_steps) if part is None else part
    position = (torch.tensor(list(chosen), dtype=images.dtype, device=images.device) + 0.5) / n_steps
    difference = images - baseline
    path = (baseline + position[:, None, None, None, None] * difference).flatten(0, 1)
    gradients = gradient.attribute(network, path, labels.repeat(len(chosen)), **options)
    return difference * gradients.unflatten(0, (len(chosen), len(images))).sum(0) / n_steps
