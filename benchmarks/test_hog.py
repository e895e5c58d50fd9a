"""Speed of histograms of oriented gradients: the suite's, for all images at once, versus scikit-image's, image by image.

Both are computed for the same images and settings, and must agree. Compare ``images per second``.
"""

import numpy as np
import pytest
import torch

from myths.lab.measurement.device import machine_class, select_device
from myths.lab.measurement.timing import Stopwatch
from myths.lab.vision.hog import hog

DEVICE = select_device("auto")
ROUNDS = 3
SETTINGS = {"orientations": 9, "cell": (8, 8), "block": (2, 2)}


def images(size: int) -> torch.Tensor:
    """Return crops of a photograph of scikit-image."""
    from skimage import data

    count = 1000 if DEVICE == "cpu" else 20_000
    photograph = torch.from_numpy(np.array(data.astronaut())).permute(2, 0, 1)
    corners = torch.randint(0, 512 - size, (count, 2), generator=torch.Generator().manual_seed(0)).tolist()
    return torch.stack([photograph[:, top : top + size, left : left + size] for top, left in corners])


def one_by_one(x: torch.Tensor) -> np.ndarray:
    """Compute the features of scikit-image, image by image."""
    from skimage.feature import hog as reference

    settings = {"orientations": 9, "pixels_per_cell": (8, 8), "cells_per_block": (2, 2), "channel_axis": -1}
    return np.stack([reference(image, **settings) for image in x.permute(0, 2, 3, 1).double().numpy()])


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("method", ["suite", "scikit-image"])
def test_hog(benchmark, method, size):
    x = images(size)
    few = x[:20]
    np.testing.assert_allclose(hog(few.to(DEVICE), **SETTINGS).cpu().numpy(), one_by_one(few), atol=1e-5)
    on_device = x.to(DEVICE)
    benchmark.group = f"HOG of color images of {size}x{size}, {machine_class(DEVICE)}"
    n_images = len(x)
    if method == "scikit-image":
        n_images = min(n_images, 500)

    def extract() -> None:
        if method == "scikit-image":
            one_by_one(x[:n_images])
            return
        with Stopwatch(DEVICE):
            hog(on_device, **SETTINGS)

    benchmark.pedantic(extract, rounds=ROUNDS, warmup_rounds=1)
    benchmark.extra_info.update(device=machine_class(DEVICE), images=n_images)
    if benchmark.stats:
        benchmark.extra_info["images per second"] = n_images / benchmark.stats.stats.median
