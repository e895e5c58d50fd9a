"""Training loop for sequence models: length-bucketed batches, label smoothing, warm-up."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from myths.lab.language.parallel_corpus import Bucket, Pairs
from myths.lab.language.transformer import EncoderDecoder
from myths.lab.language.vocabulary import PAD
from myths.lab.measurement.device import Precision, autocast
from myths.lab.measurement.memory import keep_freed_memory
from myths.lab.measurement.timing import Stopwatch
from myths.lab.step_recorder import StepRecorder, set_learning_rate

Schedule = Literal["inverse-sqrt", "linear"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Training hyperparameters: everything except the model, the data and the seed.

    The optimizer is Adam with β = (0.9, 0.98) and decoupled weight decay, as in fairseq. The learning rate rises linearly to
    ``learning_rate`` during ``warmup`` updates. Then "inverse-sqrt" decays it with the inverse square root of the update (Vaswani et al.
    2017, Sec. 5.3; the IWSLT recipe of Wu et al. 2019), and "linear" decays it to zero at the last update, which suits short training
    runs. ``batch_tokens`` bounds the number of sequences per batch times the longest one.
    """

    updates: int
    batch_tokens: int = 4000
    learning_rate: float = 5e-4
    warmup: int = 4000
    schedule: Schedule = "inverse-sqrt"
    label_smoothing: float = 0.1
    weight_decay: float = 1e-4
    clip: float = 0.0
    """Maximum gradient norm; 0 disables clipping."""
    precision: Precision = "fp32"
    cuda_graphs: bool = True
    """Whether updates are recorded as CUDA graphs on a GPU."""


@dataclass(frozen=True)
class TrainResult:
    """Result of a training run: updates, wall-clock seconds, target tokens, mean label-smoothed loss of the last 50 updates in nats.

    ``diverged_at`` is the first update with a non-finite loss, or None. Training ends within 50 updates after it.
    """

    updates: int
    seconds: float
    tokens: int
    loss: float
    diverged_at: int | None


@dataclass(frozen=True)
class Prediction:
    """Logits of a minibatch and the target tokens; PAD targets are ignored."""

    logits: Float[Tensor, "*b v"]
    targets: Int64[Tensor, "*b"]


BATCH_TOKENS = 8000
"""Tokens per batch when the cross-entropy is evaluated."""
CHECK_INTERVAL = 50
"""Updates between checks of the loss, which synchronize the device."""


def fit(
    model: nn.Module,
    predict: Callable[..., Prediction],
    batches: Iterator[tuple[Tensor, ...]],
    config: TrainConfig,
    *,
    device: str,
) -> TrainResult:
    """Train a model in place.

    On a GPU, an update is recorded as a CUDA graph for each shape of minibatches (``StepRecorder``); ``predict`` must not wait for the
    device.

    Args:
        model: The model.
        predict: Applies the model to the tensors of a minibatch.
        batches: Yields the tensors of minibatches, on the device.
        config: Hyperparameters.
        device: Device as named by torch.
    """
    if device == "cpu":
        keep_freed_memory()
    model.to(torch.device(device)).train()
    recorder = StepRecorder(device, wanted=config.cuda_graphs)
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, betas=(0.9, 0.98), eps=1e-9, weight_decay=config.weight_decay, fused=True
    )
    recorder.adapt(optimizer)
    step = _Step(model, predict, config, optimizer, device)
    diverged_at, recent = None, math.nan
    with Stopwatch(device) as stopwatch, recorder.stream():
        for update in range(config.updates):
            step.inputs = recorder.fixed(next(batches))
            set_learning_rate(optimizer, lr_factor(config, update))
            recorder.run(step.take, tuple(tensor.shape for tensor in step.inputs))
            number = update % CHECK_INTERVAL + 1
            if number == CHECK_INTERVAL or update + 1 == config.updates:
                values = step.losses[:number]
                recent = float(values.mean())
                bad = (~values.isfinite()).nonzero()
                if len(bad):
                    diverged_at = update + 1 - number + int(bad[0])
                    break
    optimizer.zero_grad(set_to_none=True)
    return TrainResult(update + 1, stopwatch.seconds, int(step.tokens), recent, diverged_at)


