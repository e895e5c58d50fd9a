"""What a researcher meets: notation, normal form, errors, programs."""

from __future__ import annotations

import doctest
import sys
from functools import partial

import numpy as np
import pytest
import torch

from myths.hessian_cost import tensor_calculus
from myths.hessian_cost.tensor_calculus import (
    AxesError,
    NotDifferentiable,
    ShapeError,
    TensorError,
    UnknownVariable,
    compile,
    constant,
    derivative,
    diag,
    einsum,
    evaluate,
    exp,
    gradient,
    hessian,
    identity,
    inverse,
    log,
    logdet,
    norm,
    ones,
    reciprocal,
    softplus,
    sqrt,
    text,
    trace,
    variable,
)

A, B, x, y, c, s = variable("A", "nn"), variable("B", "nm"), variable("x", "n"), variable("y", "m"), constant("c", "n"), variable("s")


def test_worked_example() -> None:
    assert doctest.testmod(tensor_calculus).attempted > 5
    assert doctest.testmod(tensor_calculus).failed == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (x + x, 2 * x),
        (x - x, 0 * x),
        (x * x, x**2),
        (x / x, ones("n")),
        (A.T.T, A),
        (identity("n") @ x, x),
        (A @ identity("n"), A),
        (trace(identity("n") @ A), trace(A)),
        ((A + 2 * identity("n")) @ x, A @ x + 2 * x),
        (einsum("ij,jk->ik", A, B), A @ B),
        (A["ij"] * B["jk"] + 0, (A @ B)["ij"] * 1),
        (einsum("i,i->", x, c), einsum("a,a->", c, x)),
        (einsum("ij,jk,kl->il", A, A, A), A @ A @ A),
        (einsum("ab,bc,ca->", A, A, A), einsum("ca,ab,bc->", A, A, A)),
        (exp(A.T), exp(A).T),
        (log(exp(x)), x),
        (log(1 + exp(x)), softplus(x)),
        (inverse(inverse(A)), A),
        (logdet(A.T), logdet(A)),
        (sqrt(x) ** 2, x),
        (reciprocal(reciprocal(x)), x),
        ((2 * x) ** 2, 4 * x**2),
        (diag(x) @ c, x * c),
        (x["i"] * c["i"] * s, (s * x) @ c),
    ],
)
def test_equal_expressions_are_one_object(one, other) -> None:
    as_expression = tensor_calculus.notation.as_expression
    assert as_expression(one) is as_expression(other)


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        (x @ A @ x, "Σ_ij A[ij] x[i] x[j]"),
        (2 - x, "[i] = 2 - x[i]"),
        (A @ x - 0.5 * c, "[i] = Σ_j A[ij] x[j] - 0.5 c[i]"),
        (exp(x + 1) ** 2, "[i] = exp(1 + x[i])²"),
        (1 / sqrt(x), "[i] = x[i]^-0.5"),
        ((x @ c) ** -0.5, "(Σ_i c[i] x[i])^-0.5"),
        (diag(x), "[ij] = δ[ij] x[i]"),
        (logdet(A + identity("n")), "logdet(M)  where M[ij] = A[ij] + δ[ij]"),
        (trace(identity("n")), "|n|"),
        (0 * x, "[i] = 0"),
    ],
)
def test_printing(expression, written: str) -> None:
    assert str(expression) == written


