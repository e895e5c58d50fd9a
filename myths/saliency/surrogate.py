"""The same network with softplus in place of ReLU, for the second derivatives that ReLU does not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, wrap_torch_function

from myths.lab.errors import UsageError
from myths.saliency.functions import call, spellings

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
    """log(1 + exp(βx)) / β, a function of torch to whoever overrides them.

    On a CPU by logarithm and sigmoid, with which one thread, as trials side by side have, makes more second derivatives than with
    torch's own (``benchmarks/test_saliency.py -k softplus`` times both).
    """
    return _ByLogSigmoid.apply(x, beta) if x.device.type == "cpu" else F.softplus(x, beta)


# --- piecewise linear functions, written with ReLU: with softplus in its place they are smooth -------


def _relu(relu: Relu, x: Tensor) -> Tensor:
    return relu(x)


def _clamp(relu: Relu, x: Tensor, min: Any = None, max: Any = None) -> Tensor | None:
    """A clamp that starts at 0 is an activation. Any other keeps a denominator or a logarithm in bounds, and is left as it is."""
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
"""A function with its ReLUs by another function; None where it is to be left as it is."""
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


class _InsteadOfReLU(TorchFunctionMode):
    """Within it, every ReLU is softplus of sharpness β, and so is every function that is piecewise linear as ReLU is."""

    def __init__(self, beta: float):
        super().__init__()
        self.beta = beta

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        smooth = _SMOOTH.get(func)
        seen = call(func, args, kwargs) if smooth else None
        if smooth is None or seen is None:
            return func(*args, **kwargs)
        # Softplus keeps its input for its derivative, where ReLU keeps its output. What is overwritten now or later must be a copy.
        at = seen.input.clone()
        value = smooth(lambda x: softplus(x, self.beta), at, *seen.rest, **seen.keywords)
        if value is None:
            return func(*args, **kwargs)
        return seen.input.copy_(value) if seen.in_place else value


class Softened(nn.Module):
    """A network whose ReLUs are softplus of sharpness ``beta`` (Ghorbani et al. 2019; Dombrowski et al. 2019).

    The weights are those of ``network``, shared. ReLU6, hardtanh, hardsigmoid, leaky ReLU, PReLU and a clamp at 0 are sums of ReLUs and
    are replaced likewise; a function that overwrites its input overwrites it here, too. What is smooth is left as it is (SiLU, GELU, ELU,
    hardswish), and so is max-pooling, which has a kink where the maximum changes hands. As β grows the outputs approach the network's,
    log 2 / β apart at each unit, and so does every saliency map.

    Raises:
        ValueError: ``beta`` is not above 0.
        UsageError: The network is scripted or compiled, which hides its functions.
    """

    def __init__(self, network: nn.Module, beta: float):
        super().__init__()
        if not beta > 0:
            raise ValueError(f"softplus has a sharpness above 0, not {beta}")
        check_visible(network)
        self.network = network
        self.beta = beta

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Return logits, for the pixel values that ``network`` takes."""
        with _InsteadOfReLU(self.beta):
            return self.network(x)


def check_visible(network: nn.Module) -> None:
    """Raise UsageError for a network whose functions no override sees, so that nothing could take the place of its ReLUs."""
    for name, module in network.named_modules():
        if isinstance(module, torch.jit.ScriptModule) or hasattr(module, "_orig_mod"):
            how = "scripted (torch.jit)" if isinstance(module, torch.jit.ScriptModule) else "compiled (torch.compile)"
            raise UsageError(f"model: {name or 'the network'} is {how}, which hides its activations: pass the module that it was made of")


def softened(network: nn.Module, beta: float) -> nn.Module:
    """``network`` with softplus of sharpness ``beta``, or the network itself for 0."""
    return Softened(network, beta) if beta else network
