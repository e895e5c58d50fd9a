"""What all convolutional layers here have around them: linear to twice the channels, a gate, the convolution, linear back."""

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
    """linear d→2d, GLU, convolution over positions, linear d→d (Wu et al. 2019, Sec. 3.3 and Fig. 2).

    Padding is set to zero before the convolution, as what lies outside of the sequence is. Any number of taps; a kernel may be longer
    than the sequence. Raises UsageError for less than one tap.
    """

    def __init__(self, channels: int, kernel_size: int, *, causal: bool):
        super().__init__()
        if kernel_size < 1:
            raise UsageError(f"a kernel of {kernel_size} taps: at least one")
        self.channels, self.kernel_size, self.causal, self.left_context = (
            channels,
            kernel_size,
            causal,
            default_left_context(kernel_size, causal=causal),
        )
        self.project_in = nn.Linear(channels, 2 * channels)
        self.project_out = nn.Linear(channels, channels)

    @abstractmethod
    def convolve(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """The convolution of a whole sequence."""

    @abstractmethod
    def convolve_last_position(self, window: Float[Tensor, "b m d"]) -> Float[Tensor, "b d"]:
        """The convolution at the last position of a window of the last ``taps`` positions, or fewer; of causal layers."""

    def forward(self, x: Float[Tensor, "b n d"], mask: Bool[Tensor, "b n"] | None = None) -> Float[Tensor, "b n d"]:
        """As ``TokenMixer.forward``."""
        gated = F.glu(self.project_in(x), dim=-1)
        if mask is not None:
            gated = gated.masked_fill(~mask[..., None], 0.0)
        return self.project_out(self.convolve(gated))

    def start(self, batch: int, device: torch.device, dtype: torch.dtype) -> State:
        """No positions."""
        check_step(self)
        return (torch.zeros(batch, 0, self.channels, device=device, dtype=dtype),)

    def step(self, x: Float[Tensor, "b d"], state: State) -> tuple[Float[Tensor, "b d"], State]:
        """The state is what went into the convolution at the last ``taps`` - 1 positions at most, however long the past."""
        gated = F.glu(self.project_in(x), dim=-1)
        window = torch.cat([state[0].to(gated.dtype), gated[:, None]], dim=1)
        return self.project_out(self.convolve_last_position(window)), (window[:, max(0, window.shape[1] - self.kernel_size + 1) :],)
