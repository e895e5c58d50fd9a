"""Multi-head self-attention and encoder–decoder attention (Vaswani et al. 2017)."""

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
"""``fused``: torch's scaled_dot_product_attention (FlashAttention if available). ``plain``: the n × n attention weights are materialized.
``auto``: the faster of the two."""


class SelfAttention(TokenMixer):
    """Multi-head self-attention, optionally causal.

    Raises:
        UsageError: ``heads`` does not divide ``channels``.
    """

    def __init__(self, channels: int, heads: int, *, causal: bool, dropout: float = 0.0, computation: Computation = "auto"):
        super().__init__()
        check_heads(channels, heads)
        self.heads, self.causal, self.dropout, self.computation = heads, causal, dropout, computation
        self.project_in = nn.Linear(channels, 3 * channels)
        self.project_out = nn.Linear(channels, channels)

    def forward(self, x: Float[Tensor, "b n d"], mask: Bool[Tensor, "b n"] | None = None) -> Float[Tensor, "b n d"]:
        """See ``TokenMixer.forward``."""
        q, k, v = (split_heads(part, self.heads) for part in self.project_in(x).chunk(3, dim=-1))
        dropout = self.dropout if self.training else 0.0
        mixed = attend(q, k, v, AttentionMask(mask, self.causal), dropout=dropout, computation=self.computation)
        return zero_if_all_padding(self.project_out(join_heads(mixed)), mask)

    def start(self, batch: int, device: torch.device, dtype: torch.dtype) -> State:
        """Return empty keys and values."""
        check_step(self)
        empty = torch.zeros(batch, self.heads, 0, self.project_out.in_features // self.heads, device=device, dtype=dtype)
        return empty, empty

    def step(self, x: Float[Tensor, "b d"], state: State) -> tuple[Float[Tensor, "b d"], State]:
        """Process one position. The state holds the keys and values of all previous positions."""
        q, k, v = (split_heads(part, self.heads) for part in self.project_in(x)[:, None].chunk(3, dim=-1))
        keys, values = torch.cat([state[0], k.to(state[0].dtype)], dim=2), torch.cat([state[1], v.to(state[1].dtype)], dim=2)
        mixed = attend(q, keys.to(q.dtype), values.to(q.dtype), AttentionMask(), dropout=0.0, computation=self.computation)
        return self.project_out(join_heads(mixed)[:, 0]), (keys, values)


class CrossAttention(nn.Module):
    """Encoder–decoder attention. All models keep it, as in Wu et al. 2019."""

    def __init__(self, channels: int, heads: int, *, dropout: float = 0.0):
        super().__init__()
        check_heads(channels, heads)
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(channels, channels)
        self.project_in = nn.Linear(channels, 2 * channels)
        self.project_out = nn.Linear(channels, channels)

    def precompute_memory(self, encoded: Float[Tensor, "b n d"]) -> State:
        """Return keys and values of the encoder output, computed once for all decoding steps."""
        keys, values = (split_heads(part, self.heads).contiguous() for part in self.project_in(encoded).chunk(2, dim=-1))
        return keys, values

    def forward(self, x: Float[Tensor, "b m d"], memory: State, mask: Bool[Tensor, "b n"] | None) -> Float[Tensor, "b m d"]:
        """Attend from each position of ``x`` to the encoder positions whose ``mask`` is True; return zeros for rows without any."""
        q = split_heads(self.query(x), self.heads)
        dropout = self.dropout if self.training else 0.0
        mixed = attend(q, memory[0], memory[1], AttentionMask(mask), dropout=dropout, computation="auto")
        return zero_if_all_padding(self.project_out(join_heads(mixed)), mask)


@dataclass(frozen=True)
class AttentionMask:
    """Keys that a query may attend to.

    Attributes:
        keys: The keys that are real tokens; None means all.
        causal: Whether later keys are excluded. Requires as many keys as queries.
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
    """Return softmax(q kᵀ / √e) v over the keys allowed by ``mask``.

    A query without any key would divide zero by zero. Therefore a causal query may always attend to itself, and a row of only padding
    attends to its padding. Values and gradients stay finite; ``zero_if_all_padding`` then zeroes such rows.
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
    """Return ``mixed`` with zeros in batch rows that consist of padding only. Values and gradients of these rows are blocked."""
    return mixed if mask is None else mixed.masked_fill(~mask.any(1)[:, None, None], 0.0)


def faster_computation(q: Float[Tensor, "b h m e"], k: Float[Tensor, "b h n e"]) -> Literal["fused", "plain"]:
    """Return the faster computation: fused on a GPU; on a CPU plain for short sequences, because fused has an overhead per sequence."""
    if q.device.type != "cpu":
        return "fused"
    return "plain" if q.shape[2] == 1 or k.shape[2] <= (512 if q.dtype == torch.bfloat16 else 32) else "fused"


def split_heads(x: Float[Tensor, "b n d"], heads: int) -> Float[Tensor, "b h n e"]:
    """Split channels into ``heads`` contiguous groups."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: Float[Tensor, "b h n e"]) -> Float[Tensor, "b n d"]:
    """Invert ``split_heads``."""
    return x.transpose(1, 2).flatten(2)
