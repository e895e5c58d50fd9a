"""Train on one dataset and test on another: shared classes, learning curves, and negatives of other datasets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from myths.dataset_bias import sets as sets_of
from myths.dataset_bias.sets import Task, protocol_of
from myths.lab.setting import Count, Items, Seed
from myths.lab.trial import Context, Outcome, Protocol, Trial

if TYPE_CHECKING:
    import torch

    from myths.dataset_bias.average_precision import Scores


@dataclass(frozen=True, kw_only=True)
class _AcrossSets(Trial):
    """Base class: the datasets of a task, their shared classes, and one random split of each dataset."""

    task: Task
    """Datasets with shared object classes."""
    feature: Literal["gray thumbnail", "color thumbnail", "gist", "hog", "squeezenet"] = "hog"
    """Input of the classifier."""
    permuted: bool = False
    """Assign the images of each class to the datasets at random: the null control."""
    seed: Seed = 0

    @property
    def sets(self) -> tuple[str, ...]:
        """Datasets that share the classes of the task."""
        return sets_of.TASKS[self.task]

    @property
    def protocol(self) -> Protocol:
        """Protocol: "reduced" (the paper's measure on other real datasets), or "stand-in" for simulated cameras."""
        return protocol_of(self.sets)

    @property
    def data(self) -> tuple[str, ...]:
        """Prepared datasets, except simulated cameras, and the weights of the feature."""
        return sets_of.required_datasets(self.sets, self.feature)


@dataclass(frozen=True, kw_only=True)
class CrossDatasetEvaluation(_AcrossSets):
    """Train a classifier of the shared classes on each dataset and test it on every dataset (2011, Table 1), at several sizes (Table 3).

    The measure is the mean over classes of the one-vs-rest average precision. For "cars" and "persons" it is the average precision of the
    object.
    """

    train_sizes: Annotated[tuple[Count, ...], Items()]
    """Training images per class. A smaller class uses all of its images."""

    @property
    def relative_cost(self) -> float:
        """Approximate number of multiplications."""
        return sum(self.train_sizes) * len(self.sets) / 100

    @classmethod
    def test_instance(cls) -> CrossDatasetEvaluation:
        """Return scene classification across simulated cameras."""
        return cls(task="cameras", feature="gist", train_sizes=(2, 8))

    def run(self, context: Context) -> Outcome:
        """Return one row per training set, test set and size: ap_percent, n_per_class, n_train, n_test, n_classes."""
        from myths.dataset_bias.average_precision import Labeled, cross_set_ap

        classes, x, y, dataset_index = _shared(self, context)
        train, test = stratified(y, dataset_index, max(self.train_sizes), context)
        testing = [Labeled(x[i], y[i]) for i in _by_dataset(test, dataset_index, len(self.sets))]
        counted = None if self.task not in sets_of.DETECTED else [1]
        rows = []
        for n in self.train_sizes:
            training = [
                Labeled(x[i], y[i]) for i in _by_dataset(first_n_per_class(train, y, dataset_index, n), dataset_index, len(self.sets))
            ]
            ap = cross_set_ap(training, testing, lambda f, t: _fit(f, t, len(classes), context), counted)
            rows += [
                {
                    "train_set": source, "test_set": target, "n_per_class": n, "ap_percent": 100 * float(ap[i, j]),
                    "n_train": len(training[i].labels), "n_test": len(testing[j].labels), "n_classes": len(classes),
                }
                for i, source in enumerate(self.sets)
                for j, target in enumerate(self.sets)
            ]  # fmt: skip
        return Outcome(rows=rows)


@dataclass(frozen=True, kw_only=True)
class CrossDatasetNegatives(_AcrossSets):
    """Evaluate each dataset's object detector on negatives of its own dataset and of all datasets (2011, Table 2)."""

    task: Literal["cars", "persons", "cameras"]
    """Object and datasets."""
    n_per_class: Count = 80
    """Training images with the object, and as many without it."""

    @classmethod
    def test_instance(cls) -> CrossDatasetNegatives:
        """Return one scene against the others, across simulated cameras."""
        return cls(task="cameras", feature="gray thumbnail", n_per_class=3)

    def run(self, context: Context) -> Outcome:
        """Return one row per dataset: average precision on own and on all negatives, n_positive and n_negative of the test set."""
        from myths.dataset_bias.average_precision import Labeled, negative_set_ap

        _, x, y, dataset_index = _shared(self, context)
        y = (y == 1).long()
        train, test = stratified(y, dataset_index, self.n_per_class, context)
        training, testing = ([Labeled(x[i], y[i]) for i in _by_dataset(chosen, dataset_index, len(self.sets))] for chosen in (train, test))
        ap = negative_set_ap(training, testing, lambda f, t: _fit(f, t, 2, context))
        return Outcome(
            rows=[
                {
                    "set": name, "ap_own_negatives_percent": 100 * float(own), "ap_all_negatives_percent": 100 * float(every),
                    "n_positive": int(t.labels.sum()), "n_negative": int((t.labels == 0).sum()),
                }
                for name, (own, every), t in zip(self.sets, ap, testing, strict=True)
            ]
        )  # fmt: skip


def shared_classes(task: Task) -> tuple[str, ...]:
    """Return the object classes of a task, in the order of their labels.

    Raises:
        CannotStart: The datasets of the task are not available.
    """
    from myths.dataset_bias.source_sets import load

    if task in sets_of.DETECTED:
        return ("", task[:-1])
    return tuple(sorted(set.intersection(*(set(load(name).labels) for name in sets_of.TASKS[task]))))


def _shared(trial: _AcrossSets, context: Context) -> tuple[tuple[str, ...], torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the classes of a task, and the features, labels and dataset indices of the images that show one of them.

    With ``permuted``, the dataset indices are those of ``permuted_within_classes``.
    """
    from myths.dataset_bias.feature_loading import ImageSelection, encode_labels, load_features, load_images

    choice = ImageSelection(trial.sets, extra=True)
    images = load_images(choice, context.device)
    x = load_features(choice, context.device, trial.feature)
    classes = shared_classes(trial.task)
    y = encode_labels(images.superclass if trial.task in sets_of.DETECTED else images.labels, classes).to(x.device)
    shown = y >= 0
    x, y, dataset_index = x[shown], y[shown], images.dataset_index[shown]
    return classes, x, y, permuted_within_classes(dataset_index, y, context) if trial.permuted else dataset_index


def permuted_within_classes(dataset_index: torch.Tensor, y: torch.Tensor, context: Context) -> torch.Tensor:
    """Return the dataset indices, permuted among the images of each class. Every dataset keeps its number of images per class."""
    import torch

    permuted = dataset_index.clone()
    for k in y.unique().tolist():
        mine = (y == k).nonzero()[:, 0]
        order = torch.from_numpy(context.rng(f"permute {k}").permutation(len(mine))).to(mine.device)
        permuted[mine] = dataset_index[mine[order]]
    return permuted


def stratified(y: torch.Tensor, dataset_index: torch.Tensor, max_train: int, context: Context) -> tuple[torch.Tensor, torch.Tensor]:
    """Return random positions of up to ``max_train`` training images, and of 30 % test images, per class and dataset."""
    import torch

    from myths.dataset_bias.feature_loading import TEST_FRACTION

    training, testing = [], []
    cell = dataset_index.cpu() * (int(y.max()) + 1) + y.cpu()
    for c in cell.unique().tolist():
        mine = (cell == c).nonzero()[:, 0]
        mine = mine[torch.from_numpy(context.rng(f"cell {c}").permutation(len(mine)))]
        held = max(1, int(TEST_FRACTION * len(mine)))
        testing.append(mine[:held])
        training.append(mine[held : held + max_train])
    return torch.cat(training).to(y.device), torch.cat(testing).to(y.device)


def first_n_per_class(train: torch.Tensor, y: torch.Tensor, dataset_index: torch.Tensor, n: int) -> torch.Tensor:
    """Return the first ``n`` training images per class and dataset."""
    from myths.dataset_bias.feature_loading import first_n_per_group

    cell = (dataset_index[train] * (int(y.max()) + 1) + y[train]).unique(return_inverse=True)[1]
    return train[first_n_per_group(cell, n)]


def _by_dataset(chosen: torch.Tensor, dataset_index: torch.Tensor, sets: int) -> list[torch.Tensor]:
    return [chosen[dataset_index[chosen] == k] for k in range(sets)]


def _fit(features: torch.Tensor, y: torch.Tensor, classes: int, context: Context) -> Scores:
    from myths.dataset_bias.feature_loading import validation_mask
    from myths.lab import linear_svm

    return linear_svm.fit(features, y, classes, validation_mask(len(y), context).to(y.device)).scores
