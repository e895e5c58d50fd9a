"""Lightweight convolution and, with what it adds taken away one by one, the depthwise convolutions before it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from myths.lab.language.mixer import check_heads
from myths.lightweight_conv.convolution import Backend, convolve, convolve_last_position
from myths.lightweight_conv.layers.gated import GatedConvolution


class LightweightConv(GatedConvolution):
    """One kernel of ``taps`` weights for each of ``heads`` groups of neighboring channels (Wu et al. 2019, Sec. 3.2).

    The weights go through a softmax, unless ``softmax`` is False; then DropConnect drops ``weight_dropout`` of what comes out, the same
    for all positions. ``heads`` = ``channels`` without softmax is a depthwise convolution.
    """

    backend: Backend = "auto"

    def __init__(self, channels: int, heads: int, kernel_size: int, *, causal: bool, softmax: bool = True, weight_dropout: float = 0.0):
        super().__init__(channels, kernel_size, causal=causal)
        check_heads(channels, heads)
        self.softmax, self.weight_dropout = softmax, weight_dropout
        self.weight = nn.Parameter(torch.empty(heads, kernel_size))
        if softmax:
            nn.init.xavier_uniform_(self.weight[:, None])
        else:
            nn.init.normal_(self.weight, std=1 / math.sqrt(kernel_size))  # keeps the variance, as an average of the softmax need not

    def kernel(self) -> Float[Tensor, "h k"]:
        """The weights as they are used, apart from DropConnect."""
        return self.weight.softmax(-1) if self.softmax else self.weight

    def convolve(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """As ``GatedConvolution.convolve``."""
        return convolve(x, F.dropout(self.kernel(), self.weight_dropout, self.training), self.left_context, self.backend)

    def convolve_last_position(self, window: Float[Tensor, "b m d"]) -> Float[Tensor, "b d"]:
        """As ``GatedConvolution.convolve_last``."""
        return convolve_last_position(window, self.kernel())
