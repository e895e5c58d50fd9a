"""Interface of token-mixing layers, such as self-attention or convolution."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

State = tuple[Tensor, ...]
"""State of incremental decoding. The first axis is the batch, so that beam search can reorder it."""


class TokenMixer(nn.Module, ABC):
    """A token-mixing layer (self-attention or convolution) of a transformer.

    ``project_in`` and ``project_out`` are its first and last linear layers, which Fixup initializes separately. A causal mixer does not
    use later positions and supports incremental decoding (``start``, ``step``).
    """

    causal: bool
    project_in: nn.Linear
    project_out: nn.Linear

    @abstractmethod
    def forward(self, x: Float[Tensor, "b n d"], mask: Bool[Tensor, "b n"] | None = None) -> Float[Tensor, "b n d"]:
        """Process all positions. ``mask`` is True for real tokens (the inverse of torch's ``key_padding_mask``).

        No position uses padding, and the outputs at padding positions are undefined.
        """

    @abstractmethod
    def start(self, batch: int, device: torch.device, dtype: torch.dtype) -> State:
        """Return the state before the first position. Causal mixers only."""

    @abstractmethod
    def step(self, x: Float[Tensor, "b d"], state: State) -> tuple[Float[Tensor, "b d"], State]:
        """Process the next position and return its output and the new state."""


@runtime_checkable
class TokenMixerBuilder(Protocol):
    """Builds the mixer of one layer."""

    def __call__(self, layer: int, *, causal: bool) -> TokenMixer:
        """Build the mixer of ``layer``, counted from 0 in the encoder and in the decoder. Decoder mixers are causal."""
        ...


def check_heads(channels: int, heads: int) -> None:
    """Raise UsageError unless ``heads`` divides ``channels``."""
    from myths.lab.errors import UsageError

    if heads < 1 or channels % heads:
        fitting = [h for h in range(1, channels + 1) if channels % h == 0]
        raise UsageError(f"heads={heads} does not divide {channels} channels; these do: {', '.join(map(str, fitting))}")


def check_step(mixer: TokenMixer) -> None:
    """Raise UsageError for a mixer that is not causal and therefore cannot decode incrementally."""
    from myths.lab.errors import UsageError

    if not mixer.causal:
        raise UsageError(f"{type(mixer).__name__} is not causal and cannot decode incrementally; build it with causal=True")
