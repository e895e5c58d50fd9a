"""The network of a user's or the catalog's weights, ready to be explained."""

from __future__ import annotations

import torch

from myths.lab.data import prepared
from myths.lab.errors import UsageError
from myths.lab.vision.pretrained import Standardized, build, classes_of, identify, read
from myths.saliency.names import UNTRAINED


def load(name: str, device: str) -> tuple[Standardized, str]:
    """The network of the weights added as ``name``, ready to be explained on ``device``, and its architecture.

    "untrained" is SqueezeNet 1.0 of ten classes with weights drawn from a fixed seed, for tests. Raises CannotStart when there are no
    such weights or they cannot be read, UsageError when they are of no architecture known here, or were
    added with another normalization than ImageNet's.
    """
    if name == UNTRAINED:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network, architecture = build("squeezenet1_0", 10), "squeezenet1_0"
    else:
        weights = read(name)
        if (found := prepared.find(name)) and (said := dict(found.settings).get("normalization", "imagenet")) != "imagenet":
            raise UsageError(
                f"{name} was added with normalization={said}; networks are explained with ImageNet's. In a notebook any works: "
                "saliency.explain(saliency.normalized(model, mean, std), image)"
            )
        architecture = identify(weights)
        network = build(architecture, classes_of(weights))
        network.load_state_dict(dict(weights))
    return Standardized(network).to(device).eval().requires_grad_(False), architecture
