"""Closed forms against differences and against each other; shapes and sizes."""

import numpy as np
import pytest
import torch

from myths.hessian_cost.methods.torch_methods import tensors
from myths.hessian_cost.ops import torch_ops
from myths.hessian_cost.problems import PAPER_PROBLEMS, PROBLEMS

ALL = [pytest.param(problem, id=name) for name, problem in PROBLEMS.items()]


def at(problem, size=24, seed=0):
    return tensors(problem.inputs(size, np.random.default_rng(seed)), "float64", "cpu")


@pytest.mark.parametrize("problem", ALL)
def test_the_gradient_is_the_slope_of_the_value(problem):
    x, constants = at(problem)
    direction = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(0))
    h = 1e-5
    up, down = (problem.value(torch_ops(), x + sign * h * direction, constants) for sign in (1, -1))
    slope = (problem.gradient(x, constants) * direction).sum()
    assert float((up - down) / (2 * h)) == pytest.approx(float(slope), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("problem", ALL)
def test_the_hessian_is_the_slope_of_the_gradient(problem):
    x, constants = at(problem)
    direction = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(1))
    h = 1e-5
    up, down = (problem.gradient(x + sign * h * direction, constants) for sign in (1, -1))
    product = torch.tensordot(problem.hessian(x, constants), direction, dims=x.ndim)
    torch.testing.assert_close((up - down) / (2 * h), product, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("problem", ALL)
def test_sizes_count_variables(problem):
    for size in (32, 512):
        variables = problem.inputs(size, np.random.default_rng(0))["x"].size
        assert 0.75 * size <= variables <= size


@pytest.mark.parametrize("problem", ALL)
def test_a_draw_depends_on_its_seed(problem):
    first, again, other = (problem.inputs(16, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["x"], other["x"])


def test_the_papers_problems_come_first():
    assert tuple(PROBLEMS)[:3] == PAPER_PROBLEMS
