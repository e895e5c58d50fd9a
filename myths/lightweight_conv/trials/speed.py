"""Trials that measure speed: of one layer or block by sequence length, and of whole models in beam search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from myths.lab.setting import Count, Items, Range, Seed, check_divides
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.lightweight_conv.layer_names import Layer

GIB = 2**30
TIMES = frozenset(
    {"status", "seconds", "q25_seconds", "q75_seconds", "repeats", "first_call_seconds", "peak_bytes", "tokens_per_second"}
    | {"sentences_per_second", "predicted_seconds", "relative_error"}
)


@dataclass(frozen=True, kw_only=True)
class _SpeedTrial(Trial):
    """Base class of trials that time layers, interleaved with full self-attention, in their own process.

    All layers have the same dtype, and random weights and inputs. The cost of a layer does not depend on its weights.
    """

    nondeterministic_columns: ClassVar[frozenset[str]] = TIMES
    exclusive: ClassVar[bool] = True
    memory_limit_bytes: ClassVar[int | None] = 12 * GIB

    layers: Annotated[tuple[Layer, ...], Items()]
    """Layers that are timed in addition to "attention"."""
    length: Count
    """Number of tokens per sequence."""
    heads: Count = 4
    """Number of attention heads. Must divide ``embed_dim``."""
    embed_dim: Count = 256
    """Embedding dimension of the model."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Floating-point format."""
    threads: Annotated[int, Range(at_least=1, also=(0, "those of the run"))] = 0
    """Number of threads of torch."""
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Raise UsageError if ``heads`` does not divide ``embed_dim``."""
        super().__post_init__()
        check_divides(self, "heads", "embed_dim")

    @property
    def protocol(self) -> Protocol:
        """Protocol of the paper with 1,024 channels in 16 heads; stand-in below 128 channels."""
        if (self.embed_dim, self.heads) == (1024, 16):
            return "paper"
        return "reduced" if self.embed_dim >= 128 else "stand-in"


@dataclass(frozen=True, kw_only=True)
class TimeLayer(_SpeedTrial):
    """Measure time and memory of one layer, or of a block (layer, feed-forward layer, normalizations), on sequences of one length.

    The batch has as many sequences of ``length`` as ``batch_tokens`` allows, at least one. "training" is a forward and a backward pass.
    """

    kernel_size: Count = 31
    """Kernel size of the convolutions, and window size of windowed attention."""
    batch_tokens: Count = 8192
    """Number of tokens per batch."""
    direction: Literal["forward", "training"] = "training"
    """Forward pass only, or forward and backward pass."""
    block: bool = False
    """Whether to time the whole block instead of the layer."""
    causal: bool = False
    """Whether positions depend on earlier positions only."""

    @property
    def relative_cost(self) -> float:
        """Cost of attention, up to the length at which it exceeds the time limit."""
        return 1 + min(self.length, 8192) / 1024 * (2 if self.direction == "training" else 1) * len(self.layers) / 4

    @property
    def columns(self) -> Mapping[str, Any]:
        """Columns of the tables that follow from the settings."""
        return {**super().columns, "scope": "block" if self.block else "layer", "layer": ("attention", *self.layers)}

    @classmethod
    def test_instance(cls) -> TimeLayer:
        """Return a trial of two layers on 16 positions."""
        return cls(layers=("lightweight", "dynamic"), length=16, embed_dim=16, batch_tokens=32)

    def run(self, context: Context) -> Outcome:
        """Return one row per layer: status, median and quartiles of the time, peak memory and relative error."""
        from myths.lightweight_conv.measure_speed import Setup, time_layers, torch_threads

        setup = Setup(
            channels=self.embed_dim,
            heads=self.heads,
            kernel_size=self.kernel_size,
            dtype=self.dtype,
            tokens=self.batch_tokens,
            block=self.block,
            causal=self.causal,
            training=self.direction == "training",
        )
        with torch_threads(self.threads):
            return Outcome(rows=time_layers(self.layers, self.length, setup, context))


@dataclass(frozen=True, kw_only=True)
class TimeDecoding(_SpeedTrial):
    """Measure sentences per second of whole models in beam search (Wu et al. 2019, Table 3: beam size 4, batch size 256)."""

    ffn_dim: Count = 1024
    """Hidden dimension of the feed-forward layers."""
    encoder_layers: Count = 3
    """Number of layers of the encoder."""
    decoder_layers: Count = 6
    """Number of layers of the decoder."""
    vocabulary_size: Count = 4000
    """Size of the vocabulary."""
    batch_size: Count = 32
    """Number of sentences per batch."""
    beam_size: Count = 4
    """Beam size of the beam search."""

    @property
    def relative_cost(self) -> float:
        """Number of positions times number of weights."""
        return self.batch_size * self.length * self.embed_dim * self.ffn_dim * (self.encoder_layers + self.decoder_layers) / 1e9

    @classmethod
    def test_instance(cls) -> TimeDecoding:
        """Return a trial of two sentences and a small model."""
        return cls(
            layers=("dynamic",), length=4, embed_dim=16, ffn_dim=16, encoder_layers=1, decoder_layers=1, vocabulary_size=50, batch_size=2
        )

    def run(self, context: Context) -> Outcome:
        """Return one row per layer: status, median and quartiles of the time, sentences per second and number of parameters."""
        from myths.lab.language.transformer import TransformerConfig
        from myths.lightweight_conv.measure_speed import Decoding, time_decoding, torch_threads

        config = TransformerConfig(
            vocabulary=self.vocabulary_size,
            embed_dim=self.embed_dim,
            ffn_dim=self.ffn_dim,
            heads=self.heads,
            encoder_layers=self.encoder_layers,
            decoder_layers=self.decoder_layers,
            max_length=self.length + 1,
        )
        decoding = Decoding(config, sentences=self.batch_size, length=self.length, beam=self.beam_size, dtype=self.dtype)
        with torch_threads(self.threads):
            return Outcome(rows=time_decoding(self.layers, decoding, context))
