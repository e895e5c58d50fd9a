"""Lightweight convolution, and the depthwise convolutions that lack some of its elements."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from myths.lab.language.mixer import check_heads
from myths.lightweight_conv.convolution import Backend, convolve_gated, convolve_last_position
from myths.lightweight_conv.layers.gated import GatedConvolution


class LightweightConv(GatedConvolution):
    """A convolution with one kernel for each of ``heads`` groups of adjacent channels (Wu et al. 2019, Sec. 3.2).

    The weights pass through a softmax unless ``softmax`` is False, then through DropConnect with rate ``weight_dropout``, with the same
    mask for all positions. Without softmax and with ``heads`` equal to ``channels``, it is a depthwise convolution.
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
            nn.init.normal_(self.weight, std=1 / math.sqrt(kernel_size))  # keeps the variance of the inputs

    def kernel(self) -> Float[Tensor, "h k"]:
        """Return the kernels, without DropConnect."""
        return self.weight.softmax(-1) if self.softmax else self.weight

    def mix(self, projected: Float[Tensor, "b n dd"], mask: Bool[Tensor, "b n"] | None) -> Float[Tensor, "b n d"]:
        """As ``GatedConvolution.mix``."""
        kernel = F.dropout(self.kernel(), self.weight_dropout, self.training)
        return convolve_gated(projected, kernel, self.left_context, mask, self.backend)

    def convolve_last_position(self, window: Float[Tensor, "b m d"]) -> Float[Tensor, "b d"]:
        """As ``GatedConvolution.convolve_last_position``."""
        return convolve_last_position(window, self.kernel())
