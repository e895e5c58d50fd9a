"""A user's own formula: read safely, differentiated alike by every method, wrong ones refused with a reason."""

import numpy as np
import pytest

from myths.hessian_cost.formula import Formula
from myths.hessian_cost.methods import METHODS, dense
from myths.hessian_cost.ops import torch_ops
from myths.hessian_cost.trials import TimeFormula
from myths.lab.errors import UsageError
from myths.lab.trial import Context

LOGREG = {"formula": "sum(log(1 + exp(-(y * (X @ w)))))", "by": "w", "shapes": "w:4 X:8,4 y:8"}
GENERAL = {
    "quadratic": ("x @ (A @ x)", "x", "x:4 A:4,4"),
    "row times matrix": ("sum((x @ A) ** 2) / 3", "x", "x:4 A:4,5"),
    "matrix": ("sum((T - U @ V.T) * (T - U @ V.T))", "U", "U:3,2 V:4,2 T:3,4"),
    "a constant called x": ("sum(sin(v) * x) + 2 * sum(tanh(v) ** 3)", "v", "v:3 x:3"),
    "softplus": ("sum(softplus(X @ w))", "w", "w:3 X:5,3"),
    "linear algebra": ("y @ solve(K @ K.T + diagonal(exp(x)), y) + logdet(K @ K.T + diagonal(exp(x)))", "x", "x:3 K:3,3 y:3"),
}


def hessian(method, problem, inputs):
    return dense(METHODS[method].hessian(problem, inputs, "float64", "cpu")(), inputs["x"].size)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", GENERAL)
@pytest.mark.parametrize("method", ["ours", "ours-compressed", "torch-loop", "torch-func", "jax", "autograd"])
def test_every_method_gives_the_same_hessian(method, name):
    if reason := METHODS[method].missing():
        pytest.skip(reason)
    problem = Formula(*GENERAL[name])
    inputs = problem.inputs(np.random.default_rng(0))
    expected = hessian("torch-functional", problem, inputs)
    assert np.linalg.norm(hessian(method, problem, inputs) - expected) <= 1e-9 * np.linalg.norm(expected)


def test_its_value_is_that_of_numpy():
    import torch

    problem = Formula(*LOGREG.values())
    inputs = {name: torch.as_tensor(value) for name, value in problem.inputs(np.random.default_rng(0)).items()}
    value = problem.value(torch_ops(), inputs["x"], inputs)
    margins = inputs["y"].numpy() * (inputs["X"].numpy() @ inputs["x"].numpy())
    assert float(value) == pytest.approx(np.log1p(np.exp(-margins)).sum())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"formula": "X @ w"}, "gives a tensor of shape [8]"),
        ({"formula": "sum(foo)"}, "names foo, whose shape is not given"),
        ({"formula": "sum(X @ y)"}, "[8, 4] and [8] do not fit"),
        ({"formula": "sum(w + y)"}, "[4] and [8] do not fit"),
        ({"formula": "sum(X +"}, "cannot be read at character"),
        ({"formula": "__import__('os').remove('x')"}, "is not understood"),
        ({"formula": "sum(w) ** 0.5"}, "** with a whole number"),
        ({"formula": "det(X)"}, "not a square matrix"),
        ({"formula": "sum(w, w)"}, "sum takes one argument"),
        ({"formula": "sum(solve(X @ X.T, w))"}, "do not fit"),
        ({"by": "z"}, "there is no z among w, X, y"),
        ({"shapes": "w:4,4,4"}, "is no shape"),
        ({"shapes": "w:4 w:5"}, "two shapes"),
        ({"shapes": "w:0"}, "is no shape"),
        ({"shapes": ""}, "there are no shapes"),
    ],
)
def test_what_is_wrong_is_said(change, said):
    with pytest.raises(UsageError) as refused:
        Formula(**LOGREG | change)
    assert said in str(refused.value)


@pytest.mark.filterwarnings("ignore")
def test_a_trial_times_all_methods(monkeypatch):
    monkeypatch.setattr("myths.hessian_cost.own.METHODS", {name: METHODS[name] for name in ("closed-form", "torch-loop", "ours", "casadi")})
    monkeypatch.setattr(METHODS["casadi"].__class__, "missing", lambda self: "absent" if self.name == "casadi" else None)
    trial = TimeFormula(**LOGREG)
    rows = trial.run(Context(trial)).rows
    assert [row["method"] for row in rows] == ["ours", "torch-loop", "casadi"]
    assert rows[0]["hessian"].startswith("H[ij] = Σ_k X[ki] X[kj]")
    assert rows[1]["status"] == "ok"
    assert rows[1]["ratio"] > 1
    assert rows[1]["relative_difference"] < 1e-12
    assert rows[2]["status"] == "absent"


@pytest.mark.filterwarnings("ignore")
def test_a_method_that_fails_is_a_row(monkeypatch):
    def broken(*_, **__):
        raise ValueError("cannot do\nthis")

    monkeypatch.setattr("myths.hessian_cost.own.METHODS", {name: METHODS[name] for name in ("ours", "torch-loop")})
    monkeypatch.setattr("myths.hessian_cost.own.compare", broken)
    trial = TimeFormula(**LOGREG)
    assert [row["status"] for row in trial.run(Context(trial)).rows] == ["failed: ValueError: cannot do"] * 2
