"""Training loop and prediction for image classifiers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from myths.lab.measurement.device import CHANNELS, Precision, autocast, halve_on_out_of_memory
from myths.lab.measurement.timing import Stopwatch
from myths.lab.trial import Context
from myths.lab.vision.augmentation import Augmentation, PaddingMode, augment
from myths.lab.vision.memory_format import place
from myths.lab.vision.networks import channel_statistics

Optimizer = Literal["sgd", "adamw"]
Schedule = Literal["one-cycle", "step", "constant"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Training hyperparameters: everything except the network, the data and the seed.

    Attributes:
        epochs: Number of epochs; may be fractional.
        batch_size: Images per minibatch.
        optimizer: "sgd" or "adamw".
        learning_rate: Maximum learning rate of the schedule.
        schedule: Learning rate schedule.
        milestones: Fractions of the training run after which the "step" schedule multiplies the learning rate by ``decay``. The defaults
            are those of Toneva et al. 2019 and Zagoruyko & Komodakis 2016.
        decay: Factor of the "step" schedule.
        momentum: Momentum of SGD.
        nesterov: Whether SGD uses Nesterov momentum.
        weight_decay: Weight decay of all trained parameters.
        label_smoothing: Label smoothing of the cross-entropy.
        augmentation: Data augmentation.
        padding_mode: How random crops are padded.
        mixup: α of Zhang et al. 2018. Each minibatch is mixed with a shuffled copy of itself with a weight from Beta(α, α); 0 disables it.
        check_interval: Number of steps between checks for a non-finite loss, which ends training; 0 means one epoch.
        precision: Numeric precision.
        compile: Whether to use torch.compile.
    """

    epochs: float
    batch_size: int = 128
    optimizer: Optimizer = "sgd"
    learning_rate: float = 0.1
    schedule: Schedule = "one-cycle"
    milestones: tuple[float, ...] = (0.3, 0.6, 0.8)
    decay: float = 0.2
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    augmentation: Augmentation = "crop-flip"
    padding_mode: PaddingMode = "reflect"
    mixup: float = 0.0
    check_interval: int = 0
    precision: Precision = "fp32"
    compile: bool = False


@dataclass(frozen=True)
class Batch:
    """One minibatch after the forward pass and before the update, detached from the graph.

    ``indices`` are positions in the training set, ``inputs`` augmented pixel values in 0..1. With mixup, the labels are those of the
    unshuffled images.
    """

    step: int
    epoch: int
    indices: Int64[Tensor, " b"]
    inputs: Float[Tensor, "b c h w"]
    labels: Int64[Tensor, " b"]
    logits: Float[Tensor, "b classes"]
    losses: Float[Tensor, " b"]


@dataclass(frozen=True)
class TrainResult:
    """Result of a training run: updates, wall-clock seconds, examples seen, mean loss of the last epoch.

    ``diverged_at`` is the first step with a non-finite loss, or None.
    """

    steps: int
    seconds: float
    examples: int
    loss: float
    diverged_at: int | None


