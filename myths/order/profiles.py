"""The trials of each profile. ``seeds`` is the number of pairs of image networks; the theory has its random starts inside the trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from myths.lab.myth import Profile, unique_trials
from myths.lab.trial import Trial
from myths.order.coherence import Block, coherence
from myths.order.item_modes import load_table
from myths.order.trials import CompareOrders, DrawTrees, FindCategory, FindItemModes, LearnModes, LearnTree, ThinSuperclass, TrackImages

Settings = Mapping[str, Any]

DIGITS: Settings = {"dataset": "digits", "network": "mnist_cnn", "epochs": 8.0, "batch_size": 64}
CIFAR: Settings = {"dataset": "cifar100", "network": "small_cnn"}
LEAF_REPEATS = 16
"""Repetitions that raise the distinctions between siblings above the broadest of a tree of 16 items: λ₀/λ₄ − 1 = 12.5."""
PAIRS = 3


@unique_trials
def trials(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
    """Return the trials of a profile.

    Args:
        profile: Name of the profile.
        seeds: Number of pairs of networks. Default: 3.
        data: Tables of the user. If there are any, only these are analyzed.
    """
    if data:
        for name in data:
            load_table(name)
        return [FindItemModes(dataset=name) for name in data]
    pairs = seeds or PAIRS
    return {"quick": _quick, "laptop": _laptop, "overnight": _overnight, "gpu": _gpu, "paper": _paper}[profile](pairs)


# --- parts of profiles -----------------------------------------------------------------------------


def _linear(scales: Sequence[float], starts: int) -> list[Trial]:
    """Return networks on four modes: balanced, random at several scales, and without hidden layer; and three distant modes."""
    listed: list[Trial] = [LearnModes(start="balanced", step=step, duration=6.0) for step in (0.004, 0.002)]
    listed.append(LearnModes(start="balanced", singular_values=(9.0, 3.0, 1.0), scale=1e-6, step=0.002, duration=14.0))
    listed.append(LearnModes(layers=1, starts=starts, duration=6.0))
    return [*listed, *(LearnModes(scale=scale, starts=starts) for scale in scales)]


def _trees(draws: int, depth: int = 4) -> list[Trial]:
    """Return trees learned by three kinds of networks, and one whose siblings are emphasized."""
    settings: Settings = {"depth": depth, "draws": draws}
    kinds = ("linear", "relu", "shallow")
    learned: list[Trial] = [LearnTree(**settings, network=network) for network in kinds]  # type: ignore[arg-type]
    repeated = LearnTree(properties=100, draws=2 * draws, leaf_repeats=LEAF_REPEATS)
    return [DrawTrees(**{**settings, "draws": 200}), *learned, repeated]


def _categories(draws: int, size: int = 400, coherences: Sequence[float] = (0.5, 0.7, 1.0, 1.25, 1.5, 2.0, 3.0)) -> list[Trial]:
    """Return tables with a category of an eighth of the objects and properties (Gaussian noise), and the blue things.

    With all coherences, also a quarter in Bernoulli noise.
    """
    whole: Settings = {"objects": size, "properties": 4 * size, "draws": draws}
    listed: list[Trial] = []
    for noise, part in (("gaussian", 8), ("bernoulli", 4))[: 1 + (len(coherences) > 3)]:
        category: Settings = {"category_objects": size // part, "category_properties": 4 * size // part}
        listed += [FindCategory(coherence=c, noise=noise, **category, **whole) for c in coherences]  # type: ignore[arg-type]
    for blue in (40, 160):
        c = coherence(Block(400, 1600, blue, 1), 0.9, 0.1)
        listed.append(FindCategory(coherence=c, noise="bernoulli", q=0.1, category_objects=blue, category_properties=1, draws=draws))
    return listed


def _image_orders(settings: Settings, groupings: int, others: Mapping[str, Settings], pairs: int, *, thinned: bool = True) -> list[Trial]:
    """Return pairs of networks on test images, pairs with other networks, the comparison of two groups, and thinned superclasses.

    Args:
        settings: Settings of the main network.
        groupings: Number of random groupings of classes.
        others: Settings of the other networks, by name.
        pairs: Number of pairs. Pair i consists of the seeds 2i and 2i + 1.
        thinned: Whether the first network of each pair is trained again with few images of the superclass that the second networks of the
            first three pairs learn first. The comparison of groups and this need three pairs.
    """
    main = [TrackImages(**{**settings, "groupings": groupings}, seed=seed) for seed in range(2 * pairs)]
    listed: list[Trial] = [CompareOrders(first=(main[2 * i],), second=(main[2 * i + 1],), pair=i) for i in range(pairs)]
    for name, changed in others.items():
        tracked = [TrackImages(**{**settings, **changed, "network": name}, seed=2 * i + 1) for i in range(pairs)]
        listed += [CompareOrders(first=(main[2 * i],), second=(tracked[i],), pair=i) for i in range(pairs)]
    if pairs >= PAIRS:
        first, second = (tuple(main[start : 2 * PAIRS : 2]) for start in (0, 1))
        listed.append(CompareOrders(first=first, second=second))
        listed += [ThinSuperclass(network=main[2 * i], others=second) for i in range(pairs if thinned else 0)]
    return [*main, *listed]


def _shuffled_orders(settings: Settings, pairs: int) -> list[Trial]:
    """Return networks on the same training images with true labels, shuffled labels, and noise images, and how each pair agrees."""
    listed: list[Trial] = []
    for changed, other in (
        ({}, 0),
        ({"labels": "shuffled"}, 0),
        ({"labels": "shuffled"}, 1),
        ({"labels": "shuffled", "inputs": "noise"}, 1),
    ):
        for i in range(pairs):
            one = TrackImages(**{**settings, **changed}, followed="train", seed=2 * i)
            two = TrackImages(**{**settings, **changed}, followed="train", label_seed=other, seed=2 * i + 1)
            listed += [one, two, CompareOrders(first=(one,), second=(two,), pair=i)]
    return listed


# --- profiles --------------------------------------------------------------------------------------


def _quick(pairs: int) -> list[Trial]:
    """Return the theory on small batches, and the image trials on digits as an illustration."""
    shuffled = {**DIGITS, "train_examples": 200, "epochs": 10.0, "batch_size": 16, "checkpoints": 12}
    return [
        *_linear((1e-3, 0.1, 2.0), 48),
        *_trees(40),
        *_categories(16, coherences=(0.7, 1.5, 2.0)),
        FindItemModes(),
        *_image_orders({**DIGITS, "checkpoints": 12}, 100, {"mlp": {}}, pairs, thinned=False),
        *_shuffled_orders(shuffled, pairs),
    ]


def _laptop(pairs: int) -> list[Trial]:
    """Return the theory in full, and CIFAR-100 with 10,000 images: under 15 minutes on two cores with two jobs."""
    cifar = {**CIFAR, "train_examples": 10_000, "epochs": 6.0, "checkpoints": 20}
    shuffled = {**CIFAR, "train_examples": 2000, "epochs": 8.0, "batch_size": 64, "checkpoints": 15}
    return [
        *_theory(200, 20, 5),
        FindItemModes(),
        *_image_orders(cifar, 200, {"mlp": {}}, pairs),
        *_shuffled_orders(shuffled, pairs),
    ]


def _overnight(pairs: int) -> list[Trial]:
    """Return the image trials on all of CIFAR-100, with a residual network: some hours on two cores."""
    cifar = {**CIFAR, "epochs": 12.0, "checkpoints": 40}
    shuffled = {**CIFAR, "train_examples": 10_000, "epochs": 30.0, "checkpoints": 40}
    return [
        *_theory(200, 20, 5),
        FindItemModes(),
        *_image_orders(cifar, 200, {"mlp": {}, "resnet8": {"learning_rate": 0.1}}, pairs),
        *_shuffled_orders(shuffled, pairs),
    ]


def _gpu(pairs: int) -> list[Trial]:
    """Return the theory with deeper networks and larger tables, and all of CIFAR-100 with four kinds of networks.

    The images take some 12 minutes on one H200-class GPU (estimated from eager steps): 250 s for three runs of ResNet-18, 190 s for the
    others, 190 s for shuffled labels, 150 s for checkpoints.
    """
    return _all_networks({**CIFAR, "epochs": 12.0, "checkpoints": 40, "batch_size": 256, "learning_rate": 0.1}, pairs)


def _paper(pairs: int) -> list[Trial]:
    """Return the trials of the profile "gpu" with 60 epochs and at least five pairs. The papers' image protocols are not reproduced."""
    return _all_networks({**CIFAR, "epochs": 60.0, "checkpoints": 100, "learning_rate": 0.1}, max(pairs, 5))


def _all_networks(cifar: Settings, pairs: int) -> list[Trial]:
    shuffled = {**CIFAR, "train_examples": 10_000, "epochs": 40.0, "checkpoints": 40}
    others: Mapping[str, Settings] = {"mlp": {}, "resnet18": {}, "patch_transformer": {"learning_rate": 0.02}}
    return [
        *_theory(200, 100, 6),
        *_categories(100, 800),
        *(LearnModes(start="balanced", layers=layers, duration=100.0) for layers in (3, 4, 5, 6)),
        FindItemModes(),
        *_image_orders(cifar, 200, others, pairs),
        *_shuffled_orders(shuffled, pairs),
    ]


def _theory(starts: int, draws: int, depth: int) -> list[Trial]:
    """Return all trials on linear networks, trees and categories."""
    twelve = tuple(float(s) for s in range(12, 0, -1))
    return [
        *_linear((1e-3, 1e-2, 0.1, 0.3, 0.5, 1.0, 2.0, 3.0, 10.0), starts),
        LearnModes(singular_values=twelve, starts=starts),
        *_trees(100),
        DrawTrees(depth=depth, draws=200),
        LearnTree(depth=depth, draws=20, hidden=64),
        *_categories(draws),
    ]
