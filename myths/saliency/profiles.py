"""Which trials each profile runs.

``seeds`` is how many networks are trained and attacked. What a profile may speak for is in the comments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from myths.lab.errors import UsageError
from myths.lab.myth import Profile, unique_trials
from myths.lab.trial import Trial
from myths.saliency.names import METHODS, SQUEEZENET, AttackName, Method
from myths.saliency.networks import IMAGENETTE, MAIN, Network, Pretrained, TrainNetwork
from myths.saliency.own import Attack
from myths.saliency.trials import AttackImages, Curvature, Influence, RandomizeParameters

Settings = Mapping[str, Any]

PAPERS: tuple[Method, ...] = ("gradient", "integrated-gradients", "deeplift")
OTHERS: tuple[Method, ...] = ("gradient-times-input", "grad-cam")
ALL_ATTACKS: tuple[AttackName, ...] = ("random", "random-walk", "top-k", "mass-center", "targeted")
FEW_ATTACKS: tuple[AttackName, ...] = ("random", "random-walk", "top-k")

_CIFAR: Settings = {"dataset": "cifar10", "network": MAIN}
_SMALL: Settings = {"dataset": "cifar10", "network": "small_cnn", "learning_rate": 0.05}
_FEW_EPOCHS: Settings = {"epochs": 3.0, "augmentation": "flip"}
_SHORT: Settings = {"iterations": 50, "checkpoint": 10, "attack_passes": 10, "map_passes": 20}
_MEDIUM: Settings = {"iterations": 100, "checkpoint": 5, "attack_passes": 20, "map_passes": 50, "shared": True}
_SOFTPLUS = 2.0
"""Sharpness of the network that is trained smooth."""


@unique_trials
def trials(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
    """What a profile runs; with ``data``, only these: weights, the user's or "squeezenet", are attacked on photographs, pictures under
    each of the weights.

    Raises UsageError for pictures without weights and for fewer than one network.
    """
    if data and seeds is not None:
        raise UsageError(f"--seeds {seeds}: with --data the networks are given, not trained, so there is nothing to repeat; leave it out")
    if data:
        return _own(tuple(name.replace("-", "_") for name in data), profile)
    return {"quick": _quick, "laptop": _laptop, "gpu": _gpu, "paper": _paper}[profile](seeds)


def _attacks(network: Network, methods: Iterable[Method], attacks: Iterable[AttackName], **settings: Any) -> list[Trial]:
    settings = {"beta": network.sharpness} | settings
    return [
        AttackImages(network=network, method=method, attack=attack, **(_walk(method, settings) if attack == "random-walk" else settings))
        for method in methods
        for attack in attacks
    ]


def _walk(method: Method, settings: Settings) -> Settings:
    """The random baseline must not be weak because it is short: steps longer by the root of how many fewer there are carry it as far as
    the authors' 300 of half a level, and each iterate is a candidate where the method makes one pass.
    """
    step = round(0.5 * (300 / settings.get("iterations", 300)) ** 0.5, 3)
    several = method in ("integrated-gradients", "smoothgrad")
    return {**settings, "step": step} if several else {**settings, "step": step, "checkpoint": 1}


def _sane(network: Network, **settings: Any) -> list[Trial]:
    return [RandomizeParameters(network=network, method=method, **settings) for method in METHODS]


# --- quick: what it looks like, on scikit-learn's digits --------------------------------------------


def _quick(seeds: int | None) -> list[Trial]:
    """Eight pixels a side: nothing is concluded from a map of 64 pixels. Further networks repeat the simple gradient alone."""
    few: Settings = {"images": 48, "k": 6}
    short: Settings = {**few, "iterations": 12, "step": 1.5, "checkpoint": 4, "shared": True, "attack_passes": 4, "map_passes": 10}
    digits: Settings = {
        "dataset": "digits", "network": MAIN, "epochs": 5.0, "batch_size": 64, "augmentation": "none", "precision": "fp32",
    }  # fmt: skip
    plain = TrainNetwork(**digits)
    listed = _attacks(plain, PAPERS, (*FEW_ATTACKS, "mass-center"), **short)
    listed += _attacks(plain, ("gradient",), ("targeted",), **short)
    listed += _attacks(plain, (*OTHERS, "smoothgrad"), ("top-k",), **short)
    for defended in (TrainNetwork(**digits, adversarial_epsilon=16.0), TrainNetwork(**digits, beta=_SOFTPLUS)):
        listed += _attacks(defended, ("gradient",), ("top-k",), **short)
    listed += _sane(plain, **few, map_passes=10)
    listed.append(Curvature(network=plain, **few))
    listed.append(Influence(network=plain, classes=(3, 8), train=200, images=48))
    for seed in range(1, seeds or 1):
        listed += _attacks(TrainNetwork(**digits, seed=seed), ("gradient",), FEW_ATTACKS, **short)
    return listed


# --- laptop: CIFAR-10, 64 to 128 images ---------------------------------------------------------------


def _laptop(seeds: int | None) -> list[Trial]:
    """Some twelve minutes on two cores, two trials at a time: half for the four trainings, a third for the two strong attacks on
    integrated gradients and the one on SmoothGrad. One trajectory of 50 steps at 8/255 is projected onto the smaller budgets, and every
    tenth iterate judged; the attack sees 10 steps of integrated gradients, the maps have 20. The top-k attacks that the order of the
    methods is judged by (S3) have twice the images of the others. results/published has the time of each trial.
    """
    short: Settings = {**_SHORT, "shared": True}
    listed: list[Trial] = []
    for seed in range(seeds or 1):
        plain = TrainNetwork(**_CIFAR, **_FEW_EPOCHS, seed=seed)
        listed += _attacks(plain, PAPERS, ("top-k",), **short, images=128)
        listed += _attacks(plain, PAPERS, ("random", "random-walk", "mass-center"), **short)
        listed += _attacks(plain, ("gradient",), ("targeted",), **short)
        listed += _attacks(plain, OTHERS, ("top-k",), **short)
        listed += _attacks(plain, ("smoothgrad",), ("top-k",), **{**short, "attack_passes": 5})
        robust = TrainNetwork(**_CIFAR, **_FEW_EPOCHS, adversarial_epsilon=8.0, seed=seed)
        smooth = TrainNetwork(**_CIFAR, **_FEW_EPOCHS, beta=_SOFTPLUS, seed=seed)
        listed += _attacks(robust, ("gradient",), FEW_ATTACKS, **short) + _attacks(smooth, ("gradient",), FEW_ATTACKS, **short)
        listed += _attacks(_imagenette(seed, 20.0), ("gradient",), ("random", "top-k"), **short, k=400)
        listed += _sane(plain, map_passes=20)
        listed += [Curvature(network=plain), Influence(network=plain)]
    return listed


def _imagenette(seed: int, epochs: float) -> TrainNetwork:
    """Photographs of 64 pixels; the top 400 of 4,096 are as large a share as the top 100 on CIFAR-10."""
    return TrainNetwork(dataset=IMAGENETTE, network=MAIN, batch_size=32, epochs=epochs, seed=seed)


# --- gpu: 512 images, all methods, three networks ----------------------------------------------------


def _gpu(seeds: int | None) -> list[Trial]:
    """For ten minutes on one H200-class GPU. An estimate until a GPU has run it: integrated gradients, 512 images of 20 steps, 100
    iterations, are some 5 million second derivatives a trial, of which the small network makes 300,000 a second; 12 such trials. The
    paper's schedule for what makes one pass on photographs, where they are, is as much again.
    """
    shared: Settings = {**_MEDIUM, "images": 512}
    listed = _photographs_by_gpu(Pretrained())
    for seed in range(seeds or 3):
        plain = TrainNetwork(**_CIFAR, epochs=16.0, seed=seed)
        listed += _attacks(plain, PAPERS, ALL_ATTACKS if seed == 0 else (*FEW_ATTACKS, "mass-center"), **shared)
        listed += _attacks(plain, ("integrated-gradients",), ("top-k",), **shared, output="logit")
        listed += _attacks(plain, ("smoothgrad", *OTHERS), FEW_ATTACKS, **shared)
        listed += [t for beta in (5.0, 100.0) for t in _attacks(plain, ("gradient",), ("top-k",), **shared, beta=beta)]
        robust = TrainNetwork(**_CIFAR, epochs=16.0, adversarial_epsilon=8.0, seed=seed)
        smooth = TrainNetwork(**_CIFAR, epochs=16.0, beta=_SOFTPLUS, seed=seed)
        large = TrainNetwork(dataset="cifar10", network="resnet20", epochs=12.0, batch_size=512, learning_rate=0.4, seed=seed)
        pooling = TrainNetwork(**_SMALL, epochs=12.0, seed=seed)
        for network in (robust, smooth, large, pooling):
            listed += _attacks(network, ("gradient",), FEW_ATTACKS, **shared)
        listed.append(Curvature(network=pooling, images=512))
        listed += _attacks(_imagenette(seed, 60.0), ("gradient",), FEW_ATTACKS, **{**shared, "images": 96}, k=400)
        listed += _sane(plain, images=512)
        listed += [Curvature(network=plain, images=512), Influence(network=plain, images=512)]
    return listed


# --- paper: the paper's schedule ---------------------------------------------------------------------


def _paper(seeds: int | None) -> list[Trial]:
    """300 iterations, each a candidate, a trajectory for each budget, 100 steps of integrated gradients, 512 images.

    Of the photographs 100: a network must get that many of the 250 right.
    """
    listed = _photographs_by_the_paper(Pretrained())
    for seed in range(seeds or 3):
        plain = TrainNetwork(**_CIFAR, epochs=60.0, seed=seed)
        listed += _attacks(plain, METHODS, ALL_ATTACKS, images=512)
        listed += _attacks(plain, ("integrated-gradients",), ALL_ATTACKS, images=512, output="logit")
        robust = TrainNetwork(**_CIFAR, epochs=60.0, adversarial_epsilon=8.0, seed=seed)
        smooth = TrainNetwork(**_CIFAR, epochs=60.0, beta=_SOFTPLUS, seed=seed)
        for defended in (robust, smooth):
            listed += _attacks(defended, PAPERS, ALL_ATTACKS, images=512)
        listed += _attacks(_imagenette(seed, 120.0), PAPERS, ALL_ATTACKS, images=96, k=400)
        listed += _sane(plain, images=512)
        listed += [Curvature(network=plain, images=512), Influence(network=plain, images=512)]
    return listed


# --- photographs of 224 pixels, and the user's own ---------------------------------------------------


def _photographs_by_eye(network: Pretrained) -> list[Trial]:
    """Sixteen images: what it looks like."""
    few: Settings = {"images": 16, "iterations": 20, "step": 1.0, "checkpoint": 5, "shared": True, "attack_passes": 5, "map_passes": 15}
    return _attacks(network, PAPERS, (*FEW_ATTACKS, "mass-center"), k=1000, **few)


def _photographs_by_cpu(network: Pretrained) -> list[Trial]:
    """The paper's experiment at 8/255, of which two cores take more than an hour: half of it for the simple gradient by the paper's
    schedule, half for the order of the methods and the other walks by 25 steps, as far as the 50 of the other images.
    """
    own: Settings = {"k": 1000, "epsilons": (8.0,)}
    short: Settings = {**_SHORT, **own, "iterations": 25, "step": 1.0, "checkpoint": 5}
    several: tuple[Method, ...] = ("integrated-gradients", "deeplift")
    listed = _attacks(network, PAPERS, ("top-k",), **short) + _attacks(network, several, ("random-walk",), **short)
    return listed + _attacks(network, ("gradient",), FEW_ATTACKS, **own) + _attacks(network, several, ("random",), **own)


def _photographs_by_gpu(network: Pretrained) -> list[Trial]:
    """The paper's schedule for what makes one pass; the order of the methods by the shorter one of the other images."""
    medium: Settings = {**_MEDIUM, "k": 1000}
    listed = _attacks(network, ("gradient", "deeplift"), FEW_ATTACKS, k=1000)
    listed += _attacks(network, ("integrated-gradients",), ("random",), k=1000)
    listed += _attacks(network, ("integrated-gradients",), ("random-walk",), **medium)
    return listed + _attacks(network, PAPERS, ("top-k", "mass-center"), **medium)


