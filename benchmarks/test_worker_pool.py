"""Training runs of small networks in parallel, each with its share of the cores, versus sequential runs with all cores.

The networks have the size of myth 4's on MNIST; the data are procedural. Both ways return the same rows, and their timings are
interleaved. The workers are started and warmed up before.
"""

import itertools

import pytest

from myths.lab.execution import runner
from myths.lab.execution.executors import SerialExecutor
from myths.lab.execution.worker_pool import default_jobs, local_pool
from myths.lab.measurement.timing import compare_timings
from myths.lab.storage.store import Store
from myths.lab.vision.classifier import TrainClassifier

TRIALS = 4
JOBS = default_jobs("cpu")


@pytest.mark.skipif(JOBS < 2, reason="requires two cores")
@pytest.mark.parametrize("network", ["mnist_cnn", "resnet8"])
def test_training_runs_per_minute(benchmark, network, tmp_path):
    trials = [TrainClassifier(dataset="shapes", network=network, epochs=4.0, batch_size=64, seed=seed) for seed in range(TRIALS)]
    folders = (tmp_path / str(i) for i in itertools.count())

    def through(executor):
        store = Store(next(folders), {"TrainClassifier": TrainClassifier})
        plan = runner.plan(trials, store, lambda name: None)
        done = runner.run(plan, store, runner.Invocation("cpu", lambda name: None, "benchmark"), executor=executor)
        assert done.finished == TRIALS
        return sorted(record.trial.seed for record in store.records)

    with local_pool(JOBS) as workers:
        methods = {f"{JOBS} in parallel": lambda: through(workers), "sequential": lambda: through(SerialExecutor())}
        found = compare_timings(methods, "cpu", repeats=3, warmup=1, budget_seconds=60.0)
        benchmark.group = f"{TRIALS} training runs of {network}"
        benchmark.extra_info |= {f"{name}_per_minute": 60 * TRIALS / timing.median for name, timing in found.timings.items()}
        benchmark.extra_info["ratio"] = found.ratio("sequential", f"{JOBS} in parallel")
        benchmark.pedantic(methods[f"{JOBS} in parallel"], rounds=1)
    print(f"\n{benchmark.group}: {benchmark.extra_info}")
