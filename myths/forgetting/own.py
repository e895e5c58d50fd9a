"""The user's own images: which part is counted, and what the suite says of each file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import numpy as np

from myths.forgetting.trials import CountForgetting
from myths.lab.errors import UsageError
from myths.lab.setting import Items
from myths.lab.trial import Context, Outcome, Protocol, Trial, weakest

if TYPE_CHECKING:
    from myths.lab.data.folders import ImageFolder


def labeled(name: str) -> tuple[ImageFolder, ImageFolder | None, tuple[str, ...]]:
    """The images to count on, those to test on if any, and the names of the classes in order.

    CLASS/image, or train/CLASS/image and test/CLASS/image. Raises UsageError for images that lie in no class folder.
    """
    from myths.lab.data.folders import image_folder

    folder = image_folder(name)
    parts = {label.split("/")[0] for label in folder.labels}
    if parts == {"train", "test"} and all("/" in label for label in folder.labels):
        train, test = (folder.only(lambda label, part=part: label.startswith(f"{part}/")) for part in ("train", "test"))  # type: ignore[misc]
    else:
        train, test = folder, None
    if "" in train.labels:
        raise UsageError(f"{name} holds images in no class folder ({folder.files[folder.labels.index('')]}): lay them out as CLASS/image")
    classes = tuple(sorted({label.rpartition("/")[2] for label in train.labels}))
    if test is not None:
        test = test.only(lambda label: label.rpartition("/")[2] in classes)
    return train, test if test is not None and len(test) else None, classes


@dataclass(frozen=True, kw_only=True)
class ListExamples(Trial):
    """What several trainings together say of each example, one row each: for a data set of the user's own."""

    counts: Annotated[tuple[CountForgetting, ...], Items(at_least=1)]
    """Counts of several training runs."""

    @property
    def protocol(self) -> Protocol:
        """The weakest of the trainings'."""
        return weakest(c.protocol for c in self.counts)

    @property
    def data(self) -> tuple[str, ...]:
        """For the names of the files."""
        return self.counts[0].data

    @classmethod
    def tiny(cls) -> ListExamples:
        """Two trainings on digits."""
        return cls(counts=tuple(replace(CountForgetting.tiny(), seed=seed) for seed in (0, 1)))

    def run(self, context: Context) -> Outcome:
        """Rows: index, file (empty for arrays), label, events a training, trainings that never learnt it, first_learnt, margin,
        and ``removal_rank``: its place, from 1, when the least forgotten go first and, among these, the widest margin.

        ``suspicion_rank`` is its place by the smallest mean margin (the area under the margin of Pleiss et al. 2020). Mislabeled
        images have the most events too (Sec. 4.2), but one that is right by chance at first and never again counts a single one.
        """
        each = [context.outcome(trial).arrays for trial in self.counts]
        counts, margin = (np.mean([a[name] for a in each], axis=0) for name in ("counts", "margin"))
        never = np.sum([a["first_learnt"] == 0 for a in each], axis=0)
        learnt = np.array([np.where(a["first_learnt"] > 0, a["first_learnt"], np.nan) for a in each])
        first = np.nansum(learnt, axis=0) / np.maximum(len(each) - never, 1)
        files, labels = names(self.counts[0].dataset, len(counts))
        removal, suspicion = np.lexsort((-margin, counts)), np.lexsort((-counts, margin))
        rank = {name: np.argsort(order) + 1 for name, order in (("removal_rank", removal), ("suspicion_rank", suspicion))}
        return Outcome(
            rows=[
                {
                    "index": i,
                    "file": files[i],
                    "label": labels[i],
                    "events": float(counts[i]),
                    "never_learnt_in": int(never[i]),
                    "first_learnt": float(first[i]) if never[i] < len(each) else None,
                    "margin": float(margin[i]),
                    "may_be_dropped": bool(counts[i] == 0),
                    **{name: int(places[i]) for name, places in rank.items()},
                }
                for i in range(len(counts))
            ]
        )


def names(dataset: str, n: int) -> tuple[list[str], list[str]]:
    """File and class of each of the first ``n`` examples; empty file names for a set that is no folder."""
    from myths.lab.data import prepared
    from myths.lab.data.images import image_set

    if prepared.require(dataset).kind == "images":
        train, _, _ = labeled(dataset)
        return list(train.files[:n]), [label.rpartition("/")[2] for label in train.labels[:n]]
    images = image_set(dataset, "cpu")
    assert images.y_train is not None
    return [""] * n, [images.classes[label] for label in images.y_train[:n].tolist()]
