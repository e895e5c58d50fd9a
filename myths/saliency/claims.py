"""The claims: what the paper says, the number that tests it, and the criterion, which stood here before the runs.

The paper's numbers are digitized from its figure (± 0.02, ± 1 px) or from digests of it. On CIFAR-10's 32 pixels the top 100 of 1,024
overlap at 9.8 % by chance, so that the paper's levels, of photographs of more than 200 pixels, are not asked of it: its claims are
about differences. Criteria without a source are this suite's proposals.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from myths.lab.claim import Claim, Criterion, above, at_least, at_most, below, between
from myths.saliency.estimates import enough, least, median_gap, over_networks
from myths.saliency.names import SAMPLE
from myths.saliency.networks import MAIN
from myths.saliency.own import Attack
from myths.saliency.paper_figures import shown
from myths.saliency.trials import AttackImages, Curvature, Influence, RandomizeParameters

FIGURE_3 = "Ghorbani et al. 2019, Fig. 3, digitized"
DIGEST = "a digest of Ghorbani et al. 2019"
PROPOSAL = "proposed by this suite"
LARGEST = 8.0

_VALUE = partial(over_networks, "value")
PLAIN: dict[str, Any] = {"defence": "none", "epsilon": LARGEST}
CIFAR: dict[str, Any] = {"dataset": "cifar10", "network": MAIN, **PLAIN}
TRAINED: dict[str, Any] = {"dataset": "cifar10", "network": MAIN, "defence": "none"}
PHOTOGRAPHS: dict[str, Any] = {"dataset": SAMPLE, **PLAIN}

WORDS = {
    "gradient": "the simple gradient", "integrated-gradients": "integrated gradients", "deeplift": "DeepLIFT", "smoothgrad": "SmoothGrad",
    "gradient-times-input": "gradient times input", "grad-cam": "Grad-CAM",
}  # fmt: skip
SHORT = {"gradient": "gradient", "integrated-gradients": "ig", "deeplift": "deeplift"}
LEVELS = {"gradient": 0.10, "deeplift": 0.10, "integrated-gradients": 0.30}
CONTROLS = ("Z0", "Z1")
WITH_CONTROLS = ("cifar10", "digits")
"""A run has one of them: the digits only where nothing is concluded."""


def _below_random(
    id: str,
    method: str,
    criterion: Criterion,
    *,
    against: str = "random-walk",
    epsilon: float = LARGEST,
    on: dict[str, Any] = CIFAR,
    **more: Any,
) -> Claim:
    """An attack's intersection below that of a random baseline."""
    drawn = "a random walk of which the worst iterate counts" if against == "random-walk" else "one random draw"
    small = "" if on is PHOTOGRAPHS else f" for ImageNet; that CIFAR-10 shows the same is from {DIGEST}, without numbers"
    return Claim(
        id=id,
        kind="effect",
        statement=f"A label-keeping top-k attack within {epsilon:g}/255 takes more of the top pixels of {WORDS[method]} than {drawn}"
        f"{', on photographs' if on is PHOTOGRAPHS else ''}.",
        source=f"{FIGURE_3}{small}; the limit is {PROPOSAL}",
        paper=round(shown(method, "random-walk", epsilon) - shown(method, "top-k", epsilon), 3),
        paper_checked="computed",
        unit="of the top k, random less attack",
        table="contrasts",
        where={"contrast": "attack below random", "method": method, "attack": "top-k", "against": against, **on, "epsilon": epsilon},
        trial=AttackImages,
        needs=({"attack": ("top-k", against)},),
        measure=partial(enough, _VALUE),
        criterion=criterion,
        controls=CONTROLS,
        **more,
    )


