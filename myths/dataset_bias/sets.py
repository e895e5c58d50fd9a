"""Names of the datasets, of groups of related datasets, and of tasks with shared classes. This module reads no data."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

from myths.lab.trial import Protocol

Feature = Literal["gray thumbnail", "color thumbnail", "gist", "bag of HOG words", "hog", "hog and color thumbnail", "squeezenet"]
Transform = Literal[
    "none", "common format", "gray", "blur", "noise", "32 pixels", "shuffled patches", "high pass", "edges", "shuffled pixels", "mean color"
]  # fmt: skip
Subset = Literal["all", "cars"]

PREPARED = "dataset_bias"
WEIGHTS: dict[Feature, tuple[str, ...]] = {"squeezenet": ("squeezenet",)}
"""Prepared weights that features are computed with."""

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
"""Datasets without a common source. Seven of them are, in whole or in part, among the twelve of the paper."""

EXCLUDED = {
    "tiny_imagenet": "ImageNet, as imagenet_1per_class; 64 pixels at the source",
    "imagenette": "ImageNet, as imagenet_1per_class",
    "office_webcam_dslr": "Office-31, as office_amazon",
    "pacs_photo": "PACS, as pacs_art_painting; its photographs are partly Caltech-256's",
    "pacs_cartoon": "PACS, as pacs_art_painting",
    "pacs_sketch": "PACS, as pacs_art_painting",
    "coco_train2014_100only": "100 images are too few",
}
"""Reasons for not being in ``INDEPENDENT``."""

PHOTOS = ("caltech101", "caltech256_10cls", "imagenet_1per_class", "scenes15", "voc2012_animals")
"""General collections of photographs: no drawings, product shots or sets of one object."""
GENERAL = tuple(name for name in PHOTOS if name != "scenes15")
"""General collections of photographs of objects."""

ALL = (*INDEPENDENT, *(name for name in EXCLUDED if name != "coco_train2014_100only"))
"""Independent and related datasets, to measure whether related ones are confused."""

RELATED_SETS: tuple[frozenset[str], ...] = (
    frozenset({"imagenet_1per_class", "tiny_imagenet", "imagenette"}),
    frozenset({"office_amazon", "office_webcam_dslr"}),
    frozenset({"pacs_photo", "pacs_art_painting", "pacs_cartoon", "pacs_sketch"}),
    frozenset({"caltech101", "caltech256_10cls"}),
)
"""Datasets with a common source or maker. The two Caltech datasets are the paper's own example of a confused pair."""

REAL = frozenset({*ALL, *EXCLUDED})

Task = Literal["office-caltech", "pacs", "cars", "persons", "cameras"]
Detected = Literal["cars", "persons"]
DETECTED: tuple[Detected, ...] = ("cars", "persons")
"""Tasks with one object against everything else."""

TASKS: dict[Task, tuple[str, ...]] = {
    "office-caltech": ("caltech256_10cls", "office_amazon", "office_webcam_dslr"),
    "pacs": ("pacs_photo", "pacs_art_painting", "pacs_cartoon", "pacs_sketch"),
    "cars": ("caltech101", "uiuc_cars", "tiny_imagenet"),
    "persons": ("caltech101", "pacs_photo", "pacs_art_painting", "pacs_cartoon", "pacs_sketch"),
    "cameras": ("camera 1", "camera 2", "camera 3"),
}
"""Datasets with shared object classes. Those of "cars" and "persons" also contain images without the object."""

WITH_CARS = ("caltech101", "stanford_cars", "tiny_imagenet", "uiuc_cars")

N_CAMERAS = 5
CAMERAS = tuple(f"camera {k}" for k in range(1, N_CAMERAS + 1))
"""Simulated cameras (``simulated_cameras``)."""
SAME_CAMERA = tuple(f"same {camera}" for camera in CAMERAS)
"""One simulated camera under five names: the null control."""
CAMERA_NAME = re.compile(r"(same )?camera ([1-9][0-9]?)")


def is_simulated_camera(name: str) -> bool:
    """Return whether a name is that of a simulated camera."""
    found = CAMERA_NAME.fullmatch(name)
    return found is not None and (found[1] is not None or int(found[2]) <= N_CAMERAS)


def protocol_of(sets: Sequence[str]) -> Protocol:
    """Return "stand-in" for simulated cameras, else "reduced", because datasets and sizes differ from the paper."""
    return "stand-in" if any(is_simulated_camera(name) for name in sets) else "reduced"


def smallest_dataset_size(names: Sequence[str]) -> float:
    """Return the number of images of the smallest user dataset, or infinity if there is none or its size is unknown."""
    from myths.lab.data.prepared import examples_of

    parts = ("train", "val", "test", "all")
    counts = [sum(examples_of(name, part) or 0 for part in parts) for name in required_datasets(names) if name != PREPARED]
    return min((n for n in counts if n), default=math.inf)


def required_datasets(sets: Sequence[str], feature: Feature = "hog") -> tuple[str, ...]:
    """Return the prepared datasets that contain these datasets, and the weights of the feature."""
    real = (PREPARED,) if any(name in REAL for name in sets) else ()
    return (*real, *sorted({name for name in sets if name not in REAL and not is_simulated_camera(name)}), *WEIGHTS.get(feature, ()))


def without(sets: Sequence[str], name: str) -> tuple[str, ...]:
    """Return datasets without one of them."""
    return tuple(other for other in sets if other != name)


JACKKNIFED = {"independent": INDEPENDENT, "photos": PHOTOS}
"""Groups that are also classified without each of their datasets."""
LEFT_OUT = {without(sets, name): (group, name) for group, sets in JACKKNIFED.items() for name in sets}
"""Groups without one dataset: datasets -> group and dataset."""
GROUP_NAMES = {
    INDEPENDENT: "independent",
    PHOTOS: "photos",
    ALL: "all",
    CAMERAS: "simulated cameras",
    SAME_CAMERA: "one camera (null)",
    **{sets: f"{group} without {name}" for sets, (group, name) in LEFT_OUT.items()},
}


def group_name(sets: Sequence[str], subset: str = "all") -> str:
    """Return the name of a group of datasets in tables and progress messages. User datasets are listed by name."""
    return subset if subset != "all" else GROUP_NAMES.get(tuple(sets), ", ".join(sets))
