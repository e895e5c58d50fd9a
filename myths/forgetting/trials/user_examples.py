"""Trial on a dataset of the user: rank its examples for pruning and by suspicion of a label error."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from myths.forgetting.trials.counting import CountForgetting
from myths.forgetting.user_images import file_names, label_names
from myths.lab.setting import Items
from myths.lab.trial import Context, Outcome, Trial


@dataclass(frozen=True, kw_only=True)
class RankUserExamples(Trial):
    """Combine the counts of several training runs on a dataset of the user, one row per example."""

    count_trials: Annotated[tuple[CountForgetting, ...], Items(at_least=1)]
    """Counts of several training runs."""

    @property
    def data(self) -> tuple[str, ...]:
        """Return the dataset, for the names of the files."""
        return self.count_trials[0].data

    @classmethod
    def test_instance(cls) -> RankUserExamples:
        """Return two training runs on digits."""
        return cls(count_trials=tuple(replace(CountForgetting.test_instance(), seed=seed) for seed in (0, 1)))

    def run(self, context: Context) -> Outcome:
        """Return one row per example.

        Columns: index, file (empty for arrays), label, events (mean per run), runs_never_learned, first_learned, margin, never_forgotten,
        ``pruning_rank`` (from 1; the least forgotten first, ties by the largest margin) and ``suspicion_rank`` (from 1; the smallest mean
        margin first: the area under the margin of Pleiss et al. 2020). Mislabeled images have many events as well (Sec. 4.2), but an image
        that is correct by chance at first and never again has a single event.
        """
        each = [context.outcome(trial).arrays for trial in self.count_trials]
        counts, margin = (np.mean([a[name] for a in each], axis=0) for name in ("counts", "margin"))
        runs_never_learned = np.sum([a["first_learned"] == 0 for a in each], axis=0)
        learned = np.array([np.where(a["first_learned"] > 0, a["first_learned"], np.nan) for a in each])
        first = np.nansum(learned, axis=0) / np.maximum(len(each) - runs_never_learned, 1)
        dataset = self.count_trials[0].dataset
        files, labels = file_names(dataset, len(counts)), label_names(dataset, len(counts))
        pruning, suspicion = np.lexsort((-margin, counts)), np.lexsort((-counts, margin))
        ranks = {name: np.argsort(order) + 1 for name, order in (("pruning_rank", pruning), ("suspicion_rank", suspicion))}
        return Outcome(
            rows=[
                {
                    "index": i,
                    "file": files[i],
                    "label": labels[i],
                    "events": float(counts[i]),
                    "first_learned": float(first[i]) if runs_never_learned[i] < len(each) else None,
                    "runs_never_learned": int(runs_never_learned[i]),
                    "margin": float(margin[i]),
                    "never_forgotten": bool(counts[i] == 0),
                    **{name: int(rank[i]) for name, rank in ranks.items()},
                }
                for i in range(len(counts))
            ]
        )