def _contrast(id: str, contrast: str, statement: str, source: str, criterion: Criterion, where: dict[str, Any], **more: Any) -> Claim:
    settings: dict[str, Any] = {"kind": "effect", "paper": None, "paper_checked": "read", "unit": "of the top k"} | more
    return Claim(
        id=id, statement=statement, source=source, table="contrasts", where={"contrast": contrast, **where}, trial=AttackImages,
        needs=(_compared(contrast, where),), measure=partial(enough, _VALUE), criterion=criterion, controls=CONTROLS, **settings,
    )  # fmt: skip


def _compared(contrast: str, where: dict[str, Any]) -> dict[str, Any]:
    """The trials that a contrast compares, by the column in which they differ."""
    method = where["method"]
    needs: dict[str, dict[str, Any]] = {
        "attack below random": {"attack": (where["attack"], where.get("against"))},
        "center shift beyond random": {"attack": (where["attack"], where.get("against"))},
        "integrated gradients above the others": {"method": (method, "gradient", "deeplift")},
        "deeplift above gradient": {"method": (method, "gradient")},
        "smoothgrad above gradient": {"method": (method, "gradient")},
        "small images": {"dataset": (where["dataset"], where.get("against"))},
        "defence": {"defence": (where["defence"], "none")},
        "locality": {},
    }
    return needs[contrast]


def _center(method: str) -> float:
    """How much further the attack moves the center than the random baseline does, in the paper, in px."""
    attack, random = (shown(method, attack, LARGEST, "center_shift_px") for attack in ("mass-center", "random-walk"))
    return round(attack - random, 1)


def _photographs(method: str) -> tuple[Claim, ...]:
    """The paper's own levels: photographs of more than 200 pixels, a network with the paper's kind of weights."""
    common: dict[str, Any] = {
        "kind": "level", "paper_checked": "computed", "unit": "of the top 1,000", "table": "attacks", "trial": AttackImages,
        "measure": partial(enough, partial(over_networks, "intersection")), "controls": CONTROLS,
    }  # fmt: skip
    name = SHORT[method]
    return (
        Claim(
            id=f"S1-{name}",
            statement=f"Within 8/255 the top-k attack leaves next to nothing of the top 1,000 pixels of {WORDS[method]} on photographs.",
            source=f"{FIGURE_3}; the limit is {PROPOSAL}",
            paper=shown(method, "top-k", LARGEST),
            criterion=at_most(LEVELS[method]),
            where=PHOTOGRAPHS | {"method": method, "attack": "top-k", "k": 1000, "protocol": "paper"},
            **common,
        ),
        *(
            Claim(
                id=f"S2-{name}-{'walk' if attack == 'random-walk' else 'draw'}",
                statement=f"Noise of ± 8/255 alone, {words}, leaves less than 30 % of the top 1,000 pixels of {WORDS[method]}.",
                source=f'{FIGURE_3}; "< 30 %" is from {DIGEST}; the authors draw walks (their utils.py); the range is {PROPOSAL}',
                paper=shown(method, "random-walk", LARGEST),
                criterion=between(0.1, 0.4),
                where=PHOTOGRAPHS | {"method": method, "attack": attack, "k": 1000, "protocol": "paper"},
                **common,
            )
            for attack, words in (("random", "in one draw"), ("random-walk", "the worst iterate of a walk"))
        ),
    )


def _sanity(method: str) -> Claim:
    """A method that does not depend on the parameters explains no network."""
    return Claim(
        id=f"P-{method}",
        kind="control",
        statement=f"Maps of {WORDS[method]} depend on the parameters: with all of them random they rank the pixels otherwise.",
        source="Adebayo et al. 2018, the test; the limit is proposed by this suite",
        paper=None,
        paper_checked="recalled",
        unit="rank correlation",
        table="sanity",
        where={"method": method, "all_layers": True, "dataset": WITH_CONTROLS},
        trial=RandomizeParameters,
        measure=partial(over_networks, "spearman"),
        criterion=at_most(0.5),
    )


