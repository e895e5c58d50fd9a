"""Trainings: one epoch at any depth and learning rate, and to the end."""

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
"""The paper's depth study (Sec. 4.1): the learning rate of batch normalization for all, test accuracy after one epoch."""
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
"""Table 1, as the authors' code has it: a tenth of the rate from epoch 100, a hundredth from epoch 150."""
CHECK_EVERY = 10
"""Steps after which a loss that is not finite ends a training."""


@dataclass(frozen=True, kw_only=True)
class TrainOneEpoch(ImageTraining):
    """Train for one epoch and test (Zhang et al. 2019, Sec. 4.1 and Fig. 3). A training that diverges ends early and is a result."""

    @property
    def protocol(self) -> Protocol:
        """Of the paper with its settings on all images, with batches of 64 at the greatest depths."""
        return self.protocol_against(FIRST_EPOCH | {"batch_size": 64 if self.depth >= VERY_DEEP else 128})

    @classmethod
    def test_instance(cls) -> TrainOneEpoch:
        """Fixup's shallowest network on a few digits."""
        return cls(dataset="digits", depth=10, method="fixup", width=4, batch_size=32, train_examples=320)

    def train_config(self) -> TrainConfig:
        """At a constant rate."""
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
    """Train on a whole schedule and test at the end, never before (Zhang et al. 2019, Table 1)."""

    architecture: Literal["wide-resnet", "resnet", "bottleneck"] = "resnet"
    depth: Count = 110
    epochs: Epochs = 200.0
    weight_decay: WeightDecay = 1e-4
    schedule: Literal["one-cycle", "step", "constant"] = "step"
    """How the learning rate changes over the training."""

    @property
    def protocol(self) -> Protocol:
        """Of the paper with its 200 epochs; mixup is compared, so it may be on or off."""
        return self.protocol_against(FULL_SCHEDULE)

    @classmethod
    def test_instance(cls) -> TrainFullSchedule:
        """Two epochs of the shallowest network on a few digits, with mixup."""
        return cls(dataset="digits", depth=8, method="fixup", width=4, batch_size=32, train_examples=320, epochs=2.0, mixup=1.0)

    def train_config(self) -> TrainConfig:
        """A tenth of the rate from half of the training, a hundredth from three quarters, or another schedule of the suite."""
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
