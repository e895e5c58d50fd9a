"""The coherence of a category: when a block of common properties in noise is found by the first singular vectors.

A category of K_o of N_o objects shares K_f of N_f properties, each with probability p instead of q. Its coherence is
C = (p − q)²/(q (1 − q)) · K_o K_f / √(N_o N_f). Below C = 1 the first singular vectors carry no trace of it in the limit of large tables.
The curve above it follows from the perturbation of a random matrix by one of rank one (Benaych-Georges & Nadakuditi 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

Noise = Literal["gaussian", "bernoulli"]


@dataclass(frozen=True)
class Block:
    """A category in a table: numbers of objects and properties, in all and of the category."""

    objects: int
    properties: int
    category_objects: int
    category_properties: int

    @property
    def size_factor(self) -> float:
        """K_o K_f / √(N_o N_f)."""
        return self.category_objects * self.category_properties / float(np.sqrt(self.objects * self.properties))


def coherence(block: Block, p: float, q: float) -> float:
    """Return the coherence C of a category whose properties have probability ``p`` inside and ``q`` outside."""
    return (p - q) ** 2 / (q * (1 - q)) * block.size_factor


def overlap_curve(c: float, ratio: float) -> tuple[float, float]:
    """Return the squared overlaps of the first singular vectors with the category's objects and with its properties.

    Args:
        c: Coherence C.
        ratio: N_o / N_f.
    """
    if c <= 1:
        return 0.0, 0.0
    root = float(np.sqrt(ratio))
    return (c * c - 1) / (c * (c + root)), (c * c - 1) / (c * (c + 1 / root))


def singular_value_curve(c: float, block: Block) -> float:
    """Return the first singular value in units of the standard deviation of the noise."""
    ratio = block.objects / block.properties
    root = float(np.sqrt(ratio))
    if c <= 1:
        return float(np.sqrt(block.objects) + np.sqrt(block.properties))
    return float(np.sqrt(block.properties * (1 + c * root) * (ratio + c * root) / (c * root)))


def draw(
    block: Block, signal: float, q: float, noise: Noise, draws: int, rng: np.random.Generator
) -> Float[np.ndarray, "draws objects properties"]:
    """Return tables in units of the noise: centered by its mean and divided by its standard deviation.

    Args:
        block: Sizes. The category is the first objects and properties.
        signal: Mean of the category's entries in units of the noise: (p − q)/√(q (1 − q)).
        q: Probability outside the category (Bernoulli noise).
        noise: Distribution of the entries.
        draws: Number of tables.
        rng: Source of random numbers.
    """
    shape = (draws, block.objects, block.properties)
    inside = (slice(None), slice(block.category_objects), slice(block.category_properties))
    if noise == "gaussian":
        table = rng.standard_normal(shape, dtype=np.float32)
        table[inside] += np.float32(signal)
        return table
    deviation = float(np.sqrt(q * (1 - q)))
    probability = np.full(shape[1:], q, dtype=np.float32)
    probability[inside[1:]] = q + signal * deviation
    return ((rng.random(shape, dtype=np.float32) < probability) - np.float32(q)) / np.float32(deviation)


def first_mode(tables: Float[np.ndarray, "draws objects properties"], block: Block, device: str) -> Sequence[tuple[float, float, float]]:
    """Return for each table the squared overlaps of its first singular vectors with the category, and its first singular value."""
    import torch

    found = []
    for table in tables:
        x = torch.from_numpy(table).to(device, torch.float64)
        gram = x @ x.T if x.shape[0] <= x.shape[1] else x.T @ x
        values, vectors = torch.linalg.eigh(gram)
        value, vector = values[-1].sqrt(), vectors[:, -1]
        other = (x.T @ vector if x.shape[0] <= x.shape[1] else x @ vector) / value
        of_objects, of_properties = (vector, other) if x.shape[0] <= x.shape[1] else (other, vector)
        overlaps = (
            of_objects[: block.category_objects].sum().square() / block.category_objects,
            of_properties[: block.category_properties].sum().square() / block.category_properties,
        )
        found.append((float(overlaps[0]), float(overlaps[1]), float(value)))
    return found
