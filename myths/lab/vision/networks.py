"""Convolutional classifiers for small images, by name.

All networks take pixel values in 0..1 and standardize them internally, so that the weights define the complete function from images to
logits. All have ``features`` (the penultimate layer) and ``head`` (the last linear layer).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from myths.lab.errors import UsageError
from myths.lab.trial import Context


class Standardize(nn.Module):
    """Standardize each channel of pixel values in 0..1 to mean 0 and standard deviation 1 over the training set."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int):
        super().__init__()
        self.register_buffer("mean", torch.full((channels, 1, 1), 0.5))
        self.register_buffer("deviation", torch.full((channels, 1, 1), 0.25))

    def calibrate(self, x: UInt8[Tensor, "n c h w"]) -> None:
        """Set mean and standard deviation from training images."""
        mean, deviation = channel_statistics(x)
        self.mean.copy_(mean[:, None, None])
        self.deviation.copy_(deviation[:, None, None])

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return standardized images."""
        return (x - self.mean) / self.deviation


def channel_statistics(x: UInt8[Tensor, "n c h w"]) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
    """Return mean and standard deviation of each channel, for pixel values in 0..1. The standard deviation of a constant channel is 1."""
    # Counting the 256 values is exact and needs no float copy of the dataset.
    counts = torch.stack([torch.bincount(channel.flatten(), minlength=256) for channel in x.unbind(1)]).cpu().double()
    values = torch.arange(256, dtype=torch.float64) / 255
    share = counts / counts.sum(1, keepdim=True)
    mean = share @ values
    deviation = (share @ values.square() - mean.square()).clamp_min(0).sqrt()
    return mean.float().to(x.device), torch.where(deviation > 0, deviation, 1.0).float().to(x.device)


def initial_network(context: Context, name: str, classes: int, x: UInt8[Tensor, "n c h w"]) -> Classifier:
    """Return an untrained network on the device of the trial, initialized from the stream "init" and calibrated on ``x``."""
    with context.seed_torch("init"):
        network = build(name, classes, x.shape[1], x.shape[-1]).to(context.device)
    network.calibrate(x)
    return network


def state_arrays(network: nn.Module) -> dict[str, np.ndarray]:
    """Return the weights and buffers of a network, by name."""
    return {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()}


class Classifier(nn.Module):
    """A network with ``features`` (up to the penultimate layer) and a linear ``head``."""

    standardize: Standardize
    head: nn.Linear

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the activations of the penultimate layer for pixel values in 0..1."""
        raise NotImplementedError

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Return the logits for pixel values in 0..1."""
        return self.head(self.features(x))

    @torch.no_grad()
    def calibrate(self, x: UInt8[Tensor, "n c h w"]) -> None:
        """Set the parameters that are computed from unlabeled training images before training."""
        self.standardize.calibrate(x)


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3×3 convolution without bias, because a normalization layer follows."""
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


# --- a small CNN ---------------------------------------------------------------------------------


