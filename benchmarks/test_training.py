"""How fast the suite's loop trains, beside the loop of the tutorials: PIL images, torchvision, DataLoader, fp32 eager.

Both train the same network with the same batch size and optimizer, in one run and taking turns; ``extra_info`` has the images per
second of each and their ratio. The tutorial's loop gets as many workers as it can use: none, and two.
"""

import copy
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from myths.lab.device import choose, machine_class, precision_of
from myths.lab.timing import Stopwatch
from myths.lab.vision.networks import build
from myths.lab.vision.training import Recipe, fit

DEVICE = choose("auto")
BATCH = 128
IMAGES = 1024 if DEVICE == "cpu" else 25_600
ROUNDS = 2


class PilImages(Dataset):
    """What torchvision.datasets.CIFAR10 is: an array of images, each turned into a PIL image and transformed when asked for."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor):
        from PIL import Image

        self.images = [Image.fromarray(image) for image in x.permute(0, 2, 3, 1).numpy()]
        self.labels = y.tolist()
        self.transform = v2.Compose(
            [
                v2.RandomCrop(32, padding=4),
                v2.RandomHorizontalFlip(),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int):
        return self.transform(self.images[index]), self.labels[index]


def examples() -> tuple[str, torch.Tensor, torch.Tensor]:
    """CIFAR-10 where it is prepared, else noise of its shape: the speed is the same."""
    prepared = Path("~/.cache/myths/cifar10.npz").expanduser()
    if prepared.exists():
        with np.load(prepared) as arrays:
            x, y = arrays["x_train"][:IMAGES], arrays["y_train"][:IMAGES]
        return "cifar10", torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(y).long().flatten()
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (IMAGES, 3, 32, 32), generator=generator).to(torch.uint8)
    return "noise", x, torch.randint(0, 10, (IMAGES,), generator=generator)


def tutorial_epoch(network: nn.Module, loader: DataLoader) -> None:
    """An epoch as in PyTorch's own CIFAR-10 tutorial."""
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    for inputs, labels in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(inputs.to(DEVICE)), labels.to(DEVICE))
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize("name", ["small_cnn", "resnet8"])
def test_training(benchmark, name):
    dataset, x, y = examples()
    torch.manual_seed(0)
    network = build(name, 10, 3, 32).to(DEVICE)
    network.calibrate(x)
    plain = copy.deepcopy(network)
    precision = precision_of(DEVICE, "auto")
    recipe = Recipe(epochs=1.0, batch_size=BATCH, learning_rate=0.01, schedule="constant", precision=precision)
    order, augmentation = torch.Generator().manual_seed(0), torch.Generator(DEVICE).manual_seed(0)
    loaders = {
        workers: DataLoader(PilImages(x, y), BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0) for workers in (0, 2)
    }
    seconds: dict[str, list[float]] = {"ours": [], "0 workers": [], "2 workers": []}

    def ours() -> None:
        seconds["ours"].append(fit(network, x, y, recipe, order=order, augmentation=augmentation, device=DEVICE).seconds)

    def theirs() -> None:
        # Called between the rounds of ours, so that a machine that slows down slows all of them.
        for workers, loader in loaders.items():
            with Stopwatch(DEVICE) as stopwatch:
                tutorial_epoch(plain, loader)
            seconds[f"{workers} workers"].append(stopwatch.seconds)

    benchmark.pedantic(ours, setup=theirs, rounds=ROUNDS, warmup_rounds=1)
    # The first turn of each is the warm-up.
    medians = {who: float(np.median(turns[1:])) for who, turns in seconds.items() if turns[1:]}
    benchmark.extra_info.update({f"{who}, images per second": len(x) / median for who, median in medians.items()})
    for slow, fast in itertools.product(("0 workers", "2 workers"), ("ours",)):
        if slow in medians and fast in medians:
            benchmark.extra_info[f"times as fast as {slow}"] = medians[slow] / medians[fast]
    benchmark.extra_info.update(device=machine_class(DEVICE), network=name, dataset=dataset, precision=precision, batch=BATCH)
    losses = fit(network, x, y, recipe, order=order, augmentation=augmentation, device=DEVICE)
    assert losses.diverged_at is None