@dataclass(eq=False)
class _Step:
    """One update as operations on tensors at fixed addresses. ``inputs`` are the tensors of the minibatch."""

    model: nn.Module
    predict: Callable[..., Prediction]
    config: TrainConfig
    optimizer: torch.optim.Optimizer
    device: str
    inputs: tuple[Tensor, ...] = ()

    def __post_init__(self) -> None:
        self.updates, self.tokens = (torch.zeros((), dtype=torch.int64, device=self.device) for _ in range(2))
        self.losses = torch.zeros(CHECK_INTERVAL, device=self.device)

    def take(self) -> None:
        """Compute loss and gradients, and update the model."""
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.device, self.config.precision):
            prediction = self.predict(*self.inputs)
        loss = label_smoothed_loss(prediction, self.config.label_smoothing)
        loss.backward()
        if self.config.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.optimizer.step()
        # The last CHECK_INTERVAL losses, the latest at the place of its update.
        self.losses.index_copy_(0, self.updates[None] % CHECK_INTERVAL, loss.detach()[None].to(self.losses.dtype))
        self.updates += 1
        self.tokens += (prediction.targets != PAD).sum()


def move_batches(batches: Iterator[tuple[Tensor, ...]], device: str) -> Iterator[tuple[Tensor, ...]]:
    """Move minibatches of equal shapes to a device, many at a time, because the host waits for the device at every copy."""
    while block := list(itertools.islice(batches, CHECK_INTERVAL)):
        yield from zip(*(torch.stack(parts).to(device) for parts in zip(*block, strict=True)), strict=True)


def label_smoothed_loss(prediction: Prediction, smoothing: float) -> Float[Tensor, ""]:
    """Return the mean label-smoothed cross-entropy in nats over non-PAD targets, accumulated in float32 or better."""
    logits, targets = prediction.logits.flatten(0, -2), prediction.targets.flatten()
    return _LabelSmoothedLoss.apply(logits, targets, smoothing)


class _LabelSmoothedLoss(torch.autograd.Function):
    """Label-smoothed cross-entropy, twice as fast as ``F.cross_entropy`` on a CPU, where it dominates the time of small models."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        highest = logits.amax(-1, keepdim=True)
        # Accumulate in float32: in bf16, log Z would have an error of 3 %.
        z = (logits - highest).exp_().sum(-1, dtype=_summed(logits))
        log_z = z.log() + highest[:, 0]
        chosen = logits.gather(1, targets[:, None])[:, 0]
        asked = (targets != PAD).to(z.dtype)
        count = asked.sum().clamp_min(1)
        ctx.save_for_backward(logits, targets, highest, z, asked / count)
        ctx.smoothing = smoothing
        mean = logits.mean(-1, dtype=z.dtype) if smoothing else 0.0
        return ((log_z - (1 - smoothing) * chosen - smoothing * mean) * asked).sum() / count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        logits, targets, highest, z, weights = ctx.saved_tensors
        slope = logits.sub(highest).exp_()
        slope -= (ctx.smoothing / logits.shape[1] * z).to(slope.dtype)[:, None]
        slope.scatter_add_(1, targets[:, None], ((ctx.smoothing - 1) * z).to(slope.dtype)[:, None])
        return slope.mul_((weights * gradient / z).to(slope.dtype)[:, None]), None, None


def _summed(logits: Tensor) -> torch.dtype:
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


def lr_factor(config: TrainConfig, update: int) -> float:
    """Return the learning rate at ``update`` (counted from 0) as a fraction of the maximum."""
    step = update + 1
    if step <= config.warmup:
        return step / config.warmup
    if config.schedule == "inverse-sqrt":
        return math.sqrt(max(1, config.warmup) / step)
    return max(0.0, (config.updates - update) / max(1, config.updates - config.warmup))


# --- translation ------------------------------------------------------------------------------------


def translation_batches(pairs: Pairs, batch_tokens: int, order: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield endless minibatches (source, target) of similar length. Each epoch visits every pair once, in random order."""
    while True:
        yield from (pairs.batch(bucket) for bucket in length_buckets(pairs, batch_tokens, order))


