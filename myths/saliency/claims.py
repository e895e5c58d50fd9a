"""Claims of myth 7, with their measures and criteria.

The paper's numbers are digitized from its figure (errors of at most 0.02 and 1 px) or come from a summary of
the paper, which is a secondary source. On CIFAR-10, the top
100 of 1,024 pixels overlap by 9.8 % by chance, so the absolute values of the paper, for photographs of more than 200 pixels, do not apply;
claims on CIFAR-10 concern differences. Criteria without a source are proposals of this suite.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from myths.lab.claim import PROPOSAL, PROPOSED, Claim, cited
from myths.lab.criterion import above, at_least, at_most, below, between
from myths.lab.measures import smallest
from myths.saliency.digitized import digitized_value
from myths.saliency.measures import over_attacked, over_networks, worst_completeness_error
from myths.saliency.names import IMAGENET_SAMPLE
from myths.saliency.trials import AttackImages, AttackUserImages, MeasureCurvature, MeasureInfluence, RandomizeParameters
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
LOGIT = "integrated-gradients of the logit"
MORE_ROBUST = "integrated gradients keep more of the top k pixels under the top-k attack than both the simple gradient and DeepLIFT"
RELU = "the ReLU network correlates with the linear prediction ε‖H·sign(δ)‖, with H from its softplus surrogate"
SOFTPLUS = "the softplus network (β = 10) correlates with the linear prediction ε‖H·sign(δ)‖"
CONTROLS = ("Z0", "Z1")
WITH_CONTROLS = ("cifar10", "digits")
"""Datasets of the control claims. A run has one of them; no conclusion is drawn from the digits."""

_attacks = partial(Claim, table="attacks", trial=AttackImages)
_differences = partial(Claim, table="differences", trial=AttackImages, measure=partial(over_attacked, "value"), controls=CONTROLS)


def _imagenet_rows(method: str, attack: str) -> dict[str, Any]:
    """Return the filters of the paper's protocol: ImageNet photographs, and SqueezeNet."""
    return IMAGENET | {"method": method, "attack": attack, "k": 1000, "protocol": "paper"}


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
        statement="At ε = 0, no attack changes a map.",
        **cited("computed", f"{PROPOSAL}: it follows from the definition"),
        unit="of the top k, the least of all images",
        where={"epsilon": 0.0},
        needs=({"epsilon": ...},),
        measure=partial(smallest, "min_intersection"),
        criterion=at_least(1.0),
    ),
    _attacks(
        id="Z1",
        kind="control",
        statement="Every image that an attack accepts keeps its predicted label.",
        **cited("read", f"{PAPER}, Alg. 1", 100.0),
        unit="% of images, the least of all attacks",
        where={"attack": ("top-k", "mass-center", "targeted", "random-walk")},
        measure=partial(smallest, "label_kept_percent"),
        criterion=at_least(100.0),
    ),
    *(
        Claim(
            id=f"K-{SHORT[method]}",
            kind="control",
            statement=f"Attributions of {NAMES[method]} sum to the change of the output from the baseline, up to {limit:g} % (median).",
            **cited("from memory", f"{axiom}; {LIMIT}", 0.0),
            unit="% off",
            table="completeness_error",
            where={"method": method, "dataset": WITH_CONTROLS, "defense": "none"},
            trial=AttackImages,
            needs=({"attack": "mass-center"},),
            measure=worst_completeness_error,
            criterion=at_most(limit),
        )
        for method, axiom, limit in (
            ("integrated-gradients", "Sundararajan et al. 2017, completeness", 5.0),
            ("deeplift", "Shrikumar et al. 2017, summation to delta", 1.0),
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
        )
        for method, name in NAMES.items()
    ),
)


def _random_minus_attack(method: str, epsilon: float) -> float:
    """Return the paper's top-k intersection after a random walk minus that after the top-k attack."""
    return round(digitized_value(method, "random-walk", epsilon) - digitized_value(method, "top-k", epsilon), 3)


