"""The trials of each profile.

Every profile counts with five training runs per dataset, as the paper does. ``seeds`` sets the number of further seeds of what is compared,
so that more seeds add trials and change none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from myths.forgetting.balanced_pruning import MIN_EXAMPLES
from myths.forgetting.pruning_order import Order
from myths.forgetting.trials import (
    CompareCounts,
    CorrelateCounts,
    CountForgetting,
    CountUnforgettable,
    FindLabelErrors,
    PredictHeldOut,
    PruneNothing,
    RankUserExamples,
    ScoreExamples,
    TrainPruned,
)
from myths.forgetting.trials.label_errors import all_folds
from myths.forgetting.trials.training import DIGITS, PAPER_COUNTING, PAPER_PRUNING, load_examples
from myths.forgetting.user_images import user_images
from myths.lab.data import prepared
from myths.lab.errors import UsageError
from myths.lab.myth import Profile, unique_trials
from myths.lab.trial import Trial

Settings = Mapping[str, Any]
Point = tuple[Order, float]
"""A pruning order and the pruned fraction."""

HELD_OUT_EPOCHS = 0.6
"""Epochs of a training run without one fold, relative to a counting run: 5 folds of 4/5 add half the cost of 5 counting runs."""
SMALL_DATASET = 2000
"""Number of examples below which held-out predictions use small batches: with 149 digits, accuracy is 46 % at batch size 64, 95 % at 16."""
N_COUNTING_RUNS = 5
"""Number of training runs whose counts are summed, as in the paper."""
N_RANKING_RUNS = 3
"""Number of training runs per ranking where two disjoint rankings are compared."""
NOISE_EPOCHS = 32.0
"""Number of epochs with label noise: counts of few epochs do not separate flipped labels (claim F7)."""
PIXEL_NOISES = (0.5, 1.0, 2.0, 10.0)

_MNIST: Settings = {"dataset": "mnist", **PAPER_COUNTING["mnist"], "precision": "auto"}
_LONG_MNIST: Settings = {**_MNIST, "network": "mnist_cnn_dropout", "epochs": 20.0, "match_updates": True}
"""Training on pruned MNIST for as many updates as 20 epochs on the full set."""
_SCARCE_MNIST: Settings = {**_MNIST, "train_examples": 1000, "epochs": 100.0}
"""A sixtieth of MNIST. 100 epochs are 1,600 updates."""
_CIFAR_SUBSET: Settings = {"dataset": "cifar10", "network": "small_cnn", "learning_rate": 0.05, "train_examples": 10_000}
_FAST: Settings = {
    "network": "fast",
    "batch_size": 1024,
    "learning_rate": 1.0,
    "momentum": 0.85,
    "weight_decay": 1.3e-3,
    "label_smoothing": 0.2,
}
"""Settings of the fast network, as in other myths (similar to Jordan 2024); they were not selected for this myth."""


@unique_trials
def trials(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
    """Return the trials of a profile.

    Args:
        profile: Name of the profile.
        seeds: Number of seeds. Default: that of the profile.
        data: Datasets of the user. If there are any, only these are counted.
    """
    if data:
        return [trial for name in data for trial in _user_data(name, profile, seeds or N_COUNTING_RUNS)]
    return {"quick": _quick, "laptop": _laptop, "overnight": _overnight, "gpu": _gpu, "paper": _paper}[profile](seeds)


# --- parts of profiles -----------------------------------------------------------------------------


def _count(settings: Settings, seeds: Iterable[int], **changed: Any) -> tuple[CountForgetting, ...]:
    return tuple(CountForgetting(**{**settings, **changed}, seed=seed) for seed in seeds)


def _counting(settings: Settings, seeds: int, correlated: int) -> list[Trial]:
    """Return counting runs, the unforgettable examples of each complete group of five runs, and the correlations of the first runs."""
    counts = _count(settings, range(seeds))
    groups = [counts[first : first + N_COUNTING_RUNS] for first in range(0, seeds - N_COUNTING_RUNS + 1, N_COUNTING_RUNS)]
    listed: list[Trial] = [*counts, *(CountUnforgettable(count_trials=group) for group in groups)]
    return [*listed, CorrelateCounts(count_trials=counts[:correlated])] if seeds >= correlated else listed


def _prune(
    settings: Settings,
    score_trials: Sequence[CountForgetting | ScoreExamples],
    points: Iterable[Point],
    seeds: int | Iterable[int],
    skipped: float = 0.0,
) -> list[Trial]:
    """Return training runs at each point and seed. A point that prunes nothing is the baseline of its seed."""
    return [
        TrainPruned(
            **settings,
            score_trials=() if order == "random" else tuple(score_trials),
            pruned_fraction=pruned,
            pruning_order=order,
            skipped_fraction=skipped,
            seed=seed,
        )
        for order, pruned in points
        for seed in (range(seeds) if isinstance(seeds, int) else seeds)
    ]


def _scarce(settings: Settings, fraction: float, seeds: int, **pruning: Any) -> list[Trial]:
    """Return training runs on a small set and on pruned parts of it, with the number of updates of the whole (claims T4-scarce)."""
    rankings = _rankings(settings)
    listed: list[Trial] = [count for ranking in rankings for count in ranking]
    points = [BASELINE, *_lowest(fraction), *_random(fraction), *_shuffled(fraction)]
    for seed in range(seeds):
        listed += _prune({**settings, "match_updates": True, **pruning}, rankings[seed % 2], points, (seed,))
    return listed


def _rankings(settings: Settings) -> list[tuple[CountForgetting, ...]]:
    """Return two disjoint groups of counting runs, so that an interval can include the ranking."""
    return [_count(settings, range(first, first + N_RANKING_RUNS)) for first in (0, N_RANKING_RUNS)]


def _pairs(counts: Sequence[CountForgetting], reference: Sequence[CountForgetting]) -> list[Trial]:
    """Return a comparison of each counting run with another network's run of the same seed: disjoint pairs."""
    return [CompareCounts(count_trials=(a,), reference_trials=(b,), comparison="network") for a, b in zip(counts, reference, strict=True)]


