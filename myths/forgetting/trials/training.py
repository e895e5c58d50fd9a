"""Base class of the trials that train a network: settings, the paper's values of them, examples, and the training loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from myths.forgetting.user_images import user_images
from myths.lab.errors import UsageError
from myths.lab.setting import BatchSize, DatasetName, Epochs, LabelSmoothing, LearningRate, Momentum, Seed, TrainExamples, WeightDecay
from myths.lab.trial import Context, Protocol, Trial
from myths.lab.vision.classifier import NetworkName, training_cost

if TYPE_CHECKING:
    from jaxtyping import Int64, UInt8
    from torch import Tensor

    from myths.lab.data.folders import ImageFolder
    from myths.lab.vision.networks import Classifier
    from myths.lab.vision.training import Hooks, TrainConfig, TrainResult

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
PAPER_COUNTING: Mapping[str, Mapping[str, Any]] = {"mnist": _MNIST, "cifar10": _CIFAR, "cifar100": _CIFAR}
"""Settings of the paper for counting, by dataset (Sec. 4 and the authors' code). Crops are padded with zeros.

Two settings differ: ResNet-18 uses He initialization instead of the default of torch 0.4, and images are standardized by the mean and
standard deviation of the training set, which agree with the constants of the authors' code to two digits.
"""
PAPER_PRUNING: Mapping[str, Mapping[str, Any]] = {
    "mnist": {**_MNIST, "network": "mnist_cnn_dropout"},
    "cifar10": {**_CIFAR, "augmentation": "crop-flip-cutout"},
    "cifar100": {**_CIFAR, "augmentation": "crop-flip-cutout"},
}
"""Settings of the paper for training on pruned sets: the authors' README adds cutout for CIFAR and dropout for MNIST."""
PAPER_TRANSFER = "wide_resnet_28_10_dropout"
"""Network that the paper trains on sets pruned by the counts of ResNet-18 (Sec. 6)."""
DIGITS: dict[str, Any] = {
    "dataset": "digits",
    "network": "mnist_cnn",
    "batch_size": 32,
    "learning_rate": 0.05,
    "augmentation": "none",
    "precision": "fp32",
}
"""Settings for scikit-learn's digits, the stand-in dataset."""
USER_IMAGE_SIZE = 32
"""Size in pixels to which images of the user are resized."""


@dataclass(frozen=True)
class Examples:
    """Examples of a training run as bytes on its device.

    Attributes:
        x: Training images.
        y: Class of each training image.
        x_test: Test images, or None if a dataset of the user has no test part.
        y_test: Class of each test image, or None.
        classes: Number of classes.
    """

    x: UInt8[Tensor, "n c h w"]
    y: Int64[Tensor, " n"]
    x_test: UInt8[Tensor, "m c h w"] | None
    y_test: Int64[Tensor, " m"] | None
    classes: int


@dataclass(frozen=True, kw_only=True)
class TrainingTrial(Trial):
    """Base class of trials that train a network on a dataset."""

    dataset: DatasetName
    permute_pixels: bool = False
    """Whether one fixed permutation, sampled from the seed, is applied to the pixels of all images (the paper's permuted MNIST)."""
    network: NetworkName
    epochs: Epochs
    batch_size: BatchSize = 128
    learning_rate: LearningRate = 0.1
    schedule: Literal["one-cycle", "step", "constant"] = "one-cycle"
    """Learning rate schedule."""
    momentum: Momentum = 0.9
    nesterov: bool = True
    """Whether Nesterov momentum is used."""
    weight_decay: WeightDecay = 5e-4
    label_smoothing: LabelSmoothing = 0.0
    augmentation: Literal["none", "flip", "crop-flip", "crop-flip-cutout", "shift-alternating-flip"] = "crop-flip"
    """Data augmentation."""
    padding_mode: Literal["zero", "reflect"] = "zero"
    """How random crops are padded."""
    train_examples: TrainExamples = 0
    """Number of training examples, the first of the dataset for every seed; 0 uses all."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Precision of the arithmetic; "auto" is bf16 where it is faster."""
    seed: Seed = 0

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the columns of tables that the settings determine."""
        return {**super().columns, "dataset": dataset_name(self)}

    @property
    def protocol(self) -> Protocol:
        """Return "paper" if all settings are the paper's, and "stand-in" for datasets that the paper does not use."""
        return self._protocol_against(PAPER_COUNTING)

    @property
    def relative_cost(self) -> float:
        """Return the number of training images in thousands, times the cost of the network per image."""
        return self.cost_of_epochs(self.epochs)

    def cost_of_epochs(self, epochs: float) -> float:
        """Return the relative cost of a number of epochs."""
        return training_cost(self.dataset, self.network, epochs, self.train_examples, self.batch_size)

    @property
    def data(self) -> tuple[str, ...]:
        """Return the dataset."""
        return (self.dataset,)

    def _protocol_against(self, paper: Mapping[str, Mapping[str, Any]]) -> Protocol:
        if self.dataset not in paper:
            return "stand-in"
        same = all(getattr(self, name) == value for name, value in paper[self.dataset].items())
        return "paper" if same and not self.train_examples and not self.label_smoothing else "reduced"

    def examples(self, context: Context) -> Examples:
        """Return the examples on the device, with permuted pixels if ``permute_pixels`` is set.

        Raises:
            UsageError: The dataset has no training part, one class, or fewer than two training examples.
        """
        import torch

        found = load_examples(self.dataset, context.device)
        x, y, x_test = found.x, found.y, found.x_test
        if self.train_examples:
            x, y = x[: self.train_examples], y[: self.train_examples]
        if self.permute_pixels:
            pixels = torch.randperm(x.shape[-2] * x.shape[-1], generator=Context(self).generator("pixels")).to(x.device)
            x = x.flatten(2)[:, :, pixels].view_as(x)
            x_test = None if x_test is None else x_test.flatten(2)[:, :, pixels].view_as(x_test)
        if found.classes < 2:
            raise UsageError(f"{self.dataset} has one class: forgetting events need at least two")
        if len(x) < 2:
            raise UsageError(f"{self.dataset} has {len(x)} training example: at least two are needed")
        return Examples(x, y, x_test, found.y_test, found.classes)

    def initial_network(self, context: Context, examples: Examples) -> Classifier:
        """Return the untrained network. It depends on architecture and seed only, not on the pruned examples."""
        from myths.lab.vision.networks import initial_network

        return initial_network(context, self.network, examples.classes, examples.x)

    def fit(
        self,
        context: Context,
        network: Classifier,
        x: UInt8[Tensor, "n c h w"],
        y: Int64[Tensor, " n"],
        *,
        hooks: Hooks | None = None,
        epochs: float | None = None,
    ) -> TrainResult:
        """Train a network in place.

        Order, augmentation and dropout depend on the seed only, so that trials with the same seed are paired.

        Args:
            context: Context of the trial.
            network: Network to train.
            x: Training images.
            y: Class of each image.
            hooks: Called at every step.
            epochs: Number of epochs. Default: that of the trial.
        """
        from myths.lab.vision.training import Hooks, fit_seeded

        config = self.train_config(context.device, self.epochs if epochs is None else epochs)
        return fit_seeded(context, network, x, y, config, hooks or Hooks())

    def test_accuracy_percent(self, context: Context, network: Classifier, examples: Examples) -> float | None:
        """Return the accuracy of a network on the test part, or None if there is none."""
        from myths.lab.vision.training import accuracy, predict

        if examples.x_test is None or examples.y_test is None:
            return None
        precision = self.train_config(context.device, self.epochs).precision
        return 100 * accuracy(predict(network, examples.x_test, device=context.device, precision=precision), examples.y_test)

    def train_config(self, device: str, epochs: float) -> TrainConfig:
        """Return the hyperparameters for the training loop."""
        from myths.lab.measurement.device import precision_of
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
            padding_mode=self.padding_mode,
            precision=precision_of(device, self.precision),
        )


