"""The user's own images: which part is counted, and what the suite says of each file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import numpy as np

from myths.forgetting.trials import CountForgetting
from myths.lab.errors import UsageError
from myths.lab.setting import Items
from myths.lab.trial import Context, Outcome, Protocol, Trial, weakest

if TYPE_CHECKING:
    from myths.lab.data.folders import ImageFolder


@dataclass(frozen=True)
class Labeled:
    """A folder of images as this myth uses it: what is counted on, and what is only tested on.

    Attributes:
        train: The images to count on: the training part, or all of a folder without parts.
        train_labels: Class of each, as a position in ``classes``.
        test: The test part, or the validation part where there is no test part; None where there is neither.
        test_labels: Class of each image of ``test``.
        classes: Names of the classes of ``train``.
    """

    train: ImageFolder
    train_labels: tuple[int, ...]
    test: ImageFolder | None
    test_labels: tuple[int, ...]
    classes: tuple[str, ...]


def labeled(name: str) -> Labeled:
    """Return the images of a folder that have a class, as ``lab.data.layout`` reads it.

    Test images of a class that the training part lacks are left out.

    Raises:
        UsageError: No image has a class, or a folder with parts has no training part.
    """
    from myths.lab.data.folders import image_folder
    from myths.lab.data.layout import class_order

    folder = image_folder(name)
    layout = folder.layout
    train = [i for i in layout.indices("train" if layout.parted else "") if layout.labels[i]]
    if not any(layout.labels):
        raise UsageError(f"{name} holds images in no class folder ({folder.files[0]} …): lay them out as CLASS/image")
    if not train:
        raise UsageError(f"{name} has no training part: lay its images out as CLASS/image, or as train/CLASS/image and test/CLASS/image")
    classes = class_order({layout.labels[i] for i in train})
    number = {label: k for k, label in enumerate(classes)}
    tested = (layout.indices("test") or layout.indices("val")) if layout.parted else []
    test = [i for i in tested if layout.labels[i] in number]
    numbers = [tuple(number[layout.labels[i]] for i in positions) for positions in (train, test)]
    return Labeled(folder.pick(train), numbers[0], folder.pick(test) if test else None, numbers[1], classes)


def check_own(name: str) -> int:
    """Check before any trial runs that a set of the user's own can be counted on, and return its number of training examples.

    Raises:
        UsageError: It has no training part, images without classes, labels out of range, or a single class.
        CannotStart: It is not here.
    """
    from myths.forgetting.training import load_examples
    from myths.lab.data import prepared

    if prepared.require(name).kind == "images":
        found = labeled(name)
        n, classes = len(found.train_labels), len(found.classes)
    else:
        examples = load_examples(name, "cpu")
        n, classes = len(examples.y), examples.classes
    if classes < 2:
        raise UsageError(f"{name} has one class: there is nothing to learn, and so nothing to forget")
    return n


@dataclass(frozen=True, kw_only=True)
class ListExamples(Trial):
    """What several trainings together say of each example, one row each: for a data set of the user's own."""

    counts: Annotated[tuple[CountForgetting, ...], Items(at_least=1)]
    """Counts of several training runs."""

    @property
    def protocol(self) -> Protocol:
        """The weakest of the trainings'."""
        return weakest(c.protocol for c in self.counts)

    @property
    def data(self) -> tuple[str, ...]:
        """For the names of the files."""
        return self.counts[0].data

    @classmethod
    def tiny(cls) -> ListExamples:
        """Two trainings on digits."""
        return cls(counts=tuple(replace(CountForgetting.tiny(), seed=seed) for seed in (0, 1)))

    def run(self, context: Context) -> Outcome:
        """Rows: index, file (empty for arrays), label, events a training, trainings that never learnt it, first_learnt, margin,
        and ``removal_rank``: its place, from 1, when the least forgotten go first and, among these, the widest margin.

        ``suspicion_rank`` is its place by the smallest mean margin (the area under the margin of Pleiss et al. 2020). Mislabeled
        images have the most events too (Sec. 4.2), but one that is right by chance at first and never again counts a single one.
        """
        each = [context.outcome(trial).arrays for trial in self.counts]
        counts, margin = (np.mean([a[name] for a in each], axis=0) for name in ("counts", "margin"))
        never = np.sum([a["first_learnt"] == 0 for a in each], axis=0)
        learnt = np.array([np.where(a["first_learnt"] > 0, a["first_learnt"], np.nan) for a in each])
        first = np.nansum(learnt, axis=0) / np.maximum(len(each) - never, 1)
        dataset = self.counts[0].dataset
        files, labels = file_names(dataset, len(counts)), label_names(dataset, len(counts))
        removal, suspicion = np.lexsort((-margin, counts)), np.lexsort((-counts, margin))
        rank = {name: np.argsort(order) + 1 for name, order in (("removal_rank", removal), ("suspicion_rank", suspicion))}
        return Outcome(
            rows=[
                {
                    "index": i,
                    "file": files[i],
                    "label": labels[i],
                    "events": float(counts[i]),
                    "never_learnt_in": int(never[i]),
                    "first_learnt": float(first[i]) if never[i] < len(each) else None,
                    "margin": float(margin[i]),
                    "may_be_dropped": bool(counts[i] == 0),
                    **{name: int(places[i]) for name, places in rank.items()},
                }
                for i in range(len(counts))
            ]
        )


def file_names(dataset: str, n: int) -> list[str]:
    """Return the file of each of the first ``n`` training examples; empty names for a dataset that is no folder."""
    from myths.lab.data import prepared

    return list(labeled(dataset).train.files[:n]) if prepared.require(dataset).kind == "images" else [""] * n


def class_names(dataset: str) -> tuple[str, ...]:
    """Return the names of the classes, by class number."""
    from myths.lab.data import prepared
    from myths.lab.data.images import image_set

    return labeled(dataset).classes if prepared.require(dataset).kind == "images" else image_set(dataset, "cpu").classes


def label_names(dataset: str, n: int) -> list[str]:
    """Return the name of the class of each of the first ``n`` training examples."""
    from myths.lab.data import prepared
    from myths.lab.data.images import image_set

    classes = class_names(dataset)
    if prepared.require(dataset).kind == "images":
        return [classes[label] for label in labeled(dataset).train_labels[:n]]
    labels = image_set(dataset, "cpu").y_train
    assert labels is not None
    return [classes[label] for label in labels[:n].tolist()]
