"""Transforms of all images before classification: a common format, the corruptions of Liu & He 2024, and the information that Zeng et al.
2024 keep."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor
from torchvision.transforms.v2 import functional as torchvision_functional

from myths.dataset_bias.sets import Transform

COMMON_PIXELS = 48
COMMON_JPEG_QUALITY = 75
BLUR = 2.0
"""Standard deviation of the Gaussian in pixels, for an image size of 64."""
NOISE = 0.2
"""Standard deviation of the Gaussian noise as a fraction of the range, the milder value of the paper."""
PATCH = 16

Images = UInt8[Tensor, "n 3 h w"]


def apply_transform(images: Images, transform: Transform, generator: torch.Generator) -> Images:
    """Return transformed images of the same shape.

    "common format" takes the central 7/8 of the image, resizes it with one filter to 48 pixels, converts it to gray, compresses it as JPEG
    and
    resizes it to its original size. No dataset is then recognizable by color, frame, sharpness or compression alone. Earlier processing by
    the
    source remains: an enlarged image is still smooth.

    Args:
        images: Images as uint8.
        transform: Name of the transform.
        generator: CPU generator of noise and patch order.
    """
    return images if transform == "none" else _TRANSFORMS[transform](images, generator)


def gray(images: Images) -> Images:
    """Return the luma of ITU-R 601 in three equal channels."""
    return torchvision_functional.rgb_to_grayscale(images, num_output_channels=3)


def common_format(images: Images, generator: torch.Generator | None = None) -> Images:
    """Apply the common format, see ``apply_transform``."""
    height, width = images.shape[2:]
    top, left = height // 16, width // 16
    middle = images[:, :, top : height - top, left : width - left]
    small = gray(_resize(middle, (COMMON_PIXELS, COMMON_PIXELS)))
    return _resize(_jpeg(small, COMMON_JPEG_QUALITY), (height, width))


def _jpeg(images: Images, quality: int) -> Images:
    from PIL import Image

    def once(image: np.ndarray) -> np.ndarray:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "jpeg", quality=quality)
        return np.asarray(Image.open(file))

    with ThreadPoolExecutor(4) as pool:
        luma = list(pool.map(once, images[:, 0].cpu().numpy()))
    return torch.from_numpy(np.stack(luma)).to(images.device)[:, None].expand(-1, 3, -1, -1).contiguous()


def _blur(images: Images, generator: torch.Generator) -> Images:
    size = 2 * round(3 * BLUR) + 1
    return torchvision_functional.gaussian_blur(images, [size, size], [BLUR, BLUR])


def _noise(images: Images, generator: torch.Generator) -> Images:
    drawn = torch.randn(images.shape, generator=generator).to(images.device)
    return (images + 255 * NOISE * drawn).round_().clamp_(0, 255).to(torch.uint8)


def _small(images: Images, generator: torch.Generator) -> Images:
    return _resize(_resize(images, (32, 32)), (images.shape[2], images.shape[3]))


def _shuffle(images: Images, generator: torch.Generator) -> Images:
    """Shuffle the patches of each image independently."""
    n, _, height, width = images.shape
    patches = F.unfold(images.float(), PATCH, stride=PATCH)  # n, c*p*p, places
    order = torch.rand(n, patches.shape[2], generator=generator).argsort(1).to(images.device)
    moved = patches.gather(2, order[:, None].expand(-1, patches.shape[1], -1))
    return F.fold(moved, (height, width), PATCH, stride=PATCH).to(torch.uint8)


def _high_pass(images: Images, generator: torch.Generator) -> Images:
    """Return what a blur removes, around the middle of the range."""
    return (images.float() - _blur(images, generator).float() + 128).round_().clamp_(0, 255).to(torch.uint8)


def _edges(images: Images, generator: torch.Generator) -> Images:
    """Return the edges of Canny's detector in white on black."""
    from skimage.feature import canny

    luma = gray(images)[:, 0].cpu().numpy()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda image: canny(image / 255.0), luma))
    return torch.from_numpy(255 * np.stack(found).astype(np.uint8)).to(images.device)[:, None].expand(-1, 3, -1, -1).contiguous()


def _shuffle_pixels(images: Images, generator: torch.Generator) -> Images:
    """Shuffle the pixels of each image independently."""
    flat = images.flatten(2)
    order = torch.rand(len(images), flat.shape[2], generator=generator).argsort(1).to(images.device)
    return flat.gather(2, order[:, None].expand(-1, flat.shape[1], -1)).view_as(images)


def _mean_color(images: Images, generator: torch.Generator) -> Images:
    return images.float().mean((2, 3), keepdim=True).round_().to(torch.uint8).expand_as(images).contiguous()


def _resize(images: Images, size: tuple[int, int]) -> UInt8[Tensor, "n 3 r s"]:
    resized = F.interpolate(images.float(), size=size, mode="bicubic", antialias=True)
    return resized.round_().clamp_(0, 255).to(torch.uint8)


_TRANSFORMS: dict[str, Callable[[Images, torch.Generator], Images]] = {
    "common format": common_format,
    "gray": lambda images, generator: gray(images),
    "blur": _blur,
    "noise": _noise,
    "32 pixels": _small,
    "shuffled patches": _shuffle,
    "high pass": _high_pass,
    "edges": _edges,
    "shuffled pixels": _shuffle_pixels,
    "mean color": _mean_color,
}