def test_third_derivative_by_another_variable() -> None:
    third = derivative(x @ A @ x, x, x, A)
    assert text(third, "D") == "D[ijkl] = δ[ik] δ[jl] + δ[il] δ[jk]"
    assert derivative(x @ A @ x, y) is einsum("i->i", 0 * y)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: x + y, AxesError, r"x\[i\] of axes \['n'\] and .*y\[i\] of axes \['m'\]"),
        (lambda: A @ y, AxesError, r"axes \['n', 'n'\]"),
        (lambda: A["ijk"], AxesError, "2 axes .*'ijk'"),
        (lambda: einsum("ij,j->i", A, y), AxesError, "index j .*axis 'n' of .*A.*axis 'm' of .*y"),
        (lambda: einsum("ij->k", A), AxesError, "index k of the result"),
        (lambda: einsum("ij", A), AxesError, "after ->"),
        (lambda: x["i"] + y["j"], AxesError, r"cannot add indices \[j\] to \[i\]"),
        (lambda: x + np.ones(3), AxesError, "ndarray"),
        (lambda: np.ones(3) * x, AxesError, "ndarray"),
        (lambda: x**x, TensorError, "exponent must be a number"),
        (lambda: inverse(B), AxesError, "square"),
        (lambda: gradient(x, x), AxesError, "scalar"),
        (lambda: gradient(x @ c, c), UnknownVariable, "not a variable"),
        (lambda: gradient(x @ c, x * 2), UnknownVariable, "not a variable"),
        (lambda: derivative(x, x, mode="mode|sideways"), Exception, "mode|sideways"),
        (lambda: variable("two words"), TensorError, "identifier"),
        (lambda: compile(x, backend="abacus"), TensorError, "abacus"),
        (lambda: evaluate(x @ c, x=np.ones(2)), UnknownVariable, "'c'"),
        (lambda: evaluate(x @ c, x=np.ones(2), c=np.ones(2), d=np.ones(2)), UnknownVariable, "no variable 'd'"),
        (lambda: evaluate(x @ c, x=np.ones(2), c=np.ones(3)), ShapeError, "axis 'n' is 2 elsewhere|axis 'n' is 3 elsewhere"),
        (lambda: evaluate(A @ x, A=np.ones((2, 3)), x=np.ones(2)), ShapeError, "axis 'n' is 2 elsewhere, but 3 in A"),
        (lambda: evaluate(x + 1, x=np.ones((2, 2))), ShapeError, r"x has axes \['n'\]"),
        (lambda: evaluate(variable("p", "3") + 1, p=np.ones(4)), ShapeError, "axis '3'"),
        (lambda: evaluate(hessian(x @ x, x)), ShapeError, "axis 'n' .* unknown"),
        (lambda: evaluate(x + variable("x", "m").sum(), x=np.ones(3)), UnknownVariable, "same name"),
        (lambda: evaluate(log(x), x=np.array([1.0, 0.0])), NotDifferentiable, r"log\(x\[i\]\)"),
        (lambda: evaluate(gradient(norm(x), x), x=np.zeros(2)), NotDifferentiable, "nonzero|positive"),
        (lambda: evaluate(inverse(A), A=np.ones((2, 2))), NotDifferentiable, "singular"),
    ],
)
def test_errors_name_the_expression_and_the_axis(wrong, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        wrong()


def test_unchecked_evaluation_gives_what_the_backend_gives() -> None:
    assert evaluate(log(x), x=torch.zeros(2), check=False).tolist() == [-np.inf, -np.inf]


def test_names_that_python_has_taken() -> None:
    a, b = variable("lambda", "n"), variable("exp", "n")
    assert evaluate(exp(a) * b, {a: np.zeros(2), b: np.ones(2)}).tolist() == [1, 1]


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_through_the_compilers(backend: str) -> None:
    """One graph without breaks; torch's backend here needs no C++ compiler."""
    f = softplus(A @ x).sum() + (x @ x) ** 2
    h = hessian(f, x)
    a, v = np.eye(3) + 0.1, np.arange(3.0)
    expected = evaluate(h, A=a, x=v)
    if backend == "jax":
        jax = pytest.importorskip("jax", reason="JAX is not installed")
        found = jax.jit(compile(h, "jax").function({"n": 3}))(jax.numpy.asarray(a), jax.numpy.asarray(v))
        assert np.allclose(found, expected, atol=1e-5)
    else:
        run = torch.compile(compile(h).function({"n": 3}), backend="aot_eager", fullgraph=True)
        assert np.allclose(run(torch.tensor(a), torch.tensor(v)), expected)


def test_a_program_is_written_once_for_each_shape() -> None:
    run = compile(A @ x)
    for n in (2, 3, 2):
        assert run(A=torch.eye(n), x=torch.ones(n)).tolist() == [1.0] * n
    assert len(run._functions) == 2
    assert compile(A @ x, sizes={"n": 4})._functions


def test_without_opt_einsum(monkeypatch: pytest.MonkeyPatch) -> None:
    f = log(1 + exp(-c * (A @ x))).sum()
    wanted = compile(hessian(f, x)).source(n=50)
    monkeypatch.setitem(sys.modules, "opt_einsum", None)
    assert compile(hessian(f, x)).source(n=50).count("@") == wanted.count("@") == 2


def test_repeated_squaring_stays_small() -> None:
    m = A
    for _ in range(6):
        m = m @ m
    assert "i₁" in text(m)  # more sums than letters
    power = evaluate(m, A=np.diag([1.0, 0.5]))
    assert np.allclose(power, np.diag([1.0, 0.5**64]))
    run = partial(evaluate, trace(m))
    step = 1e-6
    a = np.array([[0.9, 0.2], [0.1, 0.8]])
    move = np.zeros((2, 2))
    move[0, 1] = step
    slope = (run(A=a + move) - run(A=a - move)) / (2 * step)
    assert np.isclose(evaluate(gradient(trace(m), A), A=a)[0, 1], slope, rtol=1e-4)
