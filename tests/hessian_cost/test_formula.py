"""A user's own formula: read safely, differentiated alike by every method, wrong ones refused with a reason."""

import logging
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from myths.hessian_cost import vocabulary
from myths.hessian_cost.formula import Formula, Undefined
from myths.hessian_cost.methods import METHODS, dense
from myths.hessian_cost.ops import torch_ops
from myths.hessian_cost.trials import TimeFormula
from myths.lab.data.user_data import add
from myths.lab.errors import UsageError
from myths.lab.measurement.timing import Timing
from myths.lab.trial import Context

LOGREG = {"formula": "sum(log(1 + exp(-(y * (X @ w)))))", "by": "w", "shapes": "w:4 X:8,4 y:8"}
COURSE = {
    "absolute values": ("sum(abs(x)**3)", "x", "x:4"),
    "lasso": ("sum((X @ w - y)^2) + 0.1*norm(w, 1)", "w", "X:6,3 w:3 y:6"),
    "roots": ("sum(sqrt(x)) + sum((x*x + 1)**1.5) + sum(abs(x)**2.5)", "x", "x:4"),
    "waves": ("sum(cos(X @ w) * sin(w)) + sum(tan(0.1*w) + arctan(w) + sinh(w) + cosh(w) + erf(w))", "w", "X:3,3 w:3"),
    "maxima": ("max(X @ w) + max(w*w) + min(X @ w)**2 + sum(max(X, axis=0)**2 * w)", "w", "X:4,3 w:3"),
    "hinge": ("mean(max(0, 1 - y*(X @ w))^2) + sum(relu(X @ w)**2) + sum(clip(w, -1, 1)**2)", "w", "X:6,3 w:3 y:6"),
    "log1p and expm1": ("sum(log1p(exp(x))) + sum(log1p(x*x)) + sum(expm1(x)**2)", "x", "x:4"),
    "cross entropy": ("-sum(y*log(sigmoid(X@w)) + (1-y)*log(1-sigmoid(X@w)))", "w", "X:6,3 w:3 y:6"),
    "multinomial": ("-sum(Y * log(softmax(X @ W, axis=1))) + mean(logsumexp(X@W, axis=1) - (Y*(X@W)).sum(1))", "W", "X:5,3 W:3,4 Y:5,4"),
    "log-sum-exp": ("logsumexp(X @ w) + log(sum(exp(X @ w))) + log(mean(exp(w))) + sum(softmax(w)**3)", "w", "X:6,3 w:3"),
    "pairs": ("sum(logaddexp(x, y)) + sum(log(exp(x) + exp(2*y) + 3)) + sum(minimum(x, y)**2)", "x", "x:3 y:3"),
    "norms": ("norm(A @ X, 1) + norm(X, 'fro') + norm(X, np.inf) + sum(norm(X, axis=1)**3) + norm(X[0], 3)", "X", "X:3,2 A:3,3"),
    "traces": ("trace(X.T @ A @ X) + sum((A - outer(X[:, 0], X[:, 1]))**2)", "X", "X:4,2 A:4,4"),
    "inverses": ("trace(inv(X @ X.T + eye(3))) + logdet(X @ X.T + 2*eye(3)) + det(X.T @ X + eye(4))", "X", "X:3,4"),
    "statistics": ("X.mean(axis=0).dot(X.mean(axis=0)) + var(X) + std(X, axis=0, ddof=1).sum()", "X", "X:3,4"),
    "scores": ("sum((X - mean(X, axis=1, keepdims=True))**4) / len(X) + X.size + X.shape[1]", "X", "X:4,3"),
    "a row": ("sum((X + b)**3)", "b", "X:3,4 b:4"),
    "all pairs": ("sum((x[:, None] - y[None, :])**4)", "x", "x:3 y:4"),
    "by a number": ("sum(a*x**2) + a**3 + 2**a", "a", "a x:4"),
    "quadratic form": ("a * x.T @ A @ x / 2", "x", "a x:4 A:4,4"),
    "several right-hand sides": ("sum(solve(X @ X.T + eye(3), B)**2)", "X", "X:3,4 B:3,2"),
    "Rosenbrock": ("sum(100*(x[1:] - x[:-1]**2)**2 + (1 - x[:-1])**2)", "x", "x:5"),
    "slices": ("sum(X[:, 0]**3) * X[1, 1] + X[::2, 1:].sum() * sum(X[-1])", "X", "X:4,3"),
    "prefixes": ("np.sum(numpy.exp(torch.tanh(x))) + np.linalg.norm(x)**2 + np.pi * x.sum()**2", "x", "x:4"),
    "entropy": ("-sum(p*log(p)) + sum(log10(p) + log2(p) * ln(p))", "p", "p:5"),
    "a barrier": ("sum(sqrt(1 - p**2)) + sum(log(1 - p)) + log(1 - p @ p)", "p", "p:3"),
    "variable powers": ("sum(2**x) + sum(x**y)", "x", "x:3 y:3"),
    "linear": ("sum(x)", "x", "x:3"),
    "a constant": ("  3", "x", "x:3"),
    "diagonals": ("sum(diag(x) @ A @ diag(A)) + sum(diag(A * x))**2", "x", "x:3 A:3,3"),
    "Dirichlet": ("lgamma(sum(a)) - sum(lgamma(a)) + (a - 1) @ log(p)", "a", "a:3 p:3"),
    "Student": ("6*(gammaln((n + 1)/2) - gammaln(n/2) - log(n*pi)/2) - (n + 1)/2 * sum(log(1 + y**2/n))", "n", "n y:6"),
    "Gaussian": ("(x - m) @ solve(S, x - m) / 2 + logdet(S) / 2", "S", "x:3 m:3 S:3,3"),
}  # fmt: skip
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
@pytest.mark.parametrize("method", ["tensor-calculus", "tensor-calculus-compressed", "torch-loop", "torch-func", "jax", "autograd"])
def test_every_method_gives_the_same_hessian(method, name):
    if reason := METHODS[method].unavailable_reason():
        pytest.skip(reason)
    problem = Formula(*GENERAL[name])
    inputs = problem.inputs(np.random.default_rng(0))
    expected = hessian("torch-functional", problem, inputs)
    assert np.linalg.norm(hessian(method, problem, inputs) - expected) <= 1e-9 * np.linalg.norm(expected)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", COURSE)
