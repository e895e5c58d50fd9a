"""Trials that train on images: for one epoch at any depth and learning rate, and on a full schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from myths.fixup.trials.image_training import VERY_DEEP, ImageTraining
from myths.lab.setting import Count, Epochs, WeightDecay
from myths.lab.trial import Protocol

if TYPE_CHECKING:
    from myths.lab.vision.training import TrainConfig

FIRST_EPOCH: dict[str, Any] = {
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "mixup": 0.0,
    "augmentation": "crop-flip",
    "epochs": 1.0,
}
"""Settings of the paper's depth study (Sec. 4.1): test accuracy after one epoch at the learning rate of batch normalization."""
FULL_SCHEDULE: dict[str, Any] = {
    "architecture": "resnet",
    "depth": 110,
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "augmentation": "crop-flip",
    "batch_size": 128,
    "epochs": 200.0,
    "schedule": "step",
}
"""Settings of Table 1 in the authors' code: the learning rate is divided by 10 at epochs 100 and 150."""
CHECK_EVERY = 10
"""Number of steps between checks for a loss that is not finite, which ends training."""


@dataclass(frozen=True, kw_only=True)
class TrainOneEpoch(ImageTraining):
    """Train for one epoch and test (Zhang et al. 2019, Sec. 4.1 and Fig. 3). A run that diverges ends early and counts as a result."""

    @property
    def protocol(self) -> Protocol:
        """Protocol of the paper with its settings on all images; its batch size is 64 at the greatest depths."""
        return self.protocol_against(FIRST_EPOCH | {"batch_size": 64 if self.depth >= VERY_DEEP else 128})

    @classmethod
    def test_instance(cls) -> TrainOneEpoch:
        """Return a trial of Fixup's shallowest network on a few digits."""
        return cls(dataset="digits", depth=10, method="fixup", width=4, batch_size=32, train_examples=320)

    def train_config(self) -> TrainConfig:
        """Return the hyperparameters, with a constant learning rate."""
        from myths.lab.vision.training import TrainConfig

        return TrainConfig(
            epochs=self.epochs,
            batch_size=self.batch_size,
            schedule="constant",
            augmentation=self.augmentation,
            padding_mode="zero",
            mixup=self.mixup,
            check_interval=CHECK_EVERY,
        )


@dataclass(frozen=True, kw_only=True)
class TrainFullSchedule(ImageTraining):
    """Train on a full schedule and test once, at the end (Zhang et al. 2019, Table 1)."""

    architecture: Literal["wide-resnet", "resnet", "bottleneck"] = "resnet"
    depth: Count = 110
    epochs: Epochs = 200.0
    weight_decay: WeightDecay = 1e-4
    schedule: Literal["one-cycle", "step", "constant"] = "step"
    """Schedule of the learning rate."""

    @property
    def protocol(self) -> Protocol:
        """Protocol of the paper with its 200 epochs, with or without mixup, which the paper compares."""
        return self.protocol_against(FULL_SCHEDULE)

    @classmethod
    def test_instance(cls) -> TrainFullSchedule:
        """Return a trial of two epochs of the shallowest network on a few digits, with mixup."""
        return cls(dataset="digits", depth=8, method="fixup", width=4, batch_size=32, train_examples=320, epochs=2.0, mixup=1.0)

    def train_config(self) -> TrainConfig:
        """Return the hyperparameters. The "step" schedule divides the learning rate by 10 after 50 % and 75 % of the steps."""
        from myths.lab.vision.training import TrainConfig

        return TrainConfig(
            epochs=self.epochs,
            batch_size=self.batch_size,
            schedule=self.schedule,
            milestones=(0.5, 0.75),
            decay=0.1,
            augmentation=self.augmentation,
            padding_mode="zero",
            mixup=self.mixup,
            check_interval=CHECK_EVERY,
        )
