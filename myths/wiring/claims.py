"""Claims of myth 10, with their measures and criteria.

W1 to W7 are recomputed from errors that the authors published. Their criteria were written when the numbers were known, so they are not
blind. W8 is measured by this suite and blind; its number of pairs was set to 32 before any of them was trained. W9 is an open question:
its criterion says from which size on a correlation would be news.
The papers state no criteria; all are proposals of this suite.
"""

from __future__ import annotations

from functools import partial

from myths.lab.claim import PROPOSAL, PROPOSED, Claim, cited
from myths.lab.criterion import above, at_least, at_most, below, between
from myths.lab.measures import mean_over_seeds, paired_difference
from myths.wiring.measures import (
    FRESH_SEED,
    better_arm,
    close_draws,
    mismatches,
    over_generators,
    over_wirings,
    reliability_beyond_shape,
    size_of_correlation,
    smallest_r2,
)
from myths.wiring.trials import (
    CheckIdentity,
    CheckSampler,
    CompareEpochs,
    CompareNetworks,
    CompareOtherCollection,
    CompareShapes,
    CorrelateTransitions,
    FitFewWirings,
    FitSurface,
    LocateTransition,
    RegenerateWirings,
    SampleWirings,
    SelectBest,
    TrainWirings,
)

RECOMPUTED = "recomputed from the authors' published errors"
YOU = f"You et al. 2020, abstract; {RECOMPUTED}"
NOWAK = "Nowak & Janik 2020, abstract; recomputed from the authors' published accuracies"
SEEN = f"{PROPOSAL} after the number was known"

_recomputed = partial(Claim, blind=False)
_of_surfaces = partial(_recomputed, table="surfaces", trial=FitSurface, repetition_unit="models")
_identity = partial(
    Claim, kind="control", table="exact", trial=CheckIdentity, unit="mismatches", measure=mismatches, criterion=at_most(0),
    repetition_unit="exact",
)  # fmt: skip

IDENTITIES = tuple(
    _identity(id=id, statement=statement, where={"identity": identity}, **cited("computed", source, 0))
    for id, identity, statement, source in (
        (
            "V1", "spin sum", "The Potts partition function is the same as a sum over spins, over clusters, and as a Tutte polynomial.",
            "Fortuin & Kasteleyn 1972",
        ),
        ("V2", "spanning trees", "T(1, 1) is the number of spanning trees that Kirchhoff's determinant gives.", "Kirchhoff 1847"),
        (
            "V3", "enumerated counts",
            "T(2, 1) counts forests, T(1, 2) connected spanning subgraphs, T(2, 2) subsets of edges, and T(2, 0) acyclic orientations.",
            "Tutte 1954; Stanley 1973",
        ),
        ("V5", "colorings", "T(1 − q, 0) gives the number of q-colorings, which is the Potts sum at v = −1.", "Tutte 1954"),
        ("V6", "limits", "At q = 1 the Potts sum is (1 + v)^|E|, and at q = 2 it is Ising's sum over cycles.", "van der Waerden 1941"),
        (
            "V7", "subset expansion",
            "Deletion and contraction computes the same coefficients as the expansion over all subsets of the edges.",
            "Tutte 1954",
        ),
        (
            "V8-duality", "duality", "T(x, y) of a planar graph is T(y, x) of its dual, and T of blocks that share a node is a product.",
            "Tutte 1954",
        ),
        (
            "V8-logit", "logit dynamics",
            "Logit dynamics keeps the Potts measure exactly if one player moves at a time, and not if all move at once.", "Blume 1993",
        ),
    )
)  # fmt: skip
"""Exact controls of the code for graphs."""

_sampler = partial(
    Claim, kind="control", table="sampler", trial=CheckSampler, unit="mismatches", measure=mismatches, repetition_unit="exact",
    **cited("computed", "exact means by enumeration, and in closed form on a tree"),
)  # fmt: skip

