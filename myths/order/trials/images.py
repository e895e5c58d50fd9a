"""Trials that follow which images a network classifies correctly while it learns, and compare two networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np

from myths.lab.errors import UsageError
from myths.lab.setting import BatchSize, DatasetName, Epochs, Items, LearningRate, Momentum, Range, Seed, TrainExamples, WeightDecay
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.order.network_names import RELATIVE_COST, NetworkName

if TYPE_CHECKING:
    from torch import Tensor

    from myths.lab.vision.networks import Classifier
    from myths.lab.vision.training import TrainConfig, TrainResult

    Examples = tuple[Tensor, Tensor]

PROBED = 4000
"""Largest number of images that are followed."""
BUILT_IN = ("digits", "shapes")


@dataclass(frozen=True, kw_only=True)
class TrackImages(Trial):
    """Train a network and record at each checkpoint which images it classifies correctly.

    Initial weights and the order of the data both depend on the seed. The training images are the same for every seed.
    """

    dataset: DatasetName = "cifar100"
    network: NetworkName = "small_cnn"
    epochs: Epochs = 6.0
    batch_size: BatchSize = 128
    learning_rate: LearningRate = 0.05
    momentum: Momentum = 0.9
    weight_decay: WeightDecay = 5e-4
    train_examples: TrainExamples = 0
    checkpoints: Annotated[int, Range(at_least=5, at_most=500)] = 30
    """Number of checkpoints."""
    followed: Literal["test", "train"] = "test"
    """Images that are followed: the first 4,000 test images, or the first 4,000 training images."""
    labels: Literal["true", "shuffled"] = "true"
    """Labels of the training images."""
    label_seed: Annotated[int, Range(at_least=0)] = 0
    """Seed of the permutation of shuffled labels."""
    inputs: Literal["images", "noise"] = "images"
    """Training images: those of the dataset, or uniform noise."""
    groupings: Annotated[int, Range(at_least=0)] = 0
    """Number of random groupings of the classes that are compared with the superclasses; 0 compares none."""
    seed: Seed = 0

    published_arrays: ClassVar[tuple[str, ...]] = ("correct", "images")
    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"train_seconds"})

    @property
    def protocol(self) -> Protocol:
        """Return "reduced" on CIFAR-100, and "stand-in" on other datasets."""
        return "reduced" if self.dataset == "cifar100" else "stand-in"

    @property
    def relative_cost(self) -> float:
        """Return images seen in training and at checkpoints (a quarter of the cost each), times the cost of the network."""
        known = {"digits": 1197, "shapes": 1200}.get(self.dataset, 50_000)
        size = 1 / 16 if self.dataset in BUILT_IN else 1.0
        trained = self.train_examples or known
        probed = min(PROBED, trained if self.followed == "train" else known)
        return (self.epochs * trained + self.checkpoints * probed / 4) * RELATIVE_COST[self.network] * size / 1000

    @property
    def data(self) -> tuple[str, ...]:
        """Return the dataset."""
        return (self.dataset,)

    @classmethod
    def test_instance(cls) -> TrackImages:
        """Return two epochs of the small CNN's smaller sibling on digits."""
        return cls(dataset="digits", network="mnist_cnn", epochs=2.0, batch_size=64, train_examples=300, checkpoints=8, groupings=5)

    def run(self, context: Context) -> Outcome:
        """Return one row of ``kind`` "checkpoint" per checkpoint and one of ``kind`` "summary".

        "checkpoint": step, accuracy, accuracy of the superclasses corrected for chance (κ), mean and largest κ of the random groupings,
        how many of them reach the κ of the superclasses, and the percentage of errors inside the superclass. "summary": final accuracy,
        seconds, and the step at which training diverged. All are on the followed images. Arrays: ``correct``, packed bits [checkpoints,
        images], and ``images``, the number of images.
        """
        x, y, x_test, y_test, grouping = self.examples(context)
        shown = (x_test, y_test) if self.followed == "test" else (x, y)
        probe, done = self.follow(context, (x, y), shown, grouping, self._random_groupings(grouping))
        correct = np.array(probe.correct)
        summary = {
            "kind": "summary", "accuracy_percent": 100 * float(correct[-1].mean()), "n": correct.shape[1], "n_train": len(x),
            "train_seconds": done.seconds, "diverged_at": done.diverged_at,
        }  # fmt: skip
        arrays = {"correct": np.packbits(correct, axis=1), "images": np.array(correct.shape[1])}
        return Outcome(rows=[*probe.rows, summary], arrays=arrays)

    def follow(
        self, context: Context, training: Examples, shown: Examples, grouping: np.ndarray, random: Sequence[np.ndarray] = ()
    ) -> tuple[Probe, TrainResult]:
        """Train a network with these settings and record its predictions at every checkpoint.

        Args:
            context: Context of the trial that trains, whose seed sets initial weights and the order of the data.
            training: Training images and labels.
            shown: Images and labels that are followed; the first 4,000 are used.
            grouping: Superclass of each class.
            random: Random groupings to compare with the superclasses.
        """
        from myths.lab.vision.training import Hooks, fit_seeded, steps_per_epoch
        from myths.order.image_order import checkpoint_steps
        from myths.order.networks import initial_network

        x, y = training
        network = initial_network(context, self.network, len(grouping), x)
        config = self.train_config(context.device)
        probe = Probe(shown[0][:PROBED], shown[1][:PROBED].cpu().numpy(), grouping, random, config)
        due = set(checkpoint_steps(max(1, round(self.epochs * steps_per_epoch(len(x), self.batch_size))), self.checkpoints))

        def before_update(step: int) -> None:
            if step in due:
                probe.take(network, step, context.device)

        done = fit_seeded(context, network, x, y, config, Hooks(before_update=before_update))
        probe.take(network, done.steps, context.device)
        return probe, done

    def _random_groupings(self, grouping: np.ndarray) -> list[np.ndarray]:
        """Return the same random groupings for every seed."""
        from myths.order.image_order import random_groupings

        return random_groupings(grouping, self.groupings, np.random.default_rng(20))

    def examples(self, context: Context) -> tuple[Tensor, Tensor, Tensor, Tensor, np.ndarray]:
        """Return training images and labels, test images and labels, and the superclass of each class.

        Raises:
            UsageError: The dataset has no training part, or has no superclasses although groupings are compared.
        """
        import torch

        from myths.lab.data import prepared
        from myths.lab.data.images import image_set
        from myths.order.image_order import DIGIT_GROUPS

        images = image_set(self.dataset, context.device)
        x, y = images.training_split()
        if self.train_examples:
            x, y = x[: self.train_examples], y[: self.train_examples]
        if self.labels == "shuffled":
            y = y[torch.from_numpy(np.random.default_rng([self.label_seed, 1]).permutation(len(y))).to(y.device)]
        if self.inputs == "noise":
            x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, tuple(x.shape), dtype=np.uint8)).to(x.device)
        if self.dataset == "digits":
            grouping = np.array(DIGIT_GROUPS)
        else:
            known = prepared.load(self.dataset).get("fine_to_coarse") if self.groupings else None
            if self.groupings and known is None:
                raise UsageError(f"Invalid groupings={self.groupings}: {self.dataset} has no superclasses, expected 0")
            grouping = np.zeros(len(images.classes), dtype=int) if known is None else known.astype(int)
        return x, y, images.x_test, images.y_test, grouping

    def train_config(self, device: str) -> TrainConfig:
        """Return the hyperparameters of training, without augmentation: an image is the same at every presentation."""
        from myths.lab.measurement.device import precision_of
        from myths.lab.vision.training import TrainConfig

        return TrainConfig(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            augmentation="none",
            precision=precision_of(device, "auto"),
        )