def dataset_name(trial: TrainingTrial) -> str:
    """Return the name of the dataset in tables: permuted or not, whole or a subset."""
    name = f"permuted {trial.dataset}" if trial.permute_pixels else trial.dataset
    return f"{name} subset" if trial.train_examples else name


def load_examples(name: str, device: str) -> Examples:
    """Load a dataset of this suite, arrays of the user, or a folder of images of the user.

    Images of a folder are resized to ``USER_IMAGE_SIZE``. A folder with train/ and test/ has a test part; others have none.

    Raises:
        UsageError: The dataset has no training part, or labels outside the range of its classes.
    """
    from myths.lab.data import prepared
    from myths.lab.data.images import image_set

    found = prepared.require(name)
    if found.kind == "images":
        return _folder_examples(name, device)
    images = image_set(name, device)
    x, y = images.training_split()
    classes = len(images.classes)
    if int(y.min()) < 0 or int(y.max()) >= classes:
        low, high = int(y.min()), int(y.max())
        raise UsageError(f"the labels of {name} are {low} to {high}; expected 0 to {classes - 1}, since it has {classes} classes")
    return Examples(x, y, images.x_test, images.y_test, classes)


def _folder_examples(name: str, device: str) -> Examples:
    import torch

    from myths.lab.data.folders import decode

    found = user_images(name)

    def part(folder: ImageFolder, labels: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        return decode(folder, USER_IMAGE_SIZE).to(device), torch.tensor(labels, dtype=torch.int64, device=device)

    x_test, y_test = (None, None) if found.test is None else part(found.test, found.test_labels)
    return Examples(*part(found.train, found.train_labels), x_test, y_test, len(found.classes))
