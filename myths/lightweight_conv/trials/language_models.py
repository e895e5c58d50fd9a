"""Train a decoder-only language model with one kind of layer (Wu et al. 2019, Sec. 6.2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from myths.lab.setting import Count, Dropout, LearningRate, Seed, Subwords, WeightDecay, check_divides
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.lightweight_conv.corpora import SYNTHETIC, UNAVAILABLE
from myths.lightweight_conv.layer_names import Layer

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from myths.lab.language.training import Prediction
    from myths.lab.language.transformer import LanguageModel

Corpus = Literal["tinyshakespeare", "ptb", "wikitext2", "numbers", "billion_word"]

CORPUS_FILES: dict[str, tuple[str, ...]] = {
    "tinyshakespeare": ("tinyshakespeare",),
    "ptb": ("ptb.train_first6778lines", "ptb.valid", "ptb.test"),
    "wikitext2": ("wikitext2.valid", "wikitext2.test"),
}


@dataclass(frozen=True, kw_only=True)
class TrainLanguageModel(Trial):
    """Perplexity of a language model in which only the self-attention sub-layer differs.

    "tinyshakespeare" goes by characters: nine tenths to train on, a twentieth each to validate and to test on. "ptb" has the first 6,778
    lines of its training part; "wikitext2" has none, so it is trained on nine tenths of the validation part.
    """

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"train_seconds", "tokens_per_second"})

    dataset: Corpus = "tinyshakespeare"
    """Text, as `myths data list` names it."""
    layer: Layer
    """Layer that takes the place of self-attention."""
    embed_dim: Count = 128
    """Channels of the model."""
    ffn_dim: Count = 512
    """Channels inside the feed-forward layers."""
    heads: Count = 4
    """Attention heads; a divisor of the channels."""
    layers: Count = 3
    """Layers of the model."""
    subwords: Subwords = 0
    """Size of the vocabulary; 0 takes characters."""
    context_length: Count = 128
    """Tokens that are predicted together; none sees further back."""
    updates: Count
    """Number of training steps."""
    batch_size: Count = 32
    """Sequences per step."""
    learning_rate: LearningRate = 2e-3
    warmup: Count = 100
    """Steps over which the learning rate rises."""
    dropout: Dropout = 0.1
    weight_dropout: Dropout = 0.1
    """Dropout of attention weights, and DropConnect of kernels."""
    weight_decay: WeightDecay = 0.01
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Precision of the arithmetic; auto is bf16 where the device has it."""
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Raises UsageError for heads that do not divide the channels."""
        super().__post_init__()
        check_divides(self, "heads", "embed_dim")

    @property
    def protocol(self) -> Protocol:
        """Reduced: the paper has Billion Word."""
        return "stand-in" if self.dataset in SYNTHETIC else "reduced"

    @property
    def relative_cost(self) -> float:
        """Tokens seen times weights."""
        weights = self.layers * self.embed_dim * (4 * self.embed_dim + 2 * self.ffn_dim) + self.embed_dim * max(self.subwords, 60)
        return self.updates * self.batch_size * self.context_length * weights / 1e12

    @property
    def data(self) -> tuple[str, ...]:
        """The texts."""
        return CORPUS_FILES.get(self.dataset, ())

    @classmethod
    def test_instance(cls) -> TrainLanguageModel:
        """A few updates on number words."""
        return cls(
            dataset="numbers", layer="lightweight", embed_dim=16, ffn_dim=16, heads=2, layers=1, context_length=32, batch_size=4, updates=5
        )

    def skip_reason(self) -> str | None:
        """Data sets that the suite does not bring."""
        return UNAVAILABLE.get(self.dataset)

    def run(self, context: Context) -> Outcome:
        """One row: nats a token, perplexity and bits a byte of the test part, perplexity of validation, parameters, speed."""
        import torch

        from myths.lab.device import precision_of
        from myths.lab.language.training import TrainConfig, fit
        from myths.lab.language.transformer import parameters

        streams, size, test_bytes = self.streams(context.device)
        model = self.initial_network(context, size)
        config = TrainConfig(
            updates=self.updates,
            learning_rate=self.learning_rate,
            warmup=self.warmup,
            schedule="linear",
            label_smoothing=0.0,
            weight_decay=self.weight_decay,
            clip=1.0,
            precision=precision_of(context.device, self.precision),
        )
        windows = _windows(model, streams["train"], self.context_length, self.batch_size, context.generator("order"))
        with context.seed_torch("dropout"):
            done = fit(model, windows, config, device=context.device)
        row: dict[str, Any] = {
            "parameters": parameters(model),
            "vocabulary_size": size,
            "n_train": len(streams["train"]) - 1,
            "n_test": len(streams["test"]) - 1,
            "train_seconds": done.seconds,
            "tokens_per_second": done.tokens / done.seconds,
            "train_loss": done.loss,
            "diverged_at": done.diverged_at,
            "precision": config.precision,
        }
        if done.diverged_at is None:
            with torch.inference_mode():
                valid, test = (_nats(model, streams[part], self.context_length, config.precision) for part in ("val", "test"))
            row |= {
                "test_loss_nats": test,
                "perplexity": math.exp(test),
                "valid_perplexity": math.exp(valid),
                "bits_per_byte": test * row["n_test"] / math.log(2) / test_bytes,
            }
        return Outcome(rows=[row])

    def streams(self, device: str) -> tuple[dict[str, Tensor], int, int]:
        """Token numbers of each part after BOS, EOS at each line's end; the size of the vocabulary; the bytes of the test part."""
        import numpy as np
        import torch

        from myths.lab.language.vocabulary import BOS, EOS, Characters, Subwords
        from myths.lightweight_conv.corpora import running_text

        parts = running_text(self.dataset)
        vocabulary = Subwords.learn(parts["train"], self.subwords) if self.subwords else Characters(parts["train"])
        streams = {}
        for part, lines in parts.items():
            numbers = np.concatenate([[BOS], *(np.append(line, EOS) for line in vocabulary.encode(lines))])
            streams[part] = torch.from_numpy(numbers.astype(np.int64)).to(device)
        return streams, vocabulary.size, sum(len(line.encode()) + 1 for line in parts["test"])

    def initial_network(self, context: Context, vocabulary: int) -> LanguageModel:
        """The model before training."""
        from myths.lab.language.transformer import LanguageModel, TransformerConfig
        from myths.lightweight_conv.layers import builder

        shape = TransformerConfig(
            vocabulary=vocabulary,
            embed_dim=self.embed_dim,
            ffn_dim=self.ffn_dim,
            heads=self.heads,
            encoder_layers=0,
            decoder_layers=self.layers,
            max_length=self.context_length,
            dropout=self.dropout,
        )
        kernel_sizes = language_model_kernel_sizes(self.layers)
        build = builder(self.layer, channels=self.embed_dim, heads=self.heads, kernel_sizes=kernel_sizes, dropout=self.weight_dropout)
        with context.seed_torch("init"):
            return LanguageModel(shape, build)


