"""Objectives of the attacks on saliency maps (Ghorbani et al. 2019, Alg. 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from myths.saliency.attributions import Objective
from myths.saliency.maps import is_map, least_salient_quadrant, mass_center, top_k

AttackKind = Literal["top-k", "mass-center", "targeted"]


@dataclass(frozen=True)
class AttackObjective:
    """Objective of an attack on the maps of some images.

    The attack follows the gradient of ``differentiable``; the iterate with the largest ``damage`` is selected.
    """

    kind: AttackKind
    pixels: Bool[Tensor, "n h w"]
    """Top k pixels of the original maps, or the target region."""
    center: Float[Tensor, "n 2"]
    """Center of mass of the original maps."""

    def differentiable(self, piece: slice) -> Objective:
        """Return the objective for a slice of the images.

        It is minus the salience of the top k pixels, the squared center shift, or the salience of the region.
        """
        pixels, center = self.pixels[piece], self.center[piece]
        if self.kind == "mass-center":
            return lambda maps: (mass_center(maps) - center).square().sum(1)
        sign = -1 if self.kind == "top-k" else 1
        return lambda maps: sign * (maps * pixels).mean((1, 2))

    def damage(self, maps: Float[Tensor, "n h w"]) -> Float[Tensor, " n"]:
        """Return minus the top-k intersection, the center shift in pixels, or the region's fraction of the map; NaN without a map."""
        return torch.where(is_map(maps), self._damage(maps), torch.nan)

    def _damage(self, maps: Float[Tensor, "n h w"]) -> Float[Tensor, " n"]:
        if self.kind == "mass-center":
            return (mass_center(maps) - self.center).norm(dim=1)
        if self.kind == "targeted":
            return (maps * self.pixels).sum((1, 2)) / maps.sum((1, 2))
        k = int(self.pixels[0].sum())
        return -(top_k(maps, k) & self.pixels).sum((1, 2)).to(maps.dtype) / k

    def of(self, which: Int64[Tensor, " m"]) -> AttackObjective:
        """Return the objective of some of the images."""
        return AttackObjective(self.kind, self.pixels[which], self.center[which])

    def repeat(self, times: int) -> AttackObjective:
        """Return the objective of the images repeated ``times`` times."""
        return AttackObjective(self.kind, self.pixels.repeat(times, 1, 1), self.center.repeat(times, 1))


def attack_objective(kind: AttackKind, maps: Float[Tensor, "n h w"], k: int) -> AttackObjective:
    """Return the objective for original ``maps``. The region of a targeted attack is the least salient quadrant."""
    pixels = least_salient_quadrant(maps) if kind == "targeted" else top_k(maps, k)
    with torch.no_grad():
        return AttackObjective(kind, pixels, mass_center(maps))
