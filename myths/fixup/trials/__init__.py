"""Trials of myth 5."""

from myths.fixup.trials.training_runs import TrainFullSchedule, TrainOneEpoch
from myths.fixup.trials.translation import TrainTransformer
from myths.fixup.trials.update import MeasureUpdate

__all__ = ["MeasureUpdate", "TrainFullSchedule", "TrainOneEpoch", "TrainTransformer"]
