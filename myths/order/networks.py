"""Networks of this myth, by name: those of the lab, a fully connected network and a small transformer on patches."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from myths.lab.errors import UsageError
from myths.lab.trial import Context
from myths.lab.vision import networks
from myths.lab.vision.networks import Classifier, Standardize


class Mlp(Classifier):
    """Two hidden layers of 512 units with batch normalization and ReLU."""

    def __init__(self, classes: int, channels: int, size: int, width: int = 512):
        super().__init__()
        self.standardize = Standardize(channels)
        self.first, self.second = nn.Linear(channels * size * size, width), nn.Linear(width, width)
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(2))
        self.head = nn.Linear(width, classes)

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the second hidden layer."""
        x = self.standardize(x).flatten(1)
        for layer, norm in zip((self.first, self.second), self.norms, strict=True):
            x = F.relu(norm(layer(x)))
        return x


class PatchTransformer(Classifier):
    """A transformer on 4 × 4 patches (2 × 2 below 16 pixels), normalized before each part of a block and averaged over patches."""

    def __init__(self, classes: int, channels: int, size: int, width: int = 128, blocks: int = 4, heads: int = 4):
        super().__init__()
        patch = 4 if size >= 16 else 2
        self.standardize = Standardize(channels)
        self.patches = nn.Conv2d(channels, width, patch, patch)
        self.position = nn.Parameter(0.02 * torch.randn(1, (size // patch) ** 2, width))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
            for _ in range(blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the tokens after the last block, normalized and averaged."""
        x = self.patches(self.standardize(x)).flatten(2).mT + self.position
        for block in self.blocks:
            x = block(x)
        return self.norm(x).mean(1)


_OURS: dict[str, Callable[[int, int, int], Classifier]] = {"mlp": Mlp, "patch_transformer": PatchTransformer}


def initial_network(context: Context, name: str, classes: int, x: UInt8[Tensor, "n c h w"]) -> Classifier:
    """Return an untrained network on the device, initialized from the random stream "init" and calibrated on training images.

    Args:
        context: Context of the trial.
        name: Name of the network.
        classes: Number of classes.
        x: Training images.

    Raises:
        UsageError: There is no such network.
    """
    if name not in _OURS:
        return networks.initial_network(context, name, classes, x)
    if x.shape[-1] % 4:
        raise UsageError(f"network={name}: images of {x.shape[-1]} pixels, expected a multiple of 4")
    with context.seed_torch("init"):
        network = _OURS[name](classes, x.shape[1], x.shape[-1]).to(context.device)
    network.calibrate(x)
    return network
