"""Trials on data pruning: scores from early training, training on pruned sets, and the control that prunes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np

from myths.forgetting.pruning_order import Order, check_fractions, kept_indices, order_examples, order_name
from myths.forgetting.trials.counting import CountForgetting
from myths.forgetting.trials.training import DIGITS, PAPER_PRUNING, PAPER_TRANSFER, TrainingTrial
from myths.lab.errors import UsageError
from myths.lab.setting import Fraction, Range
from myths.lab.trial import Context, Outcome, Protocol, least_faithful

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class ScoreExamples(TrainingTrial):
    """Score the training examples after a few epochs, or at initialization, by EL2N or GraND (Paul et al. 2021)."""

    epochs: Annotated[float, Range(at_least=0)]
    """Number of epochs before scoring; 0 scores at initialization."""
    method: Literal["EL2N", "GraND"] = "EL2N"
    """Score of an example."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"score_seconds"})
    published_arrays: ClassVar[tuple[str, ...]] = ("scores",)

    @property
    def protocol(self) -> Protocol:
        """Return "reduced" on real data: Toneva et al. do not use these scores."""
        return "reduced" if super().protocol != "stand-in" else "stand-in"

    @property
    def relative_cost(self) -> float:
        """Return the cost of the epochs plus that of scoring: about a third of an epoch for EL2N, two epochs for GraND."""
        return self.cost_of_epochs(self.epochs + (2.0 if self.method == "GraND" else 0.3))

    @classmethod
    def test_instance(cls) -> ScoreExamples:
        """Return GraND scores of 100 digits after one epoch."""
        return cls(**DIGITS, epochs=1.0, train_examples=100, method="GraND")

    def run(self, context: Context) -> Outcome:
        """Return one row: n, mean_score. Array: scores, computed in evaluation mode on images without augmentation."""
        from myths.forgetting import scores
        from myths.lab.measurement.timing import Stopwatch
        from myths.lab.vision.training import predict

        examples = self.examples(context)
        network = self.initial_network(context, examples)
        if self.epochs:
            self.fit(context, network, examples.x, examples.y)
        network.to(context.device)
        with Stopwatch(context.device) as stopwatch:
            if self.method == "EL2N":
                found = scores.el2n(predict(network, examples.x, device=context.device), examples.y.cpu())
            else:
                found = scores.grand(network, examples.x, examples.y, device=context.device)
        row = {"n": len(found), "mean_score": float(found.mean()), "score_seconds": stopwatch.seconds}
        return Outcome(rows=[row], arrays={"scores": found.numpy()})


