"""The published set-ups of residual networks for small images, and the depths that they can have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from myths.lab.errors import UsageError

Name = Literal["wide-resnet", "resnet", "bottleneck"]
STAGES = 3
"""Each with twice the channels and half the pixels a side of the one before."""


@dataclass(frozen=True)
class Architecture:
    """How blocks are built. ``kernels`` are those of the m layers of a branch; ``extra`` layers are counted beside the branches."""

    kernels: tuple[int, ...]
    pre_activation: bool
    expansion: int
    shortcut: Literal["pad", "project"]
    extra: int

    def depth(self, blocks_per_stage: int) -> int:
        """Layers as the papers count them."""
        return STAGES * len(self.kernels) * blocks_per_stage + self.extra


ARCHITECTURES: dict[str, Architecture] = {
    # Zagoruyko & Komodakis 2016, width 1: the paper's depth study.
    "wide-resnet": Architecture((3, 3), pre_activation=True, expansion=1, shortcut="project", extra=4),
    # He et al. 2016 for CIFAR-10, shortcuts without parameters: the authors' code.
    "resnet": Architecture((3, 3), pre_activation=False, expansion=1, shortcut="pad", extra=2),
    # Branches of three layers, as in the authors' code for ImageNet.
    "bottleneck": Architecture((1, 3, 1), pre_activation=False, expansion=4, shortcut="project", extra=2),
}


def blocks_per_stage(architecture: str, depth: int) -> int:
    """Residual blocks in each of the three stages. Raises UsageError, with the nearest possible, for a depth that there is not."""
    kind = ARCHITECTURES[architecture]
    period = STAGES * len(kind.kernels)
    blocks, rest = divmod(depth - kind.extra, period)
    if rest == 0 and blocks >= 1:
        return blocks
    near = [kind.depth(n) for n in (max(1, blocks), max(1, blocks + 1))]
    words = f"{near[0]} and {near[1]}" if near[0] != near[1] else f"{near[0]}"
    raise UsageError(f"depth={depth}: a {architecture} has {period}·n + {kind.extra} layers; the nearest possible: {words}")
