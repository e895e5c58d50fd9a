"""Graphs: the memoized Tutte polynomial against NetworkX's, and Swendsen–Wang sampling in one batch against one replica after the other.

Each ratio is that of one run, in which both take turns, and is printed with the benchmark. The Tutte polynomial must be at least 50 times
as fast at 20 edges. On a CPU, processor time is compared, so that other processes do not matter.
"""

import time

import numpy as np
import pytest
import torch

from myths.lab.measurement.timing import compare_timings
from myths.wiring import graphs, potts
from myths.wiring.tutte import deletion_contraction

EDGES = {12: 7, 15: 8, 20: 10}
"""Number of edges and of nodes."""
REPEATS = {12: 5, 15: 5, 20: 1}
"""NetworkX takes seconds at 15 edges and half a minute at 20."""
SWEEPS = 10


@pytest.mark.parametrize("edges", EDGES)
def test_tutte_polynomial(benchmark, edges):
    nx = pytest.importorskip("networkx")
    pytest.importorskip("sympy", reason="NetworkX needs sympy for Tutte polynomials")
    graph = nx.gnm_random_graph(EDGES[edges], edges, seed=1)
    methods = {"suite": lambda: deletion_contraction(EDGES[edges], tuple(graph.edges)), "NetworkX": lambda: nx.tutte_polynomial(graph)}
    timed = compare_timings(methods, "cpu", repeats=REPEATS[edges], warmup=1, clock=time.process_time)
    variables = sorted(nx.tutte_polynomial(nx.cycle_graph(3)).free_symbols, key=str)
    expected = {exponents: int(count) for exponents, count in timed.results["NetworkX"].as_poly(*variables).terms()}
    assert benchmark(methods["suite"]) == expected
    benchmark.group = f"Tutte polynomial of {EDGES[edges]} nodes and {edges} edges"
    benchmark.extra_info["times as fast as NetworkX"] = ratio = timed.ratio("NetworkX", "suite")
    assert edges < 20 or ratio >= 50


@pytest.mark.parametrize("nodes", [64, 256])
def test_swendsen_wang(benchmark, nodes):
    wirings = [graphs.watts_strogatz(nodes, 8.5, 0.1, seed) for seed in range(40)]
    betas = np.tile(np.linspace(0.25, 0.42, 5), (40, 1))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    together = potts.Replicas.of(wirings, betas, 1, 2, device)
    singly = [potts.Replicas.of([wiring], betas[:1, [i]], 1, 2, device) for wiring in wirings for i in range(5)]

    def sampled(replicas):
        return potts.swendsen_wang(replicas, SWEEPS, 0, torch.Generator(device).manual_seed(0))

    methods = {"one by one": lambda: [sampled(one) for one in singly], "batched": lambda: sampled(together)}
    clock = time.process_time if device == "cpu" else time.perf_counter
    timed = compare_timings(methods, device, repeats=5, warmup=1, clock=clock)
    assert timed.results["batched"].equal.size == sum(one.equal.size for one in timed.results["one by one"])
    benchmark(methods["batched"])
    benchmark.group = f"Swendsen–Wang sweeps of 200 replicas of {nodes} nodes"
    benchmark.extra_info["spins per second, batched"] = 200 * nodes * SWEEPS / timed.timings["batched"].median
    benchmark.extra_info["times as fast as one by one"] = ratio = timed.ratio("one by one", "batched")
    assert ratio > 2
