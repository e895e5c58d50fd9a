"""Counting forgetting events: its cost in a training step, and the experiment versus the authors' loop over examples."""

from __future__ import annotations

import itertools
import statistics
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from gpu_stages.pil_images import PilImages
from gpu_stages.stage import Goal, Run, stage
from gpu_stages.trainings import noise
from myths.forgetting.counter import ForgettingCounter
from myths.lab.measurement.device import precision_of
from myths.lab.measurement.timing import Stopwatch
from myths.lab.vision.networks import build
from myths.lab.vision.training import Batch, Hooks, TrainConfig, fit

BATCH = 128


class PerExample:
    """Forgetting statistics as Python lists of presentations per example (Toneva et al. 2019, Alg. 1, literally)."""

    def __init__(self, n: int):
        self.correct: defaultdict[int, list[bool]] = defaultdict(list)
        self.margins: defaultdict[int, list[float]] = defaultdict(list)
        self.losses: defaultdict[int, list[float]] = defaultdict(list)

    def observe(self, batch: Batch) -> None:
        """Append the presentations of a minibatch, with the copies to the host of the authors' loop."""
        self.append(batch.indices.tolist(), batch.logits, batch.labels, batch.losses)

    def append(self, indices: list[int], logits: Tensor, labels: Tensor, losses: Tensor) -> None:
        """Append presentations of examples, one by one."""
        correct = logits.argmax(1) == labels
        for j, index in enumerate(indices):
            ranked, _ = torch.sort(logits[j])
            other = ranked[-2] if correct[j] else ranked[-1]
            self.losses[index].append(losses[j].item())
            self.correct[index].append(bool(correct[j].item()))
            self.margins[index].append(logits[j, labels[j].item()].item() - other.item())

    def counts(self) -> list[int]:
        """Return the number of forgetting events; for an example that was never learned, the number of presentations."""
        pairs = {index: list(itertools.pairwise(seen)) for index, seen in self.correct.items()}
        return [sum(a and not b for a, b in pairs[i]) if any(seen) else len(seen) for i, seen in sorted(self.correct.items())]


def observed_epoch(name: str, n: int, device: str) -> Callable[..., float]:
    """Return a function that trains one epoch on ``n`` images with an observer of minibatches, and returns its seconds without recording.

    Its argument ``recorded`` is False for observers that wait for the device, which a CUDA graph cannot contain.
    """
    x, y = noise(n, device)
    if name == "mnist_cnn":
        x = x[:, :1, :28, :28].contiguous()
    torch.manual_seed(0)
    network = build(name, 10, x.shape[1], x.shape[-1]).to(device)
    network.calibrate(x)
    settings = TrainConfig(epochs=1, batch_size=BATCH, learning_rate=0.01, schedule="constant", precision=precision_of(device, "auto"))

    def epoch(on_batch: Callable[[Batch], None] | None, recorded: bool = True) -> float:
        order, augmentation = torch.Generator().manual_seed(0), torch.Generator(device).manual_seed(0)
        config, hooks = replace(settings, cuda_graphs=recorded), Hooks(on_batch=on_batch)
        done = fit(network, x, y, config, order=order, augmentation=augmentation, device=device, hooks=hooks)
        return done.seconds - done.recording_seconds

    return epoch


def authors_epoch(network: nn.Module, n: int, device: str) -> float:
    """Train one epoch as the authors' code does, and return its seconds.

    Images are transformed one by one as PIL images in the main process, the forward pass is in float32, and the statistics of each example
    are computed and copied to the host one by one.
    """
    images, listed = PilImages(*noise(n, "cpu")), PerExample(n)
    optimizer = torch.optim.SGD(network.train().parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    permutation = torch.randperm(n, generator=torch.Generator().manual_seed(0)).tolist()
    with Stopwatch(device) as watch:
        for first in range(0, n, BATCH):
            chosen = permutation[first : first + BATCH]
            inputs = torch.stack([images[i][0] for i in chosen]).to(device)
            labels = torch.tensor([images.labels[i] for i in chosen]).to(device)
            optimizer.zero_grad()
            logits = network(inputs)
            losses = nn.functional.cross_entropy(logits, labels, reduction="none")
            listed.append(chosen, logits.detach(), labels, losses.detach())
            losses.mean().backward()
            optimizer.step()
    return watch.seconds


@stage(
    "forgetting",
    seconds=25,
    answers="what does counting forgetting events cost, and how much faster is the experiment than the authors' loop?",
    goals=[
        Goal("forgetting-counting", "counting forgetting events, ResNet-18, batches of 128, percent of a step", "≤", 1, "no counting"),
        Goal("forgetting-experiment", "ResNet-18 with counting, examples per second", "≥", 20, "the authors' loop re-enacted"),
    ],
)
def measure_forgetting(run: Run) -> None:
    """Time epochs without and with counting, interleaved, and one epoch of the authors' loop on fewer images."""
    name = run.pick("resnet18", "resnet8")
    n, few = run.pick((25_600, 1280) if run.gpu else (256, 128), (256, 128))
    epoch, counter = observed_epoch(name, n, run.device), ForgettingCounter(n, run.device)
    observers = {"nothing": None, "counting": counter.observe}
    seconds: dict[str, list[float]] = defaultdict(list)
    for repeat in range(run.pick(6, 2)):
        for which, observer in observers.items():
            taken = epoch(observer)
            if repeat:  # the first epoch compiles and allocates
                seconds[which].append(taken)
    for which, values in seconds.items():
        run.row(loop="suite", observes=which, examples_per_second=n / statistics.median(values))
    more = [100 * (b / a - 1) for a, b in zip(seconds["nothing"], seconds["counting"], strict=True)]
    run.row(loop="suite", observes="counting", percent_of_a_step=statistics.median(more))
    run.reach("forgetting-counting", statistics.median(more))
    torch.manual_seed(0)
    again = partial(authors_epoch, build(name, 10, 3, 32).to(run.device), few, run.device)
    again()
    theirs = few / again()
    run.row(loop="the authors'", observes="per example", examples_per_second=theirs)
    run.reach("forgetting-experiment", n / statistics.median(seconds["counting"]) / theirs)
