"""Adversarial training by the fast gradient sign method with a random start (Wong, Rice & Kolter 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from myths.lab.measurement.device import autocast
from myths.lab.vision.training import TrainConfig

OVERSHOOT = 1.25
"""Step size as a multiple of the budget (Wong et al. 2020, Sec. 4)."""


@dataclass(frozen=True)
class SignedGradient:
    """The perturbation of adversarial training, a hook ``perturb`` of the training loop.

    Attributes:
        network: The network that is trained.
        config: Settings of the training run.
        epsilon: Perturbation budget (ℓ∞, pixel values 0..1).
        start: Generator of the random starts, on the device of the images.
    """

    network: nn.Module
    config: TrainConfig
    epsilon: float
    start: torch.Generator

    def __call__(self, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        """Return images after one signed gradient step on the loss, from a random start within the budget."""
        epsilon = self.epsilon
        offset = epsilon * (2 * torch.rand(images.shape, generator=self.start, device=images.device) - 1)
        at = (images + offset).clamp(0, 1).requires_grad_()
        (gradient,) = torch.autograd.grad(self._loss(at, labels), at)
        change = at.detach() - images + OVERSHOOT * epsilon * gradient.sign()
        return (images + change.clamp(-epsilon, epsilon)).clamp(0, 1)

    def _loss(self, images: Tensor, labels: Tensor) -> Tensor:
        with autocast(str(images.device), self.config.precision):
            logits = self.network(images)
        return F.cross_entropy(logits.float(), labels, label_smoothing=self.config.label_smoothing)
