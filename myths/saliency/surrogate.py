"""The same network with softplus in place of ReLU, for the second derivatives that ReLU does not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

RELUS = frozenset({F.relu, F.relu_, torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_})


class _Softplus(TorchFunctionMode):
    """Within it, every ReLU is softplus of sharpness β."""

    def __init__(self, beta: float):
        super().__init__()
        self.beta = beta

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if func in RELUS:
            return F.softplus(args[0] if args else kwargs["input"], beta=self.beta)
        return func(*args, **kwargs)


class Softened(nn.Module):
    """A network whose ReLUs are softplus of sharpness ``beta`` (Ghorbani et al. 2019; Dombrowski et al. 2019).

    The weights are those of ``network``, shared. As β grows the outputs approach the network's, log 2 / β apart at each unit.
    """

    def __init__(self, network: nn.Module, beta: float):
        super().__init__()
        if not beta > 0:
            raise ValueError(f"softplus has a sharpness above 0, not {beta}")
        self.network = network
        self.beta = beta

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Logits, for pixel values in 0..1."""
        with _Softplus(self.beta):
            return self.network(x)


def softened(network: nn.Module, beta: float) -> nn.Module:
    """``network`` with softplus of sharpness ``beta``, or the network itself for 0."""
    return Softened(network, beta) if beta else network
