"""Training on perturbed images: the fast gradient sign with a random start (Wong, Rice & Kolter 2020)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Int64, UInt8
from torch import Tensor, nn

from myths.lab.device import autocast
from myths.lab.vision.augmentation import augment
from myths.lab.vision.memory_format import place
from myths.lab.vision.networks import channel_statistics
from myths.lab.vision.training import Recipe, make_optimizer, rate, steps_per_epoch

OVERSHOOT = 1.25
"""The step of the perturbation as a multiple of the budget (Wong et al. 2020, Sec. 4)."""


def fit_adversarially(
    network: nn.Module,
    x_train: UInt8[Tensor, "n c h w"],
    y_train: Int64[Tensor, " n"],
    recipe: Recipe,
    epsilon: float,
    *,
    order: torch.Generator,
    augmentation: torch.Generator,
    start: torch.Generator,
    device: str,
) -> float:
    """Trains in place on each minibatch moved by up to ``epsilon`` (ℓ∞, pixel values 0..1) against it; gives the mean last loss.

    ``order`` is a generator on the CPU, ``augmentation`` and ``start`` are on ``device``.
    """
    memory_format = place(network.train(), device)
    x_train, y_train = x_train.to(device), y_train.to(device)
    fill = channel_statistics(x_train)[0]
    total = max(1, round(recipe.epochs * steps_per_epoch(len(x_train), recipe.batch_size)))
    optimizer = make_optimizer(network, recipe)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(recipe, step, total))
    losses: list[Tensor] = []
    while len(losses) < total:
        shuffled = torch.randperm(len(x_train), generator=order).to(device)
        for indices in shuffled.split(recipe.batch_size)[: total - len(losses)]:
            images = augment(x_train[indices], recipe.augmentation, recipe.border, fill, augmentation)
            images = images.contiguous(memory_format=memory_format)
            moved = _against(network, images, y_train[indices], epsilon, start, recipe, device)
            losses.append(_loss(network, moved, y_train[indices], recipe, device))
            losses[-1].backward()
            losses[-1].detach_()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            scheduler.step()
    return float(torch.stack(losses[-steps_per_epoch(len(x_train), recipe.batch_size) :]).mean())


def _against(
    network: nn.Module, images: Tensor, labels: Tensor, epsilon: float, start: torch.Generator, recipe: Recipe, device: str
) -> Tensor:
    """The images moved by one step of the sign of the loss's gradient, from a random place in the budget."""
    offset = epsilon * (2 * torch.rand(images.shape, generator=start, device=images.device) - 1)
    at = (images + offset).clamp(0, 1).requires_grad_()
    (slope,) = torch.autograd.grad(_loss(network, at, labels, recipe, device), at)
    moved = at.detach() - images + OVERSHOOT * epsilon * slope.sign()
    return (images + moved.clamp(-epsilon, epsilon)).clamp(0, 1)


def _loss(network: nn.Module, images: Tensor, labels: Tensor, recipe: Recipe, device: str) -> Tensor:
    with autocast(device, recipe.precision):
        logits = network(images)
    return F.cross_entropy(logits.float(), labels, label_smoothing=recipe.label_smoothing)
