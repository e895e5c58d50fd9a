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
    reference: Float[Tensor, "c 1 1"],
    steps: int,
    part: range | None = None,
    **how: Unpack[gradient.How],
) -> Float[Tensor, "n c h w"]:
    """The mean gradient on the straight path from ``reference`` to the image, times their difference; midpoint rule.

    Summed over the pixels it is output(image) − output(reference), up to the error of the ``steps``. ``part`` gives the share of
    some of the steps: the parts of a partition sum up to the whole.
    """
    chosen = range(steps) if part is None else part
    share = (torch.tensor(list(chosen), dtype=images.dtype, device=images.device) + 0.5) / steps
    difference = images - reference
    path = (reference + share[:, None, None, None, None] * difference).flatten(0, 1)
    slopes = gradient.attribute(network, path, labels.repeat(len(chosen)), **how)
    return difference * slopes.unflatten(0, (len(chosen), len(images))).sum(0) / steps
