"""Transformer (encoder–decoder or decoder-only) with an exchangeable token-mixing layer.

Residual branches use pre-layer-normalization ("layer"), an elementwise function in its place ("dyt" or "derf", see
``myths.lab.dynamic_tanh``), no normalization ("none"), or Fixup ("fixup").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from myths.lab.dynamic_tanh import DynamicErf, DynamicTanh
from myths.lab.errors import UsageError
from myths.lab.language.attention import CrossAttention
from myths.lab.language.mixer import State, TokenMixer, TokenMixerBuilder

Normalization = Literal["layer", "fixup", "none", "dyt", "derf"]


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Size of a transformer.

    ``heads`` is the number of heads of the encoder–decoder attention, ``max_length`` the maximum sequence length. With ``tied``, source
    embedding, target embedding and output layer share one matrix.
    """

    vocabulary: int
    embed_dim: int
    ffn_dim: int
    heads: int
    encoder_layers: int
    decoder_layers: int
    max_length: int
    dropout: float = 0.1
    normalization: Normalization = "layer"
    tied: bool = True

    @property
    def branches(self) -> int:
        """Number of residual branches (L of Fixup): two per encoder layer, three per decoder layer (two without an encoder)."""
        return 2 * self.encoder_layers + (3 if self.encoder_layers else 2) * self.decoder_layers


@dataclass(frozen=True)
class DecodingState:
    """State of incremental decoding. ``self_states``: one per layer, [b·beam, …]; ``cross_memories``: the encoder's, [b, …]."""

    position: int
    self_states: tuple[State, ...]
    cross_memories: tuple[State, ...]
    mask: Tensor | None

    def reordered(self, order: Int64[Tensor, " rows"]) -> DecodingState:
        """Return the state with hypotheses reordered within their sentences."""
        self_states = tuple(tuple(part.index_select(0, order) for part in state) for state in self.self_states)
        return DecodingState(self.position, self_states, self.cross_memories, self.mask)


class EncoderDecoder(nn.Module):
    """Encoder–decoder transformer: logits of each target token given the source and the previous target tokens.

    Raises:
        UsageError: A sequence is longer than ``config.max_length``.
    """

    def __init__(self, config: TransformerConfig, build: TokenMixerBuilder):
        super().__init__()
        self.config = config
        self.embed = Embedding(config)
        self.encoder = Stack(config, [build(i, causal=False) for i in range(config.encoder_layers)], cross=False)
        self.encoded = _normalization(config)
        self.decoder = Stack(config, [build(i, causal=True) for i in range(config.decoder_layers)], cross=True)
        self.logits = Logits(config, self.embed)
        initialize(self, config)

    def forward(
        self, source: Int64[Tensor, "b n"], mask: Bool[Tensor, "b n"] | None, target: Int64[Tensor, "b m"]
    ) -> Float[Tensor, "b m v"]:
        """Return the logits. ``mask`` is False for padding of the source; padding at the end of targets needs no mask."""
        return self.logits(self.decoder(self.embed(target), None, self.decoder.precompute_memory(self.encode(source, mask)), mask))

    def encode(self, source: Int64[Tensor, "b n"], mask: Bool[Tensor, "b n"] | None) -> Float[Tensor, "b n d"]:
        """Return the encoder output."""
        return self.encoded(self.encoder(self.embed(source), mask))

    def begin(self, source: Int64[Tensor, "b n"], mask: Bool[Tensor, "b n"] | None, beam: int = 1) -> DecodingState:
        """Encode the source and return the state before the first target token, for ``beam`` hypotheses per sentence."""
        encoded = self.encode(source, mask)
        return DecodingState(0, self.decoder.start(len(source) * beam, encoded), self.decoder.precompute_memory(encoded), mask)

    def step(self, tokens: Int64[Tensor, " rows"], state: DecodingState) -> tuple[Float[Tensor, "rows v"], DecodingState]:
        """Return the logits of the next token. ``tokens`` are the last tokens of all hypotheses, grouped by sentence."""
        x = self.embed(tokens[:, None], first=state.position)[:, 0]
        x, self_states = self.decoder.step(x, state.self_states, state.cross_memories, state.mask)
        return self.logits(x), DecodingState(state.position + 1, self_states, state.cross_memories, state.mask)


