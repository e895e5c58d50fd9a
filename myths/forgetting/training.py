"""What all trainings of this myth share: their settings, which of those are the paper's, the examples, and the call of the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from myths.forgetting.labeled import labeled
from myths.lab.data.prepared import examples_of
from myths.lab.errors import UsageError
from myths.lab.setting import BatchSize, DatasetName, Epochs, LabelSmoothing, LearningRate, Momentum, Seed, TrainExamples, WeightDecay
from myths.lab.trial import Context, Protocol, Trial
from myths.lab.vision.classifier import RELATIVE_COST, NetworkName

if TYPE_CHECKING:
    from jaxtyping import Int64, UInt8
    from torch import Tensor

    from myths.lab.data.folders import ImageFolder
    from myths.lab.vision.networks import Classifier
    from myths.lab.vision.training import Batch, TrainConfig, TrainResult

_MNIST: dict[str, Any] = {
    "network": "mnist_cnn",
    "epochs": 200.0,
    "batch_size": 64,
    "learning_rate": 0.01,
    "momentum": 0.5,
    "nesterov": False,
    "weight_decay": 0.0,
    "schedule": "constant",
    "augmentation": "none",
    "precision": "fp32",
}
_CIFAR: dict[str, Any] = {
    "network": "resnet18",
    "epochs": 200.0,
    "batch_size": 128,
    "learning_rate": 0.1,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 5e-4,
    "schedule": "step",
    "augmentation": "crop-flip",
    "precision": "fp32",
}
PAPER: Mapping[str, Mapping[str, Any]] = {"mnist": _MNIST, "cifar10": _CIFAR, "cifar100": _CIFAR}
"""The paper's settings for counting, by data set (Sec. 4 and the authors' code). Crops are padded with zeros.

Two things are not as there: ResNet-18 starts from He's initialization instead of torch 0.4's own, and images are standardized by
the mean and deviation computed from the training set, which agree with the constants of the code to two digits.
"""
PAPER_REMOVAL: Mapping[str, Mapping[str, Any]] = {
    "mnist": {**_MNIST, "network": "mnist_cnn_dropout"},
    "cifar10": {**_CIFAR, "augmentation": "crop-flip-cutout"},
    "cifar100": {**_CIFAR, "augmentation": "crop-flip-cutout"},
}
"""And for training on what is left: the commands in the authors' README switch cutout on for CIFAR, and dropout for MNIST."""

PAPER_TRANSFER = "wide_resnet_28_10_dropout"
"""The network to which the paper takes the order of ResNet-18 (Sec. 6)."""

OWN_SIDE = 32
"""Pixels a side to which the images of a user's own folder are brought."""


@dataclass(frozen=True)
class Examples:
    """The examples of a training on its device, bytes; ``classes`` is how many there are. No test part: own data, all for counting."""

    x: UInt8[Tensor, "n c h w"]
    y: Int64[Tensor, " n"]
    x_test: UInt8[Tensor, "m c h w"] | None
    y_test: Int64[Tensor, " m"] | None
    classes: int


