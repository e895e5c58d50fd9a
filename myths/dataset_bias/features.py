"""Inputs of the linear classifier: the image features of Torralba & Efros 2011, Fig. 2, and features of an ImageNet network."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from myths.dataset_bias.sets import Feature
from myths.lab.measurement.device import halve_on_out_of_memory
from myths.lab.vision.hog import blocks, hog

THUMBNAIL = 32
CELL, BLOCK, ORIENTATIONS = (8, 8), (2, 2), 9
VOCABULARY_SIZE = 200
"""Number of visual words."""
VOCABULARY_SAMPLE = 20_000
"""Number of HOG blocks that are clustered."""
KMEANS_ITERATIONS = 15
SCALES = (2.0, 4.0, 8.0)
"""Wavelengths of the filter bank in pixels of a thumbnail."""
DIRECTIONS = 8
GRID = 4
NETWORK_PIXELS = 128
"""Height and width of the input of a pretrained network: the images are enlarged twice."""

Images = UInt8[Tensor, "n 3 h w"]
Features = Float[Tensor, "n f"]


def extract(images: Images, feature: Feature) -> Float[Tensor, "n ..."]:
    """Return features of images on their device. "bag of HOG words" returns the blocks, which ``bag_of_words`` counts."""
    return _EXTRACT[feature](images)


def thumbnail(images: Images) -> Float[Tensor, "n 3 32 32"]:
    """Resize images to 32 x 32 pixels with antialiasing, with values in 0 … 1."""
    size = (THUMBNAIL, THUMBNAIL)

    def work(piece: slice) -> Tensor:
        return F.interpolate(images[piece].float() / 255, size=size, mode="bilinear", antialias=True)

    return torch.cat(halve_on_out_of_memory(work, len(images), 1000, elements=math.prod(images.shape[1:]))[0])


def luma(x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 1 h w"]:
    """Return the luma of ITU-R 601."""
    return (x * torch.tensor([0.299, 0.587, 0.114], device=x.device)[:, None, None]).sum(1, keepdim=True)


def gist(images: Images) -> Features:
    """Return the mean energy of Gabor filters (3 wavelengths, 8 directions) in 4×4 cells, after local contrast normalization.

    The features resemble the gist of Oliva & Torralba 2001, but do not use their code.
    """
    bank = _gabor_bank().to(images.device)

    def work(piece: slice) -> Tensor:
        x = luma(thumbnail(images[piece]))
        pad = THUMBNAIL // 2
        padded = F.pad(x, (pad, pad, pad, pad), mode="reflect")
        centered = padded - F.avg_pool2d(padded, 9, 1, 4, count_include_pad=False)
        even = centered / (F.avg_pool2d(centered.square(), 9, 1, 4, count_include_pad=False).sqrt() + 0.05)
        response = torch.fft.ifft2(torch.fft.fft2(even) * bank)[..., pad:-pad, pad:-pad].abs()
        return F.adaptive_avg_pool2d(response, GRID).flatten(1)

    return torch.cat(halve_on_out_of_memory(work, len(images), 50, elements=bank.numel(), element_bytes=8)[0])


def bag_of_words(
    described: Float[Tensor, "n r s d"], train: Float[Tensor, "m r s d"], generator: torch.Generator, vocabulary: int = VOCABULARY_SIZE
) -> Features:
    """Return bags of visual words: the square root of each word's frequency in the image and in its four quarters.

    The words are k-means centers of the HOG blocks of the training images ``train``.
    """
    flat = train.flatten(0, 2)
    drawn = flat[torch.randperm(len(flat), generator=generator)[:VOCABULARY_SAMPLE].to(flat.device)]
    centers = k_means(drawn, min(vocabulary, len(drawn)), generator)

    def work(piece: slice) -> Tensor:
        named = F.one_hot(nearest(described[piece].flatten(0, 2), centers), len(centers))
        counts = named.reshape(*described[piece].shape[:3], -1).permute(0, 3, 1, 2).float()
        whole = F.adaptive_avg_pool2d(counts, 1).flatten(1)
        return torch.cat([whole, F.adaptive_avg_pool2d(counts, 2).flatten(1) / 2], dim=1).sqrt()

    elements = math.prod(described.shape[1:3]) * len(centers)
    return torch.cat(halve_on_out_of_memory(work, len(described), 500, elements=elements, element_bytes=8)[0])


def k_means(x: Float[Tensor, "n d"], k: int, generator: torch.Generator, iterations: int = KMEANS_ITERATIONS) -> Float[Tensor, "k d"]:
    """Return the centers after ``iterations`` of Lloyd's algorithm from random examples. An empty cluster keeps its center."""
    centers = x[torch.randperm(len(x), generator=generator)[:k].to(x.device)]
    for _ in range(iterations):
        mine = F.one_hot(nearest(x, centers), k).to(x.dtype)
        size = mine.sum(0)[:, None]
        centers = torch.where(size > 0, (mine.T @ x) / size.clamp_min(1), centers)
    return centers


def nearest(x: Float[Tensor, "n d"], centers: Float[Tensor, "k d"]) -> Tensor:
    """Return the index of the nearest center of each example."""
    return (x @ centers.T - centers.square().sum(1) / 2).argmax(1)


def squeezenet(images: Images) -> Features:
    """Return the last feature maps of SqueezeNet, trained on ImageNet, averaged over the positions [n 512]."""
    from myths.lab.vision.pretrained import Standardized, build, classes_of, identify, read

    weights = read("squeezenet")
    network = build(identify(weights), classes_of(weights))
    network.load_state_dict(weights)
    whole = Standardized(network).to(images.device).eval()
    maps = torch.nn.Sequential(whole.standardize, network.features)  # type: ignore[arg-type]

    def work(piece: slice) -> Tensor:
        with torch.inference_mode():
            x = F.interpolate(images[piece].float() / 255, size=(NETWORK_PIXELS, NETWORK_PIXELS), mode="bilinear", align_corners=False)
            return maps(x).mean((2, 3))

    return torch.cat(halve_on_out_of_memory(work, len(images), 50, elements=64 * NETWORK_PIXELS**2)[0]).clone()


@functools.cache
def _gabor_bank() -> Float[Tensor, "filters h w"]:
    """Return transfer functions for the padded thumbnail: one-sided Gaussians around one frequency each."""
    size = 2 * THUMBNAIL
    v, u = torch.meshgrid(torch.fft.fftfreq(size), torch.fft.fftfreq(size), indexing="ij")
    filters = []
    for wavelength in SCALES:
        f = 1 / wavelength
        for direction in range(DIRECTIONS):
            angle = math.pi * direction / DIRECTIONS
            along = u * math.cos(angle) + v * math.sin(angle)
            across = -u * math.sin(angle) + v * math.cos(angle)
            filters.append(torch.exp(-((along - f).square() / (2 * (f / 3) ** 2)) - across.square() / (2 * (f / 4) ** 2)))
    return torch.stack(filters)


_EXTRACT: dict[str, Callable[[Images], Tensor]] = {
    "gray thumbnail": lambda images: luma(thumbnail(images)).flatten(1),
    "color thumbnail": lambda images: thumbnail(images).flatten(1),
    "gist": gist,
    "bag of HOG words": lambda images: blocks(images, ORIENTATIONS, CELL, BLOCK),
    "hog": lambda images: hog(images, ORIENTATIONS, CELL, BLOCK),
    "hog and color thumbnail": lambda images: torch.cat([extract(images, "hog"), extract(images, "color thumbnail")], dim=1),
    "squeezenet": squeezenet,
}