class LanguageModel(nn.Module):
    """Decoder-only transformer: logits of each token given the previous ones.

    Raises:
        UsageError: A sequence is longer than ``config.max_length``.
    """

    def __init__(self, config: TransformerConfig, build: TokenMixerBuilder):
        super().__init__()
        self.config = config
        self.embed = Embedding(config)
        self.decoder = Stack(config, [build(i, causal=True) for i in range(config.decoder_layers)], cross=False)
        self.logits = Logits(config, self.embed)
        initialize(self, config)

    def forward(self, tokens: Int64[Tensor, "b n"]) -> Float[Tensor, "b n v"]:
        """Return the logits of the token after each of ``tokens``."""
        return self.logits(self.decoder(self.embed(tokens), None))


class Embedding(nn.Module):
    """Token embedding times √d plus sinusoidal position encoding, with dropout (Vaswani et al. 2017, Sec. 3.4 and 3.5)."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.tokens = nn.Embedding(config.vocabulary, config.embed_dim)
        self.dropout = nn.Dropout(config.dropout)
        self.register_buffer("positions", sinusoids(config.max_length, config.embed_dim), persistent=False)

    def forward(self, tokens: Int64[Tensor, "b n"], first: int = 0) -> Float[Tensor, "b n d"]:
        """Embed tokens; ``first`` is the position of the first token."""
        positions = self.get_buffer("positions")
        if (last := first + tokens.shape[1]) > len(positions):
            raise UsageError(f"Sequence of {last} tokens exceeds the maximum length {len(positions)} of the model: increase `max_length`")
        return self.dropout(self.tokens(tokens) * math.sqrt(positions.shape[1]) + positions[first:last])


class Logits(nn.Module):
    """Final normalization and linear output layer."""

    def __init__(self, config: TransformerConfig, embed: Embedding):
        super().__init__()
        self.normalize = _normalization(config)
        self.classify = nn.Linear(config.embed_dim, config.vocabulary, bias=False)
        if config.tied:
            self.classify.weight = embed.tokens.weight

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b v"]:
        """Return the logits."""
        return self.classify(self.normalize(x))


class Stack(nn.Module):
    """A stack of transformer layers."""

    def __init__(self, config: TransformerConfig, mixers: Sequence[TokenMixer], *, cross: bool):
        super().__init__()
        self.blocks = nn.ModuleList(Block(config, mixer, cross=cross) for mixer in mixers)

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        mask: Bool[Tensor, "b n"] | None,
        cross_memories: Sequence[State] = (),
        memory_mask: Tensor | None = None,
    ) -> Float[Tensor, "b n d"]:
        """Apply all layers. ``mask`` and ``memory_mask`` are False for padding; ``cross_memories`` has one entry per layer."""
        for i, block in enumerate(self.blocks):
            x = block(x, mask, cross_memories[i] if cross_memories else None, memory_mask)
        return x

    def precompute_memory(self, encoded: Float[Tensor, "b n d"]) -> tuple[State, ...]:
        """Return keys and values of the encoder output for each layer."""
        return tuple(block.cross.precompute_memory(encoded) for block in self._typed())

    def start(self, rows: int, like: Tensor) -> tuple[State, ...]:
        """Return the state of each mixer before the first position."""
        return tuple(block.mixer.start(rows, like.device, like.dtype) for block in self._typed())

    def step(
        self, x: Float[Tensor, "rows d"], self_states: Sequence[State], cross_memories: Sequence[State], mask: Tensor | None
    ) -> tuple[Float[Tensor, "rows d"], tuple[State, ...]]:
        """Process one position in all layers."""
        after = []
        for i, (block, state) in enumerate(zip(self._typed(), self_states, strict=True)):
            x, state = block.step(x, state, cross_memories[i] if cross_memories else None, mask)
            after.append(state)
        return x, tuple(after)

    def _typed(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]


class Block(nn.Module):
    """A transformer layer: token mixer, encoder–decoder attention (decoder only) and feed-forward network, each a residual branch."""

    def __init__(self, config: TransformerConfig, mixer: TokenMixer, *, cross: bool):
        super().__init__()
        self.mixer, self.mix = mixer, ResidualBranch(config)
        if cross:
            self.cross, self.look = CrossAttention(config.embed_dim, config.heads, dropout=config.dropout), ResidualBranch(config)
        self.feed_forward, self.feed = FeedForward(config), ResidualBranch(config)

    def forward(
        self, x: Float[Tensor, "b n d"], mask: Tensor | None, memory: State | None = None, memory_mask: Tensor | None = None
    ) -> Float[Tensor, "b n d"]:
        """Process all positions."""
        x = self.mix(x, lambda z: self.mixer(z, mask))
        if memory is not None:
            x = self.look(x, lambda z: self.cross(z, memory, memory_mask))
        return self.feed(x, self.feed_forward)

    def step(
        self, x: Float[Tensor, "rows d"], state: State, memory: State | None, mask: Tensor | None
    ) -> tuple[Float[Tensor, "rows d"], State]:
        """Process one position. All hypotheses of a sentence share its encoder memory."""
        after: list[State] = []

        def mix(z: Tensor) -> Tensor:
            mixed, new = self.mixer.step(z, state)
            after.append(new)
            return mixed

        x = self.mix(x, mix)
        if memory is not None:
            sentences = len(memory[0])
            x = self.look(x, lambda z: self.cross(z.unflatten(0, (sentences, -1)), memory, mask).flatten(0, 1))
        return self.feed(x, self.feed_forward), after[0]


class ResidualBranch(nn.Module):
    """Residual branch x + f(x), with layer normalization or an elementwise function before f, or the scalars of Fixup around it."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        self.before = _normalization(config)
        self.after: nn.Module = ScalarMultiplier() if config.normalization == "fixup" else nn.Identity()

    def forward(self, x: Float[Tensor, "*b d"], f: Callable[[Tensor], Tensor]) -> Float[Tensor, "*b d"]:
        """Return the residual sum."""
        return x + self.after(self.dropout(f(self.before(x))))


