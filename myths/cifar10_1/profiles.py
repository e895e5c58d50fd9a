"""The trials of each profile."""

from __future__ import annotations

from dataclasses import replace

from myths.cifar10_1 import user_networks
from myths.cifar10_1.classical_config import Solver
from myths.cifar10_1.published import TEST_SETS
from myths.cifar10_1.trials import (
    CompareModelRanks,
    CompareUserModel,
    EvaluateModel,
    ExcludeTestImages,
    FitCandidates,
    FitClassical,
    PredictClasses,
    PublishedAccuracy,
    PublishedHardImages,
    PublishedMeanDrop,
    PublishedRanks,
    ReuseTestSet,
    SelectPublishedModel,
)
from myths.cifar10_1.trials.new_models import Model
from myths.cifar10_1.trials.reuse import Strategy
from myths.cifar10_1.user_networks import IMAGES
from myths.lab.errors import UsageError
from myths.lab.myth import Profile, unique_trials
from myths.lab.trial import Trial
from myths.lab.vision.classifier import TrainClassifier

NEW_TEST_SETS = ("cifar10_1_v4", "cifar10_1_v6", "cifar10_tiny_imagenet")


@unique_trials
def trials(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
    """Return the trials of a profile.

    Args:
        profile: Name of the profile.
        seeds: Number of seeds. Default: that of the profile.
        data: Datasets of the user: further test sets for the new models, predictions, or weights. If all of them are predictions or
            weights, only these are compared with the published models.
    """
    user_models = [name for name in data if has_predictions(name) or has_weights(name)]
    networks = {name: predict_with(name) for name in user_models if has_weights(name)}
    compared = [CompareUserModel(predictions=name, model=networks.get(name)) for name in user_models]
    published: list[Trial] = [PublishedAccuracy(source="reference table")]
    explanations: list[Trial] = [ExcludeTestImages(reason="near-duplicate"), ExcludeTestImages(reason="label error")]
    if user_models and len(user_models) == len(data):
        return [*published, *compared]
    if profile != "quick":
        published.append(PublishedAccuracy(source="predictions"))
        for test_set in ("v4", "v6"):
            published += [kind(test_set=test_set) for kind in (PublishedMeanDrop, PublishedRanks, PublishedHardImages)]
        explanations.append(SelectPublishedModel(test_set="v4"))
    if profile == "overnight":
        return []
    test_sets = tuple(name for name in data if name not in user_models)
    return [*published, *explanations, *compared, *reuse(profile, seeds), *new_models(profile, seeds, test_sets)]


# --- models of the user ----------------------------------------------------------------------------


def has_predictions(name: str) -> bool:
    """Return whether a prepared dataset holds predictions added by `myths data add`."""
    from myths.lab.data import prepared, user_predictions

    found = prepared.find(name)
    return found is not None and found.kind == "arrays" and user_predictions.holds_predictions(tuple(prepared.load(name)))


def has_weights(name: str) -> bool:
    """Return whether a prepared dataset holds the weights of a network."""
    from myths.lab.data import prepared

    found = prepared.find(name)
    return found is not None and found.kind == "weights"


def predict_with(name: str) -> PredictClasses:
    """Return the trial that predicts with the user's weights, on all test sets whose images are on this machine.

    Raises:
        UsageError: The architecture is unknown, or takes images of another size, or predicts another number of classes.
        CannotStart: The weights cannot be read.
    """
    from myths.lab.data import prepared

    user_networks.check(name)
    normalization = dict(prepared.require(name).settings).get("normalization") or user_networks.default_normalization(name)
    new = [test_set for test_set in TEST_SETS if test_set != "original" and prepared.find(IMAGES[test_set]) is not None]
    return PredictClasses(weights=name, normalization=normalization, test_sets=("original", *new))


# --- adaptive overfitting --------------------------------------------------------------------------


def reuse(profile: Profile, seeds: int | None) -> list[Trial]:
    """Return the candidates of a profile and both strategies on each; five seeds by default."""
    if profile == "quick":
        pools = [FitCandidates(dataset="digits", n_candidates=1000, n_filters=32, seed=seed) for seed in range(seeds or 5)]
    else:
        pools = [FitCandidates(dataset="cifar10", n_candidates=1000, seed=seed) for seed in range(seeds or 5)]
    strategies: tuple[Strategy, ...] = ("best of k", "greedy ensemble")
    return [ReuseTestSet(candidates=pool, strategy=strategy, seed=pool.seed) for pool in pools for strategy in strategies]


# --- new models ------------------------------------------------------------------------------------


def new_models(profile: Profile, seeds: int | None, test_sets: tuple[str, ...]) -> list[Trial]:
    """Return the evaluations of the models of a profile on every new test set, and the comparison of their ranks.

    The profile "quick" trains no models.

    Raises:
        UsageError: ``test_sets`` names test sets of the user and the profile is "quick".
    """
    if profile == "quick":
        if test_sets:
            raise UsageError(
                f"--profile quick trains no models that could be tested on {', '.join(test_sets)}: use --profile laptop or --profile gpu"
            )
        return []
    n_seeds = seeds or {"laptop": 1, "gpu": 3, "paper": 3}[profile]
    models = {"laptop": _laptop, "gpu": _gpu, "paper": _paper}[profile]
    listed: list[Trial] = []
    for test_set in (*NEW_TEST_SETS, *test_sets):
        for seed in range(n_seeds):
            evaluations = tuple(EvaluateModel(model=model, test_set=test_set) for model in models(seed))
            trained = [each.model for each in evaluations if isinstance(each.model, TrainClassifier)]  # what G0-trained is measured on
            listed += [*trained, *evaluations, CompareModelRanks(evaluations=evaluations)]
    return listed


def _classical(seed: int, *, n_filters: int, stride: int = 1, neighbors: int = 0, solver: Solver = "newton") -> list[Model]:
    return [
        FitClassical(method="nearest neighbor", train_examples=neighbors, seed=seed),
        FitClassical(method="linear on pixels", seed=seed),
        FitClassical(method="hog + linear svm", solver=solver, seed=seed),
        FitClassical(method="random features", n_filters=n_filters, stride=stride, seed=seed),
    ]


_FAST = TrainClassifier(network="fast", epochs=10, momentum=0.85, weight_decay=1.3e-3, label_smoothing=0.2)
"""Settings of the fast networks: stronger regularization than for residual networks (Jordan 2024)."""


def _laptop(seed: int) -> list[Model]:
    """Return the models of the profile "laptop". Their settings were selected on 5,000 images held out from the training set."""
    return [
        *_classical(seed, neighbors=20_000, n_filters=256, stride=2, solver="lbfgs"),
        TrainClassifier(network="small_cnn", epochs=1, augmentation="flip", seed=seed),
        TrainClassifier(network="resnet8", epochs=4, augmentation="flip", seed=seed),
        TrainClassifier(network="resnet20", epochs=3, augmentation="flip", seed=seed),
        TrainClassifier(network="small_cnn", epochs=5, learning_rate=0.05, augmentation="flip", seed=seed),
        replace(_FAST, network="fast_narrow", epochs=3, batch_size=256, learning_rate=0.4, augmentation="flip", seed=seed),
        replace(_FAST, network="fast_narrow", epochs=6, batch_size=256, learning_rate=0.4, seed=seed),
        replace(_FAST, network="fast_narrow", epochs=15, batch_size=256, learning_rate=0.4, seed=seed),
    ]


def _gpu(seed: int) -> list[Model]:
    """Return the models of the profile "gpu": about two and a half minutes per seed on one H200-class GPU (estimated from eager steps)."""
    return [
        *_classical(seed, n_filters=2048),
        TrainClassifier(network="small_cnn", epochs=5, batch_size=512, augmentation="flip", seed=seed),
        TrainClassifier(network="resnet8", epochs=15, batch_size=512, learning_rate=0.4, seed=seed),
        TrainClassifier(network="resnet20", epochs=15, batch_size=512, learning_rate=0.4, seed=seed),
        replace(_FAST, batch_size=1024, learning_rate=1.0, seed=seed),
        TrainClassifier(network="wide_resnet_16_4", epochs=20, batch_size=512, learning_rate=0.2, seed=seed),
    ]


def _paper(seed: int) -> list[Model]:
    """Return models of the families in the paper's table, trained for 200 epochs with a step schedule. The code is not the authors'."""
    networks = ("resnet20", "resnet56", "resnet18", "wide_resnet_16_4", "wide_resnet_28_10")
    long = [TrainClassifier(network=n, epochs=200.0, schedule="step", seed=seed) for n in networks]
    return [*_classical(seed, n_filters=4000), *long]
