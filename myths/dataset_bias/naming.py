"""Name That Dataset: which set is an image from? With its null control (Torralba & Efros 2011, §2; Liu & He 2024)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from myths.dataset_bias import sets as sets_of
from myths.dataset_bias.sets import Feature, Subject, Treatment, list_name, protocol_of
from myths.lab.setting import Count, DatasetName, Items, Range, Seed
from myths.lab.trial import Context, Outcome, Protocol, Trial

if TYPE_CHECKING:
    import torch

SHOWN = 6
"""Pictures kept of each set: the test images that are named with the greatest confidence, rightly."""


@dataclass(frozen=True, kw_only=True)
class NameThatDataset(Trial):
    """A linear support vector machine learns which of several sets an image is from (2011, Fig. 2), for one random split.

    Trained on the first 1 … 700 images of each set, tested on up to 300 others; a set with fewer gives 30 % to the test. The
    accuracy is the mean over sets of the share of their images named rightly, so chance is one over the number of sets.
    """

    sets: Annotated[tuple[DatasetName, ...], Items(at_least=2, distinct=True)]
    """Datasets that are told apart."""
    feature: Feature
    """Features of the images that the classifier sees."""
    treatment: Treatment = "none"
    """What is done to every image first."""
    subject: Subject = "everything"
    """Images that take part: all, or those of cars."""
    deduplicated: bool = False
    """Whether near-duplicates are left out."""
    sizes: Annotated[tuple[Count, ...], Items()] = (700,)
    """Training images per dataset."""
    test: Count = 300
    """Test images per dataset, at most."""
    seed: Seed = 0

    def __str__(self) -> str:
        """The list by its name."""
        how = self.treatment if not self.deduplicated else "without near-duplicates"
        return f"name the set: {list_name(self.sets, self.subject)}, {self.feature}{'' if how == 'none' else f', {how}'}, split {self.seed}"

    @property
    def protocol(self) -> Protocol:
        """Reduced, or a stand-in on simulated chains."""
        return protocol_of(self.sets)

    @property
    def relative_cost(self) -> float:
        """About the number of multiplications of the largest fits."""
        values = {"gray thumbnail": 1.0, "color thumbnail": 3.0, "gist": 0.5, "hog words": 1.0, "hog": 1.7}
        trained = sum(min(size, sets_of.fewest_images(self.sets)) for size in self.sizes)
        return trained * len(self.sets) ** 2 * values[self.feature] / 1e5 + 0.1

    @property
    def data(self) -> tuple[str, ...]:
        """The sets, where they are not simulated."""
        return sets_of.data_of(self.sets)

    @property
    def columns(self) -> Mapping[str, Any]:
        """What tables say of the trial that its settings alone decide."""
        return {**super().columns, "list": list_name(self.sets, self.subject)}

    @classmethod
    def test_instance(cls) -> NameThatDataset:
        """Two simulated chains."""
        return cls(sets=("chain 1", "chain 2"), feature="color thumbnail", sizes=(1, 40), test=40)

    def run(self, context: Context) -> Outcome:
        """Rows "curve" (one a size) and "confusion" (at the largest size); array "confident": pictures [sets, shown, 3, 64, 64]."""
        import torch

        from myths.dataset_bias import described

        choice = described.Choice(self.sets, self.treatment, self.subject, self.deduplicated)
        pictures = described.pictures(choice, context.device)
        x = described.features(choice, context.device, self.feature)
        train, test = described.part(pictures.owner, pictures.groups, self.test, max(self.sizes), context)
        train, test = train.to(x.device), test.to(x.device)
        x = _vectors(x, self.feature, train, context)
        rows: list[dict[str, Any]] = []
        scores = torch.zeros(0)
        for n in self.sizes:
            few = train[described.first_of_each(pictures.owner[train], n)]
            scores, cost = _named(x, pictures.owner, few, test, len(self.sets), context)
            rows.append(
                {"kind": "curve", "n_per_set": n, "n_train": len(few), "cost": cost}
                | accuracy(scores, pictures.owner[test], len(self.sets))
            )
        rows[-1]["left_out"] = sum(pictures.left_out)
        rows += _confusion(scores, pictures.owner[test], self.sets)
        return Outcome(rows=rows, arrays={"confident": _confident(scores, pictures.owner[test], pictures.images[test]).cpu().numpy()})


@dataclass(frozen=True, kw_only=True)
class NameParts(Trial):
    """The null control: one set, split at random into parts that are then told apart as if they were sets. Must be at chance."""

    set: DatasetName
    """Dataset that is split."""
    feature: Feature
    """Features of the images that the classifier sees."""
    parts: Annotated[int, Range(at_least=2)] = 4
    """Number of random parts."""
    treatment: Treatment = "none"
    """What is done to every image first."""
    seed: Seed = 0

    @property
    def protocol(self) -> Protocol:
        """Reduced, or a stand-in on simulated chains."""
        return protocol_of([self.set])

    @property
    def data(self) -> tuple[str, ...]:
        """The one set, where it is not simulated."""
        return sets_of.data_of([self.set])

    @classmethod
    def test_instance(cls) -> NameParts:
        """Two halves of a simulated chain."""
        return cls(set="chain 1", feature="gray thumbnail", parts=2)

    def run(self, context: Context) -> Outcome:
        """One row: parts, right, n_test, accuracy_percent, chance_percent."""
        import torch

        from myths.dataset_bias import described

        choice = described.Choice((self.set,), self.treatment)
        pictures = described.pictures(choice, context.device)
        x = described.features(choice, context.device, self.feature)
        dealt = context.rng("parts").permutation(len(x)) % self.parts
        owner = torch.from_numpy(dealt).to(x.device)
        train, test = described.part(owner, torch.arange(len(x)), len(x), len(x), context)
        train, test = train.to(x.device), test.to(x.device)
        x = _vectors(x, self.feature, train, context)
        scores, _ = _named(x, owner, train, test, self.parts, context)
        right = int((scores.argmax(1) == owner[test]).sum())
        row = {"parts": self.parts, "right": right, "n_images": len(pictures.images)}
        return Outcome(rows=[row | accuracy(scores, owner[test], self.parts)])


@dataclass(frozen=True, kw_only=True)
class CountDuplicates(Trial):
    """How many images have a near-duplicate in their own set, and in each of the others, by perceptual hash."""

    sets: Annotated[tuple[DatasetName, ...], Items()]
    """Datasets that are searched."""

    def __str__(self) -> str:
        """The list by its name."""
        return f"count near-duplicates: {list_name(self.sets)}"

    @property
    def protocol(self) -> Protocol:
        """Reduced, or a stand-in on simulated chains."""
        return protocol_of(self.sets)

    @property
    def data(self) -> tuple[str, ...]:
        """The sets, where they are not simulated."""
        return sets_of.data_of(self.sets)

    @classmethod
    def test_instance(cls) -> CountDuplicates:
        """Two simulated chains."""
        return cls(sets=("chain 1", "chain 2"))

    def run(self, context: Context) -> Outcome:
        """A row for each pair of sets, equal ones included: pairs, and images of the first with a near-duplicate in the second."""
        from myths.dataset_bias import described, duplicates

        pictures = described.pictures(described.Choice(self.sets), context.device)
        owner = pictures.owner.cpu()
        pairs = duplicates.near_pairs(duplicates.perceptual_hash(pictures.images).cpu())
        rows = []
        for a, name in enumerate(self.sets):
            for b, other in enumerate(self.sets):
                here = pairs[(owner[pairs[:, 0]] == a) & (owner[pairs[:, 1]] == b)]
                back = pairs[(owner[pairs[:, 0]] == b) & (owner[pairs[:, 1]] == a)]
                mine = {*here[:, 0].tolist(), *back[:, 1].tolist()}
                rows.append(
                    {
                        "set": name,
                        "other": other,
                        "pairs": len(here) if a == b else len(here) + len(back),
                        "images": len(mine | set(here[:, 1].tolist())) if a == b else len(mine),
                        "n_images": int((owner == a).sum()),
                        "bits": duplicates.NEAR,
                    }
                )
        return Outcome(rows=rows)


def _vectors(x: torch.Tensor, feature: Feature, train: torch.Tensor, context: Context) -> torch.Tensor:
    """The features, with visual words counted in the vocabulary of the training images."""
    from myths.dataset_bias.features import words

    return words(x, x[train], context.generator("words")) if feature == "hog words" else x


def _named(
    x: torch.Tensor, owner: torch.Tensor, train: torch.Tensor, test: torch.Tensor, classes: int, context: Context
) -> tuple[torch.Tensor, float]:
    """Scores of the test images and the C that was chosen."""
    from myths.dataset_bias import described
    from myths.lab import linear_svm

    held = described.held_out(len(train), context).to(x.device)
    machine = linear_svm.fit(x[train], owner[train], classes, held)
    return machine.scores(x[test]), machine.cost


def accuracy(scores: torch.Tensor, owner: torch.Tensor, classes: int) -> dict[str, float]:
    """Mean over classes of the share of their examples that get the highest score, with chance, in percent, and how many they are."""
    import torch

    right = (scores.argmax(1) == owner).double()
    recalls = torch.stack([right[owner == k].mean() for k in range(classes)])
    return {"n_test": len(owner), "accuracy_percent": 100 * float(recalls.mean()), "chance_percent": 100 / classes}


def _confusion(scores: torch.Tensor, owner: torch.Tensor, sets: Sequence[str]) -> list[dict[str, Any]]:
    import torch

    k = len(sets)
    counts = torch.bincount(owner * k + scores.argmax(1), minlength=k * k).reshape(k, k).tolist()
    return [
        {"kind": "confusion", "set": sets[i], "named": sets[j], "images": counts[i][j], "n_set": sum(counts[i])}
        for i in range(k)
        for j in range(k)
    ]


def _confident(scores: torch.Tensor, owner: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """The pictures of each set that are named rightly by the widest margin over the next set; black where there are too few."""
    import torch

    best = scores.topk(2, dim=1)
    margin = torch.where(best.indices[:, 0] == owner, best.values[:, 0] - best.values[:, 1], -1.0)
    shown = images.new_zeros(scores.shape[1], SHOWN, *images.shape[1:])
    for k in range(scores.shape[1]):
        order = torch.where(owner == k, margin, -1.0).argsort(descending=True, stable=True)[:SHOWN]
        order = order[(owner[order] == k) & (margin[order] > 0)]
        shown[k, : len(order)] = images[order]
    return shown
