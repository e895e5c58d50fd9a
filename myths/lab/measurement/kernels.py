"""Check the CPU's convolutions and matrix products against plain arithmetic, in child processes.

oneDNN has different kernels for each instruction set. A faulty kernel may crash the process, hang, or return wrong numbers. Each check
therefore runs in a child process and compares the kernel with the same call without oneDNN, forward and backward.

Example:
    >>> from myths.lab.measurement.kernels import Convolution, check
    >>> [found.result for found in check([Convolution(in_channels=16, out_channels=8, size=(8, 8))])]    # doctest: +SKIP
    ['right']
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Format = Literal["contiguous", "channels_last"]
DType = Literal["float32", "bfloat16"]

INSTRUCTION_SETS = {
    "SSE41": ("sse4_1",),
    "AVX": ("avx",),
    "AVX2": ("avx2", "fma"),
    "AVX512_CORE": ("avx512f", "avx512bw", "avx512vl", "avx512dq"),
    "AVX512_CORE_BF16": ("avx512_bf16",),
    "AVX512_CORE_AMX": ("amx_bf16", "amx_int8"),
}
"""Values of ``ONEDNN_MAX_CPU_ISA``, from the oldest, with the CPU flags (as Linux names them) that each requires."""

TOLERANCE: dict[DType, float] = {"float32": 1e-4, "bfloat16": 0.02}
"""Largest rounding difference, relative to the largest element."""
SECONDS_PER_CASE = 20.0
"""Time after which a case counts as hung."""


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """One convolution: its shapes, and memory format and type of its input and weight."""

    in_channels: int
    out_channels: int
    size: tuple[int, ...]
    """Size of the input along each spatial axis."""
    kernel_size: tuple[int, ...] = (1, 1)
    stride: tuple[int, ...] = (1, 1)
    padding: tuple[int, ...] = (0, 0)
    dilation: tuple[int, ...] = (1, 1)
    groups: int = 1
    batch: int = 32
    input_format: Format = "contiguous"
    weight_format: Format = "contiguous"
    dtype: DType = "float32"

    def __str__(self) -> str:
        """Shape, stride and format, as in "1×1 convolution, stride 2, 4 to 8 channels, channels last"."""
        parts = [f"{'×'.join(map(str, self.kernel_size))} convolution"]
        parts += [f"stride {'×'.join(map(str, dict.fromkeys(self.stride)))}"] * (max(self.stride) > 1)
        parts += [f"{self.in_channels} to {self.out_channels} channels"]
        parts += [f"{self.groups} groups"] * (self.groups > 1)
        parts += ["channels last"] * ("channels_last" in (self.input_format, self.weight_format))
        return ", ".join([*parts, *["bf16"] * (self.dtype == "bfloat16")])


@dataclass(frozen=True, kw_only=True)
class MatrixProduct:
    """One matrix product (rows, inner) @ (inner, columns)."""

    rows: int
    inner: int
    columns: int
    dtype: DType = "bfloat16"

    def __str__(self) -> str:
        """Shape and type."""
        return f"matrix product {self.rows}×{self.inner}×{self.columns}, {self.dtype}"


Case = Convolution | MatrixProduct


@dataclass(frozen=True)
class Finding:
    """The result of a case: "right", "wrong", "died" (with the signal), or "hung". ``error`` is the relative difference."""

    case: Case
    result: str
    error: float = float("nan")

    @property
    def right(self) -> bool:
        """Whether the kernel agrees with plain arithmetic."""
        return self.result == "right"


def check(cases: Sequence[Case], instruction_set: str = "", *, repetitions: int = 3, seconds: float = 600.0) -> list[Finding]:
    """Run cases forward and backward in child processes and compare them with plain arithmetic.

    Args:
        cases: Cases, run in this order. After a crash or a hang, a new child continues with the next case.
        instruction_set: Newest instruction set that oneDNN may use, of ``INSTRUCTION_SETS``. Default: all that the CPU has.
        repetitions: Number of repetitions of each case. An overwritten buffer may show only after several.
        seconds: Time limit of all cases together. Remaining cases are left out.

    Returns:
        One finding per case, in order. A crash is reported for the case during which it occurred, although an earlier case may have
        caused it.
    """
    found: list[Finding] = []
    end = time.monotonic() + seconds
    while len(found) < len(cases) and time.monotonic() < end:
        found += _in_child(cases[len(found) :], instruction_set, repetitions, end)
    return found


def environment(instruction_set: str) -> dict[str, str]:
    """Return the environment variables that limit oneDNN and torch to an instruction set; none for ""."""
    if not instruction_set:
        return {}
    aten = {"SSE41": "default", "AVX": "default", "AVX2": "avx2"}
    capped = {"ONEDNN_MAX_CPU_ISA": instruction_set}
    return capped | ({"ATEN_CPU_CAPABILITY": aten[instruction_set]} if instruction_set in aten else {})


def available() -> list[str]:
    """Return the instruction sets of this CPU, from the oldest; none if the CPU is not x86 or the system does not report them."""
    flags = _flags()
    return [name for name, needed in INSTRUCTION_SETS.items() if flags.issuperset(needed)]


def effective() -> str | None:
    """Return the newest instruction set that oneDNN may use in this process: the CPU's, unless ``ONEDNN_MAX_CPU_ISA`` limits it."""
    has = available()
    cap = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    if cap in INSTRUCTION_SETS:
        has = [name for name in has if list(INSTRUCTION_SETS).index(name) <= list(INSTRUCTION_SETS).index(cap)]
    return has[-1] if has else None


