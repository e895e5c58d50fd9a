"""The Tutte polynomial of a multigraph, exactly, in three independent ways, and what it counts.

T(x, y) = Σ_A (x − 1)^(k(A) − k(E)) · (y − 1)^(k(A) + |A| − |V|) over subsets A of the edges, where k counts components. A polynomial is a
dictionary from exponents (of x and y) to integer coefficients.

Example:
    >>> evaluate(deletion_contraction(3, ((0, 1), (1, 2), (0, 2))), 1, 1)     # spanning trees of the triangle
    3
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import comb, prod
from typing import TypeVar

import numpy as np

from myths.wiring.graphs import Edge

Number = TypeVar("Number", int, Fraction)
Polynomial = dict[tuple[int, int], int]
Edges = Sequence[Edge]


def deletion_contraction(nodes: int, edges: Edges) -> Polynomial:
    """Return the Tutte polynomial by deletion and contraction, memoized on minors.

    The edges are deleted or contracted in a fixed order. Which minor is left depends only on how the nodes that still have edges are
    merged, so equal minors are united and their polynomials added (Sekine, Imai & Tani 1995). An edge whose ends are merged is a loop; a
    node whose last edge is gone is dropped. The order of the edges keeps few nodes in use at a time.

    Args:
        nodes: Number of nodes.
        edges: Edges; loops and parallel edges are allowed.
    """
    ordered = _breadth_first(nodes, edges)
    last = {node: i for i, edge in enumerate(ordered) for node in edge}
    minors: dict[tuple[int, ...], Polynomial] = {(): {(0, 0): 1}}  # exponents: edges contracted that merge nodes, and loops
    in_use: list[int] = []
    for i, (a, b) in enumerate(ordered):
        new = [node for node in dict.fromkeys((a, b)) if node not in in_use]
        in_use += new
        kept = [k for k, node in enumerate(in_use) if last[node] > i]
        at, to = in_use.index(a), in_use.index(b)
        following: dict[tuple[int, ...], Polynomial] = {}
        for merged, polynomial in minors.items():
            blocks = (*merged, *range(len(in_use), len(in_use) + len(new)))
            joined = tuple(blocks[at] if block == blocks[to] else block for block in blocks)
            contracted = (0, 1) if blocks[at] == blocks[to] else (1, 0)
            for left, factor in ((blocks, (0, 0)), (joined, contracted)):
                _add(following.setdefault(_canonical(left, kept), {}), polynomial, factor)
        minors, in_use = following, [in_use[k] for k in kept]
    ranks = minors[()]
    rank = max(merging for merging, _ in ranks)
    return _expanded({(rank - merging, loops): count for (merging, loops), count in ranks.items()})


def subset_expansion(nodes: int, edges: Edges) -> Polynomial:
    """Return the Tutte polynomial as the sum over all subsets of the edges; for at most some 16 edges."""
    whole = components(nodes, edges)
    terms: Counter[tuple[int, int]] = Counter()
    for subset in subsets(edges):
        k = components(nodes, subset)
        terms[k - whole, k + len(subset) - nodes] += 1
    return _expanded(terms)


def potts_by_spins(nodes: int, edges: Edges, states: int, v: Number) -> Number:
    """Return Z(q, v) = Σ over spins of Π over edges (1 + v · [equal spins]), by enumeration of all qⁿ spins."""
    equal = Counter(int(n) for n in equal_edges(nodes, edges, states))
    return sum((count * (1 + v) ** n for n, count in equal.items()), start=v * 0)


def potts_by_clusters(nodes: int, edges: Edges, states: Number, v: Number) -> Number:
    """Return Z(q, v) = Σ_A q^k(A) · v^|A| over subsets of the edges (Fortuin & Kasteleyn)."""
    return sum((states ** components(nodes, subset) * v ** len(subset) for subset in subsets(edges)), start=v * 0)


def potts_by_tutte(nodes: int, edges: Edges, states: int, v: int) -> Fraction:
    """Return Z(q, v) = q^k(E) · v^(|V| − k(E)) · T((q + v) / v, v + 1)."""
    k = components(nodes, edges)
    value = evaluate(deletion_contraction(nodes, edges), Fraction(states + v, v), Fraction(v + 1))
    return states**k * Fraction(v) ** (nodes - k) * value


def evaluate(polynomial: Polynomial, x: Number, y: Number) -> Number:
    """Return the value of a polynomial at a point, exactly."""
    return sum((count * x**i * y**j for (i, j), count in polynomial.items()), start=x * 0)


def product(first: Polynomial, second: Polynomial) -> Polynomial:
    """Return the product of two polynomials."""
    found: Polynomial = {}
    for factor, count in second.items():
        _add(found, {exponents: count * other for exponents, other in first.items()}, factor)
    return found


# --- counts by enumeration ---------------------------------------------------------------------------


def spanning_trees(nodes: int, edges: Edges) -> int:
    """Return the number of spanning trees by Kirchhoff's theorem: a determinant in rational numbers. 0 if not connected."""
    laplacian = [[Fraction(0)] * nodes for _ in range(nodes)]
    for a, b in edges:
        for i, j, sign in ((a, a, 1), (b, b, 1), (a, b, -1), (b, a, -1)):
            laplacian[i][j] += sign
    return int(_determinant([row[1:] for row in laplacian[1:]]))