CLAIMS: tuple[Claim, ...] = (
    # --- controls ---
    Claim(
        id="Z0",
        kind="control",
        statement="A budget of 0 changes no map.",
        source="a control",
        paper=1.0,
        paper_checked="computed",
        unit="of the top k, the least of all images",
        table="attacks",
        where={"epsilon": 0.0},
        trial=AttackImages,
        needs=({"epsilon": ...},),
        measure=partial(least, "least_intersection"),
        criterion=at_least(1.0),
    ),
    Claim(
        id="Z1",
        kind="control",
        statement="Every image that an attack accepts keeps its label.",
        source="Ghorbani et al. 2019, Alg. 1",
        paper=100.0,
        paper_checked="read",
        unit="% of images, the least of all attacks",
        table="attacks",
        where={"attack": ("top-k", "mass-center", "targeted", "random-walk")},
        trial=AttackImages,
        measure=partial(least, "label_kept_percent"),
        criterion=at_least(100.0),
    ),
    *(
        Claim(
            id=f"K-{SHORT[method]}",
            kind="control",
            statement=f"The attributions of {WORDS[method]} add up to what the image changes of the output (median over images).",
            source=f"{axiom}; the limit is {PROPOSAL}",
            paper=0.0,
            paper_checked="recalled",
            unit="% off",
            table="completeness",
            where={"method": method, "dataset": WITH_CONTROLS, "defence": "none"},
            trial=AttackImages,
            needs=({"attack": "mass-center"},),
            measure=median_gap,
            criterion=at_most(limit),
        )
        for method, axiom, limit in (
            ("integrated-gradients", "Sundararajan et al. 2017, completeness", 5.0),
            ("deeplift", "Shrikumar et al. 2017, summation to delta", 1.0),
        )
    ),
    *(_sanity(method) for method in WORDS),
    # --- S1, S2: attacks and noise ---
    _below_random("S1-cifar", "gradient", above(0.2), decisive=True, gives_way_to="S1-gradient"),
    _below_random("S1-cifar-draw", "gradient", above(0.2), against="random"),
    _below_random("S1-cifar-2", "gradient", above(0.2), epsilon=2.0),
    _below_random("S1-cifar-ig", "integrated-gradients", above(0.05)),
    _below_random("S1-cifar-deeplift", "deeplift", above(0.2)),
    *(
        _contrast(
            f"S1-cifar-center-{SHORT[method]}",
            "center shift beyond random",
            f"The mass-center attack moves the center of the map of {WORDS[method]} by more than the random walk does.",
            f"{FIGURE_3}: of 227 px, attack less random baseline; the limit is {PROPOSAL}",
            above(1.0),
            {"method": method, "attack": "mass-center", "against": "random-walk", **CIFAR},
            paper=_center(method),
            paper_checked="computed",
            unit="px, attack less random",
        )
        for method in SHORT
    ),
    Claim(
        id="S1-cifar-confidence",
        kind="effect",
        statement="The top-k attack on the simple gradient leaves the confidence nearly as it is (mean change).",
        source=f"Ghorbani et al. 2019, abstract, in words; the authors' notebooks print the size of the perturbation as the confidence "
        f"after; the limit is {PROPOSAL}",
        paper=None,
        paper_checked="read",
        unit="pp",
        table="attacks",
        where={"method": "gradient", "attack": "top-k", **CIFAR},
        trial=AttackImages,
        measure=partial(enough, partial(over_networks, "confidence_change_pp")),
        criterion=at_least(-10.0),
        controls=CONTROLS,
    ),
    Claim(
        id="S2-cifar",
        kind="effect",
        statement="Noise of ± 8/255 in one draw, which hardly anyone sees, changes at least half of the top pixels of the simple gradient.",
        source=f"{FIGURE_3}: 0.21 is left on ImageNet; the limit is {PROPOSAL}",
        paper=None,
        paper_checked="computed",
        unit="of the top k left",
        table="attacks",
        where={"method": "gradient", "attack": "random", **CIFAR},
        trial=AttackImages,
        measure=partial(over_networks, "intersection"),
        criterion=at_most(0.5),
        controls=("Z0",),
    ),
    *(claim for method in SHORT for claim in _photographs(method)),
    _below_random("S1-photographs-gradient", "gradient", above(0.1), on=PHOTOGRAPHS),
    _below_random("S1-photographs-ig", "integrated-gradients", above(0.035), on=PHOTOGRAPHS),
    _below_random("S1-photographs-deeplift", "deeplift", above(0.1), on=PHOTOGRAPHS),
    # --- S3: which method is the most robust ---
    _contrast(
        "S3",
        "integrated gradients above the others",
        "Integrated gradients are the hardest to attack: more of their top pixels stay than of the better of simple gradient and DeepLIFT.",
        f'{FIGURE_3}: .183 against .005 and .013; "most difficult" is from {DIGEST}',
        above(0.0),
        {"method": "integrated-gradients", "attack": "top-k", **CIFAR},
        paper=0.17,
        paper_checked="computed",
        decisive=True,
        gives_way_to="S3-photographs",
    ),
    _contrast(
        "S3-photographs",
        "integrated gradients above the others",
        "Integrated gradients are the hardest to attack on photographs, by the same number of steps against each method.",
        f'{FIGURE_3}: .183 against .005 and .013; "most difficult" is from {DIGEST}',
        above(0.0),
        {"method": "integrated-gradients", "attack": "top-k", **PHOTOGRAPHS},
        paper=0.17,
        paper_checked="computed",
    ),
    _contrast(
        "S3-logit",
        "integrated gradients above the others",
        "So they are when they explain the logit, as the other two do, and not the probability as in the authors' notebook.",
        PROPOSAL,
        above(0.0),
        {"method": "integrated-gradients of the logit", "attack": "top-k", **CIFAR},
    ),
    _contrast(
        "S3-deeplift",
        "deeplift above gradient",
        "DeepLIFT is no easier to attack than the simple gradient.",
        f"{FIGURE_3}: .013 against .005; the limit is {PROPOSAL}",
        at_least(-0.05),
        {"method": "deeplift", "attack": "top-k", **CIFAR},
        paper=0.008,
        paper_checked="computed",
    ),
    _contrast(
        "S3-smoothgrad",
        "smoothgrad above gradient",
        "SmoothGrad is harder to attack than the simple gradient.",
        PROPOSAL,
        above(0.05),
        {"method": "smoothgrad", "attack": "top-k", **CIFAR},
    ),
    # --- the same on digits: an illustration ---
    *(
        _contrast(id, contrast, f"On digits, {words}.", PROPOSAL, above(0.0), {**PLAIN, "dataset": "digits", "attack": "top-k", **where})
        for id, contrast, words, where in (
            ("S1-digits", "attack below random", "the top-k attack on the simple gradient does more than a random walk",
             {"method": "gradient", "against": "random-walk"}),
            ("S3-digits", "integrated gradients above the others", "integrated gradients are the hardest to attack",
             {"method": "integrated-gradients"}),
        )
    ),
    # --- S4: influence functions ---
    *(
        Claim(
            id=id,
            kind="effect",
            statement=statement,
            source=f"{DIGEST}, Figs. 4 and 5, Inception-v3 on two kinds of flowers; the limit is {PROPOSAL}",
            paper=paper,
            paper_checked="read",
            unit=unit,
            table="influence",
            where={"attack": attack, "epsilon": LARGEST, **TRAINED},
            trial=Influence,
            measure=partial(enough, partial(over_networks, column)),
            criterion=criterion,
        )
        for id, statement, paper, unit, attack, column, criterion in (
            ("S4", "One step of 8/255 leaves influences that hardly go along with those before.", None, "rank correlation", "attack",
             "spearman", at_most(0.6)),
            ("S4-top5", "One step of 8/255 leaves at most half of the five most helpful training examples.", 0.4, "of the top 5", "attack",
             "top5_overlap", at_most(0.5)),
            ("S4-random", "Random signs of 8/255 leave influences that go along with those before.", 0.8, "rank correlation",
             "random signs", "spearman", at_least(0.6)),
        )
    ),
    # --- S5: the cause ---
    *(
        Claim(
            id=id,
            kind="effect",
            statement=statement,
            source=f"Ghorbani et al. 2019, the linear analysis; the limit is {PROPOSAL}",
            paper=None,
            paper_checked="read",
            unit="rank correlation",
            table="curvature",
            where={"direction": direction, "epsilon": 1.0, "sharpness": sharpness, **TRAINED},
            trial=Curvature,
            measure=partial(enough, partial(over_networks, "spearman")),
            criterion=at_least(0.8),
        )
        for id, statement, direction, sharpness in (
            ("S5", "Over images, the gradient of the ReLU network changes along the attack as ε‖H·sign‖ of its softplus surrogate says.",
             "top-k attack", 0.0),
            ("S5-random", "So it does along random signs.", "random signs", 0.0),
            ("S5-softplus", "So does the gradient of the softplus network of sharpness 10.", "top-k attack", 10.0),
        )
    ),
    Claim(
        id="S5-curvature",
        kind="effect",
        statement="Softplus of small sharpness lowers the curvature: ε‖H·sign‖ over the gradient's norm, at sharpness 2 less at 30.",
        source=f"Dombrowski et al. 2019; the limit is {PROPOSAL}",
        paper=None,
        paper_checked="recalled",
        unit="at ε = 1/255",
        table="curvature_drop",
        where={"direction": "top-k attack", "epsilon": 1.0, **TRAINED},
        trial=Curvature,
        measure=_VALUE,
        criterion=below(0.0),
    ),
    # --- S6, S7 ---
    _contrast(
        "S6-64",
        "small images",
        "Maps of CIFAR-10's 32 pixels are more robust than those of photographs of 64 (another image's map counts 0).",
        f"{DIGEST}, for ImageNet's 224 pixels; the limit is {PROPOSAL}",
        above(0.0),
        {"method": "gradient", "attack": "top-k", **CIFAR, "against": "imagenette"},
        unit="of the top k, rescaled",
    ),
    Claim(
        id="S7",
        kind="effect",
        statement="The shift of the center goes along with the change that people perceive better than the other measures do.",
        source=f"{DIGEST}, App. E; it takes people who look at maps, so that no trial here measures it (the table measures has SSIM)",
        paper=None,
        paper_checked="read",
        unit="rank correlation",
        table="measures",
        where={"measure": "perceived change"},
        trial=Attack,
        needs=(),
        measure=partial(over_networks, "with_ssim"),
        criterion=above(0.0),
    ),
    # --- today ---
    _contrast(
        "T-lens",
        "locality",
        "Counting pixels that moved by one as found, fragility shrinks (LENS less intersection; another image's map counts 0).",
        f"Kamath et al. 2024, read in copies; the limit is {PROPOSAL}",
        above(0.1),
        {"method": "gradient", "attack": "top-k", **CIFAR},
        kind="today",
        unit="of the top k, rescaled",
    ),
    _contrast(
        "T-adversarial",
        "defence",
        "Simple gradients of an adversarially trained network keep more of their top pixels under the top-k attack.",
        f"a review of Kamath et al. 2024, in words; the limit is {PROPOSAL}",
        above(0.1),
        {"method": "gradient", "attack": "top-k", **CIFAR, "defence": "adversarial"},
        kind="today",
    ),
    _contrast(
        "T-softplus",
        "defence",
        "Simple gradients of a network with softplus of sharpness 2 keep more of their top pixels under the top-k attack.",
        f"Dombrowski et al. 2019, in words; the limit is {PROPOSAL}",
        above(0.1),
        {"method": "gradient", "attack": "top-k", **CIFAR, "defence": "softplus 2"},
        kind="today",
        paper_checked="recalled",
    ),
)  # fmt: skip