def narrow_strided() -> list[Case]:
    """Return the calls that oneDNN's AVX2 kernels compute wrongly (uxlfoundation/oneDNN#6035), and similar calls that are correct."""
    last: Format = "channels_last"
    shape: dict[str, Any] = {"out_channels": 8, "size": (8, 8), "stride": (2, 2)}
    return [
        Convolution(in_channels=8, input_format=last, weight_format=last, **shape),
        Convolution(in_channels=4, **shape),
        Convolution(in_channels=4, input_format=last, weight_format=last, **shape),
    ]


def onednn_version() -> str | None:
    """Return the version of the oneDNN that torch was built with, such as "3.13.3"."""
    import torch

    words = [line.split("MKL-DNN v")[1].split()[0] for line in torch.__config__.show().splitlines() if "MKL-DNN v" in line]
    return words[0] if words else None


def _flags() -> frozenset[str]:
    if platform.machine().lower() not in ("x86_64", "amd64", "i686"):
        return frozenset()
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("flags"):
                return frozenset(line.split(":", 1)[1].split())
    import torch

    # Elsewhere torch (2.12 and newer) tells, with names of its own.
    told: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    ours = {"avx512_f": "avx512f", "avx512_bw": "avx512bw", "avx512_vl": "avx512vl", "avx512_dq": "avx512dq", "fma3": "fma"}
    return frozenset(ours.get(name, name) for name, has in told.items() if has is True)


