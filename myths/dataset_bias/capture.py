"""Pseudo data sets without a download: the same photographs, seen through different simulated cameras.

Photographs that scikit-image and scikit-learn install are cut into crops. A chain frames them, resamples them to few or many pixels,
shifts the white balance, adds sensor noise and compresses them as JPEG. "chain 1", "chain 2" … differ in all of that; "same chain 1",
"same chain 2" … are one chain with crops of their own draw: the null control. Crops of one scene never lie in training and test.
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

from myths.dataset_bias.sets import CHAIN_NAME, is_chain

SIDE = 64
PER_SCENE = 14
"""Crops of each scene in each chain."""


@dataclass(frozen=True)
class Chain:
    """A camera and what is done to its pictures."""

    window: tuple[float, float]
    """Share of the photograph's shorter side that a crop takes, from and to: the framing."""
    pixels: int
    """A side is sampled to this many before it comes to ``SIDE``."""
    balance: tuple[float, float, float]
    """Gains of red, green and blue."""
    noise: float
    """Deviation of the sensor's noise, in gray levels."""
    quality: int
    """Of the JPEG."""


CHAINS = (
    Chain((0.70, 1.00), 64, (1.00, 1.00, 1.00), 1.0, 95),  # wide and clean
    Chain((0.70, 1.00), 24, (1.15, 1.00, 0.82), 2.0, 85),  # few pixels, warm light
    Chain((0.20, 0.35), 64, (0.85, 1.00, 1.12), 1.0, 90),  # close, cool light
    Chain((0.35, 0.60), 64, (1.00, 1.03, 0.97), 16.0, 75),  # dark, hence noisy
    Chain((0.35, 0.60), 64, (1.03, 1.00, 0.97), 2.0, 12),  # compressed hard
)
SCENES = (
    *(
        "astronaut",
        "chelsea",
        "coffee",
        "rocket",
        "motorcycle",
        "camera",
        "coins",
        "brick",
        "grass",
        "gravel",
        "moon",
        "immunohistochemistry",
    ),
    *("china.jpg", "flower.jpg"),
)


def photographs_of(name: str) -> tuple[UInt8[Tensor, "n 3 side side"], Int64[Tensor, " n"], tuple[str, ...]]:
    """The pictures of a chain, the scene of each as a number, and by name. The same at every call."""
    found = CHAIN_NAME.fullmatch(name)
    if found is None or not is_chain(name):
        raise ValueError(f"there is no chain {name!r}")
    chain = CHAINS[0] if found[1] else CHAINS[int(found[2]) - 1]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    pictures = [_take(photograph, chain, rng) for photograph in _scenes() for _ in range(PER_SCENE)]
    numbers = torch.arange(len(SCENES)).repeat_interleave(PER_SCENE)
    images = torch.from_numpy(np.ascontiguousarray(np.stack(pictures).transpose(0, 3, 1, 2)))
    return images, numbers, tuple(SCENES[i] for i in numbers.tolist())


def _take(photograph: np.ndarray, chain: Chain, rng: np.random.Generator) -> np.ndarray:
    from PIL import Image

    height, width = photograph.shape[:2]
    edge = int(rng.uniform(*chain.window) * min(height, width))
    top, left = rng.integers(height - edge + 1), rng.integers(width - edge + 1)
    window = Image.fromarray(photograph[top : top + edge, left : left + edge])
    sampled = np.asarray(window.resize((chain.pixels, chain.pixels), Image.Resampling.BICUBIC), dtype=np.float64)
    seen = sampled * chain.balance + rng.normal(scale=chain.noise, size=sampled.shape)
    picture = Image.fromarray(seen.round().clip(0, 255).astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    picture.save(file, "jpeg", quality=chain.quality)
    return np.asarray(Image.open(file).convert("RGB"))


@functools.cache
def _scenes() -> tuple[np.ndarray, ...]:
    """The photographs, RGB, none larger than 512 pixels on its shorter side."""
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
