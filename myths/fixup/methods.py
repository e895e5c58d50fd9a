"""The methods that are compared: how weights begin, and what a residual block has beside its convolutions.

One table, applied to one definition of the network (``network``). With L residual branches of m layers each, Fixup (Zhang et al.
2019, Sec. 3) begins with zeros in the classification layer and in the last layer of every branch, with He's standard deviation times
L^(−1/(2m−2)) in the other layers of the branches, and has a scalar multiplier, 1 at the start, in every branch and a scalar bias, 0 at
the start, before every layer and every activation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Name = Literal["he", "he-scaled", "lsuv", "fixup", "skipinit", "rezero", "batch-norm", "group-norm", "layer-norm"]
GROUPS = 4
"""Of group normalization: the narrowest layers here have 16 channels."""


@dataclass(frozen=True)
class Method:
    """What makes a residual network trainable, or does not.

    ``scalars``: "fixup" (biases and a multiplier of 1), "gate" (a multiplier of 0 in each branch), or "none". ``scalar_lr_factor`` is
    their learning rate relative to that of the weights. ``output_scale`` multiplies the sum of shortcut and branch.
    """

    label: str
    weights: Literal["he", "xavier", "unit variance"] = "he"
    normalization: Literal["none", "batch", "group", "layer"] = "none"
    scalars: Literal["none", "gate", "fixup"] = "none"
    scalar_lr_factor: float = 1.0
    output_scale: float = 1.0

    @property
    def biased(self) -> bool:
        """Whether convolutions have biases of their own: where neither normalization nor Fixup's scalars shift what they give."""
        return self.normalization == "none" and self.scalars != "fixup"


METHODS: Mapping[str, Method] = {
    "he": Method("He et al. 2015, no normalization"),
    "he-scaled": Method("He, sums scaled by √½ (Balduzzi et al. 2017)", output_scale=math.sqrt(0.5)),
    "lsuv": Method("layer-sequential unit variance (Mishkin & Matas 2016)", weights="unit variance"),
    # The authors' code trains scalars at a tenth of the learning rate; the paper says nothing of it.
    "fixup": Method("Fixup", scalars="fixup", scalar_lr_factor=0.1),
    "skipinit": Method("SkipInit (De & Smith 2020)", scalars="gate"),
    "rezero": Method("ReZero (Bachlechner et al. 2020)", weights="xavier", scalars="gate"),
    "batch-norm": Method("batch normalization", normalization="batch"),
    "group-norm": Method("group normalization", normalization="group"),
    "layer-norm": Method("layer normalization", normalization="layer"),
}
