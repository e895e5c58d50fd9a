"""Claims of myth 7, with their measures and criteria.

The paper's numbers are digitized from its figure (errors of at most 0.02 and 1 px) or come from a summary of
the paper, which is a secondary source. On CIFAR-10, the top
100 of 1,024 pixels overlap by 9.8 % by chance, so the absolute values of the paper, for photographs of more than 200 pixels, do not apply;
claims on CIFAR-10 concern differences. Criteria without a source are proposals of this suite.

Claims about networks that this suite trains need at least three training runs, and their intervals are over these. Claims on photographs
concern one given network, SqueezeNet of the paper's kind, so their intervals are over images.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from myths.lab.claim import PROPOSAL, PROPOSED, Claim, FirstOf, cited
from myths.lab.criterion import Criterion, above, at_least, at_most, below, between, within
from myths.lab.estimate import SourceOfVariation
from myths.lab.measures import Measure, largest, mean_over_seeds, smallest
from myths.lab.verdict import Direction
from myths.saliency.digitized import digitized_value
from myths.saliency.measures import (
    accuracy_over_images,
    excess_over_budget,
    largest_over_methods,
    over_attacked,
    over_networks,
    touched,
    untouched,
    worst_completeness_error,
)
from myths.saliency.names import GEOMETRIC_METHODS, IMAGENET_SAMPLE, SQUEEZENET_LAYER
from myths.saliency.trials import (
    AttackImages,
    AttackUserImages,
    ChangeImages,
    EvaluatePretrained,
    MeasureCurvature,
    MeasureInfluence,
    RandomizeParameters,
    TrainNetwork,
)
from myths.saliency.trials.networks import MAIN

PAPER = "Ghorbani et al. 2019"
FIGURE_3 = f"{PAPER}, Fig. 3, digitized"
SUMMARY = f"a summary of {PAPER} (secondary source)"
FOR_IMAGENET = f"{FIGURE_3} for ImageNet; CIFAR-10 shows the same according to {SUMMARY}, which states no number"
MOST_DIFFICULT = f'{FIGURE_3}: .183 against .005 and .013; "most difficult" is from {SUMMARY}'
DOMBROWSKI = "Dombrowski et al. 2019"
REVIEW = "a review of Kamath et al. 2024 (secondary source)"
OF_THE_LOGIT = f"{PROPOSAL}; the authors' notebook explains the probability"
LIMIT = f"the limit is {PROPOSAL}"
CONFIDENCE = f"{PAPER}, abstract (stated without a number); {LIMIT}"
NOISE = f'{FIGURE_3}; "< 30 %" is from {SUMMARY}; the random baseline is a random walk (the authors\' utils.py); the range is {PROPOSAL}'
LARGEST = 8.0

PLAIN: dict[str, Any] = {"defense": "none", "epsilon": LARGEST}
CIFAR: dict[str, Any] = {"dataset": "cifar10", "network": MAIN, **PLAIN}
TRAINED: dict[str, Any] = {"dataset": "cifar10", "network": MAIN, "defense": "none"}
IMAGENET: dict[str, Any] = {"dataset": IMAGENET_SAMPLE, **PLAIN}
DIGITS: dict[str, Any] = {"dataset": "digits", **PLAIN}

NAMES = {
    "gradient": "the simple gradient", "integrated-gradients": "integrated gradients", "deeplift": "DeepLIFT", "smoothgrad": "SmoothGrad",
    "gradient-times-input": "gradient times input", "grad-cam": "Grad-CAM",
}  # fmt: skip
SHORT = {"gradient": "gradient", "integrated-gradients": "ig", "deeplift": "deeplift"}
RANDOM = {"random-walk": "the worst iterate of a random walk", "random": "a single random perturbation"}
CENTER_SHIFT = {"comparison": "attack minus random (center shift)", "attack": "mass-center", "against": "random-walk"}
BEST_OTHER = "integrated gradients minus best other"
UNTOUCHED = "untouched by integrated gradients"
LOGIT = "integrated-gradients of the logit"
MORE_ROBUST = (
    "integrated gradients keep more of the top k pixels under the top-k attack than both the simple gradient and DeepLIFT, by at least "
    "0.05 on the images that neither attack leaves untouched"
)
RELU = "the ReLU network correlates with the linear prediction ε‖H·sign(δ)‖, with H from its softplus surrogate"
SOFTPLUS = "the softplus network (β = 10) correlates with the linear prediction ε‖H·sign(δ)‖"
KAMATH = "Kamath et al. 2024, read in copies of the paper; LENS less intersection, another image's map counts 0"
BENIGN = "arXiv 2604.02532, abstract: Grad-CAM is the most stable of four methods, and geometric changes do more than photometric ones"
ACCEPTING = ("top-k", "mass-center", "targeted", "random-walk")
"""Attacks that accept only images that keep their label."""
WITH_CONTROLS = FirstOf("cifar10", "digits")
"""Datasets of the control claims. No conclusion is drawn from the digits."""

_attacks = partial(Claim, table="attacks", trial=AttackImages)
_differences = partial(Claim, table="differences", trial=AttackImages, measure=partial(over_attacked, "value"))


def _imagenet_rows(method: str, attack: str) -> dict[str, Any]:
    """Return the filters of the paper's experiment: ImageNet photographs, and SqueezeNet."""
    return IMAGENET | {"method": method, "attack": attack, "k": 1000}


