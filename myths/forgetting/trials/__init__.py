"""All trials of myth 4."""

from myths.forgetting.trials.counting import CompareCounts, CorrelateCounts, CountForgetting, CountUnforgettable
from myths.forgetting.trials.label_errors import FindLabelErrors, PredictHeldOut
from myths.forgetting.trials.pruning import PruneNothing, ScoreExamples, TrainPruned
from myths.forgetting.trials.user_examples import RankUserExamples

__all__ = [
    "CompareCounts",
    "CorrelateCounts",
    "CountForgetting",
    "CountUnforgettable",
    "FindLabelErrors",
    "PredictHeldOut",
    "PruneNothing",
    "RankUserExamples",
    "ScoreExamples",
    "TrainPruned",
]
