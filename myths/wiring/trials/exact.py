"""Exact controls of the mathematics of graphs: every equality holds in integers or rational numbers."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Literal

from myths.lab.setting import Range, Seed
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.wiring.graphs import Edge

Identity = Literal[
    "subset expansion", "spin sum", "spanning trees", "enumerated counts", "colorings", "limits", "duality", "logit dynamics"
]
Graph = tuple[int, tuple[Edge, ...]]

CYCLE_WITH_CHORD: Graph = (4, ((0, 1), (1, 2), (2, 3), (0, 3), (0, 2)))
SPOKES: Graph = (6, tuple((0, i) for i in range(1, 6)) + tuple((i, i % 5 + 1) for i in range(1, 6)))
CUBE: Graph = (8, tuple((i, i ^ bit) for i in range(8) for bit in (1, 2, 4) if i < i ^ bit))
OCTAHEDRON: Graph = (6, tuple((i, j) for j in range(6) for i in range(j) if i + j != 5))


@dataclass(frozen=True, kw_only=True)
class CheckIdentity(Trial):
    """Compare two independent computations of the same number on random multigraphs, with loops, parallel edges and several components."""

    identity: Identity
    """What is compared with the Tutte polynomial by deletion and contraction."""
    graphs: Annotated[int, Range(at_least=1)] = 24
    """Number of random multigraphs."""
    most_edges: Annotated[int, Range(at_least=3, at_most=16)] = 12
    """Largest number of edges; the smallest is 3."""
    seed: Seed = 0

    @property
    def protocol(self) -> Protocol:
        """Return "paper": an identity holds for every graph."""
        return "paper"

    @property
    def relative_cost(self) -> float:
        """Return the number of graphs in hundreds, times the largest number of edges."""
        return self.graphs * self.most_edges / 100

    @classmethod
    def test_instance(cls) -> CheckIdentity:
        """Return a comparison on three small graphs."""
        return cls(identity="subset expansion", graphs=3, most_edges=6)

    def run(self, context: Context) -> Outcome:
        """Return one row: cases, mismatches, and a checksum of the graphs, which depends on the seed."""
        rng = random.Random(context.seed("graphs"))
        drawn = [_random_multigraph(rng, self.most_edges) for _ in range(self.graphs)]
        results = [result for graph in drawn for result in _CHECKS[self.identity](graph)] + _FIXED.get(self.identity, lambda: [])()
        edges = sum(len(edges) for _, edges in drawn)
        return Outcome(rows=[{"cases": len(results), "mismatches": results.count(False), "edges": edges, "first_graph": str(drawn[0])}])


@dataclass(frozen=True, kw_only=True)
class RegenerateWirings(Trial):
    """Draw the authors' wirings again from density, rewiring probability and seed, and compare their numbers with the published table."""

    wirings: Annotated[int, Range(at_least=1, at_most=3942)] = 150
    """Number of random wirings of the 3,942."""
    seed: Seed = 0

    @property
    def protocol(self) -> Protocol:
        """Return "recomputed": the table is the authors'."""
        return "recomputed"

    @property
    def relative_cost(self) -> float:
        """Return the number of wirings in thousands."""
        return self.wirings / 1000

    @classmethod
    def test_instance(cls) -> RegenerateWirings:
        """Return five wirings."""
        return cls(wirings=5)

    def run(self, context: Context) -> Outcome:
        """Return one row: cases, mismatches (a number that differs by more than the table's rounding), first_wiring."""
        from myths.wiring import facts, graphs

        table, _ = facts.errors("MLP")
        chosen = context.rng("wirings").choice(len(table), self.wirings, replace=False)
        mismatches = 0
        for row in table.iloc[chosen].to_dict("records"):
            wiring = graphs.watts_strogatz(64, 64 * row["density"], row["rewire_probability"], int(row["graph_seed"]))
            found = graphs.invariants(wiring)
            pairs = ((found.clustering, "clustering"), (found.path_length, "path_length_hops"), (found.spectral_gap, "spectral_gap"))
            same = all(abs(number - row[column]) < 1.1e-5 for number, column in pairs) and len(wiring.edges) == row["edges"]
            mismatches += not same
        return Outcome(rows=[{"cases": self.wirings, "mismatches": mismatches, "first_wiring": int(chosen[0])}])


# --- identities on one graph -------------------------------------------------------------------------


def _random_multigraph(rng: random.Random, most_edges: int) -> Graph:
    nodes = rng.randint(3, 6)
    return nodes, tuple((rng.randrange(nodes), rng.randrange(nodes)) for _ in range(rng.randint(3, most_edges)))


