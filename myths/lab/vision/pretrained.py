"""Read weights of torchvision classifiers and identify their architecture."""

from __future__ import annotations

import functools
import pickle
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from myths.lab.data import prepared
from myths.lab.data.catalog import CATALOG
from myths.lab.data.weights import IMAGENET_MEAN, IMAGENET_STD
from myths.lab.errors import CannotStart, UsageError
from myths.lab.vision.networks import Standardize

ARCHITECTURES = (
    "squeezenet1_0", "squeezenet1_1", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "alexnet",
    "vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn", "densenet121", "densenet161", "densenet169",
    "densenet201", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "mnasnet0_5", "mnasnet1_0", "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0", "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "convnext_tiny", "convnext_small", "convnext_base",
    "resnext50_32x4d", "resnext101_32x8d", "wide_resnet50_2", "wide_resnet101_2",
)  # fmt: skip
"""Architectures of torchvision that are tried, in this order."""


class Standardized(nn.Module):
    """Wrap a network that expects normalized pixels, so that it takes pixel values in 0..1."""

    def __init__(self, network: nn.Module, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD):
        super().__init__()
        self.standardize = Standardize(len(mean))
        self.standardize.mean.copy_(torch.tensor(mean)[:, None, None])
        self.standardize.deviation.copy_(torch.tensor(std)[:, None, None])
        self.network = network

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Return the logits."""
        return self.network(self.standardize(x))


class BlueFirst(nn.Module):
    """Wrap a network that expects BGR channels, so that it takes RGB."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Return the logits."""
        return self.network(x.flip(1))


def read(name: str) -> dict[str, Tensor]:
    """Read weights of the catalog or of the user. Code in a file is never executed.

    Raises:
        CannotStart: The weights are not available, the file holds more than tensors, or a weight is not finite.
    """
    weights = _read(name)
    for key, value in weights.items():
        if value.is_floating_point() and (bad := int((~value.isfinite()).sum())):
            raise CannotStart(
                f"weights {name}: {bad} of {value.numel()} values of {key} are not finite (NaN or infinite). "
                "Save the weights of a training run that did not diverge, and add them under another name"
            )
    return weights


def _read(name: str) -> dict[str, Tensor]:
    found = prepared.require(name)
    if name in CATALOG:
        return {key: torch.from_numpy(values.copy()) for key, values in prepared.load(name).items()}
    if found.kind != "weights" or found.path is None:
        raise CannotStart(
            f"{name} is a dataset of kind {found.kind}, not weights: add a .pt, .pth or .safetensors file with `myths data add NAME PATH`"
        )
    loaded = _tensors(found.path)
    for key in ("state_dict", "model"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not loaded or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise CannotStart(f"{found.path} contains no plain weights: save network.state_dict() with torch.save and add it again")
    return {str(key).removeprefix("module."): value for key, value in loaded.items() if isinstance(value, Tensor)}


def identify(weights: Mapping[str, Tensor]) -> str:
    """Return the torchvision architecture whose tensors have these names and shapes.

    Raises:
        UsageError: No architecture matches.
    """
    shapes = {key: tuple(value.shape) for key, value in weights.items()}
    for architecture in ARCHITECTURES:
        if _shapes(architecture, classes_of(weights)) == shapes:
            return architecture
    raise UsageError(
        f"Unknown architecture of weights ({len(weights)} tensors, the first {next(iter(weights))}). Supported: {', '.join(ARCHITECTURES)}"
    )


def _tensors(path: Path) -> object:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except ImportError as error:
        raise CannotStart("Reading .safetensors requires a package: pip install safetensors; or add the weights as .pt") from error
    except pickle.UnpicklingError as error:  # torch advises weights_only=False here, which would run whatever the file holds
        raise CannotStart(
            f"{path} contains Python objects in addition to tensors. Loading them can execute arbitrary code, so the file was not loaded: "
            "add plain weights, as torch.save(network.state_dict()) writes them"
        ) from error
    except (OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        first = str(error).split("\n")[0]
        raise CannotStart(f"{path} cannot be read as plain weights ({first}): add it again from a good copy") from error


@functools.cache
def _shapes(architecture: str, classes: int) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {key: tuple(value.shape) for key, value in build(architecture, classes).state_dict().items()}


def build(architecture: str, classes: int) -> nn.Module:
    """Return a randomly initialized torchvision network."""
    from torchvision import models

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return models.get_model(architecture, weights=None, num_classes=classes)


def classes_of(weights: Mapping[str, Tensor]) -> int:
    """Return the number of classes: the length of the bias of the last layer.

    The layer is found by the names of a known architecture, because files in the format safetensors are not in the order of the layers.
    Weights of unknown architectures end with it.
    """
    known = (_shapes(architecture, 2) for architecture in ARCHITECTURES)
    bias = next((list(shapes)[-1] for shapes in known if shapes.keys() == weights.keys()), list(weights)[-1])
    return weights[bias].shape[0] if weights[bias].ndim else 1