def _photographs_by_the_paper(network: Pretrained) -> list[Trial]:
    return _attacks(network, PAPERS, ALL_ATTACKS, k=1000, images=100)


_PHOTOGRAPHS = {
    "quick": _photographs_by_eye, "laptop": _photographs_by_cpu, "gpu": _photographs_by_gpu, "paper": _photographs_by_the_paper,
}  # fmt: skip


def _own(names: tuple[str, ...], profile: Profile) -> list[Trial]:
    from myths.lab.data import prepared

    kinds = {name: prepared.require(name).kind for name in names}
    weights = [name for name in names if kinds[name] == "weights" or name == SQUEEZENET]
    pictures = [name for name in names if kinds[name] == "images"]
    if other := [name for name in names if name not in (*weights, *pictures)]:
        raise UsageError(f"--data {other[0]} is a set of {kinds[other[0]]}: saliency takes weights, and pictures along with weights")
    if pictures and not weights:
        raise UsageError(f"--data {pictures[0]}: pictures need a network, so give weights as well (myths data add NAME PATH)")
    if pictures:
        return [Attack(image=image, weights=name, method=method) for image in pictures for name in weights for method in PAPERS]
    return [trial for name in weights for trial in _PHOTOGRAPHS[profile](Pretrained(weights=name))]
