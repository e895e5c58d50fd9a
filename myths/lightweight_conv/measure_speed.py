"""Measure time and memory of layers, blocks and whole models, interleaved with full attention."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from myths.lab.language.beam import Beam, search
from myths.lab.language.mixer import TokenMixer
from myths.lab.language.transformer import Block, EncoderDecoder, TransformerConfig, parameters
from myths.lab.measurement.memory import peak_bytes
from myths.lab.measurement.timing import Stopwatch, compare_timings
from myths.lab.trial import Context
from myths.lightweight_conv.layer_names import Layer, increasing_kernel_sizes
from myths.lightweight_conv.layers import LayerConfig, build, builder
from myths.lightweight_conv.layers.dynamic import DynamicConv
from myths.lightweight_conv.layers.lightweight import LightweightConv

OVER_BUDGET, OUT_OF_MEMORY = "over budget", "out of memory"
REFERENCE: Layer = "attention"
MAX_SECONDS = 5.0
"""Maximum duration of a call in seconds. A longer call is not repeated; its row has the status "over budget"."""
REPEAT_BUDGET_SECONDS = 0.3
"""Duration of the repeats of each layer in seconds. There are 5 to 20 repeats, or 3 if a call takes more than 2 seconds."""
QUADRATIC = ("attention", "attention-materialized")


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Settings of the timing of layers.

    Attributes:
        channels: Channels of the model.
        heads: Number of attention heads.
        kernel_size: Kernel size of the convolutions.
        dtype: Floating-point format.
        tokens: Number of tokens per batch.
        block: Whether to time the whole block instead of the layer.
        causal: Whether positions depend on earlier positions only.
        training: Whether to time the backward pass as well.
    """

    channels: int
    heads: int
    kernel_size: int
    dtype: str
    tokens: int
    block: bool
    causal: bool
    training: bool

    def batch(self, length: int) -> int:
        """Return the number of sequences of a length in a batch."""
        return max(1, self.tokens // length)


@dataclass(frozen=True)
class Decoding:
    """Settings of the timing of whole models: a beam search whose outputs are as long as its inputs.

    Attributes:
        config: Configuration of the models.
        sentences: Number of sentences per batch.
        length: Number of tokens per sentence.
        beam: Beam size.
        dtype: Floating-point format.
    """

    config: TransformerConfig
    sentences: int
    length: int
    beam: int
    dtype: str


@contextlib.contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Limit the threads of torch in a ``with`` block; 0 leaves them as they are."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def time_layers(layers: Sequence[Layer], length: int, setup: Setup, context: Context) -> list[dict[str, Any]]:
    """Time layers, interleaved with full attention. Return one row per layer, attention first."""
    calls: dict[str, Callable[[], Any]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for layer in dict.fromkeys((REFERENCE, *layers)):
        rows[layer] = {"layer": layer, "batch_size": setup.batch(length)}
        try:
            if _predicted(layer, length, setup, context) > MAX_SECONDS:
                rows[layer] |= {"status": OVER_BUDGET}
                continue
            call, module, x = _call(layer, length, setup, context)
            rows[layer] |= {"parameters": parameters(module), "checksum": _checksum(module, x)}
            rows[layer] |= {"relative_error": _error(module, x)}
            with Stopwatch(context.device) as first:
                call()
            with Stopwatch(context.device) as second:
                call()
            if second.seconds > MAX_SECONDS:
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
            row["tokens_per_second"] = row["batch_size"] * length / row["seconds"]
    return list(rows.values())


def time_decoding(layers: Sequence[Layer], decoding: Decoding, context: Context) -> list[dict[str, Any]]:
    """Time whole models, interleaved with one with full attention. Return one row per layer, attention first."""
    dtype, size = getattr(torch, decoding.dtype), (decoding.sentences, decoding.length)
    source = torch.randint(4, decoding.config.vocabulary, size, generator=context.generator("inputs")).to(context.device)
    calls: dict[str, Callable[[], Any]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for layer in dict.fromkeys((REFERENCE, *layers)):
        model = _model(layer, decoding.config, context).to(context.device, dtype).eval()
        with torch.inference_mode():
            checksum = float(f"{float(model.encode(source, None)[..., 0].float().sum()):.4g}")  # norms are equal after normalization
        rows[layer] = {"layer": layer, "parameters": parameters(model), "checksum": checksum}
        calls[layer] = _translates(model, source, decoding)
    _compare(calls, rows, context.device)
    for row in rows.values():
        row["sentences_per_second"] = decoding.sentences / row["seconds"]
    return list(rows.values())


def _compare(calls: dict[str, Callable[[], Any]], rows: dict[str, dict[str, Any]], device: str) -> None:
    """Time all calls, interleaved, and add the results to their rows."""
    compared = compare_timings(calls, device, warmup=2, budget_seconds=REPEAT_BUDGET_SECONDS)
    for layer in calls:
        rows[layer] |= {"status": "ok", **compared.timings[layer].row()}


def _translates(model: EncoderDecoder, source: Tensor, decoding: Decoding) -> Callable[[], Tensor]:
    beam = Beam(width=decoding.beam, max_length=decoding.length, min_length=decoding.length)

    def call() -> Tensor:
        with torch.inference_mode():
            return search(model, source, None, beam)[0]

    return call


def _model(layer: Layer, config: TransformerConfig, context: Context) -> EncoderDecoder:
    kernel_sizes = increasing_kernel_sizes(max(config.encoder_layers, config.decoder_layers))
    with context.seed_torch("init"):
        return EncoderDecoder(config, builder(layer, channels=config.embed_dim, heads=config.heads, kernel_sizes=kernel_sizes, dropout=0.0))


def _call(layer: Layer, length: int, setup: Setup, context: Context) -> tuple[Callable[[], Any], nn.Module, Tensor]:
    """Return the call to time, its layer or block, and its input."""
    dtype = getattr(torch, setup.dtype)
    with context.seed_torch("init"):
        mixer = build(layer, LayerConfig(channels=setup.channels, heads=setup.heads, kernel_size=setup.kernel_size, causal=setup.causal))
        module: nn.Module = _block(setup, mixer) if setup.block else mixer
    module.to(context.device, dtype).train()
    shape = (setup.batch(length), length, setup.channels)
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

    return (training if setup.training else forward), module, x


def _block(setup: Setup, mixer: TokenMixer) -> Block:
    config = TransformerConfig(
        vocabulary=4,
        embed_dim=setup.channels,
        ffn_dim=4 * setup.channels,
        heads=setup.heads,
        encoder_layers=1,
        decoder_layers=0,
        max_length=1,
        dropout=0.0,
    )
    return Block(config, mixer, cross=False)


def _predicted(layer: Layer, length: int, setup: Setup, context: Context) -> float:
    """Predict the seconds of a call of full attention from a quarter of the length, to avoid calls of minutes. Return 0 for others."""
    if layer not in QUADRATIC or length < 4096:
        return 0.0
    call, _, _ = _call(layer, length // 4, setup, context)
    call()
    with Stopwatch(context.device) as watch:
        call()
    return 16 * watch.seconds / setup.batch(length // 4) * setup.batch(length)


def _checksum(module: nn.Module, x: Tensor) -> float:
    """Return a checksum of the output at a few positions, which differs between seeds."""
    with torch.inference_mode():
        return float(f"{float(module(x[:1, :64], None).float().norm()):.4g}")


def _error(module: nn.Module, x: Tensor) -> float | None:
    """Return the relative error of a convolution on 256 positions, against unfolding in float64. Return None for other layers."""
    mixer = module.mixer if isinstance(module, Block) else module
    if not isinstance(mixer, LightweightConv | DynamicConv):
        return None
    few = x[:1, :256]
    exact = _in_float64(mixer).to(x.device)
    with torch.inference_mode():
        truth = exact(few.double())
        return float(f"{float((mixer(few).double() - truth).norm() / truth.norm()):.1g}")


def _in_float64(mixer: LightweightConv | DynamicConv) -> TokenMixer:
    """Return a copy of the layer in float64 that uses the backend "unfold"."""
    twin = copy.deepcopy(mixer).double().eval()
    twin.backend = "unfold"
    return twin


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)
