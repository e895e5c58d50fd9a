"""DeepLIFT with the rescale rule (Shrikumar et al. 2017), by three passes through the unchanged network.

1. At the images: record the inputs of each nonlinear function.
2. At the baseline: compute, for each function, a linear map from the change of its inputs to the change of its output (``rules``).
3. Run the network with these maps instead of the functions. This affine network has the outputs of the network at the images, and its
   gradient contains the multipliers.

A function without a rule leaves a difference between the sum of the contributions and the change of the output. It is measured for every
image.
"""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode

from myths.lab.errors import UsageError
from myths.saliency.attributions.gradient import score
from myths.saliency.attributions.rules import Linear, Operation, Tensors, decomposition, operation
from myths.saliency.names import Output
from myths.saliency.surrogate import check_visible

TOLERANCE = 1e-3
"""Maximum completeness error, as a fraction of Σ |contributions|. Rounding errors are about 1e-6 in float32."""
MAX_CANCELLATION = 10
"""Upper bound on Σ |contributions|, relative to the outputs. Larger contributions cancel, and would hide an error."""
ROUNDING = 64
"""Rounding error that is accepted, in units in the last place of the outputs."""


def attribute(
    network: nn.Module,
    images: Float[Tensor, "n c h w"],
    labels: Int64[Tensor, " n"],
    *,
    baseline: Float[Tensor, "c 1 1"],
    output: Output = "logit",
    create_graph: bool = False,
) -> Float[Tensor, "n c h w"]:
    """Return the contributions of the pixels, which sum to output(image) − output(baseline).

    Args:
        network: A network in evaluation mode. It is not changed.
        images: Pixel values 0..1.
        labels: Class of each image.
        baseline: Baseline color.
        output: Only "logit".
        create_graph: Whether the result can be differentiated with respect to the images. If so, its sum is not checked.

    Raises:
        UsageError: ``output`` is not "logit"; the contributions do not sum to the change, because a function of the network has no rule
            (the message names the module); or the network computes different functions for an image and for the baseline.
    """
    if output != "logit":
        raise UsageError(f"output={output}: deeplift explains only the logit")
    check_visible(network)
    baselines = baseline.expand_as(images)
    with contextlib.nullcontext() if create_graph else torch.no_grad():
        rules, after, before = _rules(network, images, baselines)
    with torch.enable_grad():
        # The third pass is affine, so its gradient is the same at any point.
        point = images.detach().clone().requires_grad_()
        with _Affine(rules):
            explained = score(network(point.clone()), labels, output)
        if not explained.requires_grad:
            raise UsageError(f"deeplift: {_culprit(network, images, baselines, 0)}")
        (multipliers,) = torch.autograd.grad(explained.sum(), point, create_graph=create_graph)
    contributions = multipliers * (images - baselines)
    if create_graph:
        return contributions
    contributions = contributions.detach()
    error = completeness_error(contributions, score(after, labels, output), score(before, labels, output))
    if bool((error > TOLERANCE).any()):
        worst = int(error.argmax())
        why = _rounded(network, images, labels, baseline, worst) or _culprit(network, images, baselines, worst)
        raise UsageError(
            f"deeplift: the contributions of image {worst} differ from the change of the output by "
            f"{100 * float(error[worst]):.2g} %, because {why}"
        )
    return contributions


