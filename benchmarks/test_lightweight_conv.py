"""The ways to compute a convolution, and a training step of each layer, beside full attention.

The device is the GPU where there is one; each call waits for it.
"""

from collections.abc import Callable

import pytest
import torch

from myths.lab.device import machine_class, select_device
from myths.lab.timing import synchronize
from myths.lightweight_conv.convolution import convolve, default_left_context
from myths.lightweight_conv.layers import LayerConfig, build
from myths.lightweight_conv.measure_speed import REFERENCE

DEVICE = select_device("auto")
GPU = DEVICE != "cpu"
CHANNELS, HEADS, TAPS = (1024, 16, 31) if GPU else (128, 4, 31)
TOKENS = 65_536 if GPU else 4096
DTYPE = torch.bfloat16 if GPU else torch.float32
WAYS = [("unfold", False), ("unfold", True), ("conv1d", False), ("banded", False), ("banded", True)]
WAYS += [("fused", False), ("fused", True)] if GPU else []
LAYERS = (REFERENCE, "attention-materialized", "attention-window", "dense-conv", "depthwise", "lightweight", "dynamic")


def measured(benchmark, call: Callable[[], object], **about: object) -> None:
    def waited() -> None:
        call()
        synchronize(DEVICE)

    waited()
    benchmark.extra_info.update({"device": machine_class(DEVICE), "dtype": str(DTYPE), **about})
    benchmark.pedantic(waited, rounds=10, warmup_rounds=2)


@pytest.mark.benchmark(group="convolution forward and backward, 256 positions")
@pytest.mark.parametrize(("backend", "dynamic"), WAYS)
def test_ways_to_convolve(benchmark, backend, dynamic):
    length = 256
    shape = (TOKENS // length, length)
    x = torch.randn(*shape, CHANNELS, device=DEVICE, dtype=DTYPE, requires_grad=True)
    kernel = torch.randn(*(shape if dynamic else ()), HEADS, TAPS, device=DEVICE, dtype=DTYPE, requires_grad=True)
    slope = torch.ones_like(x)
    left_context = default_left_context(TAPS, causal=False)
    measured(
        benchmark,
        lambda: torch.autograd.grad(convolve(x, kernel, left_context, backend), (x, kernel), slope),
        backend=backend,
        dynamic=dynamic,
    )


@pytest.mark.benchmark(group="a layer's training step against the length")
@pytest.mark.parametrize("length", [32, 256, 2048])
@pytest.mark.parametrize("layer", LAYERS)
def test_layers(benchmark, layer, length):
    module = build(layer, LayerConfig(channels=CHANNELS, heads=HEADS, kernel_size=TAPS, causal=False)).to(DEVICE, DTYPE)
    x = torch.randn(TOKENS // length, length, CHANNELS, device=DEVICE, dtype=DTYPE)
    slope = torch.ones_like(x)

    def step() -> None:
        module.zero_grad(set_to_none=True)
        module(x).backward(slope)

    measured(benchmark, step, layer=layer, length=length)
