"""Many random starts in one tensor against one after the other. Both are interleaved in one run and must give the same numbers."""

import numpy as np
import pytest
import torch

from myths.lab.measurement.timing import compare_timings
from myths.order.deep_linear import Course, Integration, learn, random_start

STARTS = 64
HOW = Integration(step=0.01, steps=300)


def course(layers: list[torch.Tensor]) -> Course:
    batch = len(layers[0])
    target = torch.diag_embed(torch.arange(12, 0, -1, dtype=torch.float64)).expand(batch, -1, -1)
    units = torch.eye(12, dtype=torch.float64).expand(batch, -1, -1)
    return learn(layers, target, (units, units), HOW)


@pytest.mark.benchmark(group="order")
def test_a_batch_of_starts_is_faster_than_one_by_one(benchmark):
    layers = random_start(1e-3, (12, 16, 12), STARTS, torch.Generator().manual_seed(0))
    methods = {
        "in one tensor": lambda: course(layers),
        "one by one": lambda: [course([layer[i : i + 1] for layer in layers]) for i in range(STARTS)],
    }
    found = compare_timings(methods, "cpu", repeats=5, warmup=1, budget_seconds=20.0)
    ratio = found.ratio("one by one", "in one tensor")
    benchmark.extra_info |= {f"{name}, starts per second": STARTS / timing.median for name, timing in found.timings.items()}
    benchmark.extra_info["ratio"] = ratio
    benchmark.pedantic(methods["in one tensor"], rounds=3)
    together = found.results["in one tensor"]
    for i, one in enumerate(found.results["one by one"]):
        n = one.strengths.shape[1]  # alone, a start ends as soon as its modes are learned
        assert np.allclose(one.strengths[0], together.strengths[i, :n], rtol=1e-9, atol=1e-12)
    print(f"\n{STARTS} starts: {ratio:.1f} times as fast in one tensor")
    assert ratio > 5
