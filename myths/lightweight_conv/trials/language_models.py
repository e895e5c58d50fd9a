"""Train a decoder-only language model with one kind of layer (Wu et al. 2019, Sec. 6.2)."""

from __future__ import annotations

import math
from collections.abc import Iterator
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
    """Train a language model with one kind of layer and measure its perplexity.

    "tinyshakespeare" uses 90 % for training and 5 % each for validation and test. "ptb" uses the first 6,778 lines of its training set.
    "wikitext2" uses 90 % of its validation set for training, because its training set is not available.
    """

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"train_seconds", "tokens_per_second"})
    rows_only: ClassVar[tuple[str, ...]] = ("candidates",)

    dataset: Corpus = "tinyshakespeare"
    """Name of the text in `myths data list`."""
    layer: Layer
    """Layer that replaces self-attention."""
    embed_dim: Count = 128
    """Embedding dimension of the model."""
    ffn_dim: Count = 512
    """Hidden dimension of the feed-forward layers."""
    heads: Count = 4
    """Number of attention heads. Must divide ``embed_dim``."""
    layers: Count = 3
    """Number of layers."""
    subwords: Subwords = 0
    """Size of the subword vocabulary; 0 uses characters."""
    context_length: Count = 128
    """Number of tokens per sequence, which is the maximum context of a prediction."""
    updates: Count
    """Number of training steps."""
    batch_size: Count = 32
    """Number of sequences per training step."""
    learning_rate: LearningRate = 2e-3
    warmup: Count = 100
    """Number of warm-up steps of the learning rate."""
    dropout: Dropout = 0.1
    weight_dropout: Dropout = 0.1
    """Dropout rate of attention weights, and DropConnect rate of kernels."""
    weight_decay: WeightDecay = 0.01
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Floating-point precision; "auto" is bf16 where it is faster."""
    candidates: tuple[TrainLanguageModel, ...] = ()
    """Training runs with other learning rates. That of the smallest validation loss is used; without candidates, ``learning_rate`` is."""
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Raise UsageError if ``heads`` does not divide ``embed_dim``."""
        super().__post_init__()
        check_divides(self, "heads", "embed_dim")

    @property
    def protocol(self) -> Protocol:
        """Reduced, because the paper uses Billion Word."""
        return "stand-in" if self.dataset in SYNTHETIC else "reduced"

    @property
    def relative_cost(self) -> float:
        """Number of training tokens times number of weights."""
        weights = self.layers * self.embed_dim * (4 * self.embed_dim + 2 * self.ffn_dim) + self.embed_dim * max(self.subwords, 60)
        return self.updates * self.batch_size * self.context_length * weights / 1e12

    @property
    def data(self) -> tuple[str, ...]:
        """Names of the texts."""
        return CORPUS_FILES.get(self.dataset, ())

    @classmethod
    def test_instance(cls) -> TrainLanguageModel:
        """Return a trial with a few updates on number words."""
        small: dict[str, Any] = {"embed_dim": 16, "ffn_dim": 16, "heads": 2, "layers": 1, "context_length": 32, "batch_size": 4}
        return cls(dataset="numbers", layer="lightweight", updates=5, **small)

    def skip_reason(self) -> str | None:
        """Return a reason for datasets that are not available."""
        return UNAVAILABLE.get(self.dataset)

    def run(self, context: Context) -> Outcome:
        """Return one row: test loss per token in nats, perplexity, bits per byte, validation perplexity, number of parameters and speed."""
        import torch

        from myths.lab.language.training import TrainConfig, fit, move_batches
        from myths.lab.language.transformer import parameters
        from myths.lab.measurement.device import precision_of
        from myths.lightweight_conv.trials.learning_rates import selected_learning_rate

        streams, size, test_bytes = self.streams(context.device)
        model = self.initial_network(context, size)
        config = TrainConfig(
            updates=self.updates,
            learning_rate=selected_learning_rate(self, context),
            warmup=self.warmup,
            schedule="linear",
            label_smoothing=0.0,
            weight_decay=self.weight_decay,
            clip=1.0,
            precision=precision_of(context.device, self.precision),
        )
        starts = _starts(len(streams["train"]) - self.context_length, self.batch_size, context.generator("order"))
        predict = partial(_predict, model, streams["train"], self.context_length)
        with context.seed_torch("dropout"):
            done = fit(model, predict, move_batches(starts, context.device), config, device=context.device)
        row: dict[str, Any] = {
            "parameters": parameters(model),
            "vocabulary_size": size,
            "n_train": len(streams["train"]) - 1,
            "n_test": len(streams["test"]) - 1,
            "train_seconds": done.seconds,
            "tokens_per_second": done.tokens / done.seconds,
            "learning_rate": config.learning_rate,
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
                "valid_loss_nats": valid,
                "valid_perplexity": math.exp(valid),
                "bits_per_byte": test * row["n_test"] / math.log(2) / test_bytes,
            }
        return Outcome(rows=[row])

    def streams(self, device: str) -> tuple[dict[str, Tensor], int, int]:
        """Return the token ids of each part (BOS, then lines that end with EOS), the vocabulary size and the bytes of the test set."""
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
        """Return the initialized model."""
        from myths.lab.language.transformer import LanguageModel, TransformerConfig
        from myths.lightweight_conv.layers import builder

        config = TransformerConfig(
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
            return LanguageModel(config, build)


def language_model_kernel_sizes(layers: int) -> tuple[int, ...]:
    """Return the kernel size of each layer in the proportions of the paper: of 17 layers, 2 have 15, 4 have 31 and 11 have 63."""
    return tuple(15 if 17 * i < 2 * layers else 31 if 17 * i < 6 * layers else 63 for i in range(layers))


def _starts(n: int, batch: int, order: torch.Generator) -> Iterator[tuple[Tensor]]:
    """Yield minibatches of random positions in a text, at which sequences start, without end."""
    import torch

    while True:
        yield (torch.randint(max(1, n), (batch, 1), generator=order),)


def _predict(model: LanguageModel, stream: Tensor, context: int, starts: Tensor) -> Prediction:
    """Return the logits of the tokens of the sequences of ``context`` tokens that start at some positions of a text."""
    import torch

    from myths.lab.language.training import Prediction

    offsets = torch.arange(context + 1, device=stream.device)
    tokens = stream[(starts + offsets).clamp_max(len(stream) - 1)]
    return Prediction(model(tokens[:, :-1]), tokens[:, 1:])


def _nats(model: LanguageModel, stream: Tensor, context: int, precision: Any) -> float:
    """Return the mean loss per token in nats over a text that is split into consecutive sequences of ``context`` tokens."""
    import torch
    import torch.nn.functional as F

    from myths.lab.language.vocabulary import PAD
    from myths.lab.measurement.device import autocast

    asked = F.pad(stream[1:], (0, -(len(stream) - 1) % context), value=PAD).unflatten(0, (-1, context))
    given = F.pad(stream[:-1], (0, -(len(stream) - 1) % context), value=PAD).unflatten(0, (-1, context))
    model.eval()
    losses = []
    for some in range(0, len(asked), 64):
        with autocast(str(stream.device), precision):
            logits = model(given[some : some + 64])
        each = F.cross_entropy(logits.float().transpose(1, 2), asked[some : some + 64], ignore_index=PAD, reduction="sum")
        losses.append(each)
    return float(torch.stack(losses).cpu().double().sum()) / (len(stream) - 1)
