"""Train a convolutional network to classify datasets, and probe its features for object classes (Liu & He 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from myths.dataset_bias import sets as sets_of
from myths.dataset_bias.sets import Task, Transform, group_name, protocol_of
from myths.lab.setting import Count, DatasetName, Epochs, Items, Range, Seed
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.lab.vision.classifier import NetworkName

if TYPE_CHECKING:
    import torch

    from myths.lab.vision.networks import Classifier
    from myths.lab.vision.training import TrainConfig

COST = {"small_cnn": 1.0, "resnet8": 2.0, "resnet18": 40.0}
"""Relative cost of an image of 32 x 32 pixels."""


@dataclass(frozen=True, kw_only=True)
class TrainDatasetClassifier(Trial):
    """Train a network to classify datasets, on the same split as ``NameThatDataset`` with equal seed and sizes.

    The paper trains ConvNeXt-T and others on a million images per dataset at 224 pixels. This trial trains a small network on hundreds of
    images
    of 32 or 64 pixels, with random crops and horizontal flips.
    """

    sets: Annotated[tuple[DatasetName, ...], Items(at_least=2, distinct=True)]
    """Datasets to distinguish."""
    network: NetworkName = "small_cnn"
    epochs: Epochs = 15.0
    image_size: Annotated[int, Range(at_least=8, at_most=64)] = 32
    """Height and width of the input in pixels."""
    max_train_per_set: Count = 700
    """Maximum number of training images per dataset."""
    max_test_per_set: Count = 300
    """Maximum number of test images per dataset."""
    transform: Transform = "none"
    """Transform applied to every image."""
    seed: Seed = 0

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"train_seconds"})

    def __str__(self) -> str:
        how = "" if self.transform == "none" else f", {self.transform}"
        return f"classify dataset: {group_name(self.sets)}, {self.network}, {self.epochs:g} epochs{how}, split {self.seed}"

    @property
    def protocol(self) -> Protocol:
        """Protocol: "reduced", or "stand-in" for simulated cameras."""
        return protocol_of(self.sets)

    @property
    def relative_cost(self) -> float:
        """Thousands of processed images times the cost per image."""
        return self.epochs * self.max_train_per_set * len(self.sets) * (self.image_size / 32) ** 2 * COST.get(self.network, 10.0) / 1000

    @property
    def data(self) -> tuple[str, ...]:
        """Prepared datasets, except simulated cameras."""
        return sets_of.required_datasets(self.sets)

    @property
    def columns(self) -> Mapping[str, Any]:
        """The settings, and the name of the group of datasets."""
        return {**super().columns, "set_group": group_name(self.sets)}

    @classmethod
    def test_instance(cls) -> TrainDatasetClassifier:
        """Return two simulated cameras and one epoch."""
        return cls(sets=("camera 1", "camera 4"), epochs=1.0, max_train_per_set=64, max_test_per_set=40)

    def run(self, context: Context) -> Outcome:
        """Return one row (accuracy_percent is the mean recall, chance_percent, n_train, n_test) and the weights as arrays."""
        import torch

        from myths.dataset_bias.feature_loading import ImageSelection, load_images, train_test_split
        from myths.dataset_bias.trials.dataset_classification import accuracy
        from myths.lab.vision.networks import state_arrays
        from myths.lab.vision.training import fit_seeded, predict

        images = load_images(ImageSelection(self.sets, self.transform), context.device)
        train, test = (
            p.to(images.dataset_index.device)
            for p in train_test_split(images.dataset_index, images.groups, self.max_test_per_set, self.max_train_per_set, context)
        )
        x = resize(images.images, self.image_size)
        with context.seed_torch("init"):
            network = self.initial_network()
        network.calibrate(x[train])
        config = self._recipe(context.device)
        done = fit_seeded(context, network, x[train], images.dataset_index[train], config)
        logits = predict(network, x[test], device=context.device, precision=config.precision).to(x.device)
        row = {"n_per_set": self.max_train_per_set, "n_train": len(train), "train_seconds": done.seconds, "train_loss": done.loss}
        row |= accuracy(torch.nan_to_num(logits, nan=-torch.inf), images.dataset_index[test], len(self.sets))
        return Outcome(rows=[row], arrays=state_arrays(network))

    def initial_network(self) -> Classifier:
        """Return a network initialized from torch's global generator."""
        from myths.lab.vision.networks import build

        return build(self.network, len(self.sets), 3, self.image_size)

    def _recipe(self, device: str) -> TrainConfig:
        from myths.lab.measurement.device import precision_of
        from myths.lab.vision.training import TrainConfig

        return TrainConfig(epochs=self.epochs, batch_size=64, learning_rate=0.02, precision=precision_of(device, "auto"))


