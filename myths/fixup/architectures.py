"""Published architectures of residual networks for small images, and their possible depths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from myths.lab.errors import UsageError

Name = Literal["wide-resnet", "resnet", "bottleneck"]
STAGES = 3
"""Number of stages. Each stage has twice the channels and half the image size of the previous one."""


@dataclass(frozen=True)
class Architecture:
    """How the blocks of a residual network are built.

    Attributes:
        kernels: Kernel sizes of the m layers of a residual branch.
        pre_activation: Whether normalization and ReLU come before each convolution.
        expansion: Output channels of a block, as a multiple of its width.
        shortcut: How a shortcut changes the number of channels: zero padding or a 1x1 convolution.
        extra: Number of layers outside the residual branches that the depth counts.
    """

    kernels: tuple[int, ...]
    pre_activation: bool
    expansion: int
    shortcut: Literal["pad", "project"]
    extra: int

    def depth(self, blocks_per_stage: int) -> int:
        """Return the number of layers, as the papers count them."""
        return STAGES * len(self.kernels) * blocks_per_stage + self.extra


ARCHITECTURES: dict[str, Architecture] = {
    # Zagoruyko & Komodakis 2016, width 1: depth study of Zhang et al. 2019.
    "wide-resnet": Architecture((3, 3), pre_activation=True, expansion=1, shortcut="project", extra=4),
    # He et al. 2016 for CIFAR-10, shortcuts without parameters, as in the authors' code.
    "resnet": Architecture((3, 3), pre_activation=False, expansion=1, shortcut="pad", extra=2),
    # Branches of three layers, as in the authors' code for ImageNet.
    "bottleneck": Architecture((1, 3, 1), pre_activation=False, expansion=4, shortcut="project", extra=2),
}


def blocks_per_stage(architecture: str, depth: int) -> int:
    """Return the number of residual blocks in each of the three stages.

    Raises:
        UsageError: The architecture has no network of this depth. The message names the nearest possible depths.
    """
    kind = ARCHITECTURES[architecture]
    period = STAGES * len(kind.kernels)
    blocks, rest = divmod(depth - kind.extra, period)
    if rest == 0 and blocks >= 1:
        return blocks
    near = [kind.depth(n) for n in (max(1, blocks), max(1, blocks + 1))]
    words = f"{near[0]} and {near[1]}" if near[0] != near[1] else f"{near[0]}"
    raise UsageError(f"Invalid depth={depth}: a {architecture} has {period}·n + {kind.extra} layers. Nearest possible depths: {words}")
