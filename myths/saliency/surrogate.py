"""The same network with softplus in place of ReLU, for the second derivatives that ReLU does not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, wrap_torch_function

RELUS = frozenset({F.relu, F.relu_, torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_})


class _ByLogSigmoid(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, beta: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.beta = beta
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        return (exact.clamp(min=0) - torch.log(torch.sigmoid(beta * exact.abs())) / beta).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return slopes[0] * torch.sigmoid(ctx.beta * x), None


@wrap_torch_function(lambda x, beta: (x,))
def softplus(x: Float[Tensor, "..."], beta: float) -> Float[Tensor, "..."]:
    """log(1 + exp(βx)) / β, a function of torch to whoever overrides them.

    On a CPU by logarithm and sigmoid, with which one thread, as trials side by side have, makes more second derivatives than with
    torch's own (``benchmarks/test_saliency.py -k softplus`` times both).
    """
    return _ByLogSigmoid.apply(x, beta) if x.device.type == "cpu" else F.softplus(x, beta)


class _InsteadOfReLU(TorchFunctionMode):
    """Within it, every ReLU is softplus of sharpness β."""

    def __init__(self, beta: float):
        super().__init__()
        self.beta = beta

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if func in RELUS:
            return softplus(args[0] if args else kwargs["input"], self.beta)
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
        with _InsteadOfReLU(self.beta):
            return self.network(x)


def softened(network: nn.Module, beta: float) -> nn.Module:
    """``network`` with softplus of sharpness ``beta``, or the network itself for 0."""
    return Softened(network, beta) if beta else network