def test_what_a_first_course_writes_has_the_hessian_of_torch(name):
    problem = Formula(*COURSE[name])
    inputs = problem.inputs(np.random.default_rng(0))
    expected = hessian("torch-func", problem, inputs)
    assert np.isfinite(expected).all()
    assert np.linalg.norm(hessian("tensor-calculus", problem, inputs) - expected) <= 1e-9 * np.linalg.norm(expected)


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
        ({"formula": "X @ w"}, "has shape [8]"),
        ({"formula": "sum(foo)"}, "character 5 (sum(→foo)): the shape of foo is not given; given: w, X, y"),
        ({"formula": "sum(X @ y)"}, "[8, 4] and [8] do not match"),
        ({"formula": "sum(w + y)"}, "[4] and [8] do not match"),
        ({"formula": "sum(X +"}, "(sum→(X +): cannot be read: '(' was never closed"),
        ({"formula": ""}, "formula is empty"),
        ({"formula": "__import__('os').remove('x')"}, "unknown function remove"),
        ({"formula": "(lambda: 1)()"}, "is not a function"),
        ({"formula": "[w for w in X]"}, "is not supported"),
        ({"formula": "w if 1 else y"}, "is not supported"),
        ({"formula": "sum(w) + True"}, "'True' is not supported"),
        ({"formula": "sum(sqr(w))"}, "character 5 (sum(→sqr(w))): unknown function sqr; did you mean sqrt"),
        ({"formula": "w^2 + sigmod(w)"}, "(w^2 + →sigmod(w)): unknown function sigmod; did you mean sigmoid"),
        ({"formula": "np.linalg.slogdet(X.T @ X)"}, "write logdet(A)"),
        ({"formula": "sum(exp)"}, "exp is a function: exp(x)"),
        ({"formula": "det(X)"}, "needs a square matrix, not shape [8, 4]"),
        ({"formula": "np.diff(w) @ w"}, "unknown function diff; write x[1:] - x[:-1]"),
        ({"formula": "sum(w * (w > 0))"}, "comparisons are not supported; write maximum, minimum, relu"),
        ({"formula": "w.clip().sum()"}, "clip takes x, low, high: give low, high or both"),
        ({"formula": "2w"}, "a product is written 2*x"),
        ({"formula": "w'w"}, "a transpose is written x.T"),
        ({"formula": "f = sum(w)"}, "give the right-hand side alone"),
        ({"formula": "sum(w, w)"}, "axis=w: an axis is a whole number"),
        ({"formula": "sum(w, axis=1)"}, "axis=1: the shape is [4]"),
        ({"formula": "exp(w, w)"}, "exp takes x, not 2 arguments"),
        ({"formula": "sum(w, where=w)"}, "sum takes x, axis, keepdims, not where="),
        ({"formula": "solve(X)"}, "solve takes A, b: b is missing"),
        ({"formula": "sum(solve(X @ X.T, w))"}, "[8, 8] and [4] do not match"),
        ({"formula": "norm(X, 2)"}, "norm of a matrix has ord 'fro', 1 or inf, not 2"),
        ({"formula": "w[4]"}, "an index is a whole number from -4 to 3"),
        ({"formula": "sum(w[2:2])"}, "selects nothing"),
        ({"formula": "sum(w) / 0"}, "division by 0"),
        ({"formula": "1e400 * sum(w)"}, "not finite and real"),
        ({"formula": "10**400 * sum(w)"}, "not finite and real"),
        ({"formula": "(-8)**0.5 * sum(w)"}, "not finite and real"),
        ({"formula": "log(-1) * sum(w)"}, "not finite and real"),
        ({"formula": f"{'9' * 400} * sum(w)"}, "not finite and real"),
        ({"formula": "sum(w)" + "-" * 1000 + "1"}, "nested more than 100 deep"),
        ({"formula": "(" * 300 + "w" + ")" * 300}, "cannot be read: too many nested parentheses"),
        ({"formula": "w + " * 1000 + "w"}, "has 4,001 characters; the limit is 4,000"),
        ({"formula": "sum(w)\0"}, "cannot be read"),
        ({"by": "z"}, "no variable z among w, X, y"),
        ({"shapes": "w:4,4,4"}, "is not a shape"),
        ({"shapes": "w:4 w:5"}, "two shapes"),
        ({"shapes": "w:0"}, "is not a shape"),
        ({"shapes": ""}, "shapes is empty"),
        ({"shapes": "lambda:3"}, "is a Python keyword"),
        ({"shapes": "w:4 X:8,4 y:100000000000"}, "y of [100000000000] has 1e+11 entries"),
        ({"shapes": f"w:4 X:8,4 y:{'9' * 5000}"}, "is not a shape"),
        ({"shapes": "w:30000 X:8,30000 y:8"}, "a Hessian of 9e+08 entries; the limit is 5.37e+08, that is 23,170 variables"),
        ({"symmetric": ("X",)}, "symmetric=X: X is [8, 4], not a square matrix"),
    ],
)
def test_what_is_wrong_is_said(change, said):
    with pytest.raises(UsageError) as refused:
        Formula(**LOGREG | change)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 600