def _check_subsets(graph: Graph) -> list[bool]:
    from myths.wiring import tutte

    return [tutte.deletion_contraction(*graph) == tutte.subset_expansion(*graph)]


def _check_spins(graph: Graph) -> list[bool]:
    from myths.wiring import tutte

    values = {
        tutte.potts_by_spins(*graph, 3, Fraction(7, 10)), tutte.potts_by_clusters(*graph, Fraction(3), Fraction(7, 10)),
    }  # fmt: skip
    return [len(values) == 1, *(tutte.potts_by_tutte(*graph, q, v) == tutte.potts_by_spins(*graph, q, v) for q, v in ((2, 1), (3, 2)))]


def _check_trees(graph: Graph) -> list[bool]:
    from myths.wiring import tutte

    nodes, edges = graph
    connected = (*edges, *((i, i + 1) for i in range(nodes - 1)))  # a path makes the graph connected
    return [tutte.evaluate(tutte.deletion_contraction(nodes, connected), 1, 1) == tutte.spanning_trees(nodes, connected)]


def _check_counts(graph: Graph) -> list[bool]:
    from myths.wiring import tutte

    polynomial = tutte.deletion_contraction(*graph)
    return [
        tutte.evaluate(polynomial, 2, 1) == tutte.forests(*graph),
        tutte.evaluate(polynomial, 1, 2) == tutte.spanning_subgraphs(*graph),
        tutte.evaluate(polynomial, 2, 2) == 2 ** len(graph[1]),
        tutte.evaluate(polynomial, 2, 0) == tutte.acyclic_orientations(*graph),
    ]


def _check_colorings(graph: Graph) -> list[bool]:
    from myths.wiring import tutte

    nodes, edges = graph
    k = tutte.components(nodes, edges)
    polynomial = tutte.deletion_contraction(nodes, edges)
    by_tutte = [(-1) ** (nodes - k) * q**k * tutte.evaluate(polynomial, 1 - q, 0) for q in (2, 3, 4)]
    return [
        count == tutte.colorings(nodes, edges, q) == tutte.potts_by_spins(nodes, edges, q, -1)
        for q, count in zip((2, 3, 4), by_tutte, strict=True)
    ]


def _check_limits(graph: Graph) -> list[bool]:
    from myths.wiring import tutte

    return [
        tutte.potts_by_tutte(*graph, 1, 3) == 4 ** len(graph[1]),
        tutte.ising_by_cycles(*graph, 3) == tutte.potts_by_spins(*graph, 2, 3),
    ]


def _check_blocks(graph: Graph) -> list[bool]:
    """Compare the polynomial of two blocks that share a node with the product of their polynomials."""
    from myths.wiring import tutte

    nodes, edges = graph
    other_nodes, other = CYCLE_WITH_CHORD
    glued = (*edges, *((a + nodes - 1, b + nodes - 1) for a, b in other))
    both = tutte.product(tutte.deletion_contraction(nodes, edges), tutte.deletion_contraction(other_nodes, other))
    return [tutte.deletion_contraction(nodes + other_nodes - 1, glued) == both]


def _check_duals() -> list[bool]:
    """Compare planar duals: a wheel with itself, the cube with the octahedron."""
    from myths.wiring import tutte

    wheel, cube, octahedron = (tutte.deletion_contraction(*graph) for graph in (SPOKES, CUBE, OCTAHEDRON))
    return [wheel == {(j, i): n for (i, j), n in wheel.items()}, cube == {(j, i): n for (i, j), n in octahedron.items()}]


def _check_logit(graph: Graph) -> list[bool]:
    from myths.wiring import tutte

    nodes, edges = graph[0], tuple(edge for edge in graph[1] if edge[0] != edge[1])
    if nodes > 4:
        return []
    before, after = tutte.logit_dynamics(nodes, edges, 3, Fraction(2))
    return [before == after]


def _check_simultaneous() -> list[bool]:
    """Check a game exactly, and that simultaneous choices have another law: a test that could not fail would accept both."""
    from myths.wiring import tutte

    before, after = tutte.logit_dynamics(*CYCLE_WITH_CHORD, 3, Fraction(2))
    return [before == after, tutte.simultaneous_logit(*CYCLE_WITH_CHORD, 3, math.exp(0.8)) > 0.1]


_CHECKS = {
    "subset expansion": _check_subsets, "spin sum": _check_spins, "spanning trees": _check_trees, "enumerated counts": _check_counts,
    "colorings": _check_colorings, "limits": _check_limits, "duality": _check_blocks, "logit dynamics": _check_logit,
}  # fmt: skip
_FIXED = {"duality": _check_duals, "logit dynamics": _check_simultaneous}
