"""Networks whose parameters are drawn anew, from the last layer to the first (the cascade of Adebayo et al. 2018)."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

STAGES = 6


def stages(network: nn.Module, images: Float[Tensor, "n c h w"]) -> Iterator[tuple[int, int, nn.Module]]:
    """How many of how many layers are random, and that network: from one layer to all of them, in at most six stages.

    Draws from torch's global generator. The statistics of batch normalization are those of ``images`` after each stage: with the
    statistics of the trained layers a random network would saturate or fall silent, and its maps would say so instead.
    """
    randomized = copy.deepcopy(network)
    layers = [m for m in randomized.modules() if isinstance(m, nn.Conv2d | nn.Linear)][::-1]
    shown = {max(1, round(len(layers) * i / STAGES)) for i in range(STAGES + 1)}
    for i, layer in enumerate(layers, start=1):
        layer.reset_parameters()
        if i == len(layers):
            for norm in _norms(randomized):
                norm.reset_parameters()
        if i in shown:
            _recalibrate(randomized, images)
            yield i, len(layers), randomized


def _norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]


@torch.no_grad()
def _recalibrate(network: nn.Module, images: Tensor) -> None:
    for norm in _norms(network):
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    for chunk in images.split(256):
        network(chunk)
    network.eval()
