"""DeepLIFT with the rescale rule (Shrikumar et al. 2017), by two passes through the unchanged network.

The first pass sees the images and the reference and notes for each nonlinearity Δoutput / Δinput. The second pass runs the network
with each nonlinearity replaced by multiplication with what was noted: an affine function, whose gradient are the multipliers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from myths.lab.errors import UsageError
from myths.saliency.attributions.gradient import score
from myths.saliency.names import Output
from myths.saliency.surrogate import RELUS, softplus

ELEMENTWISE = RELUS | {
    softplus, F.softplus, F.gelu, F.silu, F.elu, F.leaky_relu, F.hardtanh, F.relu6, F.hardswish, F.hardsigmoid,
    torch.sigmoid, torch.Tensor.sigmoid, torch.tanh, torch.Tensor.tanh,
}  # fmt: skip
_POOLS = frozenset({F.max_pool2d, torch.max_pool2d, F.max_pool2d_with_indices})
_WITHOUT_RULE = frozenset(
    {torch.amax, torch.Tensor.amax, torch.max, torch.Tensor.max, F.adaptive_max_pool2d, F.scaled_dot_product_attention}
)

Rule = Callable[[Tensor], Tensor]
"""What stands for one nonlinearity in the second pass."""


def attribute(
    network: nn.Module,
    images: Float[Tensor, "n c h w"],
    labels: Int64[Tensor, " n"],
    *,
    reference: Float[Tensor, "c 1 1"],
    output: Output = "logit",
    create_graph: bool = False,
) -> Float[Tensor, "n c h w"]:
    """Contributions of the pixels to output(image) − output(reference), which they sum up to for the logit.

    Raises UsageError for a network with a nonlinearity that has no rule here.
    """
    if output != "logit":
        raise UsageError("deeplift explains the logit: softmax is not a sum of contributions")
    references = reference.expand_as(images)
    with contextlib.nullcontext() if create_graph else torch.no_grad(), _Note() as note:
        network(torch.cat([images, references]))
    with torch.enable_grad():
        # The second pass is affine, so that its gradient is the same at any point.
        point = images.detach().clone().requires_grad_()
        with _Replace(iter(note.rules)):
            logits = network(point)
        (multipliers,) = torch.autograd.grad(score(logits, labels, output).sum(), point, create_graph=create_graph)
    contributions = multipliers * (images - references)
    return contributions if create_graph else contributions.detach()


class _Note(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.rules: list[Rule] = []

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if func in ELEMENTWISE:
            return self._rescale(func, *args, **kwargs)
        if func in _POOLS:
            return self._pool(*args, **kwargs)
        if func in _WITHOUT_RULE:
            raise UsageError(f"deeplift has no rule for {getattr(func, '__name__', func)}, which this network uses")
        return func(*args, **kwargs)

    def _rescale(self, func: Callable, input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        kwargs.pop("inplace", None)
        after, before = input.chunk(2)
        tiny = torch.finfo(input.dtype).eps ** 0.5
        # Where nothing changed, the quotient over a tiny change stands for the derivative.
        near = (after - before).abs() < tiny
        moved = torch.where(near, before + tiny, after)
        out_after, out_before, out_moved = (func(z, *args, **kwargs) for z in (after, before, moved))
        slope = (out_moved - out_before) / (moved - before)
        self.rules.append(lambda z: z * slope)
        return torch.cat([out_after, out_before])

    def _pool(self, input: Tensor, *args: Any, return_indices: bool = False, **kwargs: Any) -> Tensor:
        """A change of the maximum goes to the pixel that is the largest now, or was; as captum has it."""
        if return_indices:
            raise UsageError("deeplift has no rule for pooling that gives its indices away")
        outputs, indices = F.max_pool2d(input, *args, return_indices=True, **kwargs)
        (after, before), (out_after, out_before), (now, then) = (t.flatten(2).chunk(2) for t in (input, outputs, indices))
        highest = torch.maximum(out_after, out_before)
        rise = _quotient(highest - out_before, out_after - before.gather(2, now), 1.0)
        fall = _quotient(out_after - highest, after.gather(2, then) - out_before, 0.0)
        shape = outputs.shape[1:]

        def rule(z: Tensor) -> Tensor:
            flat = z.flatten(2)
            return (rise * flat.gather(2, now) + fall * flat.gather(2, then)).reshape(-1, *shape)

        self.rules.append(rule)
        return outputs


class _Replace(TorchFunctionMode):
    def __init__(self, rules: Iterator[Rule]) -> None:
        super().__init__()
        self.rules = rules

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if func in ELEMENTWISE or func in _POOLS:
            return next(self.rules)(args[0] if args else kwargs["input"])
        return func(*args, **kwargs)


def _quotient(above: Tensor, below: Tensor, otherwise: float) -> Tensor:
    """``above / below``, or ``otherwise`` where nothing changed."""
    same = below.abs() < torch.finfo(below.dtype).eps ** 0.5
    return torch.where(same, otherwise, above / torch.where(same, 1.0, below))
