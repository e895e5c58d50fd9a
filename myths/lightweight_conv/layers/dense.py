"""The dense convolution that the ablation starts from: every output channel depends on every input channel."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from myths.lightweight_conv.convolution import gate
from myths.lightweight_conv.layers.gated import GatedConvolution


class DenseConv(GatedConvolution):
    """A convolution with channels² weights per position of the kernel (Wu et al. 2019, Table 3, "CNN")."""

    def __init__(self, channels: int, kernel_size: int, *, causal: bool):
        super().__init__(channels, kernel_size, causal=causal)
        self.full = nn.Conv1d(channels, channels, kernel_size)

    def mix(self, projected: Float[Tensor, "b n dd"], mask: Bool[Tensor, "b n"] | None) -> Float[Tensor, "b n d"]:
        """As ``GatedConvolution.mix``."""
        x = gate(projected, mask)
        return self.full(F.pad(x, (0, 0, self.left_context, self.kernel_size - 1 - self.left_context)).transpose(1, 2)).transpose(1, 2)

    def convolve_last_position(self, window: Float[Tensor, "b m d"]) -> Float[Tensor, "b d"]:
        """As ``GatedConvolution.convolve_last_position``."""
        weight = self.full.weight[..., self.kernel_size - window.shape[1] :]
        return F.conv1d(window.transpose(1, 2), weight, self.full.bias)[..., 0]
