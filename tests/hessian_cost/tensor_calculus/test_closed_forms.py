"""Hessians of known problems against their closed forms (claims.md §1) and torch.func, their printed form, and compressed results."""

from __future__ import annotations

import pytest
import torch

from myths.hessian_cost.tensor_calculus import (
    Compressed,
    TensorError,
    compile,
    constant,
    det,
    einsum,
    evaluate,
    exp,
    gradient,
    hessian,
    identity,
    inverse,
    latex,
    log,
    logdet,
    norm,
    relu,
    softplus,
    sum_of_squares,
    tanh,
    text,
    variable,
)

GENERATOR = torch.Generator().manual_seed(7)


def random(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64).to(dtype)


def assert_equal(found: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-10) -> None:
    """Relative Frobenius error (claim H3)."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert float((found - expected).norm()) <= tolerance * float(expected.norm())


DTYPES = pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])


@DTYPES
def test_quadratic(dtype: torch.dtype, tolerance: float) -> None:
    A, x = variable("A", "nn"), variable("x", "n")
    h = hessian(x @ A @ x, x)
    a = random(7, 7, dtype=dtype)
    assert text(h, "H") == "H[ij] = A[ij] + A[ji]"
    assert_equal(evaluate(h, A=a), a + a.T, tolerance)


X, y, w = variable("X", "mn"), constant("y", "m"), variable("w", "n")
LOGISTIC = log(1 + exp(-y * (X @ w))).sum()


@DTYPES
def test_logistic_regression(dtype: torch.dtype, tolerance: float) -> None:
    h = hessian(LOGISTIC, w)
    assert text(h, "H") == "H[ij] = Σ_k X[ki] X[kj] y[k]² s[k] (1 - s[k])  where s[i] = sigmoid(-y[i] Σ_j X[ij] w[j])"
    assert latex(h, "H") == (
        r"H_{ij} = \sum_{k} X_{ki} X_{kj} {y_{k}}^{2} s_{k} (1 - s_{k}),"
        r"\quad \text{where } s_{i} = \sigma\left(-y_{i} \sum_{j} X_{ij} w_{j}\right)"
    )
    xs, ys, ws = random(20, 6, dtype=dtype), random(20, dtype=dtype).sign(), random(6, dtype=dtype)
    s = torch.sigmoid(ys * (xs @ ws))
    assert_equal(evaluate(h, X=xs, y=ys, w=ws), xs.T @ ((s * (1 - s))[:, None] * xs), tolerance)


def test_logistic_regression_is_one_matrix_product() -> None:
    source = compile(hessian(LOGISTIC, w)).source(m=200, n=100)
    assert source.count("@") == 2  # X w, and Xᵀ (diag X)
    assert "einsum" not in source


def test_logistic_regression_far_from_the_boundary() -> None:
    f = log(1 + exp(w)).sum()
    value = evaluate(f, w=torch.tensor([800.0, -800.0], dtype=torch.float64))
    assert value.item() == 800


T, U, V, MASK = constant("T", "nm"), variable("U", "nk"), variable("V", "mk"), constant("Omega", "nm")
FACTORIZATION = sum_of_squares(T["ij"] - U["ik"] * V["jk"])
MASKED = sum_of_squares(MASK * (T - U @ V.T))


@DTYPES
def test_matrix_factorization(dtype: torch.dtype, tolerance: float) -> None:
    n, m, k = 6, 5, 3
    u, v = random(n, k, dtype=dtype), random(m, k, dtype=dtype)
    by_u, by_v = hessian(FACTORIZATION, U), hessian(FACTORIZATION, V)
    assert text(by_u, "H") == "H[ijkl] = 2 δ[ik] Σ_m V[mj] V[ml]"
    eye_n, eye_m = torch.eye(n, dtype=dtype), torch.eye(m, dtype=dtype)
    assert_equal(evaluate(by_u, {V: v, U: u}), 2 * torch.einsum("ij,ab->iajb", eye_n, v.T @ v), tolerance)
    assert_equal(evaluate(by_v, {V: v, U: u}), 2 * torch.einsum("ij,ab->iajb", eye_m, u.T @ u), tolerance)


def test_masked_matrix_factorization() -> None:
    n, m, k = 6, 5, 3
    t, u, v, mask = random(n, m), random(n, k), random(m, k), (random(n, m) > 0).double()
    point = {T: t, U: u, V: v, MASK: mask}
    by_u, by_v = hessian(MASKED, U), hessian(MASKED, V)
    assert text(by_u, "H") == "H[ijkl] = 2 δ[ik] Σ_m Omega[im]² V[mj] V[ml]"
    core = 2 * torch.einsum("ic,ca,cb->iab", mask, v, v)
    assert_equal(evaluate(by_u, point), torch.einsum("ij,iab->iajb", torch.eye(n, dtype=torch.float64), core))
    core = 2 * torch.einsum("ci,ca,cb->iab", mask, u, u)
    assert_equal(evaluate(by_v, point), torch.einsum("ij,iab->iajb", torch.eye(m, dtype=torch.float64), core))
    mixed = torch.func.jacrev(lambda b: torch.func.grad(lambda a: ((mask * (t - a @ b.T)) ** 2).sum())(u))(v)
    assert_equal(evaluate(hessian(MASKED, U, V), point), mixed)


def test_ridge_regression() -> None:
    b, penalty = constant("b", "m"), constant("lam")
    f = sum_of_squares(X @ w - b) + penalty * sum_of_squares(w)
    h = hessian(f, w)
    assert text(h, "H") == "H[ij] = 2 Σ_k X[ki] X[kj] + 2 δ[ij] lam"
    xs, l2 = random(9, 4), torch.tensor(0.3, dtype=torch.float64)
    assert_equal(evaluate(h, {X: xs, penalty: l2}), 2 * xs.T @ xs + 2 * l2 * torch.eye(4, dtype=torch.float64))


def test_gaussian_process_marginal_likelihood() -> None:
    D, theta, targets, noise = constant("D", "nnd"), variable("theta", "d"), constant("t", "n"), variable("noise")
    K = exp(-(D @ theta)) + exp(noise) * identity("n")
    f = 0.5 * targets @ inverse(K) @ targets + 0.5 * logdet(K)
    n, d = 8, 3
    points, t = random(n, d), random(n)
    squares = (points[:, None] - points) ** 2
    at, level = 0.2 + 0.1 * random(d).abs(), torch.tensor(-1.0, dtype=torch.float64)

    def theirs(theta: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        k = torch.exp(-squares @ theta) + noise.exp() * torch.eye(n, dtype=torch.float64)
        return 0.5 * t @ torch.linalg.inv(k) @ t + 0.5 * torch.linalg.slogdet(k)[1]

    point = {D: squares, theta: at, targets: t, noise: level}
    (tt, tn), (_, nn) = torch.func.hessian(theirs, argnums=(0, 1))(at, level)
    for mode in ("forward", "reverse", "cross-country"):
        assert_equal(evaluate(hessian(f, theta, mode=mode), point), tt, 1e-9)
        assert_equal(evaluate(hessian(f, noise, mode=mode), point), nn, 1e-9)
        assert_equal(evaluate(hessian(f, theta, noise, mode=mode), point), tn, 1e-9)


@pytest.mark.parametrize(("ours", "theirs"), [(tanh, torch.tanh), (relu, torch.relu)])
def test_small_network(ours, theirs) -> None:
    inputs, first, bias, second = constant("x", "ba"), variable("A", "ha"), variable("c", "h"), variable("B", "oh")
    hidden = ours(inputs["na"] * first["ha"] + bias["h"])
    f = softplus(hidden @ second.T).sum()
    xs, a, c, b = random(6, 3), random(4, 3), random(4), random(2, 4)
    point = {inputs: xs, first: a, bias: c, second: b}

    def function(a: torch.Tensor, c: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.softplus(theirs(xs @ a.T + c) @ b.T).sum()

    blocks = torch.func.hessian(function, argnums=(0, 1, 2))(a, c, b)
    for i, x in enumerate((first, bias, second)):
        for j, z in enumerate((first, bias, second)):
            assert_equal(evaluate(hessian(f, x, z), point), blocks[i][j], 1e-9)


def test_determinant() -> None:
    """TensorFlow once had this second derivative wrong (tensorflow#55230)."""
    A = variable("A", "nn")
    h = hessian(det(A), A)
    assert text(gradient(det(A), A), "G") == "G[ij] = det(A) A⁻¹[ji]"
    assert text(h, "H") == "H[ijkl] = det(A) A⁻¹[ji] A⁻¹[lk] - det(A) A⁻¹[jk] A⁻¹[li]"
    a = random(4, 4)
    assert_equal(evaluate(h, A=a), torch.func.hessian(torch.linalg.det)(a), 1e-9)


def test_norm() -> None:
    h = hessian(norm(w), w)
    ws = random(5)
    assert_equal(evaluate(h, w=ws), torch.func.hessian(torch.linalg.norm)(ws))


# --- compressed


def test_compressed_factorization_is_small() -> None:
    n, k = 1000, 10
    h = evaluate(hessian(FACTORIZATION, U), V=random(n, k), sizes={"n": n}, compressed=True)
    assert isinstance(h, Compressed)
    assert h.shape == (n, k, n, k)
    assert h.nbytes < 0.01 * h.dense_nbytes
    step = h.solve(random(n, k))
    assert step.shape == (n, k)


PENALTY = constant("lam")


@pytest.mark.parametrize("f", [FACTORIZATION, MASKED, FACTORIZATION + 0.1 * sum_of_squares(U), MASKED + PENALTY * sum_of_squares(U)])
def test_compressed_newton_step_is_the_dense_one(f) -> None:
    n, m, k = 30, 20, 4
    point = {T: random(n, m), U: random(n, k), V: random(m, k), MASK: (random(n, m) > -0.5).double()}
    point[PENALTY] = torch.tensor(0.2, dtype=torch.float64)
    h, g = hessian(f, U), evaluate(gradient(f, U), point)
    dense, small = evaluate(h, point), evaluate(h, point, compressed=True)
    assert small.core.numel() <= n * k * k
    assert_equal(small.dense(), dense)
    step = torch.linalg.solve(dense.reshape(n * k, n * k), g.reshape(-1)).reshape(n, k)
    assert_equal(small.solve(g), step, 1e-8)
    assert_equal(small @ g, torch.einsum("iajb,jb->ia", dense, g))


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_compressed_elsewhere(backend: str) -> None:
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    v, g = random(5, 3).float(), random(4, 3).float()
    h = evaluate(hessian(FACTORIZATION, U), V=v, sizes={"n": 4}, compressed=True)
    convert = torch.Tensor.numpy if backend == "numpy" else lambda t: jax.numpy.asarray(t.numpy())
    other = evaluate(hessian(FACTORIZATION, U), V=convert(v), sizes={"n": 4}, compressed=True)
    for ours, theirs in ((h.solve(g), other.solve(convert(g))), (h @ g, other @ convert(g)), (h.dense(), other.dense())):
        assert type(theirs).__module__.startswith(backend)
        assert_equal(torch.tensor(theirs.tolist()), ours, 1e-4)


def test_compressed_results_of_any_structure() -> None:
    """A plain matrix, a diagonal, a unit tensor, and one that has no inverse."""
    x = variable("x", "n")
    xs, g = 1 + random(4).abs(), random(4)
    for f in ((x**3).sum(), (x @ x) ** 2, sum_of_squares(x), exp(x).sum() + (x @ x) ** 2):
        small, dense = evaluate(hessian(f, x), {x: xs}, compressed=True), evaluate(hessian(f, x), {x: xs})
        assert_equal(small.dense(), dense)
        assert_equal(small @ g, dense @ g)
        assert_equal(small.solve(g), torch.linalg.solve(dense, g), 1e-8)
    third = evaluate(einsum("i->iii", x), {x: xs}, compressed=True)
    with pytest.raises(TensorError, match="half of its axes"):
        third @ g
    with pytest.raises(TensorError, match="a delta within"):
        evaluate(einsum("i,j->iijj", x, x), {x: xs}, compressed=True).solve(random(4, 4))


def test_matvec_takes_the_last_axes() -> None:
    """A map that permutes: T[iajb] = δ[ib] δ[ja]."""
    swap = einsum("ib,ja->iajb", identity("n"), identity("n"))
    v = random(3, 3)
    small = evaluate(swap, {variable("z", "n"): random(3)}, compressed=True)
    assert_equal(small @ v, v.T)
    assert_equal(small.solve(v), v.T)
