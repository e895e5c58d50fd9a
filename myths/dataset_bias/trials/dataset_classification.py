"""Dataset classification (Name That Dataset) and its null control (Torralba & Efros 2011, §2; Liu & He 2024)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from myths.dataset_bias import sets as sets_of
from myths.dataset_bias.sets import Feature, Subset, Transform, group_name, protocol_of
from myths.lab.setting import Count, DatasetName, Items, Range, Seed
from myths.lab.trial import Context, Outcome, Protocol, Trial

if TYPE_CHECKING:
    import torch

SHOWN = 6
"""Number of stored images per dataset: the correctly classified test images with the largest margin."""


@dataclass(frozen=True, kw_only=True)
class NameThatDataset(Trial):
    """Classify the dataset of an image with a linear support vector machine, for one random split (2011, Fig. 2).

    The classifier is trained on the first 1 … 700 images of each dataset and tested on up to 300 others. Smaller datasets use 30 % for
    testing.
    Accuracy is the mean recall over datasets, so chance is one over the number of datasets.
    """

    sets: Annotated[tuple[DatasetName, ...], Items(at_least=2, distinct=True)]
    """Datasets to distinguish."""
    feature: Feature
    """Input of the classifier."""
    transform: Transform = "none"
    """Transform applied to every image."""
    subset: Subset = "all"
    """Images to use: all, or those of cars."""
    deduplicated: bool = False
    """Remove near-duplicates."""
    train_sizes: Annotated[tuple[Count, ...], Items()] = (700,)
    """Training images per dataset."""
    max_test_per_set: Count = 300
    """Maximum number of test images per dataset."""
    seed: Seed = 0

    def __str__(self) -> str:
        how = self.transform if not self.deduplicated else "without near-duplicates"
        group = group_name(self.sets, self.subset)
        return f"classify dataset: {group}, {self.feature}{'' if how == 'none' else f', {how}'}, split {self.seed}"

    @property
    def protocol(self) -> Protocol:
        """Protocol: "reduced", or "stand-in" for simulated cameras."""
        return protocol_of(self.sets)

    @property
    def relative_cost(self) -> float:
        """Approximate number of multiplications of the largest fits."""
        values = {"gray thumbnail": 1.0, "color thumbnail": 3.0, "gist": 0.5, "bag of HOG words": 1.0, "hog": 1.7, "squeezenet": 0.5}
        values["hog and color thumbnail"] = values["hog"] + values["color thumbnail"]
        trained = sum(min(size, sets_of.smallest_dataset_size(self.sets)) for size in self.train_sizes)
        return trained * len(self.sets) ** 2 * values[self.feature] / 1e5 + 0.1

    @property
    def data(self) -> tuple[str, ...]:
        """Prepared datasets, except simulated cameras, and the weights of the feature."""
        return sets_of.required_datasets(self.sets, self.feature)

    @property
    def columns(self) -> Mapping[str, Any]:
        """The settings, and the name of the group of datasets."""
        return {**super().columns, "set_group": group_name(self.sets, self.subset)}

    @classmethod
    def test_instance(cls) -> NameThatDataset:
        """Return two simulated cameras."""
        return cls(sets=("camera 1", "camera 2"), feature="color thumbnail", train_sizes=(1, 40), max_test_per_set=40)

    def run(self, context: Context) -> Outcome:
        """Return rows "learning_curve" (per size) and "confusion" (largest size), and the array "most_confident" [sets shown 3 64 64]."""
        import torch

        from myths.dataset_bias.feature_loading import ImageSelection, first_n_per_group, load_features, load_images, train_test_split

        choice = ImageSelection(self.sets, self.transform, self.subset, self.deduplicated)
        images = load_images(choice, context.device)
        x = load_features(choice, context.device, self.feature)
        train, test = train_test_split(images.dataset_index, images.groups, self.max_test_per_set, max(self.train_sizes), context)
        train, test = train.to(x.device), test.to(x.device)
        x = _vectors(x, self.feature, train, context)
        rows: list[dict[str, Any]] = []
        scores = torch.zeros(0)
        for n in self.train_sizes:
            few = train[first_n_per_group(images.dataset_index[train], n)]
            scores, cost = _fit_and_score(x, images.dataset_index, few, test, len(self.sets), context)
            rows.append(
                {"kind": "learning_curve", "n_per_set": n, "n_train": len(few), "svm_c": cost}
                | accuracy(scores, images.dataset_index[test], len(self.sets))
            )
        rows[-1]["n_duplicates_removed"] = sum(images.n_duplicates_removed)
        rows += _confusion(scores, images.dataset_index[test], self.sets)
        shown = _confident(scores, images.dataset_index[test], images.images[test])
        return Outcome(rows=rows, arrays={"most_confident": shown.cpu().numpy()})


@dataclass(frozen=True, kw_only=True)
class ClassifyRandomParts(Trial):
    """Null control: split one dataset at random into parts and classify the part of each image. Accuracy must be at chance."""

    set: DatasetName
    """Dataset to split."""
    feature: Feature
    """Input of the classifier."""
    parts: Annotated[int, Range(at_least=2)] = 4
    """Number of random parts."""
    seed: Seed = 0

    @property
    def protocol(self) -> Protocol:
        """Protocol: "reduced", or "stand-in" for simulated cameras."""
        return protocol_of([self.set])

    @property
    def data(self) -> tuple[str, ...]:
        """The dataset, unless it is a simulated camera, and the weights of the feature."""
        return sets_of.required_datasets([self.set], self.feature)

    @classmethod
    def test_instance(cls) -> ClassifyRandomParts:
        """Return two halves of a simulated camera's images."""
        return cls(set="camera 1", feature="gray thumbnail", parts=2)

    def run(self, context: Context) -> Outcome:
        """Return one row: parts, n_correct, n_images, n_test, accuracy_percent, chance_percent."""
        import torch

        from myths.dataset_bias.feature_loading import ImageSelection, load_features, load_images, train_test_split

        choice = ImageSelection((self.set,))
        images = load_images(choice, context.device)
        x = load_features(choice, context.device, self.feature)
        part = context.rng("parts").permutation(len(x)) % self.parts
        part_index = torch.from_numpy(part).to(x.device)
        train, test = train_test_split(part_index, torch.arange(len(x)), len(x), len(x), context)
        train, test = train.to(x.device), test.to(x.device)
        x = _vectors(x, self.feature, train, context)
        scores, _ = _fit_and_score(x, part_index, train, test, self.parts, context)
        n_correct = int((scores.argmax(1) == part_index[test]).sum())
        row = {"parts": self.parts, "n_correct": n_correct, "n_images": len(images.images)}
        return Outcome(rows=[row | accuracy(scores, part_index[test], self.parts)])


