"""Multiple-histogram reweighting (Ferrenberg & Swendsen 1989): energies at several temperatures give the heat capacity at all between.

Arrays may have leading axes, such as wirings and jackknife samples. Energies are whole numbers: edges with equal ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray as Array
from scipy.special import logsumexp

MAX_ROUNDS = 500
TOLERANCE = 1e-7
BLOCKS = 10
"""Blocks of consecutive sweeps that the jackknife leaves out."""


@dataclass(frozen=True)
class Peaks:
    """The maximum of the heat capacity β² · Var(E) of each wiring.

    Attributes:
        beta: Where it is; NaN if it is at an end of the range that was sampled.
        error: Its jackknife standard error over blocks of sweeps; NaN if a jackknife sample has no maximum inside.
        height: The heat capacity there.
    """

    beta: Float[Array, " wirings"]
    error: Float[Array, " wirings"]
    height: Float[Array, " wirings"]


def heat_capacity_peaks(equal: Int[Array, "wirings temperatures chains sweeps"], betas: Float[Array, "wirings temperatures"]) -> Peaks:
    """Return where the heat capacity of each wiring is largest, with the error of the sampling.

    Args:
        equal: Number of edges with equal ends in every sample.
        betas: Inverse temperatures, in increasing order.
    """
    blocks = histograms(equal)
    counts = np.concatenate([blocks.sum(1, keepdims=True), blocks.sum(1, keepdims=True) - blocks], axis=1)  # all sweeps, then without each
    log_density = density_of_states(counts, betas[:, None])
    grid = np.linspace(betas[:, 0], betas[:, -1], 80, axis=-1)
    capacity = np.stack([heat_capacity(logs[:, None], points) for logs, points in zip(log_density, grid, strict=True)])
    place, height = _largest(capacity, grid[:, None])
    n = blocks.shape[1]
    spread = place[:, 1:] - place[:, 1:].mean(1, keepdims=True)
    return Peaks(place[:, 0], np.sqrt((n - 1) / n * (spread**2).sum(1)), height[:, 0])


def histograms(equal: Int[Array, "wirings temperatures chains sweeps"]) -> Int[Array, "wirings blocks temperatures energies"]:
    """Return how often each energy was met, by block of consecutive sweeps. Sweeps beyond a multiple of ``BLOCKS`` are left out."""
    wirings, temperatures, chains, sweeps = equal.shape
    each, energies = sweeps // BLOCKS, int(equal.max()) + 1
    by_block = equal[..., : each * BLOCKS].reshape(wirings, temperatures, chains, BLOCKS, each)
    by_block = by_block.transpose(0, 3, 1, 2, 4).reshape(wirings * BLOCKS * temperatures, -1)
    numbered = by_block + energies * np.arange(len(by_block))[:, None]
    return np.bincount(numbered.ravel(), minlength=energies * len(by_block)).reshape(wirings, BLOCKS, temperatures, energies)


def density_of_states(counts: Int[Array, "... temperatures energies"], betas: Float[Array, "... temperatures"]) -> Array:
    """Return the logarithm of the number of configurations of each energy up to a constant; −∞ for an energy that was not met.

    Args:
        counts: How often each energy was met at each temperature.
        betas: Inverse temperatures.
    """
    energies = np.arange(counts.shape[-1])
    boltzmann = betas[..., None] * energies
    with np.errstate(divide="ignore"):
        met, drawn = np.log(counts.sum(-2)), np.log(counts.sum(-1))
    mean = (counts @ energies) / counts.sum(-1)
    steps = np.diff(betas, axis=-1) * (mean[..., 1:] + mean[..., :-1]) / 2  # ∂ ln Z / ∂β is the mean energy: a good start
    free = np.concatenate([np.zeros((*mean.shape[:-1], 1)), steps.cumsum(-1)], axis=-1)
    for _ in range(MAX_ROUNDS):
        log_density = met - logsumexp(boltzmann + (drawn - free)[..., None], axis=-2)
        updated = logsumexp(log_density[..., None, :] + boltzmann, axis=-1)
        updated -= updated[..., :1]
        change, free = np.abs(updated - free).max(), updated
        if change < TOLERANCE:
            break
    return log_density


def heat_capacity(log_density: Float[Array, "... energies"], beta: Float[Array, "..."]) -> Array:
    """Return β² · Var(E) at each β; the leading axes of both are broadcast."""
    energies = np.arange(log_density.shape[-1])
    logs = log_density + beta[..., None] * energies
    weights = np.exp(logs - logs.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    mean = weights @ energies
    return beta**2 * (weights @ energies**2 - mean**2)


def _largest(capacity: Float[Array, "... points"], grid: Float[Array, "... points"]) -> tuple[Array, Array]:
    """Return place and height of the maximum: that of the parabola through the largest point and its neighbors, NaN at an end."""
    top = capacity.argmax(-1)[..., None]
    inside = ((top > 0) & (top < capacity.shape[-1] - 1))[..., 0]
    middle = np.clip(top, 1, capacity.shape[-1] - 2)
    left, peak, right = (np.take_along_axis(capacity, middle + step, -1)[..., 0] for step in (-1, 0, 1))
    at = np.take_along_axis(np.broadcast_to(grid, capacity.shape), middle, -1)[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = (left - right) / (left - 2 * peak + right) / 2
    height = peak - (left - right) * shift / 4
    return np.where(inside, at + shift * (grid[..., 1] - grid[..., 0]), np.nan), np.where(inside, height, np.nan)
