"""Image, map, perturbed image, its map, and the perturbation magnified. These show images of data sets, so they stay on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from myths.lab.data.built_in import BUILT_IN
from myths.saliency.names import SAMPLE
from myths.saliency.own import MOST, Attack

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from myths.lab.store import Store

COLUMNS = ("image", "its map", "perturbed", "its map", "perturbation, magnified")
ARRAYS = ("images", "perturbed", "maps", "perturbed_maps")
CELL = 112
"""Pixels a side of a small image when it is shown."""
METHODS = ("gradient", "gradient-times-input", "integrated-gradients", "smoothgrad", "deeplift", "grad-cam")
ATTACKS = ("top-k", "mass-center", "targeted", "random-walk", "random")
SHOWN_PERCENTILE = 99.0
"""The salience drawn brightest: a few outliers would leave the rest of a map dark."""


def gallery(tables: Mapping[str, pd.DataFrame], store: Store) -> Figure | None:
    """The first image of each attack on each method, at the largest budget, for the network trained here with the most such trials."""
    from myths.saliency.networks import stands_in

    first = {name: found for name, found in _first_images(store).items() if not name.endswith(SAMPLE)}
    if not first:
        return None
    name = max(first, key=lambda n: (not stands_in(n.rpartition(" ")[2]), len(first[n])))
    return _attacked(name, first[name])


def photographs(tables: Mapping[str, pd.DataFrame], store: Store) -> Figure | None:
    """The same of a photograph of 224 pixels, for the pretrained network with the most such trials."""
    first = {name: found for name, found in _first_images(store).items() if name.endswith(SAMPLE)}
    if not first:
        return None
    name = max(first, key=lambda n: len(first[n]))
    return _attacked(name, first[name])


def _first_images(store: Store) -> dict[str, dict[tuple[str, str], dict[str, np.ndarray]]]:
    """For each plain network, by method and attack, the arrays of the first image."""
    from myths.saliency.trials import AttackImages

    by_network: dict[str, dict[tuple[str, str], dict[str, np.ndarray]]] = {}
    whole = [r for r in store.records if r.status == "ok" and r.arrays and store.has_arrays(r)]
    for record in whole:
        trial = record.trial
        if isinstance(trial, AttackImages) and trial.network.defence == "none" and trial.output == "paper":
            name = f"{trial.network.network} on {trial.network.dataset}"
            first = {key: values[:1] for key, values in store.outcome(record).arrays.items()}
            by_network.setdefault(name, {})[trial.method, trial.attack] = first
    return by_network


def _attacked(name: str, first: Mapping[tuple[str, str], Mapping[str, np.ndarray]]) -> Figure:
    order = [(m, a) for m in METHODS for a in ATTACKS if (m, a) in first]
    joined = {key: np.concatenate([first[pair][key] for pair in order]) for key in ARRAYS}
    return sheet(f"Maps before and after, {name}", joined, [f"{method}\n{attack}" for method, attack in order])


def own(tables: Mapping[str, pd.DataFrame], store: Store) -> Figure | None:
    """The user's own pictures under all methods that were attacked as in the newest attack on them."""
    attacks = [
        (record, record.trial)
        for record in store.records
        if record.status == "ok" and isinstance(record.trial, Attack) and record.trial.image not in BUILT_IN and store.has_arrays(record)
    ]
    if not attacks:
        return None
    newest = attacks[-1][1]
    alike = {trial.method: record for record, trial in attacks if replace(trial, method=newest.method) == newest}
    most = max(1, MOST // len(alike))
    shown = {method: {name: values[:most] for name, values in store.outcome(record).arrays.items()} for method, record in alike.items()}
    joined = {name: np.concatenate([arrays[name] for arrays in shown.values()]) for name in ARRAYS}
    files = {method: [str(row["file"]).rpartition("/")[2] for row in record.rows[:most]] for method, record in alike.items()}
    names = [file if len(alike) == 1 else f"{file}\n{method}" for method in alike for file in files[method]]
    methods = newest.method if len(alike) == 1 else f"{len(alike)} methods"
    return sheet(f"{methods}, {newest.attack} attack, ε = {newest.epsilon:g}/255", joined, names)


def sheet(title: str, arrays: Mapping[str, Float[np.ndarray, "n ..."]], names: Sequence[str]) -> Figure:
    """A row an image. ``arrays``: images and perturbed [n, c, h, w] with values 0..1, maps and perturbed_maps [n, h, w]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from myths.lab.report import style

    images, perturbed = arrays["images"], arrays["perturbed"]
    n, side = len(images), max(CELL, images.shape[-1])
    step, captions = side + side // 12, []
    # One picture of all cells: a pair of axes for each would take seconds to draw.
    canvas = np.ones((n * step, len(COLUMNS) * step, 3))
    for i in range(n):
        moved = perturbed[i] - images[i]
        widest = max(float(np.abs(moved).max()), 1e-9)
        captions.append(f"{names[i]}\n± {255 * widest:.0f}/255")
        cells = images[i], _heat(arrays["maps"][i]), perturbed[i], _heat(arrays["perturbed_maps"][i]), 0.5 + moved / (2 * widest)
        for j, cell in enumerate(cells):
            canvas[i * step : i * step + side, j * step : j * step + side] = _enlarged(cell, side)
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


def _heat(salience: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "3 h w"]:
    from matplotlib import colormaps

    brightest = max(float(np.percentile(salience, SHOWN_PERCENTILE)), 1e-9)
    return colormaps["inferno"](salience.clip(0, brightest) / brightest)[..., :3].transpose(2, 0, 1)


def _enlarged(cell: Float[np.ndarray, "c h w"], side: int) -> Float[np.ndarray, "side side 3"]:
    rows, columns = (np.arange(side) * length // side for length in cell.shape[1:])
    return np.broadcast_to(cell[:, rows][:, :, columns], (3, side, side)).transpose(1, 2, 0)
