"""What the device can do at most: the rates that all floors are computed from."""

from __future__ import annotations

import torch

from gpu_stages.rates import measure_rates, seconds_per_call
from gpu_stages.stage import Run, stage


@stage("device", seconds=6, answers="which bandwidth, matrix rates and launch time does this device reach?")
def device(run: Run) -> None:
    """Measure copy bandwidth, matrix products by dtype, and the time of an operation that does nothing."""
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        rates = measure_rates(run.device, dtype, tiny=run.tiny)
        run.row(
            dtype=str(dtype).removeprefix("torch."),
            copy_gigabytes_per_second=rates.bytes_per_second / 1e9,
            matrix_teraflops_per_second=rates.flops_per_second / 1e12,
        )
    one = torch.zeros(1, device=run.device)
    run.row(dtype="float32", launch_microseconds=1e6 * seconds_per_call(lambda: one.add_(1), run.device, calls=1000))