@dataclass(frozen=True, kw_only=True)
class CountDuplicates(Trial):
    """Count the images with a near-duplicate in their own dataset and in each other dataset, by perceptual hash."""

    sets: Annotated[tuple[DatasetName, ...], Items()]
    """Datasets to search."""

    def __str__(self) -> str:
        return f"count near-duplicates: {group_name(self.sets)}"

    @property
    def protocol(self) -> Protocol:
        """Protocol: "reduced", or "stand-in" for simulated cameras."""
        return protocol_of(self.sets)

    @property
    def data(self) -> tuple[str, ...]:
        """Prepared datasets, except simulated cameras."""
        return sets_of.required_datasets(self.sets)

    @classmethod
    def test_instance(cls) -> CountDuplicates:
        """Return two simulated cameras."""
        return cls(sets=("camera 1", "camera 2"))

    def run(self, context: Context) -> Outcome:
        """Return one row per pair of datasets, equal ones included: pairs, and images of the first with a near-duplicate in the second."""
        from myths.dataset_bias import duplicates
        from myths.dataset_bias.feature_loading import ImageSelection, load_images

        images = load_images(ImageSelection(self.sets), context.device)
        dataset_index = images.dataset_index.cpu()
        pairs = duplicates.near_duplicate_pairs(duplicates.perceptual_hash(images.images).cpu())
        rows = []
        for a, name in enumerate(self.sets):
            for b, other in enumerate(self.sets):
                here = pairs[(dataset_index[pairs[:, 0]] == a) & (dataset_index[pairs[:, 1]] == b)]
                back = pairs[(dataset_index[pairs[:, 0]] == b) & (dataset_index[pairs[:, 1]] == a)]
                mine = {*here[:, 0].tolist(), *back[:, 1].tolist()}
                rows.append(
                    {
                        "set": name,
                        "other": other,
                        "n_pairs": len(here) if a == b else len(here) + len(back),
                        "n_with_duplicate": len(mine | set(here[:, 1].tolist())) if a == b else len(mine),
                        "n_images": int((dataset_index == a).sum()),
                        "max_hash_distance": duplicates.MAX_HASH_DISTANCE,
                    }
                )
        return Outcome(rows=rows)


def _vectors(x: torch.Tensor, feature: Feature, train: torch.Tensor, context: Context) -> torch.Tensor:
    """Return the features. Blocks of HOG are counted in a visual vocabulary of the training images."""
    from myths.dataset_bias.features import bag_of_words

    return bag_of_words(x, x[train], context.generator("words")) if feature == "bag of HOG words" else x


def _fit_and_score(
    x: torch.Tensor, dataset_index: torch.Tensor, train: torch.Tensor, test: torch.Tensor, classes: int, context: Context
) -> tuple[torch.Tensor, float]:
    """Return the scores of the test images and the selected C."""
    from myths.dataset_bias import feature_loading
    from myths.lab import linear_svm

    held = feature_loading.validation_mask(len(train), context).to(x.device)
    machine = linear_svm.fit(x[train], dataset_index[train], classes, held)
    return machine.scores(x[test]), machine.cost


def accuracy(scores: torch.Tensor, dataset_index: torch.Tensor, classes: int) -> dict[str, float]:
    """Return the mean recall over classes and chance in percent, and the number of examples."""
    import torch

    right = (scores.argmax(1) == dataset_index).double()
    recalls = torch.stack([right[dataset_index == k].mean() for k in range(classes)])
    return {"n_test": len(dataset_index), "accuracy_percent": 100 * float(recalls.mean()), "chance_percent": 100 / classes}


def _confusion(scores: torch.Tensor, dataset_index: torch.Tensor, sets: Sequence[str]) -> list[dict[str, Any]]:
    import torch

    k = len(sets)
    counts = torch.bincount(dataset_index * k + scores.argmax(1), minlength=k * k).reshape(k, k).tolist()
    return [
        {"kind": "confusion", "set": sets[i], "predicted_set": sets[j], "n_images": counts[i][j], "n_images_of_set": sum(counts[i])}
        for i in range(k)
        for j in range(k)
    ]


def _confident(scores: torch.Tensor, dataset_index: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Return the correctly classified images of each dataset with the largest margin to the next class. Missing images are black."""
    import torch

    best = scores.topk(2, dim=1)
    margin = torch.where(best.indices[:, 0] == dataset_index, best.values[:, 0] - best.values[:, 1], -1.0)
    shown = images.new_zeros(scores.shape[1], SHOWN, *images.shape[1:])
    for k in range(scores.shape[1]):
        order = torch.where(dataset_index == k, margin, -1.0).argsort(descending=True, stable=True)[:SHOWN]
        order = order[(dataset_index[order] == k) & (margin[order] > 0)]
        shown[k, : len(order)] = images[order]
    return shown
