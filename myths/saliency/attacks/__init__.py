"""Perturbations of images within a budget, that change their saliency maps and keep their labels; all images at once.

Budgets are ℓ∞, in units of 1/255 as in the paper; pixel values are 0..1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from myths.lab.errors import UsageError
from myths.saliency.attacks.objectives import Target, target
from myths.saliency.attributions import Explanation
from myths.saliency.names import LEVEL, AttackName, Schedule
from myths.saliency.surrogate import softened

Step = Callable[[Float[Tensor, "n c h w"]], Float[Tensor, "n c h w"]]
"""From the present iterate to the direction of the next step."""


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """An attack on maps.

    Attributes:
        attack: Its name.
        inside: The explanation that the attack differentiates, through softplus.
        judged: That of the network as it is, by which the best iterate is chosen.
        epsilons: Budgets.
        k: Number of most salient pixels that are attacked.
        schedule: How the attack goes.
    """

    attack: AttackName
    inside: Explanation
    judged: Explanation
    epsilons: Sequence[float]
    k: int
    schedule: Schedule


def perturb(
    how: Perturbation,
    network: nn.Module,
    images: Float[Tensor, "n c h w"],
    labels: Int64[Tensor, " n"],
    generator: torch.Generator,
) -> dict[float, Float[Tensor, "n c h w"]]:
    """Perturbed images for each budget. ``labels`` are what the network predicts for the images.

    The best iterate is that of the greatest damage among those with the label, the image itself included. Where not every iterate is
    judged, the latest that has the label is, so that an image whose label is lost at a checkpoint is attacked all the same. Only the one
    random draw may lose the label. Raises UsageError for a budget that is not above 0 and a ``k`` beyond the pixels.
    """
    attack, epsilons, schedule, judged = how.attack, how.epsilons, how.schedule, how.judged
    check_epsilons(epsilons)
    signs = _Signs(generator)
    if attack == "random":
        noise = signs(images)
        return {epsilon: (images + epsilon * LEVEL * noise).clamp(0, 1) for epsilon in epsilons}
    clean = judged.maps(network, images, labels)
    # The walk is judged as the paper's top-k attack is, with which it is compared.
    aim = target("top-k" if attack == "random-walk" else attack, clean, how.k)
    surrogate = softened(network, schedule.beta)

    def ascend(at: Tensor) -> Tensor:
        return how.inside.ascent(surrogate, at, labels, aim.objective)

    step: Step = signs if attack == "random-walk" else ascend
    groups = [tuple(epsilons)] if schedule.shared else [(epsilon,) for epsilon in epsilons]
    found: dict[float, Tensor] = {}
    for group in groups:
        n = len(group)
        judge = _Judge(network, judged, labels.repeat(n), aim.repeated(n), aim.measure(clean).repeat(n))
        start = images + schedule.step * LEVEL * signs(images)
        found |= _trajectory(images, start, step, judge, group, schedule)
    return found


@dataclass(frozen=True)
class _Judge:
    """What becomes of some candidates: which keep their label, and how damaged their maps are."""

    network: nn.Module
    judged: Explanation
    labels: Int64[Tensor, " n"]
    aim: Target
    least: Float[Tensor, " n"]
    """The damage of the images themselves."""

    def keeps_label(self, candidates: Float[Tensor, "n c h w"]) -> Bool[Tensor, " n"]:
        return keeps_label(self.network, candidates, self.labels, self.judged.chunk)

    def damage(self, candidates: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return self.aim.measure(self.judged.maps(self.network, candidates, self.labels))


def _trajectory(
    images: Tensor, start: Tensor, step: Step, judge: _Judge, epsilons: Sequence[float], schedule: Schedule
) -> dict[float, Tensor]:
    """Steps of the sign at the largest budget; for each budget the best of what is judged."""
    widest = max(epsilons) * LEVEL
    reach = torch.tensor(epsilons, dtype=images.dtype, device=images.device)[:, None, None, None, None] * LEVEL
    best, worst = images.repeat(len(epsilons), 1, 1, 1), judge.least
    latest = best
    # A random first step, because the mass-center objective has no gradient at the image itself.
    at = (images + (start - images).clamp(-widest, widest)).clamp(0, 1)
    for i in range(schedule.iterations):
        moved = at - images + schedule.step * LEVEL * step(at).sign()
        at = (images + moved.clamp(-widest, widest)).clamp(0, 1)
        candidates = (images + torch.minimum(torch.maximum(at - images, -reach), reach)).clamp(0, 1).flatten(0, 1)
        latest = _where(judge.keeps_label(candidates), candidates, latest)
        if (i + 1) % schedule.checkpoint and i + 1 < schedule.iterations:
            continue
        damage = judge.damage(latest)
        worse = damage > worst  # never where an iterate, or the image itself, has no map
        best, worst = _where(worse, latest, best), torch.where(worse, damage, worst)
    return dict(zip(epsilons, best.chunk(len(epsilons)), strict=True))


def _where(chosen: Bool[Tensor, " n"], one: Float[Tensor, "n c h w"], other: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    return torch.where(chosen[:, None, None, None], one, other)


@torch.no_grad()
def keeps_label(network: nn.Module, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"], chunk: int = 1024) -> Bool[Tensor, " n"]:
    """Whether the network still predicts the label of each image."""
    from myths.lab.device import CHANNELS, halve_on_out_of_memory

    def work(piece: slice) -> Tensor:
        return network(images[piece]).argmax(1) == labels[piece]

    kept, _ = halve_on_out_of_memory(work, len(images), chunk, elements=CHANNELS * images.shape[-2] * images.shape[-1])
    return torch.cat(kept)


def check_epsilons(epsilons: Sequence[float]) -> None:
    """Raises UsageError unless there are budgets, all finite and above 0."""
    if not epsilons or not all(math.isfinite(e) and e > 0 for e in epsilons):
        raise UsageError(f"epsilon={', '.join(f'{e:g}' for e in epsilons) or 'none'}: a budget is above 0, in levels of 255")


class _Signs:
    """Fresh random signs each time, equally likely."""

    def __init__(self, generator: torch.Generator):
        self.generator = generator

    def __call__(self, like: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        drawn = torch.randint(0, 2, like.shape, generator=self.generator, device=self.generator.device)
        return (2 * drawn - 1).to(like)
