"""Time of the convolution backends, and of a training step of each layer including full attention.

The benchmarks use the GPU if there is one, and synchronize with it after each call.
"""

from collections.abc import Callable

import pytest
import torch

from myths.lab.measurement.device import machine_class, select_device
from myths.lab.measurement.timing import synchronize
from myths.lightweight_conv.convolution import convolve, default_left_context
from myths.lightweight_conv.layers import LayerConfig, build
from myths.lightweight_conv.measure_speed import REFERENCE

DEVICE = select_device("auto")
GPU = DEVICE != "cpu"
CHANNELS, HEADS, KERNEL_SIZE = (1024, 16, 31) if GPU else (128, 4, 31)
TOKENS = 65_536 if GPU else 4096
DTYPE = torch.bfloat16 if GPU else torch.float32
BACKENDS = [("unfold", False), ("unfold", True), ("conv1d", False), ("banded", False), ("banded", True)]
BACKENDS += [("fused", False), ("fused", True)] if GPU else []
LAYERS = (REFERENCE, "attention-materialized", "attention-window", "dense-conv", "depthwise", "lightweight", "dynamic")


def measured(benchmark, call: Callable[[], object], **about: object) -> None:
    def synchronized() -> None:
        call()
        synchronize(DEVICE)

    synchronized()
    benchmark.extra_info.update({"device": machine_class(DEVICE), "dtype": str(DTYPE), **about})
    benchmark.pedantic(synchronized, rounds=10, warmup_rounds=2)


@pytest.mark.benchmark(group="convolution forward and backward, 256 positions")
@pytest.mark.parametrize(("backend", "dynamic"), BACKENDS)
def test_convolution_backends(benchmark, backend, dynamic):
    length = 256
    shape = (TOKENS // length, length)
    x = torch.randn(*shape, CHANNELS, device=DEVICE, dtype=DTYPE, requires_grad=True)
    kernel = torch.randn(*(shape if dynamic else ()), HEADS, KERNEL_SIZE, device=DEVICE, dtype=DTYPE, requires_grad=True)
    slope = torch.ones_like(x)
    left_context = default_left_context(KERNEL_SIZE, causal=False)
    measured(
        benchmark,
        lambda: torch.autograd.grad(convolve(x, kernel, left_context, backend), (x, kernel), slope),
        backend=backend,
        dynamic=dynamic,
    )


@pytest.mark.benchmark(group="training step of a layer by length")
@pytest.mark.parametrize("length", [32, 256, 2048])
@pytest.mark.parametrize("layer", LAYERS)
def test_layers(benchmark, layer, length):
    module = build(layer, LayerConfig(channels=CHANNELS, heads=HEADS, kernel_size=KERNEL_SIZE, causal=False)).to(DEVICE, DTYPE)
    x = torch.randn(TOKENS // length, length, CHANNELS, device=DEVICE, dtype=DTYPE)
    slope = torch.ones_like(x)

    def step() -> None:
        module.zero_grad(set_to_none=True)
        module(x).backward(slope)

    measured(benchmark, step, layer=layer, length=length)