SAMPLING = (
    _sampler(
        id="V9-sampler", statement="The Swendsen–Wang sampler reproduces exact means of the Potts model within five standard errors.",
        where={"dynamics": "swendsen-wang"}, criterion=at_most(0), guards=(CorrelateTransitions,),
    ),
    _sampler(
        id="V9-logit",
        statement="Sampled logit dynamics in which one player moves at a time reproduces exact means of the Potts model.",
        where={"dynamics": "logit"}, criterion=at_most(0),
    ),
    _sampler(
        id="V9-simultaneous",
        statement="Sampled logit dynamics in which all players move at once does not reproduce these means: the comparison can fail.",
        where={"dynamics": "simultaneous logit"}, criterion=at_least(1),
    ),
    *(
        Claim(
            id=f"V9-lattice-{states}", kind="control", table="transitions", trial=LocateTransition,
            statement=f"Binder's cumulants of square lattices cross at the exact transition ln(1 + √{states}), within 1 %.",
            where={"family": "square lattice", "states": states}, unit="% from the exact point", criterion=between(-1, 1),
            measure=partial(mean_over_seeds, "deviation_percent"), repetition_unit="seeds",
            guards=(CorrelateTransitions,), guarded={"states": states},
            **cited("computed", "Potts 1952; Beffara & Duminil-Copin 2012", 0),
        )
        for states in (2, 3)
    ),
    *(
        Claim(
            id=f"V9-reliability-{states}", kind="control", table="wiring_transitions", trial=SampleWirings,
            statement=f"Of what varies in the Potts transition (q = {states}) beyond clustering and path length, at least 70 % is no error "
            "of the sampling.",
            where={"states": states}, unit="of the variance", criterion=at_least(0.7), measure=reliability_beyond_shape,
            repetition_unit="models", guards=(CorrelateTransitions,), guarded={"states": states}, blind=False, **PROPOSED,
        )
        for states in (2, 3, 4)
    ),
)  # fmt: skip
"""Controls of the sampler of the Potts model. Those of the lattice are no exact equalities but hold within the noise of the sampling."""

TRANSITIONS = tuple(
    _recomputed(
        id=f"W9-{states}", **cited("computed", f"{SEEN} roughly, from 160 wirings: no criterion is known"),
        statement=f"Among published wirings of one size and density (0.125 to 0.135), the transition of the Potts model (q = {states}) "
        "predicts the error beyond clustering and path length: the partial rank correlation exceeds 0.2 in absolute value.",
        table="transition_errors", where={"states": states, "number": "Potts transition"}, trial=CorrelateTransitions, unit="|partial ρ|",
        measure=partial(size_of_correlation, "partial"), criterion=above(0.2), repetition_unit="models",
    )
    for states in (2, 3, 4)
)  # fmt: skip
"""The open question."""

EPOCHS = tuple(
    _recomputed(
        id=f"W6-{network.lower()}", **cited("from memory", f"You et al. 2020 (three epochs suffice); {RECOMPUTED}"),
        statement=f"In {network} the errors of 52 wirings after 3 epochs predict those after 100 (correlation at least 0.8).",
        table="epochs", where={"network": network, "epoch": 3}, trial=CompareEpochs, unit="r", measure=partial(over_wirings, "r"),
        criterion=at_least(0.8), repetition_unit="models",
    )
    for network in ("CNN-6", "ResNet-34", "ResNet-34-sep", "ResNet-50")
)  # fmt: skip

