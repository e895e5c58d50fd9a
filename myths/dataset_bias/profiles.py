"""Trials of each profile of myth 2, and of user datasets."""

from __future__ import annotations

from collections.abc import Sequence

from myths.dataset_bias import sets as sets_of
from myths.dataset_bias.published import TRANSFORMED
from myths.dataset_bias.sets import CAMERAS, SAME_CAMERA, Feature, Task, Transform
from myths.dataset_bias.trials import (
    ClassifyRandomParts,
    CountDuplicates,
    CrossDatasetEvaluation,
    CrossDatasetNegatives,
    LinearProbe,
    NameThatDataset,
    RecomputePublishedTables,
    TrainDatasetClassifier,
)
from myths.lab.myth import Profile
from myths.lab.trial import Trial
from myths.lab.vision.classifier import NetworkName

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 350, 700)
"""Training images per dataset, up to 700. The paper uses up to 1,000."""
FEW_SIZES = (1, 10, 100, 700)
NULL_FEATURES: tuple[Feature, ...] = ("hog", "gray thumbnail")
OTHERS: tuple[Feature, ...] = ("bag of HOG words", "gist", "color thumbnail", "gray thumbnail")
CORRUPTIONS: tuple[Transform, ...] = ("gray", "blur", "noise", "32 pixels", "shuffled patches")
OFFICE_SIZES = (1, 2, 4, 8, 16, 24)
"""Training images per class. The smallest class (mugs of the webcam) has 24."""
PACS_SIZES = (2, 4, 8, 16, 32)
"""Training images per class. Sketches of houses (15) and cartoons of guitars (39) have fewer images at the largest sizes."""
CAR_SIZES = (5, 10, 20, 40, 80)

SEEDS = {"quick": 3, "laptop": 10, "overnight": 10, "gpu": 10, "paper": 20}


