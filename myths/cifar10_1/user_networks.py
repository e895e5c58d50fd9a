"""Networks of the user: recognize the architecture from the weights, load them, and normalize their inputs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from myths.lab.data.weights import BLUE_FIRST, NORMALIZATIONS
from myths.lab.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor, nn

UNTRAINED = "untrained"
"""Name of the initial weights of a small network, for tests."""
IMAGES: Mapping[str, str] = {"original": "cifar10", "v4": "cifar10_1_v4", "v6": "cifar10_1_v6"}
"""Dataset with the images of each test set."""
N_CLASSES, IMAGE_SIZE = 10, 32


def default_normalization(name: str) -> str:
    """Return the normalization of weights that were added without one: networks of this suite standardize pixels themselves."""
    from myths.lab.vision import pretrained

    return "cifar10" if _architecture_of_suite(pretrained.read(name)) is None else "none"


def check(name: str) -> None:
    """Check that the network of these weights takes CIFAR-10 images and predicts ten classes.

    Raises:
        UsageError: It does not.
        CannotStart: The weights cannot be read.
    """
    import torch

    network, architecture = load(name)
    try:
        with torch.inference_mode():
            network(torch.zeros(2, 3, IMAGE_SIZE, IMAGE_SIZE))
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"{name} is a {architecture}, which cannot take images of {IMAGE_SIZE} x {IMAGE_SIZE} pixels: resize the images yourself and "
            "add the predictions (docs/own-data.md)"
        ) from error


def load(name: str) -> tuple[nn.Module, str]:
    """Load the network of the weights added as ``name``.

    Returns:
        The network in evaluation mode on the CPU, and its architecture.

    Raises:
        UsageError: The architecture is unknown, or the network does not predict ten classes.
        CannotStart: The weights cannot be read.
    """
    import torch

    from myths.lab.vision import networks, pretrained

    if name == UNTRAINED:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return networks.build("small_cnn", N_CLASSES, 3, 16).eval(), "small_cnn"
    weights = pretrained.read(name)
    architecture = _architecture_of_suite(weights)
    with torch.random.fork_rng(devices=[]):
        if architecture is not None:
            network: nn.Module = networks.build(architecture, N_CLASSES, 3, IMAGE_SIZE)
        else:
            architecture = _torchvision_architecture(name, weights)
            network = pretrained.build(architecture, N_CLASSES)
    network.load_state_dict(dict(weights))
    return network.eval().requires_grad_(False), architecture


def normalized(network: nn.Module, normalization: str) -> nn.Module:
    """Return the network preceded by a normalization. The module takes pixels in 0 to 1, channels in the order RGB."""
    from myths.lab.vision.pretrained import BlueFirst, Standardized

    mean, std = NORMALIZATIONS[normalization.removesuffix(BLUE_FIRST)]
    return Standardized(BlueFirst(network) if normalization.endswith(BLUE_FIRST) else network, mean, std).eval()


def _architecture_of_suite(weights: Mapping[str, Tensor]) -> str | None:
    """Return which network of this suite has these weights, or None. Its name alone does not tell: torchvision has a ``resnet18`` too."""
    shapes = {key: tuple(value.shape) for key, value in weights.items()}
    return next((each for each, theirs in _networks_of_suite().items() if theirs == shapes), None)


def _torchvision_architecture(name: str, weights: Mapping[str, Tensor]) -> str:
    from myths.lab.vision import pretrained

    try:
        architecture = pretrained.identify(weights)
    except UsageError as error:
        raise UsageError(
            f"{name} ({len(weights)} tensors, the first {next(iter(weights))}) matches none of the networks of this suite "
            f"({', '.join(_networks_of_suite())}) and of torchvision ({', '.join(pretrained.ARCHITECTURES)}): add its predictions instead "
            "(docs/own-data.md)"
        ) from error
    if (classes := pretrained.classes_of(weights)) != N_CLASSES:
        raise UsageError(f"{name} is a {architecture} of {classes:,} classes; CIFAR-10 has {N_CLASSES}: train the last layer on CIFAR-10")
    return architecture


@cache
def _networks_of_suite() -> dict[str, dict[str, tuple[int, ...]]]:
    import torch

    from myths.lab.vision import networks

    with torch.device("meta"):
        return {
            name: {key: tuple(value.shape) for key, value in networks.build(name, N_CLASSES, 3, IMAGE_SIZE).state_dict().items()}
            for name in networks.NETWORKS
        }
