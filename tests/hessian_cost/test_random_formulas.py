"""Formulas that nobody chose: each has torch's value, gradient and Hessian, and none ends in a traceback.

``MYTHS_FORMULAS=2000`` draws that many instead of the few that every test run draws.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from myths.hessian_cost import tensor_calculus as tc
from myths.hessian_cost.formula import Formula
from myths.hessian_cost.ops import torch_ops
from myths.lab.errors import UsageError

DRAWS = int(os.environ.get("MYTHS_FORMULAS", "15"))
LONG = settings(max_examples=DRAWS, deadline=None, suppress_health_check=list(HealthCheck))
SHAPES = "x:3 y:3 A:3,3 B:3,2 a"

LEAVES = {
    "s": ["a", "2", "0.5", "x[0]", "A[1, 2]"],
    "v": ["x", "y", "A[0]", "B[:, 1]"],
    "m": ["A", "outer(x, y)", "eye(3)", "(x[:, None]*A)"],
}
SAME = [
    "sin({0})", "cos({0})", "tanh({0})", "exp(0.3*{0})", "sigmoid({0})", "softplus({0})", "arctan({0})", "erf({0})", "abs({0})",
    "relu({0})", "log1p({0}**2)", "expm1(0.3*{0})", "sqrt(1 + {0}^2)", "({0})**3", "-({0})", "(2 + {0}**2)**-1.5", "cosh(tanh({0}))",
    "log(2 + sin({0}))", "lgamma(0.5 + {0}**2)",
    "({0} + {1})", "({0} - {1})", "({0} * {1})", "({0} / (2 + {1}**2))", "maximum({0}, {1})", "minimum({0}, {1})",
    "logaddexp({0}, {1})",
]  # fmt: skip
RULES: dict[str, list[tuple[str, str]]] = {
    "s": [
        ("sum({0})", "v"), ("mean({0})", "v"), ("logsumexp({0})", "v"), ("max({0})", "v"), ("min({0})", "v"), ("norm({0})", "v"),
        ("norm({0}, 1)", "v"), ("var({0})", "v"), ("{0} @ {1}", "vv"), ("log(sum(exp({0})))", "v"), ("{0}.sum()", "m"), ("trace({0})", "m"),
        ("norm({0})", "m"), ("logdet({0} @ {0}.T + eye(3))", "m"), ("det(2*eye(3) + 0.3*tanh({0}))", "m"), ("logsumexp({0})", "m"),
        ("{0}.T @ {1} @ {0}", "vm"), ("{0}[1]", "v"), ("max({0})", "m"),
    ],
    "v": [
        ("{0} @ {1}", "mv"), ("{1} @ {0}", "mv"), ("softmax({0})", "v"), ("{0} * {1}", "vs"), ("{0} + {1}", "vs"),
        ("sum({0}, axis=1)", "m"),
        ("max({0}, axis=0)", "m"), ("logsumexp({0}, axis=1)", "m"), ("diag({0})", "m"), ("{0}[2]", "m"), ("{0}[:, 0]", "m"),
        ("norm({0}, axis=0)", "m"), ("solve({0} @ {0}.T + eye(3), {1})", "mv"), ("mean({0}, axis=0)", "m"),
    ],
    "m": [
        ("{0} @ {1}", "mm"), ("{0}.T", "m"), ("outer({0}, {1})", "vv"), ("{0} + {1}", "mv"), ("{0} * {1}", "mv"), ("{0} * {1}", "ms"),
        ("softmax({0}, axis=0)", "m"), ("inv({0} @ {0}.T + eye(3))", "m"), ("diag({0})", "v"),
        ("{0} - mean({0}, axis=1, keepdims=True)", "m"),
        ("solve({0} @ {0}.T + eye(3), {1})", "mm"), ("(B @ B.T) * {0}", "m"),
    ],
}  # fmt: skip


@st.composite
def formulas(draw: st.DrawFn, kind: str = "s", depth: int = 4) -> str:
    """A formula of a number, a vector of 3 or a matrix of 3 by 3."""
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from(LEAVES[kind]))
    rule, kinds = draw(st.sampled_from([*RULES[kind], *((same, kind * (1 + ("{1}" in same))) for same in SAME)]))
    return "(" + rule.format(*(draw(formulas(one, depth - 1)) for one in kinds)) + ")"


@pytest.mark.filterwarnings("ignore")
@given(formula=formulas(), by=st.sampled_from(["x", "A", "a"]), is_symmetric=st.booleans(), seed=st.integers(0, 99))
@LONG
def test_a_random_formula_has_the_derivatives_of_torch(formula: str, by: str, is_symmetric: bool, seed: int) -> None:
    problem = Formula(formula, by, SHAPES, symmetric=("A",) if is_symmetric else ())
    arrays = {name: 0.1 + np.random.default_rng(seed).random(shape) for name, shape in problem.shapes.items()}
    if is_symmetric:
        arrays["A"] = (arrays["A"] + arrays["A"].T) / 2
    tensors = {problem._plain(name): torch.as_tensor(array) for name, array in arrays.items()}
    at = tensors["x"]

    def theirs(t: torch.Tensor) -> torch.Tensor:
        return problem.value(torch_ops(), t, tensors)

    expected = [theirs(at), torch.func.grad(theirs)(at), torch.func.hessian(theirs)(at)]
    size = max(float(tensor.abs().max()) for tensor in expected)
    assume(np.isfinite(size) and size < 1e4)
    f, x = problem.expression()
    for ours, exact in zip((f, tc.gradient(f, x), tc.hessian(f, x)), expected, strict=True):
        variables = (x, *(needed for needed in tc.variables(ours) if needed is not x))
        found = tc.compile(ours, inputs=variables)(**{needed.name: tensors[needed.name] for needed in variables})
        assert found.shape == exact.shape
        assert float((found - exact).abs().max()) <= 1e-8 * max(1.0, size), (found, exact)
    assert tc.text(tc.hessian(f, x))


PIECES = "x|A|sum|norm|(|)|[|]|,|:|+|-|*|**|@|.T|^|1|0|1e308|axis=|np.|.| |'|λ|\\|#|lambda|if|²".split("|")  # noqa: SIM905 (readable so)


@given(formula=st.one_of(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.text(max_size=30)))
@settings(max_examples=8 * DRAWS, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_typed_is_read_or_refused_in_a_line(formula: str) -> None:
    try:
        Formula(formula, "x", "x:3 A:3,3")
    except UsageError as refused:
        said = str(refused)
    else:
        said = "formula"
    assert said.startswith("formula")
    assert len(said) < 1000
