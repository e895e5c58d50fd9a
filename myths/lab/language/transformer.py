"""One transformer, encoder–decoder or decoder only, into which any self-attention sub-layer is built.

Residual branches are normalized before they begin ("layer"), not at all ("none"), or by Fixup's rules instead of normalization.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from myths.lab.errors import UsageError
from myths.lab.language.attention import CrossAttention
from myths.lab.language.mixer import Mixer, MixerBuilder, State

Normalization = Literal["layer", "fixup", "none"]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The size of a transformer. ``heads`` are those of the attention to the encoder; ``longest`` the most positions of a sequence.

    ``tied``: one matrix embeds source and target and, transposed, gives the logits.
    """

    vocabulary: int
    channels: int
    hidden: int
    heads: int
    encoder_layers: int
    decoder_layers: int
    longest: int
    dropout: float = 0.1
    normalization: Normalization = "layer"
    tied: bool = True

    @property
    def branches(self) -> int:
        """Residual branches in all, Fixup's L: two an encoder layer, three a decoder layer (two without an encoder)."""
        return 2 * self.encoder_layers + (3 if self.encoder_layers else 2) * self.decoder_layers


@dataclass(frozen=True)
class Decoding:
    """What position-by-position decoding remembers. ``selves``: a state a layer, [b·beam, …]; ``memories``: the encoder's, [b, …]."""

    position: int
    selves: tuple[State, ...]
    memories: tuple[State, ...]
    keep: Tensor | None

    def reordered(self, order: Int64[Tensor, " rows"]) -> Decoding:
        """The state of the hypotheses in another order, within their sentences."""
        selves = tuple(tuple(part.index_select(0, order) for part in state) for state in self.selves)
        return Decoding(self.position, selves, self.memories, self.keep)


class Translator(nn.Module):
    """Encoder–decoder: logits of each target token from the source and the target tokens before it.

    Raises UsageError for a sequence longer than ``shape.longest``.
    """

    def __init__(self, shape: Shape, build: MixerBuilder):
        super().__init__()
        self.shape = shape
        self.embed = Embedding(shape)
        self.encoder = Stack(shape, [build(i, causal=False) for i in range(shape.encoder_layers)], cross=False)
        self.encoded = _last(shape)
        self.decoder = Stack(shape, [build(i, causal=True) for i in range(shape.decoder_layers)], cross=True)
        self.logits = Logits(shape, self.embed)
        initialize(self, shape)

    def forward(
        self, source: Int64[Tensor, "b n"], keep: Bool[Tensor, "b n"] | None, target: Int64[Tensor, "b m"]
    ) -> Float[Tensor, "b m v"]:
        """``keep`` is False where the source is padding; padding at the end of a target is seen by no token before it."""
        return self.logits(self.decoder(self.embed(target), None, self.decoder.remember(self.encode(source, keep)), keep))

    def encode(self, source: Int64[Tensor, "b n"], keep: Bool[Tensor, "b n"] | None) -> Float[Tensor, "b n d"]:
        """The encoder's output."""
        return self.encoded(self.encoder(self.embed(source), keep))

    def begin(self, source: Int64[Tensor, "b n"], keep: Bool[Tensor, "b n"] | None, beam: int = 1) -> Decoding:
        """Encodes the source; the state before the first target token of ``beam`` hypotheses a sentence."""
        encoded = self.encode(source, keep)
        return Decoding(0, self.decoder.start(len(source) * beam, encoded), self.decoder.remember(encoded), keep)

    def step(self, tokens: Int64[Tensor, " rows"], state: Decoding) -> tuple[Float[Tensor, "rows v"], Decoding]:
        """Logits of the next token after ``tokens``, the last of each hypothesis (those of a sentence side by side)."""
        x = self.embed(tokens[:, None], first=state.position)[:, 0]
        x, selves = self.decoder.step(x, state.selves, state.memories, state.keep)
        return self.logits(x), Decoding(state.position + 1, selves, state.memories, state.keep)


