"""Likely label errors: predict each example by a network that was trained without it, and compare with its label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np

from myths.forgetting.labeled import class_names, file_names
from myths.forgetting.training import Training, dataset_name
from myths.forgetting.trials import DIGITS
from myths.lab.errors import UsageError
from myths.lab.setting import Fraction, Items, Range
from myths.lab.trial import Context, Outcome, Trial


@dataclass(frozen=True, kw_only=True)
class PredictHeldOut(Training):
    """Train on all folds of the training set but one, and predict that one.

    Folds have equal shares of every class. They depend on the seed alone, as does the initialization, so that the trials of all folds
    belong together. ``train_examples`` limits the set before it is divided.
    """

    fold: Annotated[int, Range(at_least=0)] = 0
    """Fold that is predicted, from 0."""
    folds: Annotated[int, Range(at_least=2)] = 5
    """Number of folds."""
    label_noise: Fraction = 0.0
    """Fraction of labels that are flipped to another class, to see whether they are found."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"train_seconds"})

    def __post_init__(self) -> None:
        """Raise UsageError for a fold that does not exist."""
        super().__post_init__()
        if self.fold >= self.folds:
            raise UsageError(f"fold={self.fold} does not exist: with folds={self.folds} they are 0 to {self.folds - 1}")

    @property
    def relative_cost(self) -> float:
        """Images seen, in thousands, times what one costs with this network."""
        return self.work_of(self.epochs) * (self.folds - 1) / self.folds

    @classmethod
    def test_instance(cls) -> PredictHeldOut:
        """Three epochs of two thirds of 240 digits, a tenth with wrong labels."""
        return cls(**DIGITS, epochs=3.0, train_examples=240, folds=3, label_noise=0.1)

    def run(self, context: Context) -> Outcome:
        """One row: n_train, n, accuracy_percent (of the given labels). Arrays of the fold: index, logits, label, and flipped.

        Raises UsageError for a set of fewer examples than twice the folds.
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
        held_out = torch.from_numpy(folds_of(y.cpu().numpy(), self.folds, context.rng("folds")) == self.fold)
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
    """List the examples whose labels are likely wrong, as networks say that were trained without them (Northcutt et al. 2021)."""

    held_out: Annotated[tuple[PredictHeldOut, ...], Items(at_least=2, distinct=True)]
    """Predictions of all folds."""

    @property
    def data(self) -> tuple[str, ...]:
        """For the names of the files."""
        return self.held_out[0].data

    @property
    def columns(self) -> Mapping[str, Any]:
        """What tables say of the trial that its settings alone decide."""
        return {**super().columns, "dataset": dataset_name(self.held_out[0]), "network": self.held_out[0].network}

    def __post_init__(self) -> None:
        """Raise UsageError unless each fold of one division is there once."""
        super().__post_init__()
        first = self.held_out[0]
        if self.held_out != (expected := every_fold(replace(first, fold=0))):
            raise UsageError(
                f"held_out has {len(self.held_out)} folds; expected the folds 0 to {len(expected) - 1} of one division, in order"
            )

    @classmethod
    def test_instance(cls) -> FindLabelErrors:
        """Three folds of digits."""
        return cls(held_out=every_fold(PredictHeldOut.test_instance()))

    def run(self, context: Context) -> Outcome:
        """Rows of ``kind`` "summary" (n, listed, accuracy_percent, temperature, diverged) and "error", the likeliest error first.

        An "error" has index, file, label, predicted, label_probability (that of the given label), confidence (that of the predicted class)
        and rank. With flipped labels, ``flipped`` tells whether the label is one, and the summary has their number. Probabilities are
        the softmax of the logits at the one temperature that suits all folds. If a training run diverged, nothing is listed.
        """
        from scipy import special

        from myths.forgetting.confident import suspects, temperature

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
        found = suspects(probabilities, labels)
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


def every_fold(first: PredictHeldOut) -> tuple[PredictHeldOut, ...]:
    """Return the trials of all folds."""
    return tuple(replace(first, fold=fold) for fold in range(first.folds))


def folds_of(labels: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Return the fold of each example: random, with equal shares of every class (each class and the whole differ by one at most)."""
    fold = np.empty(len(labels), dtype=np.int64)
    fold[np.lexsort((rng.random(len(labels)), labels))] = np.arange(len(labels)) % folds
    return fold
