"""Trials of each profile. ``seeds`` is the number of networks that are trained and attacked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from myths.lab.errors import UsageError
from myths.lab.myth import Profile, unique_trials
from myths.lab.trial import Trial
from myths.saliency.names import AVERAGING_METHODS, METHODS, SQUEEZENET, SQUEEZENET_LAYER, AttackName, Method
from myths.saliency.trials import (
    AttackImages,
    AttackUserImages,
    ChangeImages,
    EvaluatePretrained,
    MeasureCurvature,
    MeasureInfluence,
    RandomizeParameters,
    TrainNetwork,
)
from myths.saliency.trials.networks import IMAGENETTE, MAIN, Network

Settings = Mapping[str, Any]

PAPER_METHODS: tuple[Method, ...] = ("gradient", "integrated-gradients", "deeplift")
OTHER_METHODS: tuple[Method, ...] = ("gradient-times-input", "grad-cam")
ALL_ATTACKS: tuple[AttackName, ...] = ("random", "random-walk", "top-k", "mass-center", "targeted")
FEW_ATTACKS: tuple[AttackName, ...] = ("random", "random-walk", "top-k")

_CIFAR: Settings = {"dataset": "cifar10", "network": MAIN}
_SMALL: Settings = {"dataset": "cifar10", "network": "small_cnn", "learning_rate": 0.05}
_FEW_EPOCHS: Settings = {"epochs": 3.0, "augmentation": "flip"}
_SHORT: Settings = {"n_iterations": 50, "eval_interval": 10, "attack_n_steps": 10, "n_steps": 20}
_MEDIUM: Settings = {"n_iterations": 100, "eval_interval": 5, "attack_n_steps": 20, "n_steps": 50, "share_trajectory": True}
PHOTOGRAPHS = 120
"""Number of photographs that are attacked. SqueezeNet classifies 127 or 128 of the 250 correctly."""
_SOFTPLUS = 2.0
"""β of the network that is trained with softplus."""


@unique_trials
def trials(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
    """Return the trials of a profile.

    Args:
        profile: Name of the profile.
        seeds: Number of networks that are trained. Default: that of the profile.
        data: User data that replaces the data of the profile. Weights, or "squeezenet", are attacked on ImageNet images; user images are
            attacked with each of the weights.

    Raises:
        UsageError: Images without weights, or seeds with user data.
    """
    if data and seeds is not None:
        raise UsageError(f"--seeds {seeds} does not apply with --data: the networks are not trained. Omit --seeds.")
    if data:
        return _user_trials(tuple(name.replace("-", "_") for name in data), profile)
    return {"quick": _quick, "laptop": _laptop, "overnight": _overnight, "gpu": _gpu, "paper": _paper}[profile](seeds)


def _attacks(network: Network, methods: Iterable[Method], attacks: Iterable[AttackName], **settings: Any) -> list[Trial]:
    """Return a network and attacks on it."""
    settings = {"beta": network.attack_beta} | settings
    return [network] + [
        AttackImages(network=network, method=method, attack=attack, **(_walk(method, settings) if attack == "random-walk" else settings))
        for method in methods
        for attack in attacks
    ]


def _walk(method: Method, settings: Settings) -> Settings:
    """Return the settings of a random walk that goes as far as the authors' 300 steps of half a level.

    The step size grows with the square root of the ratio of the numbers of steps. For methods with a single gradient, every iterate is
    evaluated.
    """
    step = round(0.5 * (300 / settings.get("n_iterations", 300)) ** 0.5, 3)
    return {**settings, "step_size": step} if method in AVERAGING_METHODS else {**settings, "step_size": step, "eval_interval": 1}


def _randomized(network: Network, **settings: Any) -> list[Trial]:
    return [RandomizeParameters(network=network, method=method, **settings) for method in METHODS]


# --- quick: an illustration on scikit-learn's digits --------------------------------------------


def _quick(seeds: int | None) -> list[Trial]:
    """Return trials on images of 8 x 8 pixels, which support no conclusion. Further networks repeat only the simple gradient."""
    few: Settings = {"images": 48, "k": 6}
    short: Settings = {
        **few,
        "n_iterations": 12,
        "step_size": 1.5,
        "eval_interval": 4,
        "share_trajectory": True,
        "attack_n_steps": 4,
        "n_steps": 10,
    }
    digits: Settings = {
        "dataset": "digits", "network": MAIN, "epochs": 5.0, "batch_size": 64, "augmentation": "none", "precision": "fp32",
    }  # fmt: skip
    plain = TrainNetwork(**digits)
    listed = _attacks(plain, PAPER_METHODS, (*FEW_ATTACKS, "mass-center"), **short)
    listed += _attacks(plain, ("gradient",), ("targeted",), **short)
    listed += _attacks(plain, (*OTHER_METHODS, "smoothgrad"), ("top-k",), **short)
    for defended in (TrainNetwork(**digits, adversarial_epsilon=16.0), TrainNetwork(**digits, beta=_SOFTPLUS)):
        listed += _attacks(defended, ("gradient",), ("top-k",), **short)
    listed += _randomized(plain, **few, n_steps=10)
    listed.append(MeasureCurvature(network=plain, **few))
    listed.append(MeasureInfluence(network=plain, classes=(3, 8), n_train=200, images=48))
    for seed in range(1, seeds or 1):
        listed += _attacks(TrainNetwork(**digits, seed=seed), ("gradient",), FEW_ATTACKS, **short)
    return listed


# --- laptop: CIFAR-10, three networks; photographs under SqueezeNet that decide ---------------------


def _laptop(seeds: int | None) -> list[Trial]:
    """Return trials for 1.7 hours of one core, by --dry-run: two thirds are attacks on the photographs that decide.

    Three networks are attacked under the simple gradient, one also under gradient × input and Grad-CAM. Integrated gradients and DeepLIFT
    are attacked in a night (``_overnight``). One trajectory of 50 steps at 8/255 is projected onto the smaller budgets, and every tenth
    iterate is evaluated. Photographs need SqueezeNet and ImageNet images: the attack with the paper's schedule, and everyday changes.
    """
    short: Settings = {**_SHORT, "share_trajectory": True}
    listed: list[Trial] = []
    for seed in range(seeds or 3):
        plain = TrainNetwork(**_CIFAR, **_FEW_EPOCHS, seed=seed)
        listed += _attacks(plain, ("gradient",), FEW_ATTACKS, **short)
        listed += [MeasureCurvature(network=plain), MeasureInfluence(network=plain)]
    listed += _imagenet_laptop(EvaluatePretrained())
    for seed in range(seeds or 3):
        listed += _randomized(TrainNetwork(**_CIFAR, **_FEW_EPOCHS, seed=seed), n_steps=20)
    plain = TrainNetwork(**_CIFAR, **_FEW_EPOCHS)
    return listed + _attacks(plain, ("gradient",), ("targeted",), **short) + _attacks(plain, OTHER_METHODS, ("top-k",), **short)


def _imagenette(seed: int, epochs: float) -> TrainNetwork:
    """Return a network for images of 64 pixels. The top 400 of 4,096 pixels are the same fraction as the top 100 on CIFAR-10."""
    return TrainNetwork(dataset=IMAGENETTE, network=MAIN, batch_size=32, epochs=epochs, seed=seed)


def _both_sizes(network: TrainNetwork, attacks: Iterable[AttackName], **settings: Any) -> list[Trial]:
    """Return attacks on the simple gradient of Imagenette at 64 pixels, and at 32 under the same network."""
    settings = {**settings, "images": 96}
    whole = _attacks(network, ("gradient",), attacks, **settings, k=400)
    return whole + _attacks(network, ("gradient",), attacks, **settings, k=100, image_size=32)


# --- overnight: photographs under SqueezeNet with the paper's number of steps ------------------------


def _overnight(seeds: int | None) -> list[Trial]:
    """Return trials for a night of a CPU, each less than an hour on one core by --dry-run, decisive ones first.

    Photographs under SqueezeNet come first. Small images follow: the methods and the networks that the profile laptop does not attack.
    """
    listed = _imagenet_overnight(EvaluatePretrained())
    short: Settings = {**_SHORT, "share_trajectory": True}
    for seed in range(seeds or 3):
        plain = TrainNetwork(**_CIFAR, **_FEW_EPOCHS, seed=seed)
        listed += _attacks(plain, ("integrated-gradients", "deeplift"), ("top-k", "random-walk"), **short)
        robust = TrainNetwork(**_CIFAR, **_FEW_EPOCHS, adversarial_epsilon=8.0, seed=seed)
        listed += _attacks(plain, ("gradient",), FEW_ATTACKS, **short) + _attacks(robust, ("gradient",), FEW_ATTACKS, **short)
    for seed in range(seeds or 3):
        listed += _both_sizes(_imagenette(seed, 20.0), ("top-k",), **short)
        plain = TrainNetwork(**_CIFAR, **_FEW_EPOCHS, seed=seed)
        smooth = TrainNetwork(**_CIFAR, **_FEW_EPOCHS, beta=_SOFTPLUS, seed=seed)
        listed += _attacks(smooth, ("gradient",), FEW_ATTACKS, **short)
        listed += _attacks(plain, PAPER_METHODS, ("mass-center",), **short)
        listed += _attacks(plain, ("smoothgrad",), ("top-k",), **{**short, "attack_n_steps": 5})
    return listed


# --- gpu: 256 images, all methods, three networks ----------------------------------------------------


def _gpu(seeds: int | None) -> list[Trial]:
    """Return trials for about ten minutes on one H200-class GPU (estimate, not measured).

    An attack on integrated gradients (256 images, 20 steps, 100 iterations) needs about 2.5 million second derivatives. The small network
    computes 300,000 per second, and there are 12 such trials. The paper's schedule on ImageNet images doubles the time.
    """
    shared: Settings = {**_MEDIUM, "images": 256}
    listed = _imagenet_gpu(EvaluatePretrained())
    for seed in range(seeds or 3):
        plain = TrainNetwork(**_CIFAR, epochs=16.0, seed=seed)
        listed += _attacks(plain, PAPER_METHODS, ALL_ATTACKS if seed == 0 else (*FEW_ATTACKS, "mass-center"), **shared)
        listed += _attacks(plain, ("integrated-gradients",), ("top-k",), **shared, output="logit")
        listed += _attacks(plain, ("smoothgrad", *OTHER_METHODS), FEW_ATTACKS, **shared)
        listed += [t for beta in (5.0, 100.0) for t in _attacks(plain, ("gradient",), ("top-k",), **shared, beta=beta)]
        robust = TrainNetwork(**_CIFAR, epochs=16.0, adversarial_epsilon=8.0, seed=seed)
        smooth = TrainNetwork(**_CIFAR, epochs=16.0, beta=_SOFTPLUS, seed=seed)
        large = TrainNetwork(dataset="cifar10", network="resnet20", epochs=12.0, batch_size=512, learning_rate=0.4, seed=seed)
        pooling = TrainNetwork(**_SMALL, epochs=12.0, seed=seed)
        for network in (robust, smooth, large, pooling):
            listed += _attacks(network, ("gradient",), FEW_ATTACKS, **shared)
        listed.append(MeasureCurvature(network=pooling, images=512))
        listed += _both_sizes(_imagenette(seed, 60.0), FEW_ATTACKS, **shared)
        listed += _randomized(plain, images=512)
        listed += [MeasureCurvature(network=plain, images=512), MeasureInfluence(network=plain, images=512)]
    return listed


# --- paper: the paper's schedule ---------------------------------------------------------------------


def _paper(seeds: int | None) -> list[Trial]:
    """Return trials with the paper's schedule and 512 images: 300 iterations, all evaluated, and one trajectory per budget.

    ImageNet trials use ``PHOTOGRAPHS`` images, so their protocol is reduced: the paper attacks 512.
    """
    listed = _imagenet_paper(EvaluatePretrained())
    for seed in range(seeds or 3):
        plain = TrainNetwork(**_CIFAR, epochs=60.0, seed=seed)
        listed += _attacks(plain, METHODS, ALL_ATTACKS, images=512)
        listed += _attacks(plain, ("integrated-gradients",), ALL_ATTACKS, images=512, output="logit")
        robust = TrainNetwork(**_CIFAR, epochs=60.0, adversarial_epsilon=8.0, seed=seed)
        smooth = TrainNetwork(**_CIFAR, epochs=60.0, beta=_SOFTPLUS, seed=seed)
        for defended in (robust, smooth):
            listed += _attacks(defended, PAPER_METHODS, ALL_ATTACKS, images=512)
        listed += _attacks(_imagenette(seed, 120.0), PAPER_METHODS, ALL_ATTACKS, images=96, k=400)
        listed += _attacks(_imagenette(seed, 120.0), ("gradient",), ALL_ATTACKS, images=96, k=100, image_size=32)
        listed += _randomized(plain, images=512)
        listed += [MeasureCurvature(network=plain, images=512), MeasureInfluence(network=plain, images=512)]
    return listed


# --- ImageNet images of 224 pixels, and user data ---------------------------------------------------


def _imagenet_quick(network: EvaluatePretrained) -> list[Trial]:
    """Return trials on sixteen images, as an illustration."""
    few: Settings = {
        "images": 16,
        "n_iterations": 20,
        "step_size": 1.0,
        "eval_interval": 5,
        "share_trajectory": True,
        "attack_n_steps": 5,
        "n_steps": 15,
    }
    return _attacks(network, PAPER_METHODS, (*FEW_ATTACKS, "mass-center"), k=1000, **few)


def _imagenet_laptop(network: EvaluatePretrained) -> list[Trial]:
    """Return the paper's attack on the simple gradient of 64 images, and everyday changes under two methods."""
    return [*_part(network, "gradient", 0, 32), *_part(network, "gradient", 32, 32), *_changed(network, ("gradient",))]


