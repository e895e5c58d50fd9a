"""The user's own images: whether they can be counted on, and what the suite says of each file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from myths.forgetting.labeled import file_names, label_names, labeled
from myths.forgetting.training import load_examples
from myths.forgetting.trials import CountForgetting
from myths.lab.data import prepared
from myths.lab.errors import UsageError
from myths.lab.setting import Items
from myths.lab.trial import Context, Outcome, Trial


def check_own(name: str) -> int:
    """Check before any trial runs that a set of the user's own can be counted on, and return its number of training examples.

    Raises:
        UsageError: It has no training part, images without classes, labels out of range, or a single class.
        CannotStart: It is not here.
    """
    if prepared.require(name).kind == "images":
        found = labeled(name)
        n, classes = len(found.train_labels), len(found.classes)
    else:
        examples = load_examples(name, "cpu")
        n, classes = len(examples.y), examples.classes
    if classes < 2:
        raise UsageError(f"{name} has one class: there is nothing to learn, and so nothing to forget")
    return n


@dataclass(frozen=True, kw_only=True)
class ListExamples(Trial):
    """What several trainings together say of each example, one row each: for a data set of the user's own."""

    counts: Annotated[tuple[CountForgetting, ...], Items(at_least=1)]
    """Counts of several training runs."""

    @property
    def data(self) -> tuple[str, ...]:
        """For the names of the files."""
        return self.counts[0].data

    @classmethod
    def test_instance(cls) -> ListExamples:
        """Two trainings on digits."""
        return cls(counts=tuple(replace(CountForgetting.test_instance(), seed=seed) for seed in (0, 1)))

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
        dataset = self.counts[0].dataset
        files, labels = file_names(dataset, len(counts)), label_names(dataset, len(counts))
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
