"""Simulated cameras: pseudo-datasets of the same photographs, without a download.

The photographs come with scikit-image and scikit-learn and are cut into crops. A simulated camera chooses the framing, resamples the crop,
shifts the white balance, adds sensor noise and compresses it as JPEG. "camera 1", "camera 2" … differ in all of these. "same camera 1",
"same camera 2" … are one camera with different crops: the null control. Crops of one scene are never in both training and test data.
"""

from __future__ import annotations

import functools
import io
import zlib
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from myths.dataset_bias.sets import CAMERA_NAME, is_simulated_camera

IMAGE_SIZE = 64
PER_SCENE = 14
"""Crops per scene and camera."""


@dataclass(frozen=True)
class Camera:
    """A simulated camera.

    Attributes:
        window: Smallest and largest size of a crop, as a fraction of the photograph's shorter side.
        pixels: Sensor resolution in pixels per side. The result is resized to ``IMAGE_SIZE``.
        balance: Gains of red, green and blue.
        noise: Standard deviation of the sensor noise, in gray levels.
        quality: JPEG quality.
    """

    window: tuple[float, float]
    pixels: int
    balance: tuple[float, float, float]
    noise: float
    quality: int


CAMERAS = (
    Camera((0.70, 1.00), 64, (1.00, 1.00, 1.00), 1.0, 95),  # wide and clean
    Camera((0.70, 1.00), 24, (1.15, 1.00, 0.82), 2.0, 85),  # few pixels, warm light
    Camera((0.20, 0.35), 64, (0.85, 1.00, 1.12), 1.0, 90),  # close, cool light
    Camera((0.35, 0.60), 64, (1.00, 1.03, 0.97), 16.0, 75),  # dark, hence noisy
    Camera((0.35, 0.60), 64, (1.03, 1.00, 0.97), 2.0, 12),  # compressed hard
)
SCENES = (
    "astronaut", "chelsea", "coffee", "rocket", "motorcycle", "camera", "coins", "brick", "grass", "gravel", "moon",
    "immunohistochemistry", "china.jpg", "flower.jpg",
)  # fmt: skip


def photographs_of(name: str) -> tuple[UInt8[Tensor, "n 3 side side"], Int64[Tensor, " n"], tuple[str, ...]]:
    """Return the images of a camera, and the scene of each as an index and by name. The result is deterministic."""
    found = CAMERA_NAME.fullmatch(name)
    if found is None or not is_simulated_camera(name):
        raise ValueError(f"there is no simulated camera {name!r}")
    camera = CAMERAS[0] if found[1] else CAMERAS[int(found[2]) - 1]
    rng = np.random.default_rng(zlib.crc32(name.replace("camera", "chain").encode()))  # seeds are those of the former names
    crops = [_take(photograph, camera, rng) for photograph in _scenes() for _ in range(PER_SCENE)]
    numbers = torch.arange(len(SCENES)).repeat_interleave(PER_SCENE)
    images = torch.from_numpy(np.ascontiguousarray(np.stack(crops).transpose(0, 3, 1, 2)))
    return images, numbers, tuple(SCENES[i] for i in numbers.tolist())


def _take(photograph: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    from PIL import Image

    height, width = photograph.shape[:2]
    edge = int(rng.uniform(*camera.window) * min(height, width))
    top, left = rng.integers(height - edge + 1), rng.integers(width - edge + 1)
    window = Image.fromarray(photograph[top : top + edge, left : left + edge])
    sampled = np.asarray(window.resize((camera.pixels, camera.pixels), Image.Resampling.BICUBIC), dtype=np.float64)
    seen = sampled * camera.balance + rng.normal(scale=camera.noise, size=sampled.shape)
    picture = Image.fromarray(seen.round().clip(0, 255).astype(np.uint8)).resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    picture.save(file, "jpeg", quality=camera.quality)
    return np.asarray(Image.open(file).convert("RGB"))


@functools.cache
def _scenes() -> tuple[np.ndarray, ...]:
    """Return the photographs in RGB."""
    return tuple(_scene(name) for name in SCENES)


def _scene(name: str) -> np.ndarray:
    from skimage import data
    from sklearn.datasets import load_sample_image

    if name.endswith(".jpg"):
        image = load_sample_image(name)
    elif name == "motorcycle":
        image = data.stereo_motorcycle()[0]
    else:
        image = getattr(data, name)()
    return np.ascontiguousarray(image if image.ndim == 3 else np.stack([image] * 3, axis=-1))
