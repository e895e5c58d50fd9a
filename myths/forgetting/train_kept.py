"""Removing: score examples early, train on what a removal leaves, and the control that removes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np

from myths.forgetting import removal
from myths.forgetting.naming import order_name
from myths.forgetting.training import PAPER_REMOVAL, PAPER_TRANSFER, Training
from myths.forgetting.trials import DIGITS, CountForgetting
from myths.lab.errors import UsageError
from myths.lab.setting import Fraction, Range
from myths.lab.trial import Context, Outcome, Protocol, least_faithful

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class ScoreExamples(Training):
    """Score the training examples after a few epochs, by EL2N or GraND (Paul et al. 2021). No epoch at all scores at initialization."""

    epochs: Annotated[float, Range(at_least=0)]
    """Passes over the training set before the scores are taken; 0 scores at initialization."""
    method: Literal["EL2N", "GraND"] = "EL2N"
    """Score of an example."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"score_seconds"})
    published_arrays: ClassVar[tuple[str, ...]] = ("scores",)

    @property
    def protocol(self) -> Protocol:
        """Never the paper's: Toneva et al. score by counts."""
        return "reduced" if super().protocol != "stand-in" else "stand-in"

    @property
    def relative_cost(self) -> float:
        """Scoring costs about a third of an epoch by EL2N, and what two epochs do by gradients."""
        return self.work_of(self.epochs + (2.0 if self.method == "GraND" else 0.3))

    @classmethod
    def test_instance(cls) -> ScoreExamples:
        """Gradients of 100 digits after an epoch."""
        return cls(**DIGITS, epochs=1.0, train_examples=100, method="GraND")

    def run(self, context: Context) -> Outcome:
        """One row: n and the mean score. Array: scores [n]. In evaluation mode, on images that are not augmented."""
        from myths.forgetting import scores
        from myths.lab.timing import Stopwatch
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
class TrainKept(Training):
    """Train on what is left when a share of the examples is removed, and test (Sec. 5, Fig. 5 and 6).

    Examples go in the order of the scores in ``ranking``, summed over its trials, ties at random; ``skip`` is the share of
    that order that stays before the removal begins, which gives the sliding window of Fig. 5, right. Initial weights, order,
    augmentation and dropout depend on the seed alone, so that trainings of one seed are paired.
    """

    ranking: tuple[CountForgetting | ScoreExamples, ...] = ()
    """Trials whose scores order the examples."""
    removed: Annotated[float, Range(at_least=0, below=1)] = 0.0
    """Fraction of the training examples that is removed."""
    order: removal.Order = "random"
    """Order in which examples are removed."""
    skip: Fraction = 0.0
    """Fraction of that order that stays before the removal begins."""
    same_updates: bool = False
    """More epochs the fewer examples are left, so that short trainings make as many updates. The paper keeps the epochs."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"train_seconds"})

    def __post_init__(self) -> None:
        """Raises UsageError for shares that cannot be removed and an order without scores to order by."""
        super().__post_init__()
        removal.check_shares(self.removed, self.skip)
        if self.order != "random" and not self.ranking:
            raise UsageError(f"order={self.order!r} needs scores: give ranking the trials that count or score")

    @property
    def protocol(self) -> Protocol:
        """Of the paper where training, removal and ranking are."""
        transfers = self.network == PAPER_TRANSFER and self.dataset == "cifar10"
        as_ranked = replace(self, network=PAPER_REMOVAL["cifar10"]["network"]) if transfers else self
        own = as_ranked._protocol_against(PAPER_REMOVAL)
        if self.same_updates and own == "paper":
            own = "reduced"
        return least_faithful([own, *(r.protocol for r in self.ranking)])

    @property
    def relative_cost(self) -> float:
        """Less with fewer examples, unless the updates stay."""
        return super().relative_cost * (1.0 if self.same_updates else 1 - self.removed)

    @property
    def columns(self) -> Mapping[str, Any]:
        """What tables say of the trial that its settings alone decide."""
        transfer = bool(self.ranking) and self.network.removesuffix("_dropout") != counted_with(self)
        return {
            **super().columns,
            "order": order_name(ranked_by(self), self.order),
            "removed_percent": round(100 * self.removed, 9),
            "skipped_percent": round(100 * self.skip, 9),
            "transfer": transfer,
        }

    @classmethod
    def test_instance(cls) -> TrainKept:
        """Two epochs on half of 200 digits."""
        return cls(**DIGITS, epochs=2.0, train_examples=200, ranking=(CountForgetting.test_instance(),), removed=0.5, order="lowest first")

    def run(self, context: Context) -> Outcome:
        """One row: test_accuracy_percent, n_test, n_train, the counts at which removal began and ended, steps."""
        from myths.lab.vision.training import steps_per_epoch

        examples = self.examples(context)
        n = len(examples.x)
        scores = self._scores(context)
        order = removal.removal_order(self.order, n, scores, context.generator("removal"))
        kept = removal.kept(order, self.removed, self.skip).to(context.device)
        network = self.initial_network(context, examples)
        steps = [steps_per_epoch(m, self.batch_size) for m in (n, len(kept))]
        epochs = self.epochs * steps[0] / steps[1] if self.same_updates else self.epochs
        done = self.fit(context, network, examples.x[kept], examples.y[kept], epochs=epochs)
        row = {
            "test_accuracy_percent": self.accuracy_percent(context, network, examples),
            "n_test": 0 if examples.y_test is None else len(examples.y_test),
            "n_train": len(kept),
            **self._span(order, scores, n - len(kept)),
            "steps": done.steps,
            "train_loss": done.loss,
            "train_seconds": done.seconds,
            "diverged_at": done.diverged_at,
        }
        return Outcome(rows=[row])

    def _scores(self, context: Context) -> Tensor | None:
        """The sum over the trials of the ranking, in double precision."""
        import torch

        if not self.ranking:
            return None
        names = {"counts" if isinstance(trial, CountForgetting) else "scores" for trial in self.ranking}
        if len(names) > 1:
            raise UsageError("a ranking is by counts or by scores, not by both")
        (name,) = names
        return torch.from_numpy(np.sum([context.outcome(t).arrays[name].astype(np.float64) for t in self.ranking], axis=0))

    def _span(self, order: Tensor, scores: Tensor | None, gone: int) -> dict[str, float]:
        """Lowest, mean and highest score of what was removed, a training."""
        if scores is None or not gone:
            return {}
        first = round(self.skip * len(order))
        values = scores[order[first : first + gone]] / len(self.ranking)
        return {"removed_lowest": float(values.min()), "removed_mean": float(values.mean()), "removed_highest": float(values.max())}


def ranked_by(trial: TrainKept) -> str:
    """What the removal goes by: "forgetting", a method of scoring with its epochs, or nothing."""
    if not trial.ranking:
        return ""
    first = trial.ranking[0]
    return "forgetting" if isinstance(first, CountForgetting) else f"{first.method} after {first.epochs:g} epochs"


def counted_with(trial: TrainKept) -> str:
    """The network whose counts or scores the removal goes by."""
    return trial.ranking[0].network if trial.ranking else ""


@dataclass(frozen=True, kw_only=True)
class RemoveNothing(Training):
    """A control: a removal of nothing beside plain training that counts, both deterministic. The weights must be the same bits."""

    @classmethod
    def test_instance(cls) -> RemoveNothing:
        """An epoch of 200 digits, twice."""
        return cls(**DIGITS, epochs=1.0, train_examples=200)

    def run(self, context: Context) -> Outcome:
        """One row: how many weights there are, how many differ, and the accuracy."""
        import torch

        from myths.forgetting.counting import ForgettingCounter
        from myths.lab.device import deterministic

        examples = self.examples(context)
        order = removal.removal_order("random", len(examples.x), None, context.generator("removal"))
        kept = removal.kept(order, 0.0).to(context.device)
        with deterministic():
            plain, through = self.initial_network(context, examples), self.initial_network(context, examples)
            counter = ForgettingCounter(len(examples.x), context.device)
            self.fit(context, plain, examples.x, examples.y, on_batch=counter.observe)
            done = self.fit(context, through, examples.x[kept], examples.y[kept])
        pairs = list(zip(plain.state_dict().values(), through.state_dict().values(), strict=True))
        return Outcome(
            rows=[
                {
                    "weights": sum(a.numel() for a, _ in pairs),
                    "weights_that_differ": int(sum((~torch.eq(a, b)).sum() for a, b in pairs)),
                    "train_loss": done.loss,
                    "test_accuracy_percent": self.accuracy_percent(context, through, examples),
                }
            ]
        )
