"""Histograms of oriented gradients: all images at once, versus scikit-image."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import torch

from gpu_stages.stage import Goal, Run, stage
from myths.lab.measurement.timing import compare_timings
from myths.lab.vision.hog import hog

SETTINGS = {"orientations": 9, "cell": (8, 8), "block": (2, 2)}


def photograph_crops(size: int, count: int) -> torch.Tensor:
    """Return crops of a photograph of scikit-image, as uint8 images [count, 3, size, size]."""
    from skimage import data

    photograph = torch.from_numpy(np.array(data.astronaut())).permute(2, 0, 1)
    corners = torch.randint(0, 512 - size, (count, 2), generator=torch.Generator().manual_seed(0)).tolist()
    return torch.stack([photograph[:, top : top + size, left : left + size] for top, left in corners])


def hog_one_by_one(x: np.ndarray) -> np.ndarray:
    """Return the features of scikit-image for images [n, height, width, 3], image by image."""
    from skimage.feature import hog as reference

    settings = {"orientations": 9, "pixels_per_cell": (8, 8), "cells_per_block": (2, 2), "channel_axis": -1}
    return np.stack([reference(image, **settings) for image in x])


@stage(
    "hog",
    seconds=12,
    answers="how many images per second, versus scikit-image?",
    goals=[
        Goal("hog-gpu", "HOG of color images of 32×32, images per second on the GPU over one process", "≥", 100, "scikit-image"),
        Goal("hog-cpu", "HOG of color images of 32×32, images per second, the same cores for both", "≥", 3, "scikit-image", "cpu"),
    ],
)
def measure_hog(run: Run) -> None:
    """Time the suite on the device, and scikit-image in one process and in one process per core that torch uses."""
    cores = torch.get_num_threads()
    with ProcessPoolExecutor(cores, get_context("spawn")) as processes:
        for size in run.pick((32, 64), (32,)):
            x = photograph_crops(size, run.pick(50_000 if run.gpu else 2000, 64))
            few = x[: run.pick(1000 if cores > 2 else 400, 32)].permute(0, 2, 3, 1).double().numpy()
            placed, parts = x.to(run.device), np.array_split(few, 4 * cores)
            np.testing.assert_allclose(hog(placed[:20], **SETTINGS).cpu().numpy(), hog_one_by_one(few[:20]), atol=1e-5)
            methods = {
                "suite": partial(hog, placed, **SETTINGS),
                "scikit-image, one process": partial(hog_one_by_one, few),
                f"scikit-image, {cores} processes": lambda parts=parts: list(processes.map(hog_one_by_one, parts)),
            }
            found = compare_timings(methods, run.device, repeats=run.pick(5, 1), warmup=run.pick(2, 1), budget_seconds=1.0)
            rates = {name: (len(x) if name == "suite" else len(few)) / timing.median for name, timing in found.timings.items()}
            for name, rate in rates.items():
                run.row(size=size, method=name, images_per_second=rate, suite_over_it=rates["suite"] / rate)
            if size == 32:
                run.reach("hog-gpu", rates["suite"] / rates["scikit-image, one process"])
                run.reach("hog-cpu", rates["suite"] / max(rate for name, rate in rates.items() if name != "suite"))
