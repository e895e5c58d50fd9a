"""Small networks with lively weights, images in 0..1 and a generator, in double precision where oracles are exact."""

import pytest
import torch
from torch import nn

from myths.lab.vision.networks import build


def lively(name, classes=5, channels=3, size=16, seed=0):
    """A network whose normalization is neither idle nor at its start, so that every unit matters."""
    torch.manual_seed(seed)
    network = build(name, classes, channels, size)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
    return network.eval().requires_grad_(False)


@pytest.fixture(params=["small_cnn", "resnet8"])
def network(request):
    return lively(request.param).double()


@pytest.fixture
def images():
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def labels():
    return torch.tensor([0, 1, 2, 4])


@pytest.fixture
def baseline():
    return torch.tensor([0.4, 0.5, 0.6], dtype=torch.float64)[:, None, None]
