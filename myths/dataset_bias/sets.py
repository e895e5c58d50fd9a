"""Which data sets are told apart, which of them are siblings, and which share object classes. Names only: nothing is read."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

from myths.lab.trial import Protocol

Feature = Literal["gray thumbnail", "color thumbnail", "gist", "bag of HOG words", "hog"]
Transform = Literal["none", "common format", "gray", "blur", "noise", "32 pixels", "shuffled patches"]
Subset = Literal["all", "cars"]

PREPARED = "dataset_bias"

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

EXCLUDED = {
    "tiny_imagenet": "ImageNet, as imagenet_1per_class; 64 pixels at the source",
    "imagenette": "ImageNet, as imagenet_1per_class",
    "office_webcam_dslr": "Office-31, as office_amazon",
    "pacs_photo": "PACS, as pacs_art_painting; its photographs are partly Caltech-256's",
    "pacs_cartoon": "PACS, as pacs_art_painting",
    "pacs_sketch": "PACS, as pacs_art_painting",
    "coco_train2014_100only": "100 images are too few",
}
"""Why the others are not in ``INDEPENDENT``."""

ALL = (*INDEPENDENT, *(name for name in EXCLUDED if name != "coco_train2014_100only"))
"""Siblings on purpose: are they confused with each other?"""

RELATED_SETS: tuple[frozenset[str], ...] = (
    frozenset({"imagenet_1per_class", "tiny_imagenet", "imagenette"}),
    frozenset({"office_amazon", "office_webcam_dslr"}),
    frozenset({"pacs_photo", "pacs_art_painting", "pacs_cartoon", "pacs_sketch"}),
    frozenset({"caltech101", "caltech256_10cls"}),
)
"""Sets of one parent or one maker; the two Caltechs count as the paper's own example of a confused pair."""

REAL = frozenset({*ALL, *EXCLUDED})

Task = Literal["office-caltech", "pacs", "cars", "persons", "cameras"]

TASKS: dict[Task, tuple[str, ...]] = {
    "office-caltech": ("caltech256_10cls", "office_amazon", "office_webcam_dslr"),
    "pacs": ("pacs_photo", "pacs_art_painting", "pacs_cartoon", "pacs_sketch"),
    "cars": ("caltech101", "uiuc_cars", "tiny_imagenet"),
    "persons": ("caltech101", "pacs_photo", "pacs_art_painting", "pacs_cartoon", "pacs_sketch"),
    "cameras": ("camera 1", "camera 2", "camera 3"),
}
"""Sets that share object classes; "cars" and "persons" those that also have images without the object."""

WITH_CARS = ("caltech101", "stanford_cars", "tiny_imagenet", "uiuc_cars")

N_CAMERAS = 5
CAMERAS = tuple(f"camera {k}" for k in range(1, N_CAMERAS + 1))
"""Simulated cameras (``capture``)."""
SAME_CAMERA = tuple(f"same {camera}" for camera in CAMERAS)
"""One of them under five names: the null."""
CAMERA_NAME = re.compile(r"(same )?camera ([1-9][0-9]?)")


def is_simulated_camera(name: str) -> bool:
    """Whether this is the name of a simulated camera."""
    found = CAMERA_NAME.fullmatch(name)
    return found is not None and (found[1] is not None or int(found[2]) <= N_CAMERAS)


def protocol_of(sets: Sequence[str]) -> Protocol:
    """Reduced on real sets, as the sets and sizes are not the paper's; a stand-in on simulated cameras."""
    return "stand-in" if any(is_simulated_camera(name) for name in sets) else "reduced"


def smallest_dataset_size(names: Sequence[str]) -> float:
    """Return how many images the smallest of the user's datasets has; infinity where none is the user's or nothing says it."""
    from myths.lab.data.prepared import examples_of

    parts = ("train", "val", "test", "all")
    counts = [sum(examples_of(name, part) or 0 for part in parts) for name in required_datasets(names) if name != PREPARED]
    return min((n for n in counts if n), default=math.inf)


def required_datasets(sets: Sequence[str]) -> tuple[str, ...]:
    """The prepared data sets that collections of these names are read from."""
    real = (PREPARED,) if any(name in REAL for name in sets) else ()
    return (*real, *sorted({name for name in sets if name not in REAL and not is_simulated_camera(name)}))


GROUP_NAMES = {INDEPENDENT: "independent", ALL: "all", CAMERAS: "simulated cameras", SAME_CAMERA: "one camera (null)"}


def group_name(sets: Sequence[str], subset: str = "all") -> str:
    """What a group of sets is called in tables and in progress; own collections by their names."""
    return subset if subset != "all" else GROUP_NAMES.get(tuple(sets), ", ".join(sets))
