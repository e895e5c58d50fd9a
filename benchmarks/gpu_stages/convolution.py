"""Lightweight and dynamic convolution: whole layers versus attention, and the convolutions alone versus their floors and fairseq."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gpu_stages.rates import Rates, measure_rates, seconds_per_call
from gpu_stages.stage import Goal, Run, stage
from myths.lab.trial import Context
from myths.lightweight_conv.convolution import convolve, convolve_gated, convolve_predicted, default_left_context
from myths.lightweight_conv.trials import TimeLayer

KERNEL_SIZE = 31
LEFT = default_left_context(KERNEL_SIZE, causal=False)
LAYERS = ("attention", "lightweight", "dynamic")


@dataclass(frozen=True)
class Size:
    """Sizes of a measurement: tokens per batch, channels, and heads."""

    tokens: int
    channels: int
    heads: int


def floor_seconds(layer: str, direction: str, length: int, size: Size, rates: Rates) -> float:
    """Return the least seconds of a layer in 16 bits, whose operations read their inputs and write their outputs once.

    Operations of one layer follow one another; only transfers and products of one operation overlap. A backward pass of a matrix product
    is two products, and that of the other operations reads their inputs and the gradient of their output and writes the gradients.
    """
    n, d, weights = size.tokens, size.channels, size.heads * KERNEL_SIZE
    linear = {"attention": [(d, 3 * d), (d, d)], "lightweight": [(d, 2 * d), (d, d)], "dynamic": [(d, 2 * d), (d, weights), (d, d)]}
    # Elements per token that the other operations read and write.
    others = {"attention": [(3 * d, d)], "lightweight": [(2 * d, d)], "dynamic": [(2 * d, d), (d + weights, d)]}
    attention = 4 * n * length * d if layer == "attention" else 0
    total = 0.0
    for inputs, outputs in linear[layer]:
        once = rates.floor_seconds(2 * (n * (inputs + outputs) + inputs * outputs), 2 * n * inputs * outputs)
        total += once * (3 if direction == "training" else 1)
    for read, written in others[layer]:
        total += rates.floor_seconds(2 * n * (read + written), attention)
        if direction == "training":
            total += rates.floor_seconds(2 * n * (2 * read + written), 2.5 * attention)
    return total


@stage(
    "layers",
    seconds=40,
    answers="do the convolutional layers reach their floor, and are they faster than attention?",
    goals=[
        Goal("layer-lightweight", "LightConv layer, forward, 16,384 tokens × 1,024 channels, bf16, milliseconds", "≤", 0.30, "its floor"),
        Goal("layer-dynamic", "DynamicConv layer, forward, the same, milliseconds", "≤", 0.40, "its floor"),
        Goal("layer-training", "LightConv and DynamicConv layers, training at 512 tokens or more, slowest over", "≤", 1, "SDPA attention"),
    ],
)
def measure_layers(run: Run) -> None:
    """Run the trials of myth 6 that time layers, and put floors beside them."""
    size = run.pick(Size(16_384, 1024, 16), Size(64, 32, 2))
    dtype = run.pick("bfloat16" if run.gpu else "float32", "float32")
    rates = measure_rates(run.device, getattr(torch, dtype), tiny=run.tiny)
    forward: dict[str, list[float]] = {"lightweight": [], "dynamic": []}
    over_attention = []
    for direction, lengths in (("forward", (128, 1024, 4096)), ("training", (512, 1024, 4096))):
        for length in run.pick(lengths, (16,)):
            trial = TimeLayer(
                layers=LAYERS[1:], length=length, embed_dim=size.channels, heads=size.heads, dtype=dtype, kernel_size=KERNEL_SIZE,
                batch_tokens=size.tokens, direction=direction,
            )  # fmt: skip
            timed = {row["layer"]: row for row in trial.run(Context(trial, run.device)).rows}
            for layer in LAYERS:
                seconds, floor = timed[layer]["seconds"], floor_seconds(layer, direction, length, size, rates)
                run.row(
                    direction=direction,
                    length=length,
                    layer=layer,
                    milliseconds=1e3 * seconds,
                    floor_milliseconds=1e3 * floor,
                    over_floor=seconds / floor,
                    over_attention=seconds / timed["attention"]["seconds"],
                    relative_error=timed[layer]["relative_error"],
                )
                if direction == "forward" and layer in forward:
                    forward[layer].append(1e3 * seconds)
                elif layer in forward and (length >= 512 or run.tiny):
                    over_attention.append(seconds / timed["attention"]["seconds"])
    for layer, milliseconds in forward.items():
        run.reach(f"layer-{layer}", max(milliseconds))
    run.reach("layer-training", max(over_attention))


@stage(
    "convolution",
    seconds=90,
    default=False,
    answers="how close are the fused convolutions to the bandwidth of the device, and how fast are fairseq's kernels?",
    goals=[
        Goal("convolution-lightconv", "lightweight convolution alone, forward, 16 bits, speed over", "≥", 1, "fairseq's lightconv_cuda"),
        Goal("convolution-dynamicconv", "dynamic convolution alone, forward, 16 bits, speed over", "≥", 1, "fairseq's dynamicconv_cuda"),
    ],
)
def measure_convolutions(run: Run) -> None:
    """Time the convolutions alone, forward and backward, and fairseq's kernels if they are built on this machine."""
    size = run.pick(Size(16_384, 1024, 16), Size(64, 32, 2))
    dtype = torch.float16 if run.gpu else torch.float32  # fairseq has no bfloat16
    rates = measure_rates(run.device, dtype, tiny=run.tiny)
    calls = run.pick(20, 2)
    for length in run.pick((128, 1024), (16,)):
        forward = {}
        for case in _cases(length, size, dtype, run.device):
            with torch.inference_mode():
                forward[case.name] = seconds_per_call(case.forward, run.device, calls)
            _row(run, case, "forward", length, forward[case.name], rates)
            _row(run, case, "backward", length, seconds_per_call(case.backward(), run.device, calls), rates)
            if case.peer:
                with run.peer(f"fairseq's {case.peer}"), torch.inference_mode():
                    call = case.fairseq()
                    torch.testing.assert_close(call().transpose(1, 2), case.forward(), rtol=2e-2, atol=2e-2)
                    seconds = seconds_per_call(call, run.device, calls)
                    _row(run, replace(case, name=f"fairseq's {case.peer}"), "forward", length, seconds, rates)
                    run.reach(f"convolution-{case.peer}", seconds / forward[case.name])


