"""Dynamic convolution, whose kernels are predicted at each position."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor, nn

from myths.lab.language.mixer import check_heads
from myths.lightweight_conv.convolution import Backend, convolve_last_position, convolve_predicted, gate
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
        weights = self._weights(x)
        return weights.softmax(-1) if self.softmax else weights

    def _weights(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b h k"]:
        return self.predict(x).unflatten(-1, (self.heads, self.kernel_size))

    def mix(self, projected: Float[Tensor, "b n dd"], mask: Bool[Tensor, "b n"] | None) -> Float[Tensor, "b n d"]:
        """As ``GatedConvolution.mix``."""
        x, dropout = gate(projected, mask), self.weight_dropout if self.training else 0.0
        return convolve_predicted(x, self._weights(x), self.left_context, softmax=self.softmax, dropout=dropout, backend=self.backend)

    def convolve_last_position(self, window: Float[Tensor, "b m d"]) -> Float[Tensor, "b d"]:
        """As ``GatedConvolution.convolve_last_position``."""
        return convolve_last_position(window, self.kernel(window[:, -1]))
