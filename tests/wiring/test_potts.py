"""Sampling the Potts model against enumeration, closed forms, SciPy and the exact transition of the square lattice."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from myths.lab.errors import UsageError
from myths.lab.trial import Context, Outcome
from myths.wiring import finite_size, graphs, potts, reweighting, tutte
from myths.wiring.measures import size_of_correlation
from myths.wiring.trials import CheckSampler, CorrelateTransitions, LocateTransition, SampleWirings
from myths.wiring.trials.exact import CYCLE_WITH_CHORD


def rows(trial, outcomes=None):
    return trial.run(Context(trial, outcomes=outcomes)).rows


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# --- clusters ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("edges", [0, 40, 190, 600])
def test_components_are_those_of_scipy_named_by_their_smallest_node(edges):
    rng = np.random.default_rng(edges)
    first, second = rng.integers(300, size=(2, edges))
    found = potts.components(300, torch.from_numpy(first), torch.from_numpy(second)).numpy()
    _, expected = connected_components(coo_array((np.ones(edges), (first, second)), shape=(300, 300)), directed=False)
    smallest = np.array([np.flatnonzero(expected == name).min() for name in range(expected.max() + 1)])
    assert (found == smallest[expected]).all()


def test_a_long_path_in_any_order_is_one_component():
    order = torch.randperm(5000, generator=generator())
    assert (potts.components(5000, order[:-1], order[1:]) == 0).all()


# --- exact moments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("states", "v"), [(2, Fraction(1, 2)), (3, Fraction(2))])
def test_the_mean_energy_is_the_logarithmic_derivative_of_the_tutte_polynomial(states, v):
    """Z(q, v) from the Tutte polynomial; d ln Z / dβ = (1 + v) · d ln Z / dv."""
    nodes, edges = CYCLE_WITH_CHORD
    polynomial = tutte.deletion_contraction(nodes, edges)

    def z(v):
        return states * v ** (nodes - 1) * tutte.evaluate(polynomial, (states + v) / v, v + 1)

    h = Fraction(1, 10**6)
    slope = (1 + v) * (z(v + h) - z(v - h)) / (2 * h) / z(v)
    equal, _, _ = potts.enumerated_moments(nodes, edges, states, math.log(1 + v))
    assert equal == pytest.approx(float(slope), rel=1e-9)


@pytest.mark.parametrize("states", [2, 3])
def test_moments_of_a_tree_are_those_of_the_enumeration(states):
    tree = graphs.binary_tree(7)
    assert potts.tree_moments(tree, states, 0.8) == pytest.approx(potts.enumerated_moments(7, sorted(tree.edges), states, 0.8)[:2])


# --- sampling ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("states", [2, 3, 4])
def test_two_wirings_of_one_batch_have_their_own_exact_moments_the_fourth_included(states):
    wirings = [graphs.of_edges(*CYCLE_WITH_CHORD), graphs.of_edges(4, ((0, 1), (1, 2), (2, 3)))]
    betas = np.array([[0.3, 1.1], [0.5, 2.0]])
    replicas = potts.Replicas.of(wirings, betas, 300, states, "cpu")
    found = potts.swendsen_wang(replicas, 60, 20, generator(states))
    for i, wiring in enumerate(wirings):
        for j, beta in enumerate(betas[i]):
            sampled = np.stack([each[i, j].mean(-1) for each in (found.equal, found.second, found.fourth)])
            error = sampled.std(1, ddof=1) / math.sqrt(300)
            z = (sampled.mean(1) - potts.enumerated_moments(4, sorted(wiring.edges), states, beta)) / error
            assert np.abs(z).max() < 4.5


@pytest.mark.parametrize(("dynamics", "differ"), [("swendsen-wang", False), ("logit", False), ("simultaneous logit", True)])
def test_dynamics_keep_the_potts_measure_unless_all_choose_at_once(dynamics, differ):
    (row,) = rows(CheckSampler(dynamics=dynamics, graphs=1, chains=100, sweeps=20))
    assert row["cases"] == 12
    assert (row["mismatches"] > 0) == differ


def test_cumulants_are_zero_in_disorder_and_one_in_order():
    replicas = potts.Replicas.of([graphs.square_lattice(16)], np.array([[0.05, 3.0]]), 4, 3, "cpu")
    found = potts.swendsen_wang(replicas, 300, 50, generator())
    moments = [each[0].mean((1, 2), dtype=float) for each in (found.second, found.fourth)]
    assert potts.binder_cumulant(*moments, 3) == pytest.approx([0, 1], abs=0.1)


# --- transitions -------------------------------------------------------------------------------------


def test_the_peak_of_the_heat_capacity_is_that_of_the_enumeration_within_its_error():
    lattice = graphs.square_lattice(4)
    equal = tutte.equal_edges(16, sorted(lattice.edges), 2)
    fine = np.linspace(0.4, 1.6, 4001)
    exact = reweighting.heat_capacity(np.log(np.maximum(np.bincount(equal), 1e-300)), fine)
    betas = np.array([[0.6, 0.8, 1.0, 1.25]])
    samples = potts.swendsen_wang(potts.Replicas.of([lattice], betas, 8, 2, "cpu"), 1500, 100, generator())
    found = reweighting.heat_capacity_peaks(samples.equal, betas)
    assert 0 < found.error[0] < 0.02
    assert abs(found.beta[0] - fine[exact.argmax()]) < 4 * found.error[0]
    assert found.height[0] == pytest.approx(exact.max(), rel=0.05)


def test_reweighting_of_exact_frequencies_gives_the_density_of_states():
    equal = np.bincount(tutte.equal_edges(*CYCLE_WITH_CHORD, 3))
    betas = np.array([0.2, 1.0])
    boltzmann = equal * np.exp(betas[:, None] * np.arange(len(equal)))
    counts = (1e12 * boltzmann / boltzmann.sum(1, keepdims=True)).astype(np.int64)
    found = np.exp(reweighting.density_of_states(counts, betas))
    assert found / found.sum() == pytest.approx(equal / equal.sum(), abs=1e-6)


def test_a_peak_outside_of_the_temperatures_is_missing():
    samples = potts.swendsen_wang(potts.Replicas.of([graphs.square_lattice(4)], np.array([[0.1, 0.2]]), 2, 2, "cpu"), 100, 10, generator())
    found = reweighting.heat_capacity_peaks(samples.equal, np.array([[0.1, 0.2]]))
    assert np.isnan(found.beta[0])


def test_a_crossing_and_its_exponent_are_found_and_none_where_curves_do_not_cross():
    betas = np.linspace(0.6, 1.2, 15)

    def curve(nodes):
        return 1 / (1 + np.exp(-4 * (betas - 0.9) * nodes**0.5))

    found = finite_size.find_crossing(betas, curve(64), curve(256), 4)
    assert found.beta == pytest.approx(0.9, abs=1e-3)
    assert found.exponent == pytest.approx(0.5, abs=0.1)
    assert finite_size.find_crossing(betas, curve(64), curve(64) - 0.2, 4) is None
    assert finite_size.find_crossing(betas, curve(64), curve(64), 4) is None


@pytest.mark.parametrize("states", [2, 3])
def test_the_square_lattice_has_its_exact_transition(states):
    point = rows(LocateTransition(states=states, nodes=256, sweeps=160))[-1]
    assert point["expected_beta"] == pytest.approx({2: 0.881374, 3: 1.005053}[states], abs=1e-6)
    assert abs(point["deviation_percent"]) < 3


def test_a_random_graph_has_the_transition_of_its_tree_and_a_tree_has_none():
    random = rows(LocateTransition(family="random", nodes=196, sweeps=160))
    tree = rows(LocateTransition(family="tree", nodes=63, sweeps=160))
    assert random[-1]["expected_beta"] == pytest.approx(math.log(2))
    assert abs(random[-1]["deviation_percent"]) < 8  # the smaller graph has 49 nodes
    assert tree[-1]["beta"] is None
    for row in (row for row in tree if row["kind"] == "curve"):
        exact = potts.tree_moments(graphs.binary_tree(row["nodes_of_graph"]), 2, row["beta"])[1]
        assert row["magnetization"] == pytest.approx(math.sqrt(exact), rel=0.1)


def test_families_have_their_degrees():
    lattice, regular = graphs.square_lattice(6), graphs.random_regular(36, 0)
    assert {int(degree) for wiring in (lattice, regular) for degree in wiring.adjacency.sum(0)} == {4}
    assert regular != graphs.random_regular(36, 1)
    assert sorted(graphs.binary_tree(7).adjacency.sum(0)) == [1, 1, 1, 1, 2, 3, 3]


def test_a_lattice_needs_an_even_side():
    with pytest.raises(UsageError, match="nodes=81: expected the square of an even number"):
        LocateTransition(nodes=81)
    assert LocateTransition(nodes=81, family="random").nodes == 81


# --- transitions of published wirings ----------------------------------------------------------------


def test_parts_of_the_wirings_do_not_overlap_and_their_transitions_are_near_those_of_their_degree():
    first, second = (rows(SampleWirings(wirings=6, first=first, sweeps=300)) for first in (0, 6))
    assert len({row["wiring"] for row in (*first, *second)}) == 12
    for row in first:
        assert 0.125 <= row["density"] < 0.135
        assert row["mean_field_beta"] < row["beta"] < 2 * row["mean_field_beta"]
    with pytest.raises(UsageError, match="expected at most 680 together"):
        rows(SampleWirings(wirings=6, first=676))


def test_correlations_are_rank_correlations_and_partial_ones_leave_out_what_the_surface_explains():
    rng = np.random.default_rng(0)
    c, length, own = rng.normal(size=(3, 200))
    made = [
        {"wiring": i, "density": 0.13, "mean_degree": 8.0, "clustering": c[i], "path_length": length[i]}
        | {"log10_spanning_trees": own[i], "mean_field_beta": 0.2 + c[i] / 100, "beta": 0.3 + (c[i] + own[i]) / 100, "beta_error": 0.001}
        | {"error_percent": 32 + c[i] - length[i] + rng.normal()}
        for i in range(200)
    ]
    trial = CorrelateTransitions(sampled=(SampleWirings(),), resamples=200)
    found = {row["number"]: row for row in rows(trial, lambda _: Outcome(rows=made))}
    row, errors = found["Potts transition"], [each["error_percent"] for each in made]
    assert row["rho"] == pytest.approx(stats.spearmanr([each["beta"] for each in made], errors)[0])
    assert row["rho_low"] > 0.1
    assert row["partial_low"] < 0 < row["partial_high"]
    assert row["reliability"] == pytest.approx(1 - 0.001**2 / np.var([each["beta"] for each in made], ddof=1))
    assert row["scaled_high"] == pytest.approx(8 * max(each["beta"] for each in made))
    assert found["mean field"]["rho"] == pytest.approx(stats.spearmanr(c, errors)[0])


def test_a_correlation_of_either_sign_has_a_size():
    import pandas as pd

    def size(value, low, high):
        frame = pd.DataFrame({"partial": [value], "partial_low": [low], "partial_high": [high], "wirings": [160]})
        found = size_of_correlation("partial", frame)
        return found.value, found.low, found.high

    assert size(-0.3, -0.4, -0.2) == (0.3, 0.2, 0.4)
    assert size(0.3, 0.2, 0.4) == (0.3, 0.2, 0.4)
    assert size(-0.1, -0.3, 0.1) == (0.1, 0.0, 0.3)


def test_wirings_with_different_states_are_not_mixed():
    with pytest.raises(UsageError, match="equally many states"):
        CorrelateTransitions(sampled=(SampleWirings(states=2), SampleWirings(states=3)))
