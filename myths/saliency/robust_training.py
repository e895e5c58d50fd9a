"""Adversarial training by the fast gradient sign method with a random start (Wong, Rice & Kolter 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Int64, UInt8
from torch import Tensor, nn

from myths.lab.measurement.device import autocast
from myths.lab.vision.augmentation import augment
from myths.lab.vision.memory_format import place
from myths.lab.vision.networks import channel_statistics
from myths.lab.vision.training import TrainConfig, lr_factor, make_optimizer, steps_per_epoch

OVERSHOOT = 1.25
"""Step size as a multiple of the budget (Wong et al. 2020, Sec. 4)."""


@dataclass(frozen=True)
class RobustTraining:
    """Adversarial training.

    Attributes:
        config: Settings of the training run.
        epsilon: Perturbation budget (ℓ∞, pixel values 0..1).
        device: The device.
    """

    config: TrainConfig
    epsilon: float
    device: str

    def fit(
        self,
        network: nn.Module,
        x_train: UInt8[Tensor, "n c h w"],
        y_train: Int64[Tensor, " n"],
        *,
        order: torch.Generator,
        augmentation: torch.Generator,
        start: torch.Generator,
    ) -> float:
        """Train in place and return the mean loss of the last epoch.

        Args:
            network: The network.
            x_train: Training images.
            y_train: Classes.
            order: Generator of the order of the images, on the CPU.
            augmentation: Generator of the augmentation, on the device.
            start: Generator of the random starts, on the device.
        """
        config, device = self.config, self.device
        memory_format = place(network.train(), device)
        x_train, y_train = x_train.to(device), y_train.to(device)
        fill = channel_statistics(x_train)[0]
        total = max(1, round(config.epochs * steps_per_epoch(len(x_train), config.batch_size)))
        optimizer = make_optimizer(network, config)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: lr_factor(config, step, total))
        losses: list[Tensor] = []
        while len(losses) < total:
            shuffled = torch.randperm(len(x_train), generator=order).to(device)
            for indices in shuffled.split(config.batch_size)[: total - len(losses)]:
                images = augment(x_train[indices], config.augmentation, config.padding_mode, fill, augmentation)
                images = images.contiguous(memory_format=memory_format)
                perturbed = self._perturb(network, images, y_train[indices], start)
                losses.append(self._loss(network, perturbed, y_train[indices]))
                losses[-1].backward()
                losses[-1].detach_()
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                scheduler.step()
        return float(torch.stack(losses[-steps_per_epoch(len(x_train), config.batch_size) :]).mean())

    def _perturb(self, network: nn.Module, images: Tensor, labels: Tensor, start: torch.Generator) -> Tensor:
        """Return images after one signed gradient step on the loss, from a random start within the budget."""
        epsilon = self.epsilon
        offset = epsilon * (2 * torch.rand(images.shape, generator=start, device=images.device) - 1)
        at = (images + offset).clamp(0, 1).requires_grad_()
        (gradient,) = torch.autograd.grad(self._loss(network, at, labels), at)
        change = at.detach() - images + OVERSHOOT * epsilon * gradient.sign()
        return (images + change.clamp(-epsilon, epsilon)).clamp(0, 1)

    def _loss(self, network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        with autocast(self.device, self.config.precision):
            logits = network(images)
        return F.cross_entropy(logits.float(), labels, label_smoothing=self.config.label_smoothing)
