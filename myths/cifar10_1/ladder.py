"""Evidence 2: new models, from weak to strong, trained on CIFAR-10 and evaluated on new test sets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from jaxtyping import Float, Int64

from myths.cifar10_1.recipe import Method, Recipe, Solver
from myths.lab.data.layout import numbered
from myths.lab.errors import UsageError
from myths.lab.myth import Profile
from myths.lab.setting import Count, DatasetName, Items, Range, Seed, TrainExamples
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.lab.vision.classifier import EMBEDDED, TrainClassifier

if TYPE_CHECKING:
    from torch import Tensor

    from myths.lab.data.images import ImageSet

NEW_TEST_SETS = ("cifar10_1_v4", "cifar10_1_v6", "cifar10_tiny_imagenet")
OPTIONAL = {
    "cifar10_1_v4": "the CIFAR-10.1 v4 images are not here: myths data get cifar10_1_v4",
    "cifar10_1_v6": "the CIFAR-10.1 v6 images are not here: myths data get cifar10_1_v6",
    "cifar10_tiny_imagenet": "the set cifar10_tiny_imagenet, made from Tiny ImageNet, is not here",
}


@dataclass(frozen=True, kw_only=True)
class FitClassical(Trial):
    """Fit a classifier that is no deep network; what it regularizes with is chosen on held-out training examples.

    "random features" is the family of the least_faithful models in Recht et al.'s table (Coates & Ng 2012).
    """

    method: Method
    """Kind of classifier."""
    dataset: DatasetName = "cifar10"
    train_examples: TrainExamples = 0
    """How many training examples, the first of a seeded shuffle; 0 is all of them."""
    filters: Annotated[int, Range(at_least=0)] = 0
    """Number of random patches; of "random features" only, which needs 1 or more."""
    stride: Count = 1
    """Pixels between the places where the filters of "random features" are applied."""
    solver: Solver = "lbfgs"
    """Of "hog + linear svm" only. "newton" reaches the minimum and waits seldom for a GPU; "lbfgs" takes half the time on a CPU."""
    seed: Seed = 0

    @property
    def protocol(self) -> Protocol:
        """The paper's own random features are larger, and the other methods are not in its table."""
        return "stand-in" if self.dataset in EMBEDDED else "reduced"

    @property
    def relative_cost(self) -> float:
        """Seconds on two cores, roughly, per 50,000 examples."""
        seconds = {"nearest neighbor": 30, "linear on pixels": 10, "random features": 20, "hog + linear svm": 30}
        return seconds[self.method] * (self.train_examples or 50_000) / 50_000

    @property
    def data(self) -> tuple[str, ...]:
        """The one data set."""
        return (self.dataset,)

    def __post_init__(self) -> None:
        """Raises UsageError for random features without filters."""
        super().__post_init__()
        if self.method == "random features" and not self.filters:
            raise UsageError('filters=0 does not fit: method="random features" needs 1 or more')

    @classmethod
    def test_instance(cls) -> FitClassical:
        """Eight random features on 300 digits."""
        return cls(method="random features", dataset="digits", train_examples=300, filters=4, seed=0)

    def run(self, context: Context) -> Outcome:
        """One row, with the ``strength`` chosen; arrays: the classifier, and its ``test_scores`` [n_test, classes]."""
        from myths.cifar10_1 import classical
        from myths.lab.data.images import image_set

        images = image_set(self.dataset, context.device)
        x, y = self.training_part(context, images)
        recipe = Recipe(self.method, self.filters, self.stride, self.solver)
        arrays, strength = classical.fit(recipe, x, y, len(images.classes), context.generator("fit"))
        scores = classical.scores(self.method, arrays, x, y, len(images.classes), images.x_test)
        accuracy = 100 * float((scores.argmax(1) == images.y_test).double().mean())
        row = {"n_train": len(x), "n_test": len(scores), "test_accuracy_percent": accuracy, "strength": strength}
        return Outcome(rows=[row], arrays=arrays | {"test_scores": scores.cpu().numpy()})

    def training_part(self, context: Context, images: ImageSet) -> tuple[Tensor, Tensor]:
        """Images [n, c, h, w] and labels [n] that this trial fits to."""
        import torch

        x, y = images.training_part()
        if not self.train_examples:
            return x, y
        # The stream is this trial's own, also when another trial asks for its training part.
        order = torch.randperm(len(x), generator=Context(self).generator("subset"))
        kept = order[: self.train_examples].sort().values.to(x.device)
        return x[kept], y[kept]


Model = TrainClassifier | FitClassical