def _methods(*names: str) -> dict[str, Any]:
    return {"method": names}


def _shift(method: str) -> float:
    """Return the paper's center shift by the attack minus that by the random baseline, in px."""
    attack, random = (digitized_value(method, attack, LARGEST, "center_shift_px") for attack in ("mass-center", "random-walk"))
    return round(attack - random, 1)


CONTROL_CLAIMS = (
    _attacks(
        id="Z0",
        kind="control",
        statement="A map of the same image, computed twice, is the same (ε = 0).",
        **cited("computed", f"{PROPOSAL}: it follows from the definition"),
        unit="of the top k, the least of all images",
        where={"epsilon": 0.0},
        needs=({"epsilon": ...},),
        measure=partial(smallest, "min_intersection"),
        criterion=at_least(1.0),
        repetition_unit="exact",
        brings_trials=False,
        guards=(AttackImages,),
    ),
    _attacks(
        id="Z0-budget",
        kind="control",
        statement="No attack changes a pixel by more than ε.",
        **cited("computed", f"{PROPOSAL}: it follows from the definition"),
        unit="gray levels more than ε, the most of all attacks",
        measure=excess_over_budget,
        criterion=at_most(0.01),
        repetition_unit="exact",
        brings_trials=False,
        guards=(AttackImages,),
    ),
    _attacks(
        id="Z1",
        kind="control",
        statement="Every image that an attack accepts keeps its predicted label.",
        **cited("read", f"{PAPER}, Alg. 1", 100.0),
        unit="% of images, the least of all attacks",
        where={"attack": ACCEPTING},
        measure=partial(smallest, "label_kept_percent"),
        criterion=at_least(100.0),
        repetition_unit="exact",
        brings_trials=False,
        guards=(AttackImages,),
        guarded={"attack": ACCEPTING},
    ),
    Claim(
        id="Z2",
        kind="control",
        statement="The networks of CIFAR-10 are trained: their accuracy is at most 3 points below that of the paper's network.",
        **cited("secondary source", f"{SUMMARY}; {LIMIT}", 73.0),
        unit="% of test images",
        table="networks",
        where=TRAINED,
        trial=TrainNetwork,
        measure=partial(mean_over_seeds, "test_accuracy_percent"),
        criterion=at_least(70.0),
        repetition_unit="seeds",
        blind=False,
        guards=(AttackImages, MeasureCurvature, MeasureInfluence),
        guarded={"dataset": "cifar10"},
    ),
    Claim(
        id="Z3",
        kind="control",
        statement="SqueezeNet is trained: it classifies at least 40 % of the ImageNet photographs correctly.",
        **cited("from memory", f"SqueezeNet's accuracy on all of ImageNet; {LIMIT}", 57.5),
        unit="% of test images",
        table="networks",
        where={"dataset": IMAGENET_SAMPLE},
        trial=EvaluatePretrained,
        measure=accuracy_over_images,
        criterion=at_least(40.0),
        repetition_unit="test examples",
        blind=False,
        guards=(AttackImages, ChangeImages),
        guarded={"dataset": IMAGENET_SAMPLE},
    ),
    *(
        Claim(
            id=f"K-{SHORT[method]}{suffix}",
            kind="control",
            statement=f"{on}, attributions of {NAMES[method]} sum to the change of the output from the baseline, up to {limit:g} % "
            "(median).",
            **cited("from memory", f"{axiom}; {LIMIT}", 0.0),
            unit="% off",
            table="completeness_error",
            where={"method": method, "dataset": dataset, "defense": "none"},
            trial=AttackImages,
            needs=({"attack": "top-k"},),
            measure=measure,
            criterion=at_most(limit),
            repetition_unit="exact" if method == "deeplift" else "test examples",
            blind=False,
            guards=(AttackImages,),
            guarded={"method": method, "dataset": dataset},
        )
        for suffix, on, dataset in (("", "On small images", WITH_CONTROLS), ("-photographs", "On photographs", IMAGENET_SAMPLE))
        for method, axiom, limit, measure in (
            ("integrated-gradients", "Sundararajan et al. 2017, completeness", 5.0, worst_completeness_error),
            # an identity for every image, up to rounding
            ("deeplift", "Shrikumar et al. 2017, summation to delta", 1.0, partial(largest, "error_percent")),
        )
    ),
    *(
        Claim(
            id=f"P-{method}",
            kind="control",
            statement=f"Maps of {name} depend on the parameters: their rank correlation with maps of random parameters is at most 0.5.",
            **cited("from memory", f"Adebayo et al. 2018, the test; {LIMIT}"),
            unit="rank correlation",
            table="parameter_randomization",
            where={"method": method, "all_layers": True, "dataset": WITH_CONTROLS},
            trial=RandomizeParameters,
            measure=partial(over_networks, "spearman"),
            criterion=at_most(0.5),
            repetition_unit="seeds",
        )
        for method, name in NAMES.items()
    ),
)


