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
from myths.lightweight_conv.convolution import convolve, default_left_context
from tests.lightweight_conv.oracle import draw, with_gradients

checked = 0
for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-4), (torch.bfloat16, 6e-2)):
    for b, n, d, h, k in ((2, 7, 6, 3, 3), (1, 40, 80, 1, 4), (1, 5, 6, 6, 9)):
        for dynamic in (False, True):
            for causal in (False, True) if dtype == torch.float64 else (True,):
                left = default_left_context(k, causal=causal)
                x, kernel = draw(b, n, d, h, k, dynamic=dynamic)
                expected = with_gradients(lambda *a: convolve(*a, "unfold"), x, kernel, left)
                rounded = [t.detach().to(dtype).requires_grad_() for t in (x, kernel)]
                got = with_gradients(lambda *a: convolve(*a, "fused"), *rounded, left)
                for a, e in zip(got, expected):
                    assert a.dtype == dtype
                    torch.testing.assert_close(a.double(), e, rtol=tolerance, atol=tolerance * float(e.detach().abs().max()))
                    checked += 1
# Strides are heeded: a transposed input and a kernel that is a view.
x, kernel = draw(2, 6, 4, 2, 3, dynamic=True)
views = x.transpose(0, 1).contiguous().transpose(0, 1), kernel.flip(-1).flip(-1)
torch.testing.assert_close(convolve(*views, 1, "fused"), convolve(x, kernel, 1, "unfold"))
print("checked", checked)
"""


FOR_A_GPU = """
import triton.language as tl
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from myths.lightweight_conv import triton_kernels as fused

def made(kernel, pointers, **constants):
    signature = {n: pointers.get(n, "i32") for n in kernel.arg_names if n not in constants} | {n: "constexpr" for n in constants}
    places = {(kernel.arg_names.index(n),): value for n, value in constants.items()}
    return compile(ASTSource(fn=kernel, signature=signature, constexprs=places), target=GPUTarget("cuda", 90, 32)).asm["cubin"]

common = {"KERNEL_SIZE": 31, "SUM": tl.float32, "ROWS": fused.ROWS, "COLUMNS": fused.COLUMNS}
convolve = fused._convolve_kernel
assert made(convolve, dict.fromkeys("xwy", "*bf16"), TRANSPOSED=False, **common)
assert made(convolve, dict.fromkeys("xwy", "*bf16"), TRANSPOSED=True, **common)
gradient = fused._kernel_gradient_kernel
assert made(gradient, {"x": "*bf16", "g": "*bf16", "parts": "*fp32"}, SHARED=True, **common)
assert made(gradient, {"x": "*bf16", "g": "*bf16", "parts": "*bf16"}, SHARED=False, **common)
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
    assert done.stdout.split() == ["checked", "72"]


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
        kernels += [(module, kernel) for kernel in found]
    assert len(kernels) >= 2
    for module, kernel in kernels:
        assert kernel.fn.__globals__ is vars(module), f"{kernel.fn.__name__} is wrapped: put @no_type_check below @triton.jit"