def _below_random(rows: tuple[tuple[str, str, float, str, float], ...], on: str, where: dict[str, Any], source: str) -> tuple[Claim, ...]:
    """Return claims that the top-k attack changes more of the top k pixels than a random perturbation.

    Each row holds id, method, ε in 1/255, random baseline and limit.
    """
    return tuple(
        _differences(
            id=id,
            statement=f"{on}, the top-k attack at ε = {epsilon:g}/255 changes more of the top k pixels of {NAMES[method]} than "
            f"{RANDOM[against]} (by more than {limit:g} of the top k).",
            **cited("computed", f"{source}; {LIMIT}", _random_minus_attack(method, epsilon)),
            unit="of the top k, random less attack",
            where={"comparison": "random minus attack", "method": method, "attack": "top-k", "against": against}
            | where
            | {"epsilon": epsilon},
            needs=({"attack": ("top-k", against)},),
            criterion=above(limit),
            primary=id == "S1-cifar",
            superseded_by="S1-gradient" if id == "S1-cifar" else None,
        )
        for id, method, epsilon, against, limit in rows
    )


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
        )
        for method, short in SHORT.items()
    ),
    _attacks(
        id="S1-cifar-confidence",
        statement="On CIFAR-10, the top-k attack on the simple gradient lowers the confidence by at most 10 points (mean over images).",
        **cited("read", CONFIDENCE),
        unit="pp",
        where={"method": "gradient", "attack": "top-k", **CIFAR},
        measure=partial(over_attacked, "confidence_change_pp"),
        criterion=at_least(-10.0),
        controls=CONTROLS,
    ),
    _attacks(
        id="S2-cifar",
        statement="On CIFAR-10, a single random perturbation at ε = 8/255 changes at least half of the top pixels of the simple gradient.",
        **cited("computed", f"{FIGURE_3}: 0.21 is left on ImageNet; {LIMIT}"),
        unit="of the top k left",
        where={"method": "gradient", "attack": "random", **CIFAR},
        measure=partial(over_networks, "intersection"),
        criterion=at_most(0.5),
        controls=("Z0",),
    ),
    *(
        _attacks(
            id=id,
            kind="absolute",
            statement=f"On ImageNet photographs, {statement} of the top 1,000 pixels of {NAMES[method]} unchanged.",
            **said,
            unit="of the top 1,000",
            where=_imagenet_rows(method, attack),
            measure=partial(over_attacked, "intersection"),
            criterion=criterion,
            controls=CONTROLS,
        )
        for method, limit in (("gradient", 0.10), ("integrated-gradients", 0.30), ("deeplift", 0.10))
        for id, attack, statement, said, criterion in (
            (f"S1-{SHORT[method]}", "top-k", f"the top-k attack at ε = 8/255 leaves at most {100 * limit:g} %",
             cited("computed", f"{FIGURE_3}; {LIMIT}", digitized_value(method, "top-k", LARGEST)), at_most(limit)),
            *((f"S2-{SHORT[method]}-{suffix}", attack, f"{RANDOM[attack]} at ε = 8/255 leaves 10 to 40 %",
               cited("computed", NOISE, digitized_value(method, "random-walk", LARGEST)), between(0.1, 0.4))
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
    ),
)  # fmt: skip

MOST_ROBUST = tuple(
    _differences(
        id=id,
        statement=f"{statement}.",
        **said,
        unit="of the top k",
        where={"comparison": comparison, "method": method, "attack": "top-k", **where},
        needs=(needs,),
        criterion=criterion,
        primary=id == "S3",
        superseded_by="S3-photographs" if id == "S3" else None,
    )
    for id, statement, said, comparison, method, where, needs, criterion in (
        ("S3", f"On CIFAR-10, {MORE_ROBUST}", cited("computed", MOST_DIFFICULT, 0.17),
         BEST_OTHER, "integrated-gradients", CIFAR, _methods("integrated-gradients", "gradient", "deeplift"), above(0.0)),
        ("S3-photographs", f"On ImageNet photographs, with equally many steps against each method, {MORE_ROBUST}",
         cited("computed", MOST_DIFFICULT, 0.17),
         BEST_OTHER, "integrated-gradients", IMAGENET, _methods("integrated-gradients", "gradient", "deeplift"), above(0.0)),
        ("S3-logit", f"On CIFAR-10, with the logit as output, {MORE_ROBUST}", cited("read", OF_THE_LOGIT),
         BEST_OTHER, LOGIT, CIFAR, _methods(LOGIT, "gradient", "deeplift"), above(0.0)),
        ("S3-deeplift", "On CIFAR-10, DeepLIFT is non-inferior to the simple gradient in robustness to the top-k attack (margin 0.05 of "
         "the top k)", cited("computed", f"{FIGURE_3}: .013 against .005; {LIMIT}", 0.008),
         "deeplift minus gradient", "deeplift", CIFAR, _methods("deeplift", "gradient"), at_least(-0.05)),
        ("S3-smoothgrad", "On CIFAR-10, SmoothGrad is more robust to the top-k attack than the simple gradient (by more than 0.05 of "
         "the top k)", PROPOSED,
         "smoothgrad minus gradient", "smoothgrad", CIFAR, _methods("smoothgrad", "gradient"), above(0.05)),
        ("S1-digits", f"On digits, the top-k attack changes more of the top pixels of the simple gradient than {RANDOM['random-walk']}",
         PROPOSED, "random minus attack", "gradient", {"against": "random-walk", **DIGITS},
         {"attack": ("top-k", "random-walk")}, above(0.0)),
        ("S3-digits", f"On digits, {MORE_ROBUST}", PROPOSED,
         BEST_OTHER, "integrated-gradients", DIGITS, _methods("integrated-gradients", "gradient", "deeplift"), above(0.0)),
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
    ),
)

CLAIMS: tuple[Claim, ...] = (
    *CONTROL_CLAIMS,
    *FRAGILE,
    *MOST_ROBUST,
    *INFLUENCES,
    *CAUSE,
    _differences(
        id="S6-64",
        statement="Maps of CIFAR-10 images (32 pixels) are more robust to the top-k attack than maps of photographs of 64 pixels.",
        **cited("secondary source", f"{SUMMARY}, for ImageNet's 224 pixels; another image's map counts 0; {LIMIT}"),
        unit="of the top k, rescaled",
        where={"comparison": "CIFAR-10 minus imagenette", "method": "gradient", "attack": "top-k", **CIFAR, "against": "imagenette"},
        needs=({"dataset": ("cifar10", "imagenette")},),
        criterion=above(0.0),
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
    ),
    _differences(
        id="R-lens",
        kind="follow-up", direction="weakens",
        statement="On CIFAR-10, the simple gradient is more robust to the top-k attack if pixels may move by one (LENS), "
        "by more than 0.1 of the top k.",
        **cited("read", f"Kamath et al. 2024, read in copies of the paper; LENS less intersection, another image's map counts 0; {LIMIT}"),
        unit="of the top k, rescaled",
        where={"comparison": "LENS gain", "method": "gradient", "attack": "top-k", **CIFAR},
        criterion=above(0.1),
    ),
    *(
        _differences(
            id=id,
            kind="follow-up", direction="weakens",
            statement=f"On CIFAR-10, simple gradients of {words} network (by more than 0.1 of the top k).",
            **said,
            unit="of the top k",
            where={"comparison": "defended minus standard", "method": "gradient", "attack": "top-k", **CIFAR, "defense": defense},
            needs=({"defense": (defense, "none")},),
            criterion=above(0.1),
        )
        for id, words, defense, said in (
            ("R-adversarial", "an adversarially trained network are more robust to the top-k attack than those of the standard",
             "adversarial", cited("secondary source", f"{REVIEW}, stated without a number; {LIMIT}")),
            ("R-softplus", "a softplus network (β = 2) are more robust to the top-k attack than those of the ReLU",
             "softplus 2", cited("from memory", f"{DOMBROWSKI}, stated without a number; {LIMIT}")),
        )
    ),
)  # fmt: skip
