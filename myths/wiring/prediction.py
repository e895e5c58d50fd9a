"""What the mathematics of graphs and the published errors say about one graph."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray as Array

from myths.wiring import facts, graphs, potts, regression, reweighting
from myths.wiring.graphs import Invariants, Wiring

if TYPE_CHECKING:
    import torch

NEAR = 0.1
"""Wirings whose density differs by at most this fraction are of the same density."""
STATES = (2, 3)
"""Numbers of states of the Potts models."""
BETAS = np.array([0.8, 1.0, 1.2, 1.45, 1.75, 2.1, 2.6, 3.2])
"""Inverse temperatures that are sampled, in units of the transition in mean field."""
CHAINS, SWEEPS, BURN_IN = 16, 300, 30
ROUNDING = 5e-6
"""The published numbers have five decimals."""


def describe(wiring: Wiring, generator: torch.Generator) -> dict[str, Any]:
    """Return the numbers of a graph and, within the range of the published wirings, the predicted error of an MLP that it wires.

    Args:
        wiring: A connected graph.
        generator: Source of random numbers for the sampling, on any device.

    Returns:
        nodes, edges, density, the invariants; for 2 and 3 states the Potts transition in mean field and as sampled (the peak of the heat
        capacity, with the standard error of the sampling; None if there is no peak in the range); outside (why there is no prediction; else
        empty); the predicted error with its 95 % interval for one training run; wirings (published ones of the same density) and how many
        percent of them have a lower mean error than predicted, with the interval that the residuals of the fit allow.
    """
    found = graphs.invariants(wiring)
    row: dict[str, Any] = {"nodes": wiring.nodes, "edges": len(wiring.edges), "density": wiring.density, **asdict(found)}
    for states in STATES:
        row |= _transition(wiring, found, states, generator)
    row["outside"] = _outside(wiring, found)
    return row if row["outside"] else row | predict_error(wiring.density, found)


def predict_error(density: float, found: Invariants) -> dict[str, Any]:
    """Return the predicted error and the place among the published wirings of the same density; see ``describe``.

    The prediction is that of a quadratic function of clustering, path length and log density.
    """
    table, _ = facts.errors("MLP")
    errors = table[facts.seed_columns(table)].to_numpy()
    y = errors.mean(1)
    known = np.column_stack([table["clustering"], table["path_length_hops"], np.log(table["density"])])
    terms = regression.quadratic(*np.vstack([known, [found.clustering, found.path_length, np.log(density)]]).T)
    weights = np.linalg.lstsq(terms[:-1], y, rcond=None)[0]
    residual = y - terms[:-1] @ weights
    noise = (errors - y[:, None]).var(ddof=0) * errors.shape[1] / (errors.shape[1] - 1)
    # The residuals of means over seeds hold a fraction of the noise already.
    of_mean = residual.var(ddof=terms.shape[1])
    of_run = of_mean + noise * (1 - 1 / errors.shape[1])
    predicted = float(terms[-1] @ weights)
    near = y[np.abs(np.log(table["density"].to_numpy() / density)) <= NEAR]
    place = [_percent_below(near, predicted + shift * float(np.sqrt(of_mean))) for shift in (0, -1.96, 1.96)]
    half = 1.96 * float(np.sqrt(of_run))
    return {
        "predicted_percent": predicted, "predicted_low_percent": predicted - half, "predicted_high_percent": predicted + half,
        "wirings": len(near), "better_percent": place[0], "better_low_percent": place[1], "better_high_percent": place[2],
    }  # fmt: skip


def _transition(wiring: Wiring, found: Invariants, states: int, generator: torch.Generator) -> dict[str, float | None]:
    mean_field = states / found.spectral_radius
    betas = mean_field * BETAS[None]
    replicas = potts.Replicas.of([wiring], betas, CHAINS, states, str(generator.device))
    samples = potts.swendsen_wang(replicas, SWEEPS, BURN_IN, generator)
    peak = reweighting.heat_capacity_peaks(samples.equal, betas)
    sampled, error = (float(value[0]) if np.isfinite(value[0]) else None for value in (peak.beta, peak.error))
    return {f"mean_field_potts_{states}": mean_field, f"potts_{states}": sampled, f"potts_{states}_error": error}


def _outside(wiring: Wiring, found: Invariants) -> str:
    """Return why the published wirings say nothing about a wiring; empty if they do."""
    if wiring.nodes != 64:
        return f"{wiring.nodes} nodes; the published wirings have 64"
    seen, _ = facts.errors("MLP")
    numbers = {"density": wiring.density, "clustering": found.clustering, "path_length_hops": found.path_length}
    for column, number in numbers.items():
        low, high = float(seen[column].min()), float(seen[column].max())
        if not low - ROUNDING <= number <= high + ROUNDING:
            return f"{column.removesuffix('_hops').replace('_', ' ')} {number:.3f}; the published wirings have {low:.3f} to {high:.3f}"
    return ""


def _percent_below(values: Float[Array, " n"], limit: float) -> float | None:
    return 100 * float((values < limit).mean()) if len(values) else None