def _imagenet_overnight(network: EvaluatePretrained) -> list[Trial]:
    """Return attacks on photographs, each of less than an hour.

    The trials behind the published primary numbers come first: 300 iterations, as in the paper, for the simple gradient, and 25 for
    DeepLIFT and integrated gradients. Attacks on these two with 300 iterations follow. Those on integrated gradients approximate the
    integral with fewer steps than the paper.
    """
    shared: Settings = {"k": 1000, "epsilons": (8.0,)}
    short: Settings = {"n_iterations": 25, "eval_interval": 5, "step_size": 1.0, "attack_n_steps": 10, "n_steps": 20}
    few: Settings = {"attack_n_steps": 10, "n_steps": 100, "eval_interval": 15}
    listed = _attacks(network, ("gradient",), ("top-k", "random-walk"), **shared)
    listed += _attacks(network, ("deeplift", "integrated-gradients"), ("top-k", "random-walk"), **shared, **short)
    listed += [t for first in (0, 32) for t in _part(network, "deeplift", first, 32)]
    listed += [t for first in range(0, 40, 8) for t in _part(network, "integrated-gradients", first, 8, **few)]
    listed += _camera(network) + _changed(network)
    listed += [t for first in (64, 96) for t in _part(network, "gradient", first, min(32, PHOTOGRAPHS - first))]
    others: tuple[Method, ...] = ("gradient", "deeplift", "integrated-gradients")
    return listed + _attacks(network, others, ("random",), k=1000, epsilons=(8.0,), images=PHOTOGRAPHS)


