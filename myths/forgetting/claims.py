"""The claims: what the paper says, the number that tests it, and the criterion, which stood here before the runs.

Numbers marked "read" come from the paper's text or its authors' code, "computed" from its figures, digitized. All criteria are
this suite's proposals, made from the paper's numbers before any run; the paper states none.

Shares of unforgettable examples depend on the schedule: they are ``level`` claims, judged from the paper's own 200 epochs, or from
a shorter schedule that a calibration has shown to keep them. Orders, signs and paired losses are effects.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from myths.forgetting import measures
from myths.forgetting.measures import RANDOM
from myths.forgetting.tables import LEAST_FORGOTTEN
from myths.forgetting.train_kept import RemoveNothing, TrainKept
from myths.forgetting.trials import CompareCounts, CountForgetting, Stability, Unforgettable
from myths.lab.claim import Checked, Claim, Criterion, above, at_least, at_most, below, between

PROPOSAL = "proposed by this suite"
SEC_4_1 = "Toneva et al. 2019, Sec. 4.1"
SEC_6 = "Toneva et al. 2019, Sec. 6"
FIG_3 = "Toneva et al. 2019, Sec. 4.2 and Fig. 3, in words"
FIG_5 = "Toneva et al. 2019, Sec. 5 and Fig. 5 left"
FIG_5_RIGHT = "Toneva et al. 2019, Fig. 5 right, read by eye"
FIG_6 = "Toneva et al. 2019, Fig. 6"

CIFAR10 = ("cifar10", "cifar10 subset", "digits")
MNIST = ("mnist", "digits")
"""Digits, of scikit-learn, stand in where a run holds nothing else: then nothing is concluded."""

SHUFFLED = "shuffled counts"
CLEAN = {"label_noise": 0.0, "pixel_noise": 0.0, "nearest": True}


# --- claims of one kind ----------------------------------------------------------------------------


def _share(suffix: str, dataset: str, name: str, paper: float, examples: str, checked: Checked, criterion: Criterion) -> tuple[Claim, ...]:
    """The level claim on one data set, and the calibration that would let a short schedule speak for it."""
    level = Claim(
        id=f"F1-{suffix}",
        kind="level",
        statement=f"{paper} % of {name} are learnt and never forgotten in any of five trainings (interval over examples).",
        source=f"{SEC_4_1} ({examples} examples)",
        paper=paper,
        paper_checked=checked,
        unit="% of examples",
        table="unforgettable",
        where={"dataset": MNIST if dataset == "mnist" else dataset, "nearest": True, "first_seed": 0},
        trial=Unforgettable,
        measure=measures.intersection_share,
        criterion=criterion,
        calibration=f"F1-calibration-{suffix}",
    )
    calibration = Claim(
        id=f"F1-calibration-{suffix}",
        kind="control",
        statement=f"On {name}, a short schedule finds the share of unforgettable examples that the paper's schedule finds.",
        source=PROPOSAL,
        paper=0,
        paper_checked="computed",
        unit="pp",
        table="agreements",
        where={"dataset": dataset, "what": "schedule", "reference_protocol": "paper"},
        trial=CompareCounts,
        needs=() if dataset == "cifar100" else ({},),  # no profile calibrates CIFAR-100
        measure=partial(measures.of_all, "shift_pp"),
        criterion=between(-1.5, 1.5),
    )
    return level, calibration


def _order(suffix: str, more: str, fewer: tuple[str, ...], words: str, paper: float, checked: Checked) -> Claim:
    return Claim(
        id=f"F1-order-{suffix}",
        kind="effect",
        statement=f"More of {words} is unforgettable (in single trainings with equally many presentations).",
        source=f"{SEC_4_1} (difference of the shares over five trainings)",
        paper=paper,
        paper_checked=checked,
        unit="pp",
        table="counts",
        where={"dataset": (more, *fewer), **CLEAN},
        trial=CountForgetting,
        measure=partial(measures.share_difference, more, fewer),
        criterion=above(0),
    )


def _stable(suffix: str, dataset: str | tuple[str, ...], name: str, paper: float | None = None) -> Claim:
    return Claim(
        id=f"F2-{suffix}",
        kind="effect",
        statement=f"Counts of two trainings on {name} share a quarter of their variance or more: forgetting belongs to the example.",
        source=f"{SEC_6} (a number for CIFAR-10 and 200 epochs only); the limit is {PROPOSAL}",
        paper=paper,
        paper_checked="read",
        unit="Pearson r",
        table="stability",
        where={"dataset": dataset, "kind": "pairs", "nearest": True},
        trial=Stability,
        measure=measures.as_tabled,
        criterion=at_least(0.5),
    )


def _goes_with(suffix: str, words: str, paper: float, level: Criterion, effect: Criterion) -> tuple[Claim, ...]:
    """What goes along with the count on CIFAR-10: the paper's number over five trainings, and the effect within single trainings."""
    column = f"spearman_{suffix.replace('-', '_')}"
    common: dict[str, Any] = {"source": SEC_4_1, "paper": paper, "paper_checked": "read", "unit": "Spearman ρ"}
    return (
        Claim(
            id=f"F2c-{suffix}-level",
            kind="level",
            statement=f"On CIFAR-10, the more often five trainings forget an example, {words} (interval over examples).",
            table="unforgettable",
            where={"dataset": "cifar10", "nearest": True, "first_seed": 0},
            trial=Unforgettable,
            measure=partial(measures.over_examples, column, "spearman"),
            criterion=level,
            **common,
        ),
        Claim(
            id=f"F2c-{suffix}",
            kind="effect",
            statement=f"On CIFAR-10, the more often a training forgets an example, {words}.",
            table="counts",
            where={"dataset": CIFAR10, **CLEAN},
            trial=CountForgetting,
            measure=partial(measures.mean_of, column),
            criterion=effect,
            **common,
        ),
    )


