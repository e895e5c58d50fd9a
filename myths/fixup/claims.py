"""The claims: what the paper says, the number that tests it, and the criterion, which stood here before the runs.

The paper's numbers are recalled, but for what its code, its abstract and issues on its code say, which were read. All criteria are this
suite's proposals, made from those numbers before any run. "Trains" means here: the worst of all trainings gets more than 15 % of the
test images right after one epoch, by its interval; "fails": the best gets less than 15 %, or diverges. Chance is 10 %.

How high the accuracy is after one epoch depends on images, width and batch: those are ``level`` claims, judged from the paper's own
protocol only. Whether a network trains, and differences under one protocol, are effects.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from myths.fixup import measures
from myths.fixup.translation import SPELLED, TrainTransformer
from myths.fixup.trials import FIRST_EPOCH, TrainOneEpoch, TrainToTheEnd
from myths.fixup.update import MeasureUpdate
from myths.lab.claim import Claim, Criterion, above, at_least, at_most, below, between

PROPOSAL = "proposed by this suite"
FIG_3 = "Zhang et al. 2019, Sec. 4.1 and Fig. 3"
TABLE_1 = "Zhang et al. 2019, Table 1"
TABLE_2 = "Zhang et al. 2019, Table 2"
TABLE_3 = "Zhang et al. 2019, Table 3"
THEORY = "Zhang et al. 2019, Secs. 2 and 3, without a number; the limits are proposed by this suite"
ISSUE = "issue 10 of the authors' code"

CIFAR10 = ("cifar10", "digits", "shapes")
"""Embedded images stand in where a run holds nothing else: then nothing is concluded."""
AT_RATE = {"learning_rate": FIRST_EPOCH["learning_rate"]}
"""Claims on one epoch are about the paper's learning rate; other rates are in the table ``sensitivity``."""
WITH_BN = {"initialization": ("fixup", "batch-norm")}
"""Of claims that compare with batch normalization of the same seed and setting."""
CONTROLS = ("U0-zero", "U0-bn")
TRAINS = 15.0
"""Percent of test images: half as many again as by chance."""


def _first_epoch(id: str, depth: int | tuple[int, ...], treatment: str, statement: str, criterion: Criterion, **more: Any) -> Claim:
    """A claim on the accuracy after one epoch of all trainings of a depth with a treatment."""
    settings: dict[str, Any] = {"kind": "effect", "source": FIG_3, "paper": None, "paper_checked": "recalled"}
    settings |= {"measure": partial(measures.extreme, "least"), "controls": CONTROLS}
    return Claim(
        id=id,
        statement=statement,
        unit="% of test images",
        table="one_epoch",
        where={"dataset": CIFAR10, "initialization": treatment, "nominal_depth": depth, "nearest": True},
        trial=TrainOneEpoch,
        needs=(AT_RATE,),
        criterion=criterion,
        **settings | more,
    )


def _trains(depth: int, decisive: bool = False) -> tuple[Claim, ...]:
    """That Fixup trains at a depth, and the level that the sheet of claims asks of the paper's protocol."""
    return (
        _first_epoch(
            f"U1-trains-{depth}", depth, "fixup", f"Fixup trains {depth:,} layers at batch normalization's learning rate.",
            above(TRAINS), decisive=decisive,
        ),
        _first_epoch(
            f"U1-level-{depth}", depth, "fixup", f"After one epoch, {depth:,} layers with Fixup are right on 30 % or more of CIFAR-10.",
            at_least(30), kind="level", source=f"{FIG_3}; the limit is {PROPOSAL}",
        ),
    )  # fmt: skip


def _fails(name: str, treatment: str, depth: int, words: str) -> Claim:
    return _first_epoch(
        f"U1-{name}-fails-{depth}", depth, treatment, f"{words} fails at {depth:,} layers.", below(TRAINS),
        measure=partial(measures.extreme, "greatest"), controls=("U0-bn",),
    )  # fmt: skip


def _near_bn(depth: int) -> Claim:
    return Claim(
        id=f"U1-vs-bn-{depth}",
        kind="effect",
        statement=f"After one epoch at {depth} layers, Fixup is within 10 points of batch normalization, or above it.",
        source=f"{FIG_3}: about equal; the limit is {PROPOSAL}",
        paper=0,
        paper_checked="recalled",
        unit="pp",
        table="against_bn",
        where={"dataset": CIFAR10, "initialization": "fixup", "nominal_depth": depth, "trained": "one epoch", "nearest": True},
        trial=TrainOneEpoch,
        needs=(WITH_BN | AT_RATE,),
        measure=partial(measures.mean_of, "above_bn_pp"),
        criterion=at_least(-10),
        controls=CONTROLS,
    )


