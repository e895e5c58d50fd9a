"""A convolutional network names the data set, and what it has learned by that is asked for (Liu & He 2024)."""

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
"""Relative cost of an image of 32 pixels."""


@dataclass(frozen=True, kw_only=True)
class TrainDatasetClassifier(Trial):
    """Train a network end to end on the same split as ``NameThatDataset`` of the same seed and sizes.

    The paper trains ConvNeXt-T and others on a million images of each set at 224 pixels; here it is a small network, hundreds of images
    of 32 or 64 pixels, and crops and mirror images as augmentation.
    """

    sets: Annotated[tuple[DatasetName, ...], Items(at_least=2, distinct=True)]
    """Datasets that are told apart."""
    network: NetworkName = "small_cnn"
    epochs: Epochs = 15.0
    image_size: Annotated[int, Range(at_least=8, at_most=64)] = 32
    """Pixels per side to which images are resized."""
    max_train_per_set: Count = 700
    """Training images per dataset, at most."""
    max_test_per_set: Count = 300
    """Test images per dataset, at most."""
    transform: Transform = "none"
    """What is done to every image first."""
    seed: Seed = 0

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"train_seconds"})

    def __str__(self) -> str:
        """The list by its name."""
        how = "" if self.transform == "none" else f", {self.transform}"
        return f"name the set: {group_name(self.sets)}, {self.network}, {self.epochs:g} epochs{how}, split {self.seed}"

    @property
    def protocol(self) -> Protocol:
        """Reduced, or a stand-in on simulated chains."""
        return protocol_of(self.sets)

    @property
    def relative_cost(self) -> float:
        """Images seen, in thousands, times what one costs."""
        return self.epochs * self.max_train_per_set * len(self.sets) * (self.image_size / 32) ** 2 * COST.get(self.network, 10.0) / 1000

    @property
    def data(self) -> tuple[str, ...]:
        """The sets, where they are not simulated."""
        return sets_of.required_datasets(self.sets)

    @property
    def columns(self) -> Mapping[str, Any]:
        """What tables say of the trial that its settings alone decide."""
        return {**super().columns, "set_group": group_name(self.sets)}

    @classmethod
    def test_instance(cls) -> TrainDatasetClassifier:
        """Two simulated chains, one epoch."""
        return cls(sets=("camera 1", "camera 4"), epochs=1.0, max_train_per_set=64, max_test_per_set=40)

    def run(self, context: Context) -> Outcome:
        """One row: accuracy_percent (mean of the sets' recalls), chance_percent, n_train, n_test; the weights as arrays."""
        import torch

        from myths.dataset_bias import feature_loading
        from myths.dataset_bias.trials.dataset_classification import accuracy
        from myths.lab.vision.networks import state_arrays
        from myths.lab.vision.training import fit_seeded, predict

        images = feature_loading.load_images(feature_loading.ImageSelection(self.sets, self.transform), context.device)
        train, test = (
            p.to(images.dataset_index.device)
            for p in feature_loading.train_test_split(
                images.dataset_index, images.groups, self.max_test_per_set, self.max_train_per_set, context
            )
        )
        x = scaled(images.images, self.image_size)
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
        """The network, drawn from torch's global generator."""
        from myths.lab.vision.networks import build

        return build(self.network, len(self.sets), 3, self.image_size)

    def _recipe(self, device: str) -> TrainConfig:
        from myths.lab.device import precision_of
        from myths.lab.vision.training import TrainConfig

        return TrainConfig(epochs=self.epochs, batch_size=64, learning_rate=0.02, precision=precision_of(device, "auto"))


@dataclass(frozen=True, kw_only=True)
class LinearProbe(Trial):
    """Whether the features that name data sets know objects: a linear classifier of object classes on top of them.

    Against the features of the same network before training ("random"), and the pixels themselves.
    """

    classifier: TrainDatasetClassifier
    """Network whose features are probed."""
    task: Task
    """Datasets and the classes that they share."""
    features: Literal["trained", "random", "pixels"]
    """Features that the linear classifier sees."""
    n_per_class: Count = 32
    """Training images of each class of each set."""
    seed: Seed = 0

    def __str__(self) -> str:
        """What is probed for which objects."""
        return f"probe {self.features} features of {self.classifier.network} for the objects of {self.task}, split {self.seed}"

    @property
    def protocol(self) -> Protocol:
        """That of the network, or of the task."""
        return protocol_of([*self.classifier.sets, *sets_of.TASKS[self.task]])

    @property
    def data(self) -> tuple[str, ...]:
        """The sets of the task and of the network."""
        return sets_of.required_datasets([*self.classifier.sets, *sets_of.TASKS[self.task]])

    @classmethod
    def test_instance(cls) -> LinearProbe:
        """Scenes, from features that name two simulated chains."""
        return cls(classifier=TrainDatasetClassifier.test_instance(), task="cameras", features="trained", n_per_class=8)

    def run(self, context: Context) -> Outcome:
        """One row: accuracy_percent (mean recall over object classes), chance_percent, classes, n_train, n_test."""
        from myths.dataset_bias import feature_loading
        from myths.dataset_bias.trials.cross_dataset import first_n_per_class, shared_classes, stratified
        from myths.dataset_bias.trials.dataset_classification import accuracy
        from myths.lab import linear_svm

        images = feature_loading.load_images(feature_loading.ImageSelection(sets_of.TASKS[self.task], extra=True), context.device)
        classes = shared_classes(self.task)
        y = feature_loading.encode_labels(images.labels, classes).to(images.dataset_index.device)
        shown = (y >= 0).nonzero()[:, 0]
        y, dataset_index = y[shown], images.dataset_index[shown]
        x = self._features_of(scaled(images.images[shown], self.classifier.image_size), context)
        train, test = stratified(y, dataset_index, self.n_per_class, context)
        train = first_n_per_class(train, y, dataset_index, self.n_per_class)
        machine = linear_svm.fit(x[train], y[train], len(classes), feature_loading.validation_mask(len(train), context).to(y.device))
        row = {"n_classes": len(classes), "n_train": len(train)} | accuracy(machine.scores(x[test]), y[test], len(classes))
        return Outcome(rows=[row])

    def _features_of(self, x: torch.Tensor, context: Context) -> torch.Tensor:
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
            network.calibrate(x)
        network = network.to(x.device).eval()
        with torch.inference_mode():
            return torch.cat([network.features(piece.float() / 255) for piece in x.split(500)]).clone()


def scaled(images: torch.Tensor, side: int) -> torch.Tensor:
    """Images [n, 3, h, w] resized to ``side`` pixels with antialiasing, as bytes."""
    import torch
    import torch.nn.functional as F

    if images.shape[-1] == side:
        return images
    small = [F.interpolate(p.float(), size=(side, side), mode="bilinear", antialias=True) for p in images.split(2000)]
    return torch.cat(small).round_().clamp_(0, 255).to(torch.uint8)
