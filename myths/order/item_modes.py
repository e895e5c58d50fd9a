"""The modes of a table of items and properties: what a deep linear network will learn about the items, and when.

A property is centered. Time is in units of τ for a network with one input unit per item and white inputs, so that its singular values are
those of the table over the square root of the number of items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from myths.lab.data import prepared
from myths.lab.data.user_tables import read_table
from myths.lab.errors import UsageError

ANIMALS_AND_PLANTS = "animals_and_plants"
"""A table of eight items from general knowledge, after the example of Rumelhart & Todd (1993)."""
EXACT_WORK = 2e10
"""Entries of a table times its smaller side above which the decomposition is randomized: about half a minute on one core."""
POWER_ITERATIONS = (8, 16)
"""Power iterations of the randomized decomposition, tried in turn until its error is at most ``TOLERANCE``."""
TOLERANCE = 0.01
NAMED = 5
"""Number of items, and of properties, that are named on each side of a mode."""


@dataclass(frozen=True)
class ItemTable:
    """A table of the user: values centered by property, with the names and categories of the items (empty if there are none)."""

    values: Float[np.ndarray, "items properties"]
    properties: Sequence[str]
    items: Sequence[str]
    categories: Sequence[str]


@dataclass(frozen=True)
class Modes:
    """The first singular vectors and values of a table.

    Attributes:
        left: Singular vectors of the items.
        right: Singular vectors of the properties.
        values: Singular values.
        error: Largest relative residual of a mode, the larger one of ‖Xv − su‖/s and ‖Xᵀu − sv‖/s. The table has a singular value within
            this fraction of each value.
        randomized: Whether the decomposition is randomized.
    """

    left: Float[np.ndarray, "items modes"]
    right: Float[np.ndarray, "modes properties"]
    values: Float[np.ndarray, " modes"]
    error: float
    randomized: bool


def load_table(name: str) -> ItemTable:
    """Return a table that was added with ``myths data add``, or the built-in one.

    Args:
        name: Name of the dataset.

    Raises:
        UsageError: The dataset is no table.
        CannotStart: The dataset is not on this machine.
    """
    if name == ANIMALS_AND_PLANTS:
        arrays = read_table(Path(__file__).with_name("items.csv"))
    else:
        found = prepared.require(name)
        arrays = prepared.load(name) if found.kind == "arrays" else {}
        if "table" not in arrays:
            raise UsageError(f"{name} is no table of items and properties: add one with `myths data add NAME TABLE.csv`")
    table = np.asarray(arrays["table"], dtype=np.float64)
    names = [str(item) for item in arrays["items"]] if "items" in arrays else [f"item {i + 1}" for i in range(len(table))]
    categories = [str(each) for each in arrays.get("categories", ())]
    return ItemTable(table - table.mean(0), [str(each) for each in arrays["properties"]], names, categories)


def modes(table: Float[np.ndarray, "items properties"], n: int) -> Modes:
    """Return the ``n`` strongest modes of a centered table; of large tables by randomized decomposition (with a fixed seed).

    Args:
        table: Values.
        n: Largest number of modes.
    """
    n = min(n, min(table.shape), len(table) - 1)
    if table.size * min(table.shape) <= EXACT_WORK:
        left, values, right = np.linalg.svd(table, full_matrices=False)
        return _modes(table, (left[:, :n], values[:n], right[:n]), randomized=False)
    from sklearn.utils.extmath import randomized_svd

    for iterations in POWER_ITERATIONS:
        found = _modes(table, randomized_svd(table, n, n_iter=iterations, random_state=0), randomized=True)
        if found.error <= TOLERANCE:
            break
    return found


def _modes(table: np.ndarray, decomposition: tuple[np.ndarray, np.ndarray, np.ndarray], *, randomized: bool) -> Modes:
    left, values, right = decomposition
    kept = values > 1e-9 * values[0]
    left, values, right = left[:, kept], values[kept], right[kept]
    # A randomized decomposition makes one of the residuals zero, for tall tables the other one than for wide tables.
    residuals = (table @ right.T - left * values, table.T @ left - right.T * values)
    error = max(float((np.linalg.norm(each, axis=0) / values).max()) for each in residuals)
    return Modes(left, right, values, error, randomized)


def noise_edge(table: Float[np.ndarray, "items properties"]) -> float:
    """Return the largest singular value of noise with the variance of the table: σ (√(N_o − 1) + √N_f).

    Centering the properties takes one degree of freedom from the items.
    """
    items, properties = table.shape
    sigma = np.linalg.norm(table) / np.sqrt((items - 1) * properties)
    return float(sigma * (np.sqrt(items - 1) + np.sqrt(properties)))


def category_coherences(table: Float[np.ndarray, "items properties"], categories: Sequence[str]) -> dict[str, tuple[int, float]]:
    """Return the number of items and the coherence C of each category, with its own noise. A category of all items is left out.

    The difference of each property between members and others is squared, reduced by what noise contributes, and divided by the variance
    within both groups. The sum is K_f · SNR for a block of common properties. It is multiplied by K_o (1 − K_o/N_o) / √(N_o N_f), where the
    factor in brackets is due to the centering of the properties. C is infinite if no property varies within both groups.

    Args:
        table: Values, centered by property.
        categories: Category of each item.
    """
    from scipy.sparse import csr_array

    if not len(categories):
        return {}
    items, properties = table.shape
    names, member, sizes = np.unique(np.asarray(categories), return_inverse=True, return_counts=True)
    members = csr_array((np.ones(items), (member, np.arange(items))), shape=(len(names), items))
    totals, column_sums, total = members @ table, table.sum(0), (table**2).sum(0)
    found = {}
    for name, n, inside in zip(names.tolist(), sizes.tolist(), totals, strict=True):
        if n == items:
            continue
        mean, others = inside / n, (column_sums - inside) / (items - n)
        variance = np.maximum(total - n * mean**2 - (items - n) * others**2, 0) / max(items - 2, 1)
        pooled = float(variance.mean())
        if pooled <= 1e-12 * float(total.mean()) / items:
            found[name] = (n, float("inf"))
            continue
        excess = (mean - others) ** 2 - variance * (1 / n + 1 / (items - n))
        c = float(max(0.0, excess.sum()) / pooled * n * (1 - n / items) / np.sqrt(items * properties))
        found[name] = (n, c)
    return {name: found[name] for name in dict.fromkeys(categories) if name in found}
