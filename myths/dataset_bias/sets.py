"""Which data sets are told apart, which of them are siblings, and which share object classes. Names only: nothing is read."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

from myths.lab.trial import Protocol

Feature = Literal["gray thumbnail", "color thumbnail", "gist", "hog words", "hog"]
Treatment = Literal["none", "same container", "gray", "blur", "noise", "32 pixels", "shuffled patches"]
Subject = Literal["everything", "cars"]

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

CAMERAS = 5
CHAINS = tuple(f"chain {k}" for k in range(1, CAMERAS + 1))
"""Simulated cameras (``capture``)."""
SAME_CHAINS = tuple(f"same {chain}" for chain in CHAINS)
"""One of them under five names: the null."""
CHAIN_NAME = re.compile(r"(same )?chain ([1-9][0-9]?)")


def is_chain(name: str) -> bool:
    """Whether this is the name of a simulated camera."""
    found = CHAIN_NAME.fullmatch(name)
    return found is not None and (found[1] is not None or int(found[2]) <= CAMERAS)


def protocol_of(sets: Sequence[str]) -> Protocol:
    """Reduced on real sets, as the sets and sizes are not the paper's; a stand-in on simulated cameras."""
    return "stand-in" if any(is_chain(name) for name in sets) else "reduced"


def fewest_images(names: Sequence[str]) -> float:
    """Return how many images the smallest of the user's datasets has; infinity where none is the user's or nothing says it."""
    from myths.lab.data.prepared import examples_of

    parts = ("train", "val", "test", "all")
    counts = [sum(examples_of(name, part) or 0 for part in parts) for name in data_of(names) if name != PREPARED]
    return min((n for n in counts if n), default=math.inf)


def data_of(sets: Sequence[str]) -> tuple[str, ...]:
    """The prepared data sets that collections of these names are read from."""
    real = (PREPARED,) if any(name in REAL for name in sets) else ()
    return (*real, *sorted({name for name in sets if name not in REAL and not is_chain(name)}))


LISTS = {INDEPENDENT: "independent", ALL: "all", CHAINS: "simulated cameras", SAME_CHAINS: "one camera (null)"}


def list_name(sets: Sequence[str], subject: str = "everything") -> str:
    """What a group of sets is called in tables and in progress; own collections by their names."""
    return subject if subject != "everything" else LISTS.get(tuple(sets), ", ".join(sets))
