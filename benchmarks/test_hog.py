"""Speed of histograms of oriented gradients: the suite's, for all images at once, versus scikit-image's, image by image.

Both are computed for the same images and settings, and must agree. Compare ``images per second``.
"""

import numpy as np
import pytest
import torch
from gpu_stages.hog import SETTINGS, hog_one_by_one, photograph_crops

from myths.lab.measurement.device import machine_class, select_device
from myths.lab.measurement.timing import Stopwatch
from myths.lab.vision.hog import hog

DEVICE = select_device("auto")
ROUNDS = 3
IMAGES = 1000 if DEVICE == "cpu" else 20_000


def channels_last(x: torch.Tensor) -> np.ndarray:
    return x.permute(0, 2, 3, 1).double().numpy()


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("method", ["suite", "scikit-image"])
def test_hog(benchmark, method, size):
    x = photograph_crops(size, IMAGES)
    few = x[:20]
    np.testing.assert_allclose(hog(few.to(DEVICE), **SETTINGS).cpu().numpy(), hog_one_by_one(channels_last(few)), atol=1e-5)
    on_device = x.to(DEVICE)
    benchmark.group = f"HOG of color images of {size}x{size}, {machine_class(DEVICE)}"
    n_images = len(x)
    if method == "scikit-image":
        n_images = min(n_images, 500)

    def extract() -> None:
        if method == "scikit-image":
            hog_one_by_one(channels_last(x[:n_images]))
            return
        with Stopwatch(DEVICE):
            hog(on_device, **SETTINGS)

    benchmark.pedantic(extract, rounds=ROUNDS, warmup_rounds=1)
    benchmark.extra_info.update(device=machine_class(DEVICE), images=n_images)
    if benchmark.stats:
        benchmark.extra_info["images per second"] = n_images / benchmark.stats.stats.median
