"""The energy that a GPU takes while a trial runs, by the power that nvidia-smi says."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from typing import IO

from myths.lab.timing import Stopwatch

PERIOD_MS = 200
MIN_SAMPLES = 5
"""Samples below which nothing is output: a driver averages power over about a second."""


class EnergyMeter:
    """``with EnergyMeter(device) as meter: …`` then ``meter.joules``: the mean of the sampled power times the seconds.

    Of the whole board, what it takes when idle included. None on a CPU, where nvidia-smi is absent or says no power, and for a trial
    that was over within a second.
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

    # By its own name: the number that torch gives a GPU need not be nvidia-smi's.
    identity = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
    query = ["nvidia-smi", f"--id={identity}", "--query-gpu=power.draw", "--format=csv,noheader,nounits", f"--loop-ms={PERIOD_MS}"]
    with contextlib.suppress(OSError):
        return subprocess.Popen(query, stdout=samples, stderr=subprocess.DEVNULL)
    return None


def _parse_watts(output: str) -> list[float]:
    """The lines that are numbers; the last one may be cut off in its middle and is left out."""
    found = []
    for line in output.split("\n")[:-1]:
        with contextlib.suppress(ValueError):
            found.append(float(line))
    return found