def language_model_kernel_sizes(layers: int) -> tuple[int, ...]:
    """Kernels in the paper's proportions: of 17 layers 2 of 15, 4 of 31, 11 of 63 taps."""
    return tuple(15 if 17 * i < 2 * layers else 31 if 17 * i < 6 * layers else 63 for i in range(layers))


def _windows(
    model: LanguageModel, stream: Tensor, context: int, batch_size: int, order: torch.Generator
) -> Iterator[Callable[[], Prediction]]:
    """Endless minibatches of stretches of the text, from random places."""
    import torch

    offsets = torch.arange(context + 1, device=stream.device)
    while True:
        starts = torch.randint(max(1, len(stream) - context), (batch_size, 1), generator=order).to(stream.device)
        yield partial(_predict, model, stream[(starts + offsets).clamp_max(len(stream) - 1)])


def _predict(model: LanguageModel, tokens: Tensor) -> Prediction:
    from myths.lab.language.training import Prediction

    return Prediction(model(tokens[:, :-1]), tokens[:, 1:])


def _nats(model: LanguageModel, stream: Tensor, context: int, precision: Any) -> float:
    """Mean nats a token over the whole stream, in stretches of ``context`` that follow each other; each sees only its own."""
    import torch
    import torch.nn.functional as F

    from myths.lab.device import autocast
    from myths.lab.language.vocabulary import PAD

    asked = F.pad(stream[1:], (0, -(len(stream) - 1) % context), value=PAD).unflatten(0, (-1, context))
    given = F.pad(stream[:-1], (0, -(len(stream) - 1) % context), value=PAD).unflatten(0, (-1, context))
    model.eval()
    total = torch.zeros((), dtype=torch.float64, device="cpu")
    for some in range(0, len(asked), 64):
        with autocast(str(stream.device), precision):
            logits = model(given[some : some + 64])
        each = F.cross_entropy(logits.float().transpose(1, 2), asked[some : some + 64], ignore_index=PAD, reduction="sum")
        total += each.double().cpu()
    return float(total) / (len(stream) - 1)
