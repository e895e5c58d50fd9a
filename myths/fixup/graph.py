"""Forward and backward passes as CUDA graphs: at thousands of layers, launching kernels one by one takes longer than they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from myths.lab.timing import Stopwatch


class Graphed:
    """A network's forward pass, recorded with its backward pass at the first call and replayed for batches of the same shape.

    Only where the batch lies on a CUDA device; elsewhere, and for the odd batch at the end of an epoch, the network itself is called,
    which is the reference that graphs must agree with. ``seconds`` is what the recording took.
    """

    def __init__(self, network: nn.Module):
        self.network = network
        self.seconds = 0.0
        self._shape: torch.Size | None = None
        self._replay: Callable[[Tensor], Tensor] | None = None

    def __call__(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Logits."""
        if not x.is_cuda or not self.network.training:
            return self.network(x)
        if self._shape is None:
            with Stopwatch(str(x.device)) as watch:
                self._replay, self._shape = record(self.network, x), x.shape
            self.seconds = watch.seconds
        return self._replay(x) if self._replay is not None and x.shape == self._shape else self.network(x)


def record(network: nn.Module, x: Float[Tensor, "n c h w"]) -> Callable[[Tensor], Tensor]:
    """The graphs, for batches like ``x``. Running statistics, which warm-up and recording would count, are as before."""
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    # Of a module around the network, so that the network's own forward stays what it is.
    replay: Any = torch.cuda.make_graphed_callables(_Call(network), (x.detach().clone(),), allow_unused_input=True)
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            buffer.copy_(before[name])
    return replay


class _Call(nn.Module):
    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Logits."""
        return self.network(x)
