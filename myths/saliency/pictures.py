"""Figures of images and their saliency maps. They show images of datasets, so they stay on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from myths.lab.data.built_in import BUILT_IN
from myths.saliency.names import IMAGENET_SAMPLE
from myths.saliency.trials.user_images import MAX_IMAGES, AttackUserImages

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from myths.lab.storage.store import Store

COLUMNS = ("image", "saliency map", "perturbed image", "saliency map", "perturbation, magnified")
ARRAYS = ("images", "perturbed", "maps", "perturbed_maps")
CELL = 112
"""Minimum size of an image in the figure, in pixels."""
METHODS = ("gradient", "gradient-times-input", "integrated-gradients", "smoothgrad", "deeplift", "grad-cam")
ATTACKS = ("top-k", "mass-center", "targeted", "random-walk", "random")
MAX_PERCENTILE = 99.0
"""Percentile of the salience with the brightest color, so that a few outliers do not darken the rest of a map."""


def example_images(tables: Mapping[str, pd.DataFrame], store: Store) -> Figure | None:
    """Plot the first image of each attack on each method, at the largest budget, for the trained network with the most trials."""
    from myths.saliency.trials.networks import is_stand_in

    first = {name: found for name, found in _first_images(store).items() if not name.endswith(IMAGENET_SAMPLE)}
    if not first:
        return None
    name = max(first, key=lambda n: (not is_stand_in(n.rpartition(" ")[2]), len(first[n])))
    return _by_method(name, first[name])


def imagenet_examples(tables: Mapping[str, pd.DataFrame], store: Store) -> Figure | None:
    """Plot the first ImageNet image of each attack on each method, for the pretrained network with the most trials."""
    first = {name: found for name, found in _first_images(store).items() if name.endswith(IMAGENET_SAMPLE)}
    if not first:
        return None
    name = max(first, key=lambda n: len(first[n]))
    return _by_method(name, first[name])


def _first_images(store: Store) -> dict[str, dict[tuple[str, str], dict[str, np.ndarray]]]:
    """Return the arrays of the first image for each standard network, by method and attack."""
    from myths.saliency.trials import AttackImages

    by_network: dict[str, dict[tuple[str, str], dict[str, np.ndarray]]] = {}
    complete = [r for r in store.records if r.status == "ok" and r.arrays and store.has_arrays(r)]
    for record in complete:
        trial = record.trial
        if isinstance(trial, AttackImages) and trial.network.defense == "none" and trial.output == "paper":
            name = f"{trial.network.network} on {trial.network.dataset}"
            first = {key: values[:1] for key, values in store.outcome(record).arrays.items()}
            by_network.setdefault(name, {})[trial.method, trial.attack] = first
    return by_network


def _by_method(name: str, first: Mapping[tuple[str, str], Mapping[str, np.ndarray]]) -> Figure:
    order = [(m, a) for m in METHODS for a in ATTACKS if (m, a) in first]
    joined = {key: np.concatenate([first[pair][key] for pair in order]) for key in ARRAYS}
    return contact_sheet(f"Saliency maps before and after attacks, {name}", joined, [f"{method}\n{attack}" for method, attack in order])


def user_images(tables: Mapping[str, pd.DataFrame], store: Store) -> Figure | None:
    """Plot the user's images for all methods that were attacked with the settings of the newest attack."""
    attacks = [
        (record, record.trial)
        for record in store.records
        if record.status == "ok"
        and isinstance(record.trial, AttackUserImages)
        and record.trial.image not in BUILT_IN
        and store.has_arrays(record)
    ]
    if not attacks:
        return None
    newest = attacks[-1][1]
    by_method = {trial.method: record for record, trial in attacks if replace(trial, method=newest.method) == newest}
    per_method = max(1, MAX_IMAGES // len(by_method))
    selected = {
        method: {name: values[:per_method] for name, values in store.outcome(record).arrays.items()} for method, record in by_method.items()
    }
    joined = {name: np.concatenate([arrays[name] for arrays in selected.values()]) for name in ARRAYS}
    files = {method: [str(row["file"]).rpartition("/")[2] for row in record.rows[:per_method]] for method, record in by_method.items()}
    names = [file if len(by_method) == 1 else f"{file}\n{method}" for method in by_method for file in files[method]]
    methods = newest.method if len(by_method) == 1 else f"{len(by_method)} methods"
    return contact_sheet(f"{methods}, {newest.attack} attack, ε = {newest.epsilon:g}/255", joined, names)


def contact_sheet(title: str, arrays: Mapping[str, Float[np.ndarray, "n ..."]], names: Sequence[str]) -> Figure:
    """Plot one row per image: image, map, perturbed image, its map, and the perturbation, magnified.

    Args:
        title: Title of the figure.
        arrays: "images" and "perturbed" [n, c, h, w] with values 0..1; "maps" and "perturbed_maps" [n, h, w].
        names: Caption of each row.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from myths.lab.report import style

    images, perturbed = arrays["images"], arrays["perturbed"]
    n, size = len(images), max(CELL, images.shape[-1])
    step, captions = size + size // 12, []
    # All cells are drawn as one image: separate axes for each would take seconds.
    canvas = np.ones((n * step, len(COLUMNS) * step, 3))
    for i in range(n):
        change = perturbed[i] - images[i]
        largest = max(float(np.abs(change).max()), 1e-9)
        captions.append(f"{names[i]}\n± {255 * largest:.0f}/255")
        cells = images[i], _colored(arrays["maps"][i]), perturbed[i], _colored(arrays["perturbed_maps"][i]), 0.5 + change / (2 * largest)
        for j, cell in enumerate(cells):
            canvas[i * step : i * step + size, j * step : j * step + size] = _resized(cell, size)
    figure = Figure(figsize=(11.0, 1.5 * n + 0.9), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.02, ha="left", fontsize=12, fontweight="bold", color=style.TEXT_COLOR)
    ax = figure.subplots()
    ax.imshow(canvas.clip(0, 1), interpolation="nearest")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.xaxis.tick_top()
    ax.set_xticks([(j + 0.5) * step for j in range(len(COLUMNS))], COLUMNS, fontsize=10.5, color=style.TEXT_COLOR)
    ax.set_yticks([(i + 0.45) * step for i in range(n)], captions, fontsize=10, color=style.TEXT_COLOR, parse_math=False)
    return figure


def _colored(salience: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "3 h w"]:
    from matplotlib import colormaps

    brightest = max(float(np.percentile(salience, MAX_PERCENTILE)), 1e-9)
    return colormaps["inferno"](salience.clip(0, brightest) / brightest)[..., :3].transpose(2, 0, 1)


def _resized(cell: Float[np.ndarray, "c h w"], size: int) -> Float[np.ndarray, "size size 3"]:
    rows, columns = (np.arange(size) * length // size for length in cell.shape[1:])
    return np.broadcast_to(cell[:, rows][:, :, columns], (3, size, size)).transpose(1, 2, 0)