def fit(
    network: nn.Module,
    x_train: UInt8[Tensor, "n c h w"],
    y_train: Int64[Tensor, " n"],
    config: TrainConfig,
    *,
    order: torch.Generator,
    augmentation: torch.Generator,
    device: str,
    on_batch: Callable[[Batch], None] | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    forward: Callable[[Tensor], Tensor] | None = None,
) -> TrainResult:
    """Train a network in place.

    Each epoch visits every example once. The dataset is moved to the device as uint8 and must fit into its memory.

    Args:
        network: Maps pixel values in 0..1 to logits.
        x_train: Training images with values 0 to 255.
        y_train: Labels.
        config: Hyperparameters.
        order: Generator of the example order.
        augmentation: Generator of augmentation and mixup.
        device: Device as named by torch.
        on_batch: Called with every minibatch; its time is included in the measured seconds.
        optimizer: Replaces the optimizer of ``config``, for example for learning rates per parameter.
        forward: Replaces the call of the network, for example by a CUDA graph.
    """
    memory_format = place(network.train(), device)
    x_train, y_train = x_train.to(device), y_train.to(device)
    fill = channel_statistics(x_train)[0]
    forward = forward or (torch.compile(network) if config.compile else network)
    per_epoch = steps_per_epoch(len(x_train), config.batch_size)
    total = max(1, round(config.epochs * per_epoch))
    optimizer = optimizer or make_optimizer(network, config)
    mixup = _Mixup(config, total, augmentation)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: lr_factor(config, step, total))
    tracker, examples = _LossTracker(device), 0
    with Stopwatch(device) as stopwatch:
        for step, epoch, indices in _minibatches(len(x_train), config.batch_size, total, order, device):
            if step and step % (config.check_interval or per_epoch) == 0 and tracker.diverged_at() is not None:
                break
            inputs = augment(x_train[indices], config.augmentation, config.padding_mode, fill, augmentation)
            inputs = mixup.mixed(step, inputs.contiguous(memory_format=memory_format))
            labels = y_train[indices]
            with autocast(device, config.precision):
                logits = forward(inputs)
            logits = logits.float()
            losses = mixup.losses(step, logits, labels)
            loss = losses.mean()
            tracker.update(epoch, loss)
            if on_batch is not None:
                on_batch(Batch(step, epoch, indices, inputs, labels, logits.detach(), losses.detach()))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            scheduler.step()
            examples += len(indices)
    return TrainResult(tracker.steps, stopwatch.seconds, examples, tracker.loss(), tracker.diverged_at())


def fit_seeded(
    context: Context,
    network: nn.Module,
    x_train: UInt8[Tensor, "n c h w"],
    y_train: Int64[Tensor, " n"],
    config: TrainConfig,
    on_batch: Callable[[Batch], None] | None = None,
) -> TrainResult:
    """Call ``fit`` with the random streams "order", "augment" and "dropout" of a trial, so that trials with equal seeds are paired."""
    order, augmentation = context.generator("order"), context.generator("augment", context.device)
    with context.seed_torch("dropout"):
        return fit(network, x_train, y_train, config, order=order, augmentation=augmentation, device=context.device, on_batch=on_batch)


def predict(
    network: nn.Module,
    x: UInt8[Tensor, "n c h w"],
    *,
    device: str,
    batch: int = 1000,
    precision: Precision = "fp32",
) -> Float[Tensor, "n classes"]:
    """Compute logits in evaluation mode.

    Args:
        network: Maps pixel values in 0..1 to logits.
        x: Images with values 0 to 255.
        device: Device as named by torch.
        batch: Images per batch; halved if memory runs out.
        precision: Numeric precision.

    Returns:
        Logits in float32 on the CPU.
    """
    memory_format = place(network, device)
    was_training = network.training

    def work(piece: slice) -> Tensor:
        pixels = (x[piece].to(device).float() / 255).contiguous(memory_format=memory_format)
        return network(pixels).float().cpu()

    network.eval()
    try:
        with torch.inference_mode(), autocast(device, precision):
            logits, _ = halve_on_out_of_memory(work, len(x), batch, elements=CHANNELS * x.shape[-2] * x.shape[-1])
    finally:
        network.train(was_training)
    return torch.cat(logits)


def accuracy(logits: Float[Tensor, "n classes"], labels: Int64[Tensor, " n"]) -> float:
    """Return the fraction of correctly classified examples. Examples with non-finite logits count as misclassified."""
    right = (logits.argmax(1) == labels.to(logits.device)) & logits.isfinite().all(1)
    return float(right.double().mean())


