"""Explain any ``torch.nn.Module`` that classifies images, and attack its saliency maps, from Python.

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
from myths.saliency.attacks import AttackConfig, perturb
from myths.saliency.attributions import COMPLETE, Attribution, default_internal_batch_size, make_attribution, noise_for
from myths.saliency.attributions.grad_cam import find_layer
from myths.saliency.attributions.gradient import score
from myths.saliency.determinism import exact_convolutions
from myths.saliency.explained_model import check_inputs
from myths.saliency.maps import is_map, pixel_map
from myths.saliency.names import ATTACKS, DEFAULT_BETA, METHODS, PIXEL_STEP, AttackName, Method, Output, Schedule

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Explained:
    """Explanation of the predictions for n images."""

    map: Float[Tensor, "n h w"]
    """Saliency map: Σ |attribution| over channels, scaled to a mean of 1 over the pixels."""
    has_map: Bool[Tensor, " n"]
    """False where the map is constant or not finite."""
    attributions: Float[Tensor, "n d h w"]
    """Attributions in units of the output; gradient and smoothgrad: per unit of pixel value. d is 1 for Grad-CAM, else c."""
    prediction: Int64[Tensor, " n"]
    """The class that the network predicts."""
    target: Int64[Tensor, " n"]
    """The class that is explained."""
    confidence: Float[Tensor, " n"]
    """Softmax probability of the target, 0..1."""
    completeness_error: Float[Tensor, " n"] | None
    """|Σ attributions − (output(image) − output(baseline))| as a fraction of |output(image) − output(baseline)|, for methods whose
    attributions sum to it (integrated gradients up to the error of ``n_steps``, DeepLIFT); None for the others."""


@dataclass(frozen=True)
class Attacked:
    """Comparison of explanations before and after an attack. Measures are NaN where an image has no map."""

    image: Float[Tensor, "n c h w"]
    """The perturbed images, pixel values 0..1."""
    before: Explained
    after: Explained
    """Explanation of the perturbed image, for the class that was predicted before."""
    prediction_kept: Bool[Tensor, " n"]
    intersection: Float[Tensor, " n"]
    """Top-k intersection: fraction of the top ``k`` pixels that both maps share, 0..1."""
    spearman: Float[Tensor, " n"]
    """Rank correlation of the maps, −1..1."""
    center_shift: Float[Tensor, " n"]
    """Distance of the centers of mass of both maps, in pixels."""
    ssim: Float[Tensor, " n"]
    """Structural similarity of the maps; NaN for images of fewer than 7 pixels per side."""
    largest_change: Float[Tensor, " n"]
    """Largest change of a pixel, in units of 1/255."""
    k: int
    original: Float[Tensor, "n c h w"]

    def figure(self) -> Figure:
        """Plot each image, its map, the perturbed image, its map, and the perturbation, magnified."""
        from myths.saliency.pictures import contact_sheet

        tensors = {"images": self.original, "perturbed": self.image, "maps": self.before.map, "perturbed_maps": self.after.map}
        arrays = {name: values.float().cpu().numpy() for name, values in tensors.items()}
        names = [f"class {c}, {p:.0%}" for c, p in zip(self.before.prediction.tolist(), self.before.confidence.tolist(), strict=True)]
        return contact_sheet(f"Top-{self.k} intersection after the attack: {float(torch.nanmean(self.intersection)):.0%}", arrays, names)


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
        baseline: Baseline color, one number or one per channel, for gradient-times-input, integrated-gradients and
            deeplift. Default: the mean color of a ``normalized`` model, else black.
        output: Whether the logit or the softmax probability is explained. DeepLIFT explains the logit.
        n_steps: Steps of integrated gradients, or samples of SmoothGrad.
        seed: Seed of SmoothGrad's noise.

    Returns:
        The map, the attributions and the prediction.

    Raises:
        UsageError: An argument is out of range; the image has an unsupported shape, type or range; the model does not return finite
            logits or has no such layer; or DeepLIFT has no rule for a function of the model.
    """
    with _prepared(model, image) as (network, images):
        predicted = _predict(network, images)
        labels = predicted if target is None else _targets(target, images)
        check_inputs(network, images, labels)
        attribution = _AttributionOptions(method, layer, baseline, output, seed).attribution(network, images, n_steps)
        return _explained(network, attribution, images, labels, predicted)


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
    n_iterations: int = 50,
    step_size: float = 0.5,
    eval_interval: int = 5,
    beta: float = DEFAULT_BETA,
    n_steps: int = 30,
    attack_n_steps: int = 10,
    seed: int = 0,
) -> Attacked:
    """Perturb an image so that its saliency map changes and its predicted class does not (Ghorbani et al. 2019, Alg. 1).

    Args:
        model: As for ``explain``.
        image: As for ``explain``.
        method: As for ``explain``.
        epsilon: Largest change of a pixel, in units of 1/255.
        attack: "top-k", "mass-center" or "targeted"; "random-walk" or "random" as baselines, of which "random" may lose the class.
        layer: As for ``explain``.
        baseline: As for ``explain``.
        output: As for ``explain``.
        k: Number of most salient pixels that are attacked and compared. Default: 2 % of the pixels.
        n_iterations: Number of steps of the attack.
        step_size: Change of a pixel in one step, in units of 1/255.
        eval_interval: Number of steps between two evaluations of the map.
        beta: β of the softplus surrogate that the attack differentiates.
        n_steps: Steps of integrated gradients, or samples of SmoothGrad, in the maps that are compared.
        attack_n_steps: Steps of integrated gradients, or samples of SmoothGrad, in the attack.
        seed: Seed of the random first step and of SmoothGrad's noise.

    Returns:
        The perturbed image, both explanations, and similarity measures.

    Raises:
        UsageError: As for ``explain``.
    """
    _require_one_of("attack", attack, ATTACKS)
    options = _AttributionOptions(method, layer, baseline, output, seed)
    schedule = Schedule(n_iterations=n_iterations, step_size=step_size, eval_interval=eval_interval, beta=beta)
    with _prepared(model, image) as (network, images):
        attacked, compared = (options.attribution(network, images, n) for n in (attack_n_steps, n_steps))
        config = AttackConfig(
            attack=cast(AttackName, attack), attack_attribution=attacked, eval_attribution=compared, epsilons=(epsilon,),
            k=_default_k(images) if k is None else k, schedule=schedule,
        )  # fmt: skip
        return _attacked(config, network, images, torch.Generator(images.device).manual_seed(seed))