def _error(id: str, treatment: str, words: str, paper: float, criterion: Criterion) -> Claim:
    return Claim(
        id=id,
        kind="level",
        statement=f"ResNet-110 with {words} ends at an error of {paper} % on CIFAR-10 (mean of five).",
        source=TABLE_1,
        paper=paper,
        paper_checked="recalled",
        unit="% error",
        table="to_the_end",
        where={"dataset": "cifar10", "architecture": "resnet", "depth": 110, "initialization": treatment, "mixup": 0.0, "nearest": True},
        trial=TrainToTheEnd,
        measure=partial(measures.mean_of, "test_error_percent"),
        criterion=criterion,
    )


def _gap(id: str, mixup: float, statement: str, **more: Any) -> Claim:
    where = {
        "dataset": "cifar10",
        "architecture": "resnet",
        "depth": 110,
        "initialization": "fixup",
        "mixup": mixup,
        "trained": "to the end",
        "nearest": True,
    }
    return Claim(
        id=id,
        kind="effect",
        statement=statement,
        unit="pp of accuracy",
        table="against_bn",
        where=where,
        trial=TrainToTheEnd,
        needs=(WITH_BN,),
        measure=partial(measures.mean_of, "above_bn_pp"),
        criterion=at_least(-1.5),
        controls=("U0-zero",),
        **more,
    )


def _law(id: str, treatment: str, step: int | tuple[int, ...], column: str, statement: str, unit: str, criterion: Criterion) -> Claim:
    return Claim(
        id=id,
        kind="effect",
        statement=statement,
        source=THEORY,
        paper=None,
        paper_checked="recalled",
        unit=unit,
        table="slopes",
        where={"dataset": CIFAR10, "initialization": treatment, "step": step, "nearest": True},
        trial=MeasureUpdate,
        measure=partial(measures.mean_of, column),
        criterion=criterion,
        controls=("U0-zero",) if treatment == "fixup" else (),
    )


def _translates(id: str, normalization: str, column: str, unit: str, statement: str, criterion: Criterion, **more: Any) -> Claim:
    """A transformer against the one with layer normalization, paired by seed."""
    return Claim(
        id=id,
        kind="effect",
        statement=statement,
        unit=unit,
        paper_checked="recalled",
        table="translations",
        where={"dataset": ("multi30k", SPELLED), "normalization": normalization, "nearest": True},
        trial=TrainTransformer,
        measure=partial(measures.mean_of, column),
        criterion=criterion,
        **more,
    )