def _random_minus_attack(method: str, epsilon: float) -> float:
    """Return the paper's top-k intersection after a random walk minus that after the top-k attack."""
    return round(digitized_value(method, "random-walk", epsilon) - digitized_value(method, "top-k", epsilon), 3)


def _below_random(
    rows: tuple[tuple[str, str, float, str, float], ...], on: str, where: dict[str, Any], source: str, unit: SourceOfVariation
) -> tuple[Claim, ...]:
    """Return claims that the top-k attack changes more of the top k pixels than a random perturbation.

    Each row holds id, method, ε in 1/255, random baseline and limit.
    """
    return tuple(
        _differences(
            id=id,
            statement=f"{on}, the top-k attack at ε = {epsilon:g}/255 changes more of the top k pixels of {NAMES[method]} than "
            f"{RANDOM[against]} (by more than {limit:g} of the top k).",
            **cited("computed", f"{source}; {LIMIT}", _random_minus_attack(method, epsilon)),
            unit="of the top k more than the random walk",
            where={"comparison": "random minus attack", "method": method, "attack": "top-k", "against": against}
            | where
            | {"epsilon": epsilon},
            needs=({"attack": ("top-k", against)},),
            criterion=above(limit),
            repetition_unit=unit,
            primary=id in GIVES_WAY_TO,
            blind=id not in GIVES_WAY_TO.values(),  # their criteria are older than their numbers, but not the choice that they decide
            superseded_by=GIVES_WAY_TO.get(id),
        )
        for id, method, epsilon, against, limit in rows
    )


