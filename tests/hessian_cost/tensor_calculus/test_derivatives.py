"""Random expressions against torch.func and finite differences; every mode gives the same derivative."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from myths.hessian_cost import tensor_calculus as tc
from myths.hessian_cost.tensor_calculus import (
    Expression,
    Variable,
    arctan,
    compile,
    constant,
    cos,
    derivative,
    det,
    einsum,
    erf,
    evaluate,
    exp,
    gradient,
    hessian,
    identity,
    inverse,
    largest,
    log,
    logdet,
    logsumexp,
    maximum,
    relu,
    sigmoid,
    sin,
    softmax,
    softplus,
    sqrt,
    tanh,
    variable,
)
from tests.hessian_cost.tensor_calculus.reference import interpret

N = 3
x, M, c, B = variable("x", "n"), variable("M", "nn"), constant("c", "n"), constant("B", "nn")

Torch = Callable[[dict[str, torch.Tensor]], torch.Tensor]
Pair = tuple[Expression, Torch]
Step = tuple[int, int, int]  # an operation and its two operands

EYE = torch.eye(N, dtype=torch.float64)
UNARY: list[tuple[Callable[[Expression], Expression], Callable[[torch.Tensor], torch.Tensor]]] = [
    (sin, torch.sin),
    (cos, torch.cos),
    (tanh, torch.tanh),
    (sigmoid, torch.sigmoid),
    (softplus, lambda t: torch.logaddexp(t, torch.zeros_like(t))),
    (lambda e: exp(0.3 * sin(e)), lambda t: torch.exp(0.3 * torch.sin(t))),
    (lambda e: log(1.5 + e**2), lambda t: torch.log(1.5 + t**2)),
    (lambda e: 1 / (2 + e**2), lambda t: 1 / (2 + t**2)),
    (lambda e: sqrt(1 + e**2), lambda t: torch.sqrt(1 + t**2)),
    (lambda e: (2 + tanh(e)) ** 2.5, lambda t: (2 + torch.tanh(t)) ** 2.5),
    (lambda e: (0.5 * e) ** 3, lambda t: (0.5 * t) ** 3),
    (lambda e: -0.7 * e, lambda t: -0.7 * t),
]


def regular(e: Expression) -> Expression:
    """A well-conditioned matrix."""
    return 0.2 * tanh(e) + 2 * identity("n")


def regular_torch(t: torch.Tensor) -> torch.Tensor:
    return 0.2 * torch.tanh(t) + 2 * EYE


# kinds of the operands and of the result (s, v, m), ours, torch's
OPERATIONS: list[tuple[str, str, Callable, Callable]] = [
    *[(kind, kind, ours, theirs) for ours, theirs in UNARY for kind in "vm"],
    ("v", "s", lambda e: 0.5 * e.sum(), lambda t: 0.5 * t.sum()),
    ("vv", "s", lambda a, b: 0.3 * (a @ b), lambda a, b: 0.3 * (a @ b)),
    ("m", "s", lambda e: einsum("ii->", e), lambda t: t.trace()),
    ("m", "s", lambda e: logdet(regular(e)), lambda t: torch.linalg.slogdet(regular_torch(t))[1]),
    ("m", "s", lambda e: 0.1 * det(regular(e)), lambda t: 0.1 * torch.linalg.det(regular_torch(t))),
    ("vv", "v", lambda a, b: a + b, lambda a, b: a + b),
    ("vv", "v", lambda a, b: a - 2 * b, lambda a, b: a - 2 * b),
    ("vv", "v", lambda a, b: a * b, lambda a, b: a * b),
    ("mv", "v", lambda a, b: 0.5 * (a @ b), lambda a, b: 0.5 * (a @ b)),
    ("vm", "v", lambda a, b: 0.5 * (a @ b), lambda a, b: 0.5 * (a @ b)),
    ("m", "v", lambda e: einsum("ii->i", e), lambda t: t.diagonal()),
    ("m", "v", lambda e: einsum("ij->j", e), lambda t: t.sum(0)),
    ("sv", "v", lambda s, a: s * a, lambda s, a: s * a),
    ("sv", "v", lambda s, a: s + a, lambda s, a: s + a),
    ("mm", "m", lambda a, b: a + b.T, lambda a, b: a + b.T),
    ("mm", "m", lambda a, b: a * b, lambda a, b: a * b),
    ("mm", "m", lambda a, b: 0.5 * (a @ b), lambda a, b: 0.5 * (a @ b)),
    ("vv", "m", lambda a, b: einsum("i,j->ij", a, b), torch.outer),
    ("v", "m", lambda e: einsum("i->ii", e), torch.diag),
    ("vm", "m", lambda a, b: einsum("i,ij->ij", a, b), lambda a, b: a[:, None] * b),
    ("mv", "m", lambda a, b: (a["ij"] - b["j"]).to("ij"), lambda a, b: a - b),
    ("m", "m", lambda e: inverse(regular(e)), lambda t: torch.linalg.inv(regular_torch(t))),
]

STEPS = st.lists(st.tuples(st.integers(0, len(OPERATIONS) - 1), st.integers(0, 7), st.integers(0, 7)), min_size=2, max_size=7)


def build(steps: list[Step]) -> Pair:
    """Each step makes a tensor from earlier ones (operand 0 is the latest of its kind); the last is the expression."""
    pools: dict[str, list[Pair]] = {"s": [], "v": [], "m": []}
    for node in (c, x):
        pools["v"].insert(0, (node, lambda v, name=node.name: v[name]))
    for node in (B, M):
        pools["m"].insert(0, (node, lambda v, name=node.name: v[name]))
    pools["s"].append(((x @ x) * 0.5, lambda v: 0.5 * v["x"] @ v["x"]))
    latest = pools["v"][0]
    for operation, *places in steps:
        kinds, result, ours, theirs = OPERATIONS[operation]
        operands = [pools[kind][place % len(pools[kind])] for kind, place in zip(kinds, places, strict=False)]
        parts = [part for _, part in operands]
        latest = ours(*(node for node, _ in operands)), lambda v, theirs=theirs, parts=parts: theirs(*(part(v) for part in parts))
        pools[result].insert(0, latest)
    return latest


def build_scalar(steps: list[Step]) -> Pair:
    node, theirs = build(steps)
    return node.sum(), lambda v: theirs(v).sum()


def point(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = {"x": (N,), "M": (N, N), "c": (N,), "B": (N, N)}
    return {name: 0.2 + torch.rand(shape, generator=generator, dtype=torch.float64) for name, shape in shapes.items()}


def value(expression: Expression, at: dict[str, torch.Tensor]) -> torch.Tensor:
    return evaluate(expression, {v: at[v.name] for v in (x, M, c, B)}, check=False)


def assert_close(expression: Expression, at: dict[str, torch.Tensor], expected: torch.Tensor, tolerance: float = 1e-9) -> None:
    """The compiled value, and the value of the reference evaluator, against ``expected``, relative to the sum of absolute terms."""
    arrays = {name: array.numpy() for name, array in at.items()}
    plain, terms = interpret(expression, arrays, {"n": N})
    allowed = tolerance * (terms + abs(expected.numpy())) + 1e-300
    for found in (value(expression, at).numpy(), plain):
        assert found.shape == tuple(expected.shape)
        assert (abs(found - expected.numpy()) <= allowed).all(), (str(expression), found, expected)


def torch_of(f: Torch, at: dict[str, torch.Tensor], name: str) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda array: f(at | {name: array})


@given(steps=STEPS, by=st.sampled_from([x, M]), seed=st.integers(0, 100))
@settings(max_examples=16)
def test_second_derivatives_against_torch(steps: list[Step], by: Variable, seed: int) -> None:
    f, theirs = build_scalar(steps)
    at = point(seed)
    function = torch_of(theirs, at, by.name)
    expected = torch.func.hessian(function)(at[by.name])
    assume(bool(expected.isfinite().all()) and float(expected.abs().max()) < 1e6)
    assert_close(f, at, function(at[by.name]))
    assert_close(gradient(f, by), at, torch.func.grad(function)(at[by.name]))
    for mode in ("forward", "reverse", "cross-country"):
        assert_close(hessian(f, by, mode=mode), at, expected)


@given(steps=STEPS, by=st.sampled_from([x, M]), seed=st.integers(0, 100))
@settings(max_examples=12)
def test_the_modes_agree_on_tensors(steps: list[Step], by: Variable, seed: int) -> None:
    y, theirs = build(steps)
    at = point(seed)
    expected = torch.func.jacrev(torch_of(theirs, at, by.name))(at[by.name])
    for mode in ("forward", "reverse", "cross-country"):
        assert_close(derivative(y, by, mode=mode), at, expected)


@given(steps=STEPS, seed=st.integers(0, 100))
@settings(max_examples=12)
def test_mixed_second_derivatives(steps: list[Step], seed: int) -> None:
    f, theirs = build_scalar(steps)
    at = point(seed)
    expected = torch.func.jacrev(lambda m: torch.func.grad(lambda a: theirs(at | {"M": m, "x": a}))(at["x"]))(at["M"])
    assert_close(hessian(f, x, M), at, expected)


@given(steps=STEPS, seed=st.integers(0, 100))
@settings(max_examples=12)
def test_against_finite_differences(steps: list[Step], seed: int) -> None:
    f, _ = build_scalar(steps)
    at = point(seed)
    g, step = gradient(f, x), 1e-5
    found = value(hessian(f, x), at)
    assume(float(found.abs().max()) < 1e4)
    for j in range(N):
        move = torch.zeros(N, dtype=torch.float64)
        move[j] = step
        difference = (value(g, at | {"x": at["x"] + move}) - value(g, at | {"x": at["x"] - move})) / (2 * step)
        size = 1 + float(value(g, at).abs().max()) + float(found.abs().max())
        assert (difference - found[:, j]).abs().max() < 1e-5 * size


THIRD = [
    (lambda: sin(x).sum() * (x @ M @ x), lambda v: torch.sin(v["x"]).sum() * (v["x"] @ v["M"] @ v["x"])),
    (lambda: softplus(M @ x).sum(), lambda v: torch.nn.functional.softplus(v["M"] @ v["x"]).sum()),
    (lambda: exp(0.2 * (x @ x)), lambda v: torch.exp(0.2 * v["x"] @ v["x"])),
    (lambda: logdet(2 * einsum("i->ii", 1 + x * x) + B), lambda v: torch.linalg.slogdet(2 * torch.diag(1 + v["x"] ** 2) + v["B"])[1]),
    (
        lambda: logsumexp(M @ x) * logsumexp(M * M, 1).sum(),
        lambda v: torch.logsumexp(v["M"] @ v["x"], 0) * torch.logsumexp(v["M"] ** 2, 1).sum(),
    ),
    (
        lambda: (softmax(M @ x) ** 2) @ c + log(softmax(x)) @ c,
        lambda v: torch.softmax(v["M"] @ v["x"], 0) ** 2 @ v["c"] + torch.log_softmax(v["x"], 0) @ v["c"],
    ),
    (lambda: largest(M @ x) ** 3 * maximum(x, c).sum(), lambda v: (v["M"] @ v["x"]).amax() ** 3 * torch.maximum(v["x"], v["c"]).sum()),
    (lambda: erf(x).sum() ** 2 + exp(arctan(x)).sum(), lambda v: torch.erf(v["x"]).sum() ** 2 + torch.exp(torch.arctan(v["x"])).sum()),
    (lambda: tanh(M @ tanh(M @ x)).sum(), lambda v: torch.tanh(v["M"] @ torch.tanh(v["M"] @ v["x"])).sum()),
]


@pytest.mark.parametrize("case", range(len(THIRD)))
def test_third_derivatives(case: int) -> None:
    ours, theirs = THIRD[case]
    at = point(case)
    expected = torch.func.jacfwd(torch.func.hessian(torch_of(theirs, at, "x")))(at["x"])
    for mode in ("forward", "reverse", "cross-country"):
        assert_close(derivative(ours(), x, x, x, mode=mode), at, expected)


def test_relu_is_flat_at_zero_by_convention() -> None:
    f = (relu(x) ** 2).sum()
    at = {"x": torch.tensor([-1.0, 0.0, 2.0])}
    assert evaluate(gradient(f, x), **at).tolist() == [0, 0, 4]
    assert evaluate(hessian(f, x), **at).diagonal().tolist() == [0, 0, 2]


@given(steps=STEPS, seed=st.integers(0, 100))
@settings(max_examples=10)
def test_backends_agree(steps: list[Step], seed: int) -> None:
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    f, _ = build_scalar(steps)
    at = point(seed)
    h = hessian(f, x)
    ours = value(h, at).numpy()
    assume(float(abs(ours).max()) < 1e6)
    arrays = {name: array.numpy() for name, array in at.items()}
    scale = interpret(h, arrays, {"n": N})[1] + abs(ours)
    numpy = evaluate(h, {v: arrays[v.name] for v in (x, M, c, B)}, check=False)
    assert isinstance(numpy, np.ndarray)
    assert (abs(numpy - ours) <= 1e-9 * scale + 1e-300).all()
    with jax.enable_x64(True):
        values = {v: jax.numpy.asarray(arrays[v.name]) for v in (x, M, c, B)}
        found = evaluate(h, values, check=False)
        assert isinstance(found, jax.Array)
        assert (abs(np.asarray(found) - ours) <= 1e-9 * scale + 1e-300).all()


def test_several_results_share_their_parts() -> None:
    f = softplus(M @ x).sum()
    run = compile((f, gradient(f, x), hessian(f, x)))
    at = point(0)
    results = run(x=at["x"], M=at["M"])
    assert [r.shape for r in results] == [(), (N,), (N, N)]
    assert run.source(n=N).count("sigmoid") == 2  # of u, and of −u for 1 − sigmoid(u), which would cancel


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax"])
def test_derivatives_of_the_log_gamma_function_are_those_of_mpmath(backend):
    mpmath = pytest.importorskip("mpmath")
    if backend == "jax":
        pytest.importorskip("jax").config.update("jax_enable_x64", True)
    points = np.array([1e-5, 0.3, 1.0, 2.5, 30.0, 1e7])
    at = torch.as_tensor(points) if backend == "torch" else points
    z = tc.variable("z", "6")
    f = tc.lgamma(z).sum()
    first, second = (np.asarray(tc.compile(found, backend, inputs=(z,))(z=at)) for found in (tc.gradient(f, z), tc.hessian(f, z)))
    np.testing.assert_allclose(first, [float(mpmath.psi(0, p)) for p in points], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(np.diag(second), [float(mpmath.psi(1, p)) for p in points], rtol=1e-9)
    assert tc.text(tc.hessian(f, z)) == "[ij] = δ[ij] trigamma(z[i])"


def test_the_log_gamma_function_of_a_negative_number_is_refused():
    z = tc.variable("z", "2")
    with pytest.raises(tc.NotDifferentiable, match="lgamma"):
        tc.compile(tc.lgamma(z).sum(), "numpy", check=True)(z=np.array([1.0, -0.5]))