def _in_child(cases: Sequence[Case], instruction_set: str, repetitions: int, end: float) -> list[Finding]:
    """Return the findings of the cases that one child reached; the last one is its crash or hang, if any."""
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONFAULTHANDLER": ""}
    if instruction_set:
        variables = {k: v for k, v in variables.items() if k != "ATEN_CPU_CAPABILITY"} | environment(instruction_set)
    root = Path(__file__).resolve().parents[3]
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")]))
    with tempfile.TemporaryDirectory() as folder:
        asked, answers = Path(folder, "cases.json"), Path(folder, "answers.txt")
        asked.write_text(json.dumps([{"kind": type(case).__name__, **asdict(case)} for case in cases]), encoding="utf-8")
        answers.touch()
        child = subprocess.Popen(
            [sys.executable, "-m", "myths.lab.measurement.kernels", str(asked), str(answers), str(repetitions)],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            code = _wait(child, answers, end)
        finally:
            child.kill()
            child.wait()
        errors = [float(line) for line in answers.read_text(encoding="utf-8").split()]
    found = [
        Finding(case, "right" if error < TOLERANCE[case.dtype] else "wrong", error) for case, error in zip(cases, errors, strict=False)
    ]
    if len(found) < len(cases) and (code is not None or time.monotonic() < end):
        found.append(Finding(cases[len(found)], "hung" if code is None else _crash_text(code)))
    return found


def _wait(child: subprocess.Popen[bytes], answers: Path, end: float) -> int | None:
    """Return the exit code of a child, or None if it makes no progress or the time is over."""
    size, since = 0, time.monotonic()
    while True:
        try:
            return child.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            now = time.monotonic()
        if (written := answers.stat().st_size) > size:
            size, since = written, now
        if now > end or now - since > SECONDS_PER_CASE + (40 if not size else 0):  # the first waits for torch
            return None


def _crash_text(code: int) -> str:
    import signal

    try:
        return f"died ({signal.Signals(-code).name})"
    except ValueError:
        return f"died (exit status {code})"


# --- in the child --------------------------------------------------------------------------------------


def _run(case: Case, repetitions: int) -> float:
    """Return the largest relative difference of results and gradients of a case from plain arithmetic."""
    import torch

    worst = 0.0
    tensors = _operands(case)
    expected = _results(case, [t.to(getattr(torch, case.dtype)).float() for t in tensors], plain=True)
    for _ in range(repetitions):
        for ours, right in zip(_results(case, tensors, plain=False), expected, strict=True):
            difference = float((ours - right).abs().max() / right.abs().max().clamp_min(1e-30))
            worst = max(worst, difference) if difference == difference else float("inf")
    return worst


def _operands(case: Case) -> list[Any]:
    import torch

    generator = torch.Generator().manual_seed(0)
    if isinstance(case, MatrixProduct):
        shapes: list[tuple[int, ...]] = [(case.rows, case.inner), (case.inner, case.columns)]
    else:
        shapes = [(case.batch, case.in_channels, *case.size), (case.out_channels, case.in_channels // case.groups, *case.kernel_size)]
    return [torch.randn(shape, generator=generator) for shape in shapes]


def _results(case: Case, tensors: list[Any], *, plain: bool) -> list[Any]:
    """Return the result and the gradients of both operands, in fp32."""
    import torch
    import torch.nn.functional as F

    reduced = case.dtype == "bfloat16" and not plain
    with torch.backends.mkldnn.flags(enabled=not plain, allow_tf32=None):
        if isinstance(case, Convolution):
            formats = ("contiguous", "contiguous") if plain else (case.input_format, case.weight_format)
            tensors = [t.clone(memory_format=_format(name, t)) for t, name in zip(tensors, formats, strict=True)]
        a, b = (t.detach().clone(memory_format=torch.preserve_format).requires_grad_() for t in tensors)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=reduced):
            if isinstance(case, Convolution):
                call = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(case.size)]
                y = call(a, b, None, case.stride, case.padding, case.dilation, case.groups)
            else:
                y = a @ b
        upstream = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).bfloat16().float()
        name = case.input_format if isinstance(case, Convolution) and not plain else "contiguous"
        y.backward(upstream.to(y.dtype).contiguous(memory_format=_format(name, y)))
    return [t.detach().float() for t in (y, a.grad, b.grad)]


def _format(name: str, tensor: Any) -> Any:
    import torch

    if name == "contiguous":
        return torch.contiguous_format
    return torch.channels_last if tensor.dim() == 4 else torch.channels_last_3d


def _read(line: dict[str, Any]) -> Case:
    kind: Callable[..., Case] = {"Convolution": Convolution, "MatrixProduct": MatrixProduct}[line.pop("kind")]
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in line.items()})


def _cases(path: str) -> Iterator[Case]:
    yield from map(_read, json.loads(Path(path).read_text(encoding="utf-8")))


def _main(asked: str, answers: str, repetitions: str) -> None:
    with Path(answers).open("a", encoding="utf-8") as file:
        for case in _cases(asked):
            file.write(f"{_run(case, int(repetitions))!r}\n")
            file.flush()


if __name__ == "__main__":
    _main(*sys.argv[1:])
