"""Base classes of trials on images: a residual network with a training method, and its training by SGD."""

from __future__ import annotations

import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from myths.fixup.architectures import STAGES, blocks_per_stage
from myths.fixup.architectures import Name as ArchitectureName
from myths.fixup.methods import Name as MethodName
from myths.lab.errors import CannotStart, UsageError
from myths.lab.setting import Count, DatasetName, Epochs, LearningRate, Momentum, Range, Seed, TrainExamples, WeightDecay
from myths.lab.trial import Context, Outcome, Protocol, Trial

if TYPE_CHECKING:
    import torch
    from jaxtyping import Float, Int64, UInt8
    from torch import Tensor

    from myths.fixup.network import ResidualNetwork
    from myths.lab.vision.training import TrainConfig, TrainResult

REAL = ("cifar10",)
"""Datasets of the paper that are available. All others are stand-in data."""
MAX_SINGLE_THREAD_ELEMENTS = 32_768
"""Number of elements up to which torch's element-wise operations use one thread on a CPU."""
VERY_DEEP = 5000
"""Number of layers from which the paper halves the batch size to 64."""


@dataclass(frozen=True)
class Examples:
    """Training and test images on the device.

    Attributes:
        x: Training images, 0 to 255.
        y: Training labels.
        x_test: Test images.
        y_test: Test labels.
        classes: Number of classes.
    """

    x: UInt8[Tensor, "n c h w"]
    y: Int64[Tensor, " n"]
    x_test: UInt8[Tensor, "m c h w"]
    y_test: Int64[Tensor, " m"]
    classes: int


NOMINAL_DEPTHS = (10, 20, 32, 40, 56, 110, 256, 500, 1000, 10_000)
"""Depths that the papers name. A wide residual network of 22 layers is compared with a ResNet of 20."""


def nominal_depth(depth: int) -> int:
    """Return the nearest nominal depth of the papers if it differs by at most an eighth, else ``depth``."""
    near = min(NOMINAL_DEPTHS, key=lambda n: abs(math.log(n / depth)))
    return near if abs(near - depth) <= near / 8 else depth


