"""The simple gradient (Simonyan et al. 2013)."""

from __future__ import annotations

from typing import TypedDict

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from myths.saliency.names import Output


class How(TypedDict, total=False):
    """How a gradient is taken: of the logit or the probability, and whether it can be differentiated again."""

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
    """The derivative of each image's output by its pixels (values 0..1).

    With ``create_graph`` the attributions can be differentiated again, by images that require a gradient; else they are detached.
    """
    with torch.enable_grad():
        inputs = differentiable(images, create_graph)
        outputs = score(network(inputs), labels, output)
        (gradient,) = torch.autograd.grad(outputs.sum(), inputs, create_graph=create_graph)
    return gradient


def score(logits: Float[Tensor, "n classes"], labels: Int64[Tensor, " n"], output: Output) -> Float[Tensor, " n"]:
    """The output that is explained, one number an image."""
    scores = logits if output == "logit" else logits.softmax(1)
    return scores.gather(1, labels[:, None])[:, 0]


def differentiable(images: Float[Tensor, "n c h w"], create_graph: bool) -> Float[Tensor, "n c h w"]:
    """The images themselves where what is made of them is to be differentiated by them, else a copy cut off from their history."""
    return images if create_graph and images.requires_grad else images.detach().requires_grad_()
