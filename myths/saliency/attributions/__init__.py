"""Attribution methods with a common ``attribute`` interface."""

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

from myths.lab.measurement.device import CHANNELS, chunk_size, halve_on_out_of_memory
from myths.saliency.attributions import deeplift, grad_cam, gradient, gradient_times_input, integrated_gradients, smoothgrad
from myths.saliency.maps import pixel_map
from myths.saliency.names import AVERAGING_METHODS, Method, Output, check_layer

_ATTRIBUTE: dict[Method, Callable[..., Tensor]] = {
    "gradient": gradient.attribute,
    "gradient-times-input": gradient_times_input.attribute,
    "integrated-gradients": integrated_gradients.attribute,
    "smoothgrad": smoothgrad.attribute,
    "deeplift": deeplift.attribute,
    "grad-cam": grad_cam.attribute,
}
WITH_BASELINE: tuple[Method, ...] = ("gradient-times-input", "integrated-gradients", "deeplift")
COMPLETE: tuple[Method, ...] = ("integrated-gradients", "deeplift")
"""Methods whose attributions sum to output(image) − output(baseline)."""

SMOOTHGRAD_STD = 0.15
"""Standard deviation of SmoothGrad's noise, for pixel values 0..1 (Smilkov et al. 2017: 10 to 20 % of the range)."""

PartialAttribution = Callable[..., Tensor]
"""Computes the part of the attributions that some of the steps contribute."""
Objective = Callable[[Float[Tensor, "n h w"]], Float[Tensor, " n"]]
"""Maps pixel maps to the values that an attack maximizes, one per image."""