def completeness_error(
    contributions: Float[Tensor, "n c h w"], after: Float[Tensor, " n"], before: Float[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """Return |Σ contributions − (after − before)| as a fraction of the larger of Σ |contributions| and |after − before|.

    Σ |contributions| is bounded by ``MAX_CANCELLATION`` times the outputs. Rounding errors of the outputs are subtracted. NaN becomes
    infinite.
    """
    largest = MAX_CANCELLATION * (after.abs() + before.abs())
    size = torch.maximum(torch.minimum(contributions.abs().sum((1, 2, 3)), largest), (after - before).abs())
    rounding = ROUNDING * torch.finfo(after.dtype).eps * (after.abs() + before.abs())
    missing = ((contributions.sum((1, 2, 3)) - (after - before)).abs() - rounding).clamp_min(0)
    return torch.where(size > 0, missing / torch.where(size > 0, size, 1.0), missing).nan_to_num(nan=torch.inf)


# --- the passes --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _RecordedOperation:
    """An operation at the images: its operands or copies, and their version counters, which count in-place changes."""

    func: Callable
    given: Tensors
    operands: Tensors
    versions: tuple[int, ...]

    @property
    def overwritten(self) -> bool:
        return any(kept._version != version for kept, version in zip(self.operands, self.versions, strict=True))


@dataclass(frozen=True)
class _Replacement:
    """Replacement of an operation in the affine network, with the same value at the images."""

    func: Callable
    at: Tensors
    value: Any
    """Return value of the function. If there are several, only the first changes."""
    linear: Linear | None

    def __call__(self, *operands: Tensor) -> Any:
        assert self.linear is not None
        several = not isinstance(self.value, Tensor)
        value = (self.value[0] if several else self.value).detach()
        changed = self.linear(*(z - a.detach() for z, a in zip(operands, self.at, strict=True)))
        found = value + changed.reshape(value.shape)
        return type(self.value)((found, *self.value[1:])) if several else found


class _OverwrittenError(Exception):
    """Recorded operands were overwritten, so copies are required."""


def _rules(network: nn.Module, images: Tensor, baselines: Tensor) -> tuple[list[_Replacement], Tensor, Tensor]:
    """Return the replacement of each operation in order, and the logits for images and baselines."""
    for copies in (False, True):
        with _Record(copies) as record:
            after = network(images.clone())
        try:
            with _Pair(record.operations) as pair:
                before = network(baselines.clone())
        except _OverwrittenError:
            continue
        if len(pair.replacements) != len(record.operations):
            raise _other_functions()
        return pair.replacements, after, before
    raise AssertionError("copies cannot be overwritten")


def _other_functions() -> UsageError:
    return UsageError(
        "deeplift: the network computes different functions for the image and for the baseline. Use integrated-gradients for this network"
    )


class _Mode(TorchFunctionMode):
    """Passes every nonlinear operation to ``handle``, and decomposes compositions."""

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        decomposed = decomposition(func)
        if decomposed is not None:
            with self:
                return decomposed(*args, **kwargs)
        op = operation(func, args, kwargs)
        if op is None:
            return func(*args, **kwargs)
        return self.handle(op, func, args, kwargs)

    def handle(self, op: Operation, func: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
        raise NotImplementedError


class _Record(_Mode):
    def __init__(self, copies: bool) -> None:
        super().__init__()
        self.copies = copies
        self.operations: list[_RecordedOperation] = []

    def handle(self, op: Operation, func: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
        kept = tuple(z.clone() if self.copies or z is op.target else z for z in op.operands)
        self.operations.append(_RecordedOperation(func, op.operands, kept, tuple(z._version for z in kept)))
        return func(*args, **kwargs)


class _Pair(_Mode):
    def __init__(self, operations: list[_RecordedOperation]) -> None:
        super().__init__()
        self.operations = operations
        self.replacements: list[_Replacement] = []

    def handle(self, op: Operation, func: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
        place = len(self.replacements)
        if place >= len(self.operations) or not _alike(self.operations[place], func, op.operands):
            raise _other_functions()
        recorded = self.operations[place]
        if recorded.overwritten:
            raise _OverwrittenError
        same = tuple(z is given for z, given in zip(op.operands, recorded.given, strict=True))
        before = _real(op.operands)
        after = tuple(z if s else kept for z, kept, s in zip(before, _real(recorded.operands), same, strict=True))
        linear = None if all(same) or not any(z.is_floating_point() for z in op.operands) else op.rule(op.compute, after, before)
        value = None if linear is None else op.compute(*after)
        self.replacements.append(_Replacement(func, after, value, linear))
        return func(*args, **kwargs)


class _Affine(_Mode):
    def __init__(self, replacements: list[_Replacement]) -> None:
        super().__init__()
        self.left: Iterator[_Replacement] = iter(replacements)

    def handle(self, op: Operation, func: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
        replacement = next(self.left, None)
        if replacement is None or not _alike(replacement, func, op.operands):
            raise _other_functions()
        if replacement.linear is None:
            return func(*args, **kwargs)
        found = replacement(*_real(tuple(z.clone() if z is op.target else z for z in op.operands)))
        return found if op.target is None else op.target.copy_(found)


def _real(operands: Tensors) -> Tensors:
    """Return operands as floating-point numbers: a boolean mask becomes 0 and 1."""
    kind = next((z.dtype for z in operands if z.is_floating_point()), None)
    return tuple(z if kind is None or z.is_floating_point() else z.to(kind) for z in operands)


def _alike(one: _RecordedOperation | _Replacement, func: Callable, operands: Tensors) -> bool:
    before = one.operands if isinstance(one, _RecordedOperation) else one.at
    return one.func is func and [z.shape for z in before] == [z.shape for z in operands]


# --- which module has no rule ------------------------------------------------------------------------


def _rounded(network: nn.Module, images: Tensor, labels: Tensor, baseline: Tensor, which: int) -> str:
    """Return that rounding causes the error if it vanishes in float64, else an empty string."""
    if images.dtype == torch.float64:
        return ""
    image, label = images[which : which + 1].detach().double(), labels[which : which + 1]
    try:
        attribute(copy.deepcopy(network).double(), image, label, baseline=baseline.double())
    except (UsageError, RuntimeError, TypeError):  # the network does not support float64 or copies, or rounding is not the cause
        return ""
    return f"{str(images.dtype).removeprefix('torch.')} rounds too much in this network. Use model.double()"


def _culprit(network: nn.Module, images: Tensor, baselines: Tensor, which: int) -> str:
    """Return which module causes the error: the first with correct changes of its inputs and wrong changes of its output.

    The correct change of a tensor is its difference between image and baseline. The change that DeepLIFT attributes is the derivative of
    the affine network in the direction of the change of the pixels. Forward-mode differentiation computes it at each module.
    """
    image, baseline = images[which : which + 1].detach(), baselines[which : which + 1].detach()
    try:
        with warnings.catch_warnings():  # forward-mode differentiation uses torch.jit, which warns that it is deprecated
            warnings.simplefilter("ignore")
            found = _first_wrong(copy.deepcopy(network).double(), image.double(), baseline.double())
    except (RuntimeError, TypeError):  # the network does not support copies, float64 or forward-mode differentiation
        found = ""
    return f"{found or 'a function of the network'} has no rule. Use integrated-gradients for this network"


@torch.no_grad()
def _first_wrong(network: nn.Module, image: Tensor, baseline: Tensor) -> str:
    rules, _, _ = _rules(network, image, baseline)
    at_image, at_reference = _run(network, image, contextlib.nullcontext()), _run(network, baseline, contextlib.nullcontext())
    with forward_ad.dual_level():
        changed = _run(network, forward_ad.make_dual(image, image - baseline), _Affine(rules), _tangent)
    for ours, one, other in zip(changed, at_image, at_reference, strict=True):
        if _wrong(ours.result, one.result, other.result):
            own = not any(_wrong(*each) for each in zip(ours.inputs, one.inputs, other.inputs, strict=True))
            name = ours.name if own else ours.name.rpartition(".")[0]
            return _described(network, name) if own else f"a function that is called in the forward of {_described(network, name)}"
    return ""


def _tangent(z: Tensor) -> Tensor:
    tangent = forward_ad.unpack_dual(z).tangent
    return torch.zeros_like(z) if tangent is None else tangent.clone()


def _wrong(change: Tensor, one: Tensor, other: Tensor) -> bool:
    if not one.is_floating_point():
        return False
    size = max(float(one.abs().max()), float(other.abs().max())) if one.numel() else 0.0
    return not bool(((change - (one - other)).abs() <= 1e-6 * size).all())


@dataclass(frozen=True)
class _ModuleCall:
    """Inputs and result of a module."""

    name: str
    inputs: Tensors
    result: Tensor


def _run(network: nn.Module, image: Tensor, mode: Any, read: Callable[[Tensor], Tensor] = torch.clone) -> list[_ModuleCall]:
    """Return the inputs and results of all modules, in the order in which they finish."""
    ran: list[_ModuleCall] = []
    begun: list[Tensors] = []

    def begin(module: nn.Module, inputs: tuple) -> None:
        begun.append(tuple(read(z) for z in inputs if isinstance(z, Tensor)))

    def end(name: str, module: nn.Module, inputs: tuple, result: Any) -> None:
        given = begun.pop()
        if isinstance(result, Tensor):
            ran.append(_ModuleCall(name, given, read(result)))

    hooks = []
    for name, module in network.named_modules():
        hooks += [module.register_forward_pre_hook(begin), module.register_forward_hook(partial(end, name))]
    try:
        with mode:
            network(image.clone())
    finally:
        for hook in hooks:
            hook.remove()
    return ran


def _described(network: nn.Module, name: str) -> str:
    kind = type(network.get_submodule(name)).__name__
    return f"module {name!r} ({kind})" if name else f"the network ({kind}) itself"
