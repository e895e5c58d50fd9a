"""Photographs: the natural images of 64 pixels that a network is trained on here, and those of 224 for a network of the user's."""

from __future__ import annotations

import csv

import torch

from myths.lab.data.folders import decode, image_folder
from myths.lab.data.images import ImageSet
from myths.lab.errors import CannotStart
from myths.saliency.names import SAMPLE

SIDE, SAMPLE_SIDE = 64, 224
PARENT = "imagenette/"
"""The photographs of ``dataset_bias`` that are used: ten classes of ImageNet, a hundred images each."""


def imagenette(device: str) -> ImageSet:
    """Ten classes of ImageNet at 64 pixels: of each, seven in ten images for training and three for testing."""
    folder = image_folder("dataset_bias").filter(lambda label: label.startswith(PARENT))
    classes = tuple(sorted(set(folder.labels)))
    images = decode(folder, SIDE)
    labels = torch.tensor([classes.index(label) for label in folder.labels])
    place = torch.zeros_like(labels)
    for c in range(len(classes)):
        place[labels == c] = torch.arange(int((labels == c).sum()))
    test = place % 10 < 3
    return ImageSet(
        name="imagenette",
        x_train=images[~test].to(device),
        y_train=labels[~test].to(device),
        x_test=images[test].to(device),
        y_test=labels[test].to(device),
        classes=tuple(c.removeprefix(PARENT) for c in classes),
    )


def imagenet_sample(device: str) -> ImageSet:
    """The photographs of ``imagenet_sample`` with ImageNet's class numbers; all of them for testing.

    Raises CannotStart when the index of the folder does not name each file with its class.
    """
    folder = image_folder(SAMPLE)
    try:
        with (folder.root / "index.csv").open(encoding="utf-8", newline="") as file:
            label_of = {row["file"]: int(row["class_index"]) for row in csv.DictReader(file)}
        labels = torch.tensor([label_of[file] for file in folder.files])
    except (OSError, KeyError, ValueError) as error:
        raise CannotStart(f"{folder.root}/index.csv does not give file and class_index of each photograph ({error})") from error
    return ImageSet(SAMPLE, None, None, decode(folder, SAMPLE_SIDE).to(device), labels.to(device), tuple(str(c) for c in range(1000)))
