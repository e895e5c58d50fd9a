"""The data sets whose images are told apart: which go together, which are siblings, and their images as tensors."""

from __future__ import annotations

import csv
import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from myths.dataset_bias import capture
from myths.lab.data import prepared
from myths.lab.data.folders import ImageFolder, decode, image_folder
from myths.lab.data.images import image_set
from myths.lab.errors import UsageError

PREPARED = "dataset_bias"
SIDE = 64
"""Pixels a side of every image."""
FEWEST = 40
"""Images that a set needs: 28 to train on and 12 to test on; fewer tell nothing."""

INDEPENDENT = (
    "caltech101",
    "caltech256_10cls",
    "coil100",
    "imagenet_1per_class",
    "office_amazon",
    "pacs_art_painting",
    "scenes15",
    "stanford_cars",
    "uiuc_cars",
    "voc2012_animals",
)
"""No two of one parent. Seven of them are, in whole or in part, among the paper's twelve."""

LEFT_OUT = {
    "tiny_imagenet": "ImageNet, as imagenet_1per_class; 64 pixels at the source",
    "imagenette": "ImageNet, as imagenet_1per_class",
    "office_webcam_dslr": "Office-31, as office_amazon",
    "pacs_photo": "PACS, as pacs_art_painting; its photographs are partly Caltech-256's",
    "pacs_cartoon": "PACS, as pacs_art_painting",
    "pacs_sketch": "PACS, as pacs_art_painting",
    "coco_train2014_100only": "100 images are too few",
}
"""Why the others are not in ``INDEPENDENT``."""

ALL = (*INDEPENDENT, *(name for name in LEFT_OUT if name != "coco_train2014_100only"))
"""Siblings on purpose: are they confused with each other?"""

FAMILIES: tuple[frozenset[str], ...] = (
    frozenset({"imagenet_1per_class", "tiny_imagenet", "imagenette"}),
    frozenset({"office_amazon", "office_webcam_dslr"}),
    frozenset({"pacs_photo", "pacs_art_painting", "pacs_cartoon", "pacs_sketch"}),
    frozenset({"caltech101", "caltech256_10cls"}),
)
"""Sets of one parent or one maker; the two Caltechs count as the paper's own example of a confused pair."""

REAL = frozenset({*ALL, *LEFT_OUT})

Task = Literal["office-caltech", "pacs", "cars", "persons", "chains"]

TASKS: dict[Task, tuple[str, ...]] = {
    "office-caltech": ("caltech256_10cls", "office_amazon", "office_webcam_dslr"),
    "pacs": ("pacs_photo", "pacs_art_painting", "pacs_cartoon", "pacs_sketch"),
    "cars": ("caltech101", "uiuc_cars", "tiny_imagenet"),
    "persons": ("caltech101", "pacs_photo", "pacs_art_painting", "pacs_cartoon", "pacs_sketch"),
    "chains": ("chain 1", "chain 2", "chain 3"),
}
"""Sets that share object classes; "cars" and "persons" those that also have images without the object."""

WITH_CARS = ("caltech101", "stanford_cars", "tiny_imagenet", "uiuc_cars")


@dataclass(frozen=True)
class Collection:
    """The images of one set, in a fixed order."""

    name: str
    images: UInt8[Tensor, "n 3 side side"]
    labels: tuple[str, ...]
    """The object class of each; "" where there is none."""
    coarse: tuple[str, ...]
    """"car", "person" or ""."""
    sampled: Bool[Tensor, " n"]
    """Whether the image belongs to the random sample of the set; the others are further cars and persons."""
    groups: Int64[Tensor, " n"]
    """Images of one group, such as the crops of one scene, are never parted into training and test."""

    def __len__(self) -> int:
        return len(self.images)

    def keep(self, kept: Bool[Tensor, " n"]) -> Collection:
        """Those images for which ``kept`` holds."""
        chosen = kept.nonzero()[:, 0].tolist()
        return replace(
            self,
            images=self.images[kept],
            labels=tuple(self.labels[i] for i in chosen),
            coarse=tuple(self.coarse[i] for i in chosen),
            sampled=self.sampled[kept],
            groups=self.groups[kept],
        )

    def sample(self) -> Collection:
        """The random sample of the set."""
        return self.keep(self.sampled)


