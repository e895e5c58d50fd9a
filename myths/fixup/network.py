"""A residual network in the published architectures, with any of the training methods."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from myths.fixup.architectures import ARCHITECTURES, STAGES, Architecture, blocks_per_stage
from myths.fixup.initializations import fixup_factor, orthonormal, standard_deviation, unit_variance
from myths.fixup.methods import GROUPS, METHODS, Method
from myths.lab.dynamic_tanh import DynamicTanh
from myths.lab.vision.networks import Classifier, Standardize


class Block(nn.Module):
    """A residual block: a branch of m convolutions and a shortcut, with normalization, scalars, or neither."""

    convs: Sequence[nn.Conv2d]
    norms: Sequence[nn.Module]

    def __init__(self, architecture: Architecture, method: Method, inputs: int, width: int, stride: int):
        super().__init__()
        kernels = architecture.kernels
        outputs = width * architecture.expansion
        widths = (inputs, *[width] * (len(kernels) - 1), outputs)
        self.pre_activation, self.factor, self.has_branch = architecture.pre_activation, method.output_scale, method.branches
        strides = [stride if i == kernels.index(3) else 1 for i in range(len(kernels))]
        self.convs = nn.ModuleList(  # type: ignore[assignment]
            nn.Conv2d(a, b, k, s, padding=k // 2, bias=method.biased)
            for a, b, k, s in zip(widths[:-1], widths[1:], kernels, strides, strict=True)
        )
        normed = widths[:-1] if self.pre_activation else widths[1:]
        self.norms = nn.ModuleList(norm_of(method, w) for w in normed)  # type: ignore[assignment]
        self.shortcut = None
        if stride > 1 or inputs != outputs:
            after = nn.Identity() if self.pre_activation else norm_of(method, outputs if architecture.shortcut == "project" else inputs)
            if architecture.shortcut == "project":
                self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=method.biased), after)
            else:
                self.shortcut = nn.Sequential(nn.AvgPool2d(1, stride), after, PadChannels(outputs - inputs))
        # One vector holds all biases of a block: at 10,000 layers, the number of parameter tensors dominates the cost of a step.
        self.shifts = nn.Parameter(torch.zeros(2 * len(kernels))) if method.scalars == "fixup" else None
        scaled = method.branches and method.scalars != "none"
        self.scale = nn.Parameter(torch.full((), float(method.scalars == "fixup"))) if scaled else None
        if not method.branches:
            for conv in self.convs:
                conv.requires_grad_(False)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        """Return the sum of shortcut and branch."""
        return self._pre_activation(x) if self.pre_activation else self._post_activation(x)

    def _pre_activation(self, x: Tensor) -> Tensor:
        shifts = _unbind(self.shifts)
        if not self.has_branch:
            return x if self.shortcut is None else self.shortcut(F.relu(_plus(self.norms[0](x), shifts, 0)))
        branch = entered = x
        for i, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            branch = F.relu(_plus(norm(branch), shifts, 2 * i))
            entered = branch if i == 0 else entered
            branch = conv(_plus(branch, shifts, 2 * i + 1))
        return self._sum(x if self.shortcut is None else self.shortcut(entered), branch)

    def _post_activation(self, x: Tensor) -> Tensor:
        shifts = _unbind(self.shifts)
        branch, last = x, len(self.convs) - 1
        shortcut = x if self.shortcut is None else self.shortcut(_plus(x, shifts, 0))
        if not self.has_branch:
            return F.relu(_plus(shortcut, shifts, 2 * last + 1))
        for i, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            branch = norm(conv(_plus(branch, shifts, 2 * i)))
            branch = F.relu(_plus(branch, shifts, 2 * i + 1)) if i < last else branch
        return F.relu(_plus(self._sum(shortcut, branch), shifts, 2 * last + 1))

    def _sum(self, shortcut: Tensor, branch: Tensor) -> Tensor:
        total = shortcut + (branch if self.scale is None else branch * self.scale)
        return total if self.factor == 1 else total * self.factor


def norm_of(method: Method, channels: int) -> nn.Module:
    """Return the normalization layer of a method for a number of channels, or what it has in its place."""
    if method.normalization == "batch":
        return nn.BatchNorm2d(channels)
    if method.normalization == "none":
        return nn.Identity()
    if method.normalization == "tanh":
        return DynamicTanh(channels, 1, 1)
    return nn.GroupNorm(1 if method.normalization == "layer" else math.gcd(GROUPS, channels), channels)


class PadChannels(nn.Module):
    """Zero padding of the channels (He et al. 2016, option A)."""

    def __init__(self, more: int):
        super().__init__()
        self.more = more

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """Return ``x`` with ``more`` further channels of zeros."""
        return F.pad(x, (0, 0, 0, 0, 0, self.more))


class ResidualNetwork(Classifier):
    """A residual network for small images with three stages, each with twice the channels and half the image size of the previous one.

    Attributes:
        blocks_per_segment: Number of blocks per segment of gradient checkpointing; 0 saves all activations (see ``memory``).
    """

    blocks: Sequence[Block]

    def __init__(self, architecture: str, depth: int, method: str, classes: int, channels: int, width: int = 16):
        super().__init__()
        self.architecture, self.method = ARCHITECTURES[architecture], METHODS[method]
        n, kind = blocks_per_stage(architecture, depth), self.architecture
        fixup, pre = self.method.scalars == "fixup", kind.pre_activation
        self.blocks_per_segment = 0
        self.standardize = Standardize(channels)
        self.stem = nn.Conv2d(channels, width, 3, padding=1, bias=self.method.biased)
        blocks, inputs = [], width
        for stage in range(STAGES):
            for i in range(n):
                blocks.append(Block(kind, self.method, inputs, width << stage, 2 if stage and i == 0 else 1))
                inputs = (width << stage) * kind.expansion
        self.blocks = nn.ModuleList(blocks)  # type: ignore[assignment]
        # The activation outside the blocks: after them in pre-activation architectures, before them in the others.
        self.norm = norm_of(self.method, inputs if pre else width)
        self.shifts = nn.Parameter(torch.zeros(2)) if fixup else None
        self.head = nn.Linear(inputs, classes)

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the last activation, averaged over the pixels."""
        shifts, pre = _unbind(self.shifts), self.architecture.pre_activation
        x = self.stem(self.standardize(x))
        x = x if pre else F.relu(_plus(self.norm(x), shifts, 0))
        x = self._through_blocks(x)
        x = F.relu(_plus(self.norm(x), shifts, 0)) if pre else x
        return _plus(x.mean((2, 3)), shifts, 1)

    def scalars(self) -> list[nn.Parameter]:
        """Return the scalar multipliers and biases, which have their own learning rate."""
        found = [self.shifts, *(p for block in self.blocks for p in (block.shifts, block.scale))]
        return [p for p in found if p is not None]

    @torch.no_grad()
    def calibrate(self, x: UInt8[Tensor, "n c h w"]) -> None:
        """Calibrate the network on training images. Methods with unit variance also scale the weights, on the first 128 images."""
        super().calibrate(x)
        if self.method.weights == "unit variance":
            unit_variance(self, x[:128].to(self.stem.weight) / 255)

    def _through_blocks(self, x: Tensor) -> Tensor:
        size = self.blocks_per_segment
        if not size or not torch.is_grad_enabled():
            for block in self.blocks:
                x = block(x)
            return x
        norms = [m for m in self.modules() if isinstance(m, nn.BatchNorm2d)]
        for first in range(0, len(self.blocks), size):
            segment = nn.Sequential(*self.blocks[first : first + size])
            # Blocks use no random numbers, and saving the generator's state would break CUDA graphs.
            x = checkpoint(
                segment, x, use_reentrant=False, preserve_rng_state=False, context_fn=lambda: (contextlib.nullcontext(), _counted(norms))
            )
        return x


