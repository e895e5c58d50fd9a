"""Softplus surrogate of a ReLU network, whose second derivatives do not vanish."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, wrap_torch_function

from myths.lab.errors import UsageError
from myths.saliency.torch_functions import call, spellings

RELUS = spellings("relu")


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
    """Return log(1 + exp(βx)) / β. Overrides of torch functions apply to it.

    On a CPU, it is computed from logarithm and sigmoid: with one thread, second derivatives are faster than with torch's softplus
    (``benchmarks/test_saliency.py -k softplus`` compares both).
    """
    return _ByLogSigmoid.apply(x, beta) if x.device.type == "cpu" else F.softplus(x, beta)


# --- piecewise linear functions written with ReLU; with softplus instead, they are smooth -------


def _relu(relu: Relu, x: Tensor) -> Tensor:
    return relu(x)


def _clamp(relu: Relu, x: Tensor, min: Any = None, max: Any = None) -> Tensor | None:
    """Replace a clamp that starts at 0, which is an activation. Other clamps bound a denominator or a logarithm, and are kept."""
    if not isinstance(min, int | float) or min != 0:
        return None
    return relu(x) if max is None else _between(relu, x, 0.0, max) if isinstance(max, int | float) else None


def _between(relu: Relu, x: Tensor, low: float, high: float) -> Tensor:
    return low + relu(x - low) - relu(x - high)


def _hardtanh(relu: Relu, x: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    return _between(relu, x, min_val, max_val)


def _relu6(relu: Relu, x: Tensor) -> Tensor:
    return _between(relu, x, 0.0, 6.0)


def _hardsigmoid(relu: Relu, x: Tensor) -> Tensor:
    return _between(relu, x, -3.0, 3.0) / 6 + 0.5


def _leaky_relu(relu: Relu, x: Tensor, negative_slope: float = 0.01) -> Tensor:
    return negative_slope * x + (1 - negative_slope) * relu(x)


def _rrelu(relu: Relu, x: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Tensor | None:
    return None if training else _leaky_relu(relu, x, (lower + upper) / 2)


def _prelu(relu: Relu, x: Tensor, weight: Tensor) -> Tensor:
    each = weight.reshape(-1, *[1] * (x.ndim - 2)) if x.ndim > 1 else weight
    return each * x + (1 - each) * relu(x)


def _threshold(relu: Relu, x: Tensor, threshold: float, value: float) -> Tensor | None:
    return value + relu(x - threshold) if value == threshold else None


Relu = Callable[[Tensor], Tensor]
Smooth = Callable[..., Tensor | None]
"""Computes a function with its ReLUs replaced, or returns None to keep the function."""
_SMOOTH: dict[Callable, Smooth] = {
    **dict.fromkeys(RELUS, _relu),
    **dict.fromkeys(spellings("clamp", "clip", "clamp_min"), _clamp),
    **dict.fromkeys(spellings("hardtanh"), _hardtanh),
    **dict.fromkeys(spellings("relu6"), _relu6),
    **dict.fromkeys(spellings("hardsigmoid"), _hardsigmoid),
    **dict.fromkeys(spellings("leaky_relu"), _leaky_relu),
    **dict.fromkeys(spellings("rrelu"), _rrelu),
    **dict.fromkeys(spellings("prelu"), _prelu),
    **dict.fromkeys(spellings("threshold"), _threshold),
}


class _ReplaceReLU(TorchFunctionMode):
    """Replaces ReLU, and piecewise linear functions built from it, by softplus."""

    def __init__(self, beta: float):
        super().__init__()
        self.beta = beta

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        smooth = _SMOOTH.get(func)
        taken = call(func, args, kwargs) if smooth else None
        if smooth is None or taken is None:
            return func(*args, **kwargs)
        # Softplus saves its input for the derivative, whereas ReLU saves its output. A later in-place operation must not overwrite it.
        at = taken.input.clone()
        value = smooth(lambda x: softplus(x, self.beta), at, *taken.rest, **taken.keywords)
        if value is None:
            return func(*args, **kwargs)
        return taken.input.copy_(value) if taken.in_place else value


class Softened(nn.Module):
    """A network with softplus instead of ReLU (Ghorbani et al. 2019; Dombrowski et al. 2019). It shares the weights of ``network``.

    ReLU6, hardtanh, hardsigmoid, leaky ReLU, PReLU and a clamp at 0 are sums of ReLUs and are replaced, too. In-place functions stay
    in-place. Smooth functions (SiLU, GELU, ELU, hardswish) are kept. Max-pooling is kept, too, although it is not differentiable where the
    maximum changes. As β grows, the outputs and saliency maps approach those of the network; the difference is at most log 2 / β at each
    unit.

    Args:
        network: The network.
        beta: β of softplus.

    Raises:
        ValueError: ``beta`` is not above 0.
        UsageError: The network is scripted or compiled, which hides its functions.
    """

    def __init__(self, network: nn.Module, beta: float):
        super().__init__()
        if not beta > 0:
            raise ValueError(f"beta={beta}: expected a value above 0")
        check_visible(network)
        self.network = network
        self.beta = beta

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Return the logits of images."""
        with _ReplaceReLU(self.beta):
            return self.network(x)


def check_visible(network: nn.Module) -> None:
    """Raise UsageError for a scripted or compiled network, whose functions cannot be overridden."""
    for name, module in network.named_modules():
        if isinstance(module, torch.jit.ScriptModule) or hasattr(module, "_orig_mod"):
            how = "scripted (torch.jit)" if isinstance(module, torch.jit.ScriptModule) else "compiled (torch.compile)"
            raise UsageError(
                f"model: {name or 'the network'} is {how}, which hides its activations: pass the module that it was created from"
            )


def softened(network: nn.Module, beta: float) -> nn.Module:
    """Return ``network`` with softplus instead of ReLU, or ``network`` itself if ``beta`` is 0."""
    return Softened(network, beta) if beta else network
