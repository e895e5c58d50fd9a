"""Attributions: how much each pixel of an image has to do with a network's output, by several methods under one verb."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from myths.lab.device import CHANNELS, chunk_size, halve_on_out_of_memory
from myths.saliency.attributions import deeplift, grad_cam, gradient, gradient_times_input, integrated_gradients, smoothgrad
from myths.saliency.maps import pixel_map
from myths.saliency.names import Method, Output, check_layer

_ATTRIBUTE: dict[Method, Callable[..., Tensor]] = {
    "gradient": gradient.attribute,
    "gradient-times-input": gradient_times_input.attribute,
    "integrated-gradients": integrated_gradients.attribute,
    "smoothgrad": smoothgrad.attribute,
    "deeplift": deeplift.attribute,
    "grad-cam": grad_cam.attribute,
}
WITH_REFERENCE: tuple[Method, ...] = ("gradient-times-input", "integrated-gradients", "deeplift")
COMPLETE: tuple[Method, ...] = ("integrated-gradients", "deeplift")
"""Methods whose attributions sum up to output(image) − output(reference)."""

DEVIATION = 0.15
"""Of SmoothGrad's noise, for pixel values in 0..1 (Smilkov et al. 2017 take 10 to 20 % of the range)."""

Part = Callable[..., Tensor]
Objective = Callable[[Float[Tensor, "n h w"]], Float[Tensor, " n"]]
"""From pixel maps to what is to grow, a number an image."""


@dataclass
class Explanation:
    """A method with its settings. ``passes`` are its steps or samples, which cost a forward and a backward pass each; 1 for most."""

    method: Method
    reference: Float[Tensor, "c 1 1"]
    output: Output = "logit"
    passes: int = 1
    noise: Float[Tensor, "samples c h w"] | None = None
    chunk: int = 1024
    """Images times passes that are in memory at once; halved, and kept so, when memory runs out."""
    layer: str = ""
    """Layer of Grad-CAM; "" is the last convolution."""

    def of(self, images: Float[Tensor, "n c h w"]) -> Explanation:
        """The same with as much in memory at once as suits images of this size."""
        return replace(self, chunk=chunk_for(images))

    def attribute(self, network: nn.Module, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"]) -> Float[Tensor, "n d h w"]:
        """Attributions, detached; d is the number of channels, or 1 for Grad-CAM."""

        def work(parts: int, piece: slice) -> Tensor:
            given = images[piece].detach(), labels[piece]
            return torch.stack([part(network, *given) for part in self._parts(parts)]).sum(0)

        return self._chunked(work, images)

    def maps(self, network: nn.Module, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"]) -> Float[Tensor, "n h w"]:
        """Pixel maps of mean 1."""
        return pixel_map(self.attribute(network, images, labels))

    def ascent(
        self, network: nn.Module, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"], objective: Callable[[slice], Objective]
    ) -> Float[Tensor, "n c h w"]:
        """The gradient of an objective of the maps by the images: a second derivative of the network.

        ``objective`` gives that of some of the images. Where not all passes fit into memory at once the map is made first, and then
        what it changes by is carried back through one part of the passes after the other: the same gradient in bounded memory.
        """

        def work(parts: int, piece: slice) -> Tensor:
            at, of = images[piece].detach().requires_grad_(), labels[piece]
            # Fused attention has no second derivative.
            with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
                if parts == 1:
                    whole = self._parts(1)[0](network, at, of, create_graph=True)
                    return _slope(objective(piece)(pixel_map(whole)), at)
                summed = torch.stack([part(network, at, of) for part in self._parts(parts)]).sum(0).detach().requires_grad_()
                change = _slope(objective(piece)(pixel_map(summed)), summed)
                total = torch.zeros_like(at)
                for part in self._parts(parts):
                    total += _slope(part(network, at, of, create_graph=True) * change, at)
                return total

        return self._chunked(work, images)

    def _parts(self, parts: int) -> list[Part]:
        settings: dict[str, Any] = {"output": self.output}
        if self.method in WITH_REFERENCE:
            settings["reference"] = self.reference
        if self.method == "integrated-gradients":
            settings["steps"] = self.passes
        if self.method == "smoothgrad":
            settings["noise"] = self.noise
        if self.method == "grad-cam":
            settings["layer"] = self.layer
        whole = partial(_ATTRIBUTE[self.method], **settings)
        if self.passes == 1:
            return [whole]
        ends = [round(i * self.passes / parts) for i in range(parts + 1)]
        return [partial(whole, part=range(first, last)) for first, last in itertools.pairwise(ends) if first < last]

    def _chunked(self, work: Callable[[int, slice], Tensor], images: Tensor) -> Tensor:
        while True:
            parts, together = math.ceil(self.passes / self.chunk), max(1, self.chunk // self.passes)
            try:
                size = CHANNELS * images.shape[-2] * images.shape[-1] * math.ceil(self.passes / parts)
                pieces, fitted = halve_on_out_of_memory(partial(work, parts), len(images), together, elements=size)
            except torch.OutOfMemoryError:
                if parts >= self.passes:
                    raise
                self.chunk = math.ceil(self.passes / parts) // 2
                continue
            if fitted < together:
                self.chunk = fitted * self.passes
            return torch.cat(pieces)


def _slope(values: Tensor, at: Tensor) -> Tensor:
    """Return the derivative of the sum; zeros where the values do not depend on it, as the gradient of a linear network does not."""
    if not values.requires_grad:
        return torch.zeros_like(at)
    return torch.autograd.grad(values.sum(), at, materialize_grads=True)[0]


def explanation(
    method: Method,
    reference: Float[Tensor, "c 1 1"],
    *,
    output: Output | None = None,
    passes: int = 50,
    noise: Float[Tensor, "passes c h w"] | None = None,
    layer: str = "",
) -> Explanation:
    """A method as the paper uses it: of the logit, and integrated gradients of the probability, unless ``output`` says otherwise.

    ``passes`` are the steps of integrated gradients, or the samples of SmoothGrad, which needs their ``noise`` (``noise_for``); other
    methods make one pass. ``layer`` is that of Grad-CAM. Raises UsageError for a layer with another method.
    """
    check_layer(layer, method)
    if method == "smoothgrad" and noise is None:
        raise ValueError("smoothgrad needs noise")
    several = method in ("integrated-gradients", "smoothgrad")
    paper: Output = "probability" if method == "integrated-gradients" else "logit"
    return Explanation(method, reference, output or paper, passes if several else 1, noise, layer=layer)


def noise_for(method: Method, samples: int, images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Tensor | None:
    """SmoothGrad's noise for images of this shape [samples c h w], drawn on the device of the generator; None for other methods."""
    if method != "smoothgrad":
        return None
    return DEVIATION * torch.randn(samples, *images.shape[1:], generator=generator, device=generator.device).to(images)


def chunk_for(images: Float[Tensor, "n c h w"]) -> int:
    """Images times passes at once, by the size of an image: what a GPU has room for, a first guess that is halved when memory runs out.

    A CPU takes what stays in its caches, which ``benchmarks/test_saliency.py`` times beside larger chunks; of large images, which do
    not, enough that the steps of integrated gradients go through at once.
    """
    pixels = images.shape[-2] * images.shape[-1]
    wanted = max(16, 2**16 // pixels) if images.device.type == "cpu" else max(1, 2**25 // pixels)
    return chunk_size(wanted, CHANNELS * pixels)
