"""Trials of myth 7."""

from myths.saliency.trials.attacks import AttackImages
from myths.saliency.trials.causes import MeasureCurvature, MeasureInfluence, RandomizeParameters
from myths.saliency.trials.everyday import ChangeImages
from myths.saliency.trials.networks import EvaluatePretrained, TrainNetwork
from myths.saliency.trials.user_images import AttackUserImages

__all__ = [
    "AttackImages",
    "AttackUserImages",
    "ChangeImages",
    "EvaluatePretrained",
    "MeasureCurvature",
    "MeasureInfluence",
    "RandomizeParameters",
    "TrainNetwork",
]