def _part(network: EvaluatePretrained, method: Method, first: int, images: int, **settings: Any) -> list[Trial]:
    """Return the top-k attack and the random walk on some of the photographs. The attack on an image stops when 0.5 % is left."""
    settings = {**settings, "k": 1000, "epsilons": (8.0,), "first": first, "images": images}
    return _attacks(network, (method,), ("top-k",), **settings, stop_at=0.005) + _attacks(network, (method,), ("random-walk",), **settings)


def _camera(network: EvaluatePretrained) -> list[Trial]:
    """Return the top-k attack on Grad-CAM."""
    settings: Settings = {"k": 1000, "epsilons": (8.0,), "n_iterations": 100, "stop_at": 0.005}
    return _attacks(network, ("grad-cam",), ("top-k",), **settings, layer=_layer(network))


def _changed(network: EvaluatePretrained, others: Iterable[Method] = ("gradient", "deeplift", "integrated-gradients")) -> list[Trial]:
    """Return everyday changes of the photographs, under Grad-CAM and other methods."""
    settings: Settings = {"k": 1000, "n_steps": 10, "images": PHOTOGRAPHS}
    changed = [ChangeImages(network=network, method=method, **settings) for method in others]
    return [network, ChangeImages(network=network, method="grad-cam", layer=_layer(network), **settings), *changed]