def _removal(id: str, percent: float, statement: str, criterion: Criterion, paper: float | None, **more: Any) -> Claim:
    """A paired difference of accuracies on what a removal leaves: ``against`` the full set (a loss) or an equal random removal (a gain)."""
    against = more.pop("against", "full")
    baseline = {"order": RANDOM, **({"removed_percent": 0.0} if against == "full" else {}), "transfer": ...}
    where: Mapping[str, Any] = {
        "dataset": more.pop("dataset", "cifar10"),
        "order": more.pop("order", LEAST_FORGOTTEN),
        "removed_percent": percent,
        "skipped_percent": 0.0,
        "transfer": more.pop("transfer", False),
        "nearest": True,
    }
    settings: dict[str, Any] = {"kind": "effect", "source": FIG_5, "paper_checked": "computed", **more}
    return Claim(
        id=id,
        statement=statement,
        paper=paper,
        unit="pp",
        table="removal",
        where=where,
        trial=TrainKept,
        needs=({}, baseline),
        measure=partial(measures.mean_of, "loss_pp" if against == "full" else "above_random_pp"),
        criterion=criterion,
        **settings,
    )


def _window(id: str, statement: str, paper: float, column: str, criterion: Criterion) -> Claim:
    return Claim(
        id=id,
        kind="effect",
        statement=statement,
        source=FIG_5_RIGHT,
        paper=paper,
        paper_checked="computed",
        unit="pp",
        table="removal",
        where={"dataset": "cifar10", "order": (LEAST_FORGOTTEN, RANDOM), "removed_percent": 10.0, "transfer": False, "nearest": True},
        trial=TrainKept,
        needs=({"skipped_percent": ...},),
        measure=partial(measures.window_depth, column),
        criterion=criterion,
    )


def _wrong_labels(id: str, statement: str, paper: float | None, unit: str, column: str, criterion: Criterion) -> Claim:
    return Claim(
        id=id,
        kind="effect",
        statement=statement,
        source=FIG_3,
        paper=paper,
        paper_checked="read",
        unit=unit,
        table="counts",
        where={"dataset": CIFAR10, "label_noise": 0.2, "nearest": True},
        trial=CountForgetting,
        measure=partial(measures.mean_of, column),
        criterion=criterion,
    )


# --- the claims ------------------------------------------------------------------------------------

