"""The images of several sets with their features, computed once, and how they part into training and test."""

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
"""Of a set that has fewer images than are wanted."""


@dataclass(frozen=True)
class LabeledImages:
    """The images of several sets, one after the other, on one device."""

    sets: tuple[str, ...]
    images: UInt8[Tensor, "n 3 side side"]
    dataset_index: Int64[Tensor, " n"]
    """The number of the set that each image is of."""
    groups: Int64[Tensor, " n"]
    labels: tuple[str, ...]
    superclass: tuple[str, ...]
    n_duplicates_removed: tuple[int, ...]
    """Near-duplicates left out of each set."""


@dataclass(frozen=True)
class ImageSelection:
    """Which images of some sets, and what is done to them.

    Attributes:
        sets: Names of the sets.
        transform: What is done to each image.
        subset: "cars" takes the images of cars only, extra ones included.
        deduplicated: Whether images that nearly equal an earlier one of any of these sets are left out.
        extra: Whether the extra images of cars and persons are taken too.
    """

    sets: tuple[str, ...]
    transform: Transform = "none"
    subset: Subset = "all"
    deduplicated: bool = False
    extra: bool = False

    @property
    def hashes(self) -> tuple[str, ...]:
        """The content of the sets as they lie here, so that data that were replaced are read again."""
        return tuple(str(prepared.sha256_of(name)) for name in required_datasets(self.sets))


def load_images(choice: ImageSelection, device: str) -> LabeledImages:
    """The random samples of some sets, treated, on a device.

    Raises UsageError for a set that is given twice or has too few images left.
    """
    return _load_images(choice, device, choice.hashes)


def load_features(choice: ImageSelection, device: str, feature: Feature) -> Tensor:
    """The features of ``load_images`` of the same choice, in the same order."""
    return _load_features(choice, device, feature, choice.hashes)


def train_test_split(
    dataset_index: Int64[Tensor, " n"], groups: Int64[Tensor, " n"], test: int, train: int, context: Context
) -> tuple[Tensor, Tensor]:
    """Positions of training and test images, at random, ``test`` and ``train`` of each set or what it has.

    Training images come in an order in which the first few of each set are a random sample too. Groups are not parted; where sets
    share their groups (scenes), the same ones are for testing in all sets.
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


def first_n_per_group(dataset_index: Int64[Tensor, " n"], n: int) -> Tensor:
    """Positions of the first ``n`` of each dataset_index."""
    place = torch.nn.functional.one_hot(dataset_index).cumsum(0).gather(1, dataset_index[:, None])[:, 0]
    return (place <= n).nonzero()[:, 0]


def encode_labels(words: Sequence[str], classes: Sequence[str]) -> Int64[Tensor, " n"]:
    """The number of each word among ``classes``, -1 for any other."""
    numbers = {name: i for i, name in enumerate(classes)}
    return torch.tensor([numbers.get(word, -1) for word in words], dtype=torch.int64)


def validation_mask(n: int, context: Context) -> Tensor:
    """Training examples on which the strength of a regularization is chosen."""
    return torch.from_numpy(context.rng(f"held out of {n}").random(n) < 0.25)


@functools.lru_cache(maxsize=2)
def _load_images(choice: ImageSelection, device: str, hashes: tuple[str, ...]) -> LabeledImages:
    sets, deduplicated = choice.sets, choice.deduplicated
    if len(set(sets)) < len(sets):
        raise UsageError(f"a set is given twice in {', '.join(sets)}: it cannot be told from itself")
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
    # Noise and the order of patches belong to the transform, not to a split: one draw for all.
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
            raise UsageError(f"{name} has {n} images{after}; at least {source_sets.MIN_IMAGES} a set are needed")
