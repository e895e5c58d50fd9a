"""Every way to compute the convolution gives what the loops give, forward and backward."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import myths
from myths.lab.errors import UsageError
from myths.lightweight_conv import convolution
from myths.lightweight_conv.convolution import convolve, default_left_context
from tests.lightweight_conv.oracle import draw, loops, with_gradients

WAYS = [("unfold", False), ("unfold", True), ("conv1d", False), ("banded", False), ("banded", True)]
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4, torch.bfloat16: 6e-2}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("backend", "dynamic"), WAYS)
@pytest.mark.parametrize(("k", "causal"), [(1, True), (3, False), (4, False), (5, True), (31, False)])
def test_every_way_is_the_definition(backend, dynamic, k, causal, dtype, monkeypatch):
    monkeypatch.setattr(convolution, "BLOCK", 4)  # so that seven positions are two blocks, one of them not full
    left_context = default_left_context(k, causal=causal)
    x, kernel = draw(2, 7, 6, 3, k, dynamic=dynamic)
    expected = with_gradients(loops, x, kernel, left_context)
    rounded = [t.detach().to(dtype).requires_grad_() for t in (x, kernel)]
    got = with_gradients(lambda *a: convolve(*a, backend), *rounded, left_context)
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == dtype
        torch.testing.assert_close(a.double(), b, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * float(b.detach().abs().max()))


@settings(max_examples=40)
@given(
    st.integers(1, 3), st.integers(1, 20), st.sampled_from([(1, 4), (2, 6), (6, 6)]), st.integers(1, 25), st.booleans(), st.booleans(),
    st.integers(1, 9),
)  # fmt: skip
def test_bands_of_any_block_are_the_unfolding(b, n, heads_and_channels, k, dynamic, causal, block):
    h, d = heads_and_channels
    x, kernel = draw(b, n, d, h, k, dynamic=dynamic, seed=n)
    left_context = default_left_context(k, causal=causal)
    before, convolution.BLOCK = convolution.BLOCK, block
    try:
        got = with_gradients(lambda *a: convolve(*a, "banded"), x, kernel, left_context)
    finally:
        convolution.BLOCK = before
    expected = with_gradients(lambda *a: convolve(*a, "unfold"), x, kernel, left_context)
    for a, e in zip(got, expected, strict=True):
        torch.testing.assert_close(a, e)


def test_second_derivatives_are_right():
    x, kernel = draw(1, 5, 4, 2, 3, dynamic=True)
    assert torch.autograd.gradgradcheck(lambda x, w: convolve(x, w, 1, "banded"), (x, kernel))


def test_taps_lie_where_the_paper_puts_them():
    # i + j − ⌈(k+1)/2⌉ with j from 1: of an even kernel, the larger half comes before.
    assert [default_left_context(k, causal=False) for k in (1, 2, 3, 4, 31)] == [0, 1, 1, 2, 15]
    assert default_left_context(7, causal=True) == 6


def test_heads_must_divide_the_channels():
    with pytest.raises(UsageError, match="heads=4 does not divide 6"):
        convolve(torch.zeros(1, 3, 6), torch.zeros(4, 3), 1)


def test_one_kernel_a_position_is_no_conv1d():
    with pytest.raises(UsageError, match="backend='conv1d' requires one kernel"):
        convolve(torch.zeros(1, 3, 6), torch.zeros(1, 3, 2, 3), 1, "conv1d")


def test_without_triton_bands_are_taken_and_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    convolution._has_triton.cache_clear()
    try:
        with pytest.warns(UserWarning, match="Triton is not installed.*pip install triton"):
            assert not convolution._has_triton()
    finally:
        convolution._has_triton.cache_clear()


IN_INTERPRETER = """
import torch
import torch.nn.functional as F
from myths.lightweight_conv.convolution import convolve, convolve_gated, convolve_predicted, default_left_context
from myths.lightweight_conv.triton_kernels.banded_dynamic import convolve_dynamic
from tests.lightweight_conv.oracle import draw, with_gradients

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5, torch.bfloat16: 3e-2}
checked = 0

def check(fused, exact, inputs, dtype, left):
    global checked
    expected = with_gradients(exact, *(t.detach().double().requires_grad_() for t in inputs), left)
    got = with_gradients(fused, *(t.detach().to(dtype).requires_grad_() for t in inputs), left)
    for a, e in zip(got, expected, strict=True):
        assert a.dtype == dtype
        error = float((a.double() - e).abs().max() / e.abs().max())
        assert error < TOLERANCE[dtype], (fused.__name__, [tuple(t.shape) for t in inputs], dtype, left, error)
        checked += 1

def plain(x, kernel, left):
    return convolve(x, kernel, left, "fused")

def definition(x, kernel, left):
    return convolve(x, kernel, left, "unfold")

# One tap at a time: float64, and few channels per head.
for dtype, b, n, d, h, k in ((torch.float64, 2, 7, 6, 3, 3), (torch.float32, 1, 40, 70, 70, 4), (torch.bfloat16, 1, 5, 6, 6, 9)):
    for dynamic in (False, True):
        left = default_left_context(k, causal=dynamic)
        check(plain, definition, draw(b, n, d, h, k, dynamic=dynamic), dtype, left)