def _lowest(*fractions: float) -> list[Point]:
    return [("lowest first", fraction) for fraction in fractions]


def _random(*fractions: float) -> list[Point]:
    return [("random", fraction) for fraction in fractions]


def _shuffled(fraction: float | None) -> list[Point]:
    return [] if fraction is None else [("shuffled", fraction)]


BASELINE: Point = ("random", 0.0)


# --- quick: a demonstration on scikit-learn's digits -----------------------------------------------


def _quick(seeds: int | None) -> list[Trial]:
    counting = {**DIGITS, "epochs": 16.0}
    pruning = {**DIGITS, "network": "mnist_cnn_dropout", "epochs": 6.0, "match_updates": True}
    counted = _count(counting, range(N_COUNTING_RUNS))
    points: list[Point] = [BASELINE, *_lowest(0.3, 0.6, 0.8), *_random(0.3, 0.6, 0.8), ("shuffled", 0.8)]
    return [
        PruneNothing(**DIGITS, epochs=2.0),
        *_counting(counting, seeds or N_COUNTING_RUNS, N_COUNTING_RUNS),
        *_count(counting, range(seeds or 3), label_noise=0.2, epochs=NOISE_EPOCHS),
        *_prune(pruning, counted, points, seeds or 5),
    ]


# --- laptop: MNIST and permuted MNIST in full, a fifth of CIFAR-10; the paper's 200 epochs become 6 -----


def _laptop(seeds: int | None) -> list[Trial]:
    """Return the trials of the profile "laptop". Counting runs of datasets that are compared have six epochs (claims F1-order).

    About an hour of one core, by --dry-run. The training runs on pruned MNIST come first: 20 epochs, two disjoint rankings of three
    counting runs, three seeds that are pruned by both.
    """
    few, five = {"epochs": 6.0}, seeds or 5
    listed: list[Trial] = [PruneNothing(**{**_MNIST, "epochs": 1.0, "train_examples": 2_000})]
    rankings = _rankings({**_MNIST, **few})
    listed += [count for ranking in rankings for count in ranking]
    for seed in range(seeds or 3):
        points: list[Point] = [BASELINE, *_lowest(0.8), *_random(0.8), *_shuffled(0.8)]
        listed += _prune(_LONG_MNIST, rankings[0], points, (seed,)) + _prune(_LONG_MNIST, rankings[1], _lowest(0.8), (seed,))
    listed += _scarce(_SCARCE_MNIST, 0.8, seeds or 8, network="mnist_cnn_dropout")
    for permuted in (False, True):
        listed += _counting({**_MNIST, **few, "permute_pixels": permuted}, five, N_COUNTING_RUNS)
    cifar = {**_CIFAR_SUBSET, **few}
    counted = _count(cifar, range(N_COUNTING_RUNS))
    listed += _counting(cifar, five, N_COUNTING_RUNS)
    listed += _pairs(_count({**cifar, "network": "mnist_cnn"}, range(N_COUNTING_RUNS)), counted)
    return listed


