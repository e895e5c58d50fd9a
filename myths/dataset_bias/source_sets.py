"""Load the images of a dataset from any source."""

from __future__ import annotations

import csv
import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from myths.dataset_bias import simulated_cameras
from myths.dataset_bias.sets import PREPARED, REAL, is_simulated_camera
from myths.lab.data import prepared
from myths.lab.data.folders import ImageFolder, decode, image_folder
from myths.lab.data.images import image_set
from myths.lab.errors import UsageError

IMAGE_SIZE = 64
"""Height and width of every image in pixels."""
MIN_IMAGES = 40
"""Minimum number of images per dataset (28 training, 12 test)."""


@dataclass(frozen=True)
class SourceSet:
    """The images of one dataset, in a fixed order.

    Attributes:
        name: Name of the dataset.
        images: Images as uint8.
        labels: Object class of each image, or "".
        superclass: "car", "person" or "" of each image.
        sampled: Whether the image is in the random sample of the dataset. The others are additional images of cars and persons.
        groups: Group of each image, such as the crops of one scene. A group is never divided between training and test data.
    """

    name: str
    images: UInt8[Tensor, "n 3 side side"]
    labels: tuple[str, ...]
    superclass: tuple[str, ...]
    sampled: Bool[Tensor, " n"]
    groups: Int64[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.images)

    def keep(self, kept: Bool[Tensor, " n"]) -> SourceSet:
        """Return the images for which ``kept`` is True."""
        chosen = kept.nonzero()[:, 0].tolist()
        return replace(
            self,
            images=self.images[kept],
            labels=tuple(self.labels[i] for i in chosen),
            superclass=tuple(self.superclass[i] for i in chosen),
            sampled=self.sampled[kept],
            groups=self.groups[kept],
        )

    def sample(self) -> SourceSet:
        """Return the random sample of the dataset."""
        return self.keep(self.sampled)


def load(name: str) -> SourceSet:
    """Return a dataset on the CPU: one of ``dataset_bias``, a simulated camera, or a user dataset.

    Raises:
        CannotStart: The dataset is not available.
    """
    if is_simulated_camera(name):
        return _camera(name)
    if name in REAL:
        return _real(name, prepared.require(PREPARED).sha256)
    return _own(name, prepared.require(name).sha256)


def check_user_datasets(names: Sequence[str]) -> None:
    """Check the datasets of ``--data``.

    Raises:
        UsageError: A dataset is given twice, alone, or has too few images.
    """
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"--data names {twice[0]} twice; expected different datasets. The null control splits each dataset by itself")
    if len(names) == 1:
        raise UsageError(f"--data names only {names[0]}; expected two or more datasets, for example --data mine,theirs")
    for name in names:
        if (n := len(load(name))) < MIN_IMAGES:
            raise UsageError(
                f"{name} has {n} images; at least {MIN_IMAGES} per dataset are required, and several hundred for a narrow interval"
            )


@functools.lru_cache(maxsize=32)
def _camera(name: str) -> SourceSet:
    images, scenes, names = simulated_cameras.photographs_of(name)
    n = len(images)
    return SourceSet(name, images, names, ("",) * n, torch.ones(n, dtype=torch.bool), scenes)


@functools.lru_cache(maxsize=32)
def _real(name: str, sha256: str) -> SourceSet:
    """Load a dataset of ``dataset_bias``. ``sha256`` invalidates the cache if the folder was replaced."""
    folder = image_folder(PREPARED)
    index = _index(folder.root)
    own = folder.filter(lambda label: label.split("/")[0] == name)
    superclass = tuple(index[file]["coarse"] for file in own.files)
    sampled = torch.tensor([index[file]["random_sample"] == "True" for file in own.files])
    return _of_folder(name, own, tuple(label.split("/")[-1] for label in own.labels), superclass, sampled)


@functools.lru_cache(maxsize=32)
def _own(name: str, sha256: str) -> SourceSet:
    if prepared.require(name).kind == "images":
        folder = image_folder(name)
        n = len(folder)
        return _of_folder(name, folder, folder.layout.labels, ("",) * n, torch.ones(n, dtype=torch.bool))
    found = image_set(name, "cpu")
    parts = [x for x in (found.x_train, found.x_test) if x is not None]
    images = torch.cat([_resize(x) for x in parts])
    numbers = torch.cat([y for y in (found.y_train, found.y_test) if y is not None]).tolist()
    n = len(images)
    labels = tuple(found.classes[i] for i in numbers)
    return SourceSet(name, images, labels, ("",) * n, torch.ones(n, dtype=torch.bool), torch.arange(n))


def _of_folder(name: str, folder: ImageFolder, labels: tuple[str, ...], superclass: tuple[str, ...], sampled: Tensor) -> SourceSet:
    return SourceSet(name, decode(folder, IMAGE_SIZE), labels, superclass, sampled, torch.arange(len(folder)))


@functools.lru_cache(maxsize=2)
def _index(root: Path) -> dict[str, dict[str, str]]:
    with (root / "index.csv").open(encoding="utf-8", newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def _resize(x: UInt8[Tensor, "n c h w"]) -> UInt8[Tensor, "n 3 side side"]:
    edge = min(x.shape[2:])
    top, left = (x.shape[2] - edge) // 2, (x.shape[3] - edge) // 2
    square = x[:, :, top : top + edge, left : left + edge].float()
    resized = F.interpolate(square, size=(IMAGE_SIZE, IMAGE_SIZE), mode="bicubic", antialias=True).round().clamp(0, 255).to(torch.uint8)
    return resized.expand(-1, 3, -1, -1).contiguous()