GIVES_WAY_TO = {
    "S1-cifar": "S1-photographs-gradient", "S1-cifar-ig": "S1-photographs-ig", "S1-cifar-deeplift": "S1-photographs-deeplift",
}  # fmt: skip
"""Primary claims, and the claims on photographs that replace them if they could be tested."""

TOUCHED: Measure = touched
UNTOUCHED_SHARE: Measure = untouched
LEFT: Measure = partial(over_attacked, "intersection")
CONFIDENCE_CHANGE: Measure = partial(over_attacked, "confidence_change_pp")

FRAGILE = (
    *_below_random(
        (
            ("S1-cifar", "gradient", LARGEST, "random-walk", 0.2),
            ("S1-cifar-draw", "gradient", LARGEST, "random", 0.2),
            ("S1-cifar-2", "gradient", 2.0, "random-walk", 0.2),
            ("S1-cifar-ig", "integrated-gradients", LARGEST, "random-walk", 0.05),
            ("S1-cifar-deeplift", "deeplift", LARGEST, "random-walk", 0.2),
        ),
        "On CIFAR-10",
        CIFAR,
        FOR_IMAGENET,
        "seeds",
    ),
    *(
        _differences(
            id=f"S1-cifar-center-{short}",
            statement=f"On CIFAR-10, the mass-center attack shifts the center of mass of the saliency map ({NAMES[method]}) by over 1 px "
            "more than a random walk does.",
            **cited("computed", f"{FIGURE_3}: of 227 px, attack less random baseline; {LIMIT}", _shift(method)),
            unit="px, attack less random",
            where={**CIFAR, **CENTER_SHIFT, "method": method},
            needs=({"attack": ("mass-center", "random-walk")},),
            criterion=above(1.0),
            repetition_unit="seeds",
        )
        for method, short in SHORT.items()
    ),
    *(
        _attacks(
            id=id,
            statement=f"On CIFAR-10, the top-k attack on {NAMES[method]} lowers the confidence by at most 10 points (mean over images).",
            **cited("read", CONFIDENCE),
            unit="pp",
            where={"method": method, "attack": "top-k", **CIFAR},
            measure=CONFIDENCE_CHANGE,
            criterion=at_least(-10.0),
            repetition_unit="seeds",
            blind=method == "gradient",
        )
        for id, method in (
            ("S1-cifar-confidence", "gradient"),
            ("S1-cifar-ig-confidence", "integrated-gradients"),
            ("S1-cifar-deeplift-confidence", "deeplift"),
        )
    ),
    _attacks(
        id="S2-cifar",
        statement="On CIFAR-10, a single random perturbation at ε = 8/255 changes at least half of the top pixels of the simple gradient.",
        **cited("computed", f"{FIGURE_3}: 0.21 is left on ImageNet; {LIMIT}"),
        unit="of the top k left",
        where={"method": "gradient", "attack": "random", **CIFAR},
        measure=partial(over_networks, "intersection"),
        criterion=at_most(0.5),
        repetition_unit="seeds",
    ),
    *(
        _attacks(
            id=id,
            statement=f"On ImageNet photographs, {statement}.",
            **said,
            unit=unit,
            where=_imagenet_rows(method, attack),
            measure=measure,
            criterion=criterion,
            repetition_unit="test examples",
            blind=False,
        )
        for method, limit in (("gradient", 0.10), ("integrated-gradients", 0.30), ("deeplift", 0.10))
        for id, attack, statement, said, unit, measure, criterion in (
            (f"S1-{SHORT[method]}", "top-k",
             f"the top-k attack at ε = 8/255 leaves at most {100 * limit:g} % of the top 1,000 pixels of {NAMES[method]} unchanged, on the "
             "images that it changes",
             cited("computed", f"{FIGURE_3}; {LIMIT}", digitized_value(method, "top-k", LARGEST)), "of the top 1,000", TOUCHED,
             at_most(limit)),
            (f"S1-{SHORT[method]}-untouched", "top-k",
             f"the top-k attack at ε = 8/255 leaves the maps of at most 10 % of the images untouched ({NAMES[method]})",
             cited("computed", f"{FIGURE_3} shows means only; {LIMIT}"), "of the images", UNTOUCHED_SHARE, at_most(0.10)),
            (f"S1-{SHORT[method]}-confidence", "top-k",
             f"the top-k attack at ε = 8/255 on {NAMES[method]} lowers the confidence by at most 10 points (mean over images)",
             cited("read", CONFIDENCE), "pp", CONFIDENCE_CHANGE, at_least(-10.0)),
            *((f"S2-{SHORT[method]}-{suffix}", attack,
               f"{RANDOM[attack]} at ε = 8/255 leaves 10 to 40 % of the top 1,000 pixels of {NAMES[method]} unchanged",
               cited("computed", NOISE, digitized_value(method, "random-walk", LARGEST)), "of the top 1,000",
               LEFT, between(0.1, 0.4))
              for suffix, attack in (("draw", "random"), ("walk", "random-walk"))),
        )
    ),
    *_below_random(
        (
            ("S1-photographs-gradient", "gradient", LARGEST, "random-walk", 0.1),
            ("S1-photographs-ig", "integrated-gradients", LARGEST, "random-walk", 0.035),
            ("S1-photographs-deeplift", "deeplift", LARGEST, "random-walk", 0.1),
        ),
        "On ImageNet photographs",
        IMAGENET,
        FIGURE_3,
        "test examples",
    ),
)  # fmt: skip

