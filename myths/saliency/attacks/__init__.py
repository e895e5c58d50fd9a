"""Perturbations of images that change their saliency maps and keep their predicted labels.

Budgets are ℓ∞, in units of 1/255 as in the paper; pixel values are 0..1. All images are perturbed at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from myths.lab.errors import UsageError
from myths.saliency.attacks.objectives import AttackObjective, attack_objective
from myths.saliency.attributions import Attribution
from myths.saliency.names import PIXEL_STEP, AttackName, Schedule, check_stop
from myths.saliency.surrogate import softened

Step = Callable[[Float[Tensor, "n c h w"], Int64[Tensor, " n"]], Float[Tensor, "n c h w"]]
"""Maps the current iterates, and the positions of their images, to the direction of the next step."""


@dataclass(frozen=True, kw_only=True)
class AttackConfig:
    """Settings of an attack.

    Attributes:
        attack: Name of the attack.
        attack_attribution: Attribution that the attack differentiates, on the softplus surrogate.
        eval_attribution: Attribution on the original network, used to select the best iterate.
        epsilons: Budgets, in units of 1/255.
        k: Number of top pixels.
        schedule: Steps and evaluations.
    """

    attack: AttackName
    attack_attribution: Attribution
    eval_attribution: Attribution
    epsilons: Sequence[float]
    k: int
    schedule: Schedule


def perturb(
    config: AttackConfig,
    network: nn.Module,
    images: Float[Tensor, "n c h w"],
    labels: Int64[Tensor, " n"],
    generator: torch.Generator,
) -> dict[float, Float[Tensor, "n c h w"]]:
    """Return the perturbed images for each budget.

    The selected iterate has the greatest damage among those that keep the label; the original image is a candidate, too. If not every
    iterate is evaluated, the latest that keeps the label is: an image that loses its label at an evaluation is still perturbed. Only
    "random" may change the label.

    Args:
        config: The attack.
        network: The network.
        images: Pixel values 0..1.
        labels: Labels that the network predicts for the images.
        generator: Generator of the random signs.

    Raises:
        UsageError: A budget is not above 0, ``k`` exceeds the number of pixels, or the attack cannot stop early.
    """
    attack, epsilons, schedule, attribution = config.attack, config.epsilons, config.schedule, config.eval_attribution
    check_epsilons(epsilons)
    check_stop(schedule.stop_at, attack)
    signs = _RandomSigns(generator)
    if attack == "random":
        noise = signs(images)
        return {epsilon: (images + epsilon * PIXEL_STEP * noise).clamp(0, 1) for epsilon in epsilons}
    clean = attribution.maps(network, images, labels)
    # The iterate of a random walk is selected as that of the top-k attack, with which it is compared.
    objective = attack_objective("top-k" if attack == "random-walk" else attack, clean, config.k)
    surrogate = softened(network, schedule.beta)

    def ascend(at: Tensor, which: Tensor) -> Tensor:
        return config.attack_attribution.objective_gradient(surrogate, at, labels[which], objective.of(which).differentiable)

    step: Step = (lambda at, which: signs(at)) if attack == "random-walk" else ascend
    groups = [tuple(epsilons)] if schedule.share_trajectory else [(epsilon,) for epsilon in epsilons]
    perturbed: dict[float, Tensor] = {}
    for group in groups:
        n = len(group)
        selector = _IterateSelector(network, attribution, labels.repeat(n), objective.repeat(n), objective.damage(clean).repeat(n))
        start = images + schedule.step_size * PIXEL_STEP * signs(images)
        perturbed |= _run_trajectory(images, start, step, selector, group, schedule)
    return perturbed


@dataclass(frozen=True)
class _IterateSelector:
    """Evaluates candidates: whether they keep their label, and the damage to their maps."""

    network: nn.Module
    attribution: Attribution
    labels: Int64[Tensor, " n"]
    objective: AttackObjective
    initial_damage: Float[Tensor, " n"]
    """Damage of the original images."""

    def of(self, which: Int64[Tensor, " m"]) -> _IterateSelector:
        return _IterateSelector(self.network, self.attribution, self.labels[which], self.objective.of(which), self.initial_damage[which])

    def keeps_label(self, candidates: Float[Tensor, "n c h w"]) -> Bool[Tensor, " n"]:
        return keeps_label(self.network, candidates, self.labels, self.attribution.internal_batch_size)

    def damage(self, candidates: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return self.objective.damage(self.attribution.maps(self.network, candidates, self.labels))


def _run_trajectory(
    images: Tensor, start: Tensor, step: Step, selector: _IterateSelector, epsilons: Sequence[float], schedule: Schedule
) -> dict[float, Tensor]:
    """Take signed steps within the largest budget, and select the best iterate for each budget.

    Images are left out once at most ``schedule.stop_at`` of their top pixels is left, for every budget.
    """
    n, groups = len(images), len(epsilons)
    largest = max(epsilons) * PIXEL_STEP
    radius = torch.tensor(epsilons, dtype=images.dtype, device=images.device)[:, None, None, None, None] * PIXEL_STEP
    best, best_damage = images.repeat(groups, 1, 1, 1), selector.initial_damage.clone()
    running, everywhere, some = torch.arange(n, device=images.device), torch.arange(groups * n, device=images.device), selector
    latest, at_start = best, images
    # The first step is random, because the gradient of the mass-center objective is zero at the image itself.
    at = (images + (start - images).clamp(-largest, largest)).clamp(0, 1)
    for i in range(schedule.n_iterations):
        change = at - at_start + schedule.step_size * PIXEL_STEP * step(at, running).sign()
        at = (at_start + change.clamp(-largest, largest)).clamp(0, 1)
        candidates = (at_start + torch.minimum(torch.maximum(at - at_start, -radius), radius)).clamp(0, 1).flatten(0, 1)
        latest = _where(some.keeps_label(candidates), candidates, latest)
        if (i + 1) % schedule.eval_interval and i + 1 < schedule.n_iterations:
            continue
        damage = some.damage(latest)
        improved = damage > best_damage[everywhere]  # never where an iterate, or the image itself, has no map
        best[everywhere] = _where(improved, latest, best[everywhere])
        best_damage[everywhere] = torch.where(improved, damage, best_damage[everywhere])
        going = (best_damage.reshape(groups, n)[:, running] < -schedule.stop_at).any(0)
        if schedule.stop_at and not bool(going.all()):
            if not bool(going.any()):
                break
            latest = latest.unflatten(0, (groups, len(running)))[:, going].flatten(0, 1)
            running, at, at_start = running[going], at[going], at_start[going]
            everywhere = (torch.arange(groups, device=images.device)[:, None] * n + running).flatten()
            some = selector.of(everywhere)
    return dict(zip(epsilons, best.chunk(groups), strict=True))


def _where(chosen: Bool[Tensor, " n"], one: Float[Tensor, "n c h w"], other: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    return torch.where(chosen[:, None, None, None], one, other)


@torch.no_grad()
def keeps_label(
    network: nn.Module, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"], internal_batch_size: int = 1024
) -> Bool[Tensor, " n"]:
    """Return whether the network predicts the label of each image."""
    from myths.lab.measurement.device import CHANNELS, halve_on_out_of_memory

    def is_kept(piece: slice) -> Tensor:
        return network(images[piece]).argmax(1) == labels[piece]

    kept, _ = halve_on_out_of_memory(is_kept, len(images), internal_batch_size, elements=CHANNELS * images.shape[-2] * images.shape[-1])
    return torch.cat(kept)


def check_epsilons(epsilons: Sequence[float]) -> None:
    """Raise UsageError unless there are budgets and all are finite and above 0."""
    if not epsilons or not all(math.isfinite(e) and e > 0 for e in epsilons):
        raise UsageError(f"epsilon={', '.join(f'{e:g}' for e in epsilons) or 'none'}: expected a finite budget above 0, in units of 1/255")


class _RandomSigns:
    """Draws new random signs on each call."""

    def __init__(self, generator: torch.Generator):
        self.generator = generator

    def __call__(self, like: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        drawn = torch.randint(0, 2, like.shape, generator=self.generator, device=self.generator.device)
        return (2 * drawn - 1).to(like)
