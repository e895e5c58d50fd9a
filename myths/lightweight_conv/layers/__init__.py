"""The layers that are compared: attention, and convolutions from dense to dynamic (Wu et al. 2019, Table 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from myths.lab.errors import UsageError
from myths.lab.language.attention import SelfAttention
from myths.lab.language.mixer import TokenMixer, TokenMixerBuilder
from myths.lightweight_conv.layer_names import Layer
from myths.lightweight_conv.layers.dense import DenseConv
from myths.lightweight_conv.layers.dynamic import DynamicConv
from myths.lightweight_conv.layers.lightweight import LightweightConv
from myths.lightweight_conv.layers.window import WindowAttention

SHORT = 3
"""Kernel size of the convolutions without increasing kernels."""


@dataclass(frozen=True, kw_only=True)
class LayerConfig:
    """Settings of a layer.

    Attributes:
        channels: Number of channels.
        heads: Number of heads.
        kernel_size: Kernel size of layers whose kernels increase with depth, and window size of windowed attention.
        causal: Whether positions depend on earlier positions only.
        dropout: Dropout rate of attention weights, and DropConnect rate of kernels.
    """

    channels: int
    heads: int
    kernel_size: int
    causal: bool
    dropout: float = 0.0


def build(layer: str, config: LayerConfig) -> TokenMixer:
    """Return one layer.

    Raises:
        UsageError: The layer is unknown or does not support the settings.
    """
    if layer not in _KINDS:
        raise UsageError(f"Unknown layer {layer!r}. Available: {', '.join(get_args(Layer))}")
    return _KINDS[layer](config)


def builder(kind: str, *, channels: int, heads: int, kernel_sizes: Sequence[int], dropout: float) -> TokenMixerBuilder:
    """Return a function that builds the layers of a transformer, the i-th with ``kernel_sizes[i]``."""

    def made(layer: int, *, causal: bool) -> TokenMixer:
        return build(kind, LayerConfig(channels=channels, heads=heads, kernel_size=kernel_sizes[layer], causal=causal, dropout=dropout))

    return made


def _attention(s: LayerConfig) -> TokenMixer:
    return SelfAttention(s.channels, s.heads, causal=s.causal, dropout=s.dropout)


def _plain_attention(s: LayerConfig) -> TokenMixer:
    return SelfAttention(s.channels, s.heads, causal=s.causal, dropout=s.dropout, computation="plain")


def _window(s: LayerConfig) -> TokenMixer:
    return WindowAttention(s.channels, s.heads, s.kernel_size, causal=s.causal, dropout=s.dropout)


def _lightweight(
    *, heads: Literal["each", "shared"] = "shared", short: bool = False, softmax: bool = True, drop: bool = True
) -> Callable[[LayerConfig], TokenMixer]:
    def made(s: LayerConfig) -> TokenMixer:
        return LightweightConv(
            s.channels,
            s.channels if heads == "each" else s.heads,
            SHORT if short else s.kernel_size,
            causal=s.causal,
            softmax=softmax,
            weight_dropout=s.dropout if drop else 0.0,
        )

    return made


def _dynamic(softmax: bool) -> Callable[[LayerConfig], TokenMixer]:
    return lambda s: DynamicConv(s.channels, s.heads, s.kernel_size, causal=s.causal, softmax=softmax, weight_dropout=s.dropout)


_KINDS: dict[str, Callable[[LayerConfig], TokenMixer]] = {
    "attention": _attention,
    "attention-materialized": _plain_attention,
    "attention-window": _window,
    "dense-conv": lambda s: DenseConv(s.channels, SHORT, causal=s.causal),
    "depthwise": _lightweight(heads="each", short=True, softmax=False, drop=False),
    "increasing-kernel": _lightweight(heads="each", softmax=False, drop=False),
    "dropconnect": _lightweight(heads="each", softmax=False),
    "shared-kernel": _lightweight(softmax=False),
    "lightweight": _lightweight(),
    "dynamic": _dynamic(softmax=True),
    "dynamic-no-softmax": _dynamic(softmax=False),
}
