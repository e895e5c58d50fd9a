"""The layers that are compared: attention, and the steps from a plain convolution to a dynamic one (Wu et al. 2019, Table 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from myths.lab.errors import UsageError
from myths.lab.language.attention import SelfAttention
from myths.lab.language.mixer import TokenMixer, TokenMixerBuilder
from myths.lightweight_conv.layers.dense import DenseConv
from myths.lightweight_conv.layers.dynamic import DynamicConv
from myths.lightweight_conv.layers.lightweight import LightweightConv
from myths.lightweight_conv.layers.window import WindowAttention
from myths.lightweight_conv.names import Layer

SHORT = 3
"""Taps of the convolutions before kernels grow with depth."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a layer may use, whichever it is; ``taps`` is that of layers whose kernels grow with depth."""

    channels: int
    heads: int
    taps: int
    causal: bool
    dropout: float = 0.0
    """Of attention weights, and DropConnect of kernels."""


def build(layer: str, settings: Settings) -> TokenMixer:
    """One layer of a kind. Raises UsageError for an unknown kind, or settings that it cannot have."""
    if layer not in _KINDS:
        raise UsageError(f"there is no layer {layer!r}; there are: {', '.join(get_args(Layer))}")
    return _KINDS[layer](settings)


def builder(kind: str, *, channels: int, heads: int, taps: Sequence[int], dropout: float) -> TokenMixerBuilder:
    """Builds the layers of a transformer, the i-th with ``taps[i]``."""

    def made(layer: int, *, causal: bool) -> TokenMixer:
        return build(kind, Settings(channels=channels, heads=heads, taps=taps[layer], causal=causal, dropout=dropout))

    return made


def _attention(s: Settings) -> TokenMixer:
    return SelfAttention(s.channels, s.heads, causal=s.causal, dropout=s.dropout)


def _plain_attention(s: Settings) -> TokenMixer:
    return SelfAttention(s.channels, s.heads, causal=s.causal, dropout=s.dropout, computation="plain")


def _window(s: Settings) -> TokenMixer:
    return WindowAttention(s.channels, s.heads, s.taps, causal=s.causal, dropout=s.dropout)


def _lightweight(
    *, heads: Literal["each", "tied"] = "tied", short: bool = False, softmax: bool = True, drop: bool = True
) -> Callable[[Settings], TokenMixer]:
    def made(s: Settings) -> TokenMixer:
        return LightweightConv(
            s.channels,
            s.channels if heads == "each" else s.heads,
            SHORT if short else s.taps,
            causal=s.causal,
            softmax=softmax,
            weight_dropout=s.dropout if drop else 0.0,
        )

    return made


def _dynamic(softmax: bool) -> Callable[[Settings], TokenMixer]:
    return lambda s: DynamicConv(s.channels, s.heads, s.taps, causal=s.causal, softmax=softmax, weight_dropout=s.dropout)


_KINDS: dict[str, Callable[[Settings], TokenMixer]] = {
    "attention": _attention,
    "attention-plain": _plain_attention,
    "attention-window": _window,
    "cnn": lambda s: DenseConv(s.channels, SHORT, causal=s.causal),
    "depthwise": _lightweight(heads="each", short=True, softmax=False, drop=False),
    "growing": _lightweight(heads="each", softmax=False, drop=False),
    "dropconnect": _lightweight(heads="each", softmax=False),
    "tied": _lightweight(softmax=False),
    "lightweight": _lightweight(),
    "dynamic": _dynamic(softmax=True),
    "dynamic-no-softmax": _dynamic(softmax=False),
}