def forests(nodes: int, edges: Edges) -> int:
    """Return the number of subsets of the edges without a cycle."""
    return sum(components(nodes, subset) == nodes - len(subset) for subset in subsets(edges))


def spanning_subgraphs(nodes: int, edges: Edges) -> int:
    """Return the number of subsets of the edges that leave the number of components unchanged."""
    whole = components(nodes, edges)
    return sum(components(nodes, subset) == whole for subset in subsets(edges))


def acyclic_orientations(nodes: int, edges: Edges) -> int:
    """Return the number of orientations of the edges without a directed cycle, by enumeration."""
    found = 0
    for flips in itertools.product((False, True), repeat=len(edges)):
        arrows = {(b, a) if flip else (a, b) for (a, b), flip in zip(edges, flips, strict=True)}
        left = set(range(nodes))
        while sources := {node for node in left if not any(a in left and b == node for a, b in arrows)}:
            left -= sources
        found += not left
    return found


def colorings(nodes: int, edges: Edges, colors: int) -> int:
    """Return the number of colorings in which the ends of every edge differ, by enumeration."""
    return int((equal_edges(nodes, edges, colors) == 0).sum())


def equal_edges(nodes: int, edges: Edges, states: int) -> np.ndarray:
    """Return the number of edges with equal spins, for all qⁿ spins."""
    spins = np.indices((states,) * nodes).reshape(nodes, -1)
    return sum((spins[a] == spins[b] for a, b in edges), start=np.zeros(states**nodes, dtype=int))


def ising_by_cycles(nodes: int, edges: Edges, v: int) -> Fraction:
    """Return Z(2, v) by the expansion at high temperature: a sum over subsets in which every node has an even degree."""
    t, total = Fraction(v, v + 2), Fraction(0)
    for subset in subsets(edges):
        degree = Counter(node for edge in subset for node in edge)
        total += t ** len(subset) * all(d % 2 == 0 for d in degree.values())
    return 2**nodes * Fraction(v + 2, 2) ** len(edges) * total


def components(nodes: int, edges: Iterable[Edge]) -> int:
    """Return the number of components."""
    parent = list(range(nodes))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    merged = 0
    for a, b in edges:
        if (i := root(a)) != (j := root(b)):
            parent[i] = j
            merged += 1
    return nodes - merged


def subsets(edges: Edges) -> Iterable[Edges]:
    """Yield all subsets of the edges."""
    return (subset for size in range(len(edges) + 1) for subset in itertools.combinations(edges, size))


# --- logit dynamics ----------------------------------------------------------------------------------