OTHER = tuple(
    _recomputed(
        id=f"W2-other-{nodes}", **cited("computed", NOWAK),
        statement=f"In {networks} CNNs on random graphs of {nodes} nodes no graph invariant predicts the accuracy: of 15, the largest rank "
        "correlation is below 0.5. This supports the belief.",
        table="other_collection", where={"nodes": nodes, "invariant": "largest"}, trial=CompareOtherCollection, unit="largest |ρ|",
        measure=partial(over_generators, "rho"), criterion=below(0.5), repetition_unit="models",
    )
    for nodes, networks in ((30, 475), (60, 545))
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="V0",
        kind="control",
        statement="The suite's generator reproduces the authors' wirings: edges, clustering, path length and spectral gap agree with "
        "their table.",
        **cited("computed", "facebookresearch/graph2nn @b112eb6", 0),
        unit="wirings that differ",
        table="regenerated",
        trial=RegenerateWirings,
        measure=mismatches,
        criterion=at_most(0),
        repetition_unit="exact",
        guards=(TrainWirings, FitSurface, CompareShapes, CompareNetworks, SelectBest, FitFewWirings),
    ),
    *IDENTITIES,
    *SAMPLING,
    _recomputed(
        id="W1",
        statement="MLPs with wirings in the authors' sweet spot (clustering 0.10 to 0.50, path length 1.82 to 2.75) have a lower "
        "test error on CIFAR-10 than the complete graph with equally many parameters.",
        **cited("computed", f"{YOU} (33.34 % against 32.05 % for the best wiring)"),
        unit="pp",
        table="shapes",
        where={"group": "sweet spot"},
        trial=CompareShapes,
        measure=partial(mean_over_seeds, "gain_pp"),
        criterion=above(0),
        repetition_unit="seeds",
        primary=True,
    ),
    _of_surfaces(
        id="W2",
        statement="A quadratic function of clustering and path length explains at least half of the variance in error of 3,942 wirings.",
        **cited("computed", f"{YOU} ('approximately a smooth function')"),
        unit="R²",
        where={"network": "MLP", "densities": "all", "predictors": "C, L"},
        measure=partial(over_wirings, "r2"),
        criterion=at_least(0.5),
        primary=True,
    ),
    _of_surfaces(
        id="W2-ceiling",
        statement="A quadratic function of clustering and path length explains at least 75 % of the variance in error that is left when "
        "the noise of the training seeds is subtracted.",
        **cited("computed", YOU),
        unit="of the explainable variance",
        where={"network": "MLP", "densities": "all", "predictors": "C, L"},
        measure=partial(over_wirings, "of_ceiling"),
        criterion=at_least(0.75),
    ),
    *OTHER,
    _recomputed(
        id="W3",
        statement="The same 52 wirings are good in five networks: the median correlation of their errors over ten pairs is at least 0.4.",
        **cited("computed", f"{YOU} ('consistent across many different tasks and datasets')"),
        unit="r",
        table="network_pairs",
        where={"first": "median"},
        trial=CompareNetworks,
        measure=partial(over_wirings, "r"),
        criterion=at_least(0.4),
        repetition_unit="models",
    ),
    _recomputed(
        id="W3-smallest",
        statement="The same 52 wirings are good in an MLP and in ResNet-50, the pair that agrees least (correlation at least 0.4).",
        **cited("computed", f"{SEEN}; {RECOMPUTED}"),
        unit="r",
        table="network_pairs",
        where={"first": "MLP", "second": "ResNet-50"},
        trial=CompareNetworks,
        measure=partial(over_wirings, "r"),
        criterion=at_least(0.4),
        repetition_unit="models",
    ),
    _of_surfaces(
        id="W3-fit",
        statement="In each of five ImageNet networks, a quadratic function of clustering and path length predicts at least half of the "
        "variance in error of wirings that it was not fitted on.",
        **cited("computed", YOU),
        unit="R² of ten folds, smallest of five",
        where={"network": ("CNN-6", "ResNet-34", "ResNet-34-sep", "ResNet-50", "EfficientNet-B0"), "predictors": "C, L"},
        measure=partial(smallest_r2, "r2_of_folds", groups=5),
        criterion=at_least(0.5),
    ),
    _recomputed(
        id="W4",
        statement="Less than 75 % of the gain of the best of 3,942 wirings is left on the training seed that did not choose it.",
        **cited("computed", f"{SEEN}; {RECOMPUTED}"),
        unit="of the apparent gain",
        table="selection",
        where={"network": "MLP", "best": 1},
        trial=SelectBest,
        measure=partial(mean_over_seeds, "kept_fraction"),
        criterion=below(0.75),
        repetition_unit="seeds",
    ),
    _recomputed(
        id="W5",
        statement="At equal density and width (density below 0.15), ring-like wirings have an error at least 0.2 points higher than "
        "small-world ones.",
        **cited("computed", f"{SEEN}; {RECOMPUTED}"),
        unit="pp",
        table="shapes",
        where={"group": "density 0.12 to 0.15", "shape": ("ring-like", "small-world")},
        trial=CompareShapes,
        measure=partial(paired_difference, "error_percent", "shape", ("ring-like", "small-world")),
        criterion=above(0.2),
        repetition_unit="seeds",
    ),
    _recomputed(
        id="W6-wirings",
        statement="A quadratic function of clustering and path length fitted to 52 random wirings agrees with the one fitted to all 3,942 "
        "(correlation at least 0.8) in 95 % of random samples.",
        **cited("from memory", f"You et al. 2020 (52 graphs suffice); {RECOMPUTED}"),
        unit="% of draws",
        table="few_wirings",
        trial=FitFewWirings,
        measure=close_draws,
        criterion=at_least(95),
        repetition_unit="models",
    ),
    *EPOCHS,
    _of_surfaces(
        id="W7",
        statement="Between densities 0.125 and 0.15, the spectral gap alone predicts at least 90 % of the variance in error that "
        "clustering and path length together predict.",
        **cited("computed", f"{SEEN}; {RECOMPUTED}"),
        unit="of R² of ten folds",
        where={"network": "MLP", "densities": "0.125 to 0.15", "predictors": "log gap"},
        measure=partial(over_wirings, "relative"),
        criterion=at_least(0.9),
    ),
    *(
        Claim(
            id=id,
            statement=f"MLPs with ring-like wirings have a higher test error on {name} than MLPs with small-world wirings of equal density "
            "and width.",
            **PROPOSED,
            unit="pp",
            table="trained",
            where={"dataset": dataset, "arm": ("ring-like", "small-world")},
            trial=TrainWirings,
            needs=({"seed": lambda seed: seed >= FRESH_SEED},) if dataset == "cifar10" else ({},),
            measure=partial(better_arm, ("ring-like", "small-world"), first_seed=FRESH_SEED if dataset == "cifar10" else 0),
            criterion=above(0),
            repetition_unit="seeds",
            primary=dataset == "cifar10",
        )
        for id, dataset, name in (("W8", "cifar10", "CIFAR-10"), ("W8-digits", "digits", "digits"))
    ),
    *TRANSITIONS,
)
