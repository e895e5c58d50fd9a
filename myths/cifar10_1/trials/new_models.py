"""Trials on new models, from weak to strong: training on CIFAR-10, evaluation on new test sets, comparison of ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from jaxtyping import Float, Int64

from myths.cifar10_1.classical_config import ClassicalConfig, Method, Solver
from myths.lab.data.layout import all_numeric
from myths.lab.errors import UsageError
from myths.lab.setting import Count, DatasetName, Items, Range, Seed, TrainExamples
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.lab.vision.classifier import BUILT_IN, TrainClassifier

if TYPE_CHECKING:
    from torch import Tensor

    from myths.lab.data.images import ImageSet

OPTIONAL = {
    "cifar10_1_v4": "the CIFAR-10.1 v4 images are not on this machine: myths data get cifar10_1_v4",
    "cifar10_1_v6": "the CIFAR-10.1 v6 images are not on this machine: myths data get cifar10_1_v6",
    "cifar10_tiny_imagenet": "the dataset cifar10_tiny_imagenet, made from Tiny ImageNet, is not on this machine",
}
"""Why an evaluation is skipped, by the test set that it lacks."""


@dataclass(frozen=True, kw_only=True)
class FitClassical(Trial):
    """Fit an image classifier that is not a deep network. Its regularization is selected on held-out training examples.

    "random features" is the method of the weakest models in Recht et al.'s table (Coates & Ng 2012).
    """

    method: Method
    """Kind of classifier."""
    dataset: DatasetName = "cifar10"
    train_examples: TrainExamples = 0
    """Number of training examples, the first of a seeded shuffle; 0 uses all."""
    n_filters: Annotated[int, Range(at_least=0)] = 0
    """Number of random patches. Only "random features", which requires at least 1."""
    stride: Count = 1
    """Stride of the filters of "random features", in pixels."""
    solver: Solver = "lbfgs"
    """Solver of "hog + linear svm". "newton" reaches the minimum and suits a GPU; "lbfgs" takes half the time on a CPU."""
    seed: Seed = 0

    @property
    def protocol(self) -> Protocol:
        """Return "reduced" on real data: the paper's random features are larger, and its table has none of the other methods."""
        return "stand-in" if self.dataset in BUILT_IN else "reduced"

    @property
    def relative_cost(self) -> float:
        """Return the approximate time on two cores in seconds."""
        seconds = {"nearest neighbor": 30, "linear on pixels": 10, "random features": 20, "hog + linear svm": 30}
        return seconds[self.method] * (self.train_examples or 50_000) / 50_000

    @property
    def data(self) -> tuple[str, ...]:
        """Return the dataset."""
        return (self.dataset,)

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            UsageError: The method is "random features" and ``n_filters`` is 0.
        """
        super().__post_init__()
        if self.method == "random features" and not self.n_filters:
            raise UsageError('Invalid n_filters=0: method="random features" requires n_filters of at least 1')

    @classmethod
    def test_instance(cls) -> FitClassical:
        """Return a fit of four random patches to 300 digits."""
        return cls(method="random features", dataset="digits", train_examples=300, n_filters=4, seed=0)

    def run(self, context: Context) -> Outcome:
        """Return one row with the selected ``regularization``. Arrays: the classifier, and its ``test_scores`` [n_test, classes]."""
        from myths.cifar10_1 import classical
        from myths.lab.data.images import image_set

        images = image_set(self.dataset, context.device)
        x, y = self.training_split(context, images)
        config = ClassicalConfig(self.method, self.n_filters, self.stride, self.solver)
        arrays, regularization = classical.fit(config, x, y, len(images.classes), context.generator("fit"))
        scores = classical.scores(self.method, arrays, x, y, len(images.classes), images.x_test)
        accuracy = 100 * float((scores.argmax(1) == images.y_test).double().mean())
        row = {"n_train": len(x), "n_test": len(scores), "test_accuracy_percent": accuracy, "regularization": regularization}
        return Outcome(rows=[row], arrays=arrays | {"test_scores": scores.cpu().numpy()})

    def training_split(self, context: Context, images: ImageSet) -> tuple[Tensor, Tensor]:
        """Return the images [n, c, h, w] and labels [n] of the training examples."""
        import torch

        x, y = images.training_split()
        if not self.train_examples:
            return x, y
        # The stream belongs to this trial, also if another trial asks for the training part.
        order = torch.randperm(len(x), generator=Context(self).generator("subset"))
        kept = order[: self.train_examples].sort().values.to(x.device)
        return x[kept], y[kept]


Model = TrainClassifier | FitClassical


@dataclass(frozen=True, kw_only=True)
class EvaluateModel(Trial):
    """Evaluate a trained model on a new test set, and on the images of the original test set that have the same classes.

    If the new test set has fewer classes than the model, the trial evaluates twice: with predictions restricted to the classes that occur,
    and with predictions among all classes.
    """

    model: TrainClassifier | FitClassical
    """Trained model."""
    test_set: DatasetName
    """New test set, as named by `myths data list`."""

    published_arrays: ClassVar[tuple[str, ...]] = ("original_*", "new_*")

    @property
    def data(self) -> tuple[str, ...]:
        """Return the new test set and the dataset of the model."""
        return (self.test_set, self.model.dataset)

    @classmethod
    def test_instance(cls) -> EvaluateModel:
        """Return the evaluation of a digit classifier on its own test set, where the gap is zero."""
        return cls(model=FitClassical.test_instance(), test_set="digits")

    def skip_reason(self) -> str | None:
        """Return the reason if the new test set is optional and not available, else None."""
        from myths.lab.data import prepared

        reason = OPTIONAL.get(self.test_set)
        return reason if reason and prepared.find(self.test_set) is None else None

    def run(self, context: Context) -> Outcome:
        """Return one row per number of classes: n and correct of both test sets.

        Arrays ``original_K`` and ``new_K``: which images are classified correctly among K classes.
        """
        from myths.lab.data.images import image_set

        original, new = image_set(self.model.dataset, context.device), image_set(self.test_set, context.device)
        labels = map_labels(new.y_test.cpu().numpy(), new.classes, original.classes)
        on_original, on_new = self._scores(context, original, new)
        present = np.unique(labels)
        shared = np.isin(original.y_test.cpu().numpy(), present)
        rows: list[dict[str, int]] = []
        arrays: dict[str, np.ndarray] = {}
        for n_classes in sorted({len(present), len(original.classes)}):
            allowed = present if n_classes == len(present) else np.arange(len(original.classes))
            correct = {
                "original": restricted_predictions(on_original[shared], allowed) == original.y_test.cpu().numpy()[shared],
                "new": restricted_predictions(on_new, allowed) == labels,
            }
            rows.append(
                {"n_classes": n_classes, "model_seed": self.model.seed}
                | {f"{name}_n": len(c) for name, c in correct.items()}
                | {f"{name}_correct": int(c.sum()) for name, c in correct.items()}
            )
            arrays |= {f"{name}_{n_classes}": c for name, c in correct.items()}
        return Outcome(rows=rows, arrays=arrays)

    def _scores(self, context: Context, original: ImageSet, new: ImageSet) -> tuple[np.ndarray, np.ndarray]:
        outcome = context.outcome(self.model)
        if isinstance(self.model, FitClassical):
            from myths.cifar10_1 import classical

            x, y = self.model.training_split(context, original)
            scored = classical.scores(self.model.method, outcome.arrays, x, y, len(original.classes), new.x_test)
            return outcome.arrays["test_scores"], scored.cpu().numpy()
        from myths.lab.vision.classifier import load_classifier
        from myths.lab.vision.training import predict

        network = load_classifier(self.model, outcome, context.device)
        precision = self.model.train_config(context.device).precision
        a, b = (predict(network, s.x_test, device=context.device, precision=precision) for s in (original, new))
        return a.numpy(), b.numpy()


@dataclass(frozen=True, kw_only=True)
class CompareModelRanks(Trial):
    """Compare the ranking of models trained by this suite on the original and on a new test set."""

    evaluations: Annotated[tuple[EvaluateModel, ...], Items(at_least=2)]
    """Evaluations of the models, one per model, all on one test set."""

    @classmethod
    def test_instance(cls) -> CompareModelRanks:
        """Return a comparison of five classical models of digits."""
        random = [FitClassical(method="random features", dataset="digits", train_examples=300, n_filters=f) for f in (2, 4, 8)]
        neighbor = [FitClassical(method="nearest neighbor", dataset="digits", train_examples=n) for n in (30, 300)]
        return cls(evaluations=tuple(EvaluateModel(model=m, test_set="digits") for m in (*random, *neighbor)))

    def run(self, context: Context) -> Outcome:
        """Return one row per number of classes.

        Columns: models, pairs, rank_reversals, significant_reversals (exact McNemar test, p < .05, uncorrected), spearman, kendall.
        """
        from myths.cifar10_1 import rank_comparison

        arrays = [context.outcome(e).arrays for e in self.evaluations]
        rows = []
        for n_classes in sorted(int(name.removeprefix("new_")) for name in arrays[0] if name.startswith("new_")):
            original, new = (np.stack([a[f"{part}_{n_classes}"] for a in arrays]) for part in ("original", "new"))
            compared = rank_comparison.compare(original, new)
            spearman, kendall = rank_comparison.correlations(original.sum(1), new.sum(1))
            rows.append(
                {
                    "n_classes": n_classes,
                    "models": len(arrays),
                    "pairs": compared.pairs,
                    "rank_reversals": compared.rank_reversals,
                    "significant_reversals": compared.significant(),
                    "spearman": spearman,
                    "kendall": kendall,
                }
            )
        return Outcome(rows=rows)


def map_labels(labels: Int64[np.ndarray, " n"], classes: tuple[str, ...], model_classes: tuple[str, ...]) -> Int64[np.ndarray, " n"]:
    """Convert labels of a test set to the class numbers of a model. Classes are matched by name.

    Args:
        labels: Positions in ``classes``.
        classes: Class names of the test set. If all are numbers, each is the class number of the model.
        model_classes: Class names of the model.

    Returns:
        Positions in ``model_classes``.

    Raises:
        UsageError: The test set has a class that the model does not have.
    """
    if classes == model_classes[: len(classes)]:
        return labels
    if all_numeric(classes) and not set(classes) & set(model_classes):
        if beyond := [c for c in classes if int(c) >= len(model_classes)]:
            raise UsageError(
                f"the new test set has class number {beyond[0]}; expected 0 to {len(model_classes) - 1}, "
                f"since the models have {len(model_classes)} classes"
            )
        return np.array([int(c) for c in classes])[labels]
    if unknown := [c for c in classes if c not in model_classes]:
        raise UsageError(f"the new test set has the class {unknown[0]!r}; expected classes of the models: {', '.join(model_classes)}")
    return np.array([model_classes.index(c) for c in classes])[labels]


def restricted_predictions(scores: Float[np.ndarray, "n classes"], allowed: Int64[np.ndarray, " k"]) -> Int64[np.ndarray, " n"]:
    """Return the class with the highest score among the allowed class numbers, for each image."""
    return allowed[scores[:, allowed].argmax(1)]


def model_name(model: Model) -> str:
    """Return the name of a model in tables: its method, or its network and epochs."""
    if isinstance(model, FitClassical):
        return model.method
    return f"{model.network}, {model.epochs:g} {'epoch' if model.epochs == 1 else 'epochs'}"


def model_family(model: Model) -> str:
    """Return the family of a model: its method or its network. Networks of a family differ in training only."""
    return model.method if isinstance(model, FitClassical) else model.network
