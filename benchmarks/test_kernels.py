"""Check every convolution and bf16 product of all trials under every instruction set, with repetitions. Takes several minutes.

The short form is tests/test_kernels.py. Run `python -m pytest benchmarks/test_kernels.py -o addopts=`.
"""

from __future__ import annotations

import pytest

from myths.lab.measurement import kernels
from myths.lab.measurement.kernels import check
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