def _cited(id: str, statement: str, source: str, paper: float, unit: str, dataset: str, criterion: Criterion, checked: Any) -> Claim:
    """What no profile trains: shown, and never judged."""
    return Claim(
        id=id,
        kind="level",
        statement=f"{statement} (cited only)",
        source=source,
        paper=paper,
        paper_checked=checked,
        unit=unit,
        table="to_the_end",
        where={"dataset": dataset, "architecture": "none that is trained here"},
        trial=TrainToTheEnd,
        needs=(),
        measure=partial(measures.mean_of, "test_error_percent"),
        criterion=criterion,
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="U0-zero",
        kind="control",
        statement="At the start a network with Fixup is the zero function: every logit of every image is 0.",
        source="Zhang et al. 2019, Sec. 3, rule 1",
        paper=0,
        paper_checked="recalled",
        unit="largest |logit|",
        table="updates",
        where={"initialization": "fixup", "step": 1},
        trial=MeasureUpdate,
        measure=partial(measures.largest, "largest_logit"),
        criterion=at_most(0),
    ),
    _first_epoch(
        "U0-bn", (10, 20, 32, 40, 56, 110), "batch-norm", "Batch normalization trains at every depth up to 110.", above(TRAINS),
        kind="control", source=PROPOSAL, controls=(),
    ),
    *_trains(20),
    *_trains(110),
    *_trains(500),
    *_trains(1000, decisive=True),
    *_trains(10_000),
    _near_bn(20),
    _near_bn(56),
    _near_bn(110),
    _fails("he", "he", 110, "He's initialization without normalization"),
    _fails("he", "he", 1000, "He's initialization without normalization"),
    _fails("scaled", "he-scaled", 1000, "Scaling the sums by √½"),
    _fails("lsuv", "lsuv", 1000, "Layer-sequential unit variance"),
    _first_epoch(
        "U1-level-figure", (20, 110, 500), "fixup", "After one epoch Fixup is right on some 50 % below 1,000 layers (the worst depth).",
        at_least(45), kind="level", source=f"{FIG_3}, as {ISSUE} reads it", paper=50, paper_checked="recalled",
    ),
    Claim(
        id="U1-level-code",
        kind="level",
        statement="After one epoch ResNet-32, by the command of the authors' README, is right on some 40 %, not 50 %.",
        source=ISSUE,
        paper=40,
        paper_checked="read",
        unit="% of test images",
        table="one_epoch",
        where={"dataset": "cifar10", "architecture": "resnet", "depth": 32, "initialization": "fixup", "learning_rate": 0.1},
        trial=TrainOneEpoch,
        measure=partial(measures.mean_of, "test_accuracy_percent"),
        criterion=between(35, 45),
        controls=CONTROLS,
    ),
    _gap(
        "U2-gap", 0.0, "Trained to the end, ResNet-110 with Fixup loses no more than 1.5 points to batch normalization.",
        source=f"{TABLE_1} (7.24 against 6.61 % error); the limit is {PROPOSAL}", paper=-0.63, paper_checked="recalled", decisive=True,
    ),
    _gap(
        "U2-gap-mixup", 1.0, "With mixup for both, too, Fixup loses no more than 1.5 points.", source=PROPOSAL, paper=None,
        paper_checked="computed",
    ),
    _error("U2-fixup", "fixup", "Fixup", 7.24, between(6.8, 8.0)),
    _error("U2-bn", "batch-norm", "batch normalization", 6.61, between(6.0, 7.0)),
    _translates(
        "U4-gap", "fixup", "above_layer_normalization", "BLEU",
        "A transformer translates as well with Fixup as with layer normalization (Multi30k), or half a point of BLEU below.",
        at_least(-0.5), source=f"{TABLE_3}: IWSLT 34.5 against 34.2; the limit is {PROPOSAL}", paper=0.3,
    ),
    _translates(
        "U4-neither", "none", "share_of_layer_normalization", "of its BLEU",
        "With neither, from the same weights, it diverges or reaches no more than half of the BLEU (Multi30k).", at_most(0.5),
        source=PROPOSAL, paper=None,
    ),
    Claim(
        id="U4-iwslt",
        kind="level",
        statement="On IWSLT German-English a transformer with Fixup reaches 34.5 BLEU, with layer normalization 34.2 (cited only).",
        source=TABLE_3,
        paper=34.5,
        paper_checked="recalled",
        unit="BLEU",
        table="translations",
        where={"dataset": "iwslt14", "normalization": "fixup"},
        trial=TrainTransformer,
        measure=partial(measures.mean_of, "bleu"),
        criterion=at_least(34.0),
    ),
    _cited(
        "U3", "ResNet-50 on ImageNet: with Fixup and mixup the error is 24.0 %, with batch normalization 23.6 %.", TABLE_2, 24.0,
        "% error", "imagenet", at_most(24.6), "recalled",
    ),
    _cited(
        "U5", "A wide residual network with Fixup, mixup and cutout ends at 2.3 % error on CIFAR-10.",
        "Zhang et al. 2019, appendix, as listed by Papers with Code", 2.3, "% error", "cifar10", at_most(2.6), "read",
    ),
    _law(
        "U6-first", "fixup", 1, "update_slope", "The first step changes a Fixup network by as much, however many branches it has.",
        "d log ‖Δf‖ / d log L", between(-0.2, 0.2),
    ),
    _law(
        "U6-later", "fixup", (2, 3, 4, 5), "update_slope", "So do the next steps, which move the branches as well.",
        "d log ‖Δf‖ / d log L", between(-0.2, 0.2),
    ),
    _law(
        "U6-he-update", "he", 1, "update_per_rate_slope", "With He's weights and no normalization, the change grows faster than L.",
        "d log ‖Δf‖ / d log L", above(1),
    ),
    _law(
        "U6-he-gradient", "he", 1, "gradient_growth", "With He's weights, the gradient's norm grows exponentially: by a factor a branch.",
        "growth a branch", above(0.1),
    ),
    _first_epoch(
        "U7-skipinit", 1000, "skipinit", "A single scalar a branch, 0 at the start, is enough to train 1,000 layers.", above(TRAINS),
        source="De & Smith 2020 (SkipInit), in words",
    ),
)  # fmt: skip