def trials(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
    """Return the trials of a profile.

    Args:
        profile: Profile.
        seeds: Number of random splits. Default: that of the profile.
        data: Datasets to distinguish instead: user datasets, or those of ``dataset_bias``.

    Raises:
        UsageError: A dataset is given twice, alone, or has too few images.
    """
    splits = seeds or SEEDS[profile]
    if data:
        from myths.dataset_bias.source_sets import check_user_datasets

        check_user_datasets(data)
        return user_datasets(data, seeds or min(splits, 5))
    published: list[Trial] = [RecomputePublishedTables()]
    if profile == "quick":
        return [*published, *simulated_cameras(splits)]
    if profile == "overnight":
        return transformed_networks("small_cnn", min(splits, 3))
    networks = {"laptop": laptop_networks, "gpu": gpu_networks, "paper": paper_networks}[profile](splits)
    return [*published, *dataset_classification(profile, splits), *cross_dataset(splits), *networks]


def simulated_cameras(splits: int) -> list[Trial]:
    """Return the trials on simulated cameras, and their null control: one camera under five names."""
    listed: list[Trial] = []
    listed += [
        NameThatDataset(sets=CAMERAS, feature=feature, train_sizes=(1, 5, 20, 140), seed=seed)
        for feature in NULL_FEATURES
        for seed in range(splits)
    ]
    listed += null_cameras(splits)
    listed += [
        NameThatDataset(sets=CAMERAS, feature="hog", transform="common format", train_sizes=(140,), seed=seed) for seed in range(splits)
    ]
    listed += [CrossDatasetEvaluation(task="cameras", train_sizes=(1, 2, 4), seed=seed) for seed in range(splits)]
    return [*listed, CountDuplicates(sets=CAMERAS)]


def dataset_classification(profile: Profile, splits: int) -> list[Trial]:
    """Return dataset classification on the real datasets, with its controls."""
    reduced = profile != "paper"
    few = (splits + 1) // 2 if reduced else splits
    independent, every = sets_of.INDEPENDENT, sets_of.ALL
    listed: list[Trial] = [NameThatDataset(sets=independent, feature="hog", train_sizes=SIZES, seed=seed) for seed in range(splits)]
    listed += [NameThatDataset(sets=independent, feature="hog", transform="common format", seed=seed) for seed in range(few)]
    listed += [NameThatDataset(sets=independent, feature="hog", deduplicated=True, seed=seed) for seed in range(few)]
    listed += [ClassifyRandomParts(set=name, feature="hog", seed=seed) for name in independent for seed in range(splits)]
    listed += null_cameras(few)
    if profile != "gpu":  # minutes on a CPU, where a GPU gains little
        listed += leave_one_out(splits, few)
        listed += [
            NameThatDataset(sets=sets_of.GENERAL, feature=feature, transform=transform, seed=seed)
            for feature, transform in TRANSFORMED
            for seed in range(splits)
        ]
    listed += [NameThatDataset(sets=every, feature="hog", seed=seed) for seed in range(few)]
    listed += [NameThatDataset(sets=sets_of.WITH_CARS, feature="hog", subset="cars", seed=seed) for seed in range(splits)]
    sizes = FEW_SIZES if reduced else SIZES
    listed += [
        NameThatDataset(sets=independent, feature=feature, train_sizes=sizes, seed=seed)
        for feature in OTHERS
        for seed in range((few + 1) // 2 if reduced else splits)
    ]
    if not reduced:
        listed += [
            NameThatDataset(sets=independent, feature="hog", transform=transform, seed=seed)
            for transform in CORRUPTIONS
            for seed in range(splits)
        ]
    return [*listed, CountDuplicates(sets=every)]


def null_cameras(splits: int) -> list[Trial]:
    """Return the null control of naming: one simulated camera under five names."""
    return [
        NameThatDataset(sets=SAME_CAMERA, feature=feature, train_sizes=(140,), seed=seed)
        for feature in NULL_FEATURES
        for seed in range(splits)
    ]


def leave_one_out(splits: int, few: int) -> list[Trial]:
    """Return the jackknife over datasets: the photo sets in the common format, and all sets, each without one of the datasets."""
    photos = (sets_of.PHOTOS, *(sets_of.without(sets_of.PHOTOS, name) for name in sets_of.PHOTOS))
    listed: list[Trial] = [
        NameThatDataset(sets=sets, feature="hog", transform="common format", seed=seed) for sets in photos for seed in range(splits)
    ]
    rest = [sets_of.without(sets_of.INDEPENDENT, name) for name in sets_of.INDEPENDENT]
    return [*listed, *(NameThatDataset(sets=sets, feature="hog", seed=seed) for sets in rest for seed in range((few + 1) // 2))]


def cross_dataset(splits: int) -> list[Trial]:
    """Return the trials that train on one dataset and test on another."""
    crossed: tuple[tuple[Task, tuple[int, ...]], ...] = (
        ("office-caltech", OFFICE_SIZES), ("pacs", PACS_SIZES), ("cars", CAR_SIZES), ("persons", CAR_SIZES),
    )  # fmt: skip
    listed: list[Trial] = [
        CrossDatasetEvaluation(task=task, train_sizes=sizes, seed=seed) for task, sizes in crossed for seed in range(splits)
    ]
    listed += [
        CrossDatasetEvaluation(task=task, train_sizes=sizes[-1:], permuted=True, seed=seed)
        for task, sizes in crossed
        for seed in range(splits)
    ]
    listed += [
        CrossDatasetEvaluation(task="office-caltech", feature="squeezenet", train_sizes=OFFICE_SIZES[-1:], permuted=permuted, seed=seed)
        for permuted in (False, True)
        for seed in range(splits)
    ]
    return listed + [
        CrossDatasetNegatives(task=task, permuted=permuted, seed=seed)
        for task in sets_of.DETECTED
        for permuted in (False, True)
        for seed in range(splits)
    ]


def laptop_networks(splits: int) -> list[Trial]:
    """Return a small network for a CPU, with half of the splits."""
    return networks([TrainDatasetClassifier(sets=sets_of.INDEPENDENT, epochs=8, seed=seed) for seed in range((splits + 1) // 2)])


def gpu_networks(splits: int) -> list[Trial]:
    """Return a ResNet-18 at full image size with a third of the splits, and in the common format."""
    few = (splits + 2) // 3
    listed = networks([_train_resnet18("none", seed) for seed in range(few)])
    return [*listed, *(_train_resnet18("common format", seed) for seed in range(few))]


def paper_networks(splits: int) -> list[Trial]:
    """Return a ResNet-18 at full image size, with corruptions."""
    listed = networks([_train_resnet18("none", seed) for seed in range(splits)])
    few = (splits + 1) // 2
    listed += [_train_resnet18(transform, seed) for transform in ("common format", *CORRUPTIONS) for seed in range(few)]
    return [*listed, *transformed_networks("resnet18", few)]


def transformed_networks(network: NetworkName, splits: int) -> list[Trial]:
    """Return networks that classify the dataset of transformed photographs (claim T2-order-network)."""
    return [
        TrainDatasetClassifier(sets=sets_of.GENERAL, network=network, epochs=60, image_size=64, transform=transform, seed=seed)
        for seed in range(splits)
        for feature, transform in TRANSFORMED
        if feature != "hog"
    ]


def networks(classifiers: Sequence[TrainDatasetClassifier]) -> list[Trial]:
    """Return dataset classifiers and their linear probes for the objects of PACS."""
    listed: list[Trial] = list(classifiers)
    for classifier in classifiers:
        listed += [
            LinearProbe(classifier=classifier, task="pacs", features=features, seed=classifier.seed)
            for features in ("trained", "random", "pixels")
        ]
    return listed


def user_datasets(names: tuple[str, ...], splits: int) -> list[Trial]:
    """Return the comparison of some datasets: each feature, with and without the common format, with null control and near-duplicates."""
    listed: list[Trial] = [
        NameThatDataset(sets=names, feature=feature, transform=transform, train_sizes=FEW_SIZES if feature == "hog" else (700,), seed=seed)
        for transform in ("none", "common format")
        for feature in ("hog", *OTHERS)
        for seed in range(splits)
    ]
    listed += [NameThatDataset(sets=names, feature="hog", deduplicated=True, seed=seed) for seed in range(splits)]
    listed += [ClassifyRandomParts(set=name, feature="hog", parts=2, seed=seed) for name in names for seed in range(splits)]
    return [*listed, CountDuplicates(sets=names)]


def _train_resnet18(transform: Transform, seed: int) -> TrainDatasetClassifier:
    return TrainDatasetClassifier(sets=sets_of.INDEPENDENT, network="resnet18", epochs=60, image_size=64, transform=transform, seed=seed)