@dataclass(frozen=True)
class Case:
    """A convolution to time: its function, inputs, elements that it reads and writes, and the module of fairseq's kernel."""

    name: str
    function: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]
    read: int
    written: int
    peer: str = ""

    def forward(self) -> Tensor:
        """Return the output."""
        return self.function(*self.inputs)

    def backward(self) -> Callable[[], Any]:
        """Return a call of the backward pass."""
        leaves = [t.detach().requires_grad_() for t in self.inputs]
        y = self.function(*leaves)
        slope = torch.ones_like(y)
        return lambda: torch.autograd.grad(y, leaves, slope, retain_graph=True)

    def fairseq(self) -> Callable[[], Tensor]:
        """Return a call of fairseq's CUDA kernel on its own layout [batch, channels, positions], which is prepared beforehand."""
        theirs = importlib.import_module(f"{self.peer}_cuda")
        x, weights = self.inputs
        weights = weights if weights.dim() == 2 else weights.permute(0, 2, 3, 1).contiguous()
        x = x.transpose(1, 2).contiguous()
        return lambda: theirs.forward(x, weights, LEFT)[0]

    def floor_bytes(self, direction: str) -> int:
        """Return the bytes of reading each input and writing each output once."""
        elements = self.read + self.written if direction == "forward" else 2 * self.read + self.written
        return elements * self.inputs[0].element_size()


def _cases(length: int, size: Size, dtype: torch.dtype, device: str) -> list[Case]:
    g = torch.Generator(device).manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=g, device=device).to(dtype)

    batch = size.tokens // length
    x, projected = draw(batch, length, size.channels), draw(batch, length, 2 * size.channels)
    shared, predicted = draw(size.heads, KERNEL_SIZE), draw(batch, length, size.heads, KERNEL_SIZE)
    n, weights = x.numel(), predicted.numel()
    return [
        Case("lightweight", lambda x, w: convolve(x, w, LEFT), (x, shared), n, n, "lightconv"),
        Case("lightweight, gated", lambda x, w: convolve_gated(x, w, LEFT, None), (projected, shared), 2 * n, n),
        Case("dynamic", lambda x, w: convolve(x, w, LEFT), (x, predicted), n + weights, n, "dynamicconv"),
        Case("dynamic, softmax", lambda x, w: convolve_predicted(x, w, LEFT, softmax=True), (x, predicted), n + weights, n),
    ]


def _row(run: Run, case: Case, direction: str, length: int, seconds: float, rates: Rates) -> None:
    floor = rates.floor_seconds(case.floor_bytes(direction), 0)
    run.row(
        convolution=case.name,
        direction=direction,
        length=length,
        milliseconds=1e3 * seconds,
        floor_milliseconds=1e3 * floor,
        over_floor=seconds / floor,
    )
