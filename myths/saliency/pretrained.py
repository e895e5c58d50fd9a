"""Load pretrained networks, from the catalog or user weights."""

from __future__ import annotations

import torch

from myths.lab.data import prepared
from myths.lab.errors import UsageError
from myths.lab.vision.pretrained import Standardized, build, classes_of, identify, read
from myths.saliency.names import UNTRAINED


def load(name: str, device: str) -> tuple[Standardized, str]:
    """Return a network in evaluation mode with frozen parameters, and the name of its architecture.

    Args:
        name: Name of the weights. "untrained" is SqueezeNet 1.0 with ten classes and weights from a fixed seed, for tests.
        device: Device of the network.

    Raises:
        CannotStart: The weights do not exist or cannot be read.
        UsageError: The architecture is unknown, or the weights were added with a normalization other than ImageNet's.
    """
    if name == UNTRAINED:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network, architecture = build("squeezenet1_0", 10), "squeezenet1_0"
    else:
        weights = read(name)
        if (found := prepared.find(name)) and (said := dict(found.settings).get("normalization", "imagenet")) != "imagenet":
            raise UsageError(
                f"{name} was added with normalization={said}, but this trial requires imagenet. From Python, any normalization works: "
                "saliency.explain(saliency.normalized(model, mean, std), image)"
            )
        architecture = identify(weights)
        network = build(architecture, classes_of(weights))
        network.load_state_dict(dict(weights))
    return Standardized(network).to(device).eval().requires_grad_(False), architecture
