"""Simulated networks against autograd, an integrator of SciPy, and closed forms."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from myths.lab.trial import Context
from myths.order.deep_linear import (
    Course,
    Integration,
    _after,
    _descents,
    balanced_start,
    half_times,
    learn,
    log_slope,
    random_start,
    theory,
    theory_half_time,
)  # fmt: skip
from myths.order.trials import LearnModes


@pytest.mark.parametrize(("value", "start"), [(4.0, 1e-3), (1.0, 0.2), (0.3, 1e-6)])
def test_the_solution_solves_the_equation_of_a_mode(value, start):
    at = np.linspace(0, 2 * theory_half_time(value, start), 30)
    solved = solve_ivp(lambda t, a: 2 * a * (value - a), (0, at[-1]), [start], t_eval=at, rtol=1e-10, atol=1e-14).y[0]
    assert theory(at, value, start) == pytest.approx(solved, rel=1e-6)
    assert theory(np.array([theory_half_time(value, start)]), value, start)[0] == pytest.approx(value / 2)


@pytest.mark.parametrize(("layers", "rectified"), [(1, False), (2, False), (3, False), (5, False), (2, True)])
def test_a_step_follows_the_gradient_of_autograd(layers, rectified):
    generator = torch.Generator().manual_seed(layers)
    weights = random_start(1.0, [4, *[6] * (layers - 1), 3], 2, generator)
    target = torch.randn(2, 3, 4, dtype=torch.float64, generator=generator)
    leaves = [w.clone().requires_grad_() for w in weights]
    product = leaves[0].relu() if rectified else leaves[0]
    for leaf in leaves[1:]:
        product = leaf @ product
    ((target - product).square().sum() / 2).backward()
    active = [weights[0].relu(), *weights[1:]] if rectified else weights
    found = _descents(active, _after(active), target - product.detach())
    found = [found[0] * (weights[0] > 0), *found[1:]] if rectified else found
    for leaf, descent in zip(leaves, found, strict=True):
        assert torch.allclose(-leaf.grad, descent, atol=1e-12)
    watched = (torch.ones(2, 1, 3, dtype=torch.float64), torch.ones(2, 1, 4, dtype=torch.float64))
    course = learn(weights, target, watched, Integration(1e-3, 2, rectified=rectified))
    norm = sum(leaf.grad.square().sum((1, 2)) for leaf in leaves).sqrt()
    assert course.gradient_norms[:, 0] == pytest.approx(norm.numpy())


def test_a_balanced_start_is_balanced_and_has_the_strength():
    layers = balanced_start(0.3, 4, 7, 3, torch.Generator().manual_seed(0))
    product = layers[2] @ layers[1] @ layers[0]
    assert torch.allclose(product[0], 0.3 * torch.eye(4, dtype=torch.float64), atol=1e-12)
    for first, second in ((layers[0], layers[1]), (layers[1], layers[2])):
        assert torch.allclose(first[0] @ first[0].T, second[0].T @ second[0], atol=1e-12)


def test_small_steps_converge_to_the_solution_in_first_order():
    errors = []
    for step in (0.02, 0.01, 0.005):
        layers = balanced_start(0.01, 2, 3, 2, torch.Generator().manual_seed(1))
        target, units = torch.diag(torch.tensor([2.0, 1.0], dtype=torch.float64))[None], torch.eye(2, dtype=torch.float64)[None]
        course = learn(layers, target, (units, units), Integration(step, round(4 / step)))
        exact = np.stack([theory(course.times[0], value, 0.01) for value in (2.0, 1.0)], 1)
        errors.append(np.abs(course.strengths[0] - exact).max())
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.1)


def test_half_times_are_interpolated_and_a_mode_that_is_never_halved_is_missing():
    times = np.tile(np.arange(0, 3, 0.01), (1, 1))
    down, up = 1 + 4 * np.exp(-times), 1 - np.exp(-times)  # from above the target 1, and from 0 to it
    still = np.zeros_like(times)
    found = half_times(times, np.stack([down, up, still], 2), np.ones((1, 3)))
    assert found[0, :2] == pytest.approx([np.log(2)] * 2, abs=1e-4)
    assert np.isnan(found[0, 2])


def test_large_weights_take_steps_that_do_not_diverge():
    layers = random_start(10.0, (6, 8, 6), 3, torch.Generator().manual_seed(2))
    target = torch.eye(6, dtype=torch.float64).expand(3, -1, -1)
    course: Course = learn(layers, target, (target, target), Integration(0.01, 400, adapt=True))
    assert np.isfinite(course.losses).all()
    assert (course.losses[:, -1] < course.losses[:, 0]).all()
    assert course.times[0, -1] < 0.01 * 399


def test_the_exponent_of_a_power_law_is_found():
    assert log_slope([1, 2, 4], [3, 1.5, 0.75]) == pytest.approx(-1)


def test_a_network_without_hidden_layer_learns_all_modes_at_ln_2():
    rows = LearnModes(layers=1, starts=3, step=0.002, duration=4.0)
    found = [row for row in rows.run(Context(rows)).rows if row["kind"] == "mode"]
    assert [row["half_time"] for row in found] == pytest.approx([np.log(2)] * 4, rel=0.01)


def test_the_loss_waits_at_the_saddles():
    trial = LearnModes(start="balanced", singular_values=(9.0, 3.0, 1.0), scale=1e-6, step=0.005, duration=10.0)
    plateaus = [row for row in trial.run(Context(trial)).rows if row["kind"] == "plateau"]
    assert [row["level"] for row in plateaus] == [5.0, 0.5]
    assert max(row["deviation_percent"] for row in plateaus) < 2
