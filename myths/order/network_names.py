"""Names of the networks of this myth and what they cost. This module does not import torch."""

from __future__ import annotations

from typing import Annotated

from myths.lab.setting import Meaning, OneOf

RELATIVE_COST = {"mlp": 3.0, "mnist_cnn": 3.5, "small_cnn": 12.0, "resnet8": 18.0, "patch_transformer": 60.0, "resnet18": 556.0}
"""Relative training cost per image; those of the fully connected network and the transformer are estimates."""

NetworkName = Annotated[str, OneOf(tuple(RELATIVE_COST)), Meaning("Network architecture.")]