def predict_pairs(model: EncoderDecoder, source: Int64[Tensor, "b n"], target: Int64[Tensor, "b m"]) -> Prediction:
    """Return the logits of each target token after BOS, given the previous tokens."""
    return Prediction(model(source, source != PAD, target[:, :-1]), target[:, 1:])


def length_buckets(pairs: Pairs, batch_tokens: int, order: torch.Generator | None) -> list[Bucket]:
    """Divide pairs into minibatches of similar length; batch size × longest sequence is at most ``batch_tokens``.

    Args:
        pairs: Sentence pairs.
        batch_tokens: Maximum number of tokens per batch. A longer pair forms its own batch.
        order: Generator that shuffles ties and batches. Default: batches from the shortest to the longest pairs.
    """
    source, target = pairs.source_lengths.cpu(), pairs.target_lengths.cpu()
    longer = torch.maximum(source, target)
    mixed = torch.arange(len(pairs)) if order is None else torch.randperm(len(pairs), generator=order)
    # Sort by target length as well, which reduces padding.
    key = longer * (int(target.max()) + 1) + target
    sorted_pairs = mixed[torch.argsort(key[mixed], stable=True)]
    lengths = longer[sorted_pairs].tolist()
    ends, end = [], len(lengths)
    while end > 0:  # from the longest pairs down: the last pair of a slice is its longest
        ends.append(end)
        end = max(0, end - max(1, batch_tokens // lengths[end - 1]))
    starts = [*ends[1:], 0]
    where = range(len(starts)) if order is None else torch.randperm(len(starts), generator=order).tolist()
    slices = [slice(starts[-1 - i], ends[-1 - i]) for i in where]
    source, target, on_device = source[sorted_pairs], target[sorted_pairs], sorted_pairs.to(pairs.source.device)
    return [Bucket(on_device[part], int(source[part].max()), int(target[part].max())) for part in slices]


def cross_entropy(model: EncoderDecoder, pairs: Pairs, *, precision: Precision = "fp32") -> float:
    """Return the mean loss per target token (including EOS) in nats, without label smoothing, in evaluation mode."""
    nats, tokens = sentence_losses(model, pairs, precision=precision)
    return float(nats.sum() / tokens.sum())


def sentence_losses(
    model: EncoderDecoder, pairs: Pairs, *, precision: Precision = "fp32"
) -> tuple[Float[Tensor, " pairs"], Int64[Tensor, " pairs"]]:
    """Return the loss of each target given its source in nats, and its number of tokens; on the CPU, in the order of ``pairs``."""
    device = str(pairs.source.device)
    was_training = model.training
    model.eval()
    losses, indices = [], []
    try:
        with torch.inference_mode(), autocast(device, precision):
            for bucket in length_buckets(pairs, BATCH_TOKENS, None):
                prediction = predict_pairs(model, *pairs.batch(bucket))
                logits = prediction.logits.float().transpose(1, 2)
                each = F.cross_entropy(logits, prediction.targets, ignore_index=PAD, reduction="none")
                losses.append(each.sum(1))
                indices.append(bucket.indices)
    finally:
        model.train(was_training)
    nats = torch.empty(len(pairs), dtype=torch.float64)
    nats[torch.cat(indices).cpu()] = torch.cat(losses).cpu().double()
    return nats, (pairs.target_lengths - 1).cpu()
