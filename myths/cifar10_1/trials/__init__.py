"""All trials of myth 3."""

from myths.cifar10_1.trials.new_models import CompareModelRanks, EvaluateModel, FitClassical
from myths.cifar10_1.trials.published import (
    ExcludeTestImages,
    PublishedAccuracy,
    PublishedHardImages,
    PublishedMeanDrop,
    PublishedRanks,
    SelectPublishedModel,
)
from myths.cifar10_1.trials.reuse import FitCandidates, ReuseTestSet
from myths.cifar10_1.trials.user_models import CompareUserModel, PredictClasses

__all__ = [
    "CompareModelRanks",
    "CompareUserModel",
    "EvaluateModel",
    "ExcludeTestImages",
    "FitCandidates",
    "FitClassical",
    "PredictClasses",
    "PublishedAccuracy",
    "PublishedHardImages",
    "PublishedMeanDrop",
    "PublishedRanks",
    "ReuseTestSet",
    "SelectPublishedModel",
]