# --- overnight: the primary claims on all of CIFAR-10 ----------------------------------------------


def _overnight(seeds: int | None) -> list[Trial]:
    """Return the trials of the primary claims with a medium fast network, for about 9 hours on one core; then T4-90 (3 hours), F4
    on MNIST and permuted MNIST (5 hours), and T4-scarce (2 hours).

    Two disjoint rankings of three counting runs each. Each of eight seeds trains on the full set, on the sets pruned by either ranking, so
    that the control F0-rankings-30 is paired, and on sets pruned at random and by shuffled counts. One seed comes after the other, and
    the second rankings come last: an interrupted run has complete pairs.

    On all of CIFAR-10, the network, the weight decay and the augmentation were chosen on 5,000 training images that were held out, one
    training run per setting, without pruning. F0-trained-cifar10 asks for 90 % on the test set. Of the trial runs, which were not
    published, ten epochs on 45,000 images reach 91.2 % of the held-out ones with this network, and 90.3 % with "fast_narrow" for three
    quarters of the seconds.
    """
    cifar = {"dataset": "cifar10", **_FAST, "network": "fast_narrow", "batch_size": 256, "learning_rate": 0.4}
    changed = {"network": "fast_medium", "weight_decay": 5e-4, "augmentation": "shift-alternating-flip", "padding_mode": "reflect"}
    whole = {**cifar, **changed}
    rankings = _rankings({**whole, "epochs": 12.0})
    pruning = {**whole, "epochs": 9.0, "match_updates": True}
    listed: list[Trial] = [PruneNothing(**_without(pruning, "match_updates", epochs=1.0, train_examples=5_000)), *rankings[0], *rankings[1]]
    listed.append(CorrelateCounts(count_trials=(*rankings[0], *rankings[1])))
    points = [BASELINE, *_lowest(0.3), *_random(0.3), *_shuffled(0.3)]
    for seed in range(seeds or 8):
        listed += _prune(pruning, rankings[seed % 2], points, (seed,))
    for seed in range(seeds or 8):
        listed += _prune(pruning, rankings[1 - seed % 2], _lowest(0.3), (seed,))
    for seed in range(seeds or 5):
        listed += _prune(pruning, rankings[seed % 2], [*_lowest(0.9), *_random(0.9), ("stratified", 0.9)], (seed,))
    for permuted, fraction in ((False, 0.8), (True, 0.6)):
        rankings = _rankings({**_MNIST, "permute_pixels": permuted, "epochs": 12.0})
        listed += [count for ranking in rankings for count in ranking]
        mnist = {**_LONG_MNIST, "permute_pixels": permuted, "epochs": 30.0}
        for seed in range(min(seeds or 8, 8)):
            listed += _prune(mnist, rankings[seed % 2], [BASELINE, *_lowest(fraction), *_random(fraction), *_shuffled(fraction)], (seed,))
            listed += _prune(mnist, rankings[1 - seed % 2], _lowest(fraction), (seed,))
    return [*listed, *_scarce({**cifar, "train_examples": 5000, "epochs": 45.0}, 0.3, min(seeds or 8, 8))]


# --- gpu: CIFAR-10, primary claims first -----------------------------------------------------------


