"""Training methods for residual networks that are compared: initialization, normalization and learned scalars.

``network`` applies each method to the same network. With L residual branches of m layers each, Fixup (Zhang et al. 2019, Sec. 3) has
three rules. The classification layer and the last layer of every branch are initialized to zero. The other layers of the branches have
He initialization scaled by L^(−1/(2m−2)). Every branch has a scalar multiplier, initialized to 1, and every layer and activation is
preceded by a scalar bias, initialized to 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Name = Literal["he", "he-scaled", "lsuv", "fixup", "skipinit", "rezero", "batch-norm", "group-norm", "layer-norm", "dyt", "no-branches"]
GROUPS = 4
"""Number of groups of group normalization. The narrowest layers of the paper's network have 16 channels."""


@dataclass(frozen=True)
class Method:
    """A training method for residual networks: initialization, normalization and learned scalars.

    Attributes:
        label: Name of the method in tables.
        weights: Initialization of the weights.
        normalization: Kind of normalization; "tanh" is an elementwise function in its place.
        scalars: "fixup" (biases, and a multiplier initialized to 1), "gate" (a zero-initialized multiplier per branch), or "none".
        scalar_lr_factor: Learning rate of the scalars relative to that of the weights.
        output_scale: Factor of the sum of shortcut and branch.
        branches: Whether the network has its residual branches. Without them a block is its shortcut.
    """

    label: str
    weights: Literal["he", "xavier", "unit variance"] = "he"
    normalization: Literal["none", "batch", "group", "layer", "tanh"] = "none"
    scalars: Literal["none", "gate", "fixup"] = "none"
    scalar_lr_factor: float = 1.0
    output_scale: float = 1.0
    branches: bool = True

    @property
    def biased(self) -> bool:
        """Whether convolutions have biases. They have none if normalization or the scalars of Fixup shift their outputs."""
        return self.normalization == "none" and self.scalars != "fixup"


METHODS: Mapping[str, Method] = {
    "he": Method("He et al. 2015, no normalization"),
    "he-scaled": Method("He, sums scaled by √½ (Balduzzi et al. 2017)", output_scale=math.sqrt(0.5)),
    "lsuv": Method("layer-sequential unit variance (Mishkin & Matas 2016)", weights="unit variance"),
    # The authors' code trains scalars at a tenth of the learning rate, which the paper does not mention.
    "fixup": Method("Fixup", scalars="fixup", scalar_lr_factor=0.1),
    "skipinit": Method("SkipInit (De & Smith 2020)", scalars="gate"),
    "rezero": Method("ReZero (Bachlechner et al. 2020)", weights="xavier", scalars="gate"),
    "batch-norm": Method("batch normalization", normalization="batch"),
    "group-norm": Method("group normalization", normalization="group"),
    "layer-norm": Method("layer normalization", normalization="layer"),
    "no-branches": Method("Fixup without residual branches (control)", scalars="fixup", scalar_lr_factor=0.1, branches=False),
    "dyt": Method("Dynamic Tanh in the place of batch normalization (Zhu et al. 2025)", normalization="tanh"),
}
