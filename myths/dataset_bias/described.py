"""The images of several sets with their features, computed once, and how they part into training and test."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from myths.dataset_bias import collections, duplicates
from myths.dataset_bias.collections import Collection
from myths.dataset_bias.features import describe
from myths.dataset_bias.sets import Feature, Subject, Treatment, data_of
from myths.dataset_bias.treatments import treat
from myths.lab.data import prepared
from myths.lab.errors import UsageError
from myths.lab.trial import Context

TEST_SHARE = 0.3
"""Of a set that has fewer images than are wanted."""


@dataclass(frozen=True)
class Pictures:
    """The images of several sets, one after the other, on one device."""

    sets: tuple[str, ...]
    images: UInt8[Tensor, "n 3 side side"]
    owner: Int64[Tensor, " n"]
    """The number of the set that each image is of."""
    groups: Int64[Tensor, " n"]
    labels: tuple[str, ...]
    coarse: tuple[str, ...]
    left_out: tuple[int, ...]
    """Near-duplicates left out of each set."""


@dataclass(frozen=True)
class Choice:
    """Which images of some sets, and what is done to them.

    Attributes:
        sets: Names of the sets.
        treatment: What is done to each image.
        subject: "cars" takes the images of cars only, extra ones included.
        deduplicated: Whether images that nearly equal an earlier one of any of these sets are left out.
        extra: Whether the extra images of cars and persons are taken too.
    """

    sets: tuple[str, ...]
    treatment: Treatment = "none"
    subject: Subject = "everything"
    deduplicated: bool = False
    extra: bool = False

    @property
    def hashes(self) -> tuple[str, ...]:
        """The content of the sets as they lie here, so that data that were replaced are read again."""
        return tuple(str(prepared.sha256_of(name)) for name in data_of(self.sets))


def pictures(choice: Choice, device: str) -> Pictures:
    """The random samples of some sets, treated, on a device.

    Raises UsageError for a set that is given twice or has too few images left.
    """
    return _pictures(choice, device, choice.hashes)


def features(choice: Choice, device: str, feature: Feature) -> Tensor:
    """The features of ``pictures`` of the same choice, in the same order."""
    return _features(choice, device, feature, choice.hashes)


def part(owner: Int64[Tensor, " n"], groups: Int64[Tensor, " n"], test: int, train: int, context: Context) -> tuple[Tensor, Tensor]:
    """Positions of training and test images, at random, ``test`` and ``train`` of each set or what it has.

    Training images come in an order in which the first few of each set are a random sample too. Groups are not parted; where sets
    share their groups (scenes), the same ones are for testing in all sets.
    """
    training, testing = [], []
    for k in owner.unique().tolist():
        mine = (owner == k).nonzero()[:, 0].cpu()
        group = groups[mine.to(groups.device)].cpu()
        names = group.unique()
        alone = len(names) == len(mine)
        order = context.rng(f"split {k}" if alone else "scenes").permutation(len(names))
        rank = torch.empty(int(names.max()) + 1, dtype=torch.int64)
        rank[names[torch.from_numpy(order)]] = torch.arange(len(names))
        held = min(test, int(TEST_SHARE * len(mine))) if alone else round(TEST_SHARE * len(names))
        place = rank[group]
        shuffled = torch.from_numpy(context.rng(f"order {k}").permutation(len(mine)))
        for_test = place[shuffled] < held
        testing.append(mine[shuffled[for_test]][:test])
        training.append(mine[shuffled[~for_test]][:train])
    return torch.cat(training), torch.cat(testing)


def first_of_each(owner: Int64[Tensor, " n"], n: int) -> Tensor:
    """Positions of the first ``n`` of each owner."""
    place = torch.nn.functional.one_hot(owner).cumsum(0).gather(1, owner[:, None])[:, 0]
    return (place <= n).nonzero()[:, 0]


def numbered(words: Sequence[str], classes: Sequence[str]) -> Int64[Tensor, " n"]:
    """The number of each word among ``classes``, -1 for any other."""
    numbers = {name: i for i, name in enumerate(classes)}
    return torch.tensor([numbers.get(word, -1) for word in words], dtype=torch.int64)


def held_out(n: int, context: Context) -> Tensor:
    """Training examples on which the strength of a regularization is chosen."""
    return torch.from_numpy(context.rng(f"held out of {n}").random(n) < 0.25)


@functools.lru_cache(maxsize=2)
def _pictures(choice: Choice, device: str, hashes: tuple[str, ...]) -> Pictures:
    sets, deduplicated = choice.sets, choice.deduplicated
    if len(set(sets)) < len(sets):
        raise UsageError(f"a set is given twice in {', '.join(sets)}: it cannot be told from itself")
    loaded = [_subject(collections.load(name), choice) for name in sets]
    images = torch.cat([c.images for c in loaded]).to(device)
    owner = torch.repeat_interleave(torch.arange(len(sets)), torch.tensor([len(c) for c in loaded])).to(device)
    kept = torch.ones(len(images), dtype=torch.bool)
    if deduplicated:
        kept = ~duplicates.repeats(duplicates.perceptual_hash(images).cpu())
    dropped = tuple(int((~kept[(owner == k).cpu()]).sum()) for k in range(len(sets)))
    _check_enough(sets, [len(c) - n for c, n in zip(loaded, dropped, strict=True)], deduplicated)
    chosen = kept.nonzero()[:, 0]
    labels, coarse = (np.array([word for c in loaded for word in getattr(c, what)]) for what in ("labels", "coarse"))
    # Noise and the order of patches belong to the treatment, not to a split: one draw for all.
    treated = treat(images[chosen.to(device)], choice.treatment, torch.Generator().manual_seed(0))
    groups = torch.cat([c.groups for c in loaded])[chosen].to(device)
    names, kinds = (tuple(w[chosen.numpy()].tolist()) for w in (labels, coarse))
    return Pictures(sets, treated, owner[chosen.to(device)], groups, names, kinds, dropped)


@functools.lru_cache(maxsize=2)
def _features(choice: Choice, device: str, feature: Feature, hashes: tuple[str, ...]) -> Float[Tensor, "n ..."]:
    return describe(_pictures(choice, device, hashes).images, feature)


def _subject(collection: Collection, choice: Choice) -> Collection:
    if choice.subject == "cars":
        return collection.keep(torch.tensor([c == "car" for c in collection.coarse]))
    return collection if choice.extra else collection.sample()


def _check_enough(sets: Sequence[str], counts: Sequence[int], deduplicated: bool) -> None:
    for name, n in zip(sets, counts, strict=True):
        if n < collections.FEWEST:
            after = " without near-duplicates" if deduplicated else ""
            raise UsageError(f"{name} has {n} images{after}; at least {collections.FEWEST} a set are needed")