@dataclass(frozen=True, kw_only=True)
class EvaluateModel(Trial):
    """How one trained model does on a new test set, and on the original one restricted to the same classes.

    Where the new set has fewer classes than the model knows, it is evaluated twice: "7-way" the answer is the likeliest of
    the classes that occur, "10-way" the likeliest of all.
    """

    model: TrainClassifier | FitClassical
    """Trained model that is evaluated."""
    test_set: DatasetName
    """New test set, as `myths data list` names it."""

    published_arrays: ClassVar[tuple[str, ...]] = ("original_*", "new_*")

    @property
    def data(self) -> tuple[str, ...]:
        """The new test set and the set that the model was trained on."""
        return (self.test_set, self.model.dataset)

    @classmethod
    def test_instance(cls) -> EvaluateModel:
        """A classical model of digits on the digits' own test part: nothing is new, and there is no gap."""
        return cls(model=FitClassical.test_instance(), test_set="digits")

    def skip_reason(self) -> str | None:
        """The new test set where it is not here and the suite can do without."""
        from myths.lab.data import prepared

        reason = OPTIONAL.get(self.test_set)
        return reason if reason and prepared.find(self.test_set) is None else None

    def run(self, context: Context) -> Outcome:
        """A row for each number of ways: n and correct of both sets. Arrays ``original_ways`` and ``new_ways``: which images are right."""
        from myths.lab.data.images import image_set

        original, new = image_set(self.model.dataset, context.device), image_set(self.test_set, context.device)
        labels = as_numbered(new.y_test.cpu().numpy(), new.classes, original.classes)
        on_original, on_new = self._scores(context, original, new)
        present = np.unique(labels)
        shared = np.isin(original.y_test.cpu().numpy(), present)
        rows: list[dict[str, int]] = []
        arrays: dict[str, np.ndarray] = {}
        for ways in sorted({len(present), len(original.classes)}):
            allowed = present if ways == len(present) else np.arange(len(original.classes))
            right = {
                "original": answers(on_original[shared], allowed) == original.y_test.cpu().numpy()[shared],
                "new": answers(on_new, allowed) == labels,
            }
            rows.append(
                {"ways": ways, "model_seed": self.model.seed}
                | {f"{name}_n": len(r) for name, r in right.items()}
                | {f"{name}_correct": int(r.sum()) for name, r in right.items()}
            )
            arrays |= {f"{name}_{ways}": r for name, r in right.items()}
        return Outcome(rows=rows, arrays=arrays)

    def _scores(self, context: Context, original: ImageSet, new: ImageSet) -> tuple[np.ndarray, np.ndarray]:
        outcome = context.outcome(self.model)
        if isinstance(self.model, FitClassical):
            from myths.cifar10_1 import classical

            x, y = self.model.training_part(context, original)
            scored = classical.scores(self.model.method, outcome.arrays, x, y, len(original.classes), new.x_test)
            return outcome.arrays["test_scores"], scored.cpu().numpy()
        from myths.lab.vision.classifier import load_classifier
        from myths.lab.vision.training import predict

        network = load_classifier(self.model, outcome, context.device)
        precision = self.model.recipe(context.device).precision
        a, b = (predict(network, s.x_test, device=context.device, precision=precision) for s in (original, new))
        return a.numpy(), b.numpy()


@dataclass(frozen=True, kw_only=True)
class LadderOrder(Trial):
    """Whether models trained here keep their order on a new test set: one evaluation a model, all on the same images."""

    evaluations: Annotated[tuple[EvaluateModel, ...], Items(at_least=2)]
    """Evaluations of the models that are ordered, all on one test set."""

    @classmethod
    def test_instance(cls) -> LadderOrder:
        """Five classical models of digits."""
        drawn = [FitClassical(method="random features", dataset="digits", train_examples=300, filters=f) for f in (2, 4, 8)]
        fitted = [FitClassical(method="nearest neighbor", dataset="digits", train_examples=n) for n in (30, 300)]
        return cls(evaluations=tuple(EvaluateModel(model=m, test_set="digits") for m in (*drawn, *fitted)))

    def run(self, context: Context) -> Outcome:
        """A row for each number of ways: models, pairs, flips, significant flips (exact McNemar, .05, uncorrected), spearman, kendall."""
        from myths.cifar10_1 import order

        arrays = [context.outcome(e).arrays for e in self.evaluations]
        rows = []
        for ways in sorted(int(name.removeprefix("new_")) for name in arrays[0] if name.startswith("new_")):
            original, new = (np.stack([a[f"{part}_{ways}"] for a in arrays]) for part in ("original", "new"))
            compared = order.compare(original, new)
            spearman, kendall = order.correlations(original.sum(1), new.sum(1))
            rows.append(
                {
                    "ways": ways,
                    "models": len(arrays),
                    "pairs": compared.pairs,
                    "flips": compared.flips,
                    "significant": compared.significant(),
                    "spearman": spearman,
                    "kendall": kendall,
                }
            )
        return Outcome(rows=rows)


