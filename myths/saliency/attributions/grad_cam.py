"""Grad-CAM (Selvaraju et al. 2017)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from myths.lab.errors import UsageError
from myths.saliency.attributions.gradient import differentiable, score
from myths.saliency.names import Output


def attribute(
    network: nn.Module,
    images: Float[Tensor, "n c h w"],
    labels: Int64[Tensor, " n"],
    *,
    output: Output = "logit",
    create_graph: bool = False,
) -> Float[Tensor, "n 1 h w"]:
    """The channels of the last convolution, weighted by their mean gradients, what is positive of it, bilinearly enlarged to the image.

    Raises UsageError for a network without a convolution.
    """
    seen: list[Tensor] = []
    hook = last_convolution(network).register_forward_hook(lambda module, inputs, activations: seen.append(activations))
    try:
        with torch.enable_grad():
            outputs = score(network(differentiable(images, create_graph)), labels, output)
            (slopes,) = torch.autograd.grad(outputs.sum(), seen[0], create_graph=create_graph)
            coarse = (slopes.mean((2, 3), keepdim=True) * seen[0]).sum(1, keepdim=True).clamp_min(0)
            maps = F.interpolate(coarse, size=images.shape[-2:], mode="bilinear")
    finally:
        hook.remove()
    return maps if create_graph else maps.detach()


def last_convolution(network: nn.Module) -> nn.Conv2d:
    """The last convolution that sees more than one pixel: those of one pixel may already be the classifier, as in SqueezeNet."""
    spatial = [m for m in network.modules() if isinstance(m, nn.Conv2d) and max(m.kernel_size) > 1]
    if not spatial:
        raise UsageError("grad-cam explains networks with convolutions: this one has none")
    return spatial[-1]
