"""Train on one set, test on another: the classes that sets share, learning curves across sets, and foreign negatives."""

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
    """What the trials across sets have in common: the sets of a task, their classes, and one random split of each set."""

    task: Task
    """Datasets that are crossed, with the classes that they share."""
    feature: Literal["gray thumbnail", "color thumbnail", "gist", "hog"] = "hog"
    """Features of the images that the classifier sees."""
    seed: Seed = 0

    @property
    def sets(self) -> tuple[str, ...]:
        """The sets that share the classes of the task."""
        return sets_of.TASKS[self.task]

    @property
    def protocol(self) -> Protocol:
        """Reduced: the question and measure of the paper on other real sets; a stand-in on simulated chains."""
        return protocol_of(self.sets)

    @property
    def data(self) -> tuple[str, ...]:
        """The sets, where they are not simulated."""
        return sets_of.required_datasets(self.sets)


@dataclass(frozen=True, kw_only=True)
class CrossDatasetEvaluation(_AcrossSets):
    """A classifier of the shared classes from each set, tested on every set (2011, Table 1), at several training sizes (Table 3).

    ``train_sizes`` count the training images of each class, or what a set has of it. The measure is the mean over classes of the
    average precision of one class against the rest; for "cars" and "persons" that of the object alone.
    """

    train_sizes: Annotated[tuple[Count, ...], Items()]
    """Training images per class."""

    @property
    def relative_cost(self) -> float:
        """About the number of multiplications."""
        return sum(self.train_sizes) * len(self.sets) / 100

    @classmethod
    def test_instance(cls) -> CrossDatasetEvaluation:
        """Which of the scenes a crop shows, across simulated chains."""
        return cls(task="cameras", feature="gist", train_sizes=(2, 8))

    def run(self, context: Context) -> Outcome:
        """A row for each training set, test set and size: ap_percent, n_per_class, n_train, n_test."""
        from myths.dataset_bias import average_precision

        classes, x, y, dataset_index = _shared(self, context)
        train, test = stratified(y, dataset_index, max(self.train_sizes), context)
        testing = [average_precision.Labeled(x[i], y[i]) for i in _by_dataset(test, dataset_index, len(self.sets))]
        counted = None if self.task not in ("cars", "persons") else [1]
        rows = []
        for n in self.train_sizes:
            training = [
                average_precision.Labeled(x[i], y[i])
                for i in _by_dataset(first_n_per_class(train, y, dataset_index, n), dataset_index, len(self.sets))
            ]
            ap = average_precision.cross_set_ap(training, testing, lambda f, t: _fit(f, t, len(classes), context), counted)
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
    """Each set's own detector of an object, against the set's own negatives and against those of all sets (2011, Table 2)."""

    task: Literal["cars", "persons", "cameras"]
    """Datasets that are crossed, and the object."""
    n_per_class: Count = 80
    """Training images with the object, and as many without."""

    @classmethod
    def test_instance(cls) -> CrossDatasetNegatives:
        """One scene against the others, in simulated chains."""
        return cls(task="cameras", feature="gray thumbnail", n_per_class=3)

    def run(self, context: Context) -> Outcome:
        """A row for each set: ap_own_negatives_percent, ap_all_negatives_percent (AP), n_positive, n_negative of the test."""
        from myths.dataset_bias import average_precision

        _, x, y, dataset_index = _shared(self, context)
        y = (y == 1).long()
        train, test = stratified(y, dataset_index, self.n_per_class, context)
        training, testing = (
            [average_precision.Labeled(x[i], y[i]) for i in _by_dataset(chosen, dataset_index, len(self.sets))] for chosen in (train, test)
        )
        ap = average_precision.negative_set_ap(training, testing, lambda f, t: _fit(f, t, 2, context))
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
    """The object classes of a task, in the order of their numbers. Raises CannotStart when its data are not here."""
    from myths.dataset_bias.source_sets import load

    if task in ("cars", "persons"):
        return ("", task[:-1])
    return tuple(sorted(set.intersection(*(set(load(name).labels) for name in sets_of.TASKS[task]))))


def _shared(trial: _AcrossSets, context: Context) -> tuple[tuple[str, ...], torch.Tensor, torch.Tensor, torch.Tensor]:
    """Classes, features, class numbers and owners of the images of a task that show one of its classes."""
    from myths.dataset_bias import feature_loading

    choice = feature_loading.ImageSelection(trial.sets, extra=True)
    images = feature_loading.load_images(choice, context.device)
    x = feature_loading.load_features(choice, context.device, trial.feature)
    classes = shared_classes(trial.task)
    y = feature_loading.encode_labels(images.superclass if trial.task in ("cars", "persons") else images.labels, classes).to(x.device)
    return classes, x[y >= 0], y[y >= 0], images.dataset_index[y >= 0]


def stratified(y: torch.Tensor, dataset_index: torch.Tensor, most: int, context: Context) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions of up to ``most`` training images, and of 30 % test images, of each class of each set, in random order."""
    import torch

    from myths.dataset_bias.feature_loading import TEST_FRACTION

    training, testing = [], []
    cell = dataset_index.cpu() * (int(y.max()) + 1) + y.cpu()
    for c in cell.unique().tolist():
        mine = (cell == c).nonzero()[:, 0]
        mine = mine[torch.from_numpy(context.rng(f"cell {c}").permutation(len(mine)))]
        held = max(1, int(TEST_FRACTION * len(mine)))
        testing.append(mine[:held])
        training.append(mine[held : held + most])
    return torch.cat(training).to(y.device), torch.cat(testing).to(y.device)


def first_n_per_class(train: torch.Tensor, y: torch.Tensor, dataset_index: torch.Tensor, n: int) -> torch.Tensor:
    """The first ``n`` training images of each class of each set."""
    from myths.dataset_bias.feature_loading import first_n_per_group

    cell = (dataset_index[train] * (int(y.max()) + 1) + y[train]).unique(return_inverse=True)[1]
    return train[first_n_per_group(cell, n)]


def _by_dataset(chosen: torch.Tensor, dataset_index: torch.Tensor, sets: int) -> list[torch.Tensor]:
    return [chosen[dataset_index[chosen] == k] for k in range(sets)]


def _fit(features: torch.Tensor, y: torch.Tensor, classes: int, context: Context) -> Scores:
    from myths.dataset_bias.feature_loading import validation_mask
    from myths.lab import linear_svm

    return linear_svm.fit(features, y, classes, validation_mask(len(y), context).to(y.device)).scores
