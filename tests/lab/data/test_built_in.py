"""Embedded sets: the same bytes everywhere, and shapes that can be learned."""

import numpy as np
import pytest

from myths.lab.data import prepared
from myths.lab.data.built_in import BUILT_IN

# A change here changes the data of every result on built-in data.
HASHES = {
    "digits": "4734088ba78db28e7d29dd8805f261bf3389609b47bd8bdda7e100e80e5ca3d4",
    "shapes": "963538e0a950b0069485c5d5f22e5f134d61e62ede127d77a874105c30dbbb6d",
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_content_never_changes(name):
    assert prepared.content_sha256(BUILT_IN[name]()) == HASHES[name]


def test_digits_are_split_evenly_and_completely():
    from sklearn.datasets import load_digits

    arrays = prepared.load("digits")
    assert arrays["x_train"].shape == (1197, 8, 8)
    assert arrays["x_test"].shape == (600, 8, 8)
    both = np.concatenate([arrays["x_train"], arrays["x_test"]])
    assert np.array_equal(np.sort(both.sum((1, 2))), np.sort((load_digits().images * 255 // 16).astype(np.uint8).sum((1, 2))))
    share = np.bincount(arrays["y_test"]) / np.bincount(np.concatenate([arrays["y_train"], arrays["y_test"]]))
    assert np.all(abs(share - 1 / 3) < 0.005)


def test_shapes_are_balanced_and_distinct():
    arrays = prepared.load("shapes")
    assert arrays["x_train"].shape == (1200, 16, 16, 3)
    assert np.bincount(arrays["y_train"]).tolist() == [200] * 6
    assert np.bincount(arrays["y_test"]).tolist() == [50] * 6
    both = np.concatenate([arrays["x_train"], arrays["x_test"]])
    assert len(np.unique(both.reshape(len(both), -1), axis=0)) == len(both)


@pytest.fixture
def one_thread():
    """So small a network only waits for more."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_a_tiny_network_learns_shapes(one_thread):
    import torch
    from torch import nn
    from torch.nn import functional as F

    from myths.lab.data.images import image_set

    images = image_set("shapes", "cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [nn.Conv2d(3, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(2)]
        network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, 6))
        optimizer = torch.optim.Adam(network.parameters(), 1e-2)
        for batch in torch.randperm(1200).repeat(2).split(60):
            optimizer.zero_grad()
            F.cross_entropy(network(images.x_train[batch] / 255 - 0.5), images.y_train[batch]).backward()
            optimizer.step()
        accuracy = (network(images.x_test / 255 - 0.5).argmax(1) == images.y_test).float().mean()
    assert accuracy > 0.6  # chance is 1/6