def build(architecture: str, depth: int, method: str, classes: int, channels: int, width: int = 16) -> ResidualNetwork:
    """Return an initialized network. Call ``calibrate`` with the training images before using it.

    Args:
        architecture: Name of the architecture (``architectures.ARCHITECTURES``).
        depth: Number of layers.
        method: Name of the training method (``methods.METHODS``).
        classes: Number of classes.
        channels: Number of image channels.
        width: Number of channels of the first stage.

    Raises:
        UsageError: The architecture has no network of this depth.
    """
    # Seeded before torch initializes the layers, because the methods differ in how many random numbers that takes.
    generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
    network = ResidualNetwork(architecture, depth, method, classes, channels, width)
    initialize(network, generator)
    return network


@torch.no_grad()
def initialize(network: ResidualNetwork, generator: torch.Generator) -> None:
    """Initialize all convolutions and the classification layer with ``network.method``. Biases are initialized to zero.

    Every method uses the same normal numbers in the same order, so that seeds are paired. "Unit variance" also needs images
    (``unit_variance``). If batch normalization follows the last layer of a branch, its gain is initialized to 0, as in the authors'
    code (Goyal et al. 2017). If it precedes the layers, as in wide residual networks, its gain is initialized to 1.
    """
    method, fixup = network.method, network.method.scalars == "fixup"
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.normal_(0, 1, generator=generator)
            if method.weights == "unit variance":
                module.weight.copy_(orthonormal(module.weight))
            else:
                module.weight.mul_(standard_deviation(module, method.weights))
            if module.bias is not None:
                module.bias.zero_()
    nn.init.kaiming_uniform_(network.head.weight, a=math.sqrt(5), generator=generator)  # torch's default for linear layers
    network.head.bias.zero_()
    for block in network.blocks:
        *inner, last = block.convs
        if fixup:
            for conv in inner:
                conv.weight.mul_(fixup_factor(len(network.blocks), len(block.convs)))
            last.weight.zero_()
        if method.normalization == "batch" and not network.architecture.pre_activation:
            nn.init.zeros_(block.norms[-1].weight)  # type: ignore[arg-type]
    if fixup:
        network.head.weight.zero_()


@contextlib.contextmanager
def _counted(norms: list[nn.BatchNorm2d]) -> Iterator[None]:
    """Freeze the running statistics while checkpointing recomputes a batch that they already include."""
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def _unbind(shifts: Tensor | None) -> tuple[Tensor, ...] | None:
    return None if shifts is None else shifts.unbind()


def _plus(x: Tensor, shifts: tuple[Tensor, ...] | None, i: int) -> Tensor:
    return x if shifts is None else x + shifts[i]
