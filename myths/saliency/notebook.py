"""Explain any classifier, and attack its explanation, from Python: ``explain`` and ``attack`` for a ``torch.nn.Module`` and an image.

Example:
    >>> from torchvision import models
    >>> from myths import saliency
    >>> network = saliency.normalized(models.resnet18(weights="DEFAULT"))
    >>> found = saliency.explain(network, image, method="grad-cam", layer="layer4")  # image: [3, h, w], pixel values 0..1
    >>> found.map.shape, found.prediction
    >>> damage = saliency.attack(network, image, method="integrated-gradients", epsilon=4)
    >>> damage.intersection, damage.after.prediction == damage.before.prediction
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from myths.lab.errors import UsageError
from myths.lab.vision.networks import Standardize
from myths.lab.vision.pretrained import Standardized
from myths.saliency import metrics
from myths.saliency.attacks import Perturbation, perturb
from myths.saliency.attributions import COMPLETE, Explanation, chunk_for, explanation, noise_for
from myths.saliency.attributions.grad_cam import find_layer
from myths.saliency.attributions.gradient import score
from myths.saliency.maps import is_map, pixel_map
from myths.saliency.names import ATTACKS, LEVEL, METHODS, SHARPNESS, AttackName, Method, Output, Schedule
from myths.saliency.precision import exact_convolutions
from myths.saliency.subjects import check

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Explained:
    """Why a network gives an image the class that it does: n images at once."""

    map: Float[Tensor, "n h w"]
    """Σ over channels of |attribution|, with a mean of 1 over the pixels."""
    has_map: Bool[Tensor, " n"]
    """False where the map says nothing: the attributions are all zero, all equal, or not finite."""
    attributions: Float[Tensor, "n d h w"]
    """By channel, in units of the output per the whole pixel difference (gradient, smoothgrad: per pixel value 1); d is 1 for Grad-CAM."""
    prediction: Int64[Tensor, " n"]
    """The class that the network predicts."""
    target: Int64[Tensor, " n"]
    """The class that is explained."""
    confidence: Float[Tensor, " n"]
    """Softmax probability of the target, 0..1."""
    completeness_error: Float[Tensor, " n"] | None
    """|Σ attributions − (output(image) − output(baseline))| as a fraction of |output(image) − output(baseline)|, for methods whose
    attributions sum up to it (integrated gradients up to the error of ``n_steps``, DeepLIFT); None for the others."""


@dataclass(frozen=True)
class Attacked:
    """What a perturbation that keeps the predicted class leaves of an explanation. Measures are NaN where an image has no map."""

    image: Float[Tensor, "n c h w"]
    """The perturbed images, pixel values 0..1."""
    before: Explained
    after: Explained
    """The explanation of the perturbed image, for the class that was predicted before."""
    prediction_kept: Bool[Tensor, " n"]
    intersection: Float[Tensor, " n"]
    """Fraction of the top ``k`` pixels that both maps have in common, 0..1."""
    spearman: Float[Tensor, " n"]
    """Rank correlation of the maps, −1..1."""
    center_shift: Float[Tensor, " n"]
    """Distance of the centers of mass of both maps, in pixels."""
    ssim: Float[Tensor, " n"]
    """Structural similarity of the maps; NaN for images of fewer than 7 pixels per side."""
    largest_change: Float[Tensor, " n"]
    """Largest change of a pixel, in levels of 255."""
    k: int
    original: Float[Tensor, "n c h w"]

    def figure(self) -> Figure:
        """Draw each image, its map, the perturbed image, its map, and the perturbation, magnified."""
        from myths.saliency.pictures import sheet

        tensors = {"images": self.original, "perturbed": self.image, "maps": self.before.map, "perturbed_maps": self.after.map}
        arrays = {name: values.float().cpu().numpy() for name, values in tensors.items()}
        names = [f"class {c}, {p:.0%}" for c, p in zip(self.before.prediction.tolist(), self.before.confidence.tolist(), strict=True)]
        return sheet(f"Top {self.k} pixels in common after the attack: {float(torch.nanmean(self.intersection)):.0%}", arrays, names)


def explain(
    model: nn.Module,
    image: Tensor,
    *,
    method: str = "integrated-gradients",
    target: int | Sequence[int] | None = None,
    layer: str | None = None,
    baseline: float | Sequence[float] | None = None,
    output: str = "logit",
    n_steps: int = 50,
    seed: int = 0,
) -> Explained:
    """Explain a prediction by a saliency map.

    Args:
        model: A classifier that takes pixel values 0..1 and returns logits [n, classes]. Wrap a model that expects normalized pixels:
            ``normalized(model, mean, std)``. The model is used in evaluation mode and left as it was.
        image: Pixel values 0..1, [c, h, w] or [n, c, h, w]. It is moved to the device and the type of the model.
        method: "gradient", "gradient-times-input", "integrated-gradients", "smoothgrad", "deeplift" or "grad-cam".
        target: The class to explain, or one per image. Default: the predicted class.
        layer: Layer of Grad-CAM, as named by ``model.named_modules()``. Default: the last convolution. Only with method="grad-cam".
        baseline: Color that the image is compared with, one number or one per channel, for gradient-times-input, integrated-gradients and
            deeplift. Default: the mean color of a ``normalized`` model, else black.
        output: Whether the logit or the softmax probability is explained. DeepLIFT explains the logit.
        n_steps: Steps of integrated gradients, or samples of SmoothGrad.
        seed: Seed of SmoothGrad's noise.

    Returns:
        The map, the attributions and what the network predicts.

    Raises:
        UsageError: An argument is out of range; the image has another shape, type or range; the model does not return finite logits; the
            model has no such layer; DeepLIFT has no rule for a function of the model.
    """
    with _prepared(model, image) as (network, images):
        predicted = _predict(network, images)
        labels = predicted if target is None else _targets(target, images)
        check(network, images, labels)
        how = _How(method, layer, baseline, output, seed).explanation(network, images, n_steps)
        return _explained(network, how, images, labels, predicted)


def attack(
    model: nn.Module,
    image: Tensor,
    *,
    method: str = "integrated-gradients",
    epsilon: float = 8.0,
    attack: str = "top-k",
    layer: str | None = None,
    baseline: float | Sequence[float] | None = None,
    output: str = "logit",
    k: int | None = None,
    iterations: int = 50,
    step: float = 0.5,
    checkpoint: int = 5,
    beta: float = SHARPNESS,
    n_steps: int = 30,
    attack_steps: int = 10,
    seed: int = 0,
) -> Attacked:
    """Perturb an image so that its saliency map changes and its predicted class stays (Ghorbani et al. 2019, Alg. 1).

    Args:
        model, image, layer, baseline, output: As for ``explain``.
        method: The attribution method that is attacked.
        epsilon: Largest change of a pixel, in levels of 255.
        attack: "top-k", "mass-center" or "targeted"; "random-walk" or "random" as baselines, of which "random" may lose the class.
        k: Number of most salient pixels that are attacked and compared. Default: 2 % of the pixels.
        iterations: Steps of the attack.
        step: Change of a pixel by one step, in levels of 255.
        checkpoint: Steps between two looks at the map.
        beta: Sharpness of the softplus in place of ReLU, through which the attack is differentiated.
        n_steps: Steps of integrated gradients, or samples of SmoothGrad, of the maps that are compared.
        attack_steps: The same inside the attack.
        seed: Seed of the random first step and of SmoothGrad's noise.

    Returns:
        The perturbed image, both explanations, and measures of how alike they are.

    Raises:
        UsageError: As for ``explain``.
    """
    _above_0(iterations=iterations, step=step, checkpoint=checkpoint, beta=beta, attack_steps=attack_steps)
    _one_of("attack", attack, ATTACKS)
    how = _How(method, layer, baseline, output, seed)
    schedule = Schedule(iterations=iterations, step=step, checkpoint=checkpoint, beta=beta)
    with _prepared(model, image) as (network, images):
        k = max(1, round(0.02 * images.shape[-2] * images.shape[-1])) if k is None else k
        inside, judged = (how.explanation(network, images, n) for n in (attack_steps, n_steps))
        plan = Perturbation(attack=cast(AttackName, attack), inside=inside, judged=judged, epsilons=(epsilon,), k=k, schedule=schedule)
        return _attacked(plan, network, images, torch.Generator(images.device).manual_seed(seed))


def normalized(model: nn.Module, mean: Sequence[float] = (0.485, 0.456, 0.406), std: Sequence[float] = (0.229, 0.224, 0.225)) -> nn.Module:
    """Return a network of pixel values 0..1 from one that expects normalized pixels.

    Args:
        model: A classifier of pixels (x − mean) / std. It is shared, not copied.
        mean: Mean per channel, for pixel values 0..1. Default: ImageNet's, as torchvision's networks expect.
        std: Standard deviation per channel. Default: ImageNet's.

    Raises:
        UsageError: ``mean`` and ``std`` differ in length, or a standard deviation is not above 0.
    """
    if len(mean) != len(std) or not all(s > 0 for s in std):
        raise UsageError(f"mean={tuple(mean)}, std={tuple(std)}: give one of each per channel, standard deviations above 0")
    wrapped = Standardized(model, mean, std).train(model.training)
    like = next(model.parameters(), None)
    if like is not None:
        wrapped.standardize.to(like.device, like.dtype)
    return wrapped


# --- what both share -----------------------------------------------------------------------------------


class _Copying(nn.Module):
    """A network that may overwrite its input, but not the caller's image."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Any:
        return self.network(x.clone())


