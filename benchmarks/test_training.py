"""Training speed of the suite's loop versus the loop of the PyTorch tutorials: PIL images, torchvision, DataLoader, eager fp32.

Both train the same network with the same batch size and optimizer in one run. The suite's loop uses its default precision and memory
layout. The tutorial loop is measured with no worker and with two workers.
"""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from statistics import median

import pytest
import torch
from gpu_stages.pil_images import PilImages
from torch import nn
from torch.utils.data import DataLoader

from myths.lab.data import prepared
from myths.lab.data.images import image_set
from myths.lab.measurement.device import machine_class, precision_of, select_device
from myths.lab.measurement.timing import Stopwatch, compare_timings
from myths.lab.vision.networks import build
from myths.lab.vision.training import TrainConfig, fit

DEVICE = select_device("auto")
BATCH = 128
IMAGES = 1024 if DEVICE == "cpu" else 25_600
ROUNDS = 3


def examples() -> tuple[str, torch.Tensor, torch.Tensor]:
    """Return images of CIFAR-10 if it is available, else noise of the same shape, which trains at the same speed."""
    if prepared.find("cifar10") is not None:
        images = image_set("cifar10", "cpu")
        return "cifar10", images.x_train[:IMAGES], images.y_train[:IMAGES]
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (IMAGES, 3, 32, 32), generator=generator).to(torch.uint8)
    return "noise", x, torch.randint(0, 10, (IMAGES,), generator=generator)


def tutorial_epoch(network: nn.Module, loader: DataLoader) -> None:
    """Train one epoch as in PyTorch's CIFAR-10 tutorial."""
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    for inputs, labels in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(inputs.to(DEVICE)), labels.to(DEVICE))
        loss.backward()
        optimizer.step()


def suite_loop(network: nn.Module, x: torch.Tensor, y: torch.Tensor) -> Callable[[], object]:
    """Return a function that trains one epoch with the suite's loop."""
    config = TrainConfig(epochs=1, batch_size=BATCH, learning_rate=0.01, schedule="constant", precision=precision_of(DEVICE, "auto"))
    order, augmentation = torch.Generator().manual_seed(0), torch.Generator(DEVICE).manual_seed(0)
    return lambda: fit(network, x, y, config, order=order, augmentation=augmentation, device=DEVICE)


def tutorial_loop(network: nn.Module, x: torch.Tensor, y: torch.Tensor, workers: int) -> Callable[[], object]:
    """Return a function that trains one epoch with the tutorial loop."""
    loader = DataLoader(PilImages(x, y), BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    return lambda: tutorial_epoch(network, loader)


LOOPS = {
    "suite": suite_loop,
    "tutorial": partial(tutorial_loop, workers=0),
    "tutorial with 2 workers": partial(tutorial_loop, workers=2),
}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("name", ["small_cnn", "resnet8"])
def test_epoch(benchmark, name, loop):
    dataset, x, y = examples()
    torch.manual_seed(0)
    network = build(name, 10, 3, 32).to(DEVICE)
    network.calibrate(x)
    epoch = LOOPS[loop](network, x, y)
    benchmark.group = f"one epoch of {name} on {len(x)} images, {machine_class(DEVICE)}"

    def synchronized() -> None:
        with Stopwatch(DEVICE):
            epoch()

    benchmark.pedantic(synchronized, rounds=ROUNDS, warmup_rounds=1)
    benchmark.extra_info.update(device=machine_class(DEVICE), dataset=dataset, batch=BATCH)
    benchmark.extra_info["images per second"] = len(x) / benchmark.stats.stats.median
    assert all(parameter.isfinite().all() for parameter in network.parameters())


TRAINING_PROCESS = """
import torch
from myths.lab.measurement import memory
from myths.lab.vision import training
from myths.lab.vision.networks import build

torch.set_num_threads(1)
if not {keep}:
    training.keep_freed_memory = lambda: None
x, y = torch.zeros(3072, 3, 32, 32, dtype=torch.uint8), torch.zeros(3072, dtype=torch.int64)
config = training.TrainConfig(epochs=1, batch_size=256, precision={precision!r})
network = build("fast_narrow", 10, 3, 32)
generators = dict(order=torch.Generator(), augmentation=torch.Generator())
memory.reset_peak_memory("cpu")
seconds = [training.fit(network, x, y, config, **generators, device="cpu").seconds for _ in range(3)]
print(min(seconds), memory.peak_memory("cpu") / 2**20)
"""
"""Trains three short epochs in a process of its own, as the allocator belongs to the process; prints seconds and peak memory in MiB."""


@pytest.mark.skipif(DEVICE != "cpu" or sys.platform != "linux", reason="the allocator of glibc")
def test_kept_memory(benchmark):
    """Memory that is freed in a training step should not return to the system. ``extra_info`` holds the ratios of seconds and of memory."""

    def measure(keep: bool) -> tuple[float, float]:
        script = TRAINING_PROCESS.format(keep=keep, precision=precision_of(DEVICE, "auto"))
        seconds, peak = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
        return float(seconds), float(peak)

    pairs = [(measure(True), measure(False)) for _ in range(ROUNDS)]
    ratio, peak = (median(kept[i] / returned[i] for kept, returned in pairs) for i in (0, 1))
    benchmark.group = "a training step with kept and with returned memory"
    benchmark.extra_info |= {"ratio of seconds": ratio, "ratio of peak memory": peak, "torch": torch.__version__}
    benchmark.pedantic(partial(measure, True), rounds=1)
    print(f"\nkept memory: {ratio:.2f} times the seconds, {peak:.2f} times the peak memory")


@pytest.mark.parametrize("name", ["fast_narrow", "resnet20"])
def test_bf16_versus_fp32(benchmark, name):
    """The precision that "auto" selects must not be the slower one. ``extra_info`` holds the seconds of fp32 divided by those of bf16."""
    _, x, y = examples()

    def train(precision):
        torch.manual_seed(0)
        network = build(name, 10, 3, 32)
        config = TrainConfig(epochs=1, batch_size=BATCH, learning_rate=0.01, schedule="constant", precision=precision)
        order, augmentation = torch.Generator().manual_seed(0), torch.Generator(DEVICE).manual_seed(0)
        fit(network, x, y, config, order=order, augmentation=augmentation, device=DEVICE)

    found = compare_timings({p: partial(train, p) for p in ("fp32", "bf16")}, DEVICE, repeats=ROUNDS, warmup=1, budget_seconds=120.0)
    ratio, selected = found.ratio("fp32", "bf16"), precision_of(DEVICE, "auto")
    benchmark.group = f"bf16 versus fp32, {name}"
    benchmark.extra_info |= {"ratio": ratio, "selected": selected, "torch": torch.__version__, "device": DEVICE}
    benchmark.pedantic(partial(train, selected), rounds=1)
    print(f"\n{name}: fp32 takes {ratio:.2f} times the seconds of bf16; auto selects {selected}")
    assert selected == ("bf16" if ratio > 1 else "fp32") or 0.8 < ratio < 1.25
