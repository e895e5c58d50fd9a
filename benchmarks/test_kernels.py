"""Check every convolution and bf16 product of all trials, and narrow 1×1 convolutions, under every instruction set, with repetitions.

Takes several minutes.

The short form is tests/test_kernels.py. Run `python -m pytest benchmarks/test_kernels.py -o addopts=`.
"""

from __future__ import annotations

import pytest

from myths.lab.measurement import kernels
from myths.lab.measurement.kernels import Convolution, check
from myths.lab.vision.memory_format import corrupts_memory
from tests.convolutions import all_cases

REPETITIONS = 20


@pytest.mark.parametrize("instruction_set", ["", *kernels.available()])
def test_all_kernels_are_correct(instruction_set: str) -> None:
    """Compare with reference arithmetic up to rounding. A crash or a timeout is a failure. bf16 is checked where it is the default."""
    reduced = not instruction_set or instruction_set.startswith("AVX512")
    cases = [case for case in all_cases() if reduced or case.dtype == "float32"]
    found = check(cases, instruction_set, repetitions=REPETITIONS, seconds=1800)
    assert [f"{f.case}: {f.result} ({f.error:.1e})" for f in found if not f.right] == []
    assert len(found) == len(cases)


@pytest.mark.parametrize("instruction_set", ["", *kernels.available()])
def test_no_other_narrow_convolution_is_wrong(instruction_set: str) -> None:
    """The 1×1 convolutions that crash or are wrong are among those that the suite avoids (oneDNN#6035)."""
    cases = [
        Convolution(
            in_channels=narrow, out_channels=wide, size=(size, size), stride=(stride, stride),
            input_format="channels_last", weight_format="channels_last",
        )
        for stride in (1, 2, 3) for size in (8, 32) for wide in (8, 16) for narrow in (*range(1, 9), 12, 16, 24, 32)
    ]  # fmt: skip
    found = check(cases, instruction_set, repetitions=REPETITIONS, seconds=1800)
    assert len(found) == len(cases)
    wrong = [finding for finding in found if not finding.right]
    print(f"{instruction_set or 'all'}: {len(wrong)} of {len(found)} crash or are wrong")
    assert [str(f.case) for f in wrong if not corrupts_memory(f.case.in_channels, f.case.kernel_size, f.case.stride)] == []
