"""Time of Hessians at a few sizes, grouped by problem and size. ``make bench-compare`` shows regressions."""

import numpy as np
import pytest
import torch

from myths.hessian_cost.methods import METHODS
from myths.hessian_cost.problems import PAPER_PROBLEMS, PROBLEMS
from myths.lab.measurement.device import select_device
from myths.lab.measurement.timing import synchronize

DEVICE = select_device("auto")
SIZES = (64, 256)
COMPARED = (
    "closed-form", "tensor-calculus", "tensor-calculus-compressed", "torch-loop", "torch-functional", "torch-functional-vectorized",
    "torch-func", "torch-jacrev", "jax", "autograd",
)  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("problem", PAPER_PROBLEMS)
@pytest.mark.parametrize("name", COMPARED)
def test_hessian(benchmark, name, problem, size):
    method = METHODS[name]
    if reason := method.unavailable_reason():
        pytest.skip(reason)
    if DEVICE != "cpu" and not method.cuda:
        pytest.skip("supports only the CPU")
    call = method.hessian(PROBLEMS[problem], PROBLEMS[problem].inputs(size, np.random.default_rng(0)), "float64", DEVICE)

    def finished():
        result = call()
        synchronize(DEVICE)
        return result

    benchmark.group = f"{problem}, {size} variables"
    benchmark.extra_info |= {"device": torch.cuda.get_device_name() if DEVICE != "cpu" else "cpu", "torch": torch.__version__}
    finished()
    benchmark.pedantic(finished, rounds=10, warmup_rounds=1)
