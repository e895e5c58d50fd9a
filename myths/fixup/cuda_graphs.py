"""Forward and backward passes as CUDA graphs: at thousands of layers, launching kernels one by one takes longer than they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from myths.lab.timing import Stopwatch

WARM_UP = 3
"""Passes before the recording, in which libraries choose algorithms and allocate what must not be recorded."""


class CUDAGraphModule:
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
    """Record the graphs for batches like ``x``.

    Running statistics, which warm-up and recording would count, are as before. No autograd node of either outlives this function:
    autograd keeps one node a parameter that accumulates its gradient, on the stream where the node was made, as long as any graph
    refers to it. One that was made while recording would make every step of the training wait for that stream, and torch warns.
    """
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    # Of a module around the network, so that the network's own forward stays what it is.
    call = _Call(network)
    warm_up(call, x)
    replay: Any = torch.cuda.make_graphed_callables(call, (x.detach().clone(),), num_warmup_iters=0, allow_unused_input=True)
    call.release()
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            buffer.copy_(before[name])
    return replay


def warm_up(call: _Call, x: Float[Tensor, "n c h w"]) -> None:
    """Go forward and backward on a stream aside, as a recording does, and keep nothing.

    ``make_graphed_callables`` would keep the last pass until it has recorded, and its backward passes begin with a product of matrices:
    cuBLAS then finds no CUDA context in autograd's own thread. Here they begin with the kernel of a square, which brings one.
    """
    here = torch.cuda.current_stream(x.device)
    aside = torch.cuda.Stream(x.device)
    aside.wait_stream(here)
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            torch.autograd.grad(call(x).square().sum(), [p for p in call.parameters() if p.requires_grad], allow_unused=True)
        call.release()
    here.wait_stream(aside)


class _Call(nn.Module):
    """The network, and the last logits, which the recording keeps in use."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self._logits: Tensor | None = None

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Logits."""
        self._logits = self.network(x)
        return self._logits

    def release(self) -> None:
        """Cut the last logits from the graph that they were computed by. A replay writes into them; it needs no graph of autograd."""
        if self._logits is not None:
            self._logits.detach_()
            self._logits = None
