"""Trials that sleep on 1, 2, 4 and 8 simulated nodes: efficiency and overhead per trial. Nodes that are killed at random moments.

The nodes share the cores of this machine, so that what is measured is the coordination: the trials need no core.
"""

import contextlib
import math
import os
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install 'seven-myths[ray]'")

from myths.lab.execution import runner
from myths.lab.execution.cluster import Cluster
from myths.lab.execution.cluster_node import Wanted
from myths.lab.execution.cluster_workers import ClusterWorkers
from myths.lab.execution.worker_pool import WorkerPool
from myths.lab.storage.store import Store
from tests.lab.test_cluster import CODE, KINDS, Draw
from tests.simulated_cluster import SimulatedCluster, Sleep

TRIALS = int(os.environ.get("MYTHS_TRIALS", "1000"))
ROUNDS = int(os.environ.get("MYTHS_ROUNDS", "20"))
SECONDS = 0.5
SLOTS = 4


@pytest.fixture
def simulated():
    cluster = SimulatedCluster()
    yield cluster
    cluster.close()


def connected(simulated: SimulatedCluster) -> contextlib.closing[Cluster]:
    """Return a connection that ends with its block."""
    return contextlib.closing(Cluster.connect(simulated.address))


def through(trials, store: Store, workers: WorkerPool) -> tuple[runner.Progress, float]:
    """Run trials; return the progress and the seconds."""
    plan = runner.plan(trials, store, lambda name: None)
    begun = time.perf_counter()
    progress = runner.run(plan, store, runner.Invocation("cpu", lambda name: None, "benchmark"), executor=workers)
    return progress, time.perf_counter() - begun


@pytest.mark.parametrize("nodes", [1, 2, 4, 8])
def test_efficiency(benchmark, simulated, nodes, tmp_path):
    """The time of sleeping alone, divided by the time of the run; what is lost, per trial and slot."""
    for _ in range(nodes):
        simulated.add(cpus=SLOTS)
    store = Store(tmp_path, {"Sleep": Sleep})
    with connected(simulated) as cluster, WorkerPool(ClusterWorkers(cluster, Wanted("cpu", CODE), SLOTS)) as workers:
        slots = workers.max_workers
        assert slots == nodes * SLOTS
        through([Sleep(seed=-1 - i, seconds=2.0) for i in range(slots)], store, workers)  # every worker starts
        measured = []

        def run() -> None:
            progress, seconds = through([Sleep(seed=i, seconds=SECONDS) for i in range(TRIALS)], store, workers)
            assert progress.finished == TRIALS
            measured.append(seconds)

        benchmark.pedantic(run, rounds=1)
    ideal = SECONDS * math.ceil(TRIALS / slots)
    benchmark.group = f"{TRIALS} trials of {SECONDS} s"
    efficiency, overhead = ideal / measured[0], (measured[0] - ideal) / TRIALS
    benchmark.extra_info |= {"slots": slots, "efficiency": efficiency, "overhead_ms_per_trial": 1000 * overhead}
    print(f"\n{nodes} nodes, {slots} at a time: efficiency {efficiency:.3f}, overhead {1000 * overhead:.2f} ms per trial")


def test_killed_nodes(benchmark, simulated, tmp_path):
    """In each round one of two nodes is killed at a random moment, and another one joins."""
    nodes, chance = [simulated.add(cpus=2), simulated.add(cpus=2)], random.Random(1)
    lost = []

    def one_round(turn: int) -> None:
        folder, trace = tmp_path / str(turn), Path(tmp_path, f"trace{turn}")
        trials = [Draw(seed=i, seconds=0.25, trace=str(trace)) for i in range(60)]
        finished: list[str] = []

        def disturb() -> None:
            while not trace.exists():
                time.sleep(0.05)
            time.sleep(chance.uniform(0, 4))
            finished.extend(record.trial.id for record in Store(folder, KINDS).records)
            simulated.kill(nodes[turn % 2])
            nodes[turn % 2] = simulated.add(cpus=2)

        store = Store(folder, KINDS)
        with connected(simulated) as cluster, WorkerPool(ClusterWorkers(cluster, Wanted("cpu", CODE), 2)) as workers:
            with ThreadPoolExecutor(1) as beside:
                disturbed = beside.submit(disturb)
                progress, _ = through(trials, store, workers)
            disturbed.result()
        starts = Counter(trace.read_text().split())
        assert (progress.finished, progress.failed) == (60, [])
        assert {starts[identity] for identity in finished} <= {1}
        lost.append(starts.total() - 60)

    benchmark.pedantic(lambda: [one_round(turn) for turn in range(ROUNDS)], rounds=1)
    benchmark.extra_info |= {"rounds": ROUNDS, "trials_started_again": sum(lost)}
    print(f"\n{ROUNDS} rounds: {sum(lost)} trials started again, none lost, none failed")
