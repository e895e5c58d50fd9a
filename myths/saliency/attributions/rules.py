"""Rules of DeepLIFT: how the change of a nonlinear function is attributed to the changes of its inputs.

Each rule is a linear map from changes of the inputs to a change of the output, exact for the change from the baseline to the image.
Contributions therefore sum to the change of the output for any network that consists of these functions and linear ones.

- Function of one input: the rescale rule, Δoutput / Δinput (Shrikumar et al. 2017, Sec. 3.5.1).
- Product of numbers or matrices (gates, attention), quotient, maximum or minimum of two inputs: the mean over both orders in which the
  inputs can change, which is the Shapley value of two players (Lundberg & Lee 2017; ``nonlinearity_2d`` in shap).
- Softmax: decomposed as in shap, into the exponential of the input minus the logarithm of the sum of exponentials.
- Layer, group, instance and RMS normalization and attention: decomposed into mean, square, root and product. Batch normalization in
  evaluation mode is linear.
- Maximum over pixels: attributed to the pixels with the largest values at the image and at the baseline (captum's rule for max-pooling).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import FunctionType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from myths.saliency.surrogate import softplus
from myths.saliency.torch_functions import call, spellings

Linear = Callable[..., Tensor]
"""Maps changes of the operands to the change of the output."""
Tensors = tuple[Tensor, ...]


@dataclass(frozen=True)
class Operation:
    """A nonlinear call: its operands, function and rule."""

    operands: Tensors
    compute: Callable[..., Any]
    """Computes the function of other operands, out of place. If it returns several results, the first is used."""
    rule: Callable[[Callable[..., Any], Tensors, Tensors], Linear | None]
    """Returns the linear map from ``compute`` and the operands at the image and the baseline, or None if the function is linear."""
    target: Tensor | None = None
    """Tensor that the call overwrites."""


def operation(func: Callable, args: tuple, kwargs: dict[str, Any]) -> Operation | None:
    """Return the operation of a call of a torch function, or None if the function is linear or has no rule."""
    parser = _PARSERS.get(func)
    return parser(func, args, kwargs) if parser else None


def decomposition(func: Callable) -> Callable[..., Tensor] | None:
    """Return a function composed of functions with rules, or None if no decomposition is known."""
    return _DECOMPOSITIONS.get(func)


# --- one input -------------------------------------------------------------------------------------


def _slope(function: Callable[[Tensor], Tensor], after: Tensor, before: Tensor) -> Tensor:
    """Return Δfunction / Δinput. Where the input does not change, a finite difference approximates the derivative."""
    tiny = torch.finfo(before.dtype).eps ** 0.5
    shifted = torch.where((after - before).abs() < tiny, before + tiny, after)
    return (function(shifted) - function(before)) / (shifted - before)


def _rescale(compute: Callable[..., Tensor], after: Tensors, before: Tensors) -> Linear | None:
    if after[0] is before[0]:
        return None
    slope = _slope(compute, after[0], before[0])
    return lambda change: change * slope


def _unary(func: Callable, args: tuple, kwargs: dict[str, Any]) -> Operation | None:
    parsed = call(func, args, kwargs)
    return None if parsed is None else Operation((parsed.input,), parsed.pure, _rescale, parsed.input if parsed.in_place else None)


# --- two inputs ------------------------------------------------------------------------------------


def _bilinear(compute: Callable[..., Tensor], after: Tensors, before: Tensors) -> Linear | None:
    if any(a is b for a, b in zip(after, before, strict=True)):  # a parameter or a buffer, the same tensor for both
        return None
    left, right = ((a + b) / 2 for a, b in zip(after, before, strict=True))
    return lambda one, other: compute(one, right) + compute(left, other)


def _quotient(compute: Callable[..., Tensor], after: Tensors, before: Tensors) -> Linear | None:
    """Treat a quotient as the product of the numerator and the reciprocal of the denominator."""
    if after[1] is before[1]:
        return None
    inverse = (1 / after[1] + 1 / before[1]) / 2
    slope = -(after[0] + before[0]) / 2 / (after[1] * before[1])
    return lambda one, other: one * inverse + slope * other


def _two_players(compute: Callable[..., Tensor], after: Tensors, before: Tensors) -> Linear | None:
    """Return the Shapley values of an elementwise function of two inputs."""
    (a, b), (a0, b0) = torch.broadcast_tensors(*after), torch.broadcast_tensors(*before)
    left = (_slope(lambda z: compute(z, b), a, a0) + _slope(lambda z: compute(z, b0), a, a0)) / 2
    right = (_slope(lambda z: compute(a, z), b, b0) + _slope(lambda z: compute(a0, z), b, b0)) / 2
    return lambda one, other: left * one + right * other


def _binary(rule: Callable, func: Callable, args: tuple, kwargs: dict[str, Any]) -> Operation | None:
    """Apply ``rule`` to two tensors, and the rescale rule to a tensor and a number unless the function is linear."""
    given, keywords = list(args), dict(kwargs)
    for name in ("input", "self", "other", "exponent", "mat2"):
        if len(given) < 2 and name in keywords:
            given.append(keywords.pop(name))
    if len(given) != 2 or any(value is not None for value in keywords.values()):
        return None
    (one, other), name = given, getattr(func, "__name__", "")
    if not isinstance(one, Tensor):  # 2 ** x
        return Operation((other,), lambda z: func(one, z), _rescale)
    parsed = call(func, (one, other), {})
    assert parsed is not None
    function, target, reversed_operands = (
        parsed.function,
        one if parsed.in_place else None,
        name in ("__rpow__", "__rtruediv__", "__rdiv__"),
    )
    if not isinstance(other, Tensor):
        linear = rule is _bilinear or (rule is _quotient and not reversed_operands)
        return None if linear else Operation((one,), lambda z: function(z, other), _rescale, target)
    if reversed_operands:
        return Operation((other, one), lambda a, b: function(b, a), rule)
    return Operation((one, other), function, rule, target)


def _einsum(func: Callable, args: tuple, kwargs: dict[str, Any]) -> Operation | None:
    equation, *given = args
    given = list(given[0]) if len(given) == 1 and isinstance(given[0], list | tuple) else given
    if len(given) != 2 or not isinstance(equation, str):
        return None
    return Operation((given[0], given[1]), lambda one, other: func(equation, one, other), _bilinear)


def _extreme(func: Callable, args: tuple, kwargs: dict[str, Any]) -> Operation | None:
    """Parse ``torch.max`` and ``torch.min`` of two tensors or over an axis."""
    other = args[1] if len(args) > 1 else kwargs.get("other")
    return _binary(_two_players, func, args, kwargs) if isinstance(other, Tensor) else _over_axes(func, args, kwargs)


# --- the largest of many inputs ----------------------------------------------------------------------


def _selected(flat: Callable[[Tensor], Tensor], after: Tensors, before: Tensors) -> Linear:
    """Return the rule of a maximum.

    ``after`` and ``before`` hold the inputs, their maxima and the indices of the maxima. ``flat`` moves the reduced axes to the last axis.
    """
    (a, top, now), (a0, top0, then) = after, before
    highest = torch.maximum(top, top0)
    rise = _ratio(highest - top0, top - a0.gather(-1, now), 1.0)
    fall = _ratio(top - highest, a.gather(-1, then) - top0, 0.0)

    def linear(change: Tensor) -> Tensor:
        z = flat(change)
        return rise * z.gather(-1, now) + fall * z.gather(-1, then)

    return linear


def _ratio(above: Tensor, below: Tensor, otherwise: float) -> Tensor:
    """Return ``above / below``, or ``otherwise`` where ``below`` is zero."""
    same = below.abs() < torch.finfo(below.dtype).eps ** 0.5
    return torch.where(same, otherwise, above / torch.where(same, 1.0, below))


def _pool(with_indices: Callable, func: Callable, args: tuple, kwargs: dict[str, Any]) -> Operation | None:
    parsed = call(func, args, kwargs)
    if parsed is None or kwargs.get("return_indices"):
        return None
    keywords = {name: value for name, value in parsed.keywords.items() if name != "return_indices"}

    def rule(compute: Callable[..., Tensor], after: Tensors, before: Tensors) -> Linear:
        def found(z: Tensor) -> Tensors:
            values, places = with_indices(z, *parsed.rest, **keywords, return_indices=True)
            return z.flatten(-2), values.flatten(-2), places.flatten(-2)

        return _selected(lambda z: z.flatten(-2), found(after[0]), found(before[0]))

    return Operation((parsed.input,), parsed.pure, rule)


def _over_axes(func: Callable, args: tuple, kwargs: dict[str, Any]) -> Operation | None:
    parsed = call(func, args, kwargs)
    dim = None if parsed is None else parsed.argument(0, "dim")
    if parsed is None or dim is None:
        return None
    axes = [axis % parsed.input.ndim for axis in ([dim] if isinstance(dim, int) else dim)]
    sign = -1 if "min" in func.__name__ else 1

    def flat(z: Tensor) -> Tensor:
        others = [axis for axis in range(z.ndim) if axis not in axes]
        return sign * z.permute(*others, *axes).flatten(len(others))

    def rule(compute: Callable[..., Any], after: Tensors, before: Tensors) -> Linear:
        of_image, of_reference = ((z, *z.max(-1, keepdim=True)) for z in (flat(after[0]), flat(before[0])))
        linear = _selected(flat, of_image, of_reference)
        return lambda change: sign * linear(change)

    return Operation((parsed.input,), parsed.pure, rule)


# --- softmax -----------------------------------------------------------------------------------------


def _softmax(func: Callable, args: tuple, kwargs: dict[str, Any]) -> Operation | None:
    """Parse softmax, log-softmax and log-sum-exp."""
    parsed = call(func, args, kwargs)
    if parsed is None:
        return None
    axis, name = parsed.argument(0, "dim"), func.__name__
    sign = -1 if name == "softmin" else 1

    def rule(compute: Callable[..., Tensor], after: Tensors, before: Tensors) -> Linear | None:
        if after[0] is before[0]:
            return None
        a, b = sign * after[0], sign * before[0]
        highest = torch.maximum(a, b).amax(axis, keepdim=True).detach()
        total, total0 = (torch.logsumexp(z - highest, axis, keepdim=True) for z in (a, b))
        share = _of_exp(a - highest, b - highest) / _of_exp(total, total0)

        def of_total(z: Tensor) -> Tensor:
            return (share * torch.where(a.isfinite(), z, 0.0)).sum(axis, keepdim=True)

        if name == "logsumexp":
            return of_total
        if name == "log_softmax":
            return lambda z: z - of_total(z)
        mean = _of_exp(a - highest - total, b - highest - total0)
        return lambda z: mean * (sign * torch.where(a.isfinite(), z, 0.0) - of_total(sign * z))

    return Operation((parsed.input,), parsed.pure, rule)


def _of_exp(after: Tensor, before: Tensor) -> Tensor:
    """Return Δexp(z) / Δz, the logarithmic mean of both exponentials, accurate for small changes, too."""
    change = torch.where(after == before, 0.0, after - before)
    larger, less = torch.maximum(after, before).exp(), change.abs()
    ratio = torch.where(less == 0, 1.0, -torch.expm1(-less) / torch.where(less == 0, 1.0, less))
    return larger * ratio


# --- compositions ------------------------------------------------------------------------------------


def _normalized(x: Tensor, axes: list[int], eps: float | None, *, centered: bool = True) -> Tensor:
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    centered_x = x - x.mean(axes, keepdim=True) if centered else x
    return centered_x * (centered_x.square().mean(axes, keepdim=True) + eps).rsqrt()


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None, *, channels: bool) -> Tensor:
    weight, bias = (p if p is None or not channels else p.reshape(-1, *[1] * (x.ndim - 2)) for p in (weight, bias))
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _layer_norm(
    input: Tensor, normalized_shape: Any, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5, *ignored: Any
) -> Tensor:
    axes = [-1 - i for i in range(1 if isinstance(normalized_shape, int) else len(normalized_shape))]
    return _affine(_normalized(input, axes, eps), weight, bias, channels=False)


def _rms_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    axes = [-1 - i for i in range(1 if isinstance(normalized_shape, int) else len(normalized_shape))]
    return _affine(_normalized(input, axes, eps, centered=False), weight, None, channels=False)


def _group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5, *ignored: Any
) -> Tensor:
    grouped = _normalized(input.unflatten(1, (num_groups, -1)).flatten(2), [-1], eps)
    return _affine(grouped.reshape(input.shape), weight, bias, channels=True)


def _instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if not use_input_stats:  # constant statistics: linear, as batch normalization in evaluation mode
        return F.batch_norm(input, running_mean, running_var, weight, bias, training=False, eps=eps)
    return _affine(_normalized(input, list(range(2, input.ndim)), eps), weight, bias, channels=True)


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    scores = query @ key.transpose(-1, -2) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -torch.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    return F.dropout(scores.softmax(-1), dropout_p) @ value


def _without_override_check(func: Any) -> Callable[..., Tensor]:
    """Return a Python function of torch without its check for overrides, so that overrides apply to the functions it calls."""

    def unasked(*args: Any) -> bool:
        return False

    names = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")
    opened = FunctionType(
        func.__code__, {**func.__globals__, **dict.fromkeys(names, unasked)}, func.__name__, func.__defaults__, func.__closure__
    )
    opened.__kwdefaults__ = func.__kwdefaults__
    return opened


def _norm(input: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, **ignored: Any) -> Tensor:
    return _root_of_squares(input, dim, keepdim) if ord in (2, None) else torch.linalg.vector_norm(input, ord, dim, keepdim)


def _old_norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, **ignored: Any) -> Tensor:
    return _root_of_squares(input, dim, keepdim) if p in (2, "fro", None) else torch.linalg.vector_norm(input, p, dim, keepdim)


def _glu(input: Tensor, dim: int = -1) -> Tensor:
    value, gate = input.chunk(2, dim)
    return value * gate.sigmoid()


def _root_of_squares(x: Tensor, dim: Any, keepdim: bool) -> Tensor:
    return x.square().sum(tuple(range(x.ndim)) if dim is None else dim, keepdim=keepdim).sqrt()


def _var(input: Tensor, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: int | None = None) -> Tensor:
    axes = list(range(input.ndim)) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    count = torch.Size(input.shape[axis] for axis in axes).numel()
    less = int(unbiased) if correction is None else correction
    return (input - input.mean(axes, keepdim=True)).square().sum(axes, keepdim=keepdim) / (count - less)


def _std(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return _var(input, *args, **kwargs).sqrt()


def _by_function(table: Mapping[tuple[str, ...], Callable]) -> dict[Callable, Any]:
    return {func: value for names, value in table.items() for func in spellings(*names)}


_PARSERS: dict[Callable, Callable[..., Operation | None]] = {
    **dict.fromkeys(
        spellings(
            "relu", "relu6", "hardtanh", "clamp", "clip", "clamp_min", "clamp_max", "threshold", "leaky_relu", "prelu",
            "rrelu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "softsign", "softshrink", "hardshrink",
            "tanhshrink", "hardsigmoid", "hardswish", "logsigmoid", "sigmoid", "expit", "logit", "tanh", "exp", "exp2",
            "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "square", "abs", "absolute", "reciprocal", "sin",
            "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "erf", "erfc",
        )
        | {softplus, torch.Tensor.__abs__},
        _unary,
    ),
    **_by_function(
        {
            ("mul", "multiply", "__mul__", "__rmul__", "__imul__"): partial(_binary, _bilinear),
            ("matmul", "mm", "bmm", "__matmul__"): partial(_binary, _bilinear),
            ("div", "divide", "true_divide", "__truediv__", "__rtruediv__", "__itruediv__"): partial(_binary, _quotient),
            ("maximum", "minimum", "fmax", "fmin", "atan2", "hypot"): partial(_binary, _two_players),
            ("pow", "__pow__", "__rpow__", "__ipow__"): partial(_binary, _two_players),
            ("max", "min"): _extreme,
            ("amax", "amin"): _over_axes,
            ("softmax", "softmin", "log_softmax", "logsumexp"): _softmax,
            ("einsum",): _einsum,
            ("max_pool2d",): partial(_pool, F.max_pool2d),
            ("adaptive_max_pool2d",): partial(_pool, F.adaptive_max_pool2d),
        }
    ),
}  # fmt: skip
_DECOMPOSITIONS: dict[Callable, Callable[..., Tensor]] = {
    **_by_function(
        {
            ("layer_norm",): _layer_norm,
            ("rms_norm",): _rms_norm,
            ("group_norm",): _group_norm,
            ("instance_norm",): _instance_norm,
            ("scaled_dot_product_attention",): _attention,
            ("vector_norm",): _norm,
            ("norm",): _old_norm,
            ("var",): _var,
            ("std",): _std,
            ("glu",): _glu,
        }
    ),
    **{
        func: _without_override_check(func)
        for func in (F.multi_head_attention_forward, F.normalize, F.local_response_norm)
        if isinstance(func, FunctionType)
    },
}