@contextlib.contextmanager
def _prepared(model: nn.Module, image: Tensor) -> Iterator[tuple[nn.Module, Float[Tensor, "n c h w"]]]:
    """The network in evaluation mode, and images that it takes; afterwards the model is as it was."""
    if not isinstance(model, nn.Module):
        raise UsageError(f"model is a {type(model).__name__}: give a torch.nn.Module that takes pixel values 0..1 and returns logits")
    if not isinstance(image, Tensor):
        raise UsageError(f"image is a {type(image).__name__}: give a tensor [c, h, w], made by torchvision.transforms.functional.to_tensor")
    if image.ndim not in (3, 4) or not image.numel():
        raise UsageError(f"image has the shape {tuple(image.shape)}: give [c, h, w] or [n, c, h, w]")
    if not image.is_floating_point():
        raise UsageError(f"image is of type {image.dtype}: give pixel values 0..1, e.g. image.float() / 255")
    like = next((p for p in model.parameters() if p.is_floating_point()), image)
    images = image.detach().to(like.device, like.dtype)
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with exact_convolutions():
            yield _Copying(model).eval(), images if images.ndim == 4 else images[None]
    finally:
        for module in training:
            module.training = True


def _predict(network: nn.Module, images: Tensor) -> Int64[Tensor, " n"]:
    check(network, images, torch.zeros(len(images), dtype=torch.long, device=images.device))
    return _logits(network, images).argmax(1)


