"""TrainClassifier: train an image classifier. Several myths depend on this trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np

from myths.lab.setting import (
    BatchSize,
    DatasetName,
    Epochs,
    LabelSmoothing,
    LearningRate,
    Meaning,
    Momentum,
    OneOf,
    Seed,
    TrainExamples,
    WeightDecay,
)  # fmt: skip
from myths.lab.trial import Context, Outcome, Protocol, Trial

if TYPE_CHECKING:
    from torch import Tensor

    from myths.lab.data.images import ImageSet
    from myths.lab.vision.networks import Classifier
    from myths.lab.vision.training import TrainConfig

BUILT_IN = ("digits", "shapes")
"""Built-in datasets, which are stand-in data."""

RELATIVE_COST = {
    "small_cnn": 12.0,
    "mnist_cnn": 3.5,
    "mnist_cnn_dropout": 3.5,
    "resnet8": 18.0,
    "resnet20": 42.0,
    "resnet56": 126.0,
    "resnet18": 556.0,
    "wide_resnet_10_2": 52.0,
    "wide_resnet_16_4": 290.0,
    "wide_resnet_28_10": 5250.0,
    "wide_resnet_28_10_dropout": 5250.0,
    "fast_narrow": 20.0,
    "fast_medium": 26.0,
    "fast": 75.0,
    "fast94": 75.0,
}
"""Relative training cost per image, measured on a CPU in bf16 or computed from the number of multiplications."""

TRAINING_SETS: Mapping[str, tuple[int, int]] = {"digits": (1197, 8), "shapes": (1200, 16), "mnist": (60_000, 28), "imagenette": (700, 64)}
"""Number of training images and their height in pixels, for datasets that differ from CIFAR-10 (50,000 images of 32 pixels)."""
UPDATE_OVERHEAD = 25.0
"""Fixed cost of an update, in the unit of ``RELATIVE_COST``. Estimated from training runs on digits on a CPU, where it matters most."""

FAST94: Mapping[str, Any] = {
    "network": "fast94",
    "epochs": 8.0,
    "batch_size": 2000,
    "optimizer": "muon",
    "learning_rate": 0.24,
    "schedule": "linear",
    "momentum": 0.85,
    "weight_decay": 0.004,
    "label_smoothing": 0.2,
    "augmentation": "shift-alternating-flip",
}
"""Settings of airbench94 with Muon (Jordan 2024) for CIFAR-10. No profile uses them: their accuracy was not measured on a GPU."""

NetworkName = Annotated[str, OneOf(tuple(RELATIVE_COST)), Meaning("Network architecture.")]


def training_cost(dataset: str, network: str, epochs: float, train_examples: int, batch_size: int) -> float:
    """Return the relative cost of a training run: that of its images, by network and image size, and that of its updates.

    Args:
        dataset: Name of the dataset.
        network: Name of the network.
        epochs: Number of epochs.
        train_examples: Number of training examples; 0 means all.
        batch_size: Examples per update.
    """
    from myths.lab.data.prepared import examples_of

    examples, pixels = TRAINING_SETS.get(dataset, (0, 32))
    images = epochs * (train_examples or examples or examples_of(dataset, "train", "all") or 50_000)
    return images * ((pixels / 32) ** 2 * RELATIVE_COST.get(network, 100.0) + UPDATE_OVERHEAD / batch_size) / 1000


@dataclass(frozen=True, kw_only=True)
class TrainClassifier(Trial):
    """Train a network on an image dataset and measure its test accuracy.

    The outcome has one row, and the weights as arrays. ``load_classifier`` rebuilds the network from them.
    """

    dataset: DatasetName = "cifar10"
    network: NetworkName
    epochs: Epochs
    batch_size: BatchSize = 128
    optimizer: Literal["sgd", "adamw", "muon"] = "sgd"
    """Optimizer of the weights."""
    learning_rate: LearningRate = 0.1
    schedule: Literal["one-cycle", "step", "constant", "linear"] = "one-cycle"
    """Learning rate schedule."""
    weight_decay: WeightDecay = 5e-4
    momentum: Momentum = 0.9
    label_smoothing: LabelSmoothing = 0.0
    augmentation: Literal["none", "flip", "crop-flip", "crop-flip-cutout", "shift-alternating-flip"] = "crop-flip"
    """Data augmentation."""
    train_examples: TrainExamples = 0
    """Number of training examples, the first of a seeded shuffle; 0 means all."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Numeric precision; auto means bf16 where it is faster."""
    seed: Seed = 0

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"train_seconds", "examples_per_second"})

    @property
    def protocol(self) -> Protocol:
        """Reduced on real data, because no paper used exactly these settings; stand-in on built-in data."""
        return "stand-in" if self.dataset in BUILT_IN else "reduced"

    @property
    def relative_cost(self) -> float:
        """See ``training_cost``."""
        return training_cost(self.dataset, self.network, self.epochs, self.train_examples, self.batch_size)

    @property
    def data(self) -> tuple[str, ...]:
        """Names of the datasets."""
        return (self.dataset,)

    @classmethod
    def test_instance(cls) -> TrainClassifier:
        """Return one epoch of the small CNN on 256 procedural images."""
        return cls(dataset="shapes", network="small_cnn", epochs=1.0, batch_size=32, train_examples=256)

    def run(self, context: Context) -> Outcome:
        """Train and evaluate. If training diverges, the row contains the step.

        Raises:
            UsageError: The dataset has no training split.
        """
        from myths.lab.vision.networks import initial_network, state_arrays

        images = self.images(context.device)
        x, y = self.subset(context, *images.training_split())
        classes = len(images.classes)
        network = initial_network(context, self.network, classes, x)
        training = self.train_network(context, network, x, y)
        row = {**self.evaluate(context, network, images), "n_test": len(images.y_test), "n_train": len(x), **training}
        return Outcome(rows=[row], arrays=state_arrays(network) | {"shape": np.array((classes, x.shape[1], x.shape[-1]))})

    def images(self, device: str) -> ImageSet:
        """Return the images for training and evaluation."""
        from myths.lab.data.images import image_set

        return image_set(self.dataset, device)

    def subset(self, context: Context, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the training examples that are used."""
        import torch

        if not self.train_examples:
            return x, y
        kept = torch.from_numpy(context.rng("subset").permutation(len(x))[: self.train_examples]).to(x.device)
        return x[kept], y[kept]

    def train_network(self, context: Context, network: Classifier, x: Tensor, y: Tensor) -> dict[str, Any]:
        """Train the network in place and return the row columns of the training run."""
        from myths.lab.vision.training import fit_seeded

        config = self.train_config(context.device)
        done = fit_seeded(context, network, x, y, config)
        return {
            "train_seconds": done.seconds,
            "examples_per_second": done.examples / done.seconds,
            "train_loss": done.loss,
            "steps": done.steps,
            "diverged_at": done.diverged_at,
            "parameters": sum(p.numel() for p in network.parameters()),
            "precision": config.precision,
        }

    def evaluate(self, context: Context, network: Classifier, images: ImageSet) -> dict[str, Any]:
        """Return the row columns of the evaluation."""
        from myths.lab.vision.training import accuracy, predict

        logits = predict(network, images.x_test, device=context.device, precision=self.train_config(context.device).precision)
        return {"test_accuracy_percent": 100 * accuracy(logits, images.y_test)}

    def train_config(self, device: str) -> TrainConfig:
        """Return the training hyperparameters, with "auto" precision resolved for ``device``."""
        from myths.lab.measurement.device import precision_of
        from myths.lab.vision.training import TrainConfig

        return TrainConfig(
            epochs=self.epochs,
            batch_size=self.batch_size,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            label_smoothing=self.label_smoothing,
            augmentation=self.augmentation,
            precision=precision_of(device, self.precision),
        )


def load_classifier(trial: TrainClassifier, outcome: Outcome, device: str) -> Classifier:
    """Return the trained network of an outcome in evaluation mode. It maps pixel values in 0..1 to logits.

    Raises:
        LookupError: The outcome has no weights.
    """
    import torch

    from myths.lab.vision.memory_format import place
    from myths.lab.vision.networks import build

    if "shape" not in outcome.arrays:
        raise LookupError(f"the outcome of {trial} has no weights")
    weights = dict(outcome.arrays)
    classes, channels, size = (int(n) for n in weights.pop("shape"))
    with torch.random.fork_rng(devices=[]):
        network = build(trial.network, classes, channels, size)
    network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
    place(network, device)
    return network.eval()
