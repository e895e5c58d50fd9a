"""Tables of the results. Errors are test errors of the last epoch in percent; intervals cover what the column's claim names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from myths.lab.storage.store import Results
from myths.lab.tables import rows_of_kind
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

if TYPE_CHECKING:
    import pandas as pd

MLP = "CIFAR-10 (published errors of an MLP)"
IMAGENET = "ImageNet (published errors)"
BOTH = "CIFAR-10 and ImageNet (published errors)"
OTHER = "CIFAR-10 (published errors of CNNs on random graphs)"


def exact(results: Results) -> pd.DataFrame:
    """Return for each identity of graphs the number of compared cases and of mismatches."""
    return results.frame(CheckIdentity, dataset=lambda trial: "random multigraphs")


def regenerated(results: Results) -> pd.DataFrame:
    """Return how many of the authors' wirings were drawn again and how many differ from the published table."""
    return results.frame(RegenerateWirings, dataset=lambda trial: MLP)


def shapes(results: Results) -> pd.DataFrame:
    """Return the mean error of groups of published wirings and the gain over the complete graph, by training seed."""
    return results.frame(CompareShapes, dataset=lambda trial: MLP)


def error_map(results: Results) -> pd.DataFrame:
    """Return the mean error of the published MLPs in cells of clustering and path length."""
    return rows_of_kind(results.frame(MapErrors, dataset=lambda trial: MLP), "cell")


def error_by_gap(results: Results) -> pd.DataFrame:
    """Return the mean error of the published MLPs of densities 0.125 to 0.15 by spectral gap, in twelve bins of equal size."""
    return rows_of_kind(results.frame(MapErrors, dataset=lambda trial: MLP), "gap")


def surfaces(results: Results) -> pd.DataFrame:
    """Return how much of the error each set of graph invariants explains, by network: R² in sample and of 10 folds, and the ceiling."""
    return results.frame(FitSurface, dataset=lambda trial: MLP if trial.network == "MLP" else IMAGENET)


def network_pairs(results: Results) -> pd.DataFrame:
    """Return the correlation of the errors of 52 wirings for each pair of five networks, and the median of the pairs."""
    return results.frame(CompareNetworks, dataset=lambda trial: BOTH)


def selection(results: Results) -> pd.DataFrame:
    """Return the apparent and the honest gain of the best wirings over the complete graph, by network and held-out training seed."""
    return results.frame(SelectBest, dataset=lambda trial: MLP if trial.network == "MLP" else IMAGENET)


def few_wirings(results: Results) -> pd.DataFrame:
    """Return the correlation of the surface of few wirings with that of all."""
    return results.frame(FitFewWirings, dataset=lambda trial: MLP)


def epochs(results: Results) -> pd.DataFrame:
    """Return the correlation of early errors with those after 100 epochs, by ImageNet network."""
    return results.frame(CompareEpochs, dataset=lambda trial: IMAGENET)


def other_collection(results: Results) -> pd.DataFrame:
    """Return the rank correlation of accuracy with each graph invariant in the collection of Nowak & Janik."""
    return results.frame(CompareOtherCollection, dataset=lambda trial: OTHER)


def held_out(results: Results) -> pd.DataFrame:
    """Return the error of 52 wirings in five networks and its prediction from other wirings."""
    return results.frame(PredictHeldOut, dataset=lambda trial: MLP if trial.network == "MLP" else IMAGENET)


def sampler(results: Results) -> pd.DataFrame:
    """Return for each dynamics how many sampled means differ from the exact ones."""
    return results.frame(CheckSampler, dataset=lambda trial: "random graphs")


def transitions(results: Results) -> pd.DataFrame:
    """Return the Potts transition of families of graphs, by seed, with the exact point where it is known."""
    return rows_of_kind(_families(results), "transition")


def magnetization(results: Results) -> pd.DataFrame:
    """Return magnetization and Binder's cumulant of families of graphs by size and temperature (J = 1, k = 1), by seed."""
    return rows_of_kind(_families(results), "curve")


def wiring_transitions(results: Results) -> pd.DataFrame:
    """Return the Potts transition (peak of the heat capacity) of published wirings of one density, with their invariants and errors."""
    return results.frame(SampleWirings, dataset=lambda trial: MLP)


def transition_errors(results: Results) -> pd.DataFrame:
    """Return the rank correlation of the error with the Potts transition, with its mean-field value and with the number of trees."""
    return results.frame(CorrelateTransitions, dataset=lambda trial: MLP)


def trained(results: Results) -> pd.DataFrame:
    """Return one row per network that this suite trained. ``pair`` numbers networks of different arms that share images and order."""
    table = results.frame(TrainWirings)
    if len(table):
        table["pair"] = table["seed"] * table["graphs"] + table["graph"]
    return table


def _families(results: Results) -> pd.DataFrame:
    return results.frame(LocateTransition, dataset=lambda trial: trial.family)


def user_graphs(results: Results) -> pd.DataFrame:
    """Return for each graph of the user its invariants and, within the range of the published wirings, the predicted error of an MLP."""
    return results.frame(Predict, dataset=lambda trial: trial.graph)