# Bands: lengths below the kernel, of several blocks, and channels of several tiles or no power of two.
for dtype, b, n, d, h, k, causal in (
    (torch.float32, 2, 21, 32, 2, 3, False), (torch.float32, 1, 70, 80, 1, 9, True), (torch.bfloat16, 1, 7, 36, 2, 31, False),
):
    left = default_left_context(k, causal=causal)
    x, kernel = draw(b, n, 2 * d, h, k, dynamic=False)
    mask = torch.rand(b, n, generator=torch.Generator().manual_seed(2)) > 0.3
    def gated(x, kernel, left): return convolve_gated(x, kernel, left, mask, "fused")
    def gate_then_convolve(x, kernel, left): return definition(F.glu(x, -1) * mask[..., None], kernel, left)
    check(gated, gate_then_convolve, (x, kernel), dtype, left)
    x, weights = draw(b, n, d, h, k, dynamic=True)
    kernel = kernel.detach()
    kept = torch.rand(weights.shape, generator=torch.Generator().manual_seed(3)) > 0.2
    def softmax_and_drop(x, weights, left): return convolve_dynamic(x, weights, left, softmax=True, kept=kept, dropout=0.2)
    def softmax_drop_convolve(x, weights, left): return definition(x, weights.softmax(-1) * kept / 0.8, left)
    check(softmax_and_drop, softmax_drop_convolve, (x, weights), dtype, left)
    if n == 21:  # neither gate nor mask, neither softmax nor DropConnect
        check(plain, definition, (x, weights), dtype, left)
        check(plain, definition, (x, kernel), dtype, left)

# Strides are heeded: a transposed input, and a kernel that is a view.
x, kernel = draw(2, 6, 32, 2, 3, dynamic=True)
x, kernel = x.float(), kernel.float()
views = (t.transpose(1, 2).contiguous().transpose(1, 2) for t in (x, kernel))
torch.testing.assert_close(plain(*views, 1), definition(x, kernel, 1))
# Weights are dropped at the rate that is asked for, and the others scaled.
torch.manual_seed(0)
ones, uniform = torch.ones(1, 64, 16), torch.ones(1, 64, 1, 9)
dropped = convolve_predicted(ones, uniform, 0, softmax=False, dropout=0.25, backend="fused")[:, :56]
assert set((dropped * 0.75).round(decimals=4).unique().tolist()) <= set(range(10)) and abs(float(dropped.mean()) / 9 - 1) < 0.1
print("checked", checked)
"""


FOR_A_GPU = """
import triton, triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from myths.lightweight_conv.triton_kernels import banded_dynamic, banded_lightweight, taps

def made(kernel, pointers, **constants):
    kernel = kernel.fn if isinstance(kernel, triton.runtime.Autotuner) else kernel
    signature = {n: "constexpr" if n in constants else pointers.get(n, "fp32" if n == "scale" else "i32") for n in kernel.arg_names}
    places = {(kernel.arg_names.index(n),): value for n, value in constants.items()}
    return triton.compile(ASTSource(fn=kernel, signature=signature, constexprs=places), target=GPUTarget("cuda", 90, 32))

bf16 = dict.fromkeys(("x", "w", "y", "g", "x_grad", "w_grad"), "*bf16") | {"mask": "*u8", "kept": "*u8", "norm": "*fp32", "sums": "*fp32"}
# Small tiles, because they compile faster.
tiles = {"PER_HEAD": 16, "OPERAND": tl.bfloat16, "ROWS": 16, "CHANNELS": 16, "x_c": 1, "w_k": 1}
lightweight = {**tiles, "TAIL": 16, "GATED": True, "MASKED": True}
dynamic = {**tiles, "PART": 16, "SOFTMAX": True, "DROPPED": True}
for kernel, constants in (
    (banded_lightweight._forward_kernel, lightweight), (banded_lightweight._backward_kernel, {**lightweight, "g_c": 1}),
    (banded_dynamic._forward_kernel, {**dynamic, "TAPS": 4}), (banded_dynamic._backward_kernel, {**dynamic, "g_c": 1}),
):
    assert "mma.sync" in made(kernel, bf16, **constants).asm["ptx"], "products are not on the matrix units"
common = {"KERNEL_SIZE": 3, "SUM": tl.float32, "ROWS": taps.ROWS, "COLUMNS": taps.COLUMNS, "SHARED": True}
assert made(taps._convolve_kernel, bf16, TRANSPOSED=True, **common)
print("compiled")
"""


def test_the_fused_kernels_compile_for_a_gpu_that_is_not_here_and_under_the_checks_of_the_tests(tmp_path):
    pytest.importorskip("triton")
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"} | {"TRITON_CACHE_DIR": str(tmp_path)}
    script = "import tests.conftest\n" + FOR_A_GPU
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=240)
    assert done.stdout.split() == ["compiled"], done.stderr[-3000:]


def test_the_fused_kernels_are_the_definition_in_the_interpreter():
    pytest.importorskip("triton")
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    done = subprocess.run([sys.executable, "-c", IN_INTERPRETER], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["checked", "42"]


def test_the_checks_of_the_tests_leave_every_kernel_its_own_globals():
    """Triton reads a kernel as source and looks its names up in the globals of the function; a wrapper's are another module's."""
    triton = pytest.importorskip("triton")
    root = Path(myths.__file__).parent
    files = [file for file in root.rglob("*.py") if "triton.jit" in file.read_text(encoding="utf-8")]
    kernels = []
    for file in files:
        module = importlib.import_module(".".join(file.relative_to(root.parent).with_suffix("").parts))
        found = [value for value in vars(module).values() if isinstance(value, triton.runtime.KernelInterface)]
        assert len(found) == file.read_text(encoding="utf-8").count("@triton.jit")
        kernels += [(module, kernel.fn if isinstance(kernel, triton.runtime.Autotuner) else kernel) for kernel in found]
    assert len(kernels) >= 6
    for module, kernel in kernels:
        assert kernel.fn.__globals__ is vars(module), f"{kernel.fn.__name__} is wrapped: put @no_type_check below @triton.jit"