@dataclass(frozen=True, kw_only=True)
class Training(Trial):
    """One training of a network on a data set, by settings that say everything but the draw."""

    dataset: DatasetName
    permuted: bool = False
    """All images through one fixed permutation of their pixels, drawn from the seed (the paper's permuted MNIST)."""
    network: NetworkName
    epochs: Epochs
    batch_size: BatchSize = 128
    learning_rate: LearningRate = 0.1
    schedule: Literal["one-cycle", "step", "constant"] = "one-cycle"
    """How the learning rate changes over the training."""
    momentum: Momentum = 0.9
    nesterov: bool = True
    """Whether momentum is Nesterov's."""
    weight_decay: WeightDecay = 5e-4
    label_smoothing: LabelSmoothing = 0.0
    augmentation: Literal["none", "flip", "crop-flip", "crop-flip-cutout"] = "crop-flip"
    """How training images are varied."""
    train_examples: TrainExamples = 0
    """How many training examples, the first of the set, the same for every seed; 0 is all of them."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Precision of the arithmetic; auto is bf16 where the device has it."""
    seed: Seed = 0

    @property
    def columns(self) -> Mapping[str, Any]:
        """What tables say of the trial that its settings alone decide."""
        return {**super().columns, "dataset": dataset_name(self)}

    @property
    def protocol(self) -> Protocol:
        """Of the paper where every setting is, a stand-in on data that the paper has not."""
        return self._protocol_against(PAPER)

    @property
    def relative_cost(self) -> float:
        """Images seen, in thousands, times what one costs with this network."""
        return self.work_of(self.epochs)

    def work_of(self, epochs: float) -> float:
        """The same for so many epochs."""
        pixels = {"mnist": 784, "digits": 64, "shapes": 256}.get(self.dataset, 1024)
        known = {"mnist": 60_000, "digits": 1200, "shapes": 1200, "cifar10": 50_000, "cifar100": 50_000}
        examples = self.train_examples or known.get(self.dataset) or examples_of(self.dataset, "train", "all") or 50_000
        return epochs * examples * RELATIVE_COST.get(self.network, 100.0) * pixels / 1024 / 1000

    @property
    def data(self) -> tuple[str, ...]:
        """The one data set."""
        return (self.dataset,)

    def _protocol_against(self, paper: Mapping[str, Mapping[str, Any]]) -> Protocol:
        if self.dataset not in paper:
            return "stand-in"
        same = all(getattr(self, name) == value for name, value in paper[self.dataset].items())
        return "paper" if same and not self.train_examples and not self.label_smoothing else "reduced"

    def examples(self, context: Context) -> Examples:
        """The examples on the device, permuted if this training permutes.

        Raises UsageError for a set without a training part, with one class, or with fewer than two examples.
        """
        import torch

        found = load_examples(self.dataset, context.device)
        x, y, x_test = found.x, found.y, found.x_test
        if self.train_examples:
            x, y = x[: self.train_examples], y[: self.train_examples]
        if self.permuted:
            pixels = torch.randperm(x.shape[-2] * x.shape[-1], generator=Context(self).generator("pixels")).to(x.device)
            x = x.flatten(2)[:, :, pixels].view_as(x)
            x_test = None if x_test is None else x_test.flatten(2)[:, :, pixels].view_as(x_test)
        if found.classes < 2:
            raise UsageError(f"{self.dataset} has one class: there is nothing to learn, and so nothing to forget")
        if len(x) < 2:
            raise UsageError(f"{self.dataset} has {len(x)} training example: at least two are needed")
        return Examples(x, y, x_test, found.y_test, found.classes)

    def initial_network(self, context: Context, examples: Examples) -> Classifier:
        """The network at its start: the same for every trial of this network and seed, whatever is removed later."""
        from myths.lab.vision.networks import initial_network

        return initial_network(context, self.network, examples.classes, examples.x)

    def fit(
        self,
        context: Context,
        network: Classifier,
        x: UInt8[Tensor, "n c h w"],
        y: Int64[Tensor, " n"],
        *,
        on_batch: Callable[[Batch], None] | None = None,
        epochs: float | None = None,
    ) -> TrainResult:
        """Trains in place; order, augmentation and dropout come from streams of the seed alone, so that trials are paired."""
        from myths.lab.vision.training import fit_seeded

        return fit_seeded(context, network, x, y, self.train_config(context.device, self.epochs if epochs is None else epochs), on_batch)

    def accuracy_percent(self, context: Context, network: Classifier, examples: Examples) -> float | None:
        """Of the trained network on the test part; None where there is none."""
        from myths.lab.vision.training import accuracy, predict

        if examples.x_test is None or examples.y_test is None:
            return None
        precision = self.train_config(context.device, self.epochs).precision
        return 100 * accuracy(predict(network, examples.x_test, device=context.device, precision=precision), examples.y_test)

    def train_config(self, device: str, epochs: float) -> TrainConfig:
        """The settings as the training loop takes them."""
        from myths.lab.device import precision_of
        from myths.lab.vision.training import TrainConfig

        return TrainConfig(
            epochs=epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            label_smoothing=self.label_smoothing,
            augmentation=self.augmentation,
            padding_mode="zero",
            precision=precision_of(device, self.precision),
        )


def dataset_name(trial: Training) -> str:
    """The set as tables call it: permuted or not, whole or only its first examples."""
    name = f"permuted {trial.dataset}" if trial.permuted else trial.dataset
    return f"{name} subset" if trial.train_examples else name


def load_examples(name: str, device: str) -> Examples:
    """A set that the suite knows, own arrays, or an own folder of images in class folders, each brought to 32 pixels a side.

    An own folder that is parted into train/ and test/ is counted on train/; any other has no test part. Raises UsageError for
    a set without a training part.
    """
    from myths.lab.data import prepared
    from myths.lab.data.images import image_set

    found = prepared.require(name)
    if found.kind == "images":
        return _own_examples(name, device)
    images = image_set(name, device)
    x, y = images.training_split()
    classes = len(images.classes)
    if int(y.min()) < 0 or int(y.max()) >= classes:
        low, high = int(y.min()), int(y.max())
        raise UsageError(f"the labels of {name} go from {low} to {high}; with {classes} classes they are 0 … {classes - 1}")
    return Examples(x, y, images.x_test, images.y_test, classes)


def _own_examples(name: str, device: str) -> Examples:
    import torch

    from myths.lab.data.folders import decode

    found = labeled(name)

    def part(folder: ImageFolder, labels: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        return decode(folder, OWN_SIDE).to(device), torch.tensor(labels, dtype=torch.int64, device=device)

    x_test, y_test = (None, None) if found.test is None else part(found.test, found.test_labels)
    return Examples(*part(found.train, found.train_labels), x_test, y_test, len(found.classes))
