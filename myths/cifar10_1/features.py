"""Features of the classical methods: pixels, random patches (Coates & Ng 2012) and histograms of oriented gradients."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from myths.lab.measurement.device import halve_on_out_of_memory
from myths.lab.vision import hog as vision_hog
from myths.lab.vision.memory_format import of_filters

ORIENTATIONS = 9
THRESHOLD = 0.5
"""Threshold of a filter response, in standard deviations of whitened patches along a filter."""
QUADRANTS = 2


def pixels(x: UInt8[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
    """Return pixel values from 0 to 1, flattened."""
    return x.flatten(1).float() / 255


class RandomPatches:
    """Convolution with random training patches, a two-sided threshold, and mean pooling over quadrants.

    The features of Coates & Ng (2012, §3) with sampled instead of clustered filters, as in the ``random_features`` models of Recht et al.
    Filters are whitened patches of about a fifth of the image size, scaled to unit length.

    Args:
        x_train: Images that the patches are sampled from.
        filters: Number of filters.
        generator: Random numbers.
        stride: Stride of the convolution in pixels.
    """

    def __init__(self, x_train: UInt8[Tensor, "n c h w"], filters: int, generator: torch.Generator, *, stride: int = 1):
        patch = max(3, round(x_train.shape[-1] * 6 / 32))
        whitening, mean, std = _whitening(_patches(x_train, patch, 20_000, generator))
        drawn = (_patches(x_train, patch, filters, generator) - mean) @ whitening
        unit = F.normalize(drawn, dim=1)
        # ⟨unit, whitened patch⟩ is linear in the patch, so the whitening is folded into filter and bias.
        weight = (unit @ whitening).reshape(filters, x_train.shape[1], patch, patch) / std
        self.weight = weight.contiguous(memory_format=of_filters(weight, stride))
        self.bias = -(unit @ whitening @ mean) / std
        self.stride = stride

    @classmethod
    def from_filters(cls, weight: Float[Tensor, "k c p p"], bias: Float[Tensor, " k"], stride: int) -> RandomPatches:
        """Return the features with given filters and biases."""
        made = cls.__new__(cls)
        made.weight, made.bias, made.stride = weight.contiguous(memory_format=of_filters(weight, stride)), bias, stride
        return made

    def __call__(self, x: UInt8[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the features of images, on their device."""
        memory_format = of_filters(self.weight, self.stride)

        def work(piece: slice) -> Tensor:
            images = (x[piece].float() / 255).contiguous(memory_format=memory_format)
            z = F.conv2d(images, self.weight, self.bias, stride=self.stride)
            halves = ((z - THRESHOLD).relu_(), (-THRESHOLD - z).relu_())
            return torch.cat([F.adaptive_avg_pool2d(half, QUADRANTS) for half in halves], dim=1).flatten(1)

        filters, _, *patch = self.weight.shape
        places = [(side - p) // self.stride + 1 for side, p in zip(x.shape[2:], patch, strict=True)]
        elements = max(math.prod(x.shape[1:]), filters * math.prod(places))
        return torch.cat(halve_on_out_of_memory(work, len(x), _batch(x), elements=elements)[0])


def hog(x: UInt8[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
    """Return histograms of oriented gradients: nine orientations, cells of a quarter of the image size, blocks of 2×2 cells."""
    return vision_hog.hog(x, ORIENTATIONS, (x.shape[-1] // 4,) * 2, (2, 2))


def _whitening(patches: Float[Tensor, "m d"]) -> tuple[Float[Tensor, "d d"], Float[Tensor, " d"], Float[Tensor, ""]]:
    """Return the ZCA whitening of patches, their mean, and the standard deviation of whitened patches along one direction."""
    mean = patches.mean(0)
    centered = (patches - mean).double()
    values, vectors = torch.linalg.eigh(centered.T @ centered / len(patches))
    whitening = ((vectors / (values + 0.1 * values.mean()).sqrt()) @ vectors.T).float()
    return whitening, mean, ((patches - mean) @ whitening).std()


def _batch(x: Tensor) -> int:
    # On a CPU memory bandwidth limits the speed; the responses to 50 images fit in the cache: three times as fast as 500.
    return 2000 if x.is_cuda else 50


def _patches(x: UInt8[Tensor, "n c h w"], size: int, count: int, generator: torch.Generator) -> Float[Tensor, "m d"]:
    """Return random patches of random images, with pixel values from 0 to 1, flattened in the order of a convolution's weight."""

    def sample(high: int) -> Tensor:
        return torch.randint(high, (count, 1, 1), generator=generator, device=generator.device).to(x.device)

    image, top, left = sample(len(x)), sample(x.shape[2] - size + 1), sample(x.shape[3] - size + 1)

    offset = torch.arange(size, device=x.device)
    taken = x[image, :, top + offset[:, None], left + offset]  # m, size, size, c
    return taken.permute(0, 3, 1, 2).flatten(1).float() / 255