def _layer(network: EvaluatePretrained) -> str:
    """Return the layer of Grad-CAM; "" is the last convolution."""
    return SQUEEZENET_LAYER if network.weights == SQUEEZENET else ""


def _imagenet_gpu(network: EvaluatePretrained) -> list[Trial]:
    """Return trials with the paper's schedule, except that integrated gradients have fewer steps in the attack."""
    few: Settings = {"attack_n_steps": 10, "n_steps": 100, "eval_interval": 5, "epsilons": (8.0,), "k": 1000}
    many: Settings = {"images": PHOTOGRAPHS, "k": 1000}
    listed = _attacks(network, ("gradient", "deeplift"), FEW_ATTACKS, **many, epsilons=(8.0,))
    listed += _attacks(network, ("integrated-gradients",), FEW_ATTACKS, **few)
    listed += _attacks(network, ("integrated-gradients",), ("top-k",), **few, output="logit")
    listed += _camera(network) + _changed(network)
    return listed + _attacks(network, PAPER_METHODS, ("mass-center",), **_MEDIUM, k=1000)


def _imagenet_paper(network: EvaluatePretrained) -> list[Trial]:
    listed = _attacks(network, PAPER_METHODS, ALL_ATTACKS, k=1000, images=PHOTOGRAPHS)
    return listed + _attacks(network, ("integrated-gradients",), ("top-k",), k=1000, images=PHOTOGRAPHS, output="logit")


_IMAGENET = {
    "quick": _imagenet_quick, "laptop": _imagenet_laptop, "overnight": _imagenet_overnight, "gpu": _imagenet_gpu, "paper": _imagenet_paper,
}  # fmt: skip


def _user_trials(names: tuple[str, ...], profile: Profile) -> list[Trial]:
    from myths.lab.data import prepared

    kinds = {name: prepared.require(name).kind for name in names}
    weights = [name for name in names if kinds[name] == "weights" or name == SQUEEZENET]
    images = [name for name in names if kinds[name] == "images"]
    if other := [name for name in names if name not in (*weights, *images)]:
        raise UsageError(
            f"--data {other[0]} is a dataset of kind {kinds[other[0]]}: saliency accepts weights, and images together with weights"
        )
    if images and not weights:
        raise UsageError(f"--data {images[0]}: images need a network; add weights as well (myths data add NAME PATH)")
    if images:
        return [
            AttackUserImages(image=image, weights=name, method=method) for image in images for name in weights for method in PAPER_METHODS
        ]
    return [trial for name in weights for trial in _IMAGENET[profile](EvaluatePretrained(weights=name))]
