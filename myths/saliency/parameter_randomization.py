"""Cascading randomization of parameters, from the last layer to the first (Adebayo et al. 2018)."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

STAGES = 6


def cascading_randomization(network: nn.Module, images: Float[Tensor, "n c h w"]) -> Iterator[tuple[int, int, nn.Module]]:
    """Yield the number of randomized layers, the number of layers, and the network, in at most ``STAGES`` + 1 stages.

    Parameters are drawn from torch's global generator. After each stage, the statistics of batch normalization are computed anew from
    ``images``. With the statistics of the trained layers, activations of a random network would saturate or vanish.
    """
    randomized = copy.deepcopy(network)
    layers = [m for m in randomized.modules() if isinstance(m, nn.Conv2d | nn.Linear)][::-1]
    stage_ends = {max(1, round(len(layers) * i / STAGES)) for i in range(STAGES + 1)}
    for i, layer in enumerate(layers, start=1):
        layer.reset_parameters()
        if i == len(layers):
            for norm in _batch_norms(randomized):
                norm.reset_parameters()
        if i in stage_ends:
            _recalibrate(randomized, images)
            yield i, len(layers), randomized


def _batch_norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]


@torch.no_grad()
def _recalibrate(network: nn.Module, images: Tensor) -> None:
    for norm in _batch_norms(network):
        norm.reset_running_stats()
        norm.momentum = None  # mean over all batches
        norm.train()
    for batch in images.split(256):
        network(batch)
    network.eval()
