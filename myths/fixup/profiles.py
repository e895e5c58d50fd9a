"""Trials of each profile of myth 5. ``seeds`` overrides the number of seeds of trials that are compared over seeds."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from typing import Any

from myths.fixup.methods import Name
from myths.fixup.trials.training_runs import FULL_SCHEDULE, TrainFullSchedule, TrainOneEpoch
from myths.fixup.trials.translation import REVERSED_WORDS, Normalization, TrainTransformer
from myths.fixup.trials.update import MeasureUpdate
from myths.lab.myth import Profile, unique_trials
from myths.lab.trial import Trial

Settings = Mapping[str, Any]

ALL: tuple[Name, ...] = typing.get_args(Name)
COMPARED_METHODS: tuple[Name, ...] = ("fixup", "batch-norm")
WITHOUT: tuple[Name, ...] = ("he", "he-scaled", "lsuv")
"""Methods that fail at great depth according to the paper."""
SCALING_METHODS: tuple[Name, ...] = ("fixup", "he", "he-scaled", "batch-norm")
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


@unique_trials
def trials(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
    """Return the trials of a profile.

    Args:
        profile: Name of the profile.
        seeds: Number of seeds. Default: that of the profile.
        data: User datasets of small images with a training part. If given, only these are trained on, for one epoch.
    """
    if data:
        return [t for name in data for t in _one_epoch_runs({"dataset": name}, (22, 112), (*COMPARED_METHODS, "he"), seeds or 1)]
    return {"quick": _quick, "laptop": _laptop, "overnight": _overnight, "gpu": _gpu, "paper": _paper}[profile](seeds)


def _one_epoch_runs(settings: Settings, depths: Iterable[int], methods: Iterable[Name], seeds: int, **changed: Any) -> list[Trial]:
    return [
        TrainOneEpoch(**{**settings, **changed}, depth=depth, method=method, seed=seed)
        for depth in depths
        for method in methods
        for seed in range(seeds)
    ]


def _learning_rate_grid(settings: Settings, depth: int, seeds: int, rates: Iterable[float] = RATES) -> list[Trial]:
    return [t for rate in rates for t in _one_epoch_runs(settings, (depth,), COMPARED_METHODS, seeds, learning_rate=rate)]


def _full_runs(settings: Settings, mixups: Iterable[float], seeds: int, methods: Iterable[Name] = COMPARED_METHODS) -> list[Trial]:
    return [
        TrainFullSchedule(**settings, mixup=mixup, method=method, seed=seed)
        for mixup in mixups
        for seed in range(seeds)
        for method in methods
    ]


def _convnets_with_dyt(epochs: float, seeds: int) -> list[Trial]:
    """Return ResNet-20 with batch normalization, Fixup and Dynamic Tanh (claims T5-dyt-convnet and T5-fixup-convnet)."""
    settings = {**FULL_SCHEDULE, "depth": 20, "epochs": epochs, "schedule": "one-cycle"}
    return _full_runs(settings, (0.0,), seeds, (*COMPARED_METHODS, "dyt"))


def _update_measurements(settings: Settings, depths: Iterable[int], seeds: int) -> list[Trial]:
    """Measure five steps of Fixup and one step of the other methods, for which the theory only concerns the first step."""
    return [
        MeasureUpdate(**settings, depth=depth, method=method, steps=5 if method == "fixup" else 1, seed=seed)
        for depth in depths
        for method in SCALING_METHODS
        for seed in range(seeds)
    ]


def _translation_runs(
    settings: Settings, seeds: int, normalizations: Iterable[Normalization] = ("layer", "fixup", "none", "dyt", "derf")
) -> list[Trial]:
    return [
        TrainTransformer(**settings, normalization=normalization, seed=seed) for seed in range(seeds) for normalization in normalizations
    ]


# --- quick: scikit-learn's digits ------------------------------------------------------------------


def _quick(seeds: int | None) -> list[Trial]:
    """Return small trials. Two epochs of 37 steps replace one epoch of 391 steps."""
    digits = {"dataset": "digits", "width": 4, "batch_size": 32, "epochs": 2.0, "augmentation": "none"}
    end = {**digits, "depth": 8, "epochs": 4.0, "schedule": "one-cycle"}
    words = {"dataset": REVERSED_WORDS, "embed_dim": 32, "ffn_dim": 64, "heads": 2, "layers": 2, "subwords": 0, "max_length": 20}
    words |= {"updates": 150, "batch_tokens": 1000, "learning_rate": 3e-3, "warmup": 40, "dropout": 0.0, "beam_size": 2}
    words |= {"precision": "fp32"}
    return [
        *_one_epoch_runs(digits, (10, 22), ALL, 1),
        *_one_epoch_runs(digits, (22,), COMPARED_METHODS, seeds or 2),
        *_one_epoch_runs(digits, (112,), (*COMPARED_METHODS, "he"), 1),
        *_learning_rate_grid(digits, 10, 1),
        *_full_runs(end, (0.0,), seeds or 2),
        *_update_measurements({"dataset": "digits", "width": 4, "examples_per_step": 32}, (10, 16, 28, 52), seeds or 3),
        *_translation_runs(words, 1, ("layer", "fixup", "none", "dyt")),
    ]


# --- laptop: all 50,000 images of CIFAR-10 at 12 pixels up to 58 layers; beyond, a part of them at 8 pixels ---


def _laptop(seeds: int | None) -> list[Trial]:
    """Return trials of networks with half the width on images with a seventh of the pixels, and U6 on the paper's own network.

    These trials test effects, not absolute values. The last stage has 3x3 or 2x2 pixels, where most inputs of a 3x3 kernel are padding.
    Variances of He initialization therefore grow more slowly than in the paper, and sums scaled by √½ shrink faster.
    """
    small = {"width": 8, "image_size": 12}
    half = {"width": 8, "image_size": 8, "train_examples": 25_000}
    tiny = {"width": 8, "image_size": 8, "train_examples": 25_600, "batch_size": 64}
    return [
        # 400 steps. Accuracy at 22 layers varies by 2.5 points between seeds, so that three do not show that it is above 25 %.
        *_one_epoch_runs(tiny, (22,), ("fixup",), seeds or 8),
        *_one_epoch_runs(tiny, (1000,), ("fixup", "no-branches"), seeds or 3),
        *_learning_rate_grid(small, 22, seeds or 32, (1.0,)),  # exact intervals of counts need many: 16 did not decide T5-rates
        *_one_epoch_runs(small, (22, 58), COMPARED_METHODS, seeds or 3),
        *_learning_rate_grid(small, 22, 1, RATES[3:]),
        *_one_epoch_runs(half, (22,), ("fixup",), seeds or 3),
        *_one_epoch_runs(half, (112,), (*COMPARED_METHODS, "no-branches"), seeds or 3),
        *_update_measurements({"examples_per_step": 32}, (10, 22, 40, 76, 148), seeds or 10),  # with 4 seeds, U6-first was inconclusive
    ]


# --- overnight: 1,000 layers with enough seeds, and 22 layers beside them ---------------------------


def _overnight(seeds: int | None) -> list[Trial]:
    """Return trials of 400 steps at 1,000 layers, and at 22 layers for comparison, for about five hours on one core.

    200 steps are too few: three networks of 22 layers did not clearly reach the accuracy that their control (U0-shallow) asks for.

    Then Dynamic Tanh: transformers of three and three layers for 16 epochs of Multi30k, and ResNet-20 for eight epochs of CIFAR-10.
    """
    few: Settings = {"width": 8, "image_size": 16, "train_examples": 25_600, "batch_size": 64}
    listed: list[Trial] = [MeasureUpdate(depth=22, method="fixup", examples_per_step=32)]  # the control U0-zero
    for seed in range(seeds or 5):
        for depth, methods in ((22, COMPARED_METHODS), (1000, ("fixup", "no-branches", "batch-norm", "skipinit"))):
            listed += [TrainOneEpoch(**few, depth=depth, method=method, seed=seed) for method in methods]
    # An exact interval over six seeds can lie above one half, over five it cannot.
    listed += _one_epoch_runs(few, (1000,), ("he", "he-scaled"), (seeds or 5) + 1)
    small: dict[str, Any] = {"layers": 3, "embed_dim": 128, "ffn_dim": 256, "subwords": 2000, "dropout": 0.2}
    small |= {"updates": 4000, "warmup": 400, "batch_tokens": 2400, "learning_rate": 4e-3}
    return [
        *listed,
        *_translation_runs(small, min(seeds or 5, 5), ("layer", "dyt", "derf", "fixup")),
        *_convnets_with_dyt(8.0, min(seeds or 4, 4)),
    ]


# --- gpu: the paper's depth study, Table 1 on a short schedule ---------------------------------------


def _gpu(seeds: int | None) -> list[Trial]:
    """Return the depth study and Table 1 with 8 one-cycle epochs instead of 200, for some 12 minutes on one H200-class GPU.

    Estimated at 65 µs per layer and step (not measured): 235 s for 9 epochs of 1,000 layers, 140 s for 6 runs of 8 epochs of ResNet-110,
    150 s for translation, 80 s for ResNet-20, 60 s for updates, 90 s for the rest. 10,000 layers are in the profile "paper".
    """
    short = {**FULL_SCHEDULE, "epochs": 8.0, "schedule": "one-cycle"}
    return [
        *_one_epoch_runs({}, (10, 22, 112), COMPARED_METHODS, seeds or 3),
        *_one_epoch_runs({}, (10, 22, 112), ("he",), 1),
        *_one_epoch_runs({}, (112,), ("no-branches",), seeds or 3),
        *_one_epoch_runs({"architecture": "resnet"}, (32,), ("fixup",), seeds or 3),
        *_one_epoch_runs({}, (1000,), (*COMPARED_METHODS, "skipinit", "no-branches"), seeds or 3),
        *_one_epoch_runs({}, (502,), ("fixup",), 1),
        *_one_epoch_runs({}, (1000,), WITHOUT, 1, train_examples=12_800),
        *_learning_rate_grid({}, 22, seeds or 5, (1.0,)),
        *_learning_rate_grid({}, 22, 1),
        *_full_runs(short, (0.0,), seeds or 3),
        *_update_measurements({"examples_per_step": 64}, (10, 22, 40, 76, 148), seeds or 5),
        *_translation_runs({"layers": 3, "updates": 1000, "warmup": 200, "batch_tokens": 8000, "learning_rate": 1e-3}, seeds or 3),
        *_convnets_with_dyt(15.0, seeds or 3),
    ]


# --- paper: one epoch at all depths with five seeds, both set-ups, and 200 epochs --------------------


def _paper(seeds: int | None) -> list[Trial]:
    five = seeds or 5
    rest = [name for name in ALL if name not in COMPARED_METHODS]
    return [
        *_one_epoch_runs({}, (10, 22, 40, 58, 112, 256, 502, 1000), (*COMPARED_METHODS, *rest), five),
        *_one_epoch_runs({"batch_size": 64}, (10_000,), (*COMPARED_METHODS, "he", "skipinit", "no-branches"), seeds or 3),
        *_one_epoch_runs({"batch_size": 64}, (22,), ("fixup",), seeds or 3),  # the shallow network of this setting
        *_one_epoch_runs({"batch_size": 64, "train_examples": 12_800}, (22, 10_000), ("fixup",), 1),
        *_one_epoch_runs({"architecture": "resnet"}, (8, 20, 32, 56, 110, 500, 998), (*COMPARED_METHODS, *rest), five),
        *_one_epoch_runs({"architecture": "resnet", "batch_size": 64}, (9998,), COMPARED_METHODS, seeds or 2),
        *[t for depth in (22, 112) for t in _learning_rate_grid({}, depth, five)],
        *_full_runs(FULL_SCHEDULE, (0.0, 1.0), five),
        *_full_runs({**FULL_SCHEDULE, "depth": 20}, (0.0,), five, (*COMPARED_METHODS, "dyt")),
        *_update_measurements({"examples_per_step": 128}, (10, 22, 40, 76, 148, 304, 1000), five),
        *_translation_runs({"updates": 30_000}, five),
        *_translation_runs({"dataset": "iwslt14", "embed_dim": 512, "dropout": 0.5, "updates": 226_000}, seeds or 1),
    ]
