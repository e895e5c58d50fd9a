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
    reference: Float[Tensor, "c 1 1"],
    **how: Unpack[gradient.How],
) -> Float[Tensor, "n c h w"]:
    """The simple gradient times what the image is above ``reference``: the input as a network of standardized pixels sees it."""
    return gradient.attribute(network, images, labels, **how) * (images - reference)
