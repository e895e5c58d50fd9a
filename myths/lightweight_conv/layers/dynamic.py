"""Dynamic convolution, whose kernels are predicted at each position."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from myths.lab.language.mixer import check_heads
from myths.lightweight_conv.convolution import Backend, convolve, convolve_last_position
from myths.lightweight_conv.layers.gated import GatedConvolution


class DynamicConv(GatedConvolution):
    """Lightweight convolution whose kernel at each position is a linear function of the features there (Wu et al. 2019, Sec. 4).

    The weights pass through a softmax unless ``softmax`` is False, then through DropConnect with rate ``weight_dropout``, with a new mask
    for each position.
    """

    backend: Backend = "auto"

    def __init__(self, channels: int, heads: int, kernel_size: int, *, causal: bool, softmax: bool = True, weight_dropout: float = 0.0):
        super().__init__(channels, kernel_size, causal=causal)
        check_heads(channels, heads)
        self.heads, self.softmax, self.weight_dropout = heads, softmax, weight_dropout
        self.predict = nn.Linear(channels, heads * kernel_size, bias=False)

    def kernel(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b h k"]:
        """Return the kernel of each position, without DropConnect."""
        weights = self.predict(x).unflatten(-1, (self.heads, self.kernel_size))
        return weights.softmax(-1) if self.softmax else weights

    def convolve(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """As ``GatedConvolution.convolve``."""
        return convolve(x, F.dropout(self.kernel(x), self.weight_dropout, self.training), self.left_context, self.backend)

    def convolve_last_position(self, window: Float[Tensor, "b m d"]) -> Float[Tensor, "b d"]:
        """As ``GatedConvolution.convolve_last``."""
        return convolve_last_position(window, self.kernel(window[:, -1]))
