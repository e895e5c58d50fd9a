"""How long the layers take: one layer or a whole block against the length, and whole models at translating."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from myths.lab.setting import Count, Items, Seed, check_divides
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.lightweight_conv.layer_names import Layer

GIB = 2**30
TIMES = frozenset(
    {"status", "seconds", "q25_seconds", "q75_seconds", "repeats", "first_call_seconds", "peak_bytes", "tokens_per_second"}
    | {"sentences_per_second", "predicted_seconds", "relative_error"}
)


@dataclass(frozen=True, kw_only=True)
class _SpeedTrial(Trial):
    """Layers and, in turns with them, full self-attention (the quicker of fused and plain), in a process of their own.

    All in one dtype, with random weights and inputs: what a layer costs does not depend on what it has learnt.
    """

    nondeterministic_columns: ClassVar[frozenset[str]] = TIMES
    exclusive: ClassVar[bool] = True
    memory_limit_bytes: ClassVar[int | None] = 12 * GIB

    layers: Annotated[tuple[Layer, ...], Items()]
    """Timed beside "attention", which need not be named."""
    length: Count
    """Tokens of a sequence."""
    heads: Count = 4
    """Attention heads; a divisor of the channels."""
    embed_dim: Count = 256
    """Channels of the model."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Number format."""
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Raises UsageError for heads that do not divide the channels."""
        super().__post_init__()
        check_divides(self, "heads", "embed_dim")

    @property
    def protocol(self) -> Protocol:
        """The paper's models have 1,024 channels in 16 heads; a toy of less than 128 channels stands in for nothing."""
        if (self.embed_dim, self.heads) == (1024, 16):
            return "paper"
        return "reduced" if self.embed_dim >= 128 else "stand-in"


@dataclass(frozen=True, kw_only=True)
class TimeLayer(_SpeedTrial):
    """Seconds and memory of one layer, or of a ``block`` (layer, feed-forward, normalizations), on a batch of equal sequences.

    The batch holds ``tokens`` positions, so many sequences of ``length`` (one at least). "training" is forward and backward.
    """

    kernel_size: Count = 31
    """Kernel size of the convolutions."""
    batch_tokens: Count = 8192
    """Tokens of a batch."""
    direction: Literal["forward", "training"] = "training"
    """Forward pass alone, or forward and backward."""
    block: bool = False
    """Whether the whole block is timed, or the layer alone."""
    causal: bool = False
    """Whether a position sees only earlier ones."""

    @property
    def relative_cost(self) -> float:
        """Grows with what attention computes, up to the length from which that is over budget."""
        return 1 + min(self.length, 8192) / 1024 * (2 if self.direction == "training" else 1) * len(self.layers) / 4

    @property
    def columns(self) -> Mapping[str, Any]:
        """What tables say of the trial that its settings alone decide."""
        return {**super().columns, "scope": "block" if self.block else "layer", "layer": ("attention", *self.layers)}

    @classmethod
    def test_instance(cls) -> TimeLayer:
        """Two layers on 16 positions."""
        return cls(layers=("lightweight", "dynamic"), length=16, embed_dim=16, batch_tokens=32)

    def run(self, context: Context) -> Outcome:
        """A row a layer: status, median and quartiles, memory, error of the result."""
        from myths.lightweight_conv.measure_speed import Setup, time_layers

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
        return Outcome(rows=time_layers(self.layers, self.length, setup, context))


@dataclass(frozen=True, kw_only=True)
class TimeDecoding(_SpeedTrial):
    """Sentences a second of whole models at beam search, all of ``length`` tokens (Wu et al. 2019, Table 3, has beam 4, batch 256)."""

    ffn_dim: Count = 1024
    """Channels inside the feed-forward layers."""
    encoder_layers: Count = 3
    """Layers of the encoder."""
    decoder_layers: Count = 6
    """Layers of the decoder."""
    vocabulary_size: Count = 4000
    """Size of the vocabulary."""
    batch_size: Count = 32
    """Sentences per batch."""
    beam_size: Count = 4
    """Width of the beam search."""

    @property
    def relative_cost(self) -> float:
        """Positions times weights."""
        return self.batch_size * self.length * self.embed_dim * self.ffn_dim * (self.encoder_layers + self.decoder_layers) / 1e9

    @classmethod
    def test_instance(cls) -> TimeDecoding:
        """Two sentences by a small model."""
        return cls(
            layers=("dynamic",), length=4, embed_dim=16, ffn_dim=16, encoder_layers=1, decoder_layers=1, vocabulary_size=50, batch_size=2
        )

    def run(self, context: Context) -> Outcome:
        """A row a layer: status, median and quartiles, sentences a second, parameters."""
        from myths.lab.language.transformer import TransformerConfig
        from myths.lightweight_conv.measure_speed import Decoding, time_decoding

        shape = TransformerConfig(
            vocabulary=self.vocabulary_size,
            embed_dim=self.embed_dim,
            ffn_dim=self.ffn_dim,
            heads=self.heads,
            encoder_layers=self.encoder_layers,
            decoder_layers=self.decoder_layers,
            max_length=self.length + 1,
        )
        decoding = Decoding(shape, sentences=self.batch_size, length=self.length, beam=self.beam_size, dtype=self.dtype)
        return Outcome(rows=time_decoding(self.layers, decoding, context))
