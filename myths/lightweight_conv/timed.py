"""Layers, blocks and whole models put on the stopwatch beside full attention."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from myths.lab.language.beam import search
from myths.lab.language.mixer import Mixer
from myths.lab.language.transformer import Block, Shape, Translator, parameters
from myths.lab.memory import peak_bytes
from myths.lab.timing import Stopwatch, compare
from myths.lab.trial import Context
from myths.lightweight_conv.layers import Settings, build, builder
from myths.lightweight_conv.layers.dynamic import DynamicConv
from myths.lightweight_conv.layers.lightweight import LightweightConv
from myths.lightweight_conv.names import Layer, growing_taps

if TYPE_CHECKING:
    from myths.lightweight_conv.speed import TimeDecoding, TimeLayer

OVER_BUDGET, OUT_OF_MEMORY = "over budget", "out of memory"
REFERENCE: Layer = "attention"
LONGEST = 2.0
"""Seconds; a call that takes longer is not repeated: a row that says "over budget"."""
BUDGET = 0.3
"""Seconds of repeats for each layer of a trial; 5 repeats at least."""
QUADRATIC = ("attention", "attention-plain")


def time_layers(trial: TimeLayer, context: Context) -> list[dict[str, Any]]:
    """The rows of ``TimeLayer``."""
    calls: dict[str, Callable[[], Any]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for layer in dict.fromkeys((REFERENCE, *trial.layer)):
        rows[layer] = {"layer": layer, "batch": _batch(trial, trial.length)}
        try:
            if _predicted(trial, layer, context) > LONGEST:
                rows[layer] |= {"status": OVER_BUDGET}
                continue
            call, module, x = _call(trial, layer, trial.length, context)
            rows[layer] |= {"parameters": parameters(module), "checksum": _checksum(module, x)}
            rows[layer] |= {"relative_error": _error(module, x)}
            with Stopwatch(context.device) as first:
                call()
            with Stopwatch(context.device) as second:
                call()
            if second.seconds > LONGEST:
                rows[layer] |= {"status": OVER_BUDGET, "predicted_seconds": second.seconds, "first_call_seconds": first.seconds}
                continue
            rows[layer] |= {"peak_bytes": peak_bytes(call, context.device)}
            calls[layer] = call
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            rows[layer] |= {"status": OUT_OF_MEMORY}
    _compare(calls, rows, context.device)
    for row in rows.values():
        if row["status"] == "ok":
            row["tokens_per_second"] = row["batch"] * trial.length / row["seconds"]
    return list(rows.values())


def time_decoding(trial: TimeDecoding, context: Context) -> list[dict[str, Any]]:
    """The rows of ``TimeDecoding``."""
    dtype = getattr(torch, trial.dtype)
    source = torch.randint(4, trial.vocabulary, (trial.sentences, trial.length), generator=context.generator("inputs")).to(context.device)
    calls: dict[str, Callable[[], Any]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for layer in dict.fromkeys((REFERENCE, *trial.layer)):
        model = _model(trial, layer, context).to(context.device, dtype).eval()
        with torch.inference_mode():
            checksum = float(f"{float(model.encode(source, None)[..., 0].float().sum()):.4g}")  # norms are all alike after normalization
        rows[layer] = {"layer": layer, "parameters": parameters(model), "checksum": checksum}
        calls[layer] = _translates(model, source, trial)
    _compare(calls, rows, context.device)
    for row in rows.values():
        row["sentences_per_second"] = trial.sentences / row["seconds"]
    return list(rows.values())


def _compare(calls: dict[str, Callable[[], Any]], rows: dict[str, dict[str, Any]], device: str) -> None:
    """Times all in turns."""
    compared = compare(calls, device, warmup=2, budget_seconds=BUDGET)
    for layer in calls:
        rows[layer] |= {"status": "ok", **compared.timings[layer].row()}


def _translates(model: Translator, source: Tensor, trial: TimeDecoding) -> Callable[[], Tensor]:
    def call() -> Tensor:
        with torch.inference_mode():
            return search(model, source, None, beam=trial.beam, most=trial.length, least=trial.length)[0]

    return call


def _model(trial: TimeDecoding, layer: Layer, context: Context) -> Translator:
    shape = Shape(
        vocabulary=trial.vocabulary,
        channels=trial.channels,
        hidden=trial.hidden,
        heads=trial.heads,
        encoder_layers=trial.encoder_layers,
        decoder_layers=trial.decoder_layers,
        longest=trial.length + 1,
    )
    taps = growing_taps(max(trial.encoder_layers, trial.decoder_layers))
    with context.seeded("init"):
        return Translator(shape, builder(layer, channels=trial.channels, heads=trial.heads, taps=taps, dropout=0.0))


def _call(trial: TimeLayer, layer: Layer, length: int, context: Context) -> tuple[Callable[[], Any], nn.Module, Tensor]:
    """What is timed, the layer or block in it, and its input."""
    dtype = getattr(torch, trial.dtype)
    with context.seeded("init"):
        mixer = build(layer, Settings(channels=trial.channels, heads=trial.heads, taps=trial.taps, causal=trial.causal))
        module: nn.Module = _block(trial, mixer) if trial.block else mixer
    module.to(context.device, dtype).train()
    shape = (_batch(trial, length), length, trial.channels)
    x = torch.randn(shape, generator=context.generator("inputs")).to(context.device, dtype)

    def forward() -> Tensor:
        with torch.inference_mode():
            return module(x, None)

    slope = torch.ones_like(x)
    leaf = x.clone().requires_grad_()

    def training() -> Tensor:
        module.zero_grad(set_to_none=True)
        leaf.grad = None
        module(leaf, None).backward(slope)
        assert leaf.grad is not None
        return leaf.grad

    return (forward if trial.direction == "forward" else training), module, x


def _block(trial: TimeLayer, mixer: Mixer) -> Block:
    shape = Shape(
        vocabulary=4,
        channels=trial.channels,
        hidden=4 * trial.channels,
        heads=trial.heads,
        encoder_layers=1,
        decoder_layers=0,
        longest=1,
        dropout=0.0,
    )
    return Block(shape, mixer, cross=False)


def _batch(trial: TimeLayer, length: int) -> int:
    return max(1, trial.tokens // length)


def _predicted(trial: TimeLayer, layer: Layer, context: Context) -> float:
    """Seconds, for what grows with the square: those of a quarter of the length, times 16 a sequence; a guard against minutes."""
    if layer not in QUADRATIC or trial.length < 4096:
        return 0.0
    call, _, _ = _call(trial, layer, trial.length // 4, context)
    call()
    with Stopwatch(context.device) as watch:
        call()
    return 16 * watch.seconds / _batch(trial, trial.length // 4) * _batch(trial, trial.length)


def _checksum(module: nn.Module, x: Tensor) -> float:
    """Tells seeds apart; of few positions, so that it costs nothing."""
    with torch.inference_mode():
        return float(f"{float(module(x[:1, :64], None).float().norm()):.4g}")


def _error(module: nn.Module, x: Tensor) -> float | None:
    """How far a convolution is from its unfolding in float64, on 256 positions of one sequence; None for what is no convolution."""
    mixer = module.mixer if isinstance(module, Block) else module
    if not isinstance(mixer, LightweightConv | DynamicConv):
        return None
    few = x[:1, :256]
    exact = _in_float64(mixer).to(x.device)
    with torch.inference_mode():
        truth = exact(few.double())
        return float(f"{float((mixer(few).double() - truth).norm() / truth.norm()):.1g}")


def _in_float64(mixer: LightweightConv | DynamicConv) -> Mixer:
    """The same layer in float64, by unfolding."""
    twin = copy.deepcopy(mixer).double().eval()
    twin.how = "unfold"
    return twin


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)
