"""The ways to compute a convolution, and a training step of each layer, beside full attention.

The device is the GPU where there is one; each call waits for it.
"""

from collections.abc import Callable

import pytest
import torch

from myths.lab.device import machine_class, select_device
from myths.lab.timing import synchronize
from myths.lightweight_conv.convolution import centered, convolve
from myths.lightweight_conv.layers import Settings, build
from myths.lightweight_conv.timed import REFERENCE

DEVICE = select_device("auto")
GPU = DEVICE != "cpu"
CHANNELS, HEADS, TAPS = (1024, 16, 31) if GPU else (128, 4, 31)
TOKENS = 65_536 if GPU else 4096
DTYPE = torch.bfloat16 if GPU else torch.float32
WAYS = [("unfold", False), ("unfold", True), ("conv1d", False), ("banded", False), ("banded", True)]
WAYS += [("fused", False), ("fused", True)] if GPU else []
LAYERS = (REFERENCE, "attention-plain", "attention-window", "cnn", "depthwise", "lightweight", "dynamic")


def measured(benchmark, call: Callable[[], object], **about: object) -> None:
    def waited() -> None:
        call()
        synchronize(DEVICE)

    waited()
    benchmark.extra_info.update({"device": machine_class(DEVICE), "dtype": str(DTYPE), **about})
    benchmark.pedantic(waited, rounds=10, warmup_rounds=2)


@pytest.mark.benchmark(group="convolution forward and backward, 256 positions")
@pytest.mark.parametrize(("how", "dynamic"), WAYS)
def test_ways_to_convolve(benchmark, how, dynamic):
    length = 256
    shape = (TOKENS // length, length)
    x = torch.randn(*shape, CHANNELS, device=DEVICE, dtype=DTYPE, requires_grad=True)
    kernel = torch.randn(*(shape if dynamic else ()), HEADS, TAPS, device=DEVICE, dtype=DTYPE, requires_grad=True)
    slope = torch.ones_like(x)
    left = centered(TAPS, causal=False)
    measured(benchmark, lambda: torch.autograd.grad(convolve(x, kernel, left, how), (x, kernel), slope), how=how, dynamic=dynamic)


@pytest.mark.benchmark(group="a layer's training step against the length")
@pytest.mark.parametrize("length", [32, 256, 2048])
@pytest.mark.parametrize("layer", LAYERS)
def test_layers(benchmark, layer, length):
    module = build(layer, Settings(channels=CHANNELS, heads=HEADS, taps=TAPS, causal=False)).to(DEVICE, DTYPE)
    x = torch.randn(TOKENS // length, length, CHANNELS, device=DEVICE, dtype=DTYPE)
    slope = torch.ones_like(x)

    def step() -> None:
        module.zero_grad(set_to_none=True)
        module(x).backward(slope)

    measured(benchmark, step, layer=layer, length=length)