IG_AND_OTHERS = _methods("integrated-gradients", "gradient", "deeplift")
LOGIT_AND_OTHERS = _methods(LOGIT, "gradient", "deeplift")
MARGIN_OF_IG = at_least(0.05)
ON_PHOTOGRAPHS = "On ImageNet photographs, with equally many steps against each method"

MOST_ROBUST: tuple[Claim, ...] = tuple(
    _differences(
        id=id,
        statement=f"{statement}.",
        **said,
        unit=unit,
        where={"comparison": comparison, "method": method, "attack": "top-k", **where},
        needs=(needs,),
        criterion=criterion,
        repetition_unit="test examples" if where is IMAGENET else "seeds",
        measure=partial(over_networks if comparison == UNTOUCHED else over_attacked, "value"),
        blind=id in ("S3-smoothgrad", "S1-digits"),
        controls=complete,
    )
    for id, statement, said, unit, comparison, method, where, needs, criterion, complete in (
        ("S3", f"On CIFAR-10, {MORE_ROBUST}", cited("computed", MOST_DIFFICULT, 0.17), "of the top k",
         BEST_OTHER, "integrated-gradients", CIFAR, IG_AND_OTHERS, MARGIN_OF_IG, ("K-deeplift",)),
        ("S3-photographs", f"{ON_PHOTOGRAPHS}, {MORE_ROBUST}", cited("computed", MOST_DIFFICULT, 0.17), "of the top k",
         BEST_OTHER, "integrated-gradients", IMAGENET, IG_AND_OTHERS, MARGIN_OF_IG, ("K-deeplift-photographs",)),
        ("S3-photographs-untouched", f"{ON_PHOTOGRAPHS}, more maps of integrated gradients are untouched by the top-k attack than maps of "
         "the simple gradient and of DeepLIFT", cited("computed", f"{FIGURE_3} shows means only; the exact test of McNemar"),
         "of the images that only one attack leaves untouched",
         UNTOUCHED, "integrated-gradients", IMAGENET, IG_AND_OTHERS, above(0.5), ("K-deeplift-photographs",)),
        ("S3-photographs-logit", f"{ON_PHOTOGRAPHS}, and with the logit as output, {MORE_ROBUST}", cited("read", OF_THE_LOGIT),
         "of the top k", BEST_OTHER, LOGIT, IMAGENET, LOGIT_AND_OTHERS, MARGIN_OF_IG, ("K-deeplift-photographs",)),
        ("S3-logit", f"On CIFAR-10, with the logit as output, {MORE_ROBUST}", cited("read", OF_THE_LOGIT), "of the top k",
         BEST_OTHER, LOGIT, CIFAR, LOGIT_AND_OTHERS, MARGIN_OF_IG, ("K-deeplift",)),
        ("S3-deeplift", "On CIFAR-10, DeepLIFT is as robust to the top-k attack as the simple gradient (margin 0.05 of the top k)",
         cited("computed", f"{FIGURE_3}: .013 against .005; {LIMIT}", 0.008), "of the top k",
         "deeplift minus gradient", "deeplift", CIFAR, _methods("deeplift", "gradient"), within(0.05, beyond="high"), ()),
        ("S3-smoothgrad", "On CIFAR-10, SmoothGrad is more robust to the top-k attack than the simple gradient (by more than 0.05 of "
         "the top k)", PROPOSED, "of the top k",
         "smoothgrad minus gradient", "smoothgrad", CIFAR, _methods("smoothgrad", "gradient"), above(0.05), ()),
        ("S1-digits", f"On digits, the top-k attack changes more of the top pixels of the simple gradient than {RANDOM['random-walk']}",
         PROPOSED, "of the top k", "random minus attack", "gradient", {"against": "random-walk", **DIGITS},
         {"attack": ("top-k", "random-walk")}, above(0.0), ()),
        ("S3-digits", f"On digits, {MORE_ROBUST}", PROPOSED, "of the top k",
         BEST_OTHER, "integrated-gradients", DIGITS, IG_AND_OTHERS, MARGIN_OF_IG, ("K-deeplift",)),
    )
)  # fmt: skip

