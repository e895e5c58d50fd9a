"""Load images of several datasets, transform them, compute and cache features, and split them into training and test data."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from myths.dataset_bias import duplicates, source_sets
from myths.dataset_bias.features import extract
from myths.dataset_bias.sets import Feature, Subset, Transform, required_datasets
from myths.dataset_bias.source_sets import SourceSet
from myths.dataset_bias.transforms import apply_transform
from myths.lab.data import prepared
from myths.lab.errors import UsageError
from myths.lab.trial import Context

TEST_FRACTION = 0.3
"""Fraction of test images of a dataset with fewer images than requested."""


@dataclass(frozen=True)
class LabeledImages:
    """The concatenated images of several datasets, on one device.

    Attributes:
        sets: Names of the datasets.
        images: Images as uint8.
        dataset_index: Index into ``sets`` of each image.
        groups: Group of each image. A group is never divided between training and test data.
        labels: Object class of each image, or "".
        superclass: "car", "person" or "" of each image.
        n_duplicates_removed: Number of near-duplicates removed from each dataset.
    """

    sets: tuple[str, ...]
    images: UInt8[Tensor, "n 3 side side"]
    dataset_index: Int64[Tensor, " n"]
    groups: Int64[Tensor, " n"]
    labels: tuple[str, ...]
    superclass: tuple[str, ...]
    n_duplicates_removed: tuple[int, ...]


@dataclass(frozen=True)
class ImageSelection:
    """The images to load and their transform.

    Attributes:
        sets: Names of the datasets.
        transform: Transform applied to each image.
        subset: "cars" selects images of cars only, including the additional ones.
        deduplicated: Remove near-duplicates of earlier images of any of the datasets.
        extra: Include the additional images of cars and persons.
    """

    sets: tuple[str, ...]
    transform: Transform = "none"
    subset: Subset = "all"
    deduplicated: bool = False
    extra: bool = False

    @property
    def hashes(self) -> tuple[str, ...]:
        """Content hashes of the datasets. The cache is invalidated if a dataset is replaced."""
        return tuple(str(prepared.sha256_of(name)) for name in required_datasets(self.sets))


def load_images(choice: ImageSelection, device: str) -> LabeledImages:
    """Return the selected images, transformed, on a device.

    Raises:
        UsageError: A dataset is given twice or has too few images.
    """
    return _load_images(choice, device, choice.hashes)


def load_features(choice: ImageSelection, device: str, feature: Feature) -> Tensor:
    """Return the features of ``load_images`` for the same selection, in the same order."""
    return _load_features(choice, device, feature, choice.hashes)


def train_test_split(
    dataset_index: Int64[Tensor, " n"], groups: Int64[Tensor, " n"], test: int, train: int, context: Context
) -> tuple[Tensor, Tensor]:
    """Return random positions of training and test images, at most ``train`` and ``test`` per dataset.

    The first training images of each dataset are a random sample, too. Groups are not divided. If datasets share groups (scenes), the same
    groups are used for testing in all datasets.
    """
    training, testing = [], []
    for k in dataset_index.unique().tolist():
        mine = (dataset_index == k).nonzero()[:, 0].cpu()
        group = groups[mine.to(groups.device)].cpu()
        names = group.unique()
        alone = len(names) == len(mine)
        order = context.rng(f"split {k}" if alone else "scenes").permutation(len(names))
        rank = torch.empty(int(names.max()) + 1, dtype=torch.int64)
        rank[names[torch.from_numpy(order)]] = torch.arange(len(names))
        held = min(test, int(TEST_FRACTION * len(mine))) if alone else round(TEST_FRACTION * len(names))
        place = rank[group]
        shuffled = torch.from_numpy(context.rng(f"order {k}").permutation(len(mine)))
        for_test = place[shuffled] < held
        testing.append(mine[shuffled[for_test]][:test])
        training.append(mine[shuffled[~for_test]][:train])
    return torch.cat(training), torch.cat(testing)


def first_n_per_group(group: Int64[Tensor, " n"], n: int) -> Tensor:
    """Return the positions of the first ``n`` elements of each group."""
    place = torch.nn.functional.one_hot(group).cumsum(0).gather(1, group[:, None])[:, 0]
    return (place <= n).nonzero()[:, 0]


def encode_labels(words: Sequence[str], classes: Sequence[str]) -> Int64[Tensor, " n"]:
    """Return the index of each label in ``classes``, or -1."""
    numbers = {name: i for i, name in enumerate(classes)}
    return torch.tensor([numbers.get(word, -1) for word in words], dtype=torch.int64)


def validation_mask(n: int, context: Context) -> Tensor:
    """Return a mask of the training examples on which the regularization strength is selected."""
    return torch.from_numpy(context.rng(f"held out of {n}").random(n) < 0.25)


@functools.lru_cache(maxsize=2)
def _load_images(choice: ImageSelection, device: str, hashes: tuple[str, ...]) -> LabeledImages:
    sets, deduplicated = choice.sets, choice.deduplicated
    if len(set(sets)) < len(sets):
        raise UsageError(f"a dataset is given twice in {', '.join(sets)}; expected different datasets")
    loaded = [_subset(source_sets.load(name), choice) for name in sets]
    images = torch.cat([c.images for c in loaded]).to(device)
    dataset_index = torch.repeat_interleave(torch.arange(len(sets)), torch.tensor([len(c) for c in loaded])).to(device)
    kept = torch.ones(len(images), dtype=torch.bool)
    if deduplicated:
        kept = ~duplicates.duplicate_mask(duplicates.perceptual_hash(images).cpu())
    dropped = tuple(int((~kept[(dataset_index == k).cpu()]).sum()) for k in range(len(sets)))
    _check_enough(sets, [len(c) - n for c, n in zip(loaded, dropped, strict=True)], deduplicated)
    chosen = kept.nonzero()[:, 0]
    labels, superclass = (np.array([word for c in loaded for word in getattr(c, what)]) for what in ("labels", "superclass"))
    # All splits share the same noise and patch order.
    treated = apply_transform(images[chosen.to(device)], choice.transform, torch.Generator().manual_seed(0))
    groups = torch.cat([c.groups for c in loaded])[chosen].to(device)
    names, kinds = (tuple(w[chosen.numpy()].tolist()) for w in (labels, superclass))
    return LabeledImages(sets, treated, dataset_index[chosen.to(device)], groups, names, kinds, dropped)


@functools.lru_cache(maxsize=2)
def _load_features(choice: ImageSelection, device: str, feature: Feature, hashes: tuple[str, ...]) -> Float[Tensor, "n ..."]:
    return extract(_load_images(choice, device, hashes).images, feature)


def _subset(collection: SourceSet, choice: ImageSelection) -> SourceSet:
    if choice.subset == "cars":
        return collection.keep(torch.tensor([c == "car" for c in collection.superclass]))
    return collection if choice.extra else collection.sample()


def _check_enough(sets: Sequence[str], counts: Sequence[int], deduplicated: bool) -> None:
    for name, n in zip(sets, counts, strict=True):
        if n < source_sets.MIN_IMAGES:
            after = " without near-duplicates" if deduplicated else ""
            raise UsageError(f"{name} has {n} images{after}; at least {source_sets.MIN_IMAGES} per dataset are required")
