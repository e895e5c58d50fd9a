"""Trials of myth 6."""

from myths.lightweight_conv.trials.kernels import ExportKernels
from myths.lightweight_conv.trials.language_models import TrainLanguageModel
from myths.lightweight_conv.trials.recall import TrainRecall
from myths.lightweight_conv.trials.speed import TimeDecoding, TimeLayer
from myths.lightweight_conv.trials.translation_models import TrainTranslationModel

__all__ = ["ExportKernels", "TimeDecoding", "TimeLayer", "TrainLanguageModel", "TrainRecall", "TrainTranslationModel"]
