"""Gradient times input (Shrikumar et al. 2016)."""

from __future__ import annotations

from jaxtyping import Float, Int64
from torch import Tensor, nn

from myths.saliency.attributions import gradient
from myths.saliency.names import Output


def attribute(
    network: nn.Module,
    images: Float[Tensor, "n c h w"],
    labels: Int64[Tensor, " n"],
    *,
    reference: Float[Tensor, "c 1 1"],
    output: Output = "logit",
    create_graph: bool = False,
) -> Float[Tensor, "n c h w"]:
    """The simple gradient times what the image is above ``reference``: the input as a network of standardized pixels sees it."""
    return gradient.attribute(network, images, labels, output=output, create_graph=create_graph) * (images - reference)
