"""Evidence 3: how much of the drop could come from using one test set again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jaxtyping import UInt8

from myths.lab.myth import Profile
from myths.lab.setting import Count, Seed
from myths.lab.trial import Context, Outcome, Protocol, Trial

if TYPE_CHECKING:
    from torch import Tensor

Strategy = Literal["best of k", "hill climbing"]


@dataclass(frozen=True, kw_only=True)
class FitCandidates(Trial):
    """Fit many different models of one data set and keep what each answers on the test part.

    Ridge classifiers on random-patch features; each draws its features, its training examples and its regularization.
    The candidates are real models that differ as the outcomes of a hyper-parameter search do, and they are cheap: 1,000
    take seconds.
    """

    dataset: Literal["digits", "cifar10"]
    """Dataset that the candidates are fitted to and tested on."""
    candidates: Count
    """Number of candidate models."""
    filters: Count = 96
    """Random patches per candidate."""
    train_examples: Count = 20_000
    """Number of training examples that candidates draw from."""
    seed: Seed

    @property
    def protocol(self) -> Protocol:
        """Reduced: the models are weaker than the community's and the paper fits none."""
        return "stand-in" if self.dataset == "digits" else "reduced"

    @property
    def relative_cost(self) -> float:
        """Cost relative to 1,000 candidates on CIFAR-10."""
        return (1.0 if self.dataset == "cifar10" else 0.02) * self.candidates / 1000

    @property
    def data(self) -> tuple[str, ...]:
        """The data set, unless it comes with the suite."""
        return () if self.dataset == "digits" else (self.dataset,)

    @classmethod
    def test_instance(cls) -> FitCandidates:
        """Twenty candidates on digits."""
        return cls(dataset="digits", candidates=20, filters=8, seed=0)

    def run(self, context: Context) -> Outcome:
        """One row on how good and how different the candidates are; arrays ``predicted`` [candidates, n] and ``labels`` [n], uint8."""
        import torch

        from myths.cifar10_1.candidates import fit_many
        from myths.cifar10_1.features import RandomPatches
        from myths.lab.data.images import image_set

        images = image_set(self.dataset, context.device)
        x, y = images.training_part()
        kept = torch.randperm(len(x), generator=context.generator("subset"))[: self.train_examples].to(context.device)
        x_train, y_train = x[kept], y[kept]
        small = x_train.shape[-1] < 32
        features = RandomPatches(x_train, self.filters, context.generator("patches"), stride=1 if small else 2)
        generator = context.generator("candidates")
        predicted = fit_many(features(x_train), y_train, features(images.x_test), len(images.classes), self.candidates, generator)
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
    """Select on one half of a test set, look at the other half once, and compare, over many random halves.

    "best of k" reports the best of k candidates; "hill climbing" builds a committee query by query and keeps what
    helps on the reused half, so each query depends on all answers before. The reused half of CIFAR-10's test set has 5,000
    images; the community's has 10,000, on which the same selection flatters less (by about √2): the optimism found
    here overstates.
    """

    candidates: FitCandidates
    """Candidates that are selected from."""
    strategy: Strategy
    """How the test set is reused."""
    splits: Count = 20
    """Random splits of the test set into halves."""
    seed: Seed

    @property
    def relative_cost(self) -> float:
        """Climbing goes over all images once a query."""
        return self.splits / 20 * self.candidates.relative_cost * (20.0 if self.strategy == "hill climbing" else 1.0)

    @classmethod
    def test_instance(cls) -> ReuseTestSet:
        """Twenty candidates, four splits."""
        return cls(candidates=FitCandidates.test_instance(), strategy="hill climbing", splits=4, seed=0)

    def run(self, context: Context) -> Outcome:
        """A row for every k: reused_percent, fresh_percent and optimism_pp, means over splits; optimism_sd_pp over splits."""
        import torch

        from myths.cifar10_1 import adaptive_reuse

        arrays = context.outcome(self.candidates).arrays
        predicted = torch.from_numpy(arrays["predicted"]).to(context.device)
        labels = torch.from_numpy(arrays["labels"]).to(context.device)
        reused = adaptive_reuse.random_halves(self.splits, len(labels), context.generator("halves")).to(context.device)
        orders = adaptive_reuse.random_orders(self.splits, len(predicted), context.generator("orders")).to(context.device)
        if self.strategy == "best of k":
            found = adaptive_reuse.best_of_k(predicted == labels, reused, orders)
        else:
            found = adaptive_reuse.hill_climbing(predicted, labels, reused, orders)
        columns = zip(found.queries, *(100 * v.double().mean(0) for v in (found.reused, found.fresh, found.optimism)), strict=True)
        spread = 100 * found.optimism.double().std(0)
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
                for (k, a, b, optimism), sd in zip(columns, spread, strict=True)
            ]
        )


def reuse(profile: Profile, seeds: int | None) -> list[Trial]:
    """The candidates of a profile and both strategies on each; five draws of candidates unless ``seeds`` says otherwise."""
    if profile == "quick":
        pools = [FitCandidates(dataset="digits", candidates=1000, filters=32, seed=seed) for seed in range(seeds or 5)]
    else:
        pools = [FitCandidates(dataset="cifar10", candidates=1000, seed=seed) for seed in range(seeds or 5)]
    strategies: tuple[Strategy, ...] = ("best of k", "hill climbing")
    return [ReuseTestSet(candidates=pool, strategy=strategy, seed=pool.seed) for pool in pools for strategy in strategies]


def _agreement(predicted: UInt8[Tensor, "k n"], classes: int) -> float:
    """Share of images on which two different candidates give the same answer, mean over all pairs."""
    import torch

    k = len(predicted)
    counts = torch.stack([(predicted == c).sum(0).double() for c in range(classes)])
    return float((counts * (counts - 1)).sum(0).mean() / (k * (k - 1)))
