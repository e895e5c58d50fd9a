"""Which trials each profile runs.

Every profile counts with a fixed five trainings a data set, as the paper does; ``seeds`` replaces how many further seeds there are of
what is compared, so that more seeds add trials and change none. What each profile may speak for is in the comments below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from myths.forgetting.held_out import FindLabelErrors, PredictHeldOut, every_fold
from myths.forgetting.own import ListExamples, check_own
from myths.forgetting.pruning import TOO_FEW
from myths.forgetting.removal import Order
from myths.forgetting.train_kept import RemoveNothing, ScoreExamples, TrainKept
from myths.forgetting.training import PAPER, PAPER_REMOVAL
from myths.forgetting.trials import DIGITS, CompareCounts, CountForgetting, Stability, Unforgettable
from myths.lab.myth import Profile, unique_trials
from myths.lab.trial import Trial

Settings = Mapping[str, Any]
Point = tuple[Order, float]
"""An order of removal and the share removed."""

HELD_OUT_EPOCHS = 0.6
"""Epochs of a training without one fold, as a fraction of those of a counting: 5 folds of 4/5 then add half to the cost of 5 countings."""
FEW_EXAMPLES = 2000
"""Examples below which held-out predictions take small batches: with 149 digits, batches of 64 predict 46 % as labeled, of 16 95 %."""
COUNTED = 5
"""Trainings whose counts are summed (the paper's five)."""
PIXEL_NOISES = (0.5, 1.0, 2.0, 10.0)

_MNIST: Settings = {"dataset": "mnist", **PAPER["mnist"], "precision": "auto"}
_CIFAR_SUBSET: Settings = {"dataset": "cifar10", "network": "small_cnn", "learning_rate": 0.05, "train_examples": 10_000}
_FAST: Settings = {
    "network": "fast",
    "batch_size": 1024,
    "learning_rate": 1.0,
    "momentum": 0.85,
    "weight_decay": 1.3e-3,
    "label_smoothing": 0.2,
}
"""Settings of the fast network as in the other myths (Jordan 2024 in kind); they were not chosen on forgetting."""


@unique_trials
def trials(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
    """What a profile runs; ``seeds`` replaces its number of seeds. With own ``data``, counting on those sets and nothing else."""
    if data:
        return [trial for name in data for trial in _own(name, profile, seeds or COUNTED)]
    return {"quick": _quick, "laptop": _laptop, "gpu": _gpu, "paper": _paper}[profile](seeds)


# --- parts that profiles are made of ---------------------------------------------------------------


def _count(settings: Settings, seeds: Iterable[int], **changed: Any) -> tuple[CountForgetting, ...]:
    return tuple(CountForgetting(**{**settings, **changed}, seed=seed) for seed in seeds)


def _counting(settings: Settings, seeds: int, stable: int) -> list[Trial]:
    """Counts, the unforgettable of each whole group of five seeds, and the stability of the first ``stable`` trainings."""
    counts = _count(settings, range(seeds))
    groups = [counts[first : first + COUNTED] for first in range(0, seeds - COUNTED + 1, COUNTED)]
    listed: list[Trial] = [*counts, *(Unforgettable(counts=group) for group in groups)]
    return [*listed, Stability(counts=counts[:stable])] if seeds >= stable else listed


def _remove(
    settings: Settings, ranking: Sequence[CountForgetting | ScoreExamples], points: Iterable[Point], seeds: int, skip: float = 0.0
) -> list[Trial]:
    """Trainings on what each point leaves; a point that removes nothing is the baseline of its seed."""
    return [
        TrainKept(**settings, ranking=() if order == "random" else tuple(ranking), removed=removed, order=order, skip=skip, seed=seed)
        for order, removed in points
        for seed in range(seeds)
    ]


def _lowest(*shares: float) -> list[Point]:
    return [("lowest first", share) for share in shares]


def _random(*shares: float) -> list[Point]:
    return [("random", share) for share in shares]


def _shuffled(share: float | None) -> list[Point]:
    return [] if share is None else [("shuffled", share)]


BASELINE: Point = ("random", 0.0)


# --- quick: what it looks like, on scikit-learn's digits -------------------------------------------


def _quick(seeds: int | None) -> list[Trial]:
    counting = {**DIGITS, "epochs": 16.0}
    kept = {**DIGITS, "network": "mnist_cnn_dropout", "epochs": 6.0, "same_updates": True}
    ranking = _count(counting, range(COUNTED))
    points: list[Point] = [BASELINE, *_lowest(0.3, 0.6, 0.8), *_random(0.3, 0.6, 0.8), ("shuffled", 0.8)]
    return [
        RemoveNothing(**DIGITS, epochs=2.0),
        *_counting(counting, seeds or COUNTED, COUNTED),
        *_count(counting, range(seeds or 3), label_noise=0.2),
        *_remove(kept, ranking, points, seeds or 5),
    ]


# --- laptop: MNIST and permuted MNIST in full, a fifth of CIFAR-10; the paper's 200 epochs become 6 -----


def _laptop(seeds: int | None) -> list[Trial]:
    """Every set is presented six times, so that their shares of unforgettable examples compare (F1-order).

    Some fourteen minutes on two cores, two at a time: 10 countings on MNIST, one of 12 epochs, 8 on the CIFAR-10 subset and 5 there by the
    small network, 35 trainings on what is left of MNIST and 15 on what is left of the subset. results/published has the time of each.
    """
    few, five = {"epochs": 6.0}, seeds or 5
    listed: list[Trial] = [RemoveNothing(**{**_MNIST, "epochs": 1.0, "train_examples": 2_000})]
    for permuted, ordered, shuffled in ((False, 0.8, True), (True, 0.6, False)):
        mnist = {**_MNIST, "permuted": permuted}
        points: list[Point] = [BASELINE, *_lowest(ordered), *_random(ordered), *_shuffled(ordered if shuffled else None)]
        ranking = _count({**mnist, **few}, range(COUNTED))
        listed += _counting({**mnist, **few}, five, COUNTED)
        listed += _remove({**mnist, "network": "mnist_cnn_dropout", "epochs": 2.0, "same_updates": True}, ranking, points, five)
    cifar = {**_CIFAR_SUBSET, **few}
    ranking = _count(cifar, range(COUNTED))
    listed += _counting(cifar, five, COUNTED)
    listed += _count(cifar, range(seeds or 3), label_noise=0.2)
    small = _count({**cifar, "network": "mnist_cnn"}, range(COUNTED))
    listed.append(CompareCounts(counts=small, reference=ranking, what="network"))
    listed += _remove({**cifar, "epochs": 4.0, "same_updates": True}, ranking, [BASELINE, *_lowest(0.3), *_random(0.3)], five)
    listed.append(CompareCounts(counts=_count({**_MNIST, **few}, (0,)), reference=_count({**_MNIST, "epochs": 12.0}, (0,))))
    return listed


# --- gpu: everything but the paper's 200 epochs ----------------------------------------------------


def _gpu(seeds: int | None) -> list[Trial]:
    """For 20 minutes on one H200-class GPU. An estimate until a GPU has run it, from the work of each network.

    CIFAR-10 and -100 by the fast network: 32 countings of 16 epochs (some 7 s each), 113 trainings of 10 (some 4.5 s) and 5 of 4 epochs
    for EL2N (2 s); 10 trainings of ResNet-20 (10 s), one counting of ResNet-18 (45 s), 5 of the small network (7 s). MNIST and
    permuted MNIST: 10 countings of 16 epochs (15 s) and 35 trainings of 3 (3 s), whose small steps wait for kernel launches.
    Together some 1,180 s.
    """
    five, few = seeds or 5, {"epochs": 16.0}
    cifar10, cifar100 = ({"dataset": name, **_FAST, **few} for name in ("cifar10", "cifar100"))
    ranking = _count(cifar10, range(COUNTED))
    kept = {"dataset": "cifar10", **_FAST, "epochs": 10.0, "same_updates": True}
    listed: list[Trial] = [RemoveNothing(**_without(kept, "same_updates", epochs=1.0)), *_counting(cifar10, seeds or 10, 10)]
    # F3 is decided at 30 %, where five pairs of seeds would leave ±0.3 pp.
    listed += _remove(kept, ranking, [BASELINE, *_lowest(0.3), *_random(0.3), ("shuffled", 0.3)], seeds or 12)
    listed += _remove(kept, ranking, [*_lowest(0.35, 0.5, 0.6), *_random(0.1, 0.5)], five)
    for start in (0.0, 0.3, 0.6, 0.75, 0.9):
        listed += _remove(kept, ranking, _lowest(0.1), five, skip=start)
    early = [
        ScoreExamples(**{**cifar10, "epochs": 4.0, "schedule": "constant", "learning_rate": 0.2}, seed=seed) for seed in range(COUNTED)
    ]
    listed += _remove(kept, early, _lowest(0.5), five)
    listed += _counting(cifar100, five, COUNTED)
    listed += _remove({**kept, "dataset": "cifar100"}, _count(cifar100, range(COUNTED)), [BASELINE, *_lowest(0.08)], five)
    listed += _count(cifar10, range(five), label_noise=0.2)
    listed += [t for noise in PIXEL_NOISES for t in _count(cifar10, range(seeds or 3), pixel_noise=noise)]
    other = {"dataset": "cifar10", "network": "resnet20", "epochs": 10.0, "batch_size": 512, "learning_rate": 0.4, "same_updates": True}
    listed += _remove(other, ranking, [BASELINE, *_lowest(0.3)], five)
    small = _count({"dataset": "cifar10", "network": "mnist_cnn", "learning_rate": 0.05, **few}, range(COUNTED))
    listed.append(CompareCounts(counts=small, reference=ranking, what="network"))
    resnet18 = _count({"dataset": "cifar10", "network": "resnet18", "batch_size": 512, "learning_rate": 0.2, **few}, range(1))
    listed.append(CompareCounts(counts=ranking[:1], reference=resnet18, what="network"))
    for permuted, ordered in ((False, 0.8), (True, 0.6)):
        mnist = {**_MNIST, "permuted": permuted}
        points: list[Point] = [BASELINE, *_lowest(ordered), *_random(ordered), *_shuffled(None if permuted else ordered)]
        listed += _counting({**mnist, **few}, five, COUNTED)
        counts = _count({**mnist, **few}, range(COUNTED))
        listed += _remove({**mnist, "network": "mnist_cnn_dropout", "epochs": 3.0, "same_updates": True}, counts, points, five)
    return listed


def _without(settings: Settings, *names: str, **changed: Any) -> dict[str, Any]:
    """Settings without some, and with others changed."""
    return {name: value for name, value in {**settings, **changed}.items() if name not in names}


# --- paper: the papers' own protocols, GPU-days ----------------------------------------------------


def _paper(seeds: int | None) -> list[Trial]:
    """Some 500 trainings of 200 epochs. The shares are those of the paper's Figs. 5 and 6 that were digitized."""
    five = seeds or 5
    count: dict[str, Settings] = {name: {"dataset": name, **settings} for name, settings in PAPER.items()}
    kept: dict[str, Settings] = {name: {"dataset": name, **settings} for name, settings in PAPER_REMOVAL.items()}
    ranking = _count(count["cifar10"], range(COUNTED))
    listed: list[Trial] = [
        RemoveNothing(**{**count["cifar10"], "epochs": 1.0}),
        *_counting(count["cifar10"], seeds or 10, 10),
        *_remove(kept["cifar10"], ranking, [BASELINE, *_lowest(0.3), *_random(0.3), ("shuffled", 0.3)], seeds or 12),
        *_remove(kept["cifar10"], ranking, [*_lowest(0.1, 0.2, 0.35, 0.4, 0.5, 0.6), *_random(0.1, 0.2, 0.4, 0.5, 0.6)], five),
    ]
    for start in (0.0, 0.15, 0.3, 0.45, 0.6, 0.675, 0.75, 0.825, 0.9):
        listed += _remove(kept["cifar10"], ranking, _lowest(0.1), five, skip=start)
    early = [
        ScoreExamples(**{**count["cifar10"], "epochs": 20.0, "schedule": "constant"}, method=method, seed=seed)
        for method in ("EL2N", "GraND")
        for seed in range(10)
    ]
    for method in ("EL2N", "GraND"):
        listed += _remove(kept["cifar10"], [score for score in early if score.method == method], _lowest(0.5), five)
    at_start = [ScoreExamples(**{**count["cifar10"], "epochs": 0.0}, method="GraND", seed=seed) for seed in range(10)]
    listed += _remove(kept["cifar10"], at_start, _lowest(0.5), five)
    listed += _counting(count["cifar100"], five, COUNTED)
    listed += _remove(kept["cifar100"], _count(count["cifar100"], range(COUNTED)), [BASELINE, *_lowest(0.08), *_random(0.08)], five)
    listed += _count(count["cifar10"], range(five), label_noise=0.2)
    listed += [t for noise in PIXEL_NOISES for t in _count(count["cifar10"], range(five), pixel_noise=noise)]
    wide = {**kept["cifar10"], "network": "wide_resnet_28_10_dropout"}
    listed += _remove(wide, ranking, [BASELINE, *_lowest(0.3), *_random(0.3)], five)
    small = _count({**count["cifar10"], "network": "mnist_cnn"}, range(COUNTED))
    listed.append(CompareCounts(counts=small, reference=ranking, what="network"))
    for settings in ({**_FAST, "epochs": 16.0}, {"network": "resnet18", "batch_size": 512, "learning_rate": 0.2, "epochs": 16.0}):
        short = _count({"dataset": "cifar10", **settings}, range(COUNTED))
        listed.append(CompareCounts(counts=short, reference=ranking))
    for permuted, shares in ((False, (0.25, 0.5, 0.8, 0.92, 0.967)), (True, (0.25, 0.5, 0.6, 0.67, 0.83))):
        mnist = {**count["mnist"], "permuted": permuted}
        listed += _counting(mnist, five, COUNTED)
        points: list[Point] = [BASELINE, *_lowest(*shares), *_random(*shares), ("shuffled", 0.6 if permuted else 0.8)]
        listed += _remove({**kept["mnist"], "permuted": permuted}, _count(mnist, range(COUNTED)), points, five)
        short = _count({**_MNIST, "permuted": permuted, "epochs": 16.0}, range(COUNTED))
        listed.append(CompareCounts(counts=short, reference=_count(mnist, range(COUNTED))))
    return listed


# --- own data --------------------------------------------------------------------------------------


def _own(name: str, profile: Profile, seeds: int) -> list[Trial]:
    """Countings of the user's own set, what they say of each file, and likely label errors where there are ``TOO_FEW`` examples or more.

    More epochs and a larger network where there is a GPU.
    """
    n = check_own(name)
    small = {"network": "small_cnn", "learning_rate": 0.05, "batch_size": 64, "epochs": 20.0}
    large = {**_FAST, "batch_size": 256, "learning_rate": 0.4, "epochs": 30.0}
    settings: Settings = {"dataset": name, **(large if profile in ("gpu", "paper") else small)}
    counts = _count(settings, range(seeds))
    stability = [Stability(counts=counts)] if seeds > 1 else []  # one training has no other to agree with
    listed: list[Trial] = [*counts, Unforgettable(counts=counts), *stability, ListExamples(counts=counts)]
    if n < TOO_FEW:
        return listed
    predicting: Settings = {"dataset": name, **small, "batch_size": 16} if n < FEW_EXAMPLES else settings
    held_out = every_fold(PredictHeldOut(**{**predicting, "epochs": HELD_OUT_EPOCHS * predicting["epochs"]}))
    return [*listed, *held_out, FindLabelErrors(held_out=held_out)]