@torch.no_grad()
def _logits(network: nn.Module, images: Tensor) -> Float[Tensor, "n classes"]:
    logits = torch.cat([network(chunk) for chunk in images.split(chunk_for(images))])
    if not bool(logits.isfinite().all()):
        raise UsageError("model: its outputs are not finite (NaN or infinite) for this image: check its weights and its normalization")
    return logits


def _targets(target: int | Sequence[int], images: Tensor) -> Int64[Tensor, " n"]:
    given = [target] * len(images) if isinstance(target, int) else [int(t) for t in target]
    if len(given) != len(images):
        raise UsageError(f"target: {len(given)} classes for {len(images)} images; give one class, or one per image")
    return torch.tensor(given, device=images.device)


@dataclass(frozen=True)
class _How:
    """How maps are made, as the user says it."""

    method: str
    layer: str | None
    baseline: float | Sequence[float] | None
    output: str
    seed: int

    def explanation(self, network: nn.Module, images: Tensor, n_steps: int) -> Explanation:
        _one_of("method", self.method, METHODS)
        _one_of("output", self.output, ("logit", "probability"))
        if n_steps < 1:
            raise UsageError(f"n_steps={n_steps}: at least one step")
        if self.method == "grad-cam":
            find_layer(network, self.layer or "")
        generator = torch.Generator(images.device).manual_seed(self.seed)
        noise = noise_for(method := cast(Method, self.method), n_steps, images, generator)
        reference, output = _baseline(network, images, self.baseline), cast(Output, self.output)
        return explanation(method, reference, output=output, passes=n_steps, noise=noise, layer=self.layer or "").of(images)


def _attacked(how: Perturbation, network: nn.Module, images: Tensor, generator: torch.Generator) -> Attacked:
    labels = _predict(network, images)
    check(network, images, labels)
    (moved,) = perturb(how, network, images, labels, generator).values()
    before = _explained(network, how.judged, images, labels, labels)
    after = _explained(network, how.judged, moved, labels, _predict(network, moved))
    one, other = before.map, after.map
    small = min(one.shape[1:]) < metrics.WINDOW
    return Attacked(
        image=moved,
        before=before,
        after=after,
        prediction_kept=after.prediction == labels,
        intersection=metrics.intersection(one, other, how.k),
        spearman=metrics.spearman(one, other),
        center_shift=metrics.center_shift(one, other),
        ssim=torch.full_like(before.confidence, torch.nan) if small else metrics.ssim(one, other),
        largest_change=(moved - images).abs().amax((1, 2, 3)) / LEVEL,
        k=how.k,
        original=images,
    )


def _baseline(network: nn.Module, images: Tensor, baseline: float | Sequence[float] | None) -> Float[Tensor, "c 1 1"]:
    channels = images.shape[1]
    if baseline is None:
        standardize = next((m for m in network.modules() if isinstance(m, Standardize)), None)
        return (torch.zeros(channels, 1, 1) if standardize is None else standardize.mean).to(images)
    values = [float(baseline)] * channels if isinstance(baseline, int | float) else [float(b) for b in baseline]
    if len(values) != channels or not all(0 <= v <= 1 for v in values):
        raise UsageError(f"baseline={baseline}: give a color of pixel values 0..1, one number or {channels}")
    return torch.tensor(values).reshape(-1, 1, 1).to(images)


def _explained(network: nn.Module, how: Explanation, images: Tensor, labels: Tensor, predicted: Tensor) -> Explained:
    attributions = how.attribute(network, images, labels)
    logits = _logits(network, images)
    error = None
    if how.method in COMPLETE:
        change = score(logits, labels, how.output) - score(_logits(network, how.reference.expand_as(images)), labels, how.output)
        error = (attributions.sum((1, 2, 3)) - change).abs() / change.abs().clamp_min(1e-12)
    maps = pixel_map(attributions)
    return Explained(maps, is_map(maps), attributions, predicted, labels, score(logits, labels, "probability"), error)


def _above_0(**numbers: float) -> None:
    for name, value in numbers.items():
        if not value > 0:
            raise UsageError(f"{name}={value:g}: {name} is above 0")


def _one_of(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise UsageError(f"{name}={value}: {name} is one of {', '.join(known)}")
