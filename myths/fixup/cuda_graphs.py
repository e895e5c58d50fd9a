"""Forward and backward passes as CUDA graphs. At thousands of layers, kernel launches take longer than the kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from myths.lab.measurement.timing import Stopwatch

WARM_UP = 3
"""Number of passes before the recording, during which libraries select algorithms and allocate workspaces."""


class CUDAGraphModule:
    """A network whose forward and backward pass are recorded at the first call and replayed for batches of the same shape.

    On other devices, for other shapes and in evaluation mode, the network itself is called.

    Attributes:
        network: The network.
        seconds: Duration of the recording in seconds, 0 before it.
    """

    def __init__(self, network: nn.Module):
        self.network = network
        self.seconds = 0.0
        self._shape: torch.Size | None = None
        self._replay: Callable[[Tensor], Tensor] | None = None

    def __call__(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Return the logits, by replay where possible."""
        if not x.is_cuda or not self.network.training:
            return self.network(x)
        if self._shape is None:
            with Stopwatch(str(x.device)) as watch:
                self._replay, self._shape = record(self.network, x), x.shape
            self.seconds = watch.seconds
        return self._replay(x) if self._replay is not None and x.shape == self._shape else self.network(x)


def record(network: nn.Module, x: Float[Tensor, "n c h w"]) -> Callable[[Tensor], Tensor]:
    """Record the forward and backward pass as CUDA graphs for batches like ``x``.

    Warm-up and recording leave the running statistics unchanged. No autograd node of either outlives this function. Autograd keeps one
    node per parameter that accumulates its gradient, on the stream where the node was created, as long as any graph refers to it. A
    node created during the recording would make every training step wait for that stream, and torch would warn.

    Args:
        network: The network, in training mode.
        x: A batch on a CUDA device.

    Returns:
        A function that replays the graphs for a batch of the same shape and returns the logits.
    """
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    # Record a module around the network: make_graphed_callables replaces the forward method of its argument.
    call = _Call(network)
    warm_up(call, x)
    replay: Any = torch.cuda.make_graphed_callables(call, (x.detach().clone(),), num_warmup_iters=0, allow_unused_input=True)
    call.release()
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            buffer.copy_(before[name])
    return replay


def warm_up(call: _Call, x: Float[Tensor, "n c h w"]) -> None:
    """Run forward and backward passes on a side stream and release their graphs.

    The warm-up of ``make_graphed_callables`` is not used for two reasons. It keeps the last pass until the recording ends, and its
    backward passes begin with a matrix product, for which cuBLAS finds no CUDA context in autograd's thread. These backward passes begin
    with the kernel of a square, which creates the context.
    """
    current = torch.cuda.current_stream(x.device)
    side = torch.cuda.Stream(x.device)
    side.wait_stream(current)
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            torch.autograd.grad(call(x).square().sum(), [p for p in call.parameters() if p.requires_grad], allow_unused=True)
        call.release()
    current.wait_stream(side)


class _Call(nn.Module):
    """The network and its last logits, which the recording keeps in memory."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self._logits: Tensor | None = None

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Return the logits and keep them."""
        self._logits = self.network(x)
        return self._logits

    def release(self) -> None:
        """Detach the last logits from the autograd graph. A replay writes into them and needs no autograd graph."""
        if self._logits is not None:
            self._logits.detach_()
            self._logits = None