def logit_dynamics(nodes: int, edges: Edges, states: int, weight: Fraction) -> tuple[list[Fraction], list[Fraction]]:
    """Return the Potts measure and the same measure after one step of logit dynamics, exactly.

    In a step a random player chooses a new strategy with probabilities proportional to ``weight`` to the power of the number of neighbors
    with this strategy (Blume 1993).

    Args:
        nodes: Number of players.
        edges: Pairs of players who gain by equal strategies.
        states: Number of strategies.
        weight: e^(βJ).
    """
    neighbors = [[b if a == node else a for a, b in edges if node in (a, b)] for node in range(nodes)]
    spins = list(itertools.product(range(states), repeat=nodes))
    measure = {s: weight ** sum(s[a] == s[b] for a, b in edges) for s in spins}
    total = sum(measure.values(), start=Fraction(0))
    after = dict.fromkeys(spins, Fraction(0))
    for s, mass in measure.items():
        for node in range(nodes):
            options = [weight ** sum(s[other] == state for other in neighbors[node]) for state in range(states)]
            for state, option in enumerate(options):
                after[(*s[:node], state, *s[node + 1 :])] += mass / total / nodes * option / sum(options)
    return [measure[s] / total for s in spins], [after[s] for s in spins]


def simultaneous_logit(nodes: int, edges: Edges, states: int, weight: float) -> float:
    """Return the total variation distance between the Potts measure and the law of logit dynamics if all players choose at once."""
    spins = np.array(list(itertools.product(range(states), repeat=nodes)))
    adjacency = np.zeros((nodes, nodes))
    for a, b in edges:
        adjacency[a, b] = adjacency[b, a] = 1
    options = weight ** np.einsum("ij,sjk->sik", adjacency, np.eye(states)[spins])
    options /= options.sum(2, keepdims=True)
    step = prod(options[:, node][:, spins[:, node]] for node in range(nodes))
    measure = weight ** np.array([sum(s[a] == s[b] for a, b in edges) for s in spins])
    measure, law = measure / measure.sum(), np.full(len(spins), 1 / len(spins))
    for _ in range(500):
        law = law @ step
    return float(np.abs(law - measure).sum() / 2)


# --- parts -------------------------------------------------------------------------------------------


def _breadth_first(nodes: int, edges: Edges) -> list[Edge]:
    """Return the edges in the order in which a breadth-first search closes nodes."""
    place: dict[int, int] = {}
    for start in range(nodes):
        queue = [start] if start not in place else []
        for node in queue:
            if node in place:
                continue
            place[node] = len(place)
            queue += sorted({b if a == node else a for a, b in edges if node in (a, b)})
    return sorted(edges, key=lambda edge: (max(place[edge[0]], place[edge[1]]), min(place[edge[0]], place[edge[1]])))


def _canonical(blocks: tuple[int, ...], kept: list[int]) -> tuple[int, ...]:
    """Return the blocks of the kept nodes, numbered in the order of their first appearance."""
    numbers: dict[int, int] = {}
    return tuple(numbers.setdefault(blocks[k], len(numbers)) for k in kept)


def _add(total: Polynomial, polynomial: Mapping[tuple[int, int], int], factor: tuple[int, int]) -> None:
    for (i, j), count in polynomial.items():
        total[i + factor[0], j + factor[1]] = total.get((i + factor[0], j + factor[1]), 0) + count


def _expanded(terms: Mapping[tuple[int, int], int]) -> Polynomial:
    """Return the polynomial in x and y of one in x − 1 and y − 1, without zero coefficients."""
    found: Polynomial = {}
    for (a, b), count in terms.items():
        for i, j in itertools.product(range(a + 1), range(b + 1)):
            found[i, j] = found.get((i, j), 0) + count * comb(a, i) * comb(b, j) * (-1) ** (a - i + b - j)
    return {exponents: count for exponents, count in found.items() if count}


def _determinant(matrix: list[list[Fraction]]) -> Fraction:
    value = Fraction(1)
    for column in range(len(matrix)):
        pivot = next((row for row in range(column, len(matrix)) if matrix[row][column]), None)
        if pivot is None:
            return Fraction(0)
        if pivot != column:
            matrix[column], matrix[pivot], value = matrix[pivot], matrix[column], -value
        value *= matrix[column][column]
        for row in range(column + 1, len(matrix)):
            factor = matrix[row][column] / matrix[column][column]
            matrix[row] = [a - factor * b for a, b in zip(matrix[row], matrix[column], strict=True)]
    return value