INFLUENCES = tuple(
    Claim(
        id=id,
        statement=f"On CIFAR-10, {statement}.",
        **cited("secondary source", f"{SUMMARY}, Figs. 4 and 5, Inception-v3 on two kinds of flowers; {LIMIT}", level),
        unit=unit,
        table="influence",
        where={"attack": attack, "epsilon": LARGEST, **TRAINED},
        trial=MeasureInfluence,
        measure=partial(over_attacked, column),
        criterion=criterion,
        repetition_unit="seeds",
    )
    for id, statement, level, unit, attack, column, criterion in (
        ("S4", "the rank correlation of influences before and after an attack step of 8/255 is at most 0.6",
         None, "rank correlation", "attack", "spearman", at_most(0.6)),
        ("S4-top5", "at most half of the five most helpful training examples stay among the top five after an attack step of 8/255",
         0.4, "of the top 5", "attack", "top5_overlap", at_most(0.5)),
        ("S4-random", "the rank correlation of influences before and after adding random signs of 8/255 is at least 0.6",
         0.8, "rank correlation", "random signs", "spearman", at_least(0.6)),
    )
)  # fmt: skip

CAUSE = (
    *(
        Claim(
            id=id,
            statement=f"Along {path}, the change of the gradient of {words} (ρ ≥ 0.8 over images).",
            **cited("read", f"{PAPER}, the linear analysis; {LIMIT}"),
            unit="rank correlation",
            table="curvature",
            where={"direction": direction, "epsilon": 1.0, "beta": beta, **TRAINED},
            trial=MeasureCurvature,
            measure=partial(over_attacked, "spearman"),
            criterion=at_least(0.8),
            repetition_unit="seeds",
        )
        for id, path, words, direction, beta in (
            ("S5", "the top-k attack", RELU, "top-k attack", 0.0),
            ("S5-random", "random sign directions", RELU, "random signs", 0.0),
            ("S5-softplus", "the top-k attack", SOFTPLUS, "top-k attack", 10.0),
        )
    ),
    Claim(
        id="S5-curvature",
        statement="The curvature of a softplus network, ε‖H·sign(δ)‖ over the norm of the gradient, is lower at β = 2 than at β = 30.",
        **cited("from memory", f"{DOMBROWSKI}; {LIMIT}"),
        unit="at ε = 1/255",
        table="curvature_drop",
        where={"direction": "top-k attack", "epsilon": 1.0, **TRAINED},
        trial=MeasureCurvature,
        measure=partial(over_networks, "value"),
        criterion=below(0.0),
        repetition_unit="seeds",
    ),
)

