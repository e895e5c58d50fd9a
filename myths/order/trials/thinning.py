"""The trial that removes most training images of one superclass, to see whether it is then learned later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np

from myths.lab.errors import UsageError
from myths.lab.setting import Items, Range
from myths.lab.trial import Context, Outcome, Trial
from myths.order.trials.images import PROBED, TrackImages, correct_predictions


@dataclass(frozen=True, kw_only=True)
class ThinSuperclass(Trial):
    """Train a network again after most training images of the superclass that other networks learn first have been removed.

    Initial weights are those of the network that saw all images. A superclass is learned before another one if the mean score of its test
    images is higher: the fraction of checkpoints at which an image is classified correctly.
    """

    network: TrackImages
    """The network that saw all training images; it followed test images."""
    others: Annotated[tuple[TrackImages, ...], Items(at_least=1)]
    """Other networks that saw all images. The superclass with the highest mean score over them is thinned."""
    kept_fraction: Annotated[float, Range(above=0, below=1)] = 0.1
    """Fraction of the training images of the superclass that is kept: the first ones."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"train_seconds"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network in self.others:
            raise UsageError("Invalid others: the network itself may not choose the superclass")
        each = (self.network, *self.others)
        if len({one.dataset for one in each}) > 1 or {one.followed for one in each} != {"test"}:
            raise UsageError("Invalid network and others: they did not follow the same test images")

    @property
    def seed(self) -> int:
        """The seed of the network."""
        return self.network.seed

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the columns of tables that the settings determine."""
        return {**super().columns, "dataset": self.network.dataset, "network": self.network.network, "seed": self.seed}

    @property
    def relative_cost(self) -> float:
        """Return the cost of training the network."""
        return self.network.relative_cost

    @property
    def data(self) -> tuple[str, ...]:
        """Return the dataset."""
        return self.network.data

    @classmethod
    def test_instance(cls) -> ThinSuperclass:
        """Return two seeds on digits."""
        one = TrackImages.test_instance()
        return cls(network=one, others=(replace(one, seed=1),))

    def run(self, context: Context) -> Outcome:
        """Return one row of ``kind`` "superclass" per superclass and one of ``kind`` "thinned".

        "superclass": mean score of its test images with all training images and after thinning. "thinned": the superclass, how many of its
        training images were kept, the fraction of the other superclasses that are learned before it with all images and after thinning,
        and the accuracy after thinning.
        """
        from myths.order.image_order import fraction_before, group_means, scores

        x, y, x_test, y_test, grouping = self.network.examples(context)
        if not grouping.any():
            raise UsageError(f"Invalid network: {self.network.dataset} has no superclasses, or its groupings are 0")
        groups = grouping[y_test[:PROBED].cpu().numpy()]
        chosen = int(np.mean([self._means(context, other, groups) for other in self.others], axis=0).argmax())
        kept = self._kept(grouping[y.cpu().numpy()] == chosen)
        probe, done = self.network.follow(context, (x[kept], y[kept]), (x_test, y_test), grouping)
        correct = np.array(probe.correct)
        before, after = self._means(context, self.network, groups), group_means(scores(correct), groups)
        given = {"dataset": self.network.dataset, "network": self.network.network, "seed": self.seed}
        rows = [
            {"kind": "superclass", "superclass": i, "name": _name(self.network.dataset, i), "is_thinned": i == chosen,
             "score_all_images": float(before[i]), "score_thinned": float(after[i])}
            for i in range(len(before))
        ]  # fmt: skip
        summary = {
            "kind": "thinned", "superclass": chosen, "name": _name(self.network.dataset, chosen),
            "kept_images": int((grouping[y[kept].cpu().numpy()] == chosen).sum()), "n_train": len(kept),
            "before_all_images": fraction_before(before, chosen), "before_thinned": fraction_before(after, chosen),
            "accuracy_percent": 100 * float(correct[-1].mean()), "train_seconds": done.seconds,
        }  # fmt: skip
        return Outcome(rows=[{**given, **row} for row in (*rows, summary)])

    def _means(self, context: Context, network: TrackImages, groups: np.ndarray) -> np.ndarray:
        from myths.order.image_order import group_means, scores

        return group_means(scores(correct_predictions(context, network)), groups)

    def _kept(self, members: np.ndarray) -> np.ndarray:
        """Return the positions of the images that are kept: all others, and the first members."""
        inside = np.flatnonzero(members)
        return np.sort(np.concatenate([np.flatnonzero(~members), inside[: max(1, round(self.kept_fraction * len(inside)))]]))


def _name(dataset: str, superclass: int) -> str:
    from myths.order.image_order import CIFAR100_SUPERCLASSES

    return CIFAR100_SUPERCLASSES[superclass] if dataset == "cifar100" else str(superclass)
