"""Grad-CAM (Selvaraju et al. 2017)."""

from __future__ import annotations

import difflib
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from myths.lab.errors import UsageError
from myths.saliency.attributions.gradient import differentiable, score
from myths.saliency.names import Output

WRAPPED = "network."
MAX_LISTED = 12
"""Maximum number of convolutions that an error lists."""


def attribute(
    network: nn.Module,
    images: Float[Tensor, "n c h w"],
    labels: Int64[Tensor, " n"],
    *,
    layer: str = "",
    output: Output = "logit",
    create_graph: bool = False,
) -> Float[Tensor, "n 1 h w"]:
    """Return the positive part of a layer's channels weighted by their mean gradients, upsampled bilinearly to the image size.

    Args:
        network: The network. If the layer runs several times, its last output is used.
        images: Pixel values 0..1.
        labels: Class of each image.
        layer: Name of the layer, as in ``network.named_modules()``. Default: the last convolution.
        output: Output that is explained.
        create_graph: Whether the result can be differentiated with respect to the images.

    Raises:
        UsageError: The network has no convolution or no such layer, the layer does not run, or its output is not [n, c, h, w].
    """
    module = find_layer(network, layer)
    captured: list[Tensor] = []

    def keep(module: nn.Module, inputs: Any, activations: Any) -> Any:
        if not isinstance(activations, Tensor) or activations.ndim != 4:
            shape = tuple(activations.shape) if isinstance(activations, Tensor) else type(activations).__name__
            raise UsageError(f"layer={layer}: its output is {shape}, but grad-cam needs [n, c, h, w]; {_offered(network)}")
        captured[:] = [activations]
        return activations.clone()  # an in-place function after the layer overwrites this copy, not what is explained

    hook = module.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            outputs = score(network(differentiable(images, create_graph)), labels, output)
            if not captured:
                raise UsageError(f"layer={layer or _name(network, module)}: the layer does not run in this network; {_offered(network)}")
            (gradients,) = torch.autograd.grad(outputs.sum(), captured[0], create_graph=create_graph)
            coarse = (gradients.mean((2, 3), keepdim=True) * captured[0]).sum(1, keepdim=True).clamp_min(0)
            maps = F.interpolate(coarse, size=images.shape[-2:], mode="bilinear")
    finally:
        hook.remove()
    return maps if create_graph else maps.detach()


def find_layer(network: nn.Module, name: str = "") -> nn.Module:
    """Return the layer with a name, or the last convolution. Raise UsageError if there is none."""
    if not name:
        return last_convolution(network)
    modules = {_plain(long): module for long, module in network.named_modules(remove_duplicate=False)}
    found = modules.get(_plain(name))
    if found is None:
        near = difflib.get_close_matches(name, modules, 1)
        raise UsageError(f"layer={name}: the network has no such layer{f'; did you mean {near[0]}?' if near else ''}; {_offered(network)}")
    return found


def _plain(name: str) -> str:
    """Return the name of a layer without the prefixes of this suite's wrappers."""
    while name.startswith(WRAPPED):
        name = name.removeprefix(WRAPPED)
    return name


def last_convolution(network: nn.Module) -> nn.Conv2d:
    """Return the last convolution with a kernel larger than 1×1. A 1×1 convolution may be the classifier, as in SqueezeNet."""
    spatial = [m for m in network.modules() if isinstance(m, nn.Conv2d) and max(m.kernel_size) > 1]
    if not spatial:
        raise UsageError("grad-cam needs a network with convolutions larger than 1 x 1")
    return spatial[-1]


def _offered(network: nn.Module) -> str:
    convolutions = [_plain(name) for name, m in network.named_modules() if isinstance(m, nn.Conv2d)]
    few = convolutions if len(convolutions) <= MAX_LISTED else [convolutions[0], "…", *convolutions[1 - MAX_LISTED :]]
    return f"convolutions are {', '.join(few)}" if few else "it has no convolution"


def _name(network: nn.Module, module: nn.Module) -> str:
    return next(_plain(name) for name, m in network.named_modules() if m is module)
