"""Claims of myth 5, with their measures and criteria.

The paper's numbers are from memory, except for those of its code, its abstract and issues of its code, which were read,
and one from a secondary source. All criteria are
proposals of this suite, chosen from those numbers before any run unless a claim is not blind. A deep network *trains* if its accuracy
above chance is at least 70 % of that of a 22-layer network with Fixup under the same schedule. A training run *fails* if it diverges or
ends below 15 %. Chance is 10 %. Failures are counts with exact binomial intervals over seeds.

The accuracy after one epoch depends on the images, the width and the batch size. Claims about its value have the kind "absolute" and are
tested by the paper's own protocol only. Whether a network trains, and differences under one protocol, are effects.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from myths.fixup.measures import divergence_difference, failures_percent, lowest_accuracy, successes_percent
from myths.fixup.trials.training_runs import FIRST_EPOCH, TrainFullSchedule, TrainOneEpoch
from myths.fixup.trials.translation import REVERSED_WORDS, TrainTransformer
from myths.fixup.trials.update import MeasureUpdate
from myths.lab.claim import PROPOSAL, PROPOSED, Claim, FirstOf, cited
from myths.lab.criterion import above, at_least, at_most, between, within
from myths.lab.measures import largest, mean_over_seeds

PAPER = "Zhang et al. 2019"
FIG_3 = f"{PAPER}, Sec. 4.1 and Fig. 3"
TABLE_1 = f"{PAPER}, Table 1"
TABLE_2 = f"{PAPER}, Table 2"
TABLE_3 = f"{PAPER}, Table 3"
THEORY = f"{PAPER}, Secs. 2 and 3, stated without a number; the limits are {PROPOSAL}"
ISSUE = "issue 10 of the authors' code"
NOT_MEASURED = "no trial of this suite measures it"

CIFAR10 = FirstOf("cifar10", "digits", "shapes")
"""Built-in images are stand-in data for runs without CIFAR-10; no conclusion is drawn from them."""
MULTI30K = FirstOf("multi30k", REVERSED_WORDS)
ON_CIFAR10, ON_MULTI30K = "On CIFAR-10 (stand-in: built-in images)", "On Multi30k (stand-in: reversed words)"
AT_RATE = {"learning_rate": FIRST_EPOCH["learning_rate"]}
"""Claims on one epoch use the paper's learning rate. The table ``sensitivity`` has other learning rates."""
WITH_BN = {"method": ("fixup", "batch-norm")}
"""Filter of claims that compare with batch normalization of the same seed and setting."""
ZERO = ("U0-zero",)
COMPARED_DEPTHS = (20, 56, 110, 1000)
"""Depths at which Fixup is compared with batch normalization after one epoch."""
RESNET_110 = {"dataset": "cifar10", "architecture": "resnet", "depth": 110}
RESNET_20 = {**RESNET_110, "depth": 20}
DYT = "Zhu et al. 2025 (DyT), README of its code: ViT-B 82.3 and 82.5 %, ViT-L 83.1 and 83.6 %, without a number for translation"
DERF = "arXiv 2512.10938 (Derf), abstract: above layer normalization and DyT, without a number for translation"
CHANCE_SHARE = "% of the accuracy above chance of 22 layers"
AS_22 = "has at least 70 % of the accuracy above chance of a 22-layer network with Fixup after the same schedule"
WITH_SHALLOW = ({"method": "fixup", "nominal_depth": 20, **AT_RATE},)
"""Trials of the 22-layer network that deep ones are compared with."""


def _deep(method: str, depth: int | tuple[int, ...], **more: Any) -> dict[str, Any]:
    """Select the rows of networks of a nominal depth in the main setting."""
    return {"dataset": CIFAR10, "method": method, "nominal_depth": depth, **more, "main_setting": True}


def _step(method: str, step: int | tuple[int, ...]) -> dict[str, Any]:
    """Select the rows on how the updates of some steps grow with the number of branches."""
    return {"dataset": CIFAR10, "method": method, "step": step, "main_setting": True}