def data_of(sets: Sequence[str]) -> tuple[str, ...]:
    """The prepared data sets that collections of these names are read from."""
    real = (PREPARED,) if any(name in REAL for name in sets) else ()
    return (*real, *sorted({name for name in sets if name not in REAL and not capture.is_chain(name)}))


def load(name: str) -> Collection:
    """One collection on the CPU: a set of ``dataset_bias``, a simulated chain of ``capture``, or an own set.

    Raises CannotStart when its data are not here.
    """
    if capture.is_chain(name):
        return _chain(name)
    if name in REAL:
        return _real(name, prepared.require(PREPARED).sha256)
    return _own(name, prepared.require(name).sha256)


def check_own(names: Sequence[str]) -> None:
    """Raises UsageError for a set that is given twice, is alone, or has too few images, with the number needed."""
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"--data names {twice[0]} twice: a set is not told from itself; the null control does that by its own")
    if len(names) == 1:
        raise UsageError(f"--data names only {names[0]}: two sets or more are told apart, as in --data mine,theirs")
    for name in names:
        if (n := len(load(name))) < FEWEST:
            raise UsageError(f"{name} has {n} images; at least {FEWEST} a set are needed, and some hundreds for a narrow interval")


@functools.lru_cache(maxsize=32)
def _chain(name: str) -> Collection:
    images, scenes, names = capture.photographs_of(name)
    n = len(images)
    return Collection(name, images, names, ("",) * n, torch.ones(n, dtype=torch.bool), scenes)


@functools.lru_cache(maxsize=32)
def _real(name: str, sha256: str) -> Collection:
    """``sha256`` is there to read a folder again that was replaced."""
    folder = image_folder(PREPARED)
    index = _index(folder.root)
    own = folder.only(lambda label: label.split("/")[0] == name)
    coarse = tuple(index[file]["coarse"] for file in own.files)
    sampled = torch.tensor([index[file]["random_sample"] == "True" for file in own.files])
    return _of_folder(name, own, tuple(label.split("/")[-1] for label in own.labels), coarse, sampled)


@functools.lru_cache(maxsize=32)
def _own(name: str, sha256: str) -> Collection:
    if prepared.require(name).kind == "images":
        folder = image_folder(name)
        n = len(folder)
        return _of_folder(name, folder, folder.labels, ("",) * n, torch.ones(n, dtype=torch.bool))
    found = image_set(name, "cpu")
    parts = [x for x in (found.x_train, found.x_test) if x is not None]
    images = torch.cat([_to_side(x) for x in parts])
    numbers = torch.cat([y for y in (found.y_train, found.y_test) if y is not None]).tolist()
    n = len(images)
    labels = tuple(found.classes[i] for i in numbers)
    return Collection(name, images, labels, ("",) * n, torch.ones(n, dtype=torch.bool), torch.arange(n))


def _of_folder(name: str, folder: ImageFolder, labels: tuple[str, ...], coarse: tuple[str, ...], sampled: Tensor) -> Collection:
    return Collection(name, decode(folder, SIDE), labels, coarse, sampled, torch.arange(len(folder)))


@functools.lru_cache(maxsize=2)
def _index(root: Path) -> dict[str, dict[str, str]]:
    with (root / "index.csv").open(encoding="utf-8", newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def _to_side(x: UInt8[Tensor, "n c h w"]) -> UInt8[Tensor, "n 3 side side"]:
    edge = min(x.shape[2:])
    top, left = (x.shape[2] - edge) // 2, (x.shape[3] - edge) // 2
    square = x[:, :, top : top + edge, left : left + edge].float()
    resized = F.interpolate(square, size=(SIDE, SIDE), mode="bicubic", antialias=True).round().clamp(0, 255).to(torch.uint8)
    return resized.expand(-1, 3, -1, -1).contiguous()
