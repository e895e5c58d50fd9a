"""A convolutional network names the data set, and what it has learned by that is asked for (Liu & He 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from myths.dataset_bias import sets as sets_of
from myths.dataset_bias.sets import Task, Treatment, list_name, protocol_of
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
class NameByNetwork(Trial):
    """Train a network end to end on the same split as ``NameThatDataset`` of the same seed and sizes.

    The paper trains ConvNeXt-T and others on a million images of each set at 224 pixels; here it is a small network, hundreds of images
    of 32 or 64 pixels, and crops and mirror images as augmentation.
    """

    sets: Annotated[tuple[DatasetName, ...], Items(at_least=2, distinct=True)]
    """Datasets that are told apart."""
    network: NetworkName = "small_cnn"
    epochs: Epochs = 15.0
    side: Annotated[int, Range(at_least=8, at_most=64)] = 32
    """Pixels per side to which images are resized."""
    train: Count = 700
    """Training images per dataset, at most."""
    test: Count = 300
    """Test images per dataset, at most."""
    treatment: Treatment = "none"
    """What is done to every image first."""
    seed: Seed = 0

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"train_seconds"})

    def __str__(self) -> str:
        """The list by its name."""
        how = "" if self.treatment == "none" else f", {self.treatment}"
        return f"name the set: {list_name(self.sets)}, {self.network}, {self.epochs:g} epochs{how}, split {self.seed}"

    @property
    def protocol(self) -> Protocol:
        """Reduced, or a stand-in on simulated chains."""
        return protocol_of(self.sets)

    @property
    def relative_cost(self) -> float:
        """Images seen, in thousands, times what one costs."""
        return self.epochs * self.train * len(self.sets) * (self.side / 32) ** 2 * COST.get(self.network, 10.0) / 1000

    @property
    def data(self) -> tuple[str, ...]:
        """The sets, where they are not simulated."""
        return sets_of.data_of(self.sets)

    @property
    def columns(self) -> Mapping[str, Any]:
        """What tables say of the trial that its settings alone decide."""
        return {**super().columns, "list": list_name(self.sets)}

    @classmethod
    def test_instance(cls) -> NameByNetwork:
        """Two simulated chains, one epoch."""
        return cls(sets=("chain 1", "chain 4"), epochs=1.0, train=64, test=40)

    def run(self, context: Context) -> Outcome:
        """One row: accuracy_percent (mean of the sets' recalls), chance_percent, n_train, n_test; the weights as arrays."""
        import torch

        from myths.dataset_bias import described
        from myths.dataset_bias.naming import accuracy
        from myths.lab.vision.networks import state_arrays
        from myths.lab.vision.training import fit_seeded, predict

        pictures = described.pictures(described.Choice(self.sets, self.treatment), context.device)
        train, test = (p.to(pictures.owner.device) for p in described.part(pictures.owner, pictures.groups, self.test, self.train, context))
        x = scaled(pictures.images, self.side)
        with context.seed_torch("init"):
            network = self.initial_network()
        network.calibrate(x[train])
        config = self._recipe(context.device)
        done = fit_seeded(context, network, x[train], pictures.owner[train], config)
        logits = predict(network, x[test], device=context.device, precision=config.precision).to(x.device)
        row = {"n_per_set": self.train, "n_train": len(train), "train_seconds": done.seconds, "train_loss": done.loss}
        row |= accuracy(torch.nan_to_num(logits, nan=-torch.inf), pictures.owner[test], len(self.sets))
        return Outcome(rows=[row], arrays=state_arrays(network))

    def initial_network(self) -> Classifier:
        """The network, drawn from torch's global generator."""
        from myths.lab.vision.networks import build

        return build(self.network, len(self.sets), 3, self.side)

    def _recipe(self, device: str) -> TrainConfig:
        from myths.lab.device import precision_of
        from myths.lab.vision.training import TrainConfig

        return TrainConfig(epochs=self.epochs, batch_size=64, learning_rate=0.02, precision=precision_of(device, "auto"))


@dataclass(frozen=True, kw_only=True)
class ProbeNetwork(Trial):
    """Whether the features that name data sets know objects: a linear classifier of object classes on top of them.

    Against the features of the same network before training ("random"), and the pixels themselves.
    """

    namer: NameByNetwork
    """Network whose features are probed."""
    task: Task
    """Datasets and the classes that they share."""
    features: Literal["trained", "random", "pixels"]
    """Features that the linear classifier sees."""
    size: Count = 32
    """Training images of each class of each set."""
    seed: Seed = 0

    def __str__(self) -> str:
        """What is probed for which objects."""
        return f"probe {self.features} features of {self.namer.network} for the objects of {self.task}, split {self.seed}"

    @property
    def protocol(self) -> Protocol:
        """That of the network, or of the task."""
        return protocol_of([*self.namer.sets, *sets_of.TASKS[self.task]])

    @property
    def data(self) -> tuple[str, ...]:
        """The sets of the task and of the network."""
        return sets_of.data_of([*self.namer.sets, *sets_of.TASKS[self.task]])

    @classmethod
    def test_instance(cls) -> ProbeNetwork:
        """Scenes, from features that name two simulated chains."""
        return cls(namer=NameByNetwork.test_instance(), task="chains", features="trained", size=8)

    def run(self, context: Context) -> Outcome:
        """One row: accuracy_percent (mean recall over object classes), chance_percent, classes, n_train, n_test."""
        from myths.dataset_bias import described
        from myths.dataset_bias.crossing import few_of_each, shared_classes, stratified
        from myths.dataset_bias.naming import accuracy
        from myths.lab import linear_svm

        pictures = described.pictures(described.Choice(sets_of.TASKS[self.task], extra=True), context.device)
        classes = shared_classes(self.task)
        y = described.numbered(pictures.labels, classes).to(pictures.owner.device)
        shown = (y >= 0).nonzero()[:, 0]
        y, owner = y[shown], pictures.owner[shown]
        x = self._described(scaled(pictures.images[shown], self.namer.side), context)
        train, test = stratified(y, owner, self.size, context)
        train = few_of_each(train, y, owner, self.size)
        machine = linear_svm.fit(x[train], y[train], len(classes), described.held_out(len(train), context).to(y.device))
        row = {"classes": len(classes), "n_train": len(train)} | accuracy(machine.scores(x[test]), y[test], len(classes))
        return Outcome(rows=[row])

    def _described(self, x: torch.Tensor, context: Context) -> torch.Tensor:
        import numpy as np
        import torch

        if self.features == "pixels":
            return x.flatten(1).float() / 255
        with context.seed_torch("random network"):
            network = self.namer.initial_network()
        if self.features == "trained":
            weights = context.outcome(self.namer).arrays
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
