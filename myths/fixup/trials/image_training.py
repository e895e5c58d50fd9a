"""What all trials of this myth share: a network with a method, images, and a training whose scalars have a rate of their own."""

from __future__ import annotations

import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from myths.fixup.architectures import STAGES, blocks_per_stage
from myths.fixup.architectures import Name as ArchitectureName
from myths.fixup.methods import Name as MethodName
from myths.lab.errors import CannotStart, UsageError
from myths.lab.setting import Count, DatasetName, Epochs, LearningRate, Momentum, Range, Seed, TrainExamples, WeightDecay
from myths.lab.trial import Context, Outcome, Protocol, Trial

if TYPE_CHECKING:
    import torch
    from jaxtyping import Int64, UInt8
    from torch import Tensor

    from myths.fixup.network import ResidualNetwork
    from myths.lab.vision.training import Batch, TrainConfig, TrainResult

REAL = ("cifar10",)
"""The papers' data that the suite can have; all else stands in."""
MAX_SINGLE_THREAD_ELEMENTS = 32_768
"""Elements up to which torch's element-wise operations take one thread on a CPU."""
VERY_DEEP = 5000
"""Layers from which the paper halves the batch to 64."""


@dataclass(frozen=True)
class Examples:
    """Images on the device, bytes; ``classes`` is how many there are."""

    x: UInt8[Tensor, "n c h w"]
    y: Int64[Tensor, " n"]
    x_test: UInt8[Tensor, "m c h w"]
    y_test: Int64[Tensor, " m"]
    classes: int


NOMINAL_DEPTHS = (10, 20, 32, 40, 56, 110, 256, 500, 1000, 10_000)
"""Depths as papers name them: 22 layers of a wide residual network stand beside 20 of a ResNet."""


def nominal_depth(depth: int) -> int:
    """The depth that stands for it in the papers, where one is within an eighth."""
    near = min(NOMINAL_DEPTHS, key=lambda n: abs(math.log(n / depth)))
    return near if abs(near - depth) <= near / 8 else depth