class Probe:
    """Record at checkpoints which images are classified correctly, and the accuracy of groupings of the classes."""

    def __init__(self, x: Tensor, labels: np.ndarray, grouping: np.ndarray, random: Sequence[np.ndarray], config: TrainConfig):
        self.x, self.labels, self.grouping, self.random, self.config = x, labels, grouping, random, config
        self.correct: list[np.ndarray] = []
        self.rows: list[dict[str, Any]] = []

    def take(self, network: Classifier, step: int, device: str) -> None:
        """Predict all followed images."""
        from myths.lab.vision.training import predict

        logits = predict(network, self.x, device=device, precision=self.config.precision)
        self.correct.append(logits.argmax(1).numpy() == self.labels)
        self.rows.append(self._row(step, logits.softmax(1).numpy()))

    def _row(self, step: int, probabilities: np.ndarray) -> dict[str, Any]:
        from myths.order.image_order import chance_corrected, grouped_accuracy

        predicted, labels = probabilities.argmax(1), self.labels
        accuracy = float((predicted == labels).mean())
        row: dict[str, Any] = {
            "kind": "checkpoint", "step": step, "accuracy_percent": 100 * accuracy, "kappa": chance_corrected(accuracy, labels),
        }  # fmt: skip
        if self.random:
            found = grouped_accuracy(probabilities, labels, [self.grouping, *self.random])
            kappas = [
                chance_corrected(float(a), grouping[labels]) for a, grouping in zip(found, [self.grouping, *self.random], strict=True)
            ]
            wrong = predicted != labels
            inside = self.grouping[predicted[wrong]] == self.grouping[labels[wrong]]
            row |= {
                "superclass_kappa": kappas[0],
                "random_kappa": float(np.mean(kappas[1:])),
                "largest_random_kappa": max(kappas[1:]),
                "random_as_good": sum(kappa >= kappas[0] for kappa in kappas[1:]),
                "errors_inside_percent": 100 * float(inside.mean()) if wrong.any() else None,
            }
        return row


