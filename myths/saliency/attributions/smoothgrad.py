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
    **options: Unpack[gradient.GradientOptions],
) -> Float[Tensor, "n c h w"]:
    """Return the mean gradient over noisy copies of each image.

    Args:
        network: The network.
        images: Pixel values 0..1.
        labels: Class of each image.
        noise: Noise patterns that are added to every image. Two maps with the same noise differ only by their images.
        part: Patterns that are included. The parts of a partition of the patterns sum to the whole. Default: all.
        options: Options of ``gradient.attribute``.
    """
    chosen = noise if part is None else noise[part.start : part.stop]
    noisy = (images + chosen[:, None]).flatten(0, 1)
    gradients = gradient.attribute(network, noisy, labels.repeat(len(chosen)), **options)
    return gradients.unflatten(0, (len(chosen), len(images))).sum(0) / len(noise)
