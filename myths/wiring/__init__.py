"""Is the wiring of a network a matter of taste? Relational graphs (You et al. 2020) and their limits.

You, Leskovec, He and Xie trained MLPs and ImageNet networks whose layers are wired by graphs, and found that two numbers of the graph, its
clustering and its path length, predict the error. The suite repeats three things:

1. the published errors: how much two numbers explain, how much of the gain is selection, and where it holds (``trials.recomputed``,
   ``facts``, ``regression``). Nothing is trained, and the numbers were known when the criteria were written;
2. one blind prediction: networks with ring-like wirings have a higher error than networks with small-world wirings of equal density and
   width (``trials.training``, ``relational_mlp``);
3. the mathematics of graphs: Tutte polynomial and Potts model exactly (``trials.exact``, ``tutte``, ``graphs``), and sampled, with an open
   question: does the Potts transition of a wiring correlate with its error (``trials.potts``, ``potts``, ``reweighting``, ``finite_size``)?
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from myths.lab.myth import Myth, Paper
from myths.wiring import figures, tables
from myths.wiring.claims import CLAIMS
from myths.wiring.profiles import trials
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
    MapErrors,
    Predict,
    PredictHeldOut,
    RegenerateWirings,
    SampleWirings,
    SelectBest,
    TrainWirings,
)
from myths.wiring.user_summary import summarize_user_data

MYTH = Myth(
    name="wiring",
    number=10,
    belief="How a network is wired is a matter of taste and tricks: no mathematics of the graph says which wiring is better.",
    rebuttal=(
        "You et al. (2020) divide the units of each layer into groups, the nodes of a graph; an edge lets one group feed another. In 3,942 "
        "such MLPs of equal size, two numbers of the graph, clustering and path length, explain more than half of the variance in test "
        "error, and more than 80 % of what the noise of training leaves to explain. The same wirings are good in most of five networks."
    ),
    discussion=(
        "For the belief: in a second collection, 1,020 CNNs on random graphs, none of 15 graph invariants predicts which networks are "
        "best, and a function of clustering and path length does not transfer to other generators of graphs. Three random networks of the "
        "Watts–Strogatz model reach the same accuracy on ImageNet within 0.1 points (Xie et al. 2019, Fig. 1; secondary source). About "
        "half of the advertised gain of the best wiring disappears on a training seed that did not choose the wiring; with five seeds, "
        "this share is uncertain (claim W4).\n\n"
        "Much of the rest is due to width: at equal parameters, a sparse network is up to three times as wide, and random sparse wirings "
        "gain nearly as much over the complete graph as small-world ones. At equal density and width, shape matters in one respect: in "
        "the authors' errors, ring-like wirings are worse than the others below a density of 0.2 (W5). New training runs do not confirm "
        "it (W8).\n\n"
        "All comparisons with the complete graph use the same five training runs of that one graph. That thousands of wirings beat it is "
        "therefore one observation, not thousands. Equal parameters hold for the MLP only; the ImageNet networks have equal "
        "multiply-adds, and the wired ones have up to 44 % more parameters. The authors plot four pairs of networks; the pair that agrees "
        "least, MLP and ResNet-50, is not among them.\n\n"
        "Claims W1 to W7 are recomputed from published errors, and their criteria were written when the numbers were known. W8 alone is "
        "blind. Its criterion never changed, but its number of pairs did. Eight pairs (seeds 0 to 7 of cpu-laptop, table trained) have a "
        "difference of −0.37 points [−0.49, −0.25], and a run of the same seeds that was not published had −0.08 [−0.34, 0.19]. Eight "
        "more pairs were therefore trained, which have +0.22. Pairs that decide how many pairs follow make an interval over all of them "
        "too narrow, so W8 counts 32 new pairs, whose number was set before. They leave it undecided, so that the myth is open: a "
        "difference of more than 0.2 points is unlikely.\n\n"
        "The number of spanning trees, T(1, 1) of the Tutte polynomial, explains about a quarter of the error between densities 0.125 and "
        "0.135, and nothing beyond clustering and path length. Other points of the Tutte polynomial cannot be computed at 64 nodes: the "
        "problem is #P-hard nearly everywhere (Jaeger, Vertigan & Welsh 1990). Whether the temperature at which the Potts model on a "
        "wiring orders predicts the error of the network is an open question without a criterion in the literature. At one density, the "
        "two are correlated (ρ about 0.7); but this temperature depends on clustering and path length, so W9 asks what it adds to them, "
        'among wirings of one density. With the sampling of the profile "laptop", half or more of what this temperature has beyond them '
        "is error of the sampling (V9-reliability), so that W9 is inconclusive."
    ),
    papers=(
        Paper(
            "J. You, J. Leskovec, K. He, S. Xie",
            2020,
            "Graph Structure of Neural Networks",
            "ICML 2020, arXiv 2007.06559",
            "https://arxiv.org/abs/2007.06559",
        ),
        Paper(
            "A. Nowak, R. A. Janik",
            2020,
            "Discovering wiring patterns influencing neural network performance",
            "arXiv 2002.08104",
            "https://arxiv.org/abs/2002.08104",
        ),
        Paper(
            "S. Xie, A. Kirillov, R. Girshick, K. He",
            2019,
            "Exploring Randomly Wired Neural Networks for Image Recognition",
            "ICCV 2019, arXiv 1904.01569",
            "https://arxiv.org/abs/1904.01569",
        ),
    ),
    trial_types=(
        CompareShapes,
        FitSurface,
        CompareNetworks,
        SelectBest,
        FitFewWirings,
        CompareEpochs,
        CompareOtherCollection,
        MapErrors,
        PredictHeldOut,
        TrainWirings,
        RegenerateWirings,
        CheckIdentity,
        CheckSampler,
        LocateTransition,
        SampleWirings,
        CorrelateTransitions,
        Predict,
    ),
    trials=trials,
    tables={
        "shapes": tables.shapes,
        "error_map": tables.error_map,
        "error_by_gap": tables.error_by_gap,
        "surfaces": tables.surfaces,
        "network_pairs": tables.network_pairs,
        "selection": tables.selection,
        "few_wirings": tables.few_wirings,
        "epochs": tables.epochs,
        "other_collection": tables.other_collection,
        "held_out": tables.held_out,
        "sampler": tables.sampler,
        "transitions": tables.transitions,
        "magnetization": tables.magnetization,
        "wiring_transitions": tables.wiring_transitions,
        "transition_errors": tables.transition_errors,
        "trained": tables.trained,
        "regenerated": tables.regenerated,
        "exact": tables.exact,
        "user_graphs": tables.user_graphs,
    },
    claims=CLAIMS,
    figures={
        "error_map": figures.error_map,
        "error_by_gap": figures.error_by_gap,
        "error_by_shape": figures.error_by_shape,
        "explained": figures.explained,
        "selection": figures.selection,
        "held_out": figures.held_out,
        "trained": figures.trained,
        "magnetization": figures.magnetization,
        "transition_errors": figures.transition_errors,
    },
    summarize_user_data=summarize_user_data,
    better={"test_error_percent": "lower", "error_percent": "lower"},
    conditions=("network", "densities", "nodes", "epochs", "train_examples"),
    verdict_texts={
        "refuted": "Numbers of the graph predict which wiring of equal size has the lower error, also in networks trained by this suite.",
        "standing": "Numbers of the graph do not predict which wiring of equal size has the lower error.",
    },
)

if TYPE_CHECKING:
    from myths.wiring.notebook import Described, describe

__all__ = ["MYTH", "Described", "describe"]


def __getattr__(name: str) -> Any:
    """Import the function for notebooks on first use, so that listing the myths does not import torch."""
    if name in __all__:
        from myths.wiring import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
