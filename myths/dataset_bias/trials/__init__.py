"""Trials of myth 2: dataset classification, cross-dataset evaluation, networks with linear probes, and the published tables."""

from myths.dataset_bias.trials.cross_dataset import CrossDatasetEvaluation, CrossDatasetNegatives
from myths.dataset_bias.trials.dataset_classification import ClassifyRandomParts, CountDuplicates, NameThatDataset
from myths.dataset_bias.trials.network_classifier import LinearProbe, TrainDatasetClassifier
from myths.dataset_bias.trials.published_tables import RecomputePublishedTables

__all__ = [
    "ClassifyRandomParts",
    "CountDuplicates",
    "CrossDatasetEvaluation",
    "CrossDatasetNegatives",
    "LinearProbe",
    "NameThatDataset",
    "RecomputePublishedTables",
    "TrainDatasetClassifier",
]
