"""Every batched operation says how many numbers its largest tensor holds for each item, and that is so."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from myths.cifar10_1 import candidates, classical, features
from myths.dataset_bias import duplicates
from myths.dataset_bias import features as dataset_features
from myths.forgetting import scores
from myths.lab.measurement import device
from myths.lab.vision import hog, networks, training

ITEMS = 60
BOUND = 2**21
"""Numbers of one tensor that the operations are given instead of 2^31 − 1."""


class Largest(TorchDispatchMode):
    """The most numbers that a tensor made inside has, views of many strides apart."""

    def __init__(self):
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for t in tree_leaves(out):
            if isinstance(t, torch.Tensor) and t.untyped_storage().nbytes() >= t.numel() * t.element_size():
                self.numel = max(self.numel, t.numel())
        return out


def pictures(side, n=ITEMS):
    return torch.randint(0, 256, (n, 3, side, side), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def stream():
    return torch.Generator().manual_seed(0)


def network(size):
    torch.manual_seed(0)
    return networks.build("resnet8", 10, 3, size)


def on(work, x):
    return lambda: work(x)


def random_patches():
    return on(features.RandomPatches(pictures(32), 160, stream()), pictures(32))


def grand():
    made, y = network(32), torch.zeros(ITEMS, dtype=torch.int64)
    return on(lambda x: scores.grand(made, x, y, device="cpu"), pictures(32))


def predict():
    made = network(64)
    return on(lambda x: training.predict(made, x, device="cpu"), pictures(64))


def words():
    return on(lambda x: dataset_features.bag_of_words(x, x[:20], stream()), torch.rand(ITEMS, 15, 15, 36, generator=stream()))


def nearest():
    train, y = pictures(8, 6000), torch.arange(6000) % 2
    return on(lambda x: classical.nearest(train, y, 2, x), pictures(8, 800))


def near_duplicate_pairs():
    return on(duplicates.near_duplicate_pairs, torch.rand(2500, duplicates.BITS, generator=stream()).sub(0.5).sign())


def many():
    draw = torch.rand(3000, 40, generator=stream())
    y = torch.arange(1000) % 50
    return on(lambda x: candidates.fit_many(draw[:1000], y, x, 50, 30, stream()), draw[1000:])


OPERATIONS = {
    "random patches": random_patches,
    "hog": lambda: on(hog.hog, pictures(128)),
    "thumbnails": lambda: on(dataset_features.thumbnail, pictures(256, 20)),
    "gist": lambda: on(dataset_features.gist, pictures(32)),
    "visual words": words,
    "hashes": lambda: on(duplicates.perceptual_hash, pictures(256, 30)),
    "near pairs": near_duplicate_pairs,
    "nearest neighbor": nearest,
    "gradients of each example": grand,
    "logits": predict,
    "candidates": many,
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_tensor_of_a_batched_operation_passes_the_bound_and_the_result_is_the_same(name, monkeypatch):
    work = OPERATIONS[name]()
    whole = work()
    with Largest() as free:
        work()
    monkeypatch.setattr(device, "MAX_ELEMENTS", BOUND)
    with Largest() as bounded:
        parts = work()
    assert free.numel > BOUND
    assert bounded.numel <= BOUND
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-5)
