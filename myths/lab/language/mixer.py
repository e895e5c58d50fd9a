"""What the transformer asks of a self-attention sub-layer, so that another layer can stand in its place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

State = tuple[Tensor, ...]
"""What incremental decoding remembers of the past, first axis the batch, so that beam search can reorder it."""


class TokenMixer(nn.Module, ABC):
    """A layer that mixes positions; everything else in a transformer works on each position alone.

    ``project_in`` and ``project_out`` are its first and last linear maps, which Fixup initializes by rules of its own.
    A causal mixer sees no later position, and can also go position by position (``start``, ``step``).
    """

    causal: bool
    project_in: nn.Linear
    project_out: nn.Linear

    @abstractmethod
    def forward(self, x: Float[Tensor, "b n d"], mask: Bool[Tensor, "b n"] | None = None) -> Float[Tensor, "b n d"]:
        """All positions at once. Positions with ``mask`` False are padding: no other position sees them, what they give is not defined."""

    @abstractmethod
    def start(self, batch: int, device: torch.device, dtype: torch.dtype) -> State:
        """The state before the first position. Only of causal mixers."""

    @abstractmethod
    def step(self, x: Float[Tensor, "b d"], state: State) -> tuple[Float[Tensor, "b d"], State]:
        """The next position, given those that went into ``state``; and the state after it."""


@runtime_checkable
class TokenMixerBuilder(Protocol):
    """Makes the mixer of one layer."""

    def __call__(self, layer: int, *, causal: bool) -> TokenMixer:
        """``layer`` counts from 0 in the encoder and anew in the decoder; the decoder's are causal."""
        ...


def check_heads(channels: int, heads: int) -> None:
    """Raises UsageError unless ``heads`` divides ``channels``."""
    from myths.lab.errors import UsageError

    if heads < 1 or channels % heads:
        fitting = [h for h in range(1, channels + 1) if channels % h == 0]
        raise UsageError(f"heads={heads} does not divide {channels} channels; these do: {', '.join(map(str, fitting))}")


def check_step(mixer: TokenMixer) -> None:
    """Raises UsageError for a mixer that sees later positions, which no decoding can give it."""
    from myths.lab.errors import UsageError

    if not mixer.causal:
        raise UsageError(f"{type(mixer).__name__} sees later positions, so it cannot go position by position; build it with causal=True")