LENS_ROWS: tuple[tuple[str, Direction | None, str, str, str, dict[str, Any], Criterion], ...] = (
    # On photographs, no follow-up claims: what an attack changes beyond a random walk decides, and LENS enlarges what a walk leaves.
    # Where an attack leaves nothing, the rescaled gain is negative, because maps of other images are more similar by LENS.
    ("S2-lens", None, "ImageNet photographs", "a random walk leaves over 0.1 more", "random-walk", IMAGENET, above(0.1)),
    ("S2-lens-attack", None, "ImageNet photographs", "the top-k attack leaves less than 0.1 more", "top-k", IMAGENET, below(0.1)),
    ("T7-lens-cifar", "weakens", "CIFAR-10", "the top-k attack leaves over 0.1 more", "top-k", CIFAR, above(0.1)),
)

_everyday = partial(
    Claim, table="everyday_differences", trial=ChangeImages, repetition_unit="test examples", **cited("read", f"{BENIGN}; {LIMIT}")
)
TODAY = (
    _everyday(
        id="T7-benign",
        kind="follow-up", direction="strengthens",
        statement="Small shifts, rotations, JPEG compression and changes of brightness that keep the label leave on average less than half "
        "of the top 1,000 pixels of the simple gradient, even if pixels may move by one (LENS; ImageNet photographs).",
        unit="of the top 1,000",
        where={"comparison": "all changes, LENS", "method": "gradient", "dataset": IMAGENET_SAMPLE},
        needs=(_methods("gradient"),),
        measure=partial(over_attacked, "value"),
        criterion=below(0.5),
        blind=False,  # The limit was chosen when the table was known.
    ),
    _everyday(
        id="S8",
        statement="Small shifts, rotations, JPEG compression and changes of brightness that keep the label leave more of the top 1,000 "
        "pixels of Grad-CAM than of the simple gradient, by at least 0.2 (ImageNet photographs, mean over the changes).",
        unit="of the top 1,000",
        where={"comparison": "Grad-CAM minus other", "method": "gradient", "dataset": IMAGENET_SAMPLE},
        needs=(_methods("gradient", "grad-cam"),),
        measure=partial(over_attacked, "value"),
        criterion=at_least(0.2),
    ),
    _everyday(
        id="T7-benign-geometric",
        kind="follow-up", direction="strengthens",
        statement="A shift by 2 pixels and a rotation by 5° that keep the label leave less of the top 1,000 pixels than JPEG compression "
        "and 10 % more or less light, for the simple gradient, integrated gradients and DeepLIFT (ImageNet photographs).",
        unit="of the top 1,000, the largest of three methods",
        where={"comparison": "geometric minus photometric", "method": tuple(SHORT), "dataset": IMAGENET_SAMPLE},
        measure=partial(largest_over_methods, methods=GEOMETRIC_METHODS),
        criterion=below(0.0),
    ),
    _attacks(
        id="T7-gradcam-attack",
        kind="follow-up", direction="strengthens",
        statement="On ImageNet photographs, the top-k attack at ε = 8/255 leaves at most 10 % of the top 1,000 pixels of Grad-CAM.",
        **cited("computed", f"{PROPOSAL}: on CIFAR-10 it leaves 1 %"),
        unit="of the top 1,000",
        where=_imagenet_rows(f"grad-cam at {SQUEEZENET_LAYER}", "top-k"),
        measure=partial(over_attacked, "intersection"),
        criterion=at_most(0.1),
        repetition_unit="test examples",
    ),
    *(
        _differences(
            id=id,
            kind="follow-up" if direction else "effect", direction=direction,
            statement=f"On {on}, if pixels may move by one (LENS), {words} of the top k of the simple gradient.",
            **cited("read", f"{KAMATH}; {LIMIT}"),
            unit="of the top k, rescaled",
            where={"comparison": "LENS gain", "method": "gradient", "attack": attack, **where},
            criterion=criterion,
            repetition_unit="test examples" if where is IMAGENET else "seeds",
            blind=where is not IMAGENET,
        )
        for id, direction, on, words, attack, where, criterion in LENS_ROWS
    ),
    _differences(
        id="T7-lens-attack",
        kind="follow-up", direction="strengthens",
        statement="On ImageNet photographs, the top-k attack changes more of the top 1,000 pixels of the simple gradient than a random "
        "walk does even if pixels may move by one (LENS; by more than 0.1, rescaled).",
        **cited("read", f"{KAMATH}: attacks are weaker by LENS; {LIMIT}"),
        unit="of the top k, rescaled",
        where={"comparison": "random minus attack, LENS", "method": "gradient", "attack": "top-k", "against": "random-walk", **IMAGENET},
        needs=({"attack": ("top-k", "random-walk")},),
        criterion=above(0.1),
        repetition_unit="test examples",
        blind=False,  # What each of the two leaves by LENS was known.
    ),
    _differences(
        id="T7-adversarial",
        kind="follow-up", direction="strengthens",
        statement="On CIFAR-10, adversarial training protects simple gradients against the top-k attack only as much as against a random "
        "walk (what the attack changes beyond the walk differs by at most 0.1 of the top k).",
        **cited("secondary source", f"{REVIEW}: such networks are more robust, without a number; {LIMIT}"),
        unit="of the top k",
        where={"comparison": "defended minus standard, beyond the random walk", "method": "gradient", "attack": "top-k",
               "against": "random-walk", **CIFAR, "defense": "adversarial"},
        needs=({"defense": ("adversarial", "none"), "attack": ("top-k", "random-walk")},),
        criterion=between(-0.1, 0.1),
        repetition_unit="seeds",
        blind=False,
    ),
    _differences(
        id="T7-softplus",
        kind="follow-up", direction="weakens",
        statement="On CIFAR-10, simple gradients of a softplus network (β = 2) are more robust to the top-k attack than those of the ReLU "
        "network (by more than 0.1 of the top k).",
        **cited("from memory", f"{DOMBROWSKI}, stated without a number; {LIMIT}"),
        unit="of the top k",
        where={"comparison": "defended minus standard", "method": "gradient", "attack": "top-k", **CIFAR, "defense": "softplus 2"},
        needs=({"defense": ("softplus 2", "none")},),
        criterion=above(0.1),
        repetition_unit="seeds",
    ),
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (
    *CONTROL_CLAIMS,
    *FRAGILE,
    *MOST_ROBUST,
    *INFLUENCES,
    *CAUSE,
    _differences(
        id="S6-64",
        statement="For one network, maps of photographs reduced to 32 pixels are more robust to the top-k attack than maps of the same "
        "photographs of 64 pixels.",
        **cited("secondary source", f"{SUMMARY}, CIFAR-10 against ImageNet; another image's map counts 0; {LIMIT}"),
        unit="of the top k, rescaled",
        where={"comparison": "reduced minus full size", "method": "gradient", "attack": "top-k", "dataset": "imagenette", **PLAIN},
        criterion=above(0.0),
        repetition_unit="seeds",
    ),
    Claim(
        id="S7",
        statement="The change that people perceive in a map correlates more with the shift of its center than with other measures.",
        **cited("secondary source", f"{SUMMARY}, App. E; no trial measures it: it requires human subjects (metric_agreement uses SSIM)"),
        unit="rank correlation",
        table="metric_agreement",
        where={"measure": "perceived change"},
        trial=AttackUserImages,
        needs=(),
        measure=partial(over_networks, "correlation_with_ssim"),
        criterion=above(0.0),
        repetition_unit="test examples",
    ),
    *TODAY,
)