@dataclass(frozen=True, kw_only=True)
class ImageTrial(Trial):
    """A residual network of some depth with a method, and the images that it sees."""

    dataset: DatasetName = "cifar10"
    architecture: ArchitectureName = "wide-resnet"
    """Kind of residual network."""
    depth: Count
    """Number of layers; the architecture says which depths are possible."""
    method: MethodName
    """Initialization or normalization of the residual branches."""
    width: Count = 16
    """Channels of the first stage; 16 are the papers'."""
    image_size: Annotated[int, Range(at_least=1, also=(0, "as they are"))] = 0
    """Pixels a side to which images are averaged; 0 leaves them as they are."""
    train_examples: TrainExamples = 0
    """How many training examples, the first of a seeded shuffle; 0 is all of them."""
    learning_rate: LearningRate = 0.1
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Raises UsageError for a depth that the architecture cannot have."""
        super().__post_init__()
        blocks_per_stage(self.architecture, self.depth)

    @property
    def data(self) -> tuple[str, ...]:
        """The one data set."""
        return (self.dataset,)

    @property
    def columns(self) -> Mapping[str, Any]:
        """What tables say of the trial that its settings alone decide."""
        return {**super().columns, "nominal_depth": nominal_depth(self.depth)}

    @property
    def branches(self) -> int:
        """L, the number of residual branches."""
        return STAGES * blocks_per_stage(self.architecture, self.depth)

    def compute_cost(self, images: float, batch: int) -> float:
        """What so many images cost in batches, forward and backward, in thousands of layers at 32 pixels and 16 channels.

        Measured on a CPU: calling a layer costs as much as it computes for 1.6 images of that size.
        """
        side = self.image_size or {"digits": 8, "shapes": 16}.get(self.dataset, 32)
        return images * self.depth * ((side / 32) ** 2 * (self.width / 16) ** 1.5 + 1.6 / batch) / 1000

    def examples(self, context: Context) -> Examples:
        """The images on the device, in the size asked for. Raises UsageError for a set that has no training part or is too small."""
        import torch
        import torch.nn.functional as F

        from myths.lab.data.images import image_set

        images = image_set(self.dataset, context.device)
        (x, y), x_test = images.training_split(), images.x_test
        if self.train_examples:
            if self.train_examples > len(x):
                raise UsageError(f"train_examples={self.train_examples}: {self.dataset} has {len(x)} training examples")
            kept = torch.from_numpy(context.rng("subset").permutation(len(x))[: self.train_examples]).to(x.device)
            x, y = x[kept], y[kept]
        if self.image_size:
            if self.image_size > x.shape[-1]:
                raise UsageError(f"image_size={self.image_size}: the images of {self.dataset} have {x.shape[-1]} pixels a side")
            x, x_test = (F.adaptive_avg_pool2d(part.float(), self.image_size).round().to(torch.uint8) for part in (x, x_test))
        return Examples(x, y, x_test, images.y_test, len(images.classes))

    def network(self, context: Context, examples: Examples, blocks_per_segment: int = 0) -> ResidualNetwork:
        """The network at its start, on the device; seeds are paired over methods."""
        from myths.fixup.network import build

        with context.seed_torch("init"):
            network = build(self.architecture, self.depth, self.method, examples.classes, examples.x.shape[1], self.width)
        network.to(context.device).blocks_per_segment = blocks_per_segment
        network.calibrate(examples.x)
        return network


@dataclass(frozen=True, kw_only=True)
class ImageTraining(ImageTrial, ABC):
    """A training by stochastic gradient descent, as in the paper: momentum, no clipping, no warm-up."""

    epochs: Epochs = 1.0
    batch_size: Annotated[int, Range(at_least=2)] = 128
    """Examples per step."""
    momentum: Momentum = 0.9
    weight_decay: WeightDecay = 5e-4
    mixup: Annotated[float, Range(at_least=0)] = 0.0
    """α of mixup; 0 is none."""
    augmentation: Literal["none", "flip", "crop-flip"] = "crop-flip"
    """How training images are varied."""
    cuda_graphs: bool = True
    """Forward and backward pass as CUDA graphs, where there is CUDA."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"seconds_per_step", "train_seconds"})

    @abstractmethod
    def train_config(self) -> TrainConfig:
        """The settings as the training loop takes them."""

    def protocol_against(self, published: Mapping[str, Any]) -> Protocol:
        """Of the paper where every setting is and all images are used; a stand-in on data that the paper has not."""
        if self.dataset not in REAL:
            return "stand-in"
        same = all(getattr(self, name) == value for name, value in published.items())
        usual = self.architecture != "bottleneck" and self.width == 16
        return "paper" if same and usual and not self.image_size and not self.train_examples else "reduced"

    @property
    def relative_cost(self) -> float:
        """Images seen times layers, at their size; test images count a third. A tenth where He's weights will diverge."""
        n = self.train_examples or {"digits": 1200, "shapes": 1200}.get(self.dataset, 50_000)
        early = 0.1 if self.method == "he" and self.depth > 100 else 1.0
        return self.compute_cost(early * (self.epochs * n + 3000), self.batch_size) + 0.05

    def run(self, context: Context) -> Outcome:
        """A row of ``kind`` "summary" (right, n_test, test_accuracy_percent, train_loss, diverged_at, steps …), and rows "curve"."""
        from myths.lab.vision.training import steps_per_epoch

        examples = self.examples(context)
        total = round(self.epochs * steps_per_epoch(len(examples.x), self.batch_size))
        curve = LossCurve(max(1, total // 30))
        with threads_for(self.batch_size * examples.x.shape[-1] ** 2 * self.width, context.device):
            network, done, took = self.train(context, examples, curve)
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
        return Outcome(rows=[summary, *curve.rows()])

    def train(
        self, context: Context, examples: Examples, on_batch: Callable[[Batch], None]
    ) -> tuple[ResidualNetwork, TrainResult, dict[str, Any]]:
        """The trained network, how training went, and what it took.

        Raises UsageError for a batch larger than the training set and CannotStart for a network too large for the memory.
        """
        from myths.fixup.cuda_graphs import CUDAGraphModule
        from myths.fixup.memory import Setup, blocks_per_segment, free_bytes
        from myths.lab.vision.training import fit

        channels, side = examples.x.shape[1], examples.x.shape[-1]
        if self.batch_size > len(examples.x):
            raise UsageError(f"batch_size={self.batch_size} is larger than the training set of {len(examples.x)} examples")
        if side < 4:
            raise CannotStart(f"{self.dataset} has images of {side} pixels a side: three stages need at least 4")
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
        forward = CUDAGraphModule(network) if self.cuda_graphs else network
        done = fit(
            network,
            examples.x,
            examples.y,
            self.train_config(),
            order=context.generator("order"),
            augmentation=context.generator("augment", context.device),
            device=context.device,
            on_batch=on_batch,
            optimizer=optimizer(network, self.learning_rate, self.momentum, self.weight_decay),
            forward=forward,
        )
        recording = forward.seconds if isinstance(forward, CUDAGraphModule) else 0.0
        took = {
            "seconds_per_step": (done.seconds - recording) / done.steps,
            "train_seconds": done.seconds,
            "blocks_per_segment": segment,
            "parameters": sum(p.numel() for p in network.parameters()),
        }
        return network, done, took

    def evaluate(self, context: Context, network: ResidualNetwork, examples: Examples, done: TrainResult) -> dict[str, Any]:
        """How many test examples the network gets right; none where training diverged, for its weights are no numbers."""
        from myths.lab.vision.training import predict

        right = 0
        if done.diverged_at is None:
            logits = predict(network, examples.x_test, device=context.device)
            right = int(((logits.argmax(1) == examples.y_test.to(logits.device)) & logits.isfinite().all(1)).sum())
        n = len(examples.x_test)
        return {"n_correct": right, "n_test": n, "test_accuracy_percent": 100 * right / n, "test_error_percent": 100 - 100 * right / n}


@contextlib.contextmanager
def threads_for(activations: int, device: str) -> Iterator[None]:
    """One thread where a layer gives no more activations than torch would leave to one thread by itself.

    Only convolutions would share such a layer out, and wait for each other longer than they compute: on a busy machine, much longer.
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
    """SGD with momentum as the papers have it, not Nesterov's; scalars at the rate that the method gives them."""
    import torch

    scalars = network.scalars()
    own = {id(p) for p in scalars}
    groups = [{"params": [p for p in network.parameters() if id(p) not in own], "lr": rate}]
    if scalars:
        groups.append({"params": scalars, "lr": rate * network.method.scalar_lr_factor})
    return torch.optim.SGD(groups, rate, momentum=momentum, weight_decay=weight_decay, fused=True)


class LossCurve:
    """The mean training loss of every so many steps, kept on the device until it is asked for."""

    def __init__(self, steps: int):
        self.steps = steps
        self._losses: list[Tensor] = []

    def __call__(self, batch: Batch) -> None:
        """Sees a minibatch."""
        self._losses.append(batch.losses.mean())

    def rows(self) -> list[dict[str, Any]]:
        """``step`` (the last of each piece, from 1) and ``loss``."""
        import torch

        pieces = torch.stack(self._losses).split(self.steps)
        means = torch.stack([piece.mean() for piece in pieces]).tolist()
        ends = [min((i + 1) * self.steps, len(self._losses)) for i in range(len(pieces))]
        return [{"kind": "curve", "step": end, "loss": mean} for end, mean in zip(ends, means, strict=True)]
