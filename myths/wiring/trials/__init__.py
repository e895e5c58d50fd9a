"""All trials of myth 10."""

from myths.wiring.trials.exact import CheckIdentity, RegenerateWirings
from myths.wiring.trials.potts import CheckSampler, CorrelateTransitions, LocateTransition, SampleWirings
from myths.wiring.trials.recomputed import (
    CompareEpochs,
    CompareNetworks,
    CompareOtherCollection,
    CompareShapes,
    FitFewWirings,
    FitSurface,
    MapErrors,
    PredictHeldOut,
    SelectBest,
)
from myths.wiring.trials.training import TrainWirings
from myths.wiring.trials.user_graph import Predict

__all__ = [
    "CheckIdentity",
    "CheckSampler",
    "CompareEpochs",
    "CompareNetworks",
    "CompareOtherCollection",
    "CompareShapes",
    "CorrelateTransitions",
    "FitFewWirings",
    "FitSurface",
    "LocateTransition",
    "MapErrors",
    "Predict",
    "PredictHeldOut",
    "RegenerateWirings",
    "SampleWirings",
    "SelectBest",
    "TrainWirings",
]