class FeedForward(nn.Module):
    """Position-wise feed-forward network (linear, ReLU, linear). With Fixup, scalar biases replace the biases."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        fixup = config.normalization == "fixup"
        self.fc1 = nn.Linear(config.embed_dim, config.ffn_dim, bias=not fixup)
        self.fc2 = nn.Linear(config.ffn_dim, config.embed_dim, bias=not fixup)
        self.shift1: nn.Module = ScalarBias() if fixup else nn.Identity()
        self.shift2: nn.Module = ScalarBias() if fixup else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """Return a tensor of the same shape."""
        return self.fc2(self.shift2(self.dropout(F.relu(self.shift1(self.fc1(x))))))


class ScalarBias(nn.Module):
    """Learned scalar bias, initialized to 0."""

    def __init__(self) -> None:
        super().__init__()
        self.scalar = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape."""
        return x + self.scalar


class ScalarMultiplier(nn.Module):
    """Learned scalar multiplier, initialized to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.scalar = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape."""
        return x * self.scalar


def initialize(model: nn.Module, config: TransformerConfig) -> None:
    """Initialize linear layers by Xavier, biases by 0, embeddings by N(0, 1/d), and apply Fixup if configured.

    Fixup (Zhang et al. 2019, Sec. 4, and their fairseq code): the last linear layer of each branch is 0. The first one is scaled by
    L^(-1/2) in feed-forward networks and by L^(-1/6) in attention (queries, keys and values), for L residual branches. An untied output
    layer is 0. Other than in their code, attention keeps its biases.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, Embedding):
            nn.init.normal_(module.tokens.weight, std=config.embed_dim**-0.5)
    if config.normalization != "fixup":
        return
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, FeedForward):
                module.fc1.weight *= config.branches**-0.5
                module.fc2.weight.zero_()
            elif isinstance(module, TokenMixer | CrossAttention):
                module.project_in.weight *= config.branches ** (-1 / 6)
                module.project_out.weight.zero_()
                if isinstance(module, CrossAttention):
                    module.query.weight *= config.branches ** (-1 / 6)
            elif isinstance(module, Logits) and not config.tied:
                module.classify.weight.zero_()


def sinusoids(length: int, embed_dim: int) -> Float[Tensor, "length channels"]:
    """Return the sinusoidal position encoding: wavelengths from 2π to 10,000·2π (Vaswani et al. 2017, Sec. 3.5)."""
    position = torch.arange(length, dtype=torch.float32)[:, None]
    angle = position * torch.exp(torch.arange(0, embed_dim, 2, dtype=torch.float32) * (-math.log(10_000.0) / embed_dim))
    table = torch.zeros(length, embed_dim)
    table[:, 0::2], table[:, 1::2] = angle.sin(), angle.cos()[:, : embed_dim // 2]
    return table


def parameters(model: nn.Module) -> int:
    """Return the number of trained parameters; shared ones count once."""
    return sum(p.numel() for p in model.parameters())


_BY_CHANNEL: Mapping[str, Callable[[int], nn.Module]] = {"layer": nn.LayerNorm, "dyt": DynamicTanh, "derf": DynamicErf}


def _normalization(config: TransformerConfig) -> nn.Module:
    if config.normalization in _BY_CHANNEL:
        return _BY_CHANNEL[config.normalization](config.embed_dim)
    return ScalarBias() if config.normalization == "fixup" else nn.Identity()
