"""Self-attention with a window of the size of a convolution kernel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from myths.lab.errors import UsageError
from myths.lab.language.attention import join_heads, split_heads, zero_if_all_padding
from myths.lab.language.mixer import State, TokenMixer, check_heads, check_step
from myths.lightweight_conv.convolution import default_left_context

BLOCK = 64
"""Number of queries per block. A block attends to the keys in the windows of all its queries."""


class WindowAttention(TokenMixer):
    """Self-attention to a window of ``kernel_size`` positions around each position, or before it if causal (Wu et al. 2019, Table 3).

    It is computed in blocks, so that time and memory are linear in the length.
    """

    def __init__(self, channels: int, heads: int, kernel_size: int, *, causal: bool, dropout: float = 0.0):
        super().__init__()
        check_heads(channels, heads)
        if kernel_size < 1:
            raise UsageError(f"Invalid kernel_size={kernel_size}: expected at least one.")
        self.heads, self.kernel_size, self.causal, self.dropout = heads, kernel_size, causal, dropout
        self.left_context = default_left_context(kernel_size, causal=causal)
        self.project_in = nn.Linear(channels, 3 * channels)
        self.project_out = nn.Linear(channels, channels)

    def forward(self, x: Float[Tensor, "b n d"], mask: Bool[Tensor, "b n"] | None = None) -> Float[Tensor, "b n d"]:
        """As ``TokenMixer.forward``."""
        b, n = x.shape[:2]
        q, k, v = (split_heads(part, self.heads) for part in self.project_in(x).chunk(3, dim=-1))
        block = min(BLOCK, n)
        blocks = -(-n // block)
        # Windows end at the ends of the sequence.
        before, after = min(self.left_context, n - 1), min(self.kernel_size - 1 - self.left_context, n - 1)
        extra, width = blocks * block - n, block + before + after
        queries = F.pad(q, (0, 0, 0, extra)).unflatten(2, (blocks, block)).transpose(1, 2).flatten(0, 1)
        keys, values = (
            F.pad(side, (0, 0, before, after + extra)).unfold(2, width, block).permute(0, 2, 1, 4, 3).flatten(0, 1) for side in (k, v)
        )
        exists = torch.ones(b, n, dtype=torch.bool, device=x.device) if mask is None else mask
        exists = F.pad(exists, (before, after + extra)).unfold(1, width, block)[:, :, None]
        offset = torch.arange(width, device=x.device) - torch.arange(block, device=x.device)[:, None] - before
        near = (offset >= -before) & (offset <= after)
        # Each position may attend to itself: without any key, as for padding, the softmax would be NaN.
        allowed = ((near & exists) | (offset == 0)).flatten(0, 1)[:, None]
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=allowed, dropout_p=dropout)
        joined = join_heads(mixed).unflatten(0, (b, blocks)).flatten(1, 2)[:, :n]
        return zero_if_all_padding(self.project_out(joined), mask)

    def start(self, batch: int, device: torch.device, dtype: torch.dtype) -> State:
        """Return a state without keys and values."""
        check_step(self)
        empty = torch.zeros(batch, self.heads, 0, self.project_out.in_features // self.heads, device=device, dtype=dtype)
        return empty, empty

    def step(self, x: Float[Tensor, "b d"], state: State) -> tuple[Float[Tensor, "b d"], State]:
        """Compute the next position. The state is the keys and values of the last ``kernel_size`` - 1 positions."""
        q, k, v = (split_heads(part, self.heads) for part in self.project_in(x)[:, None].chunk(3, dim=-1))
        keys, values = (torch.cat([old.to(new.dtype), new], dim=2) for old, new in zip(state, (k, v), strict=True))
        mixed = F.scaled_dot_product_attention(q, keys, values)
        first = max(0, keys.shape[2] - (self.kernel_size - 1))
        return self.project_out(join_heads(mixed)[:, 0]), (keys[:, :, first:], values[:, :, first:])