def _gpu(seeds: int | None) -> list[Trial]:
    """Return the trials of the profile "gpu", for less than 12 minutes on one H200-class GPU (estimated from eager steps, not measured).

    CIFAR-10 with the fast network: 22 counting runs of 16 epochs (about 7 s each) and 5 of 32, 104 training runs of 10 epochs (4.5 s) and 5
    of 4 epochs for EL2N (2 s). Total: about 700 s. MNIST, CIFAR-100, other networks and most points of Figs. 5 and 6 are in the profile
    "paper".
    """
    five, few = seeds or 5, {"epochs": 16.0}
    cifar10 = {"dataset": "cifar10", **_FAST, **few}
    counted = _count(cifar10, range(N_COUNTING_RUNS))
    pruning = {"dataset": "cifar10", **_FAST, "epochs": 10.0, "match_updates": True}
    # 12 seeds at 30 %, where the primary claims are: the interval over five pairs of seeds would be ±0.3 pp. The second ranking prunes
    # the same seeds.
    listed: list[Trial] = [PruneNothing(**_without(pruning, "match_updates", epochs=1.0))]
    listed += _prune(pruning, counted, [BASELINE, *_lowest(0.3), *_random(0.3), ("shuffled", 0.3)], seeds or 12)
    other_ranking = _count(cifar10, range(N_COUNTING_RUNS, 2 * N_COUNTING_RUNS))
    listed += [*other_ranking, *_prune(pruning, other_ranking, _lowest(0.3), seeds or 12)]
    listed += _counting(cifar10, seeds or 10, 10)
    listed += _prune(pruning, counted, [*_lowest(0.9), *_random(0.9), ("stratified", 0.9)], seeds or 8)
    listed += _prune(pruning, counted, [*_lowest(0.5), *_random(0.5)], five)
    listed += _count(cifar10, range(five), label_noise=0.2, epochs=NOISE_EPOCHS)
    listed += [t for noise in PIXEL_NOISES for t in _count(cifar10, range(seeds or 3), pixel_noise=noise)]
    early = [
        ScoreExamples(**{**cifar10, "epochs": 4.0, "schedule": "constant", "learning_rate": 0.2}, seed=seed)
        for seed in range(N_COUNTING_RUNS)
    ]
    listed += _prune(pruning, early, _lowest(0.5), five)
    at_start = [ScoreExamples(**{**cifar10, "epochs": 0.0}, method="GraND", seed=seed) for seed in range(N_COUNTING_RUNS)]
    return listed + _prune(pruning, at_start, _lowest(0.5), five)


def _without(settings: Settings, *names: str, **changed: Any) -> dict[str, Any]:
    """Return settings without some names and with others changed."""
    return {name: value for name, value in {**settings, **changed}.items() if name not in names}


# --- paper: the protocols of the papers, GPU-days --------------------------------------------------


