"""No convolution or bf16 product that any trial computes is broken under any instruction set; and what is broken is seen to be."""

import functools

import pytest
import torch

from myths.lab.measurement import kernels
from myths.lab.measurement.kernels import Convolution, MatrixProduct, check
from tests.convolutions import all_cases, cost

LAST = {"input_format": "channels_last", "weight_format": "channels_last"}
BROKEN = Convolution(in_channels=4, out_channels=8, size=(8, 8), stride=(2, 2), **LAST)
"""The smallest call that ended trials of fixup."""
HAS = ["", *kernels.available()]


@functools.cache
def sound(instruction_set):
    """bf16 only where ``precision_of`` chooses it."""
    reduced = not instruction_set or instruction_set.startswith("AVX512")
    return [case for case in all_cases() if reduced or case.dtype == "float32"]


def test_no_network_calls_what_corrupts_memory():
    convolutions = [case for case in all_cases() if isinstance(case, Convolution)]
    assert len(convolutions) > 100
    narrow = [c for c in convolutions if max(c.kernel_size) == 1 and max(c.stride) > 1 and c.in_channels < 8]
    assert narrow, "quick trains residual networks of four channels"
    assert {(c.input_format, c.weight_format) for c in narrow} == {("contiguous", "contiguous")}


@pytest.mark.parametrize("instruction_set", [name for name in HAS if name in ("", "AVX2")])
def test_convolutions_and_products_of_all_trials_are_right(instruction_set):
    """The short form; ``benchmarks/test_kernels.py`` has every instruction set and more repetitions."""
    cases = sound(instruction_set)
    assert len(cases) > 100
    # What is written past a buffer shows after some repetitions; few channels are where kernels are odd, and they are cheap.
    small = [case for case in cases if cost(case) < 1.5e6]
    found = check(small, instruction_set, repetitions=20, seconds=140)
    found += check([case for case in cases if case not in small], instruction_set, repetitions=1, seconds=140)
    assert [f"{f.case}: {f.result} ({f.error:.1e})" for f in found if not f.right] == []
    assert len(found) == len(cases)


@pytest.mark.skipif("AVX2" not in HAS, reason="this CPU has no AVX2, the instruction set with the fault")
def test_a_broken_convolution_is_seen_and_the_next_case_is_checked_all_the_same():
    fine = Convolution(in_channels=16, out_channels=8, size=(8, 8), **LAST)
    same_but_contiguous = Convolution(in_channels=4, out_channels=8, size=(8, 8), stride=(2, 2))
    found = check([fine, BROKEN, same_but_contiguous], "AVX2", repetitions=20)
    assert [f.case for f in found] == [fine, BROKEN, same_but_contiguous]
    assert [f.right for f in found] == [True, False, True], "is oneDNN#6035 mended? Then lab/vision/memory_format.py can go"


def test_wrong_numbers_and_hangs_are_found(monkeypatch):
    case = Convolution(in_channels=3, out_channels=4, size=(5, 5), kernel_size=(3, 3))
    monkeypatch.setitem(kernels.TOLERANCE, "float32", 1e-12)
    (wrong,) = check([case])
    assert wrong.result == "wrong"
    assert 1e-12 < wrong.error < 1e-5
    monkeypatch.setattr(kernels, "SECONDS_PER_CASE", -40.0)  # not even torch is loaded by then
    assert check([case])[0].result == "hung"


def test_a_case_is_compared_with_float64():
    """The plain path itself is right."""
    case = Convolution(in_channels=6, out_channels=4, size=(9, 9), kernel_size=(3, 3), stride=(2, 2), groups=2, batch=4)
    a, b = (t.double().requires_grad_() for t in kernels._operands(case))
    y = torch.nn.functional.conv2d(a, b, None, 2, groups=2)
    upstream = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).bfloat16()
    y.backward(upstream.double())
    for ours, right in zip(kernels._results(case, kernels._operands(case), plain=True), (y, a.grad, b.grad), strict=True):
        torch.testing.assert_close(ours.double(), right.detach(), rtol=1e-5, atol=1e-5)
    product = MatrixProduct(rows=5, inner=7, columns=3)
    assert kernels._run(product, 1) < 0.02


def test_instruction_sets_are_those_that_onednn_names(monkeypatch):
    has = kernels.available()
    assert has == [name for name in kernels.INSTRUCTION_SETS if name in has]
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    assert kernels.effective() == ("SSE41" if has else None)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    assert kernels.effective() == (has[-1] if has else None)
