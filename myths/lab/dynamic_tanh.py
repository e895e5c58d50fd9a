"""Elementwise functions in the place of a normalization layer: Dynamic Tanh and Derf."""

from __future__ import annotations

import torch
from torch import Tensor, nn

FIRST_ALPHA = 0.5
"""Initial value of α (DyT, Sec. 4)."""


class DynamicTanh(nn.Module):
    """γ ⊙ tanh(αx) + β with a learned number α and one γ and one β per channel (DyT, Zhu et al. 2025, Sec. 4).

    Args:
        shape: Shape of γ and β, which is broadcast to that of the input: (d,) for tokens, (c, 1, 1) for images.
    """

    def __init__(self, *shape: int):
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor(FIRST_ALPHA))
        self.weight, self.bias = nn.Parameter(torch.ones(shape)), nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape."""
        return self.weight * torch.tanh(self.alpha * x) + self.bias


class DynamicErf(DynamicTanh):
    """γ ⊙ erf(αx + s) + β with a further learned number s, which is 0 at first (Derf, arXiv 2512.10938)."""

    def __init__(self, *shape: int):
        super().__init__(*shape)
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape."""
        return self.weight * torch.erf(self.alpha * x + self.shift) + self.bias
