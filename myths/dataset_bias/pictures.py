"""Figures of the most recognizable images of each dataset. They show images of datasets and are never committed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from myths.dataset_bias.figures import ORDER
from myths.dataset_bias.sets import Transform, group_name
from myths.dataset_bias.trials import NameThatDataset

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from myths.lab.storage.store import Store, TrialRecord

OTHER = ("all", "cars", "one camera (null)")
"""Groups of datasets without such a figure."""


def most_recognizable(transform: Transform, tables: Mapping[str, pd.DataFrame], store: Store) -> Figure | None:
    """Plot, for each dataset, the test images that HOG classifies correctly with the largest margin, for one random split."""
    from myths.lab.report import style

    record = _chosen(transform, store)
    if record is None:
        return None
    trial, shown = record.trial, np.asarray(store.outcome(record).arrays["most_confident"])
    assert isinstance(trial, NameThatDataset)
    rows, columns = shown.shape[:2]
    words = "" if transform == "none" else f", {transform}"
    size = (1.05 * columns + 2.6, 1.05 * rows + 1.0)
    figure, ax = style.axes(f"Most recognizable images of each dataset{words}", "", "", size)
    side = shown.shape[-1]
    tiles = np.full((rows * (side + 4), columns * (side + 4), 3), 255, np.uint8)
    for i, j in np.ndindex(rows, columns):
        if shown[i, j].any():
            top, left = i * (side + 4), j * (side + 4)
            tiles[top : top + side, left : left + side] = shown[i, j].transpose(1, 2, 0)
    ax.imshow(tiles)
    ax.set_yticks([i * (side + 4) + side / 2 for i in range(rows)], [name.replace("_", " ") for name in trial.sets], fontsize=10)
    ax.set_xticks([])
    ax.grid(visible=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return figure


PICTURES = {
    "most_recognizable": partial(most_recognizable, "none"),
    "most_recognizable_common_format": partial(most_recognizable, "common format"),
}


def _chosen(transform: Transform, store: Store) -> TrialRecord | None:
    """Return the first split of the most relevant group: user datasets, then real datasets, then simulated cameras."""
    found: dict[str, TrialRecord] = {}
    for record in store.records:
        trial = record.trial
        if not isinstance(trial, NameThatDataset) or record.status != "ok" or trial.feature != "hog" or not store.has_arrays(record):
            continue
        name = group_name(trial.sets, trial.subset)
        if trial.transform == transform and not trial.deduplicated and name not in OTHER:
            found.setdefault(name, record)
    own = [name for name in found if name not in ORDER]
    return next((found[name] for name in (*own, *ORDER) if name in found), None)
