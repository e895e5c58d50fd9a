"""How much memory a training will take, before it starts, and how deep a network fits when activations are computed again.

What a forward pass keeps for the backward pass is counted on the shallowest two networks at a batch of two; it is linear in the
number of blocks and in the batch, so every depth follows. With recomputation in segments of k of the N blocks (Chen et al. 2016), the
inputs of N/k segments and the insides of one are kept: some √N of all.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from myths.fixup.architectures import ARCHITECTURES, STAGES, blocks_a_stage
from myths.fixup.network import build
from myths.lab.errors import CannotStart
from myths.lab.spare import free_bytes as free_bytes

SHARE = 0.8
"""Of the free memory that a prediction may take: workspaces and transient gradients come on top of it."""
BYTES = 4


@dataclass(frozen=True)
class Footprint:
    """Bytes of a training by its number of blocks; batch, image and treatment are given.

    ``weights`` and ``kept`` are those of one block a stage, ``more_weights`` and ``more_kept`` what each further block a stage adds;
    ``inside`` and ``between`` what a block of the first stage, the largest, keeps inside and gets.
    """

    weights: int
    more_weights: int
    kept: int
    more_kept: int
    inside: int
    between: int

    def everything(self, blocks: int) -> int:
        """Bytes when every activation is kept; ``blocks`` are those of a stage."""
        return self._state(blocks) + self.kept + (blocks - 1) * self.more_kept

    def segment(self, blocks: int) -> int:
        """The size of segments that takes the least."""
        return max(1, round(math.sqrt(STAGES * blocks * self.between / self.inside)))

    def recomputed(self, blocks: int) -> int:
        """At most so many bytes when the segments' insides are computed again."""
        size = self.segment(blocks)
        return self._state(blocks) + self.kept + math.ceil(STAGES * blocks / size) * self.between + size * self.inside

    def _state(self, blocks: int) -> int:
        # Weights, their gradients and momenta.
        return 3 * BYTES * (self.weights + (blocks - 1) * self.more_weights)


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What is trained, but for its depth.

    Attributes:
        architecture: Name of the architecture.
        treatment: Name of the treatment.
        classes: Number of classes.
        channels: Channels of an image.
        side: Pixels per side of an image.
        width: Channels of the first stage.
        batch: Images per minibatch.
    """

    architecture: str
    treatment: str
    classes: int
    channels: int
    side: int
    width: int
    batch: int


@functools.cache
def footprint(setup: Setup) -> Footprint:
    """Counted on networks with one and two blocks a stage."""
    kind, channels, side = ARCHITECTURES[setup.architecture], setup.channels, setup.side
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        one, two = (
            build(setup.architecture, kind.depth(n), setup.treatment, setup.classes, channels, setup.width) for n in (1, 2)
        )  # fmt: skip
    pixels = torch.rand(2, channels, side, side, generator=torch.Generator().manual_seed(0))
    kept = [kept_bytes(network, pixels) for network in (one, two)]
    weights = [sum(p.numel() for p in network.parameters()) for network in (one, two)]
    entering = torch.rand(2, setup.width * kind.expansion, side, side, generator=torch.Generator().manual_seed(0))
    inside = kept_bytes(two.blocks[1], entering)
    of_batch = setup.batch / 2
    return Footprint(
        weights=weights[0],
        more_weights=weights[1] - weights[0],
        kept=math.ceil(kept[0] * of_batch),
        more_kept=math.ceil((kept[1] - kept[0]) * of_batch),
        inside=math.ceil(inside * of_batch),
        between=math.ceil(entering.numel() * BYTES * of_batch),
    )


def kept_bytes(module: nn.Module, x: Tensor) -> int:
    """Bytes of the distinct tensors that a forward pass keeps for the backward pass, beside the parameters."""
    own = {p.untyped_storage().data_ptr() for p in module.parameters()}
    held: dict[int, tuple[int, Tensor]] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = (storage.nbytes(), tensor)  # held fast, so that no address is used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        module(x.requires_grad_())
    return sum(size for size, _ in held.values())


def blocks_a_segment(setup: Setup, depth: int, free: int) -> int:
    """0 where a training fits into ``free`` bytes as it is, else how many blocks to compute again together.

    Raises CannotStart, with the depth that fits, when even that does not.
    """
    blocks = blocks_a_stage(setup.architecture, depth)
    taken = footprint(setup)
    if taken.everything(blocks) <= SHARE * free:
        return 0
    if taken.recomputed(blocks) <= SHARE * free:
        return taken.segment(blocks)
    fitting = 0
    for bit in reversed(range(blocks.bit_length())):  # the largest number of blocks that fits, as it grows with them
        if taken.recomputed(fitting + (1 << bit)) <= SHARE * free:
            fitting += 1 << bit
    fits = ARCHITECTURES[setup.architecture].depth(fitting)
    words = f"depth={fits} fits, or a smaller batch_size" if fitting else "not even the shallowest fits"
    needed = taken.recomputed(blocks) / 1e9
    raise CannotStart(f"depth={depth} with batch_size={setup.batch} needs about {needed:.1f} GB, and {free / 1e9:.1f} GB are free: {words}")
