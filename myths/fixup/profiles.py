"""Which trials each profile runs; ``seeds`` replaces the number of seeds of what is compared over seeds."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from typing import Any

from myths.fixup.translation import SPELLED, TrainTransformer
from myths.fixup.treatments import Name
from myths.fixup.trials import TO_THE_END, TrainOneEpoch, TrainToTheEnd
from myths.fixup.update import MeasureUpdate
from myths.lab.myth import Profile, each_once
from myths.lab.trial import Trial

Settings = Mapping[str, Any]

ALL: tuple[Name, ...] = typing.get_args(Name)
RIVALS: tuple[Name, ...] = ("fixup", "batch-norm")
WITHOUT: tuple[Name, ...] = ("he", "he-scaled", "lsuv")
"""What fails at great depth, the paper says."""
LAWS: tuple[Name, ...] = ("fixup", "he", "he-scaled", "batch-norm")
RATES = (0.01, 0.03, 0.1, 0.3, 1.0)


@each_once
def trials(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
    """What a profile runs; with own ``data``, sets of small images with a training part, the first epoch on each of those."""
    if data:
        return [t for name in data for t in _epochs({"dataset": name}, (22, 112), (*RIVALS, "he"), seeds or 1)]
    return {"quick": _quick, "laptop": _laptop, "gpu": _gpu, "paper": _paper}[profile](seeds)


def _epochs(settings: Settings, depths: Iterable[int], treatments: Iterable[Name], seeds: int, **changed: Any) -> list[Trial]:
    return [
        TrainOneEpoch(**{**settings, **changed}, depth=depth, initialization=treatment, seed=seed)
        for depth in depths
        for treatment in treatments
        for seed in range(seeds)
    ]


def _rates(settings: Settings, depth: int, seeds: int, rates: Iterable[float] = RATES) -> list[Trial]:
    return [t for rate in rates for t in _epochs(settings, (depth,), RIVALS, seeds, learning_rate=rate)]


def _ends(settings: Settings, mixups: Iterable[float], seeds: int) -> list[Trial]:
    return [
        TrainToTheEnd(**settings, mixup=mixup, initialization=treatment, seed=seed)
        for mixup in mixups
        for treatment in RIVALS
        for seed in range(seeds)
    ]


def _laws(settings: Settings, depths: Iterable[int], seeds: int) -> list[Trial]:
    """Fixup for five steps; what the theory says of the others is of the first."""
    return [
        MeasureUpdate(**settings, depth=depth, initialization=treatment, steps=5 if treatment == "fixup" else 1, seed=seed)
        for depth in depths
        for treatment in LAWS
        for seed in range(seeds)
    ]


def _translate(settings: Settings, seeds: int) -> list[Trial]:
    return [
        TrainTransformer(**settings, normalization=normalization, seed=seed)
        for normalization in ("layer", "fixup", "none")
        for seed in range(seeds)
    ]


# --- quick: what it looks like, on scikit-learn's digits -------------------------------------------


def _quick(seeds: int | None) -> list[Trial]:
    """Two epochs of 37 steps stand for the one of 391."""
    digits = {"dataset": "digits", "width": 4, "batch_size": 32, "epochs": 2.0, "augmentation": "none"}
    end = {**digits, "depth": 8, "epochs": 4.0, "schedule": "one-cycle"}
    spelled = {"dataset": SPELLED, "channels": 32, "hidden": 64, "heads": 2, "layers": 2, "subwords": 0, "longest": 20, "dropout": 0.0}
    spelled |= {"updates": 150, "batch_tokens": 1000, "learning_rate": 3e-3, "warmup": 40, "beam": 2, "precision": "fp32"}
    return [
        *_epochs(digits, (10, 22), ALL, 1),
        *_epochs(digits, (22,), RIVALS, seeds or 2),
        *_epochs(digits, (112,), (*RIVALS, "he"), 1),
        *_rates(digits, 10, 1),
        *_ends(end, (0.0,), seeds or 2),
        *_laws({"dataset": "digits", "width": 4, "examples_a_step": 32}, (10, 16, 28, 52), seeds or 3),
        *_translate(spelled, 1),
    ]


# --- laptop: all 50,000 images of CIFAR-10 at 12 pixels up to 58 layers; beyond, a part of them at 8 pixels ---


def _laptop(seeds: int | None) -> list[Trial]:
    """Networks of half the width on a seventh of the pixels: effects, and no levels. U6 is measured on the paper's own network.

    On the 3x3 or 2x2 pixels that are left to the last stage, most of what a 3x3 kernel sees is border: He's variances grow more slowly
    there than the paper's, and sums scaled by the root of a half shrink faster.
    """
    small = {"width": 8, "side": 12}
    half = {"width": 8, "side": 8, "train_examples": 25_000}
    tiny = {"width": 8, "side": 8, "train_examples": 6400, "batch_size": 64}
    return [
        *_epochs(small, (22, 58), RIVALS, seeds or 3),
        *_epochs(small, (22, 58), ("he",), 1),
        *_epochs(half, (112,), RIVALS, seeds or 3),
        *_epochs(half, (112,), ("he",), 1),
        *_epochs(tiny, (1000,), ("fixup",), seeds or 2),
        *_epochs(tiny, (1000,), (*WITHOUT, "skipinit"), 1),
        *_rates(small, 22, 1, RATES[2:]),
        *_laws({"examples_a_step": 32}, (10, 22, 40, 76, 148), seeds or 10),  # four left the slope of the first step undecided
    ]


# --- gpu: the paper's depth study, the greatest depth on a part, Table 1 on a short schedule ---------


def _gpu(seeds: int | None) -> list[Trial]:
    """Table 1's gap by 8 epochs with one cycle for 200 with steps; 10,000 layers see 12,800 images."""
    short = {**TO_THE_END, "epochs": 8.0, "schedule": "one-cycle"}
    return [
        *_epochs({}, (10, 22, 112), RIVALS, seeds or 3),
        *_epochs({}, (10, 22, 112), ("he",), 1),
        *_epochs({"architecture": "resnet"}, (32,), ("fixup",), seeds or 3),
        *_epochs({}, (502, 1000), ("fixup",), 1),
        *_epochs({}, (1000,), (*WITHOUT, "skipinit"), 1, train_examples=12_800),
        *_epochs({"batch_size": 64, "train_examples": 12_800}, (10_000,), ("fixup",), 1),
        *_rates({}, 22, 1),
        *_ends(short, (0.0,), seeds or 3),
        *_laws({"examples_a_step": 64}, (10, 22, 40, 76, 148, 304), seeds or 5),
        *_translate({"layers": 3, "updates": 1500, "warmup": 300, "batch_tokens": 8000, "learning_rate": 1e-3}, seeds or 3),
    ]


# --- paper: one epoch at all depths with five seeds, both set-ups, and 200 epochs --------------------


def _paper(seeds: int | None) -> list[Trial]:
    five = seeds or 5
    rest = [name for name in ALL if name not in RIVALS]
    return [
        *_epochs({}, (10, 22, 40, 58, 112, 256, 502, 1000), (*RIVALS, *rest), five),
        *_epochs({"batch_size": 64}, (10_000,), (*RIVALS, "he", "skipinit"), seeds or 2),
        *_epochs({"architecture": "resnet"}, (8, 20, 32, 56, 110, 500, 998), (*RIVALS, *rest), five),
        *_epochs({"architecture": "resnet", "batch_size": 64}, (9998,), RIVALS, seeds or 2),
        *[t for depth in (22, 112) for t in _rates({}, depth, five)],
        *_ends(TO_THE_END, (0.0, 1.0), five),
        *_laws({"examples_a_step": 128}, (10, 22, 40, 76, 148, 304, 1000), five),
        *_translate({"updates": 30_000}, five),
        *_translate({"dataset": "iwslt14", "channels": 512, "dropout": 0.5, "updates": 226_000}, seeds or 1),
    ]
