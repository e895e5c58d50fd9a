"""Training loop and prediction for image classifiers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from myths.lab.measurement.device import CHANNELS, Precision, autocast, halve_on_out_of_memory
from myths.lab.measurement.memory import keep_freed_memory
from myths.lab.measurement.timing import Stopwatch
from myths.lab.step_recorder import StepRecorder, set_learning_rate
from myths.lab.trial import Context
from myths.lab.vision.augmentation import AlternatingFlips, Augmentation, PaddingMode, augment
from myths.lab.vision.memory_format import place
from myths.lab.vision.muon import make_muon
from myths.lab.vision.networks import channel_statistics

Optimizer = Literal["sgd", "adamw", "muon"]
Schedule = Literal["one-cycle", "step", "constant", "linear"]
Views = Literal["single", "six"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Training hyperparameters: everything except the network, the data and the seed.

    Attributes:
        epochs: Number of epochs; may be fractional.
        batch_size: Images per minibatch.
        optimizer: "sgd", "adamw" or "muon" (``muon.make_muon``, which also says what the rates mean).
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
        cuda_graphs: Whether steps are recorded as CUDA graphs on a GPU.
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
    cuda_graphs: bool = True


@dataclass(frozen=True)
class Batch:
    """One minibatch after the forward pass and before the update, detached from the graph.

    ``indices`` are positions in the training set, ``inputs`` augmented pixel values in 0..1. With mixup, the labels are those of the
    unshuffled images.
    """

    indices: Int64[Tensor, " b"]
    inputs: Float[Tensor, "b c h w"]
    labels: Int64[Tensor, " b"]
    logits: Float[Tensor, "b classes"]
    losses: Float[Tensor, " b"]


@dataclass(frozen=True)
class Hooks:
    """Functions that a training run calls at every step.

    On a GPU, steps are recorded and replayed (``StepRecorder``). What is recorded consists of operations on tensors that exist before the
    training run, waits for nothing on the device and keeps none of its arguments.

    Attributes:
        perturb: Returns the inputs of the forward pass for augmented images and their labels; recorded. Its gradients are not used.
        on_batch: Observes each minibatch before the update; recorded.
        before_update: Called on the host with the number of the step, after the forward pass and before the update. Not recorded: it may
            read the network and wait for the device.
        generators: Generators that the recorded functions draw from.
    """

    perturb: Callable[[Tensor, Tensor], Tensor] | None = None
    on_batch: Callable[[Batch], None] | None = None
    before_update: Callable[[int], None] | None = None
    generators: Sequence[torch.Generator] = ()


@dataclass(frozen=True)
class TrainResult:
    """Result of a training run: updates, wall-clock seconds, examples seen, mean loss of the last epoch.

    ``diverged_at`` is the first step with a non-finite loss, or None. ``losses`` are the mean losses of all minibatches, on the CPU.
    ``recording_seconds`` is the part of ``seconds`` in which steps were recorded as CUDA graphs.
    """

    steps: int
    seconds: float
    examples: int
    loss: float
    diverged_at: int | None
    losses: Float[Tensor, " steps"]
    recording_seconds: float


def fit(
    network: nn.Module,
    x_train: UInt8[Tensor, "n c h w"],
    y_train: Int64[Tensor, " n"],
    config: TrainConfig,
    *,
    order: torch.Generator,
    augmentation: torch.Generator,
    device: str,
    hooks: Hooks = Hooks(),
    optimizer: torch.optim.Optimizer | None = None,
) -> TrainResult:
    """Train a network in place.

    Each epoch visits every example once. The dataset is moved to the device as uint8 and must fit into its memory. The host waits for the
    device once per epoch, or at every ``check_interval``.

    Args:
        network: Maps pixel values in 0..1 to logits.
        x_train: Training images with values 0 to 255.
        y_train: Labels.
        config: Hyperparameters.
        order: Generator of the example order.
        augmentation: Generator of augmentation and mixup.
        device: Device as named by torch.
        hooks: Called at every step; their time is included in the measured seconds.
        optimizer: Replaces the optimizer of ``config``, for example for learning rates per parameter.
    """
    if device == "cpu":
        keep_freed_memory()
    memory_format = place(network.train(), device)
    recorder = StepRecorder(device, wanted=config.cuda_graphs, generators=(augmentation, *hooks.generators))
    optimizer = optimizer or make_optimizer(network, config)
    recorder.adapt(optimizer)
    per_epoch = steps_per_epoch(len(x_train), config.batch_size)
    total = max(1, round(config.epochs * per_epoch))
    step = _Step(network, x_train.to(device), y_train.to(device), config, optimizer, hooks, augmentation, memory_format, total)
    steps = examples = start = 0
    with Stopwatch(device) as stopwatch, recorder.stream():
        for number, epoch, indices in _minibatches(len(x_train), config.batch_size, total, order, device):
            if number and number % (config.check_interval or per_epoch) == 0 and _first_non_finite(step.losses[:number]) is not None:
                break
            set_learning_rate(optimizer, lr_factor(config, number, total))
            (step.indices,) = recorder.fixed((indices,))
            if hooks.before_update is None:
                recorder.run(step.take, len(indices))
            else:
                recorder.run(step.differentiate, len(indices))
                hooks.before_update(number)
                recorder.run(step.update, len(indices))
            steps, examples, start = number + 1, examples + len(indices), epoch * per_epoch
    optimizer.zero_grad(set_to_none=True)
    losses = step.losses[:steps].cpu()
    loss = float(losses[start:].sum()) / (steps - start)
    return TrainResult(steps, stopwatch.seconds, examples, loss, _first_non_finite(losses), losses, recorder.seconds)


@dataclass(eq=False)
class _Step:
    """One step of a training run as operations on tensors at fixed addresses. ``indices`` are the examples of the minibatch."""

    network: nn.Module
    x: UInt8[Tensor, "n c h w"]
    y: Int64[Tensor, " n"]
    config: TrainConfig
    optimizer: torch.optim.Optimizer
    hooks: Hooks
    augmentation: torch.Generator
    memory_format: torch.memory_format
    total: int
    indices: Int64[Tensor, " b"] = field(init=False)

    def __post_init__(self) -> None:
        device = self.x.device
        self.device = str(device)
        self.fill = channel_statistics(self.x)[0]
        self.number = torch.zeros((), dtype=torch.int64, device=device)
        self.losses = torch.full((self.total,), math.nan, device=device)
        self.mixup = _Mixup(self.config, self.total, self.augmentation, device)
        self.per_epoch = steps_per_epoch(len(self.x), self.config.batch_size)
        alternating = self.config.augmentation == "shift-alternating-flip"
        self.flips = AlternatingFlips(len(self.x), self.augmentation, self.x) if alternating else None

    def take(self) -> None:
        """Compute the gradients and update the network."""
        self.differentiate()
        self.update()

    def differentiate(self) -> None:
        """Augment the images, and compute loss and gradients."""
        config, perturb, labels = self.config, self.hooks.perturb, self.y[self.indices]
        self.optimizer.zero_grad(set_to_none=True)
        mirrored = None if self.flips is None else self.flips.of(self.indices, self.number // self.per_epoch)
        inputs = augment(self.x[self.indices], config.augmentation, config.padding_mode, self.fill, self.augmentation, mirrored)
        inputs = self.mixup.mixed(self.number, inputs.contiguous(memory_format=self.memory_format))
        if perturb is not None:
            inputs = perturb(inputs, labels)
        with autocast(self.device, config.precision):
            logits = self.network(inputs)
        logits = logits.float()
        losses = self.mixup.losses(self.number, logits, labels)
        loss = losses.mean()
        self.losses.index_copy_(0, self.number[None], loss.detach()[None])
        if self.hooks.on_batch is not None:
            self.hooks.on_batch(Batch(self.indices, inputs, labels, logits.detach(), losses.detach()))
        loss.backward()
        self.number += 1

    def update(self) -> None:
        """Update the network by its gradients."""
        self.optimizer.step()


def fit_seeded(
    context: Context,
    network: nn.Module,
    x_train: UInt8[Tensor, "n c h w"],
    y_train: Int64[Tensor, " n"],
    config: TrainConfig,
    hooks: Hooks = Hooks(),
) -> TrainResult:
    """Call ``fit`` with the random streams "order", "augment" and "dropout" of a trial, so that trials with equal seeds are paired."""
    order, augmentation = context.generator("order"), context.generator("augment", context.device)
    with context.seed_torch("dropout"):
        return fit(network, x_train, y_train, config, order=order, augmentation=augmentation, device=context.device, hooks=hooks)


def predict(
    network: nn.Module,
    x: UInt8[Tensor, "n c h w"],
    *,
    device: str,
    batch: int = 1000,
    precision: Precision = "fp32",
    views: Views = "single",
) -> Float[Tensor, "n classes"]:
    """Compute logits in evaluation mode.

    Args:
        network: Maps pixel values in 0..1 to logits.
        x: Images with values 0 to 255.
        device: Device as named by torch.
        batch: Images per batch; halved if memory runs out.
        precision: Numeric precision.
        views: "six" averages over views of each image (``average_views``).

    Returns:
        Logits in float32 on the CPU.
    """
    memory_format = place(network, device)
    was_training = network.training

    def work(piece: slice) -> Tensor:
        pixels = (x[piece].to(device).float() / 255).contiguous(memory_format=memory_format)
        return (network(pixels) if views == "single" else average_views(network, pixels)).float().cpu()

    network.eval()
    try:
        with torch.inference_mode(), autocast(device, precision):
            logits, _ = halve_on_out_of_memory(work, len(x), batch, elements=CHANNELS * x.shape[-2] * x.shape[-1])
    finally:
        network.train(was_training)
    return torch.cat(logits)


def average_views(network: Callable[[Tensor], Tensor], pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
    """Return the logits averaged over six views of each image: shifted by −1, 0 and 1 pixel along the diagonal, and their mirror images.

    The views that are not shifted have the weight of all others together (Jordan 2024).
    """
    height, width = pixels.shape[-2:]
    padded = F.pad(pixels, (1, 1, 1, 1), "reflect")
    shifted = [padded[:, :, i : i + height, i : i + width] for i in (0, 1, 2)]
    logits = [(network(view).float() + network(view.flip(-1)).float()) / 2 for view in shifted]
    return logits[1] / 2 + (logits[0] + logits[2]) / 4


def n_correct(logits: Float[Tensor, "n classes"], labels: Int64[Tensor, " n"]) -> int:
    """Return the number of correctly classified examples. Examples with non-finite logits count as misclassified."""
    return int(((logits.argmax(1) == labels.to(logits.device)) & logits.isfinite().all(1)).sum())


def accuracy(logits: Float[Tensor, "n classes"], labels: Int64[Tensor, " n"]) -> float:
    """Return the fraction of correctly classified examples, as ``n_correct`` counts them."""
    return n_correct(logits, labels) / len(labels)


def make_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Return SGD with momentum, AdamW or Muon over all trainable parameters."""
    if config.optimizer == "muon":
        rates = {"learning_rate": config.learning_rate, "momentum": config.momentum, "weight_decay": config.weight_decay}
        return make_muon(network, batch_size=config.batch_size, **rates)
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
    each step, so that no step has a learning rate of zero. "linear" falls from the maximum to zero.
    """
    if config.schedule == "constant":
        return 1.0
    if config.schedule == "linear":
        return 1 - step / total
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

    def __init__(self, config: TrainConfig, total: int, generator: torch.Generator, device: torch.device):
        self.smoothing, self.generator = config.label_smoothing, generator
        rng = np.random.default_rng(generator.initial_seed())
        self.shares = torch.from_numpy(rng.beta(config.mixup, config.mixup, total)).to(device) if config.mixup else None
        self.others: Tensor | None = None

    def mixed(self, number: Int64[Tensor, ""], inputs: Tensor) -> Tensor:
        """Return the inputs of a step, mixed with shuffled inputs."""
        if self.shares is None:
            return inputs
        self.others = torch.randperm(len(inputs), generator=self.generator, device=self.generator.device).to(inputs.device)
        share = self._share(self.shares, number)
        return share * inputs + (1 - share) * inputs[self.others]

    def losses(self, number: Int64[Tensor, ""], logits: Tensor, labels: Tensor) -> Tensor:
        """Return the losses of a step, in the proportion of its inputs."""
        losses = F.cross_entropy(logits, labels, label_smoothing=self.smoothing, reduction="none")
        if self.shares is None or self.others is None:
            return losses
        share, of_others = self._share(self.shares, number), labels[self.others]
        return share * losses + (1 - share) * F.cross_entropy(logits, of_others, label_smoothing=self.smoothing, reduction="none")

    @staticmethod
    def _share(shares: Tensor, number: Tensor) -> Tensor:
        # Indexing by a tensor without dimensions would copy it to the host. A share without dimensions keeps the precision of the inputs.
        return shares.index_select(0, number[None]).squeeze(0)


def _first_non_finite(losses: Float[Tensor, " steps"]) -> int | None:
    """Return the first step with a non-finite loss, or None. Waits for the device."""
    found = (~losses.isfinite()).nonzero()
    return int(found[0]) if len(found) else None
