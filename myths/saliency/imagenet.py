"""ImageNet images: Imagenette at 64 pixels, and the sample of 224 pixels for pretrained networks."""

from __future__ import annotations

import csv

import torch

from myths.lab.data.folders import decode, image_folder
from myths.lab.data.images import ImageSet
from myths.lab.errors import CannotStart
from myths.saliency.names import IMAGENET_SAMPLE

IMAGENETTE_SIZE, IMAGENET_SIZE = 64, 224
PARENT = "imagenette/"
"""Folder of ``dataset_bias`` that holds ten classes of ImageNet, 100 images each."""


def imagenette(device: str) -> ImageSet:
    """Return ten classes of ImageNet at 64 pixels, 70 % of each class for training and 30 % for testing."""
    folder = image_folder("dataset_bias").filter(lambda label: label.startswith(PARENT))
    classes = tuple(sorted(set(folder.labels)))
    images = decode(folder, IMAGENETTE_SIZE)
    labels = torch.tensor([classes.index(label) for label in folder.labels])
    index_in_class = torch.zeros_like(labels)
    for c in range(len(classes)):
        index_in_class[labels == c] = torch.arange(int((labels == c).sum()))
    test = index_in_class % 10 < 3
    return ImageSet(
        name="imagenette",
        x_train=images[~test].to(device),
        y_train=labels[~test].to(device),
        x_test=images[test].to(device),
        y_test=labels[test].to(device),
        classes=tuple(c.removeprefix(PARENT) for c in classes),
    )


def imagenet_sample(device: str) -> ImageSet:
    """Return the images of ``imagenet_sample`` with the class indices of ImageNet; all are test images.

    Raises:
        CannotStart: index.csv does not list each file with its class.
    """
    folder = image_folder(IMAGENET_SAMPLE)
    try:
        with (folder.root / "index.csv").open(encoding="utf-8", newline="") as file:
            label_of = {row["file"]: int(row["class_index"]) for row in csv.DictReader(file)}
        labels = torch.tensor([label_of[file] for file in folder.files])
    except (OSError, KeyError, ValueError) as error:
        raise CannotStart(f"{folder.root}/index.csv must have the columns file and class_index for every image ({error})") from error
    classes = tuple(str(c) for c in range(1000))
    return ImageSet(IMAGENET_SAMPLE, None, None, decode(folder, IMAGENET_SIZE).to(device), labels.to(device), classes)
