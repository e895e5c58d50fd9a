"""The device by name, precision, determinism, and halving when memory runs out."""

import itertools
import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from myths.lab.errors import CannotStart, UsageError
from myths.lab.measurement import device


def test_importing_it_does_not_import_torch():
    code = "import sys, myths.lab.measurement.device; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_cpu_is_always_there():
    assert device.select_device("cpu") == "cpu"
    assert device.select_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert device.machine_class("cpu") == "cpu"


@pytest.mark.parametrize("word", ["gpu", "cpu:1", "cuda:x", "cuda:-1", ""])
def test_a_word_that_is_no_device_is_wrong_usage(word):
    with pytest.raises(UsageError, match="expected auto, cpu"):
        device.select_device(word)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
@pytest.mark.parametrize("word", ["cuda", "cuda:0"])
def test_an_absent_device_cannot_start(word):
    with pytest.raises(CannotStart, match="No CUDA device available"):
        device.select_device(word)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("NVIDIA H200", "h200"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA A100-SXM4-40GB", "a100"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("Tesla V100-SXM2-16GB", "v100"),
        ("NVIDIA RTX 6000 Ada Generation", "rtx-6000-ada"),
        ("AMD Instinct MI300X", "mi300x"),
    ],
)
def test_a_gpu_is_named_by_its_model(name, slug):
    assert device.gpu_slug(name) == slug


def test_auto_precision_is_one_of_the_two():
    assert device.precision_of("cpu", "auto") in ("fp32", "bf16")
    assert device.precision_of("cpu", "bf16") == "bf16"
    assert device.precision_of("mps", "auto") == "fp32"


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_autocast(precision, dtype):
    with device.autocast("cpu", precision):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_deterministic_restores_every_setting(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    before = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    with device.deterministic():
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.deterministic
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert not torch.are_deterministic_algorithms_enabled()
    assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == before
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


@given(total=st.integers(0, 60), chunk=st.integers(1, 80), fits=st.integers(1, 80))
def test_out_of_memory_halves_the_chunk_and_loses_nothing(total, chunk, fits):
    done = []

    def work(piece):
        if piece.stop - piece.start > fits:
            raise torch.OutOfMemoryError
        done.extend(range(piece.start, piece.stop))
        return piece.stop - piece.start

    sizes, used = device.halve_on_out_of_memory(work, total, chunk, elements=1)
    assert done == list(range(total))
    assert sum(sizes) == total
    assert used <= chunk
    assert max(sizes, default=0) <= min(fits, used)


@given(
    total=st.integers(0, 10**5),
    wanted=st.integers(1, 10**5),
    elements=st.integers(0, device.MAX_ELEMENTS) | st.integers(10**4, 10**8),
    element_bytes=st.sampled_from([1, 2, 4, 8]),
)
def test_no_chunk_passes_the_bounds_and_all_items_come_in_order(total, wanted, elements, element_bytes):
    total = min(total, 300 * device.chunk_size(wanted, elements, element_bytes))
    pieces, chunk = device.halve_on_out_of_memory(lambda piece: piece, total, wanted, elements=elements, element_bytes=element_bytes)
    assert 1 <= chunk <= wanted
    assert chunk * elements <= device.MAX_ELEMENTS
    assert chunk == 1 or chunk * elements * element_bytes <= device.MAX_BYTES
    # Not smaller than it must be.
    more = (chunk + 1) * elements
    assert chunk == wanted or more > device.MAX_ELEMENTS or more * element_bytes > device.MAX_BYTES
    ends = [0, *(piece.stop for piece in pieces)]
    assert [(piece.start, piece.stop) for piece in pieces] == list(itertools.pairwise(ends))
    assert ends[-1] == total
    assert all(0 < piece.stop - piece.start <= chunk for piece in pieces)


def test_an_item_that_no_tensor_holds_is_refused_by_its_size():
    with pytest.raises(CannotStart, match=r"2,147,483,648 elements: expected at most 2,147,483,647"):
        device.halve_on_out_of_memory(lambda piece: piece, 1, 1, elements=2**31)


def test_one_item_that_does_not_fit_is_an_error():
    def work(piece):
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        device.halve_on_out_of_memory(work, 3, 2, elements=1)


def test_other_errors_are_not_memory():
    def work(piece):
        raise RuntimeError("shape")

    with pytest.raises(RuntimeError, match="shape"):
        device.halve_on_out_of_memory(work, 3, 2, elements=1)


AMX = {"avx512_bf16": True, "amx_bf16": True}
AMD = {"avx512_bf16": True, "sse4a": True}


@pytest.mark.parametrize(
    ("capabilities", "cap", "precision"),
    [
        (AMX, "", "bf16"),
        (AMX, "ALL", "bf16"),
        (AMX, "AVX512_CORE_AMX", "bf16"),
        (AMX, "avx10_1_512_amx_fp16", "bf16"),
        (AMX, "AVX512_CORE_BF16", "fp32"),
        (AMX, "avx512_core", "fp32"),
        (AMD, "", "bf16"),
        (AMD, "AVX512_CORE_BF16", "bf16"),
        (AMD, "AVX2", "fp32"),
        ({"avx512_bf16": True, "amx_bf16": False, "sse4a": False}, "", "fp32"),
        ({"sse4a": True}, "", "fp32"),
        ({}, "", "fp32"),
    ],
)
def test_auto_is_bf16_only_where_it_is_fast(monkeypatch, capabilities, cap, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", cap)
    assert device.precision_of("cpu", "auto") == precision
