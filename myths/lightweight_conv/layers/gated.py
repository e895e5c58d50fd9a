"""Base class of the convolutional layers: linear layer to twice the channels, gate, convolution, linear layer."""

from __future__ import annotations

from abc import abstractmethod

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from myths.lab.errors import UsageError
from myths.lab.language.mixer import State, TokenMixer, check_step
from myths.lightweight_conv.convolution import default_left_context


class GatedConvolution(TokenMixer):
    """Linear layer d→2d, GLU, convolution over positions, linear layer d→d (Wu et al. 2019, Sec. 3.3 and Fig. 2).

    Padding tokens are set to zero before the convolution, like positions outside the sequence. The kernel may be longer than the sequence.

    Raises:
        UsageError: The kernel size is below 1.
    """

    def __init__(self, channels: int, kernel_size: int, *, causal: bool):
        super().__init__()
        if kernel_size < 1:
            raise UsageError(f"Invalid kernel_size={kernel_size}: expected at least one.")
        self.channels, self.kernel_size, self.causal = channels, kernel_size, causal
        self.left_context = default_left_context(kernel_size, causal=causal)
        self.project_in = nn.Linear(channels, 2 * channels)
        self.project_out = nn.Linear(channels, channels)

    @abstractmethod
    def mix(self, projected: Float[Tensor, "b n dd"], mask: Bool[Tensor, "b n"] | None) -> Float[Tensor, "b n d"]:
        """Gate the output of the first linear layer, set padding tokens to zero, and convolve."""

    @abstractmethod
    def convolve_last_position(self, window: Float[Tensor, "b m d"]) -> Float[Tensor, "b d"]:
        """Convolve the last position of a window of at most ``kernel_size`` positions, in a causal layer."""

    def forward(self, x: Float[Tensor, "b n d"], mask: Bool[Tensor, "b n"] | None = None) -> Float[Tensor, "b n d"]:
        """As ``TokenMixer.forward``."""
        return self.project_out(self.mix(self.project_in(x), mask))

    def start(self, batch: int, device: torch.device, dtype: torch.dtype) -> State:
        """Return a state without positions."""
        check_step(self)
        return (torch.zeros(batch, 0, self.channels, device=device, dtype=dtype),)

    def step(self, x: Float[Tensor, "b d"], state: State) -> tuple[Float[Tensor, "b d"], State]:
        """Compute the next position. The state is the input of the convolution at the last ``kernel_size`` - 1 positions."""
        gated = F.glu(self.project_in(x), dim=-1)
        window = torch.cat([state[0].to(gated.dtype), gated[:, None]], dim=1)
        return self.project_out(self.convolve_last_position(window)), (window[:, max(0, window.shape[1] - self.kernel_size + 1) :],)
