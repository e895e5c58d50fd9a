"""One residual network, in the published set-ups, with any of the methods in its blocks."""

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
from myths.lab.vision.networks import Classifier, Standardize


class Block(nn.Module):
    """A branch of m convolutions beside a shortcut, with normalization, scalars, or neither."""

    convs: Sequence[nn.Conv2d]
    norms: Sequence[nn.Module]

    def __init__(self, architecture: Architecture, method: Method, inputs: int, width: int, stride: int):
        super().__init__()
        kernels = architecture.kernels
        outputs = width * architecture.expansion
        widths = (inputs, *[width] * (len(kernels) - 1), outputs)
        self.pre_activation, self.factor = architecture.pre_activation, method.output_scale
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
        # All biases of a block in one vector: at 10,000 layers the number of parameters to look after is what costs.
        self.shifts = nn.Parameter(torch.zeros(2 * len(kernels))) if method.scalars == "fixup" else None
        self.scale = None if method.scalars == "none" else nn.Parameter(torch.full((), float(method.scalars == "fixup")))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        """The sum of shortcut and branch."""
        return self._pre_activation(x) if self.pre_activation else self._post_activation(x)

    def _pre_activation(self, x: Tensor) -> Tensor:
        shifts = _unbind(self.shifts)
        branch = entered = x
        for i, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            branch = F.relu(_plus(norm(branch), shifts, 2 * i))
            entered = branch if i == 0 else entered
            branch = conv(_plus(branch, shifts, 2 * i + 1))
        return self._sum(x if self.shortcut is None else self.shortcut(entered), branch)

    def _post_activation(self, x: Tensor) -> Tensor:
        shifts = _unbind(self.shifts)
        branch, last = x, len(self.convs) - 1
        for i, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            branch = norm(conv(_plus(branch, shifts, 2 * i)))
            branch = F.relu(_plus(branch, shifts, 2 * i + 1)) if i < last else branch
        shortcut = x if self.shortcut is None else self.shortcut(_plus(x, shifts, 0))
        return F.relu(_plus(self._sum(shortcut, branch), shifts, 2 * last + 1))

    def _sum(self, shortcut: Tensor, branch: Tensor) -> Tensor:
        total = shortcut + (branch if self.scale is None else branch * self.scale)
        return total if self.factor == 1 else total * self.factor


def norm_of(method: Method, channels: int) -> nn.Module:
    """The normalization of a layer of so many channels, or nothing."""
    if method.normalization == "batch":
        return nn.BatchNorm2d(channels)
    if method.normalization == "none":
        return nn.Identity()
    return nn.GroupNorm(1 if method.normalization == "layer" else math.gcd(GROUPS, channels), channels)


class PadChannels(nn.Module):
    """Channels of zeros after those that there are (He et al. 2016, option A)."""

    def __init__(self, more: int):
        super().__init__()
        self.more = more

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """The padded images."""
        return F.pad(x, (0, 0, 0, 0, 0, self.more))


class ResidualNetwork(Classifier):
    """A residual network of any possible depth for small images: three stages, each with twice the channels and half the pixels a side.

    ``blocks_per_segment`` is how many blocks are computed again together in the backward pass instead of keeping what they gave
    (``memory``); 0 keeps everything.
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
        # The activation outside of the blocks: after them where they begin with one, else before them.
        self.norm = norm_of(self.method, inputs if pre else width)
        self.shifts = nn.Parameter(torch.zeros(2)) if fixup else None
        self.head = nn.Linear(inputs, classes)

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """The mean over the pixels of the last activation."""
        shifts, pre = _unbind(self.shifts), self.architecture.pre_activation
        x = self.stem(self.standardize(x))
        x = x if pre else F.relu(_plus(self.norm(x), shifts, 0))
        x = self._through_blocks(x)
        x = F.relu(_plus(self.norm(x), shifts, 0)) if pre else x
        return _plus(x.mean((2, 3)), shifts, 1)

    def scalars(self) -> list[nn.Parameter]:
        """Multipliers and scalar biases: what has a learning rate of its own."""
        found = [self.shifts, *(p for block in self.blocks for p in (block.shifts, block.scale))]
        return [p for p in found if p is not None]

    @torch.no_grad()
    def calibrate(self, x: UInt8[Tensor, "n c h w"]) -> None:
        """Also makes unit variances where the method says so, on the first 128 images."""
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
            # Blocks draw nothing at random; asking for the generator's state would also break CUDA graphs.
            x = checkpoint(
                segment, x, use_reentrant=False, preserve_rng_state=False, context_fn=lambda: (contextlib.nullcontext(), _counted(norms))
            )
        return x


def build(architecture: str, depth: int, method: str, classes: int, channels: int, width: int = 16) -> ResidualNetwork:
    """A network at its start, drawn from torch's global generator; ``calibrate`` completes it with the training images.

    Raises UsageError for a depth that the architecture cannot have.
    """
    # Drawn before torch initializes the layers by itself, which takes more numbers for some methods than for others.
    generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
    network = ResidualNetwork(architecture, depth, method, classes, channels, width)
    initialize(network, generator)
    return network


@torch.no_grad()
def initialize(network: ResidualNetwork, generator: torch.Generator) -> None:
    """Draws all convolutions and the head, and sets what begins at zero by the method; biases begin at zero.

    Every method draws the same normal numbers in the same order, so that seeds are paired. "Unit variance" needs images as well:
    ``unit_variance``. With batch normalization after the last layer of a branch its gain begins at 0, as in the authors' code (Goyal
    et al. 2017); before the layers, as in wide residual networks, it begins at 1.
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
    nn.init.kaiming_uniform_(network.head.weight, a=math.sqrt(5), generator=generator)  # as torch begins linear layers
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
    """The batch has been counted in the running statistics already: computing it again must not count it twice."""
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