def test_a_wrong_formula_is_refused_before_anything_runs():
    with pytest.raises(UsageError, match="unknown function sqr"):
        TimeFormula(**LOGREG | {"formula": "sum(sqr(w))"})
    with pytest.raises(UsageError, match="cannot be read"):
        TimeFormula(formula="sum(w", by="w", inputs="mine")


@pytest.mark.parametrize(
    ("formula", "drawn"),
    [
        ("sum(log(x)**2) + sum(x*c)", {"x": (0, np.inf), "c": (-np.inf, np.inf)}),
        ("sum(sqrt(x))", {"x": (0, np.inf)}),
        ("sum(x**-1.5)", {"x": (0, np.inf)}),
        ("sum(log1p(x) + log(1 - x))", {"x": (-1, 1)}),
        ("log(1 - x @ x)", {"x": (-1, 1)}),
        ("sqrt(det(A))", {"A": (-np.inf, np.inf)}),
        ("sum(1 / x) + sum(log(x**2))", {"x": (-np.inf, np.inf)}),
    ],
)
def test_inputs_lie_where_the_function_exists(formula, drawn):
    name = next(iter(drawn))
    problem = Formula(formula, name, "x:5 c:5 A:3,3", symmetric=("A",))
    inputs = problem.inputs(np.random.default_rng(0))
    arrays = {"x": inputs["x" if name == "x" else "x_"], "c": inputs["c"], "A": inputs["x" if name == "A" else "A"]}
    assert all(((low < arrays[name]) & (arrays[name] < high)).all() for name, (low, high) in drawn.items())
    assert (arrays["c"] < 0).any()  # what needs nothing stays as it was
    assert np.allclose(arrays["A"], arrays["A"].T)
    assert np.isfinite(hessian("torch-func", problem, inputs)).all()


