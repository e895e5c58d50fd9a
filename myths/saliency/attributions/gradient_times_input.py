"""Gradient times input (Shrikumar et al. 2016)."""

from __future__ import annotations

from typing import Unpack

from jaxtyping import Float, Int64
from torch import Tensor, nn

from myths.saliency.attributions import gradient


def attribute(
    network: nn.Module,
    images: Float[Tensor, "n c h w"],
    labels: Int64[Tensor, " n"],
    *,
    baseline: Float[Tensor, "c 1 1"],
    **options: Unpack[gradient.GradientOptions],
) -> Float[Tensor, "n c h w"]:
    """Return gradient × (image − baseline). With the mean color as baseline, the input is that of a network of standardized pixels."""
    return gradient.attribute(network, images, labels, **options) * (images - baseline)
