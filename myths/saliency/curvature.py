"""Change of the input gradient along a direction, and the change that the Hessian predicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from myths.saliency.attacks.objectives import attack_objective
from myths.saliency.attributions import default_internal_batch_size, gradient, make_attribution
from myths.saliency.explained_model import ExplainedModel
from myths.saliency.maps import pixel_map
from myths.saliency.metrics import intersection
from myths.saliency.names import PIXEL_STEP
from myths.saliency.surrogate import softened


@dataclass(frozen=True, kw_only=True)
class CurvatureConfig:
    """What is measured.

    Attributes:
        betas: β of the softplus in the network; 0 is ReLU.
        surrogate_beta: β of the softplus surrogate that provides the Hessian of the ReLU network.
        epsilons: Perturbation budgets, in units of 1/255.
        k: Number of top pixels.
    """

    betas: tuple[float, ...]
    surrogate_beta: float
    epsilons: tuple[float, ...]
    k: int


def hessian_vector_product(
    network: nn.Module, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"], vectors: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n c h w"]:
    """Return the product of the Hessian of each image's logit of its label and a vector."""
    at = images.detach().requires_grad_()
    gradients = gradient.attribute(network, at, labels, create_graph=True)
    return torch.autograd.grad((gradients * vectors).sum(), at)[0]


def measure_curvature(model: ExplainedModel, config: CurvatureConfig, generator: torch.Generator) -> list[dict[str, Any]]:
    """Return one row per β, direction ("random signs", "top-k attack") and budget, with lists over the images.

    Args:
        model: A network and images.
        config: What is measured.
        generator: Generator of the random signs.
    """
    images, labels = model.images, model.labels
    drawn = torch.randint(0, 2, images.shape, generator=generator, device=generator.device)
    directions = {"random signs": (2 * drawn - 1).to(images), "top-k attack": _attack_direction(model, config.surrogate_beta, config.k)}
    rows = []
    for beta in config.betas:
        network = softened(model.network, beta)
        smooth = softened(model.network, beta or config.surrogate_beta)
        before = _batched(lambda piece, network=network: gradient.attribute(network, images[piece], labels[piece]), images)
        maps, norms = pixel_map(before), before.flatten(1).norm(dim=1)
        for name, signs in directions.items():
            products = _batched(
                lambda piece, smooth=smooth, signs=signs: hessian_vector_product(smooth, images[piece], labels[piece], signs[piece]), images
            )
            for epsilon in config.epsilons:
                perturbed = images + epsilon * PIXEL_STEP * signs
                after = _batched(lambda piece, n=network, x=perturbed: gradient.attribute(n, x[piece], labels[piece]), images)
                columns = {
                    "gradient_change": (after - before).flatten(1).norm(dim=1),
                    "predicted_change": epsilon * PIXEL_STEP * products.flatten(1).norm(dim=1),
                    "gradient_norm": norms,
                    "intersection": intersection(maps, pixel_map(after), config.k),
                }
                row: dict[str, Any] = {"beta": beta, "direction": name, "epsilon": epsilon, "image": list(model.indices)}
                rows.append(row | {column: [float(f"{v:.6g}") for v in values.tolist()] for column, values in columns.items()})
    return rows


def _attack_direction(model: ExplainedModel, beta: float, k: int) -> Tensor:
    """Return the first step of the top-k attack on the simple gradient."""
    simple = make_attribution("gradient", model.baseline).batched_for(model.images)
    objective = attack_objective("top-k", simple.maps(model.network, model.images, model.labels), k)
    return simple.objective_gradient(softened(model.network, beta), model.images, model.labels, objective.differentiable).sign()


def _batched(function: Any, images: Tensor) -> Tensor:
    from myths.lab.measurement.device import CHANNELS, halve_on_out_of_memory

    elements = CHANNELS * images.shape[-2] * images.shape[-1]
    pieces, _ = halve_on_out_of_memory(function, len(images), default_internal_batch_size(images), elements=elements)
    return torch.cat(pieces)