def test_a_function_that_exists_nowhere_is_a_row():
    trial = TimeFormula(formula="sum(log(-x*x))", by="x", shapes="x:5")
    rows = trial.run(Context(trial)).rows
    assert len(rows) == 1
    assert rows[0]["status"].startswith("undefined at these inputs: [i] = log(-x[i]²) does not exist")


@pytest.mark.filterwarnings("ignore")
def test_a_method_whose_hessian_is_not_finite_agrees_with_nothing(monkeypatch):
    monkeypatch.setattr(
        "myths.hessian_cost.trials.user_formula.METHODS", {name: METHODS[name] for name in ("tensor-calculus", "torch-func")}
    )
    monkeypatch.setattr("myths.hessian_cost.trials.user_formula.arrays_of", lambda name: {"x": np.array([800.0, 799.0, 798.0])})
    trial = TimeFormula(formula="log(exp(x).sum())", by="x", inputs="mine")
    rows = trial.run(Context(trial)).rows
    assert [row["status"] for row in rows] == ["ok", "not finite, unlike the tensor calculus"]


SYMMETRIC = {
    "likelihood of a covariance": "-trace(inv(S) @ M) / 2 - logdet(S) / 2",
    "squares": "sum(S * S.T) + sum(M * S.T)**2",
    "powers": "trace(S @ S @ S) + x @ S @ S.T @ x",
    "a solution": "x @ solve(S, x) + det(S)",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SYMMETRIC)
def test_a_hessian_by_a_symmetric_matrix_is_that_by_every_entry_on_its_own(name):
    problem = Formula(SYMMETRIC[name], "S", "S:3,3 M:3,3 x:3", symmetric=("S",))
    inputs = problem.inputs(np.random.default_rng(0))
    expected = hessian("torch-func", problem, inputs)
    assert np.allclose(inputs["x"], inputs["x"].T)
    assert np.linalg.norm(hessian("tensor-calculus", problem, inputs) - expected) <= 1e-9 * np.linalg.norm(expected)


@pytest.mark.filterwarnings("ignore")
def test_a_method_with_another_hessian_is_not_timed(monkeypatch):
    def too_large(*args):
        call = METHODS["torch-func"].hessian(*args)
        return lambda: 1.1 * call()

    wrong = replace(METHODS["torch-func"], hessian=too_large)
    monkeypatch.setattr(
        "myths.hessian_cost.trials.user_formula.METHODS", {"tensor-calculus": METHODS["tensor-calculus"], "torch-func": wrong}
    )
    trial = TimeFormula(formula="sum(x**3)", by="x", shapes="x:3")
    ours, theirs = trial.run(Context(trial)).rows
    assert (ours["status"], theirs["status"]) == ("ok", "differs from the tensor calculus by 10 %")
    assert "seconds" not in theirs


@pytest.mark.filterwarnings("ignore")
def test_the_derivative_is_printed_in_the_names_of_the_user(monkeypatch):
    monkeypatch.setattr("myths.hessian_cost.trials.user_formula.METHODS", {"tensor-calculus": METHODS["tensor-calculus"]})
    trial = TimeFormula(formula="sum(w*x)+sum(w**3*x)", by="w", shapes="w:3 x:3")
    assert trial.run(Context(trial)).rows[0]["hessian"] == "H[ij] = 6 δ[ij] w[i] x[i]"
    symmetric = TimeFormula(formula="x @ A @ x", by="x", shapes="x:3 A:3,3", symmetric=("A",))
    assert symmetric.run(Context(symmetric)).rows[0]["hessian"] == "H[ij] = 2 A[ij]"


def test_the_user_arrays_are_the_point(monkeypatch):
    arrays = {"w": np.array([1, 2]), "unused": np.zeros((2, 2, 2))}
    problem = Formula("sum(w**3)", "w", arrays=arrays)
    assert hessian("tensor-calculus", problem, problem.inputs(np.random.default_rng(0))).tolist() == [[6, 0], [0, 12]]
    with pytest.raises(UsageError, match="inputs have no array v; they have w, unused"):
        Formula("sum(v)", "v", "v:3", arrays=arrays)
    with pytest.raises(UsageError, match=r"shapes: w is \[3\], but its array is \[2\]"):
        Formula("sum(w)", "w", "w:3", arrays=arrays)
    with pytest.raises(Undefined, match="log"):
        Formula("sum(log(w - 1))", "w", arrays=arrays).inputs(np.random.default_rng(0))