@dataclass(frozen=True, kw_only=True)
class ImageTrial(Trial):
    """Base class of trials that apply a training method to a residual network on images."""

    dataset: DatasetName = "cifar10"
    architecture: ArchitectureName = "wide-resnet"
    """Architecture of the residual network."""
    depth: Count
    """Number of layers. The architecture determines which depths are possible."""
    method: MethodName
    """Training method: initialization, normalization and scalars of the residual branches."""
    width: Count = 16
    """Number of channels of the first stage; the papers use 16."""
    image_size: Annotated[int, Range(at_least=1, also=(0, "as they are"))] = 0
    """Image size in pixels to which images are averaged; 0 keeps the original size."""
    train_examples: TrainExamples = 0
    """Number of training examples, the first of a seeded shuffle; 0 uses all."""
    learning_rate: LearningRate = 0.1
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Raise UsageError if the architecture has no network of this depth."""
        super().__post_init__()
        blocks_per_stage(self.architecture, self.depth)

    @property
    def data(self) -> tuple[str, ...]:
        """Name of the dataset."""
        return (self.dataset,)

    @property
    def columns(self) -> Mapping[str, Any]:
        """Columns of the tables that follow from the settings."""
        return {**super().columns, "nominal_depth": nominal_depth(self.depth)}

    @property
    def branches(self) -> int:
        """Number L of residual branches."""
        return STAGES * blocks_per_stage(self.architecture, self.depth)

    def compute_cost(self, images: float, batch: int) -> float:
        """Return the cost of forward and backward passes, in units of 1,000 layers on one image of 32 pixels with 16 channels.

        On a CPU, the overhead of a layer call was measured to equal its computation for 1.6 images of that size.

        Args:
            images: Number of images.
            batch: Batch size.
        """
        side = self.image_size or {"digits": 8, "shapes": 16}.get(self.dataset, 32)
        return images * self.depth * ((side / 32) ** 2 * (self.width / 16) ** 1.5 + 1.6 / batch) / 1000

    def examples(self, context: Context) -> Examples:
        """Return the images on the device at ``image_size``.

        Raises:
            UsageError: The dataset has no training split, or fewer or smaller images than requested.
        """
        import torch
        import torch.nn.functional as F

        from myths.lab.data.images import image_set

        images = image_set(self.dataset, context.device)
        (x, y), x_test = images.training_split(), images.x_test
        if self.train_examples:
            if self.train_examples > len(x):
                raise UsageError(
                    f"Invalid train_examples={self.train_examples}: {self.dataset} has {len(x)} training examples; use at most that, or 0."
                )
            kept = torch.from_numpy(context.rng("subset").permutation(len(x))[: self.train_examples]).to(x.device)
            x, y = x[kept], y[kept]
        if self.image_size:
            if self.image_size > x.shape[-1]:
                raise UsageError(f"Invalid image_size={self.image_size}: the images of {self.dataset} have {x.shape[-1]} pixels per side.")
            x, x_test = (F.adaptive_avg_pool2d(part.float(), self.image_size).round().to(torch.uint8) for part in (x, x_test))
        return Examples(x, y, x_test, images.y_test, len(images.classes))

    def network(self, context: Context, examples: Examples, blocks_per_segment: int = 0) -> ResidualNetwork:
        """Return the initialized network on the device. Seeds are paired over methods."""
        from myths.fixup.network import build

        with context.seed_torch("init"):
            network = build(self.architecture, self.depth, self.method, examples.classes, examples.x.shape[1], self.width)
        network.to(context.device).blocks_per_segment = blocks_per_segment
        network.calibrate(examples.x)
        return network


@dataclass(frozen=True, kw_only=True)
class ImageTraining(ImageTrial, ABC):
    """Base class of trials that train by SGD with momentum, without gradient clipping or warm-up, as in the paper."""

    epochs: Epochs = 1.0
    batch_size: Annotated[int, Range(at_least=2)] = 128
    """Number of examples per training step."""
    momentum: Momentum = 0.9
    weight_decay: WeightDecay = 5e-4
    mixup: Annotated[float, Range(at_least=0)] = 0.0
    """Parameter α of mixup; 0 disables mixup."""
    augmentation: Literal["none", "flip", "crop-flip"] = "crop-flip"
    """Augmentation of the training images."""
    cuda_graphs: bool = True
    """Whether training steps are recorded as CUDA graphs on CUDA devices."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"seconds_per_step", "train_seconds"})

    @abstractmethod
    def train_config(self) -> TrainConfig:
        """Return the hyperparameters for the training loop."""

    def protocol_against(self, published: Mapping[str, Any]) -> Protocol:
        """Return the protocol by comparison with the settings of a published experiment.

        It is "paper" if all settings are equal and all images are used, "stand-in" on other datasets, and "reduced" otherwise.
        """
        if self.dataset not in REAL:
            return "stand-in"
        same = all(getattr(self, name) == value for name, value in published.items())
        usual = self.architecture != "bottleneck" and self.width == 16
        return "paper" if same and usual and not self.image_size and not self.train_examples else "reduced"

    @property
    def relative_cost(self) -> float:
        """Cost of training and testing. Deep networks with He initialization diverge early and cost a tenth; those without branches cost
        what 20 layers do, at any depth."""
        n = self.train_examples or {"digits": 1200, "shapes": 1200}.get(self.dataset, 50_000)
        early = 0.1 if self.method == "he" and self.depth > 100 else 1.0
        computed = 1.0 if self.method != "no-branches" else min(1.0, 20 / self.depth)
        return computed * self.compute_cost(early * (self.epochs * n + 3000), self.batch_size) + 0.05

    def run(self, context: Context) -> Outcome:
        """Return a row of ``kind`` "summary" (n_correct, n_test, test_accuracy_percent, train_loss, diverged_at …) and rows "curve"."""
        from myths.lab.vision.training import steps_per_epoch

        examples = self.examples(context)
        total = round(self.epochs * steps_per_epoch(len(examples.x), self.batch_size))
        with threads_for(self.batch_size * examples.x.shape[-1] ** 2 * self.width, context.device):
            network, done, took = self.train(context, examples)
            tested = self.evaluate(context, network, examples, done)
        summary = {
            "kind": "summary",
            **tested,
            "n_train": len(examples.x),
            "train_loss": done.loss,
            "diverged_at": done.diverged_at,
            "steps": done.steps,
            "branches": self.branches,
            **took,
        }
        return Outcome(rows=[summary, *loss_curve(done.losses, max(1, total // 30))])

    def train(self, context: Context, examples: Examples) -> tuple[ResidualNetwork, TrainResult, dict[str, Any]]:
        """Train a network.

        Args:
            context: Context of the trial.
            examples: Training images.

        Returns:
            The trained network, the result of training, and the columns of durations, memory and parameters.

        Raises:
            UsageError: The batch size exceeds the number of training examples.
            CannotStart: The images are too small for the network, or the network is too large for the memory.
        """
        from myths.fixup.memory import Setup, blocks_per_segment
        from myths.lab.execution.resources import free_bytes
        from myths.lab.vision.training import fit

        channels, side = examples.x.shape[1], examples.x.shape[-1]
        if self.batch_size > len(examples.x):
            raise UsageError(f"Invalid batch_size={self.batch_size}: the training set has {len(examples.x)} examples. Use at most that.")
        if side < 4:
            raise CannotStart(f"{self.dataset}: images of {side} pixels per side are too small; the three stages need at least 4 pixels.")
        free = free_bytes(context.device)
        setup = Setup(
            architecture=self.architecture,
            method=self.method,
            classes=examples.classes,
            channels=channels,
            image_size=side,
            width=self.width,
            batch=self.batch_size,
        )
        segment = blocks_per_segment(setup, self.depth, free)
        network = self.network(context, examples, segment)
        done = fit(
            network,
            examples.x,
            examples.y,
            replace(self.train_config(), cuda_graphs=self.cuda_graphs),
            order=context.generator("order"),
            augmentation=context.generator("augment", context.device),
            device=context.device,
            optimizer=optimizer(network, self.learning_rate, self.momentum, self.weight_decay),
        )
        took = {
            "seconds_per_step": (done.seconds - done.recording_seconds) / done.steps,
            "train_seconds": done.seconds,
            "blocks_per_segment": segment,
            "parameters": sum(p.numel() for p in network.parameters()),
        }
        return network, done, took

    def evaluate(self, context: Context, network: ResidualNetwork, examples: Examples, done: TrainResult) -> dict[str, Any]:
        """Return the number of correctly classified test examples and the accuracy, both 0 if training diverged."""
        from myths.lab.vision import training

        found = 0
        if done.diverged_at is None:
            found = training.n_correct(training.predict(network, examples.x_test, device=context.device), examples.y_test)
        n = len(examples.x_test)
        accuracy = 100 * found / n
        return {"n_correct": found, "n_test": n, "test_accuracy_percent": accuracy, "test_error_percent": 100 - accuracy}


@contextlib.contextmanager
def threads_for(activations: int, device: str) -> Iterator[None]:
    """Use one CPU thread for layers whose number of activations is small enough for torch's element-wise operations to use one.

    Only the convolutions of such layers would use several threads, and their synchronization takes longer than the computation.

    Args:
        activations: Number of activations per layer.
        device: Device of the network; threads change only on the CPU.
    """
    import torch

    threads = torch.get_num_threads()
    alone = device == "cpu" and activations <= MAX_SINGLE_THREAD_ELEMENTS
    try:
        torch.set_num_threads(1 if alone else threads)
        yield
    finally:
        torch.set_num_threads(threads)


def optimizer(network: ResidualNetwork, rate: float, momentum: float, weight_decay: float) -> torch.optim.Optimizer:
    """Return SGD with (not Nesterov) momentum, as in the papers, with the method's own learning rate for scalars."""
    import torch

    scalars = network.scalars()
    own = {id(p) for p in scalars}
    groups = [{"params": [p for p in network.parameters() if id(p) not in own], "lr": rate}]
    if scalars:
        groups.append({"params": scalars, "lr": rate * network.method.scalar_lr_factor})
    return torch.optim.SGD(groups, rate, momentum=momentum, weight_decay=weight_decay, fused=True)


def loss_curve(losses: Float[Tensor, " steps"], interval: int) -> list[dict[str, Any]]:
    """Return one row per interval of ``interval`` steps: its last ``step``, counted from 1, and its mean ``loss``."""
    import torch

    intervals = losses.split(interval)
    means = torch.stack([part.mean() for part in intervals]).tolist()
    ends = [min((i + 1) * interval, len(losses)) for i in range(len(intervals))]
    return [{"kind": "curve", "step": end, "loss": mean} for end, mean in zip(ends, means, strict=True)]