def make_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Return SGD with momentum or AdamW over all trainable parameters."""
    trained = [p for p in network.parameters() if p.requires_grad]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(trained, config.learning_rate, weight_decay=config.weight_decay, fused=True)
    return torch.optim.SGD(
        trained,
        config.learning_rate,
        momentum=config.momentum,
        nesterov=config.nesterov and config.momentum > 0,
        weight_decay=config.weight_decay,
        fused=True,
    )


def lr_factor(config: TrainConfig, step: int, total: int) -> float:
    """Return the learning rate at ``step`` of ``total`` updates as a fraction of the maximum.

    "one-cycle" rises linearly during the first quarter and then falls linearly (Smith & Topin 2018). It is evaluated at the middle of
    each step, so that no step has a learning rate of zero.
    """
    if config.schedule == "constant":
        return 1.0
    if config.schedule == "step":
        return config.decay ** sum(step >= round(m * total) for m in config.milestones)
    share = (step + 0.5) / total
    return max(0.0, min(share / 0.25, (1 - share) / 0.75))


def steps_per_epoch(n: int, size: int) -> int:
    """Return the number of updates per epoch of ``n`` examples with minibatches of ``size``."""
    return len(_bounds(n, size))


def _minibatches(n: int, size: int, total: int, order: torch.Generator, device: str) -> Iterator[tuple[int, int, Tensor]]:
    bounds = _bounds(n, size)
    for epoch in range(math.ceil(total / len(bounds))):
        permutation = torch.randperm(n, generator=order, device=order.device).to(device)
        for i, (first, last) in enumerate(bounds[: total - epoch * len(bounds)]):
            yield epoch * len(bounds) + i, epoch, permutation[first:last]


def _bounds(n: int, size: int) -> list[tuple[int, int]]:
    # A last batch of one example has no variance for batch normalization, so it is merged with the previous one.
    starts = range(0, max(1, n - 1), size)
    return [(start, n if start == starts[-1] else start + size) for start in starts]


class _Mixup:
    """Mixup (Zhang et al. 2018) of inputs and losses; does nothing if it is disabled."""

    def __init__(self, config: TrainConfig, total: int, generator: torch.Generator):
        self.smoothing, self.generator = config.label_smoothing, generator
        rng = np.random.default_rng(generator.initial_seed())
        self.shares = rng.beta(config.mixup, config.mixup, total) if config.mixup else None
        self.others: Tensor | None = None

    def mixed(self, step: int, inputs: Tensor) -> Tensor:
        if self.shares is None:
            return inputs
        self.others = torch.randperm(len(inputs), generator=self.generator, device=self.generator.device).to(inputs.device)
        share = float(self.shares[step])
        return share * inputs + (1 - share) * inputs[self.others]

    def losses(self, step: int, logits: Tensor, labels: Tensor) -> Tensor:
        losses = F.cross_entropy(logits, labels, label_smoothing=self.smoothing, reduction="none")
        if self.shares is None or self.others is None:
            return losses
        share, of_others = float(self.shares[step]), labels[self.others]
        return share * losses + (1 - share) * F.cross_entropy(logits, of_others, label_smoothing=self.smoothing, reduction="none")


class _LossTracker:
    """Track the mean loss of the current epoch and the first non-finite step without synchronizing the device at every step."""

    def __init__(self, device: str):
        self.steps = 0
        self._epoch = 0
        self._sum = torch.zeros((), device=device)
        self._count = 0
        self._first_bad = torch.full((), -1, dtype=torch.int64, device=device)

    def update(self, epoch: int, loss: Tensor) -> None:
        if epoch != self._epoch:
            self._epoch, self._count = epoch, 0
            self._sum.zero_()
        loss = loss.detach()
        self._sum += loss
        self._first_bad = torch.where((self._first_bad < 0) & ~loss.isfinite(), self.steps, self._first_bad)
        self.steps += 1
        self._count += 1

    def loss(self) -> float:
        return float(self._sum) / self._count

    def diverged_at(self) -> int | None:
        step = int(self._first_bad)
        return None if step < 0 else step