@dataclass(frozen=True, kw_only=True)
class TrainPruned(TrainingTrial):
    """Train on a pruned training set and test (Sec. 5, Figs. 5 and 6).

    Examples are pruned in the order of their scores, summed over ``score_trials``, with ties in random order. ``skipped_fraction`` examples
    at the start of the order are kept, which gives the sliding window of Fig. 5, right. Initial weights, order, augmentation and dropout
    depend on the seed only, so that runs with the same seed are paired.
    """

    score_trials: tuple[CountForgetting | ScoreExamples, ...] = ()
    """Trials whose scores order the examples."""
    pruned_fraction: Annotated[float, Range(at_least=0, below=1)] = 0.0
    """Fraction of the training examples that is pruned."""
    pruning_order: Order = "random"
    """Order in which examples are pruned."""
    skipped_fraction: Fraction = 0.0
    """Fraction at the start of the order that is kept."""
    match_updates: bool = False
    """Whether the number of epochs is increased to keep the number of updates. The paper keeps the number of epochs."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"train_seconds"})

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            UsageError: The fractions exceed the training set, or the order needs scores and ``score_trials`` is empty.
        """
        super().__post_init__()
        check_fractions(self.pruned_fraction, self.skipped_fraction)
        if self.pruning_order != "random" and not self.score_trials:
            raise UsageError(f"pruning_order={self.pruning_order!r} requires scores: set score_trials to trials that count or score")

    @property
    def protocol(self) -> Protocol:
        """Return "paper" if training, pruning and scores are the paper's."""
        transfers = self.network == PAPER_TRANSFER and self.dataset == "cifar10"
        as_scored = replace(self, network=PAPER_PRUNING["cifar10"]["network"]) if transfers else self
        training = as_scored._protocol_against(PAPER_PRUNING)
        if self.match_updates and training == "paper":
            training = "reduced"
        return least_faithful([training, *(trial.protocol for trial in self.score_trials)])

    @property
    def relative_cost(self) -> float:
        """Return the cost of training: lower with fewer examples, unless the number of updates is kept."""
        return super().relative_cost * (1.0 if self.match_updates else 1 - self.pruned_fraction)

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the columns of tables that the settings determine."""
        transfer = bool(self.score_trials) and self.network.removesuffix("_dropout") != score_network(self)
        return {
            **super().columns,
            "pruning_order": order_name(score_name(self), self.pruning_order),
            "pruned_percent": round(100 * self.pruned_fraction, 9),
            "skipped_percent": round(100 * self.skipped_fraction, 9),
            "transfer": transfer,
        }

    @classmethod
    def test_instance(cls) -> TrainPruned:
        """Return two epochs on half of 200 digits."""
        scored_by = (CountForgetting.test_instance(),)
        return cls(**DIGITS, epochs=2.0, train_examples=200, score_trials=scored_by, pruned_fraction=0.5, pruning_order="lowest first")

    def run(self, context: Context) -> Outcome:
        """Return one row: test_accuracy_percent, n_test, n_train, steps, and minimum, mean and maximum score of the pruned examples."""
        from myths.lab.vision.training import steps_per_epoch

        examples = self.examples(context)
        n = len(examples.x)
        scores = self._scores(context)
        order = order_examples(self.pruning_order, n, scores, context.generator("removal"))
        kept = kept_indices(order, self.pruned_fraction, self.skipped_fraction).to(context.device)
        network = self.initial_network(context, examples)
        steps = [steps_per_epoch(m, self.batch_size) for m in (n, len(kept))]
        epochs = self.epochs * steps[0] / steps[1] if self.match_updates else self.epochs
        done = self.fit(context, network, examples.x[kept], examples.y[kept], epochs=epochs)
        row = {
            "test_accuracy_percent": self.test_accuracy_percent(context, network, examples),
            "n_test": 0 if examples.y_test is None else len(examples.y_test),
            "n_train": len(kept),
            **self._pruned_scores(order, scores, n - len(kept)),
            "steps": done.steps,
            "train_loss": done.loss,
            "train_seconds": done.seconds,
            "diverged_at": done.diverged_at,
        }
        return Outcome(rows=[row])

    def _scores(self, context: Context) -> Tensor | None:
        """Return the sum of the scores over ``score_trials`` in double precision."""
        import torch

        if not self.score_trials:
            return None
        names = {"counts" if isinstance(trial, CountForgetting) else "scores" for trial in self.score_trials}
        if len(names) > 1:
            raise UsageError("score_trials mixes CountForgetting and ScoreExamples: use trials of one class")
        (name,) = names
        return torch.from_numpy(np.sum([context.outcome(t).arrays[name].astype(np.float64) for t in self.score_trials], axis=0))

    def _pruned_scores(self, order: Tensor, scores: Tensor | None, n_pruned: int) -> dict[str, float]:
        """Return minimum, mean and maximum score of the pruned examples, per training run."""
        if scores is None or not n_pruned:
            return {}
        first = round(self.skipped_fraction * len(order))
        values = scores[order[first : first + n_pruned]] / len(self.score_trials)
        return {"pruned_score_min": float(values.min()), "pruned_score_mean": float(values.mean()), "pruned_score_max": float(values.max())}


def score_name(trial: TrainPruned) -> str:
    """Return the score that orders the examples: "forgetting", a method with its epochs, or "" for none."""
    if not trial.score_trials:
        return ""
    first = trial.score_trials[0]
    return "forgetting" if isinstance(first, CountForgetting) else f"{first.method} after {first.epochs:g} epochs"


def score_network(trial: TrainPruned) -> str:
    """Return the network that the scores come from, or "" for none."""
    return trial.score_trials[0].network if trial.score_trials else ""


@dataclass(frozen=True, kw_only=True)
class PruneNothing(TrainingTrial):
    """Control: pruning 0 % must give bit-identical weights to training on the full set with counting (both deterministic)."""

    @classmethod
    def test_instance(cls) -> PruneNothing:
        """Return one epoch on 200 digits."""
        return cls(**DIGITS, epochs=1.0, train_examples=200)

    def run(self, context: Context) -> Outcome:
        """Return one row: number of weights, number of weights that differ, train_loss, test_accuracy_percent."""
        import torch

        from myths.forgetting.counter import ForgettingCounter
        from myths.lab.measurement.device import deterministic
        from myths.lab.vision.training import Hooks

        examples = self.examples(context)
        order = order_examples("random", len(examples.x), None, context.generator("removal"))
        kept = kept_indices(order, 0.0).to(context.device)
        with deterministic():
            plain, pruned = self.initial_network(context, examples), self.initial_network(context, examples)
            counter = ForgettingCounter(len(examples.x), context.device)
            self.fit(context, plain, examples.x, examples.y, hooks=Hooks(on_batch=counter.observe))
            done = self.fit(context, pruned, examples.x[kept], examples.y[kept])
        pairs = list(zip(plain.state_dict().values(), pruned.state_dict().values(), strict=True))
        return Outcome(
            rows=[
                {
                    "weights": sum(a.numel() for a, _ in pairs),
                    "weights_that_differ": int(sum((~torch.eq(a, b)).sum() for a, b in pairs)),
                    "train_loss": done.loss,
                    "test_accuracy_percent": self.test_accuracy_percent(context, pruned, examples),
                }
            ]
        )