def normalized(model: nn.Module, mean: Sequence[float] = (0.485, 0.456, 0.406), std: Sequence[float] = (0.229, 0.224, 0.225)) -> nn.Module:
    """Wrap a model of normalized pixels as a model of pixel values 0..1.

    Args:
        model: A classifier that expects (x − mean) / std. It is not copied.
        mean: Mean per channel, for pixel values 0..1. Default: ImageNet's, as torchvision's networks expect.
        std: Standard deviation per channel. Default: ImageNet's.

    Raises:
        UsageError: ``mean`` and ``std`` differ in length, or a standard deviation is not above 0.
    """
    if len(mean) != len(std) or not all(s > 0 for s in std):
        raise UsageError(f"mean={tuple(mean)}, std={tuple(std)}: expected one of each per channel, and standard deviations above 0")
    wrapped = Standardized(model, mean, std).train(model.training)
    like = next(model.parameters(), None)
    if like is not None:
        wrapped.standardize.to(like.device, like.dtype)
    return wrapped


# --- shared -----------------------------------------------------------------------------------


class _Copying(nn.Module):
    """Copies the input, so that a network with in-place operations does not overwrite the caller's image."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Any:
        return self.network(x.clone())


@contextlib.contextmanager
def _prepared(model: nn.Module, image: Tensor) -> Iterator[tuple[nn.Module, Float[Tensor, "n c h w"]]]:
    """Yield the network in evaluation mode and a batch of images, and restore the model afterwards."""
    if not isinstance(model, nn.Module):
        raise UsageError(f"model is a {type(model).__name__}: expected a torch.nn.Module that takes pixel values 0..1 and returns logits")
    if not isinstance(image, Tensor):
        raise UsageError(
            f"image is a {type(image).__name__}: expected a tensor [c, h, w], as from torchvision.transforms.functional.to_tensor"
        )
    if image.ndim not in (3, 4) or not image.numel():
        raise UsageError(f"image has the shape {tuple(image.shape)}: expected [c, h, w] or [n, c, h, w]")
    if not image.is_floating_point():
        raise UsageError(f"image has the type {image.dtype}: expected pixel values 0..1, for example image.float() / 255")
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


def _default_k(images: Tensor) -> int:
    return max(1, round(0.02 * images.shape[-2] * images.shape[-1]))


def _predict(network: nn.Module, images: Tensor) -> Int64[Tensor, " n"]:
    check_inputs(network, images, torch.zeros(len(images), dtype=torch.long, device=images.device))
    return _logits(network, images).argmax(1)


@torch.no_grad()
def _logits(network: nn.Module, images: Tensor) -> Float[Tensor, "n classes"]:
    logits = torch.cat([network(batch) for batch in images.split(default_internal_batch_size(images))])
    if not bool(logits.isfinite().all()):
        raise UsageError("model: its outputs are not finite (NaN or infinite) for this image: check its weights and its normalization")
    return logits


def _targets(target: int | Sequence[int], images: Tensor) -> Int64[Tensor, " n"]:
    given = [target] * len(images) if isinstance(target, int) else [int(t) for t in target]
    if len(given) != len(images):
        raise UsageError(f"target: {len(given)} classes for {len(images)} images; expected one class, or one per image")
    return torch.tensor(given, device=images.device)


@dataclass(frozen=True)
class _AttributionOptions:
    """Options of an attribution, as the user specifies them."""

    method: str
    layer: str | None
    baseline: float | Sequence[float] | None
    output: str
    seed: int

    def attribution(self, network: nn.Module, images: Tensor, n_steps: int) -> Attribution:
        _require_one_of("method", self.method, METHODS)
        _require_one_of("output", self.output, ("logit", "probability"))
        if n_steps < 1:
            raise UsageError(f"n_steps={n_steps}: expected at least 1")
        if self.method == "grad-cam":
            find_layer(network, self.layer or "")
        generator = torch.Generator(images.device).manual_seed(self.seed)
        noise = noise_for(method := cast(Method, self.method), n_steps, images, generator)
        baseline, output = _baseline(network, images, self.baseline), cast(Output, self.output)
        return make_attribution(method, baseline, output=output, n_steps=n_steps, noise=noise, layer=self.layer or "").batched_for(images)


def _attacked(config: AttackConfig, network: nn.Module, images: Tensor, generator: torch.Generator) -> Attacked:
    labels = _predict(network, images)
    check_inputs(network, images, labels)
    (perturbed,) = perturb(config, network, images, labels, generator).values()
    before = _explained(network, config.eval_attribution, images, labels, labels)
    after = _explained(network, config.eval_attribution, perturbed, labels, _predict(network, perturbed))
    one, other = before.map, after.map
    small = min(one.shape[1:]) < metrics.WINDOW
    return Attacked(
        image=perturbed,
        before=before,
        after=after,
        prediction_kept=after.prediction == labels,
        intersection=metrics.intersection(one, other, config.k),
        spearman=metrics.spearman(one, other),
        center_shift=metrics.center_shift(one, other),
        ssim=torch.full_like(before.confidence, torch.nan) if small else metrics.ssim(one, other),
        largest_change=(perturbed - images).abs().amax((1, 2, 3)) / PIXEL_STEP,
        k=config.k,
        original=images,
    )


def _baseline(network: nn.Module, images: Tensor, baseline: float | Sequence[float] | None) -> Float[Tensor, "c 1 1"]:
    channels = images.shape[1]
    if baseline is None:
        standardize = next((m for m in network.modules() if isinstance(m, Standardize)), None)
        return (torch.zeros(channels, 1, 1) if standardize is None else standardize.mean).to(images)
    values = [float(baseline)] * channels if isinstance(baseline, int | float) else [float(b) for b in baseline]
    if len(values) != channels or not all(0 <= v <= 1 for v in values):
        raise UsageError(f"baseline={baseline}: expected pixel values 0..1, one number or {channels}")
    return torch.tensor(values).reshape(-1, 1, 1).to(images)


def _explained(network: nn.Module, attribution: Attribution, images: Tensor, labels: Tensor, predicted: Tensor) -> Explained:
    attributions = attribution.attribute(network, images, labels)
    logits = _logits(network, images)
    error = None
    if attribution.method in COMPLETE:
        change = score(logits, labels, attribution.output) - score(
            _logits(network, attribution.baseline.expand_as(images)), labels, attribution.output
        )
        error = (attributions.sum((1, 2, 3)) - change).abs() / change.abs().clamp_min(1e-12)
    maps = pixel_map(attributions)
    return Explained(maps, is_map(maps), attributions, predicted, labels, score(logits, labels, "probability"), error)


def _require_one_of(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise UsageError(f"{name}={value}: expected one of {', '.join(choices)}")
