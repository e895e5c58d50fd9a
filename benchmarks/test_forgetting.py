"""Cost of counting forgetting events in a training step, compared with a per-example implementation in Python.

The Python implementation follows Algorithm 1 literally: for each example of the minibatch it copies the logits to the host, finds the best
other class, and appends to lists of the example. Both observe training runs of the same network. "percent of a step" is the additional
time relative to an epoch without counting; the three are interleaved.
"""

import statistics
from collections import defaultdict

import pytest
import torch
from gpu_stages.forgetting import PerExample, observed_epoch

from myths.forgetting.counter import ForgettingCounter
from myths.lab.measurement.device import machine_class, select_device
from myths.lab.measurement.timing import Stopwatch
from myths.lab.vision.training import Batch

DEVICE = select_device("auto")
BATCH = 128
GPU = DEVICE != "cpu"
EXAMPLES = {"resnet18": 25_600 if GPU else 256, "mnist_cnn": 60_000 if GPU else 12_800}
ROUNDS = 5


@pytest.mark.parametrize("name", EXAMPLES)
def test_counting(benchmark, name):
    epoch = observed_epoch(name, EXAMPLES[name], DEVICE)
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
    name = "resnet18" if GPU else "mnist_cnn"
    n = EXAMPLES[name]
    epoch = observed_epoch(name, n, DEVICE)
    counter, listed = ForgettingCounter(n, DEVICE), PerExample(n)

    def both(batch: Batch) -> None:
        counter.observe(batch)
        listed.observe(batch)

    for _ in range(3):
        epoch(both, recorded=False)
    assert counter.counts().tolist() == listed.counts()