def test_arrays_come_in_by_a_name(tmp_path, monkeypatch):
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path / "home"))
    np.savez(tmp_path / "inputs.npz", w=np.array([1.0, 2.0]), X=np.eye(2), words=np.zeros((2, 2, 2)))
    assert add("my-arrays", tmp_path / "inputs.npz").name == "my_arrays"
    trial = TimeFormula(formula="sum((X @ w)**3)", by="w", inputs="my-arrays", methods=("tensor-calculus",))
    assert trial.data == ("my_arrays",)
    assert trial.skip_reason() is None
    assert trial.run(Context(trial)).rows[0]["checksum"] == pytest.approx(np.hypot(6, 12))
    assert "inputs have no array v; they have w, X, words" in str(TimeFormula(formula="sum(v)", by="v", inputs="my_arrays").skip_reason())
    assert "expected finite numbers with 0 to 2 axes" in str(
        TimeFormula(formula="sum(words)", by="words", inputs="my_arrays").skip_reason()
    )
    with pytest.raises(UsageError, match="expected empty, or a name"):
        TimeFormula(formula="sum(w)", by="w", inputs="../inputs.npz")


@pytest.mark.parametrize(("name", "hint"), [(n, h) for n, h in vocabulary.INSTEAD.items() if not re.search("[a-z] [a-z]|, [a-z@]", h)])
def test_what_is_written_instead_of_an_unknown_function_is_understood(name, hint):
    assert name not in vocabulary.BY_NAME
    Formula(f"sum({hint})", "x", "x:3 y:3 A:3,3 b:3")


def test_the_page_of_functions_is_that_of_the_vocabulary():
    page = (Path(__file__).parents[2] / "docs/formulas.md").read_text(encoding="utf-8")
    assert vocabulary.listing() in page


@pytest.mark.parametrize(
    ("formula", "at", "gradient"),
    [
        ("sum(abs(x))", [0.0, -2.0], [0, -1]),
        ("sum(sign(x) * x)", [0.0, -2.0], [0, -1]),
        ("sum(relu(x))", [0.0, 2.0], [0, 1]),
        ("max(x)", [1.0, 1.0], [0.5, 0.5]),
        ("min(x)", [1.0, 1.0], [0.5, 0.5]),
        ("sum(maximum(x, 1))", [1.0, 2.0], [0.5, 1]),
        ("sum(minimum(x, 1))", [1.0, 2.0], [0.5, 0]),
    ],
)
def test_at_a_kink_the_gradient_is_that_of_torch(formula, at, gradient):
    problem = Formula(formula, "x", arrays={"x": np.array(at)})
    inputs = problem.inputs(np.random.default_rng(0))
    for method in ("tensor-calculus", "torch"):
        found = METHODS[method].gradient(problem, inputs, "float64", "cpu")()
        assert found.tolist() == gradient, method


def test_a_norm_at_zero_is_refused_where_torch_gives_no_number():
    problem = Formula("norm(x)", "x", arrays={"x": np.zeros(2)})
    with pytest.raises(Undefined, match="must be"):
        problem.inputs(np.random.default_rng(0))
    assert np.isnan(hessian("torch-func", problem, {"x": np.zeros(2)})).all()


