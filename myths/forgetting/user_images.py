"""Images and class names of a dataset of the user: its training part, its test part, and the files of its examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from myths.lab.errors import UsageError

if TYPE_CHECKING:
    from myths.lab.data.folders import ImageFolder


@dataclass(frozen=True)
class UserImages:
    """A folder of images of the user, split into a training and a test part.

    Attributes:
        train: Training part, or the whole folder if it has no parts.
        train_labels: Class of each training image, as a position in ``classes``.
        test: Test part, or the validation part if there is no test part, or None.
        test_labels: Class of each image of ``test``.
        classes: Names of the classes of ``train``.
    """

    train: ImageFolder
    train_labels: tuple[int, ...]
    test: ImageFolder | None
    test_labels: tuple[int, ...]
    classes: tuple[str, ...]


def user_images(name: str) -> UserImages:
    """Return the images of a folder that have a class, as ``lab.data.layout`` reads it.

    Test images of classes without training images are excluded.

    Raises:
        UsageError: No image has a class, or a folder with parts has no training part.
    """
    from myths.lab.data.folders import image_folder
    from myths.lab.data.layout import sort_classes

    folder = image_folder(name)
    layout = folder.layout
    train = [i for i in layout.indices("train" if layout.is_split else "") if layout.labels[i]]
    if not any(layout.labels):
        raise UsageError(f"{name} has no class folders ({folder.files[0]} …): arrange its images as CLASS/image")
    if not train:
        raise UsageError(f"{name} has no training part: arrange its images as CLASS/image, or as train/CLASS/image and test/CLASS/image")
    classes = sort_classes({layout.labels[i] for i in train})
    number = {label: k for k, label in enumerate(classes)}
    tested = (layout.indices("test") or layout.indices("val")) if layout.is_split else []
    test = [i for i in tested if layout.labels[i] in number]
    numbers = [tuple(number[layout.labels[i]] for i in positions) for positions in (train, test)]
    return UserImages(folder.pick(train), numbers[0], folder.pick(test) if test else None, numbers[1], classes)


def file_names(dataset: str, n: int) -> list[str]:
    """Return the files of the first ``n`` training examples, or empty names if the dataset is not a folder."""
    from myths.lab.data import prepared

    return list(user_images(dataset).train.files[:n]) if prepared.require(dataset).kind == "images" else [""] * n


def class_names(dataset: str) -> tuple[str, ...]:
    """Return the names of the classes, by class number."""
    from myths.lab.data import prepared
    from myths.lab.data.images import image_set

    return user_images(dataset).classes if prepared.require(dataset).kind == "images" else image_set(dataset, "cpu").classes


def label_names(dataset: str, n: int) -> list[str]:
    """Return the class names of the first ``n`` training examples."""
    from myths.lab.data import prepared
    from myths.lab.data.images import image_set

    classes = class_names(dataset)
    if prepared.require(dataset).kind == "images":
        return [classes[label] for label in user_images(dataset).train_labels[:n]]
    labels = image_set(dataset, "cpu").y_train
    assert labels is not None
    return [classes[label] for label in labels[:n].tolist()]
