"""Wirings as graphs: the Watts–Strogatz generator of You et al. 2020 and the numbers that describe a graph."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray as Array

Edge = tuple[int, int]


@dataclass(frozen=True)
class Wiring:
    """An undirected graph without loops and parallel edges; its nodes are 0 to ``nodes`` − 1."""

    nodes: int
    edges: frozenset[Edge]
    """Pairs with the smaller node first."""

    @property
    def adjacency(self) -> Float[Array, "nodes nodes"]:
        """The adjacency matrix."""
        matrix = np.zeros((self.nodes, self.nodes))
        first, second = np.array(sorted(self.edges), dtype=int).reshape(-1, 2).T
        matrix[first, second] = matrix[second, first] = 1
        return matrix

    @property
    def density(self) -> float:
        """Mean degree divided by the number of nodes, as the authors define it; a complete graph has 1 there and (n − 1) / n here."""
        return 2 * len(self.edges) / self.nodes**2

    def relabeled(self, order: Iterable[int]) -> Wiring:
        """Return the wiring with node i renamed to ``order[i]``."""
        names = tuple(order)
        return of_edges(self.nodes, ((names[a], names[b]) for a, b in self.edges))


@dataclass(frozen=True)
class Invariants:
    """Numbers that do not depend on the names of the nodes.

    Attributes:
        clustering: Mean local clustering coefficient.
        path_length: Mean length of the shortest paths between two nodes, in edges.
        spectral_gap: Second smallest eigenvalue of the normalized Laplacian.
        log10_spanning_trees: Logarithm of the Tutte polynomial at (1, 1), by Kirchhoff's theorem.
        mean_degree: Mean number of neighbors.
        spectral_radius: Largest eigenvalue of the adjacency matrix.
    """

    clustering: float
    path_length: float
    spectral_gap: float
    log10_spanning_trees: float
    mean_degree: float
    spectral_radius: float


def of_edges(nodes: int, edges: Iterable[Edge]) -> Wiring:
    """Return the wiring with these edges; the order within and of the edges does not matter."""
    return Wiring(nodes, frozenset((min(edge), max(edge)) for edge in edges))


def complete(nodes: int) -> Wiring:
    """Return the complete graph."""
    return of_edges(nodes, ((i, j) for j in range(nodes) for i in range(j)))


def square_lattice(side: int) -> Wiring:
    """Return the square lattice with periodic boundaries; ``side`` is at least 3."""
    at = np.arange(side * side).reshape(side, side)
    return of_edges(side * side, ((int(a), int(b)) for axis in (0, 1) for a, b in zip(at.flat, np.roll(at, -1, axis).flat, strict=True)))


def binary_tree(nodes: int) -> Wiring:
    """Return the complete binary tree, its last level filled from the left."""
    return of_edges(nodes, (((i - 1) // 2, i) for i in range(1, nodes)))


def random_regular(nodes: int, seed: int) -> Wiring:
    """Return a random graph of degree 4: two random cycles through all nodes that share no edge; ``nodes`` is at least 6."""
    rng = random.Random(seed)
    while True:
        cycles = [rng.sample(range(nodes), nodes) for _ in range(2)]
        wiring = of_edges(nodes, ((a, b) for cycle in cycles for a, b in zip(cycle, cycle[1:] + cycle[:1], strict=True)))
        if len(wiring.edges) == 2 * nodes:
            return wiring


def watts_strogatz(nodes: int, degree: float, rewire: float, seed: int) -> Wiring:
    """Return a connected Watts–Strogatz graph of fractional mean degree (You et al. 2020, "WS-flex").

    The draws are those of the authors' generator, so that density, rewiring probability and seed give their graph.

    Args:
        nodes: Number of nodes.
        degree: Mean degree, at least 2. The number of edges is ``round(degree * nodes / 2)``.
        rewire: Probability that an edge of the ring lattice is rewired.
        seed: Seed of ``random.Random``. A graph that is not connected is drawn again.

    Raises:
        ValueError: The degree does not fit, or 100 draws were not connected.
    """
    if not 2 <= degree <= nodes - 1:
        raise ValueError(f"degree={degree}: expected 2 to {nodes - 1} for {nodes} nodes")
    rng = random.Random(seed)
    for _ in range(100):
        neighbors = _rewired_lattice(nodes, round(degree * nodes / 2), rewire, rng)
        wiring = of_edges(nodes, ((i, j) for i, others in enumerate(neighbors) for j in others))
        if is_connected(wiring):
            return wiring
    raise ValueError(f"no connected graph in 100 draws of {nodes} nodes of degree {degree}, rewired with probability {rewire}")


def _rewired_lattice(nodes: int, edges: int, rewire: float, rng: random.Random) -> list[set[int]]:
    each, more = divmod(edges, nodes)
    ahead = [[(i + step) % nodes for step in range(1, each + (i < more) + 1)] for i in range(nodes)]
    neighbors: list[set[int]] = [set() for _ in range(nodes)]
    for i, others in enumerate(ahead):
        for j in others:
            neighbors[i].add(j)
            neighbors[j].add(i)
    names = list(dict.fromkeys(name for i, others in enumerate(ahead) for j in others for name in (i, j)))
    for i, others in enumerate(ahead):
        for j in others:
            if rng.random() < rewire and (new := _new_neighbor(i, names, neighbors, rng)) is not None:
                neighbors[i].discard(j)
                neighbors[j].discard(i)
                neighbors[i].add(new)
                neighbors[new].add(i)
    return neighbors


def _new_neighbor(node: int, names: list[int], neighbors: list[set[int]], rng: random.Random) -> int | None:
    """Draw a node that is no neighbor yet; None if the node is connected to all."""
    new = rng.choice(names)
    while new == node or new in neighbors[node]:
        new = rng.choice(names)
        if len(neighbors[node]) >= len(names) - 1:
            return None
    return new


def is_connected(wiring: Wiring) -> bool:
    """Return whether a path leads from every node to every other."""
    from scipy.sparse import coo_array, csgraph

    first, second = np.array(sorted(wiring.edges), dtype=int).reshape(-1, 2).T
    matrix = coo_array((np.ones(len(first)), (first, second)), shape=(wiring.nodes, wiring.nodes))
    return csgraph.connected_components(matrix, directed=False)[0] == 1


def distances(adjacency: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """Return the lengths of the shortest paths in edges; infinite between components."""
    n = len(adjacency)
    found = np.full((n, n), np.inf)
    reached: Bool[Array, "n n"] = np.eye(n, dtype=bool)
    for steps in range(n):
        found[reached & np.isinf(found)] = steps
        if (further := reached | (reached @ adjacency > 0)).sum() == reached.sum():
            break
        reached = further
    return found


def invariants(wiring: Wiring) -> Invariants:
    """Return the invariants of a connected wiring of at least two nodes."""
    a = wiring.adjacency
    n, degree = len(a), a.sum(0)
    triangles = np.einsum("ij,jk,ki->i", a, a, a, optimize=True)
    pairs = degree * (degree - 1)
    scale = 1 / np.sqrt(degree)
    laplacian = np.diag(degree) - a
    return Invariants(
        clustering=float(np.divide(triangles, pairs, out=np.zeros(n), where=pairs > 0).mean()),
        path_length=float(distances(a).sum() / (n * (n - 1))),
        spectral_gap=float(np.linalg.eigvalsh(laplacian * scale * scale[:, None])[1]),
        log10_spanning_trees=log10_spanning_trees(wiring),
        mean_degree=float(degree.mean()),
        spectral_radius=float(np.linalg.eigvalsh(a)[-1]),
    )


def log10_spanning_trees(wiring: Wiring) -> float:
    """Return the logarithm of the number of spanning trees of a connected wiring (Kirchhoff's theorem)."""
    a = wiring.adjacency
    return float(np.linalg.slogdet((np.diag(a.sum(0)) - a)[1:, 1:])[1] / np.log(10))
