"""Every method gives the closed form's Hessian and gradient, in double precision, on every problem that it can do."""

import numpy as np
import pytest

from myths.hessian_cost.methods import METHODS, dense
from myths.hessian_cost.problems import PROBLEMS

# Each of these compiles for seconds; one problem keeps the adapter from rotting.
SLOW = {"asdex": ("matfac",), "torch-compile": ("quad",), "pytensor": ("logreg",), "tensorflow": ("logreg",), "sympy": ("quad",)}


def cases(kind):
    for name, method in METHODS.items():
        for problem in PROBLEMS:
            if getattr(method, kind) and method.supports(problem, 16) and problem in SLOW.get(name, tuple(PROBLEMS)):
                yield pytest.param(name, problem, id=f"{name}-{problem}")


def both(name, problem, kind):
    method = METHODS[name]
    if reason := method.unavailable_reason():
        pytest.skip(reason)
    inputs = PROBLEMS[problem].inputs(16, np.random.default_rng(0))
    return inputs["x"].size, [getattr(m, kind)(PROBLEMS[problem], inputs, "float64", "cpu")() for m in (method, METHODS["closed-form"])]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "problem"), tuple(cases("hessian")))
def test_the_hessian_is_the_closed_form(name, problem):
    variables, (given, expected) = both(name, problem, "hessian")
    given, expected = dense(given, variables), dense(expected, variables)
    assert np.linalg.norm(given - expected) <= 1e-9 * np.linalg.norm(expected)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "problem"), tuple(cases("gradient")))
def test_the_gradient_is_the_closed_form(name, problem):
    variables, (given, expected) = both(name, problem, "gradient")
    given, expected = (np.asarray(g, dtype=np.float64).ravel() for g in (given, expected))
    assert given.shape == (variables,)
    assert np.linalg.norm(given - expected) <= 1e-9 * np.linalg.norm(expected)


def test_single_precision_is_close():
    inputs = PROBLEMS["logreg"].inputs(16, np.random.default_rng(0))
    for name in ("tensor-calculus", "torch-loop", "torch-func"):
        given = dense(METHODS[name].hessian(PROBLEMS["logreg"], inputs, "float32", "cpu")(), 16)
        expected = dense(METHODS["closed-form"].hessian(PROBLEMS["logreg"], inputs, "float64", "cpu")(), 16)
        error = np.linalg.norm(given - expected) / np.linalg.norm(expected)
        assert 1e-12 < error < 1e-4


def test_an_absent_peer_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert METHODS["jax"].unavailable_reason() == "jax is not installed: pip install 'seven-myths[frameworks]'"