class LanguageModel(nn.Module):
    """Decoder only: logits of each token from those before it. Raises UsageError for a sequence longer than ``shape.longest``."""

    def __init__(self, shape: Shape, build: MixerBuilder):
        super().__init__()
        self.shape = shape
        self.embed = Embedding(shape)
        self.decoder = Stack(shape, [build(i, causal=True) for i in range(shape.decoder_layers)], cross=False)
        self.logits = Logits(shape, self.embed)
        initialize(self, shape)

    def forward(self, tokens: Int64[Tensor, "b n"]) -> Float[Tensor, "b n v"]:
        """Logits of what follows each of ``tokens``."""
        return self.logits(self.decoder(self.embed(tokens), None))


class Embedding(nn.Module):
    """Token embedding times √d, plus fixed sinusoids of the position, with dropout (Vaswani et al. 2017, Sec. 3.4 and 3.5)."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.tokens = nn.Embedding(shape.vocabulary, shape.channels)
        self.dropout = nn.Dropout(shape.dropout)
        self.register_buffer("positions", sinusoids(shape.longest, shape.channels), persistent=False)

    def forward(self, tokens: Int64[Tensor, "b n"], first: int = 0) -> Float[Tensor, "b n d"]:
        """``first`` is the position of the first token."""
        positions = self.get_buffer("positions")
        if (last := first + tokens.shape[1]) > len(positions):
            raise UsageError(f"a sequence of {last} tokens, but the model was built for at most {len(positions)}: give a larger `longest`")
        return self.dropout(self.tokens(tokens) * math.sqrt(positions.shape[1]) + positions[first:last])


class Logits(nn.Module):
    """The decoder's last normalization and the linear map to the vocabulary."""

    def __init__(self, shape: Shape, embed: Embedding):
        super().__init__()
        self.normalize = _last(shape)
        self.classify = nn.Linear(shape.channels, shape.vocabulary, bias=False)
        if shape.tied:
            self.classify.weight = embed.tokens.weight

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b v"]:
        """Unnormalized log-probabilities."""
        return self.classify(self.normalize(x))


class Stack(nn.Module):
    """Blocks one after the other."""

    def __init__(self, shape: Shape, mixers: Sequence[Mixer], *, cross: bool):
        super().__init__()
        self.blocks = nn.ModuleList(Block(shape, mixer, cross=cross) for mixer in mixers)

    def forward(
        self, x: Float[Tensor, "b n d"], keep: Bool[Tensor, "b n"] | None, memories: Sequence[State] = (), memory_keep: Tensor | None = None
    ) -> Float[Tensor, "b n d"]:
        """``keep`` tells padding apart; ``memories`` and ``memory_keep`` are the encoder's, a memory for each block."""
        for i, block in enumerate(self.blocks):
            x = block(x, keep, memories[i] if memories else None, memory_keep)
        return x

    def remember(self, encoded: Float[Tensor, "b n d"]) -> tuple[State, ...]:
        """What the attention to the encoder of each block needs of its output."""
        return tuple(block.cross.remember(encoded) for block in self._typed())

    def start(self, rows: int, like: Tensor) -> tuple[State, ...]:
        """The state of each mixer before the first position."""
        return tuple(block.mixer.start(rows, like.device, like.dtype) for block in self._typed())

    def step(
        self, x: Float[Tensor, "rows d"], selves: Sequence[State], memories: Sequence[State], keep: Tensor | None
    ) -> tuple[Float[Tensor, "rows d"], tuple[State, ...]]:
        """One position through all blocks."""
        after = []
        for i, (block, state) in enumerate(zip(self._typed(), selves, strict=True)):
            x, state = block.step(x, state, memories[i] if memories else None, keep)
            after.append(state)
        return x, tuple(after)

    def _typed(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]


class Block(nn.Module):
    """Mix positions, look at the encoder (in a decoder), feed forward: each a residual branch."""

    def __init__(self, shape: Shape, mixer: Mixer, *, cross: bool):
        super().__init__()
        self.mixer, self.mix = mixer, Branch(shape)
        if cross:
            self.cross, self.look = CrossAttention(shape.channels, shape.heads, dropout=shape.dropout), Branch(shape)
        self.feed_forward, self.feed = FeedForward(shape), Branch(shape)

    def forward(
        self, x: Float[Tensor, "b n d"], keep: Tensor | None, memory: State | None = None, memory_keep: Tensor | None = None
    ) -> Float[Tensor, "b n d"]:
        """All positions at once."""
        x = self.mix(x, lambda z: self.mixer(z, keep))
        if memory is not None:
            x = self.look(x, lambda z: self.cross(z, memory, memory_keep))
        return self.feed(x, self.feed_forward)

    def step(
        self, x: Float[Tensor, "rows d"], state: State, memory: State | None, keep: Tensor | None
    ) -> tuple[Float[Tensor, "rows d"], State]:
        """One position. The hypotheses of a sentence look at its memory together, so that it is not copied for each."""
        after: list[State] = []

        def mix(z: Tensor) -> Tensor:
            mixed, new = self.mixer.step(z, state)
            after.append(new)
            return mixed

        x = self.mix(x, mix)
        if memory is not None:
            sentences = len(memory[0])
            x = self.look(x, lambda z: self.cross(z.unflatten(0, (sentences, -1)), memory, keep).flatten(0, 1))
        return self.feed(x, self.feed_forward), after[0]