class SmallCnn(Classifier):
    """Three 3×3 convolutions of 32, 64 and 128 channels, each with batch normalization, ReLU and 2×2 max-pooling."""

    def __init__(self, classes: int, channels: int, size: int, width: int = 32):
        super().__init__()
        widths = (channels, width, 2 * width, 4 * width)
        self.standardize = Standardize(channels)
        self.convs = nn.ModuleList(conv3x3(a, b) for a, b in itertools.pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm2d(w) for w in widths[1:])
        self.head = nn.Linear(widths[-1] * (size // 8) ** 2, classes)

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return all activations after the third pooling."""
        x = self.standardize(x)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.max_pool2d(F.relu(norm(conv(x))), 2)
        return x.flatten(1)


# --- the MNIST network of PyTorch's examples --------------------------------------------------------


class MnistCnn(Classifier):
    """Two 5×5 convolutions of 10 and 20 channels, each with 2×2 max-pooling and ReLU, and a hidden layer of 50 units.

    The network that Toneva et al. 2019 train on MNIST, from PyTorch's examples. At 28 pixels the hidden layer has 320
    inputs. ``dropout`` applies to channels before the second pooling and to hidden units. Images below 16 pixels are padded.
    """

    def __init__(self, classes: int, channels: int, size: int, dropout: float = 0.0):
        super().__init__()
        padding = 0 if size >= 16 else 2
        side = ((size - 4 + 2 * padding) // 2 - 4 + 2 * padding) // 2
        self.standardize = Standardize(channels)
        self.conv1 = nn.Conv2d(channels, 10, 5, padding=padding)
        self.conv2 = nn.Conv2d(10, 20, 5, padding=padding)
        self.drop_channels, self.drop_units = nn.Dropout2d(dropout), nn.Dropout(dropout)
        self.hidden = nn.Linear(20 * side**2, 50)
        self.head = nn.Linear(50, classes)

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the hidden units."""
        x = F.relu(F.max_pool2d(self.conv1(self.standardize(x)), 2))
        x = F.relu(F.max_pool2d(self.drop_channels(self.conv2(x)), 2))
        return self.drop_units(F.relu(self.hidden(x.flatten(1))))


# --- residual networks, He et al. 2016 -------------------------------------------------------------


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut, ReLU after the addition (He et al. 2016, Fig. 2).

    If the shape changes, the shortcut is option A of the paper (subsampling and zero-padded channels, no parameters)
    or a 1×1 convolution (option B).
    """

    def __init__(self, inputs: int, outputs: int, stride: int, project: bool):
        super().__init__()
        self.conv1, self.norm1 = conv3x3(inputs, outputs, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.norm2 = conv3x3(outputs, outputs), nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, outputs - inputs
        self.shortcut: nn.Module | None = None
        if project and (stride > 1 or inputs != outputs):
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        """Return the output of the block; height and width are divided by the stride."""
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + self._shortcut(x))

    def _shortcut(self, x: Tensor) -> Tensor:
        if self.shortcut is not None:
            return self.shortcut(x)
        if self.stride == 1 and not self.added:
            return x
        before = self.added // 2
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.added - before))


class ResNet(Classifier):
    """A residual network for small images: a 3×3 stem, stages of basic blocks, global average pooling.

    ``widths`` gives the channels of the stages and ``blocks`` how many blocks each has. With widths 16-32-64 and option
    A shortcuts it is the CIFAR network of He et al. 2016, §4.2; with 64-128-256-512 and projections it is the ResNet-18
    with a CIFAR stem that Cutout (DeVries & Taylor 2017) and Toneva et al. 2019 train.
    """

    def __init__(self, classes: int, channels: int, widths: tuple[int, ...], blocks: int, project: bool):
        super().__init__()
        self.standardize = Standardize(channels)
        self.stem, self.norm = conv3x3(channels, widths[0]), nn.BatchNorm2d(widths[0])
        self.stages = nn.Sequential()
        inputs = widths[0]
        for stage, width in enumerate(widths):
            for block in range(blocks):
                self.stages.append(BasicBlock(inputs, width, 2 if stage and not block else 1, project))
                inputs = width
        self.head = nn.Linear(inputs, classes)
        _he_initialization(self)

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the last stage averaged over pixels."""
        x = F.relu(self.norm(self.stem(self.standardize(x))))
        return self.stages(x).mean((2, 3))


# --- wide residual networks, Zagoruyko & Komodakis 2016 --------------------------------------------


class WideBlock(nn.Module):
    """Normalization and ReLU before each of two 3×3 convolutions, with dropout between (Zagoruyko & Komodakis, Fig. 1d)."""

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(inputs), conv3x3(inputs, outputs, stride)
        self.norm2, self.conv2 = nn.BatchNorm2d(outputs), conv3x3(outputs, outputs)
        self.dropout = nn.Dropout(dropout)
        self.shortcut = None if inputs == outputs and stride == 1 else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        """Return the output of the block; height and width are divided by the stride."""
        y = F.relu(self.norm1(x))
        carried = x if self.shortcut is None else self.shortcut(y)
        return carried + self.conv2(self.dropout(F.relu(self.norm2(self.conv1(y)))))


class WideResNet(Classifier):
    """WRN-``depth``-``width`` of Zagoruyko & Komodakis 2016, Table 1: three stages of 16k, 32k and 64k channels."""

    def __init__(self, classes: int, channels: int, depth: int, width: int, dropout: float = 0.0):
        super().__init__()
        blocks, remainder = divmod(depth - 4, 6)
        if remainder:
            raise ValueError(f"a wide residual network has 6n + 4 layers, not {depth}")
        self.standardize = Standardize(channels)
        self.stem = conv3x3(channels, 16)
        self.stages = nn.Sequential()
        inputs = 16
        for stage, outputs in enumerate((16 * width, 32 * width, 64 * width)):
            for block in range(blocks):
                self.stages.append(WideBlock(inputs, outputs, 2 if stage and not block else 1, dropout))
                inputs = outputs
        self.norm = nn.BatchNorm2d(inputs)
        self.head = nn.Linear(inputs, classes)
        _he_initialization(self)

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the last stage averaged over pixels, after normalization and ReLU."""
        x = self.stages(self.stem(self.standardize(x)))
        return F.relu(self.norm(x)).mean((2, 3))


def _he_initialization(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)


# --- a network that trains in seconds -------------------------------------------------------


class AirbenchBlock(nn.Module):
    """Two 3×3 convolutions with pooling directly after the first, so that the rest processes a quarter of the pixels."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv1, self.norm1 = conv3x3(inputs, outputs), _shift_only_norm(outputs)
        self.conv2, self.norm2 = conv3x3(outputs, outputs), _shift_only_norm(outputs)
        for conv in (self.conv1, self.conv2):
            # The first filters start as the identity, so that gradients flow from the beginning.
            nn.init.dirac_(conv.weight[: conv.in_channels])

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        """Return the output of the block, with half of the height and width."""
        x = F.gelu(self.norm1(_halve(self.conv1(x))))
        return F.gelu(self.norm2(self.conv2(x)))


class AirbenchNet(Classifier):
    """A plain network for training in seconds, with the techniques of Page 2018 and airbench94 (Jordan 2024).

    A frozen 2×2 convolution whitens the patches of the image, three groups of two convolutions follow, and the logits
    are scaled down so that a large learning rate is stable. Before ``calibrate`` the whitening filters are random.
    """

    def __init__(self, classes: int, channels: int, widths: tuple[int, int, int]):
        super().__init__()
        patch = channels * 4
        self.standardize = Standardize(channels)
        self.whiten = nn.Conv2d(channels, 2 * patch, 2)
        self.whiten.weight.requires_grad_(False)
        self.groups = nn.Sequential(*(AirbenchBlock(a, b) for a, b in zip((2 * patch, *widths[:-1]), widths, strict=True)))
        self.head = nn.Linear(widths[-1], classes, bias=False)
        nn.init.zeros_(self.whiten.bias)  # type: ignore[arg-type]

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the last block, max-pooled over pixels and scaled down."""
        x = self.groups(F.gelu(self.whiten(self.standardize(x))))
        return x.amax((2, 3)) / 9

    @torch.no_grad()
    def calibrate(self, x: UInt8[Tensor, "n c h w"]) -> None:
        """Set the standardization and, from patches of the first 2,000 images, the whitening filters."""
        super().calibrate(x)
        sample = x[:2000].float() / 255
        filters = whitening_filters(self.standardize(sample.to(self.whiten.weight.device)), 2)
        self.whiten.weight.copy_(torch.cat([filters, -filters]))


class Fast94(AirbenchNet):
    """The network of airbench94 with Muon (Jordan 2024): output weights of unit variance, and logits divided by the number of features."""

    def __init__(self, classes: int, channels: int, widths: tuple[int, int, int]):
        super().__init__(classes, channels, widths)
        with torch.no_grad():
            self.head.weight /= self.head.weight.std()

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the last block, max-pooled over pixels and divided by the number of features."""
        x = self.groups(F.gelu(self.whiten(self.standardize(x))))
        return x.amax((2, 3)) / x.shape[1]


@torch.no_grad()
def whitening_filters(x: Float[Tensor, "n c h w"], kernel: int, ridge: float = 5e-4) -> Float[Tensor, "p c k k"]:
    """Return filters whose responses to the ``kernel``×``kernel`` patches of ``x`` are uncorrelated with variance 1.

    The filters are the eigenvectors of the patch covariance, each divided by the square root of its eigenvalue plus ``ridge``;
    p = c·k². Patches are not centered; the bias of the layer does that.
    """
    channels = x.shape[1]
    patches = x.unfold(2, kernel, 1).unfold(3, kernel, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, channels * kernel**2)
    values, vectors = torch.linalg.eigh(torch.cov(patches.T).cpu().double())
    filters = (vectors / (values.clamp_min(0) + ridge).sqrt()).T
    return filters.reshape(-1, channels, kernel, kernel).to(x)


def _shift_only_norm(width: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(width, momentum=0.4, eps=1e-12)
    norm.weight.requires_grad_(False)
    return norm


def _halve(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 2) if min(x.shape[-2:]) >= 2 else x


# --- by name ---------------------------------------------------------------------------------------

Builder = Callable[[int, int, int], Classifier]
"""(classes, channels, size) -> network"""


def _cifar_resnet(blocks: int) -> Builder:
    return lambda classes, channels, size: ResNet(classes, channels, (16, 32, 64), blocks, project=False)


def _wide_resnet(depth: int, width: int, dropout: float = 0.0) -> Builder:
    return lambda classes, channels, size: WideResNet(classes, channels, depth, width, dropout)


def _airbench(*widths: int) -> Builder:
    return lambda classes, channels, size: AirbenchNet(classes, channels, widths)  # type: ignore[arg-type]


NETWORKS: dict[str, Builder] = {
    "small_cnn": SmallCnn,
    "mnist_cnn": MnistCnn,
    "mnist_cnn_dropout": lambda classes, channels, size: MnistCnn(classes, channels, size, 0.5),
    "resnet8": _cifar_resnet(1),
    "resnet20": _cifar_resnet(3),
    "resnet56": _cifar_resnet(9),
    "resnet18": lambda classes, channels, size: ResNet(classes, channels, (64, 128, 256, 512), 2, project=True),
    "wide_resnet_10_2": _wide_resnet(10, 2),
    "wide_resnet_16_4": _wide_resnet(16, 4),
    "wide_resnet_28_10": _wide_resnet(28, 10),
    "wide_resnet_28_10_dropout": _wide_resnet(28, 10, 0.3),
    "fast_narrow": _airbench(32, 96, 96),
    "fast_medium": _airbench(32, 128, 256),
    "fast": _airbench(64, 256, 256),
    "fast94": lambda classes, channels, size: Fast94(classes, channels, (64, 256, 256)),
}


def build(name: str, classes: int, channels: int, size: int) -> Classifier:
    """Build a network for square images, initialized from torch's global generator.

    Args:
        name: A key of ``NETWORKS``.
        classes: Number of classes.
        channels: Number of image channels.
        size: Image size in pixels, 8 to 64.

    Raises:
        UsageError: The name is unknown.
    """
    if name not in NETWORKS:
        raise UsageError(f"Unknown network {name!r}. Available: {', '.join(NETWORKS)}")
    return NETWORKS[name](classes, channels, size)
