"""What the attacks make large in a saliency map (Ghorbani et al. 2019, Alg. 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from myths.saliency.attributions import Objective
from myths.saliency.maps import dullest_quarter, is_map, mass_center, top_k

Damage = Literal["top-k", "mass-center", "targeted"]


@dataclass(frozen=True)
class Target:
    """One way of damaging the maps of some images, and how far it has come.

    ``objective`` can be differentiated; ``measure`` is what the best iterate is chosen by. Larger is worse damage for both.
    """

    damage: Damage
    pixels: Bool[Tensor, "n h w"]
    """The top k pixels of the clean maps, or the region to move to."""
    center: Float[Tensor, "n 2"]
    """The center of mass of the clean maps."""

    def objective(self, piece: slice) -> Objective:
        """Of some of the images: minus what the top k pixels get, the squared shift of the center, or what the region gets."""
        pixels, center = self.pixels[piece], self.center[piece]
        if self.damage == "mass-center":
            return lambda maps: (mass_center(maps) - center).square().sum(1)
        sign = -1 if self.damage == "top-k" else 1
        return lambda maps: sign * (maps * pixels).mean((1, 2))

    def measure(self, maps: Float[Tensor, "n h w"]) -> Float[Tensor, " n"]:
        """Return minus the top-k intersection, the shift of the center in pixels, or the region's share of the map; NaN for no map."""
        return torch.where(is_map(maps), self._damage(maps), torch.nan)

    def _damage(self, maps: Float[Tensor, "n h w"]) -> Float[Tensor, " n"]:
        if self.damage == "mass-center":
            return (mass_center(maps) - self.center).norm(dim=1)
        if self.damage == "targeted":
            return (maps * self.pixels).sum((1, 2)) / maps.sum((1, 2))
        k = int(self.pixels[0].sum())
        return -(top_k(maps, k) & self.pixels).sum((1, 2)).to(maps.dtype) / k

    def repeated(self, times: int) -> Target:
        """For the images stacked ``times`` times."""
        return Target(self.damage, self.pixels.repeat(times, 1, 1), self.center.repeat(times, 1))


def target(damage: Damage, maps: Float[Tensor, "n h w"], k: int) -> Target:
    """What to damage in clean ``maps``; the region of a targeted attack is the quadrant that the map finds least salient."""
    pixels = dullest_quarter(maps) if damage == "targeted" else top_k(maps, k)
    with torch.no_grad():
        return Target(damage, pixels, mass_center(maps))
