"""Contact sheets of training examples. They show images of datasets and are never published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from myths.lab.storage.store import Store

ROWS, COLUMNS = 5, 8
IMAGE_SIZE = 96
"""Size in pixels of the user's images on the sheet."""


def likely_mislabeled(tables: Mapping[str, pd.DataFrame], store: Store) -> Figure | None:
    """Show the most likely label errors of a dataset of the user: given class, predicted class and its probability.

    If no error is listed, show the images with the smallest margins and their given classes.
    """
    from myths.lab.report import style

    table, listed = tables["user_examples"], tables["label_errors"]
    if table.empty:
        return None
    dataset = str(table["dataset"].iloc[0])
    errors = listed if listed.empty else listed[listed["dataset"] == dataset]
    top = errors.head(ROWS * COLUMNS) if len(errors) else table[table["dataset"] == dataset].nsmallest(ROWS * COLUMNS, "suspicion_rank")
    images = _images(dataset, top["index"].astype(int).tolist())
    if images is None:
        return None
    rows = -(-len(images) // COLUMNS)
    if len(errors):
        title = f"{dataset}: likely label errors, {len(top)} of {len(errors)}, given → predicted class and its probability"
        labels = [f"{_clipped(one['label'])} → {_clipped(one['predicted'])} {one['confidence']:.0%}" for one in top.to_dict("records")]
    else:
        title, labels = f"{dataset}: smallest margins, with the given class", [_clipped(label) for label in top["label"]]
    figure, ax = style.axes(title, "", "", (9.0, 0.9 + 1.3 * rows))
    captions = [f"{line}\n{_short(file, index)}" for line, file, index in zip(labels, top["file"], top["index"], strict=True)]
    _sheet(ax, images, COLUMNS, captions)
    return figure


def least_and_most_forgotten(tables: Mapping[str, pd.DataFrame], store: Store) -> Figure | None:
    """Show the least and the most forgotten training examples of each dataset (as in the paper's appendix), without pixel permutation."""
    from myths.lab.report import style

    table = tables["extreme_examples"]
    if table.empty:
        return None
    table = table[table["main_setting"].astype(bool)]
    sheets = []
    for name, group in table.groupby("dataset", sort=False):
        dataset = str(name).removeprefix("permuted ").removesuffix(" subset")
        chosen = group[group["rank"] <= 2 * COLUMNS].sort_values(["which", "rank"])
        images = _images(dataset, chosen["index"].astype(int).tolist())
        if images is not None:
            sheets.append((str(name), images))
    if not sheets:
        return None
    titles = [f"{name}: least (top) and most forgotten (bottom)" for name, _ in sheets]
    figure, axes = style.panels(titles, "", "", (5.6 * len(sheets), 3.3))
    for ax, (_, images) in zip(axes, sheets, strict=True):
        _sheet(ax, images, COLUMNS)
    return figure


def _images(dataset: str, indices: Sequence[int]) -> list[UInt8[np.ndarray, "h w 3"]] | None:
    """Return training examples in color, or None if the dataset is not on this machine."""
    from myths.forgetting.trials.training import load_examples
    from myths.forgetting.user_images import user_images
    from myths.lab.data import prepared
    from myths.lab.data.folders import decode

    found = prepared.find(dataset)
    if found is None:
        return None
    if found.kind == "images":
        pixels = decode(user_images(dataset).train, IMAGE_SIZE, files=indices)
    else:
        pixels = load_examples(dataset, "cpu").x[list(indices)]
    return list(pixels.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy())


def _sheet(ax: Axes, images: Sequence[UInt8[np.ndarray, "h w 3"]], columns: int, captions: Sequence[str] = ()) -> None:
    """Draw images in rows, each one unit wide, with space for captions if there are any."""
    height = 1.32 if captions else 1.06
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        left, top = 1.06 * column, -height * row
        ax.imshow(image, extent=(left, left + 1, top - 1, top), interpolation="nearest")
        if captions:
            ax.text(left + 0.5, top - 1.03, captions[i], ha="center", va="top", fontsize=8.5, parse_math=False)
    rows = -(-len(images) // columns)
    ax.set_xlim(0, 1.06 * columns - 0.06)
    ax.set_ylim(-height * rows, 0)
    ax.set_aspect("equal")
    ax.set_axis_off()


def _clipped(name: str) -> str:
    return name if len(name) <= 9 else f"{name[:8]}…"


def _short(file: str, index: int) -> str:
    name = file.rpartition("/")[2] or f"example {index}"
    return name if len(name) <= 18 else f"{name[:8]}…{name[-9:]}"
