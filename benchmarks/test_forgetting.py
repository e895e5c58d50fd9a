"""Cost of counting forgetting events in a training step, compared with a per-example implementation in Python.

The Python implementation follows Algorithm 1 literally: for each example of the minibatch it copies the logits to the host, finds the best
other class, and appends to lists of the example. Both observe training runs of the same network. "percent of a step" is the additional
time relative to an epoch without counting; the three are interleaved.
"""

import itertools
import statistics
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from myths.forgetting.counter import ForgettingCounter
from myths.lab.measurement.device import machine_class, precision_of, select_device
from myths.lab.measurement.timing import Stopwatch
from myths.lab.vision.networks import build
from myths.lab.vision.training import Batch, Hooks, TrainConfig, fit

DEVICE = select_device("auto")
BATCH = 128
GPU = DEVICE != "cpu"
EXAMPLES = {"resnet18": 25_600 if GPU else 256, "mnist_cnn": 60_000 if GPU else 12_800}
ROUNDS = 5


class PerExample:
    """Forgetting statistics as one Python list of presentations per example."""

    def __init__(self, n: int):
        self.right: defaultdict[int, list[bool]] = defaultdict(list)
        self.margins: defaultdict[int, list[float]] = defaultdict(list)

    def observe(self, batch: Batch) -> None:
        """Append the presentations of a minibatch."""
        right = batch.logits.argmax(1) == batch.labels
        for j, index in enumerate(batch.indices.tolist()):
            label = int(batch.labels[j])
            ranked, _ = torch.sort(batch.logits[j])
            other = ranked[-2] if right[j] else ranked[-1]
            self.right[index].append(bool(right[j]))
            self.margins[index].append(batch.logits[j, label].item() - other.item())

    def counts(self) -> list[int]:
        """Return the number of forgetting events; for an example that was never learned, the number of presentations."""
        return [sum(a and not b for a, b in itertools.pairwise(r)) if any(r) else len(r) for _, r in sorted(self.right.items())]


def observed_epoch(name: str) -> Callable[[Callable[[Batch], None] | None], float]:
    """Return a function that trains one epoch on noise of the shape of CIFAR-10 or MNIST with an observer, and returns its seconds."""
    n, shape = EXAMPLES[name], (1, 28, 28) if name == "mnist_cnn" else (3, 32, 32)
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (n, *shape), generator=generator).to(torch.uint8).to(DEVICE)
    y = torch.randint(0, 10, (n,), generator=generator).to(DEVICE)
    torch.manual_seed(0)
    network = build(name, 10, shape[0], shape[1]).to(DEVICE)
    network.calibrate(x)
    settings = TrainConfig(epochs=1, batch_size=BATCH, learning_rate=0.01, schedule="constant", precision=precision_of(DEVICE, "auto"))

    def epoch(on_batch: Callable[[Batch], None] | None, recorded: bool = True) -> float:
        """``recorded`` is False for observers that wait for the device, which a CUDA graph cannot contain."""
        config = replace(settings, cuda_graphs=recorded)
        order, augmentation = torch.Generator().manual_seed(0), torch.Generator(DEVICE).manual_seed(0)
        return fit(network, x, y, config, order=order, augmentation=augmentation, device=DEVICE, hooks=Hooks(on_batch=on_batch)).seconds

    return epoch


@pytest.mark.parametrize("name", EXAMPLES)
def test_counting(benchmark, name):
    epoch = observed_epoch(name)
    counter, listed = ForgettingCounter(EXAMPLES[name], DEVICE), PerExample(EXAMPLES[name])
    observers = {"nothing": None, "counting": counter.observe, "per example": listed.observe}
    seconds = defaultdict(list)

    def one_round() -> None:
        with Stopwatch(DEVICE):
            for which, observer in observers.items():
                seconds[which].append(epoch(observer, recorded=which != "per example"))

    benchmark.group = f"three epochs of {name}, {EXAMPLES[name]} images, {machine_class(DEVICE)}"
    benchmark.pedantic(one_round, rounds=ROUNDS, warmup_rounds=1)
    bare = statistics.median(seconds["nothing"])
    share = {
        f"{which}, percent of a step": 100 * statistics.median(b / a - 1 for a, b in zip(seconds["nothing"], seconds[which], strict=True))
        for which in ("counting", "per example")
    }
    benchmark.extra_info.update(device=machine_class(DEVICE), batch=BATCH, **{"images per second": EXAMPLES[name] / bare}, **share)
    assert counter.n_presentations.min() == len(seconds["counting"])


@pytest.mark.parametrize("kind", ["counting", "per example"])
def test_observe_alone(benchmark, kind):
    """Measure one call on a fixed minibatch, without the noise of a training step."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(BATCH, 10, generator=generator).to(DEVICE)
    labels = torch.randint(0, 10, (BATCH,), generator=generator).to(DEVICE)
    batch = Batch(torch.arange(BATCH, device=DEVICE), torch.zeros(BATCH, 1, 1, 1, device=DEVICE), labels, logits, logits[:, 0])
    observer = ForgettingCounter(BATCH, DEVICE) if kind == "counting" else PerExample(BATCH)

    def observe() -> None:
        with Stopwatch(DEVICE):
            observer.observe(batch)

    benchmark.group = f"observing a minibatch of {BATCH}, {machine_class(DEVICE)}"
    benchmark.pedantic(observe, rounds=50, warmup_rounds=3)


def test_both_count_the_same():
    epoch = observed_epoch("mnist_cnn") if not GPU else observed_epoch("resnet18")
    n = EXAMPLES["mnist_cnn" if not GPU else "resnet18"]
    counter, listed = ForgettingCounter(n, DEVICE), PerExample(n)

    def both(batch: Batch) -> None:
        counter.observe(batch)
        listed.observe(batch)

    for _ in range(3):
        epoch(both, recorded=False)
    assert counter.counts().tolist() == listed.counts()
