"""Estimate the memory of a training run before it starts, and choose segments for gradient checkpointing.

The bytes that a forward pass saves for the backward pass are counted on the two shallowest networks at a batch size of two. They are
linear in the number of blocks and in the batch size, which gives the memory at every depth. With gradient checkpointing in segments of k
of the N blocks (Chen et al. 2016), the inputs of N/k segments and the activations inside one segment are saved: about √N of all.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from myths.fixup.architectures import ARCHITECTURES, STAGES, blocks_per_stage
from myths.fixup.network import build
from myths.lab.errors import CannotStart

MAX_FRACTION = 0.8
"""Fraction of the free memory that an estimate may use. Workspaces and temporary gradients are not part of the estimate."""
BYTES = 4


@dataclass(frozen=True)
class MemoryEstimate:
    """Memory of a training step as a function of the number of blocks per stage.

    Attributes:
        parameters: Number of parameters with one block per stage.
        parameters_per_block: Number of parameters that each further block per stage adds.
        saved: Bytes saved for the backward pass with one block per stage.
        saved_per_block: Bytes that each further block per stage adds to ``saved``.
        block_internal: Bytes saved inside a block of the first stage, the largest.
        block_input: Bytes of the input of a block of the first stage.
    """

    parameters: int
    parameters_per_block: int
    saved: int
    saved_per_block: int
    block_internal: int
    block_input: int

    def without_checkpointing(self, blocks: int) -> int:
        """Return the memory in bytes if all activations are saved, for a number of blocks per stage."""
        return self._state(blocks) + self.saved + (blocks - 1) * self.saved_per_block

    def segment(self, blocks: int) -> int:
        """Return the number of blocks per segment that needs the least memory."""
        return max(1, round(math.sqrt(STAGES * blocks * self.block_input / self.block_internal)))

    def with_checkpointing(self, blocks: int) -> int:
        """Return an upper bound on memory with gradient checkpointing, in bytes."""
        size = self.segment(blocks)
        return self._state(blocks) + self.saved + math.ceil(STAGES * blocks / size) * self.block_input + size * self.block_internal

    def _state(self, blocks: int) -> int:
        # Parameters, gradients and momentum.
        return 3 * BYTES * (self.parameters + (blocks - 1) * self.parameters_per_block)


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The network and batch of a training run, except for the depth.

    Attributes:
        architecture: Name of the architecture.
        method: Name of the method (``methods.METHODS``).
        classes: Number of classes.
        channels: Number of image channels.
        image_size: Image size in pixels.
        width: Number of channels of the first stage.
        batch: Batch size.
    """

    architecture: str
    method: str
    classes: int
    channels: int
    image_size: int
    width: int
    batch: int


@functools.cache
def estimate_memory(setup: Setup) -> MemoryEstimate:
    """Measure the memory of networks with one and two blocks per stage at a batch size of two and scale it to ``setup.batch``."""
    kind, channels, side = ARCHITECTURES[setup.architecture], setup.channels, setup.image_size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        one, two = (
            build(setup.architecture, kind.depth(n), setup.method, setup.classes, channels, setup.width) for n in (1, 2)
        )  # fmt: skip
    pixels = torch.rand(2, channels, side, side, generator=torch.Generator().manual_seed(0))
    saved = [saved_tensor_bytes(network, pixels) for network in (one, two)]
    parameters = [sum(p.numel() for p in network.parameters()) for network in (one, two)]
    entering = torch.rand(2, setup.width * kind.expansion, side, side, generator=torch.Generator().manual_seed(0))
    inside = saved_tensor_bytes(two.blocks[1], entering)
    of_batch = setup.batch / 2
    return MemoryEstimate(
        parameters=parameters[0],
        parameters_per_block=parameters[1] - parameters[0],
        saved=math.ceil(saved[0] * of_batch),
        saved_per_block=math.ceil((saved[1] - saved[0]) * of_batch),
        block_internal=math.ceil(inside * of_batch),
        block_input=math.ceil(entering.numel() * BYTES * of_batch),
    )


def saved_tensor_bytes(module: nn.Module, x: Tensor) -> int:
    """Return the bytes of the distinct tensors that a forward pass saves for the backward pass, without the parameters."""
    own = {p.untyped_storage().data_ptr() for p in module.parameters()}
    held: dict[int, tuple[int, Tensor]] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = (storage.nbytes(), tensor)  # keeps the tensor alive, so that no address is reused
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        module(x.requires_grad_())
    return sum(size for size, _ in held.values())


def blocks_per_segment(setup: Setup, depth: int, free: int) -> int:
    """Return the number of blocks per segment of gradient checkpointing, or 0 if the training run fits without it.

    Args:
        setup: The network and batch.
        depth: Number of layers.
        free: Free memory in bytes.

    Raises:
        CannotStart: The run does not fit even with checkpointing. The message names the depth that fits.
    """
    blocks = blocks_per_stage(setup.architecture, depth)
    taken = estimate_memory(setup)
    if taken.without_checkpointing(blocks) <= MAX_FRACTION * free:
        return 0
    if taken.with_checkpointing(blocks) <= MAX_FRACTION * free:
        return taken.segment(blocks)
    fitting = 0
    for bit in reversed(range(blocks.bit_length())):  # the largest number of blocks that fits, as it grows with them
        if taken.with_checkpointing(fitting + (1 << bit)) <= MAX_FRACTION * free:
            fitting += 1 << bit
    fits = ARCHITECTURES[setup.architecture].depth(fitting)
    words = f"Use depth={fits} or a smaller batch_size." if fitting else "Use a smaller batch_size; no depth fits."
    needed = taken.with_checkpointing(blocks) / 1e9
    raise CannotStart(f"depth={depth} with batch_size={setup.batch} needs about {needed:.1f} GB, but {free / 1e9:.1f} GB are free. {words}")
