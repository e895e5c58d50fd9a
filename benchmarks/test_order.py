"""Many random starts in one tensor against one after the other, with the same numbers."""

import time

import numpy as np
import pytest
import torch

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
    together = benchmark.pedantic(course, (layers,), rounds=5, warmup_rounds=1)
    began = time.perf_counter()
    singly = [course([layer[i : i + 1] for layer in layers]) for i in range(STARTS)]
    seconds = time.perf_counter() - began
    benchmark.extra_info["times_as_fast"] = seconds / benchmark.stats.stats.median
    shortest = min(one.strengths.shape[1] for one in singly)
    for i, one in enumerate(singly):
        assert np.allclose(one.strengths[0, :shortest], together.strengths[i, :shortest], rtol=1e-9, atol=1e-12)
    assert benchmark.extra_info["times_as_fast"] > 5