_CONTROLS = ("F0-nothing", "F0-shuffled-30")
_IS_RANDOM: dict[str, Any] = {"kind": "control", "source": PROPOSAL, "order": SHUFFLED, "against": "random"}
_OF_MNIST: dict[str, Any] = {"dataset": MNIST, "controls": ("F0-nothing", "F0-shuffled-mnist")}
_OF_PERMUTED: dict[str, Any] = {"dataset": "permuted mnist", "controls": ("F0-nothing",)}

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="F0-nothing",
        kind="control",
        statement="Training with a removal of nothing gives the weights of plain training, bit by bit, whether or not events are counted.",
        source=PROPOSAL,
        paper=0,
        paper_checked="computed",
        unit="weights that differ",
        table="nothing_removed",
        trial=RemoveNothing,
        measure=partial(measures.largest, "weights_that_differ"),
        criterion=at_most(0),
    ),
    _removal(
        "F0-shuffled-30", 30.0, "Removing 30 % of CIFAR-10 by shuffled counts is removing at random.", between(-0.4, 0.4), 0, **_IS_RANDOM
    ),
    _removal(
        "F0-shuffled-mnist", 80.0, "Removing 80 % of MNIST by shuffled counts is removing at random.", between(-0.4, 0.4), 0,
        dataset="mnist", **_IS_RANDOM,
    ),
    *_share("mnist", "mnist", "MNIST", 91.7, "55,012", "read", between(90, 93)),
    *_share("permuted-mnist", "permuted mnist", "permuted MNIST", 75.3, "45,181", "read", between(72, 78)),
    *_share("cifar10", "cifar10", "CIFAR-10", 31.3, "15,628", "read", between(28, 36)),
    *_share("cifar100", "cifar100", "CIFAR-100", 7.62, "3,809", "recalled", between(6, 10)),
    _order("mnist", "mnist", ("permuted mnist",), "MNIST than of permuted MNIST", 16.4, "read"),
    _order("permuted-mnist", "permuted mnist", CIFAR10, "permuted MNIST than of CIFAR-10", 44.0, "read"),
    _order("cifar10", "cifar10", ("cifar100",), "CIFAR-10 than of CIFAR-100", 23.7, "recalled"),
    Claim(
        id="F2-pairs",
        kind="level",
        statement="Counts of two trainings on CIFAR-10 correlate (mean over pairs; as pairs share seeds, the interval leaves out seeds).",
        source=SEC_6,
        paper=0.892,
        paper_checked="read",
        unit="Pearson r",
        table="stability",
        where={"dataset": "cifar10", "kind": "pairs", "nearest": True},
        trial=Stability,
        measure=measures.as_tabled,
        criterion=at_least(0.85),
    ),
    Claim(
        id="F2-sums",
        kind="level",
        statement="Sums over five trainings on CIFAR-10 correlate with sums over five others (interval over examples only).",
        source=SEC_6,
        paper=0.976,
        paper_checked="read",
        unit="Pearson r",
        table="stability",
        where={"dataset": "cifar10", "kind": "sums", "trainings": 5, "nearest": True},
        trial=Stability,
        measure=partial(measures.over_examples, "pearson", "pearson"),
        criterion=at_least(0.95),
    ),
    _stable("cifar10", ("cifar10", "cifar10 subset"), "CIFAR-10", 0.892),
    _stable("mnist", MNIST, "MNIST"),
    _stable("permuted-mnist", "permuted mnist", "permuted MNIST"),
    Claim(
        id="F2b",
        kind="level",
        statement="Three eighths of the training rank the examples of CIFAR-10 as all of it does (75 of 200 epochs in the paper).",
        source=f"{SEC_6} and Fig. 7 left, in words",
        paper=None,
        paper_checked="read",
        unit="Spearman ρ",
        table="counts",
        where={"dataset": CIFAR10, **CLEAN},
        trial=CountForgetting,
        measure=partial(measures.mean_of, "spearman_after_three_eighths"),
        criterion=at_least(0.9),
    ),
    *_goes_with("margin", "the smaller its margin", -0.74, between(-0.85, -0.65), below(-0.5)),
    *_goes_with("first-learnt", "the later it is first learnt", 0.56, between(0.4, 0.7), above(0.25)),
    _removal(
        "F3-ordered-30", 30.0, "The least-forgotten 30 % of CIFAR-10 can be left out at next to no loss.", at_most(0.3), 0.12,
        dataset=("cifar10", "digits"), decisive=True, controls=_CONTROLS,
    ),
    _removal(
        "F3-vs-random-30", 30.0, "30 % of CIFAR-10 left out in the order of forgetting cost less than 30 % at random.", at_least(0.4), 0.76,
        dataset=("cifar10", "digits"), against="random", decisive=True, controls=_CONTROLS,
    ),
    _removal(
        "F3-random-30", 30.0, "30 % of CIFAR-10 left out at random do cost (1 point in the article's words).", at_least(0.4), 0.83,
        order=RANDOM,
    ),
    _removal(
        "F3-ordered-35", 35.0, "35 % of CIFAR-10 can be left out for 0.2 points (0.2 of tolerance).", at_most(0.4), 0.2,
        paper_checked="read",
    ),
    _removal("F3-ordered-50", 50.0, "Half of CIFAR-10 cannot be left out for nothing, even in the order of forgetting.", above(0.3), 0.76),
    _removal(
        "F3-vs-random-50", 50.0, "Half of CIFAR-10 left out in the order of forgetting costs less than at random.", at_least(0.7), 1.44,
        against="random",
    ),
    _removal(
        "F3-cifar100-8", 8.0, "8 % of CIFAR-100 can be left out at next to no loss.", at_most(0.5), 0.0,
        dataset="cifar100", paper_checked="recalled", source="Chang & Lipson 2019, citing Toneva et al. 2019",
    ),
    _removal(
        "F3-subset", 30.0, "Of the first 10,000 of CIFAR-10, 30 % left out in the order of forgetting cost less than at random.", above(0),
        None, dataset="cifar10 subset", against="random", source=PROPOSAL,
    ),
    _removal(
        "F4-mnist", 80.0, "80 % of MNIST can be left out in the order of forgetting at next to no loss.", at_most(0.3), 0.12,
        source=f"{FIG_6} (0.12 points at 83 %)", **_OF_MNIST,
    ),
    _removal(
        "F4-permuted-mnist", 60.0, "60 % of permuted MNIST can be left out in the order of forgetting at next to no loss.", at_most(0.5),
        0.20, source=f"{FIG_6} (0.20 points at 58 %)", **_OF_PERMUTED,
    ),
    _removal(
        "F4-vs-random-mnist", 80.0, "80 % of MNIST left out in the order of forgetting cost less than at random.", above(0), None,
        against="random", paper_checked="read", source=f"{FIG_6}, in words", **_OF_MNIST,
    ),
    _removal(
        "F4-vs-random-permuted-mnist", 60.0, "60 % of permuted MNIST left out in the order of forgetting cost less than at random.",
        above(0), None, against="random", paper_checked="read", source=f"{FIG_6}, in words", **_OF_PERMUTED,
    ),
    _window(
        "F5", "Leaving out 5,000 often-forgotten examples of CIFAR-10 costs more than as many at random (worst window, by other seeds).",
        0.7, "below_random_pp", at_least(0.3),
    ),
    _window(
        "F5-u", "But the most forgotten of all cost less than those before them: the curve is a U.", 0.35, "below_last_pp", above(0)
    ),
    _removal(
        "F6", 30.0, "The order carries over: another network also loses next to nothing without the least-forgotten 30 %.", at_most(0.4),
        None, transfer=True, paper_checked="read", source=f"{SEC_6} (WRN-28-10 with the order of ResNet-18, in words)",
        controls=("F0-nothing",),
    ),
    Claim(
        id="F6-small",
        kind="effect",
        statement="The counts of a small network, of two convolutions and two linear layers, rank CIFAR-10 like those of the larger one.",
        source=f"{SEC_6} and Fig. 7 right, in words; the limit is {PROPOSAL}",
        paper=None,
        paper_checked="read",
        unit="Spearman ρ",
        table="agreements",
        where={"dataset": CIFAR10, "what": "network", "network": "mnist_cnn"},
        trial=CompareCounts,
        measure=partial(measures.over_examples, "spearman", "spearman"),
        criterion=at_least(0.5),
    ),
    _wrong_labels(
        "F7", "Examples with a wrong label are forgotten most: the count finds them (20 % of CIFAR-10's labels flipped).", None, "AUROC",
        "auroc", at_least(0.9),
    ),
    _wrong_labels(
        "F7-unforgettable", "No wrong label is unforgettable (at most one in a hundred, in a single training).", 0.0, "% of wrong labels",
        "flipped_unforgettable_percent", at_most(1),
    ),
    Claim(
        id="F8",
        kind="effect",
        statement="The noisier the pixels, the more forgetting: the mean count rises with each deviation (none, 0.5, 1, 2, 10).",
        source="Toneva et al. 2019, Fig. 11, with the noise of the published code. That noise has mean 120 in one channel of every pixel, "
        "whatever the deviation, so 0.5 and 10 gray levels look alike; test images stay clean. Issue 6 of the authors' repository reports "
        "that the figure is not reached this way",
        paper=None,
        paper_checked="read",
        unit="events",
        table="counts",
        where={"dataset": "cifar10", "label_noise": 0.0, "nearest": True},
        trial=CountForgetting,
        measure=measures.smallest_rise,
        criterion=above(0),
    ),
    _removal(
        "F9-el2n", 50.0, "Half of CIFAR-10 left out by EL2N, after a few epochs, costs less than at random.", at_least(0.3), None,
        against="random", order=("EL2N after 4 epochs, lowest first", "EL2N after 20 epochs, lowest first"), paper_checked="read",
        source=f"Paul et al. 2021, in words; the limit is {PROPOSAL}",
    ),
)  # fmt: skip