class Branch(nn.Module):
    """x + f(x), with what keeps the sum in bounds: layer normalization before f, or Fixup's scalars around it (claims.md, Sec. 5)."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.dropout = nn.Dropout(shape.dropout)
        self.before = _last(shape)
        self.after: nn.Module = Scale() if shape.normalization == "fixup" else nn.Identity()

    def forward(self, x: Float[Tensor, "*b d"], f: Callable[[Tensor], Tensor]) -> Float[Tensor, "*b d"]:
        """The residual sum."""
        return x + self.after(self.dropout(f(self.before(x))))


class FeedForward(nn.Module):
    """Linear, ReLU, linear, on each position; with Fixup, scalar shifts stand in the place of the biases."""

    def __init__(self, shape: Shape):
        super().__init__()
        fixup = shape.normalization == "fixup"
        self.fc1 = nn.Linear(shape.channels, shape.hidden, bias=not fixup)
        self.fc2 = nn.Linear(shape.hidden, shape.channels, bias=not fixup)
        self.shift1: nn.Module = Shift() if fixup else nn.Identity()
        self.shift2: nn.Module = Shift() if fixup else nn.Identity()
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """Same shape."""
        return self.fc2(self.shift2(self.dropout(F.relu(self.shift1(self.fc1(x))))))


class Shift(nn.Module):
    """x plus one learned number, 0 at first."""

    def __init__(self) -> None:
        super().__init__()
        self.scalar = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return x + self.scalar


class Scale(nn.Module):
    """x times one learned number, 1 at first."""

    def __init__(self) -> None:
        super().__init__()
        self.scalar = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return x * self.scalar


def initialize(model: nn.Module, shape: Shape) -> None:
    """Xavier for every linear map, 0 for biases, N(0, 1/d) for embeddings; and Fixup's rules where they are asked for.

    Fixup (Zhang et al. 2019, Sec. 4, as in their fairseq code): the last map of each branch is 0; feed-forward's first is Xavier times
    L^(-1/2), attention's times L^(-1/6), with L branches in all; a classifier that is not tied to the embedding is 0.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, Embedding):
            nn.init.normal_(module.tokens.weight, std=shape.channels**-0.5)
    if shape.normalization != "fixup":
        return
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, FeedForward):
                module.fc1.weight *= shape.branches**-0.5
                module.fc2.weight.zero_()
            elif isinstance(module, Mixer | CrossAttention):
                module.project_in.weight *= shape.branches ** (-1 / 6)
                module.project_out.weight.zero_()
            elif isinstance(module, Logits) and not shape.tied:
                module.classify.weight.zero_()


def sinusoids(length: int, channels: int) -> Float[Tensor, "length channels"]:
    """Sines in the even channels, cosines in the odd, of wavelengths from 2π to 10,000·2π (Vaswani et al. 2017, Sec. 3.5)."""
    position = torch.arange(length, dtype=torch.float32)[:, None]
    angle = position * torch.exp(torch.arange(0, channels, 2, dtype=torch.float32) * (-math.log(10_000.0) / channels))
    table = torch.zeros(length, channels)
    table[:, 0::2], table[:, 1::2] = angle.sin(), angle.cos()[:, : channels // 2]
    return table


def parameters(model: nn.Module) -> int:
    """How many numbers are learnt, each counted once."""
    return sum(p.numel() for p in model.parameters())


def _last(shape: Shape) -> nn.Module:
    if shape.normalization == "layer":
        return nn.LayerNorm(shape.channels)
    return Shift() if shape.normalization == "fixup" else nn.Identity()
