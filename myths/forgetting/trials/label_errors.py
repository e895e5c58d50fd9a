"""Trials that find likely label errors: predict each example with a network trained without it, and compare with its label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np

from myths.forgetting.trials.training import DIGITS, TrainingTrial, dataset_name
from myths.forgetting.user_images import class_names, file_names
from myths.lab.errors import UsageError
from myths.lab.setting import Fraction, Items, Range
from myths.lab.trial import Context, Outcome, Trial


@dataclass(frozen=True, kw_only=True)
class PredictHeldOut(TrainingTrial):
    """Train on all folds of the training set except one, and predict that fold.

    The folds are stratified by class. They and the initial weights depend on the seed only, so that the trials of all folds belong
    together. ``train_examples`` limits the dataset before it is split.
    """

    fold: Annotated[int, Range(at_least=0)] = 0
    """Fold that is predicted, from 0."""
    folds: Annotated[int, Range(at_least=2)] = 5
    """Number of folds."""
    label_noise: Fraction = 0.0
    """Fraction of labels that are flipped to another class, to test whether they are found."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"train_seconds"})

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            UsageError: The fold does not exist.
        """
        super().__post_init__()
        if self.fold >= self.folds:
            raise UsageError(f"fold={self.fold} does not exist: expected 0 to {self.folds - 1} with folds={self.folds}")

    @property
    def relative_cost(self) -> float:
        """Return the number of training images in thousands, times the cost of the network per image."""
        return self.cost_of_epochs(self.epochs) * (self.folds - 1) / self.folds

    @classmethod
    def test_instance(cls) -> PredictHeldOut:
        """Return three epochs on two thirds of 240 digits with 10 % flipped labels."""
        return cls(**DIGITS, epochs=3.0, train_examples=240, folds=3, label_noise=0.1)

    def run(self, context: Context) -> Outcome:
        """Return one row: n_train, n, accuracy_percent (of the given labels). Arrays of the fold: index, logits, label, flipped.

        Raises:
            UsageError: The dataset has fewer than two examples per fold.
        """
        import torch

        from myths.forgetting.noise import flip_labels
        from myths.lab.vision.training import accuracy, predict

        examples = self.examples(context)
        x, y = examples.x, examples.y
        if len(x) < 2 * self.folds:
            raise UsageError(f"{self.dataset} has {len(x)} training examples: folds={self.folds} needs {2 * self.folds} or more")
        flipped = torch.zeros(len(y), dtype=torch.bool)
        if self.label_noise:
            y, flipped = flip_labels(y, self.label_noise, examples.classes, context.generator("label noise"))
        held_out = torch.from_numpy(stratified_folds(y.cpu().numpy(), self.folds, context.rng("folds")) == self.fold)
        kept = (~held_out).to(x.device)
        network = self.initial_network(context, replace(examples, x=x[kept], y=y[kept]))
        done = self.fit(context, network, x[kept], y[kept])
        logits = predict(network, x[~kept], device=context.device, precision=self.train_config(context.device, self.epochs).precision)
        labels = y[~kept].cpu()
        row = {
            "n_train": int(kept.sum()),
            "n": len(labels),
            "accuracy_percent": 100 * accuracy(logits, labels),
            "train_seconds": done.seconds,
            "diverged_at": done.diverged_at,
        }
        arrays = {"index": held_out.nonzero().squeeze(1), "logits": logits, "label": labels, "flipped": flipped.cpu()[held_out]}
        return Outcome(rows=[row], arrays={name: values.numpy() for name, values in arrays.items()})


@dataclass(frozen=True, kw_only=True)
class FindLabelErrors(Trial):
    """List likely label errors by confident learning from held-out predictions (Northcutt et al. 2021)."""

    held_out: Annotated[tuple[PredictHeldOut, ...], Items(at_least=2, distinct=True)]
    """Predictions of all folds."""

    @property
    def data(self) -> tuple[str, ...]:
        """Return the dataset, for the names of the files."""
        return self.held_out[0].data

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the columns of tables that the settings determine."""
        return {**super().columns, "dataset": dataset_name(self.held_out[0]), "network": self.held_out[0].network}

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            UsageError: ``held_out`` is not all folds of one split, in order.
        """
        super().__post_init__()
        first = self.held_out[0]
        if self.held_out != (expected := all_folds(replace(first, fold=0))):
            raise UsageError(f"held_out has {len(self.held_out)} folds; expected the folds 0 to {len(expected) - 1} of one split, in order")

    @classmethod
    def test_instance(cls) -> FindLabelErrors:
        """Return three folds of digits."""
        return cls(held_out=all_folds(PredictHeldOut.test_instance()))

    def run(self, context: Context) -> Outcome:
        """Return one row of ``kind`` "summary" and one row of ``kind`` "error" per likely error, the most likely first.

        "summary": n, listed, accuracy_percent, temperature, diverged (number of training runs), and with flipped labels their number.
        "error": rank, index, file, label, predicted, label_probability (of the given label), confidence (probability of the predicted
        class), and with flipped labels ``flipped``. Probabilities are the softmax of the logits at one temperature for all folds. If a
        training run diverged, no errors are listed.
        """
        from scipy import special

        from myths.forgetting.confident_learning import find_label_errors, temperature

        each = [context.outcome(trial) for trial in self.held_out]
        joined = {name: np.concatenate([outcome.arrays[name] for outcome in each]) for name in each[0].arrays}
        order = np.argsort(joined["index"])
        logits, labels, flipped = (joined[name][order] for name in ("logits", "label", "flipped"))
        logits = logits.astype(np.float64)
        diverged = sum(outcome.rows[0]["diverged_at"] is not None for outcome in each) or int(not np.isfinite(logits).all())
        summary: dict[str, Any] = {"kind": "summary", "n": len(labels), "listed": 0, "diverged": diverged}
        summary["accuracy_percent"] = 100 * float((logits.argmax(1) == labels).mean())
        if self.held_out[0].label_noise:
            summary["flipped_examples"] = int(flipped.sum())
        if diverged:
            return Outcome(rows=[summary])
        summary["temperature"] = temperature(logits, labels)
        probabilities = special.softmax(logits / summary["temperature"], axis=1)
        found = find_label_errors(probabilities, labels)
        listed = found.order[: found.likely_error.sum()].tolist()
        summary["listed"] = len(listed)
        dataset = self.held_out[0].dataset
        files, classes = file_names(dataset, len(labels)), class_names(dataset)
        rows = [
            {
                "kind": "error",
                "rank": rank,
                "index": i,
                "file": files[i],
                "label": classes[labels[i]],
                "predicted": classes[found.predicted[i]],
                "label_probability": float(probabilities[i, labels[i]]),
                "confidence": float(probabilities[i, found.predicted[i]]),
                **({"flipped": bool(flipped[i])} if self.held_out[0].label_noise else {}),
            }
            for rank, i in enumerate(listed, 1)
        ]
        return Outcome(rows=[summary, *rows])


def all_folds(first: PredictHeldOut) -> tuple[PredictHeldOut, ...]:
    """Return the trials of all folds."""
    return tuple(replace(first, fold=fold) for fold in range(first.folds))


def stratified_folds(labels: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Return the fold of each example, at random. Sizes of folds differ by at most one, within each class and overall."""
    fold = np.empty(len(labels), dtype=np.int64)
    fold[np.lexsort((rng.random(len(labels)), labels))] = np.arange(len(labels)) % folds
    return fold
