"""Graphs against NetworkX: invariants, the generator, and the Tutte polynomial with published values."""

import math
import random
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest

from myths.wiring import facts, graphs, tutte
from myths.wiring.trials.exact import CUBE, CYCLE_WITH_CHORD, OCTAHEDRON, SPOKES

SAMPLES = [(16, 4, 0.0, 1), (16, 3.5, 0.3, 2), (40, 6.2, 1.0, 3), (64, 8.5, 0.1, 4)]


@pytest.mark.parametrize("settings", SAMPLES)
def test_invariants_are_those_of_networkx(settings):
    wiring = graphs.watts_strogatz(*settings)
    found, graph = graphs.invariants(wiring), nx.Graph(list(wiring.edges))
    assert found.clustering == pytest.approx(nx.average_clustering(graph))
    assert found.path_length == pytest.approx(nx.average_shortest_path_length(graph))
    assert found.mean_degree == pytest.approx(2 * graph.number_of_edges() / len(graph))
    trees = np.linalg.slogdet(nx.laplacian_matrix(graph).toarray()[1:, 1:].astype(float))[1] / math.log(10)
    assert found.log10_spanning_trees == pytest.approx(trees)
    gap = np.sort(np.linalg.eigvalsh(nx.normalized_laplacian_matrix(graph).toarray()))[1]
    assert found.spectral_gap == pytest.approx(gap)
    assert found.spectral_radius == pytest.approx(max(np.linalg.eigvalsh(nx.to_numpy_array(graph))))


def test_invariants_do_not_depend_on_the_names_of_the_nodes():
    wiring = graphs.watts_strogatz(64, 8.5, 0.2, 0)
    renamed = wiring.relabeled(np.random.default_rng(0).permutation(64).tolist())
    assert renamed != wiring
    assert vars(graphs.invariants(renamed)) == pytest.approx(vars(graphs.invariants(wiring)))


def test_the_generator_draws_the_authors_graphs():
    table, _ = facts.errors("MLP")
    for row in table.iloc[[0, 1000, 2000, 3941]].to_dict("records"):
        wiring = graphs.watts_strogatz(64, 64 * row["density"], row["rewire_probability"], int(row["graph_seed"]))
        found = graphs.invariants(wiring)
        assert (found.clustering, found.path_length) == pytest.approx((row["clustering"], row["path_length_hops"]), abs=1.1e-5)
    row = table.iloc[2000]
    other = graphs.watts_strogatz(64, 64 * row["density"], max(row["rewire_probability"], 0.1), int(row["graph_seed"]) + 1)
    assert graphs.invariants(other).path_length != pytest.approx(row["path_length_hops"], abs=1.1e-5)


@pytest.mark.parametrize("degree", [1.5, 64])
def test_a_degree_that_no_graph_has_is_refused(degree):
    with pytest.raises(ValueError, match="expected 2 to 63"):
        graphs.watts_strogatz(64, degree, 0.1, 0)


def test_a_complete_graph_has_clustering_and_path_length_one_and_cayleys_number_of_trees():
    found = graphs.invariants(graphs.complete(64))
    assert (found.clustering, found.path_length) == (1, 1)
    assert found.log10_spanning_trees == pytest.approx(62 * math.log10(64))


def test_a_graph_is_connected_if_all_distances_are_finite():
    for wiring in (graphs.of_edges(4, ((0, 1), (2, 3))), graphs.of_edges(3, ((0, 1),)), graphs.watts_strogatz(30, 2.2, 1.0, 0)):
        assert graphs.is_connected(wiring) == np.isfinite(graphs.distances(wiring.adjacency)).all()


# --- Tutte polynomial ----------------------------------------------------------------------------------


def values(nodes, edges, *points):
    polynomial = tutte.deletion_contraction(nodes, edges)
    return [tutte.evaluate(polynomial, x, y) for x, y in points]


def test_the_petersen_graph_has_its_known_values():
    edges = tuple(nx.petersen_graph().edges)
    points = ((1, 1), (2, 1), (1, 2), (2, 2), (2, 0), (0, 2), (1, 0), (0, 1))
    assert values(10, edges, *points) == [2000, 22292, 5968, 32768, 16680, 1920, 704, 240]
    colorings = [-q * t for q, t in zip((3, 4), values(10, edges, (-2, 0), (-3, 0)), strict=True)]
    flows = values(10, edges, (0, -3), (0, -4))
    assert colorings == [120, 12960]
    assert flows == [0, 240]  # Petersen's graph has no nowhere-zero 4-flow


def test_planar_duals_have_their_known_values():
    assert values(*SPOKES, (1, 1), (2, 1), (3, 0), (2, 5)) == [121, 462, 1020, 11170]
    points = ((1, 1), (2, 1), (3, 2), (-1, 3))
    assert values(*CUBE, *points) == values(*OCTAHEDRON, *((y, x) for x, y in points)) == [384, 2656, 18225, 1112]


def test_deletion_and_contraction_agrees_with_networkx():
    pytest.importorskip("sympy")
    graph = nx.gnm_random_graph(6, 9, seed=2)
    polynomial = nx.tutte_polynomial(graph).as_poly()
    x, y = (str(symbol) for symbol in polynomial.gens)
    terms = {(m[0], m[1]) if (x, y) == ("x", "y") else (m[1], m[0]): int(c) for m, c in polynomial.terms()}
    assert tutte.deletion_contraction(6, tuple(graph.edges)) == terms


@pytest.mark.parametrize(
    ("nodes", "edges", "expected"),
    [
        (3, (), {(0, 0): 1}),
        (1, ((0, 0),), {(0, 1): 1}),
        (2, ((0, 1),), {(1, 0): 1}),
        (2, ((0, 1), (1, 0), (0, 1)), {(1, 0): 1, (0, 1): 1, (0, 2): 1}),
        (4, ((0, 1), (2, 3), (2, 2)), {(2, 1): 1}),
    ],
)
def test_small_multigraphs_have_the_polynomials_of_the_textbook(nodes, edges, expected):
    assert tutte.deletion_contraction(nodes, edges) == tutte.subset_expansion(nodes, edges) == expected


def test_the_polynomial_does_not_depend_on_the_order_of_the_edges():
    rng = random.Random(0)
    edges = [(rng.randrange(6), rng.randrange(6)) for _ in range(11)]
    found = tutte.deletion_contraction(6, edges)
    for _ in range(5):
        rng.shuffle(edges)
        assert tutte.deletion_contraction(6, edges) == found


def test_logit_dynamics_keeps_the_potts_measure_one_player_at_a_time_only():
    before, after = tutte.logit_dynamics(*CYCLE_WITH_CHORD, 3, Fraction(2))
    assert (before == after, sum(before)) == (True, 1)
    assert tutte.simultaneous_logit(*CYCLE_WITH_CHORD, 3, math.exp(0.8)) == pytest.approx(0.291, abs=0.002)