def as_numbered(labels: Int64[np.ndarray, " n"], classes: tuple[str, ...], known: tuple[str, ...]) -> Int64[np.ndarray, " n"]:
    """Labels in the numbering of ``known``, matched by the classes' names. A class that is named by a number has that number.

    Raises UsageError for a class that the model does not know.
    """
    if classes == known[: len(classes)]:
        return labels
    if numbered(classes) and not set(classes) & set(known):
        if beyond := [c for c in classes if int(c) >= len(known)]:
            raise UsageError(
                f"the new test set has a class number {beyond[0]}; the models know {len(known)} classes, 0 to {len(known) - 1}"
            )
        return np.array([int(c) for c in classes])[labels]
    if unknown := [c for c in classes if c not in known]:
        raise UsageError(f"the new test set has a class {unknown[0]!r}; the models know {', '.join(known)}")
    return np.array([known.index(c) for c in classes])[labels]


def answers(scores: Float[np.ndarray, "n classes"], allowed: Int64[np.ndarray, " ways"]) -> Int64[np.ndarray, " n"]:
    """The best-scored of the allowed classes, in the numbering of all classes."""
    return allowed[scores[:, allowed].argmax(1)]


def model_name(evaluation: EvaluateModel) -> str:
    """What a model is called in tables: its method, or its network and epochs."""
    model = evaluation.model
    if isinstance(model, FitClassical):
        return model.method
    return f"{model.network}, {model.epochs:g} {'epoch' if model.epochs == 1 else 'epochs'}"


# --- what each profile trains --------------------------------------------------------------------


def ladder(profile: Profile, seeds: int | None, data: tuple[str, ...]) -> list[Trial]:
    """The models of a profile on every new test set, and their order there. ``quick`` trains none.

    Raises UsageError when test sets are given to ``quick``.
    """
    if profile == "quick":
        if data:
            raise UsageError("quick trains no models that could be tested on your data: add --profile laptop or gpu")
        return []
    count = seeds or {"laptop": 1, "gpu": 3, "paper": 3}[profile]
    rungs = {"laptop": _laptop, "gpu": _gpu, "paper": _paper}[profile]
    listed: list[Trial] = []
    for test_set in (*NEW_TEST_SETS, *data):
        for seed in range(count):
            evaluations = tuple(EvaluateModel(model=model, test_set=test_set) for model in rungs(seed))
            listed += [*evaluations, LadderOrder(evaluations=evaluations)]
    return listed


def _classical(seed: int, *, filters: int, stride: int = 1, neighbors: int = 0, solver: Solver = "newton") -> list[Model]:
    return [
        FitClassical(method="nearest neighbor", train_examples=neighbors, seed=seed),
        FitClassical(method="linear on pixels", seed=seed),
        FitClassical(method="hog + linear svm", solver=solver, seed=seed),
        FitClassical(method="random features", filters=filters, stride=stride, seed=seed),
    ]


_FAST = TrainClassifier(network="fast", epochs=10, momentum=0.85, weight_decay=1.3e-3, label_smoothing=0.2)
"""The fast networks take a stronger regularization than the residual ones (Jordan 2024)."""


def _laptop(seed: int) -> list[Model]:
    """Settings were chosen on 5,000 images held out from the training set."""
    return [
        *_classical(seed, neighbors=20_000, filters=256, stride=2, solver="lbfgs"),
        TrainClassifier(network="small_cnn", epochs=1, augmentation="flip", seed=seed),
        TrainClassifier(network="resnet8", epochs=4, augmentation="flip", seed=seed),
        TrainClassifier(network="resnet20", epochs=3, augmentation="flip", seed=seed),
        TrainClassifier(network="small_cnn", epochs=5, learning_rate=0.05, augmentation="flip", seed=seed),
        replace(_FAST, network="fast_narrow", epochs=3, batch_size=256, learning_rate=0.4, augmentation="flip", seed=seed),
        replace(_FAST, network="fast_narrow", epochs=6, batch_size=256, learning_rate=0.4, seed=seed),
    ]


def _gpu(seed: int) -> list[Model]:
    return [
        *_classical(seed, filters=2048),
        TrainClassifier(network="small_cnn", epochs=5, batch_size=512, augmentation="flip", seed=seed),
        TrainClassifier(network="resnet8", epochs=15, batch_size=512, learning_rate=0.4, seed=seed),
        TrainClassifier(network="resnet20", epochs=15, batch_size=512, learning_rate=0.4, seed=seed),
        replace(_FAST, batch_size=1024, learning_rate=1.0, seed=seed),
        TrainClassifier(network="resnet18", epochs=16, batch_size=512, learning_rate=0.2, seed=seed),
        TrainClassifier(network="wide_resnet_16_4", epochs=20, batch_size=512, learning_rate=0.2, seed=seed),
    ]


def _paper(seed: int) -> list[Model]:
    """Families of the paper's table, with the 200 epochs of the step schedule that their authors used; still not their own code."""
    networks = ("resnet20", "resnet56", "resnet18", "wide_resnet_16_4", "wide_resnet_28_10")
    long = [TrainClassifier(network=n, epochs=200.0, schedule="step", seed=seed) for n in networks]
    return [*_classical(seed, filters=4000), *long]
