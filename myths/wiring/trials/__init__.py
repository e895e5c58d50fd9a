"""All trials of myth 10."""

from myths.wiring.trials.exact import CheckIdentity, RegenerateWirings
from myths.wiring.trials.recomputed import (
    CompareEpochs,
    CompareNetworks,
    CompareOtherCollection,
    CompareShapes,
    FitFewWirings,
    FitSurface,
    MapErrors,
    SelectBest,
)
from myths.wiring.trials.training import TrainWirings
from myths.wiring.trials.user_graph import Predict

__all__ = [
    "CheckIdentity",
    "CompareEpochs",
    "CompareNetworks",
    "CompareOtherCollection",
    "CompareShapes",
    "FitFewWirings",
    "FitSurface",
    "MapErrors",
    "Predict",
    "RegenerateWirings",
    "SelectBest",
    "TrainWirings",
]
