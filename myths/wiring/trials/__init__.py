"""All trials of myth 10."""

from myths.wiring.trials.exact import CheckIdentity, RegenerateWirings
from myths.wiring.trials.recomputed import (
    CompareEpochs,
    CompareNetworks,
    CompareOtherCollection,
    CompareShapes,
    FitFewWirings,
    FitSurface,
    SelectBest,
)
from myths.wiring.trials.training import TrainWirings

__all__ = [
    "CheckIdentity",
    "CompareEpochs",
    "CompareNetworks",
    "CompareOtherCollection",
    "CompareShapes",
    "FitFewWirings",
    "FitSurface",
    "RegenerateWirings",
    "SelectBest",
    "TrainWirings",
]