@dataclass(frozen=True, kw_only=True)
class CompareOrders(Trial):
    """Correlate the orders in which two networks, or two groups of networks, learn the same images (Hacohen et al. 2020)."""

    first: Annotated[tuple[TrackImages, ...], Items(at_least=1)]
    """Networks of the first group; their scores are averaged."""
    second: Annotated[tuple[TrackImages, ...], Items(at_least=1)]
    """Networks of the second group."""
    pair: Annotated[int, Range(at_least=0)] = 0
    """Number of the pair. Pairs of one comparison share no network."""

    def __post_init__(self) -> None:
        super().__post_init__()
        each = (*self.first, *self.second)
        if len({(one.dataset, one.followed, one.train_examples if one.followed == "train" else 0) for one in each}) > 1:
            raise UsageError("Invalid first and second: their networks did not follow the same images")

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the columns of tables that the settings determine."""
        return {**super().columns, **self.setting}

    @property
    def setting(self) -> dict[str, Any]:
        """Return what was compared: dataset, networks, labels and inputs of both groups, and the number of networks in each."""
        one, other = self.first[0], self.second[0]
        same_labels = one.label_seed == other.label_seed
        labels = one.labels if one.labels == "true" or same_labels else f"{one.labels} twice"
        return {
            "dataset": one.dataset,
            "networks": one.network if one.network == other.network else f"{one.network} and {other.network}",
            "labels": labels,
            "inputs": one.inputs,
            "followed": one.followed,
            "train_examples": one.train_examples,
            "group_size": len(self.first),
        }

    @classmethod
    def test_instance(cls) -> CompareOrders:
        """Return two seeds on digits."""
        one = TrackImages.test_instance()
        return cls(first=(one,), second=(replace(one, seed=1),))

    def run(self, context: Context) -> Outcome:
        """Return one row of ``kind`` "order" and the joint histogram of the two scores (``kind`` "joint").

        "order": Spearman's ρ of the scores, ρ with scores from checkpoints of equal accuracy (of the first networks of both groups), n, and
        the percentage of images that both networks classify correctly always or never.
        """
        from myths.order.image_order import at_equal_accuracy, rank_correlation, scores

        groups = [[correct_predictions(context, trial) for trial in group] for group in (self.first, self.second)]
        first, second = (np.mean([scores(correct) for correct in group], axis=0) for group in groups)
        equal = at_equal_accuracy(groups[0][0], groups[1][0])
        tied = [(score == 0) | (score == 1) for score in (first, second)]
        row = {
            "kind": "order",
            "spearman": rank_correlation(first, second),
            "spearman_equal_accuracy": rank_correlation(*map(scores, equal)),
            "n": len(first),
            "always_or_never_percent": 100 * float((tied[0] & tied[1]).mean()),
        }
        bins = [np.round(10 * score).astype(int) for score in (first, second)]
        pairs, counts = np.unique(np.stack(bins, 1), axis=0, return_counts=True)
        joint = [
            {"kind": "joint", "first_score": a / 10, "second_score": b / 10, "images": int(k)}
            for (a, b), k in zip(pairs.tolist(), counts.tolist(), strict=True)
        ]
        return Outcome(rows=[row, *joint])


def correct_predictions(context: Context, trial: TrackImages) -> np.ndarray:
    """Return which images a finished trial classified correctly, [checkpoints, images]."""
    arrays = context.outcome(trial).arrays
    return np.unpackbits(arrays["correct"], axis=1, count=int(arrays["images"])).astype(bool)
