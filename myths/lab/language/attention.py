"""Multi-head attention (Vaswani et al. 2017): self-attention over a sequence, and attention of the decoder to the encoder."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from myths.lab.language.mixer import State, TokenMixer, check_heads, check_step

Computation = Literal["auto", "fused", "plain"]
"""``fused`` is torch's scaled_dot_product_attention (FlashAttention where there is one); ``plain`` writes the n x n weights out; ``auto``
is the quicker of the two."""


class SelfAttention(TokenMixer):
    """Self-attention to all positions (to all earlier ones, if causal).

    Raises UsageError when ``heads`` does not divide ``channels``.
    """

    def __init__(self, channels: int, heads: int, *, causal: bool, dropout: float = 0.0, computation: Computation = "auto"):
        super().__init__()
        check_heads(channels, heads)
        self.heads, self.causal, self.dropout, self.computation = heads, causal, dropout, computation
        self.project_in = nn.Linear(channels, 3 * channels)
        self.project_out = nn.Linear(channels, channels)

    def forward(self, x: Float[Tensor, "b n d"], mask: Bool[Tensor, "b n"] | None = None) -> Float[Tensor, "b n d"]:
        """As ``TokenMixer.forward``."""
        q, k, v = (split_heads(part, self.heads) for part in self.project_in(x).chunk(3, dim=-1))
        dropout = self.dropout if self.training else 0.0
        mixed = attend(q, k, v, AttentionMask(mask, self.causal), dropout=dropout, computation=self.computation)
        return zero_if_all_padding(self.project_out(join_heads(mixed)), mask)

    def start(self, batch: int, device: torch.device, dtype: torch.dtype) -> State:
        """No keys and no values."""
        check_step(self)
        empty = torch.zeros(batch, self.heads, 0, self.project_out.in_features // self.heads, device=device, dtype=dtype)
        return empty, empty

    def step(self, x: Float[Tensor, "b d"], state: State) -> tuple[Float[Tensor, "b d"], State]:
        """The state is the keys and values of all positions so far."""
        q, k, v = (split_heads(part, self.heads) for part in self.project_in(x)[:, None].chunk(3, dim=-1))
        keys, values = torch.cat([state[0], k.to(state[0].dtype)], dim=2), torch.cat([state[1], v.to(state[1].dtype)], dim=2)
        mixed = attend(q, keys.to(q.dtype), values.to(q.dtype), AttentionMask(), dropout=0.0, computation=self.computation)
        return self.project_out(join_heads(mixed)[:, 0]), (keys, values)


class CrossAttention(nn.Module):
    """Attention of the decoder's positions to the encoder's, which every model here keeps (as the authors of Wu et al. 2019 do)."""

    def __init__(self, channels: int, heads: int, *, dropout: float = 0.0):
        super().__init__()
        check_heads(channels, heads)
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(channels, channels)
        self.project_in = nn.Linear(channels, 2 * channels)
        self.project_out = nn.Linear(channels, channels)

    def precompute_memory(self, encoded: Float[Tensor, "b n d"]) -> State:
        """Keys and values of the encoder's output, made once for all steps of decoding."""
        keys, values = (split_heads(part, self.heads).contiguous() for part in self.project_in(encoded).chunk(2, dim=-1))
        return keys, values

    def forward(self, x: Float[Tensor, "b m d"], memory: State, mask: Bool[Tensor, "b n"] | None) -> Float[Tensor, "b m d"]:
        """Attend from each position of ``x`` to the remembered positions whose ``mask`` is True; zeros where a row has none."""
        q = split_heads(self.query(x), self.heads)
        dropout = self.dropout if self.training else 0.0
        mixed = attend(q, memory[0], memory[1], AttentionMask(mask), dropout=dropout, computation="auto")
        return zero_if_all_padding(self.project_out(join_heads(mixed)), mask)


@dataclass(frozen=True)
class AttentionMask:
    """The keys that a query sees.

    Attributes:
        keys: The keys that are real tokens; None means all.
        causal: Whether it sees none that are later than itself. There are then as many keys as queries.
    """

    keys: Bool[Tensor, "b n"] | None = None
    causal: bool = False


def attend(
    q: Float[Tensor, "b h m e"],
    k: Float[Tensor, "b h n e"],
    v: Float[Tensor, "b h n e"],
    mask: AttentionMask,
    *,
    dropout: float,
    computation: Computation,
) -> Float[Tensor, "b h m e"]:
    """Return softmax(q kᵀ / √e) v over the keys that are in the ``mask``.

    A query without any key would divide zero by zero. A causal query may therefore always attend to itself, and a row of only padding
    attends to all of its padding. Values and gradients stay finite; ``zero_if_all_padding`` then removes such a row.
    """
    keys, causal = mask.keys, mask.causal
    if computation == "auto":
        computation = faster_computation(q, k)
    if computation == "fused" and keys is None:
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal, dropout_p=dropout)
    m, n = q.shape[2], k.shape[2]
    allowed = None if keys is None else (keys | ~keys.any(1, keepdim=True))[:, None, None, :]
    if causal:
        earlier = torch.ones(m, n, dtype=torch.bool, device=q.device).tril()
        allowed = earlier if allowed is None else allowed & earlier
        allowed = allowed | torch.eye(m, n, dtype=torch.bool, device=q.device)
    if computation == "fused":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, dropout_p=dropout)
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -math.inf)
    return F.dropout(scores.softmax(-1), dropout) @ v


def zero_if_all_padding(mixed: Float[Tensor, "b n d"], mask: Bool[Tensor, "b m"] | None) -> Float[Tensor, "b n d"]:
    """Return ``mixed`` with zeros in each row of the batch that has no key to attend to: no value and no gradient passes there."""
    return mixed if mask is None else mixed.masked_fill(~mask.any(1)[:, None, None], 0.0)


def faster_computation(q: Float[Tensor, "b h m e"], k: Float[Tensor, "b h n e"]) -> Literal["fused", "plain"]:
    """On a GPU fused. On a CPU fused attention has an overhead a sequence (in bf16 above all), so that short ones go plainly: measured."""
    if q.device.type != "cpu":
        return "fused"
    return "plain" if q.shape[2] == 1 or k.shape[2] <= (512 if q.dtype == torch.bfloat16 else 32) else "fused"


def split_heads(x: Float[Tensor, "b n d"], heads: int) -> Float[Tensor, "b h n e"]:
    """Channels in ``heads`` groups of neighbors, each a head."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: Float[Tensor, "b h n e"]) -> Float[Tensor, "b n d"]:
    """The inverse of ``split_heads``."""
    return x.transpose(1, 2).flatten(2)
