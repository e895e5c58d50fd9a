"""Trainings of small networks side by side, each with its share of the cores, beside one after the other with all of them.

Networks of the size of myth 4's on MNIST, the data drawn here. Both ways give the same rows and are timed in turn; the workers have
started and loaded before.
"""

import itertools

import pytest

from myths.lab import runner
from myths.lab.executors import SerialExecutor
from myths.lab.store import Store
from myths.lab.timing import compare_timings
from myths.lab.vision.classifier import TrainClassifier
from myths.lab.worker_pool import WorkerPool, default_jobs

TRIALS = 4
JOBS = default_jobs("cpu")


@pytest.mark.skipif(JOBS < 2, reason="one core")
@pytest.mark.parametrize("network", ["mnist_cnn", "resnet8"])
def test_trainings_a_minute(benchmark, network, tmp_path):
    trials = [TrainClassifier(dataset="shapes", network=network, epochs=4.0, batch_size=64, seed=seed) for seed in range(TRIALS)]
    folders = (tmp_path / str(i) for i in itertools.count())

    def through(executor):
        store = Store(next(folders), {"TrainClassifier": TrainClassifier})
        plan = runner.plan(trials, store, lambda name: None)
        done = runner.run(plan, store, runner.Invocation("cpu", lambda name: None, "benchmark"), executor=executor)
        assert done.finished == TRIALS
        return sorted(record.trial.seed for record in store.records)

    with WorkerPool(JOBS) as workers:
        ways = {f"{JOBS} side by side": lambda: through(workers), "one by one": lambda: through(SerialExecutor())}
        found = compare_timings(ways, "cpu", repeats=3, warmup=1, budget_seconds=60.0)
        benchmark.group = f"{TRIALS} trainings of {network}"
        benchmark.extra_info |= {f"{way}_per_minute": 60 * TRIALS / timing.median for way, timing in found.timings.items()}
        benchmark.extra_info["ratio"] = found.ratio("one by one", f"{JOBS} side by side")
        benchmark.pedantic(ways[f"{JOBS} side by side"], rounds=1)
    print(f"\n{benchmark.group}: {benchmark.extra_info}")