@dataclass
class Attribution:
    """An attribution method with its settings.

    Attributes:
        method: Name of the method.
        baseline: Baseline color of gradient times input, integrated gradients and DeepLIFT.
        output: Output that is explained.
        n_steps: Steps of integrated gradients, or samples of SmoothGrad; 1 for the other methods.
        noise: Noise of SmoothGrad.
        internal_batch_size: Maximum number of images times steps that are in memory at once. It is halved when memory runs out.
        layer: Layer of Grad-CAM; "" is the last convolution.
    """

    method: Method
    baseline: Float[Tensor, "c 1 1"]
    output: Output = "logit"
    n_steps: int = 1
    noise: Float[Tensor, "samples c h w"] | None = None
    internal_batch_size: int = 1024
    layer: str = ""

    def batched_for(self, images: Float[Tensor, "n c h w"]) -> Attribution:
        """Return the method with the default internal batch size for images of this size."""
        return replace(self, internal_batch_size=default_internal_batch_size(images))

    def attribute(self, network: nn.Module, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"]) -> Float[Tensor, "n d h w"]:
        """Return detached attributions; d is the number of channels, or 1 for Grad-CAM."""

        def compute(parts: int, piece: slice) -> Tensor:
            inputs = images[piece].detach(), labels[piece]
            return torch.stack([part(network, *inputs) for part in self._parts(parts)]).sum(0)

        return self._batched(compute, images)

    def maps(self, network: nn.Module, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"]) -> Float[Tensor, "n h w"]:
        """Return pixel maps with mean 1."""
        return pixel_map(self.attribute(network, images, labels))

    def objective_gradient(
        self, network: nn.Module, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"], objective: Callable[[slice], Objective]
    ) -> Float[Tensor, "n c h w"]:
        """Return the gradient of an objective of the maps with respect to the images. It contains second derivatives of the network.

        If the steps do not fit in memory at once, the maps are computed first, and their gradient is then propagated through one part of
        the steps after the other. The result is the same in bounded memory.

        Args:
            network: A network with second derivatives, such as a softplus surrogate.
            images: Pixel values 0..1.
            labels: Class of each image.
            objective: Returns the objective of a slice of the images.
        """

        def compute(parts: int, piece: slice) -> Tensor:
            at, of = images[piece].detach().requires_grad_(), labels[piece]
            # Fused attention has no second derivative.
            with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
                if parts == 1:
                    whole = self._parts(1)[0](network, at, of, create_graph=True)
                    return _gradient(objective(piece)(pixel_map(whole)), at)
                summed = torch.stack([part(network, at, of) for part in self._parts(parts)]).sum(0).detach().requires_grad_()
                weights = _gradient(objective(piece)(pixel_map(summed)), summed)
                total = torch.zeros_like(at)
                for part in self._parts(parts):
                    total += _gradient(part(network, at, of, create_graph=True) * weights, at)
                return total

        return self._batched(compute, images)

    def _parts(self, parts: int) -> list[PartialAttribution]:
        settings: dict[str, Any] = {"output": self.output}
        if self.method in WITH_BASELINE:
            settings["baseline"] = self.baseline
        if self.method == "integrated-gradients":
            settings["n_steps"] = self.n_steps
        if self.method == "smoothgrad":
            settings["noise"] = self.noise
        if self.method == "grad-cam":
            settings["layer"] = self.layer
        whole = partial(_ATTRIBUTE[self.method], **settings)
        if self.n_steps == 1:
            return [whole]
        ends = [round(i * self.n_steps / parts) for i in range(parts + 1)]
        return [partial(whole, part=range(first, last)) for first, last in itertools.pairwise(ends) if first < last]

    def _batched(self, function: Callable[[int, slice], Tensor], images: Tensor) -> Tensor:
        while True:
            parts, together = math.ceil(self.n_steps / self.internal_batch_size), max(1, self.internal_batch_size // self.n_steps)
            try:
                size = CHANNELS * images.shape[-2] * images.shape[-1] * math.ceil(self.n_steps / parts)
                pieces, fitted = halve_on_out_of_memory(partial(function, parts), len(images), together, elements=size)
            except torch.OutOfMemoryError:
                if parts >= self.n_steps:
                    raise
                self.internal_batch_size = math.ceil(self.n_steps / parts) // 2
                continue
            if fitted < together:
                self.internal_batch_size = fitted * self.n_steps
            return torch.cat(pieces)


def _gradient(values: Tensor, at: Tensor) -> Tensor:
    """Return the derivative of the sum of ``values``, or zeros if they do not depend on ``at`` (the gradient of a linear network)."""
    if not values.requires_grad:
        return torch.zeros_like(at)
    return torch.autograd.grad(values.sum(), at, materialize_grads=True)[0]


def make_attribution(
    method: Method,
    baseline: Float[Tensor, "c 1 1"],
    *,
    output: Output | None = None,
    n_steps: int = 50,
    noise: Float[Tensor, "passes c h w"] | None = None,
    layer: str = "",
) -> Attribution:
    """Return an attribution method with the paper's defaults.

    Args:
        method: Name of the method.
        baseline: Baseline color.
        output: Output that is explained. Default: the probability for integrated gradients, the logit for the other methods.
        n_steps: Steps of integrated gradients, or samples of SmoothGrad. Other methods ignore it.
        noise: Noise of SmoothGrad, see ``noise_for``.
        layer: Layer of Grad-CAM. Default: the last convolution.

    Raises:
        UsageError: A layer is given for a method other than Grad-CAM.
        ValueError: SmoothGrad is requested without noise.
    """
    check_layer(layer, method)
    if method == "smoothgrad" and noise is None:
        raise ValueError("method=smoothgrad needs noise: pass noise_for(...)")
    default: Output = "probability" if method == "integrated-gradients" else "logit"
    return Attribution(method, baseline, output or default, n_steps if method in AVERAGING_METHODS else 1, noise, layer=layer)


def noise_for(method: Method, samples: int, images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Tensor | None:
    """Return the noise of SmoothGrad for images of this shape [samples c h w], or None for other methods."""
    if method != "smoothgrad":
        return None
    return SMOOTHGRAD_STD * torch.randn(samples, *images.shape[1:], generator=generator, device=generator.device).to(images)


def default_internal_batch_size(images: Float[Tensor, "n c h w"]) -> int:
    """Return the default number of images times steps that are in memory at once, by the size of an image.

    On a GPU, it is a first guess that is halved when memory runs out. On a CPU, it keeps small images in the cache
    (``benchmarks/test_saliency.py`` compares it with larger batches), and lets all steps of integrated gradients of a large image run at
    once.
    """
    pixels = images.shape[-2] * images.shape[-1]
    size = max(16, 2**16 // pixels) if images.device.type == "cpu" else max(1, 2**25 // pixels)
    return chunk_size(size, CHANNELS * pixels)
