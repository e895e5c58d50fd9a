"""Items on a binary tree: properties that branch and diffuse, the contrasts of the tree, and its exact singular values.

A property starts as +1 or −1 at the root and flips along every edge with a fixed probability, independently of all others (the model of
Saxe et al. 2019). Items are the leaves. Broad distinctions, between large branches, have large singular values.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from myths.lab.estimate import CONFIDENCE, student_t


def branching_diffusion(depth: int, properties: int, flip: float, rng: np.random.Generator) -> Float[np.ndarray, "items properties"]:
    """Return ±1 properties of the 2**depth leaves of a binary tree.

    Args:
        depth: Number of edges from the root to a leaf.
        properties: Number of independent properties.
        flip: Probability that a property flips along an edge.
        rng: Source of random numbers.
    """
    nodes = rng.choice((-1.0, 1.0), (1, properties))
    for _ in range(depth):
        nodes = np.repeat(nodes, 2, axis=0)
        nodes *= np.where(rng.random(nodes.shape) < flip, -1.0, 1.0)
    return nodes


def contrasts(depth: int) -> tuple[Float[np.ndarray, "items items"], np.ndarray]:
    """Return the contrasts of a binary tree as orthonormal rows, with the level of each.

    Level 0 is the mean of all items. Level l ≥ 1 compares the two halves below each of the 2**(l − 1) nodes at depth l − 1.
    """
    items = 2**depth
    rows, levels = [np.full(items, items**-0.5)], [0]
    for level in range(1, depth + 1):
        width = items >> level
        for node in range(2 ** (level - 1)):
            row = np.zeros(items)
            first = 2 * width * node
            row[first : first + width], row[first + width : first + 2 * width] = 1, -1
            rows.append(row / np.sqrt(2 * width))
            levels.append(level)
    return np.array(rows), np.array(levels)


def expected_singular_values(depth: int, flip: float) -> list[float]:
    """Return the singular value of each level, per square root of the number of properties, for infinitely many properties.

    Two leaves whose lowest common ancestor is at depth k correlate by q_k = (1 − 2ε)^(2 (depth − k)). The eigenvalue of level l is
    Σ_{k ≥ l} (q_k − q_{k−1}) 2^(depth − k), with q_{−1} = 0.
    """
    q = [(1 - 2 * flip) ** (2 * (depth - k)) for k in range(depth + 1)]
    terms = [(q[k] - (q[k - 1] if k else 0.0)) * 2 ** (depth - k) for k in range(depth + 1)]
    return [float(np.sqrt(sum(terms[level:]))) for level in range(depth + 1)]


def level_deviations(squares: Float[np.ndarray, "draws items"], levels: np.ndarray, flip: float) -> list[dict[str, float]]:
    """Return for each level its singular value, the expected one, and the deviation with an interval over draws.

    The intervals hold for all levels at once (Bonferroni). The relative deviation of a singular value is half that of its square.

    Args:
        squares: Squared length of the table along each contrast.
        levels: Level of each contrast.
        flip: Probability that a property flips along an edge.
    """
    rows: list[dict[str, float]] = []
    depth = int(levels.max())
    for level, expected in enumerate(expected_singular_values(depth, flip)):
        mean = squares[:, levels == level].mean(1)
        ratio = student_t(mean / expected**2, "seeds", 1 - (1 - CONFIDENCE) / (depth + 1)).affine(50, -50)
        rows.append({
            "level": level, "singular_value": float(np.sqrt(mean.mean())), "expected": expected,
            "deviation_percent": ratio.value, "deviation_low": ratio.low, "deviation_high": ratio.high,
        })  # fmt: skip
    return rows


def repeat_leaf_distinctions(table: Float[np.ndarray, "items properties"], times: int) -> Float[np.ndarray, "items more"]:
    """Return the table with repetitions of what distinguishes siblings: each property minus its mean over the two leaves of a pair.

    The repetitions are orthogonal to all broader contrasts and raise the singular values of the last level by √(1 + times). They are added
    as one copy times √times, which is the same problem as ``times`` copies up to a rotation of the outputs.
    """
    if not times:
        return table
    pairs = table.reshape(-1, 2, table.shape[1])
    leaf = (pairs - pairs.mean(1, keepdims=True)).reshape(table.shape)
    return np.concatenate([table, np.sqrt(times) * leaf], axis=1)
