"""Energy of a GPU during a trial, from the power that nvidia-smi reports."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from typing import IO

from myths.lab.measurement.timing import Stopwatch

PERIOD_MS = 200
MIN_SAMPLES = 5
"""Minimum number of power samples for an estimate; drivers average over about one second."""


class EnergyMeter:
    """Context manager that measures the energy of a GPU: ``with EnergyMeter(device) as meter: …``, then ``meter.joules``.

    The energy is the mean sampled power of the whole board, idle power included, times the duration. It is None on a CPU, if nvidia-smi is
    not available or reports no power, and for a trial shorter than about one second.
    """

    joules: float | None = None

    def __init__(self, device: str):
        self.device = device

    def __enter__(self) -> EnergyMeter:
        self._samples: IO[bytes] = tempfile.TemporaryFile()
        self._process = _sampler(self.device, self._samples)
        self._watch = Stopwatch().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        seconds = self._watch.elapsed
        with self._samples:
            if self._process is None:
                return
            self._process.terminate()
            self._process.wait()
            self._samples.seek(0)
            watts = _parse_watts(self._samples.read().decode(errors="replace"))
        if len(watts) >= MIN_SAMPLES:
            self.joules = sum(watts) / len(watts) * seconds


def _sampler(device: str, samples: IO[bytes]) -> subprocess.Popen[bytes] | None:
    if not device.startswith("cuda"):
        return None
    import torch

    # By UUID: torch and nvidia-smi may number GPUs differently.
    identity = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
    query = ["nvidia-smi", f"--id={identity}", "--query-gpu=power.draw", "--format=csv,noheader,nounits", f"--loop-ms={PERIOD_MS}"]
    with contextlib.suppress(OSError):
        return subprocess.Popen(query, stdout=samples, stderr=subprocess.DEVNULL)
    return None


def _parse_watts(output: str) -> list[float]:
    """Return the lines that are numbers, without the last line, which may be truncated."""
    found = []
    for line in output.split("\n")[:-1]:
        with contextlib.suppress(ValueError):
            found.append(float(line))
    return found
