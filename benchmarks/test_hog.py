"""How fast histograms of oriented gradients are: the suite's, all images at once, beside scikit-image's, one by one.

Both describe the same images with the same settings and must agree; ``images per second`` is what to compare.
"""

import numpy as np
import pytest
import torch

from myths.lab.device import machine_class, select_device
from myths.lab.timing import Stopwatch
from myths.lab.vision.hog import hog

DEVICE = select_device("auto")
ROUNDS = 3
SETTINGS = {"orientations": 9, "cell": (8, 8), "block": (2, 2)}


def images(side: int) -> torch.Tensor:
    """Crops of a photograph that comes with scikit-image."""
    from skimage import data

    count = 1000 if DEVICE == "cpu" else 20_000
    photograph = torch.from_numpy(np.array(data.astronaut())).permute(2, 0, 1)
    places = torch.randint(0, 512 - side, (count, 2), generator=torch.Generator().manual_seed(0)).tolist()
    return torch.stack([photograph[:, top : top + side, left : left + side] for top, left in places])


def one_by_one(x: torch.Tensor) -> np.ndarray:
    """As the original was computed: an image at a time."""
    from skimage.feature import hog as reference

    settings = {"orientations": 9, "pixels_per_cell": (8, 8), "cells_per_block": (2, 2), "channel_axis": -1}
    return np.stack([reference(image, **settings) for image in x.permute(0, 2, 3, 1).double().numpy()])


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("method", ["ours", "scikit-image"])
def test_describe(benchmark, method, side):
    x = images(side)
    few = x[:20]
    np.testing.assert_allclose(hog(few.to(DEVICE), **SETTINGS).cpu().numpy(), one_by_one(few), atol=1e-5)
    here = x.to(DEVICE)
    benchmark.group = f"HOG of color images of {side}x{side}, {machine_class(DEVICE)}"
    described = len(x)
    if method == "scikit-image":
        described = min(described, 500)

    def describe() -> None:
        if method == "scikit-image":
            one_by_one(x[:described])
            return
        with Stopwatch(DEVICE):
            hog(here, **SETTINGS)

    benchmark.pedantic(describe, rounds=ROUNDS, warmup_rounds=1)
    benchmark.extra_info.update(device=machine_class(DEVICE), images=described)
    if benchmark.stats:
        benchmark.extra_info["images per second"] = described / benchmark.stats.stats.median
