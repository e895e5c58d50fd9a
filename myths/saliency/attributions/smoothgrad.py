"""SmoothGrad (Smilkov et al. 2017)."""

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
    noise: Float[Tensor, "samples c h w"],
    part: range | None = None,
    **how: Unpack[gradient.How],
) -> Float[Tensor, "n c h w"]:
    """The mean gradient of an image with each of the ``noise`` patterns added to its pixels.

    The patterns are given, so that two maps differ by their images alone. ``part`` gives the share of some of them.
    """
    chosen = noise if part is None else noise[part.start : part.stop]
    noisy = (images + chosen[:, None]).flatten(0, 1)
    slopes = gradient.attribute(network, noisy, labels.repeat(len(chosen)), **how)
    return slopes.unflatten(0, (len(chosen), len(images))).sum(0) / len(noise)
