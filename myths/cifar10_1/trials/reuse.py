"""Trials on adaptive overfitting: how much of the accuracy drop could come from reusing one test set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jaxtyping import UInt8

from myths.lab.setting import Count, Seed
from myths.lab.trial import Context, Outcome, Protocol, Trial

if TYPE_CHECKING:
    from torch import Tensor

Strategy = Literal["best of k", "greedy ensemble"]
N_TRAIN = 20_000
"""Number of training examples that the candidates sample from."""


@dataclass(frozen=True, kw_only=True)
class FitCandidates(Trial):
    """Fit many different models to one dataset and store their predictions on the test set.

    The candidates are ridge classifiers on random-patch features. Each samples its features, its training examples and its regularization,
    as in a hyperparameter search. 1,000 candidates take seconds.
    """

    dataset: Literal["digits", "cifar10"]
    """Dataset of the candidates."""
    n_candidates: Count
    """Number of candidate models."""
    n_filters: Count = 96
    """Number of random patches that the candidates share."""
    seed: Seed

    @property
    def protocol(self) -> Protocol:
        """Return "reduced" on CIFAR-10: the candidates are weaker than published models, and the paper trains none."""
        return "stand-in" if self.dataset == "digits" else "reduced"

    @property
    def relative_cost(self) -> float:
        """Return the cost relative to 1,000 candidates on CIFAR-10."""
        return (1.0 if self.dataset == "cifar10" else 0.02) * self.n_candidates / 1000

    @property
    def data(self) -> tuple[str, ...]:
        """Return the dataset, or nothing for the built-in digits."""
        return () if self.dataset == "digits" else (self.dataset,)

    @classmethod
    def test_instance(cls) -> FitCandidates:
        """Return twenty candidates on digits."""
        return cls(dataset="digits", n_candidates=20, n_filters=8, seed=0)

    def run(self, context: Context) -> Outcome:
        """Return one row with the accuracies and the mean pairwise agreement of the candidates.

        Arrays: ``predicted`` [candidates, n] and ``labels`` [n], both uint8.
        """
        import torch

        from myths.cifar10_1.candidates import fit_many
        from myths.cifar10_1.features import RandomPatches
        from myths.lab.data.images import image_set

        images = image_set(self.dataset, context.device)
        x, y = images.training_split()
        kept = torch.randperm(len(x), generator=context.generator("subset"))[:N_TRAIN].to(context.device)
        x_train, y_train = x[kept], y[kept]
        small = x_train.shape[-1] < 32
        features = RandomPatches(x_train, self.n_filters, context.generator("patches"), stride=1 if small else 2)
        generator = context.generator("candidates")
        predicted = fit_many(features(x_train), y_train, features(images.x_test), len(images.classes), self.n_candidates, generator)
        correct = predicted == images.y_test.to(predicted.dtype)
        accuracy = 100 * correct.double().mean(1)
        row = {
            "n_train": len(x_train),
            "n_test": len(images.x_test),
            "lowest_percent": float(accuracy.min()),
            "mean_percent": float(accuracy.mean()),
            "highest_percent": float(accuracy.max()),
            "agreement_percent": 100 * _agreement(predicted, len(images.classes)),
        }
        return Outcome(rows=[row], arrays={"predicted": predicted.cpu().numpy(), "labels": images.y_test.to(torch.uint8).cpu().numpy()})


@dataclass(frozen=True, kw_only=True)
class ReuseTestSet(Trial):
    """Select models on one half of a test set and evaluate the selection on the other half, over many random splits.

    "best of k" selects the best of k candidates. "greedy ensemble" adds one candidate per query to an ensemble and keeps it if the accuracy
    on the reused half increases. The reused half of CIFAR-10 has 5,000 images; published models were selected on 10,000, where the same
    selection inflates accuracy less (by a factor of about √2). The measured optimism is therefore an overestimate.
    """

    candidates: FitCandidates
    """Models to select from."""
    strategy: Strategy
    """How the test set is reused."""
    n_splits: Count = 20
    """Number of random splits of the test set into halves."""
    seed: Seed

    @property
    def relative_cost(self) -> float:
        """Return the cost of the candidates per 20 splits; the greedy ensemble scores all images at every query."""
        return self.n_splits / 20 * self.candidates.relative_cost * (20.0 if self.strategy == "greedy ensemble" else 1.0)

    @classmethod
    def test_instance(cls) -> ReuseTestSet:
        """Return a greedy ensemble of twenty candidates over four splits."""
        return cls(candidates=FitCandidates.test_instance(), strategy="greedy ensemble", n_splits=4, seed=0)

    def run(self, context: Context) -> Outcome:
        """Return one row per number of queries k.

        reused_percent, fresh_percent and optimism_pp are means over splits; optimism_sd_pp is the standard deviation over splits.
        """
        import torch

        from myths.cifar10_1 import adaptive_overfitting

        arrays = context.outcome(self.candidates).arrays
        predicted = torch.from_numpy(arrays["predicted"]).to(context.device)
        labels = torch.from_numpy(arrays["labels"]).to(context.device)
        reused = adaptive_overfitting.random_half_splits(self.n_splits, len(labels), context.generator("halves")).to(context.device)
        orders = adaptive_overfitting.random_orders(self.n_splits, len(predicted), context.generator("orders")).to(context.device)
        if self.strategy == "best of k":
            curve = adaptive_overfitting.best_of_k(predicted == labels, reused, orders)
        else:
            curve = adaptive_overfitting.greedy_ensemble(predicted, labels, reused, orders)
        columns = zip(curve.queries, *(100 * v.double().mean(0) for v in (curve.reused, curve.fresh, curve.optimism)), strict=True)
        std = 100 * curve.optimism.double().std(0)
        return Outcome(
            rows=[
                {
                    "k": k,
                    "n_reused": len(labels) // 2,
                    "n_fresh": len(labels) - len(labels) // 2,
                    "reused_percent": float(a),
                    "fresh_percent": float(b),
                    "optimism_pp": float(optimism),
                    "optimism_sd_pp": float(sd),
                }
                for (k, a, b, optimism), sd in zip(columns, std, strict=True)
            ]
        )


def _agreement(predicted: UInt8[Tensor, "k n"], classes: int) -> float:
    """Return the fraction of images on which two different candidates predict the same class, averaged over all pairs."""
    import torch

    k = len(predicted)
    counts = torch.stack([(predicted == c).sum(0).double() for c in range(classes)])
    return float((counts * (counts - 1)).sum(0).mean() / (k * (k - 1)))