@pytest.mark.parametrize("word", vocabulary.FUNCTIONS, ids=lambda word: word.name)
def test_every_function_is_tried(word):
    """By one of the formulas above, or by its other spelling."""
    written = " ".join(formula for formula, _, _ in (*GENERAL.values(), *COURSE.values()))
    apart = {
        "square",
        "reciprocal",
        "sign",
        "logsigmoid",
        "maximum",
        "power",
        "add",
        "subtract",
        "multiply",
        "divide",
        "log_softmax",
        "transpose",
    }
    assert word.name in apart or any(f"{name}(" in written for name in (word.name, *word.also))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sum(square(x)) + reciprocal(x).sum()", "sum(x**2) + sum(1/x)"),
        ("x.exp().sum()", "sum(exp(x))"),
        ("sum(logsigmoid(x))", "-sum(log(1 + exp(-x)))"),
        ("log_softmax(x)[0]", "x[0] - logsumexp(x)"),
        ("np.add(x, 1).sum() + subtract(x, 1).sum() + multiply(x, x).sum() + divide(x, 2).sum()", "2.5*sum(x) + sum(x*x)"),
        ("sum(power(x, 2)) + torch.pow(x, 3).sum()", "sum(x^2) + sum(x³)"),
        ("A.transpose().trace() + np.transpose(A).sum()", "tr(A) + sum(A)"),
        ("np.max(A, 0).sum() + A.max(axis=0).sum()", "2*sum(max(A, axis=0))"),
        ("torch.sum(A, dim=1, keepdim=True).sum()", "A.sum()"),
        ("torch.nn.functional.softplus(x).sum()", "sum(softplus(x))"),
        ("sum(λ·x²) − 1", "sum(λ*x**2) - 1"),
        ("sum(sign(x)*x)", "sum(abs(x))"),
        ("torch.clamp(x, min=-1, max=1).sum()", "sum(clip(x, -1, 1))"),
        ("sum(x.clip(min=0)) + np.clip(x, None, 1).sum() + sum(x.clip(0))", "2*sum(relu(x)) + sum(minimum(x, 1))"),
        ("sum(exp(x[:, np.newaxis] - x[np.newaxis, :]))", "sum(exp(x[:, None] - x[None, :]))"),
        ("max(2, 1) * exp(0) * len(x) * sum(x) + abs(-1)", "2 * 5 * sum(x) + 1"),
    ],
)
def test_other_spellings_mean_the_same(one, other):
    import torch

    values = []
    for formula in (one, other):
        problem = Formula(formula, "x", "x:5 A:4,4 λ:5")
        inputs = {name: torch.as_tensor(array) for name, array in problem.inputs(np.random.default_rng(0)).items()}
        values.append(float(problem.value(torch_ops(), inputs["x"], inputs)))
    assert values[0] == pytest.approx(values[1], rel=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_a_trial_times_all_methods(monkeypatch, caplog):
    monkeypatch.setattr(
        "myths.hessian_cost.trials.user_formula.METHODS",
        {name: METHODS[name] for name in ("closed-form", "torch-loop", "tensor-calculus", "casadi")},
    )
    monkeypatch.setattr(METHODS["casadi"].__class__, "unavailable_reason", lambda self: "absent" if self.name == "casadi" else None)
    trial = TimeFormula(**LOGREG)
    with caplog.at_level(logging.INFO, "myths"):
        rows = trial.run(Context(trial)).rows
    assert [row["method"] for row in rows] == ["tensor-calculus", "torch-loop", "casadi"]
    assert caplog.messages[1:] == [f"{row['label']}: {number} of 3" for number, row in enumerate(rows, 1)]
    assert rows[0]["hessian"].startswith("H[ij] = Σ_k X[ki] X[kj]")
    assert rows[1]["status"] == "ok"
    assert rows[1]["seconds"] > rows[1]["reference_seconds"]
    assert rows[1]["relative_difference"] < 1e-12
    assert rows[2]["status"] == "absent"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("alone", "beside", "refused"),
    [
        (1.0, (1.0, 1.2), (None, None)),
        (1.0, (1.0, 1.3), (None, "1.30")),  # the framework disturbed it
        (9.0, (1.0, 9.0), (None, "9.00")),  # another program disturbed it alone, and beside the framework
    ],
)
def test_a_row_whose_reference_was_disturbed_has_no_ratio(alone, beside, refused, monkeypatch):
    times = iter([alone, *beside])

    def timed(calls, *_):
        reference = next(times)
        return {name: Timing(*[3.0 if name == "method" else reference] * 3, repeats=5, first_call=9.0) for name in calls}

    monkeypatch.setattr("myths.hessian_cost.trials.user_formula.compare_calls", timed)
    trial = TimeFormula(formula="sum(x**3)", by="x", shapes="x:3", methods=("torch-func",))
    rows = trial.run(Context(trial)).rows
    assert [(row["seconds"], row["reference_seconds"], row["clean_reference_seconds"]) for row in rows] == [(3.0, b, 1.0) for b in beside]
    assert [row.get("slowdown") for row in rows] == [
        None if why else pytest.approx(3.0 / b) for b, why in zip(beside, refused, strict=True)
    ]
    assert [row.get("refused") for row in rows] == [why and f"tensor calculus {why} x its shortest time" for why in refused]


@pytest.mark.filterwarnings("ignore")
def test_a_method_that_fails_is_a_row(monkeypatch):
    def broken(*_):
        raise ValueError("cannot do\nthis")

    monkeypatch.setattr(
        "myths.hessian_cost.trials.user_formula.METHODS", {name: METHODS[name] for name in ("tensor-calculus", "torch-loop")}
    )
    monkeypatch.setattr("myths.hessian_cost.trials.user_formula._difference", broken)
    trial = TimeFormula(**LOGREG)
    assert [row["status"] for row in trial.run(Context(trial)).rows] == ["failed: ValueError: cannot do"] * 2
