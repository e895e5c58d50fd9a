"""Trials on models of the user: predictions from weights, and the comparison with the published models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from myths.cifar10_1.published import PREDICTIONS, PROCEDURAL, TEST_SETS, TestSet
from myths.cifar10_1.user_networks import IMAGES, UNTRAINED
from myths.lab.data.weights import NORMALIZATION_NAMES
from myths.lab.errors import CannotStart, UsageError
from myths.lab.setting import DatasetName, Items, OneOf
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.lab.vision.classifier import RELATIVE_COST

if TYPE_CHECKING:
    from torch import Tensor

N_NORMALIZATION_IMAGES = 1000
"""Number of images of the original test set on which all normalizations are tried."""


@dataclass(frozen=True, kw_only=True)
class PredictClasses(Trial):
    """Predict the classes of the test images with a network of the user, and try the common pixel normalizations."""

    weights: DatasetName
    """Weights of the user, under the name given to `myths data add`."""
    normalization: Annotated[str, OneOf(NORMALIZATION_NAMES)] = "cifar10"
    """Pixel normalization of the network."""
    test_sets: Annotated[tuple[TestSet, ...], Items(at_least=1, distinct=True)] = ("original",)
    """Test sets whose images are on this machine."""

    @property
    def protocol(self) -> Protocol:
        """Return "paper": the images are the paper's; only the model is the user's."""
        return "stand-in" if self.weights == UNTRAINED else "paper"

    @property
    def data(self) -> tuple[str, ...]:
        """Return the weights and the datasets of the images."""
        return () if self.weights == UNTRAINED else (self.weights, *(IMAGES[name] for name in self.test_sets))

    @property
    def relative_cost(self) -> float:
        """Return the number of predictions in thousands, times a third of the training cost per image."""
        return 12 * len(self.test_sets) * RELATIVE_COST["resnet18"] / 3

    @classmethod
    def test_instance(cls) -> PredictClasses:
        """Return predictions of an untrained small network on procedural shapes."""
        return cls(weights=UNTRAINED, normalization="none")

    def run(self, context: Context) -> Outcome:
        """Return a row of ``kind`` "model" (architecture) and one row of ``kind`` "normalization" per normalization.

        A "normalization" row has normalization, n and correct; ``gained`` and ``lost`` count the images that are classified correctly only
        with it and only with the normalization of this trial. The first such row is that of this trial. Arrays: predicted classes of each
        test set, and its labels (``labels_original`` …).

        Raises:
            UsageError: The architecture is unknown, or the outputs are not finite.
        """
        from myths.cifar10_1.user_networks import load, normalized
        from myths.lab.data.images import image_set
        from myths.lab.vision.training import predict

        network, architecture = load(self.weights)
        network = network.to(context.device)

        def predicted(x: Tensor, normalization: str) -> np.ndarray:
            logits = predict(normalized(network, normalization).to(context.device), x, device=context.device, batch=500)
            if not logits.isfinite().all() and normalization == self.normalization:
                raise UsageError(f"{self.weights}: outputs are not finite with normalization={normalization}: check the weights")
            return logits.argmax(1).numpy().astype(np.uint8)

        arrays: dict[str, np.ndarray] = {}
        for test_set in self.test_sets:
            images = image_set("shapes" if self.weights == UNTRAINED else IMAGES[test_set], context.device)
            arrays[test_set] = predicted(images.x_test, self.normalization)
            arrays[f"labels_{test_set}"] = images.y_test.cpu().numpy().astype(np.uint8)
            if test_set == "original":
                first = images.x_test[:N_NORMALIZATION_IMAGES]
        rows: list[dict[str, Any]] = [{"kind": "model", "architecture": architecture}]
        labels = arrays["labels_original"][:N_NORMALIZATION_IMAGES]
        base = arrays["original"][:N_NORMALIZATION_IMAGES] == labels
        for name in (self.normalization, *(other for other in NORMALIZATION_NAMES if other != self.normalization)):
            correct = base if name == self.normalization else predicted(first, name) == labels
            changes = {"gained": int((correct & ~base).sum()), "lost": int((base & ~correct).sum())}
            rows.append({"kind": "normalization", "normalization": name, "n": len(labels), "correct": int(correct.sum()), **changes})
        return Outcome(rows=rows, arrays=arrays)


@dataclass(frozen=True, kw_only=True)
class CompareUserModel(Trial):
    """Compare a model of the user with the 30 published models, image by image."""

    predictions: DatasetName
    """Predictions of the user, under the name given to `myths data add`."""
    published: DatasetName = PREDICTIONS
    """Predictions of the published models."""
    model: PredictClasses | None = None
    """Trial that computes the predictions, if the user added weights."""

    @property
    def protocol(self) -> Protocol:
        """Return "paper": images and published models are the paper's; only one model is the user's."""
        return "stand-in" if self.published == PROCEDURAL else "paper"

    @property
    def data(self) -> tuple[str, ...]:
        """Return both sets of predictions."""
        return tuple(name for name in (self.predictions, self.published) if name != PROCEDURAL)

    @classmethod
    def test_instance(cls) -> CompareUserModel:
        """Return the comparison of one procedural model with five."""
        return cls(predictions=PROCEDURAL, published=PROCEDURAL)

    def run(self, context: Context) -> Outcome:
        """Return one row of ``kind`` "test set" per test set and one row of ``kind`` "model" per test set and published model.

        "test set": n, correct, rank and models (the user's included); permuted_correct and class_permutation, see
        ``best_class_permutation``. "model": ``only_user_correct`` and ``only_published_correct`` count the images that only one of the two
        classifies correctly; ``p_value`` is McNemar's exact test of the two counts.
        """
        from myths.cifar10_1 import published, rank_comparison
        from myths.cifar10_1.class_permutation import best_class_permutation

        user = context.outcome(self.model).arrays if self.model else user_predictions(self.predictions)
        rows: list[dict[str, Any]] = []
        test_sets: list[TestSet] = [name for name in TEST_SETS if name in user]
        for test_set in test_sets:
            theirs = published.predictions(self.published, test_set)
            if self.model:
                check_labels(user[f"labels_{test_set}"], theirs.labels, test_set)
            correct = user[test_set] == theirs.labels
            permuted_correct, permutation = best_class_permutation(user[test_set], theirs.labels)
            scores = theirs.correct.sum(1)
            rank = 1 + int((scores > correct.sum()).sum())
            rows.append(
                {"kind": "test set", "test_set": test_set, "n": len(correct), "correct": int(correct.sum())}
                | {"rank": rank, "models": len(scores) + 1, "permuted_correct": permuted_correct, "class_permutation": permutation}
            )
            p_values = rank_comparison.mcnemar(np.vstack([correct[None], theirs.correct]))[0, 1:]
            for model, other, p in zip(theirs.models, theirs.correct, p_values.tolist(), strict=True):
                rows.append(
                    {"kind": "model", "test_set": test_set, "model": model, "n": len(correct), "model_correct": int(other.sum())}
                    | {"only_user_correct": int((correct & ~other).sum()), "only_published_correct": int((other & ~correct).sum())}
                    | {"p_value": p}
                )
        return Outcome(rows=rows)


def user_predictions(name: str) -> Mapping[str, np.ndarray]:
    """Return the predicted classes of the user's model by test set; for "procedural" those of the third of the five models."""
    from myths.cifar10_1 import published
    from myths.lab.data import prepared

    if name != PROCEDURAL:
        return prepared.load(name)
    return {t: published.predictions(PROCEDURAL, t).predicted[2] for t in TEST_SETS}


def check_labels(labels: np.ndarray, published: np.ndarray, test_set: TestSet) -> None:
    """Check that the images on this machine have the published labels in the published order.

    Raises:
        CannotStart: They do not.
    """
    if not np.array_equal(labels, published):
        raise CannotStart(
            f"the {len(labels):,} labels of {IMAGES[test_set]} on this machine differ from the {len(published):,} published labels, or are "
            f"in another order: run myths data verify {IMAGES[test_set]}"
        )
