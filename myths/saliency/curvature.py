"""The change of the input gradient along a direction, beside what the Hessian says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from myths.saliency.attacks.objectives import target
from myths.saliency.attributions import chunk_for, explanation, gradient
from myths.saliency.maps import pixel_map
from myths.saliency.metrics import intersection
from myths.saliency.names import LEVEL
from myths.saliency.subjects import Subject
from myths.saliency.surrogate import softened


def hessian_times(
    network: nn.Module, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"], direction: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n c h w"]:
    """The Hessian of each image's logit of its label, times a direction."""
    at = images.detach().requires_grad_()
    slopes = gradient.attribute(network, at, labels, create_graph=True)
    return torch.autograd.grad((slopes * direction).sum(), at)[0]


def along(
    subject: Subject, betas: Sequence[float], surrogate: float, epsilons: Sequence[float], k: int, generator: torch.Generator
) -> list[dict[str, Any]]:
    """Rows for each sharpness (0: as the network is, with the Hessian of the ``surrogate``), direction and budget."""
    images, labels = subject.images, subject.labels
    drawn = torch.randint(0, 2, images.shape, generator=generator, device=generator.device)
    directions = {"random signs": (2 * drawn - 1).to(images), "top-k attack": _attack_direction(subject, surrogate, k)}
    rows = []
    for beta in betas:
        network = softened(subject.network, beta)
        smooth = softened(subject.network, beta or surrogate)
        before = _chunked(lambda piece, network=network: gradient.attribute(network, images[piece], labels[piece]), images)
        maps, size = pixel_map(before), before.flatten(1).norm(dim=1)
        for name, signs in directions.items():
            bent = _chunked(
                lambda piece, smooth=smooth, signs=signs: hessian_times(smooth, images[piece], labels[piece], signs[piece]), images
            )
            for epsilon in epsilons:
                moved = images + epsilon * LEVEL * signs
                after = _chunked(lambda piece, n=network, m=moved: gradient.attribute(n, m[piece], labels[piece]), images)
                found = {
                    "change": (after - before).flatten(1).norm(dim=1),
                    "predicted": epsilon * LEVEL * bent.flatten(1).norm(dim=1),
                    "gradient": size,
                    "intersection": intersection(maps, pixel_map(after), k),
                }
                row: dict[str, Any] = {"sharpness": beta, "direction": name, "epsilon": epsilon, "image": list(subject.indices)}
                rows.append(row | {what: [float(f"{v:.6g}") for v in values.tolist()] for what, values in found.items()})
    return rows


def _attack_direction(subject: Subject, beta: float, k: int) -> Tensor:
    """The first step of the top-k attack on the simple gradient."""
    simple = explanation("gradient", subject.reference).of(subject.images)
    aim = target("top-k", simple.maps(subject.network, subject.images, subject.labels), k)
    return simple.ascent(softened(subject.network, beta), subject.images, subject.labels, aim.objective).sign()


def _chunked(work: Any, images: Tensor) -> Tensor:
    from myths.lab.device import CHANNELS, halve_on_out_of_memory

    pieces, _ = halve_on_out_of_memory(work, len(images), chunk_for(images), elements=CHANNELS * images.shape[-2] * images.shape[-1])
    return torch.cat(pieces)