_one_epoch = partial(
    Claim,
    unit="% of test images",
    table="one_epoch",
    trial=TrainOneEpoch,
    needs=(AT_RATE,),
    measure=partial(mean_over_seeds, "test_accuracy_percent"),
    repetition_unit="seeds",
)
_depths = partial(
    Claim,
    unit=CHANCE_SHARE,
    table="share_of_shallow",
    trial=TrainOneEpoch,
    needs=(AT_RATE, *WITH_SHALLOW),
    measure=partial(mean_over_seeds, "share_of_shallow_percent"),
    criterion=at_least(70),
    repetition_unit="seeds",
    controls=ZERO,
)
_full_training = partial(
    Claim,
    kind="absolute",
    unit="% error",
    table="full_training",
    trial=TrainFullSchedule,
    measure=partial(mean_over_seeds, "test_error_percent"),
    repetition_unit="seeds",
)
_translations = partial(Claim, table="translations", trial=TrainTransformer, repetition_unit="seeds")
_slopes = partial(Claim, **cited("from memory", THEORY), table="slopes", trial=MeasureUpdate, repetition_unit="seeds")

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="U0-zero",
        kind="control",
        statement="At initialization, a network with Fixup outputs 0 for every logit of every image.",
        **cited("from memory", f"{PAPER}, Sec. 3, rule 1", 0),
        unit="largest |logit|",
        table="updates",
        where={"method": "fixup", "step": 1},
        trial=MeasureUpdate,
        measure=partial(largest, "largest_logit"),
        criterion=at_most(0),
        repetition_unit="exact",
    ),
    _one_epoch(
        id="U0-bn",
        kind="control",
        statement="With batch normalization, more than half of the training runs at 10 to 1,000 layers end above 15 % after one epoch.",
        **PROPOSED,
        unit="% of training runs",
        where=_deep("batch-norm", (10, 20, 32, 40, 56, 110, 500, 1000)),
        measure=successes_percent,
        criterion=above(50),
        guards=(TrainOneEpoch,),
    ),
    Claim(
        id="U0-shallow",
        kind="control",
        statement="A 22-layer network with Fixup has a test accuracy of at least 25 % after one epoch in every setting.",
        **PROPOSED,
        unit="% of test images",
        table="one_epoch",
        where={"dataset": CIFAR10, "method": "fixup", "nominal_depth": 20, **AT_RATE},
        trial=TrainOneEpoch,
        measure=lowest_accuracy,
        criterion=at_least(25),
        repetition_unit="seeds",
        guards=(TrainOneEpoch,),
    ),
    *(
        _one_epoch(
            id=f"U0-bn-{depth}",
            kind="control",
            statement=f"With batch normalization, a network of {depth:,} layers has a test accuracy of at least 35 % after one epoch.",
            **PROPOSED,
            where=_deep("batch-norm", depth),
            criterion=at_least(35),
        )
        for depth in COMPARED_DEPTHS
    ),
    _full_training(
        id="U0-full",
        kind="control",
        statement="On CIFAR-10, ResNet-110 with batch normalization has a test error of at most 8.1 % (1.5 points more than in the paper).",
        **cited("from memory", TABLE_1, 6.61),
        where=RESNET_110 | {"method": "batch-norm", "mixup": 0.0, "main_setting": True},
        criterion=at_most(8.1),
        guards=(TrainFullSchedule,),
        guarded={"depth": 110},
    ),
    _full_training(
        id="U0-full-20",
        kind="control",
        statement="On CIFAR-10, ResNet-20 with batch normalization has a test error of at most 12 % (3.3 points more than He et al. 2016).",
        **cited("from memory", "He et al. 2016, Table 6", 8.75),
        where=RESNET_20 | {"method": "batch-norm", "mixup": 0.0, "main_setting": True},
        criterion=at_most(12),
        guards=(TrainFullSchedule,),
        guarded={"depth": 20},
    ),
    _translations(
        id="U0-translator",
        kind="control",
        statement=f"{ON_MULTI30K}, a transformer with layer normalization has at least 30 BLEU.",
        **PROPOSED,
        unit="BLEU",
        where={"dataset": MULTI30K, "normalization": "layer", "main_setting": True},
        measure=partial(mean_over_seeds, "bleu"),
        criterion=at_least(30),
        guards=(TrainTransformer,),
        guarded={"dataset": MULTI30K},
    ),
    *(
        claim
        for depth in (110, 500, 1000, 10_000)
        for claim in (
            Claim(
                id=f"U0-branches-{depth}",
                kind="control",
                statement=f"After one epoch, a {depth:,}-layer network with Fixup is more accurate than without its residual branches.",
                **PROPOSED,
                unit="pp",
                table="difference_from_no_branches",
                where=_deep("fixup", depth),
                trial=TrainOneEpoch,
                needs=({"method": ("fixup", "no-branches"), **AT_RATE},),
                measure=partial(mean_over_seeds, "difference_from_no_branches_pp"),
                criterion=above(0),
                repetition_unit="seeds",
                blind=False,
            ),
            _depths(
                id=f"U1-trains-{depth}",
                statement=f"With Fixup, at the learning rate used for batch normalization, a {depth:,}-layer network {AS_22}, "
                "and is more accurate than without its residual branches.",
                **cited("from memory", FIG_3),
                where=_deep("fixup", depth),
                primary=depth == 1000,
                blind=False,  # The comparison with a network without branches was added when the share was known.
                controls=(*ZERO, f"U0-branches-{depth}"),
            ),
            _one_epoch(
                id=f"U1-level-{depth}",
                kind="absolute",
                statement=f"{ON_CIFAR10}, a {depth:,}-layer network with Fixup has a test accuracy of at least 30 % after one epoch.",
                **cited("from memory", f"{FIG_3}; the limit is {PROPOSAL}"),
                where=_deep("fixup", depth),
                criterion=at_least(30),
            ),
        )
    ),
    *(
        Claim(
            id=f"U1-vs-bn-{depth}",
            statement=f"After one epoch at {depth} layers, Fixup and batch normalization have the same accuracy (within 3 points).",
            **cited("from memory", f"{FIG_3}: about equal; the limit is {PROPOSAL}", 0),
            unit="pp",
            table="difference_from_bn",
            where=_deep("fixup", depth, experiment="one epoch"),
            trial=TrainOneEpoch,
            needs=(WITH_BN | AT_RATE,),
            measure=partial(mean_over_seeds, "difference_from_bn_pp"),
            criterion=within(3, beyond="high"),
            repetition_unit="seeds",
            blind=depth == 1000,
            controls=(*ZERO, f"U0-bn-{depth}"),
        )
        for depth in COMPARED_DEPTHS
    ),
    *(
        _one_epoch(
            id=f"U1-{name}-fails-{depth:d}",
            statement=f"With {words}, more than half of the training runs of a {depth:,}-layer network fail after one epoch.",
            unit="% of training runs",
            **cited("from memory", FIG_3),
            where=_deep(method, depth),
            measure=failures_percent,
            criterion=above(50),
            blind=False,
        )
        for name, method, words, depth in (
            ("he", "he", "He initialization and no normalization", 110),
            ("he", "he", "He initialization and no normalization", 1000),
            ("scaled", "he-scaled", "residual sums scaled by √½ and no normalization", 1000),
            ("lsuv", "lsuv", "layer-sequential unit-variance initialization and no normalization", 1000),
        )
    ),
    _one_epoch(
        id="U1-level-figure",
        kind="absolute",
        statement=f"{ON_CIFAR10}, networks of 20, 110 and 500 layers with Fixup have a test accuracy of at least 45 % after one epoch.",
        **cited("from memory", f"{FIG_3}, value read from the plot in {ISSUE}", 50),
        where=_deep("fixup", (20, 110, 500)),
        criterion=at_least(45),
    ),
    _one_epoch(
        id="U1-level-code",
        kind="absolute",
        statement="After one epoch of the authors' README settings, ResNet-32 with Fixup has a test accuracy of 35 to 45 % on CIFAR-10.",
        **cited("read", ISSUE, 40),
        where={"dataset": "cifar10", "architecture": "resnet", "depth": 32, "method": "fixup", "learning_rate": 0.1},
        needs=({},),
        measure=partial(mean_over_seeds, "test_accuracy_percent"),
        criterion=between(35, 45),
    ),
    *(
        Claim(
            id=id,
            statement=f"On {images}, ResNet-110 with Fixup is non-inferior in final accuracy to batch normalization (margin 1.5 points).",
            **said,
            where=RESNET_110 | {"method": "fixup", "mixup": mixup, "experiment": "full schedule", "main_setting": True},
            unit="pp of accuracy",
            table="difference_from_bn",
            trial=TrainFullSchedule,
            needs=(WITH_BN,),
            measure=partial(mean_over_seeds, "difference_from_bn_pp"),
            criterion=at_least(-1.5),
            repetition_unit="seeds",
            primary=id == "U2-gap",
            controls=("U0-zero",),
        )
        for id, images, mixup, said in (
            ("U2-gap", "CIFAR-10", 0.0, cited("from memory", f"{TABLE_1} (7.24 versus 6.61 % error); the limit is {PROPOSAL}", -0.63)),
            ("U2-gap-mixup", "CIFAR-10 with mixup", 1.0, PROPOSED),
        )
    ),
    *(
        _full_training(
            id=id,
            statement=f"The test error of ResNet-110 with {words} on CIFAR-10 is {error} % (mean of five training runs).",
            **cited("from memory", TABLE_1, error),
            where=RESNET_110 | {"method": method, "mixup": 0.0, "main_setting": True},
            criterion=between(low, high),
        )
        for id, method, words, error, low, high in (
            ("U2-fixup", "fixup", "Fixup", 7.24, 6.8, 8.0),
            ("U2-bn", "batch-norm", "batch normalization", 6.61, 6.0, 7.0),
        )
    ),
    _translations(
        id="U4-gap",
        statement=f"{ON_MULTI30K}, a transformer with Fixup is non-inferior to one with layer normalization (margin 0.5 BLEU).",
        **cited("from memory", f"{TABLE_3}: IWSLT 34.5 versus 34.2; the limit is {PROPOSAL}", 0.3),
        unit="BLEU",
        where={"dataset": MULTI30K, "normalization": "fixup", "main_setting": True},
        measure=partial(mean_over_seeds, "difference_from_layer_norm"),
        criterion=at_least(-0.5),
    ),
    _translations(
        id="U4-neither",
        statement=f"{ON_MULTI30K}, a transformer with neither Fixup nor layer normalization has at most half the BLEU of a "
        "transformer with layer normalization.",
        **PROPOSED,
        unit="of its BLEU",
        where={"dataset": MULTI30K, "normalization": "none", "main_setting": True},
        measure=partial(mean_over_seeds, "ratio_to_layer_norm"),
        criterion=at_most(0.5),
    ),
    _translations(
        id="U4-iwslt",
        kind="absolute",
        statement="On IWSLT German-English, a transformer with Fixup reaches at least 34.0 BLEU.",
        **cited("from memory", f"{TABLE_3}; with layer normalization 34.2", 34.5),
        unit="BLEU",
        where={"dataset": "iwslt14", "normalization": "fixup"},
        measure=partial(mean_over_seeds, "bleu"),
        criterion=at_least(34.0),
        without_controls={"U0-translator": "an untrained model has no 34 BLEU: the criterion is its own control"},
    ),
    _full_training(
        id="U3",
        statement="On ImageNet, ResNet-50 with Fixup and mixup has a test error of at most 24.6 %.",
        **cited("from memory", f"{TABLE_2}; with batch normalization 23.6 %; {NOT_MEASURED}", 24.0),
        where={"dataset": "imagenet"},
        needs=(),
        criterion=at_most(24.6),
    ),
    _full_training(
        id="U5",
        statement="On CIFAR-10, a wide residual network with Fixup, mixup and cutout has a test error of at most 2.6 %.",
        **cited(
            "secondary source", f"{PAPER}, appendix, as listed by Papers with Code (secondary source); {NOT_MEASURED} (no cutout)", 2.3
        ),
        where={"dataset": "cifar10", "architecture": "wide-resnet"},
        needs=(),
        criterion=at_most(2.6),
    ),
    *(
        _slopes(
            id=id,
            statement=f"With Fixup, the change ‖Δf‖ of the logits at {when} is nearly independent of the number L of branches "
            "(exponent of L between −0.2 and 0.2).",
            unit="d log ‖Δf‖ / d log L",
            where=_step("fixup", step),
            measure=partial(mean_over_seeds, "update_slope"),
            criterion=between(-0.2, 0.2),
            controls=("U0-zero",),
            blind=False,  # six of the ten seeds were added because four left it undecided
        )
        for id, when, step in (("U6-first", "step 1", 1), ("U6-later", "steps 2 to 5", (2, 3, 4, 5)))
    ),
    _slopes(
        id="U6-he-update",
        statement="With He initialization and no normalization, the change of the logits divided by the learning rate grows faster than "
        "linearly with the number of branches.",
        unit="d log ‖Δf‖ / d log L",
        where=_step("he", 1),
        measure=partial(mean_over_seeds, "update_over_learning_rate_slope"),
        criterion=above(1),
    ),
    _slopes(
        id="U6-he-gradient",
        statement="With He initialization and no normalization, the gradient norm grows exponentially with the number of branches.",
        unit="growth per branch",
        where=_step("he", 1),
        measure=partial(mean_over_seeds, "gradient_growth"),
        criterion=above(0.1),
    ),
    _depths(
        id="U7-skipinit",
        statement=f"With SkipInit (one zero-initialized scalar per branch), a 1,000-layer network {AS_22}.",
        **cited("from memory", "De & Smith 2020 (SkipInit), stated without a number"),
        where=_deep("skipinit", 1000),
        controls=(),
    ),
    _one_epoch(
        id="T5-rates",
        kind="follow-up",
        direction="weakens",
        statement="At learning rate 1.0 and 22 layers, Fixup diverges more often than batch normalization (by at least 15 points).",
        **PROPOSED,
        unit="pp of training runs",
        where={"dataset": CIFAR10, "method": ("fixup", "batch-norm"), "nominal_depth": 20, "learning_rate": 1.0},
        needs=({},),
        measure=partial(divergence_difference, "fixup", "batch-norm"),
        criterion=at_least(15),
        blind=False,
    ),
    *(
        _translations(
            id=f"T5-{name}-transformer",
            kind="follow-up",
            direction="strengthens",
            statement=f"{ON_MULTI30K}, transformers with {words} and with layer normalization differ by at most 0.7 BLEU.",
            **cited("read", source),
            unit="BLEU",
            where={"dataset": MULTI30K, "normalization": name, "main_setting": True},
            needs=({"normalization": (name, "layer")},),
            measure=partial(mean_over_seeds, "difference_from_layer_norm"),
            criterion=within(0.7, beyond="high"),
        )
        for name, words, source in (("dyt", "Dynamic Tanh", DYT), ("derf", "Derf", DERF))
    ),
    *(
        Claim(
            id=f"T5-{method}-convnet",
            kind="follow-up",
            statement=f"On CIFAR-10, ResNet-20 with {words}.",
            **said,
            unit="pp of accuracy",
            table="difference_from_bn",
            where=RESNET_20 | {"method": method, "mixup": 0.0, "experiment": "full schedule", "main_setting": True},
            trial=TrainFullSchedule,
            needs=({"method": (method, "batch-norm")},),
            measure=partial(mean_over_seeds, "difference_from_bn_pp"),
            criterion=criterion,
            repetition_unit="seeds",
        )
        for method, words, said, criterion in (
            (
                "dyt", "Dynamic Tanh is at least 2 points less accurate than with batch normalization, whose place it takes",
                cited("from memory", "Zhu et al. 2025, limitations: ResNet-50 on ImageNet, 68.9 instead of 76.2 %", -7.3)
                | {"direction": "weakens"},
                at_most(-2),
            ),
            (
                "fixup", "Fixup is non-inferior to batch normalization (margin 1.5 points)",
                PROPOSED | {"direction": "strengthens"}, at_least(-1.5),
            ),
        )
    ),
)  # fmt: skip