@dataclass(frozen=True, kw_only=True)
class LinearProbe(Trial):
    """Linear probe: train a linear object classifier on features of a dataset classifier, of the untrained network, or on pixels."""

    version: ClassVar[int] = 2
    classifier: TrainDatasetClassifier
    """Dataset classifier to probe."""
    task: Task
    """Datasets with shared object classes."""
    features: Literal["trained", "random", "pixels"]
    """Input of the linear classifier."""
    n_per_class: Count = 32
    """Training images per class and dataset."""
    seed: Seed = 0

    def __str__(self) -> str:
        return f"linear probe: {self.features} features of {self.classifier.network}, objects of {self.task}, split {self.seed}"

    @property
    def protocol(self) -> Protocol:
        """Protocol: "reduced", or "stand-in" if the network or the task uses simulated cameras."""
        return protocol_of([*self.classifier.sets, *sets_of.TASKS[self.task]])

    @property
    def data(self) -> tuple[str, ...]:
        """Prepared datasets of the task and of the network."""
        return sets_of.required_datasets([*self.classifier.sets, *sets_of.TASKS[self.task]])

    @classmethod
    def test_instance(cls) -> LinearProbe:
        """Return a probe for scenes on a classifier of two simulated cameras."""
        return cls(classifier=TrainDatasetClassifier.test_instance(), task="cameras", features="trained", n_per_class=8)

    def run(self, context: Context) -> Outcome:
        """Return one row: accuracy_percent (mean recall over object classes), chance_percent, n_classes, n_train, n_test."""
        from myths.dataset_bias.feature_loading import ImageSelection, encode_labels, load_images, validation_mask
        from myths.dataset_bias.trials.cross_dataset import first_n_per_class, shared_classes, stratified
        from myths.dataset_bias.trials.dataset_classification import accuracy
        from myths.lab import linear_svm

        images = load_images(ImageSelection(sets_of.TASKS[self.task], extra=True), context.device)
        classes = shared_classes(self.task)
        y = encode_labels(images.labels, classes).to(images.dataset_index.device)
        shown = (y >= 0).nonzero()[:, 0]
        y, dataset_index = y[shown], images.dataset_index[shown]
        train, test = stratified(y, dataset_index, self.n_per_class, context)
        train = first_n_per_class(train, y, dataset_index, self.n_per_class)
        x = self._features_of(resize(images.images[shown], self.classifier.image_size), train, context)
        machine = linear_svm.fit(x[train], y[train], len(classes), validation_mask(len(train), context).to(y.device))
        row = {"n_classes": len(classes), "n_train": len(train)} | accuracy(machine.scores(x[test]), y[test], len(classes))
        return Outcome(rows=[row])

    def _features_of(self, x: torch.Tensor, train: torch.Tensor, context: Context) -> torch.Tensor:
        """Return the features of all images. The untrained network is calibrated on the training images."""
        import numpy as np
        import torch

        if self.features == "pixels":
            return x.flatten(1).float() / 255
        with context.seed_torch("random network"):
            network = self.classifier.initial_network()
        if self.features == "trained":
            weights = context.outcome(self.classifier).arrays
            network.load_state_dict({name: torch.from_numpy(np.array(weights[name])) for name in network.state_dict()})
        else:
            network.calibrate(x[train])
        network = network.to(x.device).eval()
        with torch.inference_mode():
            return torch.cat([network.features(piece.float() / 255) for piece in x.split(500)]).clone()


def resize(images: torch.Tensor, image_size: int) -> torch.Tensor:
    """Resize uint8 images [n 3 h w] to ``image_size`` pixels with antialiasing."""
    import torch
    import torch.nn.functional as F

    if images.shape[-1] == image_size:
        return images
    small = [F.interpolate(p.float(), size=(image_size, image_size), mode="bilinear", antialias=True) for p in images.split(2000)]
    return torch.cat(small).round_().clamp_(0, 255).to(torch.uint8)
