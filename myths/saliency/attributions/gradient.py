"""The simple gradient (Simonyan et al. 2013)."""

from __future__ import annotations

from typing import TypedDict

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from myths.saliency.names import Output


class GradientOptions(TypedDict, total=False):
    """Options of a gradient: its output, and whether it can be differentiated again."""

    output: Output
    create_graph: bool


def attribute(
    network: nn.Module,
    images: Float[Tensor, "n c h w"],
    labels: Int64[Tensor, " n"],
    *,
    output: Output = "logit",
    create_graph: bool = False,
) -> Float[Tensor, "n c h w"]:
    """Return the derivative of each image's output with respect to its pixels.

    Args:
        network: The network.
        images: Pixel values 0..1.
        labels: Class of each image.
        output: Output that is explained.
        create_graph: Whether the result can be differentiated with respect to the images. Otherwise, it is detached.
    """
    with torch.enable_grad():
        inputs = differentiable(images, create_graph)
        outputs = score(network(inputs), labels, output)
        (gradient,) = torch.autograd.grad(outputs.sum(), inputs, create_graph=create_graph)
    return gradient


def score(logits: Float[Tensor, "n classes"], labels: Int64[Tensor, " n"], output: Output) -> Float[Tensor, " n"]:
    """Return the output that is explained, one number per image."""
    scores = logits if output == "logit" else logits.softmax(1)
    return scores.gather(1, labels[:, None])[:, 0]


def differentiable(images: Float[Tensor, "n c h w"], create_graph: bool) -> Float[Tensor, "n c h w"]:
    """Return the images if results are differentiated with respect to them, else a detached copy that requires a gradient."""
    return images if create_graph and images.requires_grad else images.detach().requires_grad_()