def _paper(seeds: int | None) -> list[Trial]:
    """Return the trials of the profile "paper": about 390 training runs, most of 200 epochs, at the digitized points of Figs. 5 and 6."""
    five = seeds or 5
    count: dict[str, Settings] = {name: {"dataset": name, **settings} for name, settings in PAPER_COUNTING.items()}
    pruning: dict[str, Settings] = {name: {"dataset": name, **settings} for name, settings in PAPER_PRUNING.items()}
    first, second = (range(start, start + N_COUNTING_RUNS) for start in (0, N_COUNTING_RUNS))  # of two rankings that prune the same seeds
    counted = _count(count["cifar10"], first)
    listed: list[Trial] = [
        PruneNothing(**{**count["cifar10"], "epochs": 1.0}),
        *_counting(count["cifar10"], seeds or 10, 10),
        *_prune(pruning["cifar10"], counted, [BASELINE, *_lowest(0.3), *_random(0.3), ("shuffled", 0.3)], seeds or 12),
        *_prune(pruning["cifar10"], _count(count["cifar10"], second), _lowest(0.3), seeds or 12),
        *_prune(pruning["cifar10"], counted, [*_lowest(0.1, 0.2, 0.35, 0.4, 0.5, 0.6), *_random(0.1, 0.2, 0.4, 0.5, 0.6)], five),
    ]
    for start in (0.0, 0.15, 0.3, 0.45, 0.6, 0.675, 0.75, 0.825, 0.9):
        listed += _prune(pruning["cifar10"], counted, _lowest(0.1), five, skipped=start)
    early = [
        ScoreExamples(**{**count["cifar10"], "epochs": 20.0, "schedule": "constant"}, method=method, seed=seed)
        for method in ("EL2N", "GraND")
        for seed in range(10)
    ]
    for method in ("EL2N", "GraND"):
        listed += _prune(pruning["cifar10"], [score for score in early if score.method == method], _lowest(0.5), five)
    at_start = [ScoreExamples(**{**count["cifar10"], "epochs": 0.0}, method="GraND", seed=seed) for seed in range(10)]
    listed += _prune(pruning["cifar10"], at_start, _lowest(0.5), five)
    listed += _counting(count["cifar100"], five, N_COUNTING_RUNS)
    listed += _prune(
        pruning["cifar100"], _count(count["cifar100"], range(N_COUNTING_RUNS)), [BASELINE, *_lowest(0.08), *_random(0.08)], five
    )
    listed += _count(count["cifar10"], range(five), label_noise=0.2)
    listed += [t for noise in PIXEL_NOISES for t in _count(count["cifar10"], range(five), pixel_noise=noise)]
    wide = {**pruning["cifar10"], "network": "wide_resnet_28_10_dropout"}
    listed += _prune(wide, counted, [BASELINE, *_lowest(0.3), *_random(0.3)], five)
    small = _count({**count["cifar10"], "network": "mnist_cnn"}, range(N_COUNTING_RUNS))
    listed += _pairs(small, counted)
    for settings in ({**_FAST, "epochs": 16.0}, {"network": "resnet18", "batch_size": 512, "learning_rate": 0.2, "epochs": 16.0}):
        short = _count({"dataset": "cifar10", **settings}, range(N_COUNTING_RUNS))
        listed.append(CompareCounts(count_trials=short, reference_trials=counted))
    for permuted, fractions in ((False, (0.25, 0.5, 0.8, 0.92, 0.967)), (True, (0.25, 0.5, 0.6, 0.67, 0.83))):
        mnist = {**count["mnist"], "permute_pixels": permuted}
        listed += _counting(mnist, five, N_COUNTING_RUNS)
        pruned, decisive = {**pruning["mnist"], "permute_pixels": permuted}, 0.6 if permuted else 0.8
        points: list[Point] = [BASELINE, *_lowest(*fractions), *_random(*fractions), ("shuffled", decisive)]
        listed += _prune(pruned, _count(mnist, first), points, five)
        listed += [*_count(mnist, second), *_prune(pruned, _count(mnist, second), _lowest(decisive), five)]
        short = _count({**_MNIST, "permute_pixels": permuted, "epochs": 16.0}, first)
        listed.append(CompareCounts(count_trials=short, reference_trials=_count(mnist, first)))
    return listed


# --- datasets of the user --------------------------------------------------------------------------


def _user_data(name: str, profile: Profile, seeds: int) -> list[Trial]:
    """Return counting runs on a dataset of the user, the ranking of its examples, and likely label errors.

    Label errors need at least ``MIN_EXAMPLES`` examples. The profiles "gpu" and "paper" use more epochs and a larger network.
    """
    n = check_user_data(name)
    small = {"network": "small_cnn", "learning_rate": 0.05, "batch_size": 64, "epochs": 20.0}
    large = {**_FAST, "batch_size": 256, "learning_rate": 0.4, "epochs": 30.0}
    settings: Settings = {"dataset": name, **(large if profile in ("gpu", "paper") else small)}
    counts = _count(settings, range(seeds))
    correlated = [CorrelateCounts(count_trials=counts)] if seeds > 1 else []
    listed: list[Trial] = [*counts, CountUnforgettable(count_trials=counts), *correlated, RankUserExamples(count_trials=counts)]
    if n < MIN_EXAMPLES:
        return listed
    predicting: Settings = {"dataset": name, **small, "batch_size": 16} if n < SMALL_DATASET else settings
    held_out = all_folds(PredictHeldOut(**{**predicting, "epochs": HELD_OUT_EPOCHS * predicting["epochs"]}))
    return [*listed, *held_out, FindLabelErrors(held_out=held_out)]


def check_user_data(name: str) -> int:
    """Check a dataset of the user before any trial runs.

    Returns:
        Number of training examples.

    Raises:
        UsageError: The dataset has no training part, images without classes, labels out of range, or a single class.
        CannotStart: The dataset is not on this machine.
    """
    if prepared.require(name).kind == "images":
        found = user_images(name)
        n, classes = len(found.train_labels), len(found.classes)
    else:
        examples = load_examples(name, "cpu")
        n, classes = len(examples.y), examples.classes
    if classes < 2:
        raise UsageError(f"{name} has one class: forgetting events need at least two")
    return n
