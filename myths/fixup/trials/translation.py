"""A translation transformer with layer normalization, with Fixup, with neither (Zhang et al. 2019, Sec. 4.3), and with Dynamic Tanh."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from myths.fixup.trials.image_training import threads_for
from myths.lab.setting import Count, DatasetName, Dropout, LabelSmoothing, LearningRate, Seed, Subwords, check_divides
from myths.lab.trial import Context, Outcome, Protocol, Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from myths.lab.language.mixer import TokenMixer
    from myths.lab.language.parallel_corpus import Pairs
    from myths.lab.language.texts import Texts
    from myths.lab.language.training import TrainConfig
    from myths.lab.language.transformer import EncoderDecoder
    from myths.lab.language.vocabulary import Vocabulary
    from myths.lab.measurement.device import Precision

REVERSED_WORDS = "reversed_words"
"""Synthetic dataset of reversed words. It needs no download and tests no claim."""
Normalization = Literal["layer", "fixup", "none", "dyt", "derf"]
UNAVAILABLE = {"iwslt14": "the training part of IWSLT'14 German-English is not in the catalog"}


@dataclass(frozen=True, kw_only=True)
class TrainTransformer(Trial):
    """Train a translation transformer with layer normalization or without it, and measure BLEU on the test set (Table 3).

    ``normalization`` is "layer" (before each branch), "fixup" (the rules of the paper, see ``myths.lab.language.transformer``), "none"
    (the same Xavier weights without normalization), or an elementwise function in the place of layer normalization: "dyt" (Dynamic Tanh,
    Zhu et al. 2025) or "derf" (arXiv 2512.10938). All other settings are the same. ``dataset`` is "multi30k", "iwslt14" (the dataset
    of the paper, whose training set is not available) or "reversed_words" (a synthetic dataset).
    """

    dataset: DatasetName = "multi30k"
    normalization: Normalization
    """Normalization of the residual branches, or its replacement."""
    embed_dim: Count = 256
    """Embedding dimension of the model."""
    ffn_dim: Count = 1024
    """Hidden dimension of the feed-forward layers."""
    heads: Count = 4
    """Number of attention heads. Must divide ``embed_dim``."""
    layers: Count = 6
    """Number of layers of the encoder and of the decoder."""
    subwords: Subwords = 8000
    """Size of the joint subword vocabulary of both languages; 0 uses characters."""
    max_length: Count = 256
    """Maximum number of tokens per sentence; longer sentences are truncated."""
    updates: Count
    """Number of training steps."""
    batch_tokens: Count = 4000
    """Number of tokens per training step."""
    learning_rate: LearningRate = 5e-4
    warmup: Count = 4000
    """Number of warm-up steps of the learning rate."""
    dropout: Dropout = 0.3
    label_smoothing: LabelSmoothing = 0.1
    beam_size: Count = 5
    """Beam size of the beam search."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Floating-point precision; "auto" is bf16 where it is faster."""
    seed: Seed = 0

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"train_seconds", "updates_per_second"})

    def __post_init__(self) -> None:
        """Raise UsageError if ``heads`` does not divide ``embed_dim``."""
        super().__post_init__()
        check_divides(self, "heads", "embed_dim")

    @property
    def protocol(self) -> Protocol:
        """Reduced on real data, because the datasets and models of the paper are larger."""
        return "stand-in" if self.dataset == REVERSED_WORDS else "reduced"

    @property
    def relative_cost(self) -> float:
        """Number of training tokens times number of weights."""
        weights = 2 * self.layers * self.embed_dim * (4 * self.embed_dim + 2 * self.ffn_dim) + self.embed_dim * max(self.subwords, 50)
        return (self.updates + 100) * self.batch_tokens * weights / 1e12

    @property
    def data(self) -> tuple[str, ...]:
        """Names of the prepared texts of both languages."""
        from myths.lab.language.texts import prepared_names

        if self.dataset == REVERSED_WORDS or self.dataset in UNAVAILABLE:
            return ()
        return prepared_names(self.dataset, "de", "en", ("test_2016_flickr",))

    def skip_reason(self) -> str | None:
        """Return a reason for the paper's own dataset, whose training set is not available."""
        return UNAVAILABLE.get(self.dataset)

    @classmethod
    def test_instance(cls) -> TrainTransformer:
        """Return a trial with a few updates on reversed words."""
        few = {"embed_dim": 16, "ffn_dim": 16, "heads": 2, "layers": 1, "max_length": 16, "updates": 8, "warmup": 4, "beam_size": 2}
        return cls(dataset=REVERSED_WORDS, normalization="fixup", subwords=0, batch_tokens=400, dropout=0.0, precision="fp32", **few)

    def run(self, context: Context) -> Outcome:
        """Return one row with bleu (0 if training diverged), valid_loss_nats (per target token), diverged_at, train_loss and speed."""
        from myths.lab.language.parallel_corpus import encode, learn_subwords
        from myths.lab.language.training import cross_entropy, fit, predict_pairs, translation_batches
        from myths.lab.language.transformer import parameters
        from myths.lab.language.vocabulary import Characters

        parts = self.texts()
        words = [*parts["train"].source, *parts["train"].target]
        vocabulary: Vocabulary = learn_subwords(parts["train"], self.subwords) if self.subwords else Characters(words)
        train, valid, test = (
            encode(parts[part], vocabulary, self.max_length, context.device, cut=True) for part in ("train", "val", "test")
        )
        with context.seed_torch("init"):
            model = self.model(vocabulary.size)
        config = self.train_config(context.device)
        with threads_for(self.batch_tokens * self.embed_dim, context.device), context.seed_torch("dropout"):
            batches = translation_batches(train, self.batch_tokens, context.generator("order"))
            done = fit(model, partial(predict_pairs, model), batches, config, device=context.device)
        found: dict[str, Any] = {"bleu": 0.0, "signature": "", "valid_loss_nats": None}
        if done.diverged_at is None:
            with threads_for(self.batch_tokens * self.embed_dim, context.device):
                found = self._scored(model, test, vocabulary, parts["test"].target, config.precision)
                found["valid_loss_nats"] = cross_entropy(model, valid, precision=config.precision)
        row = {
            **found,
            "n_test": len(test),
            "n_train": len(train),
            "branches": model.config.branches,
            "parameters": parameters(model),
            "diverged_at": done.diverged_at,
            "train_loss": done.loss,
            "train_seconds": done.seconds,
            "updates_per_second": done.updates / done.seconds,
        }
        return Outcome(rows=[row])

    def model(self, subwords: int) -> EncoderDecoder:
        """Return an initialized transformer, which uses torch's global generator."""
        from myths.lab.language.attention import SelfAttention
        from myths.lab.language.transformer import EncoderDecoder, TransformerConfig

        config = TransformerConfig(
            vocabulary=subwords,
            embed_dim=self.embed_dim,
            ffn_dim=self.ffn_dim,
            heads=self.heads,
            encoder_layers=self.layers,
            decoder_layers=self.layers,
            max_length=self.max_length,
            dropout=self.dropout,
            normalization=self.normalization,
        )

        def attention(layer: int, *, causal: bool) -> TokenMixer:
            return SelfAttention(self.embed_dim, self.heads, causal=causal, dropout=self.dropout)

        return EncoderDecoder(config, attention)

    def _scored(
        self, model: EncoderDecoder, test: Pairs, vocabulary: Vocabulary, references: Sequence[str], precision: Precision
    ) -> dict[str, Any]:
        from myths.lab.language.beam import translate
        from myths.lab.language.bleu import bleu

        scored = bleu(vocabulary.decode(translate(model, test, beam=self.beam_size, precision=precision)), references)
        return {"bleu": scored.score, "signature": scored.signature}

    def train_config(self, device: str) -> TrainConfig:
        """Return the hyperparameters: Adam, as in the authors' fairseq command, with a linear schedule."""
        from myths.lab.language.training import TrainConfig
        from myths.lab.measurement.device import precision_of

        return TrainConfig(
            updates=self.updates,
            batch_tokens=self.batch_tokens,
            learning_rate=self.learning_rate,
            warmup=self.warmup,
            schedule="linear",
            label_smoothing=self.label_smoothing,
            precision=precision_of(device, self.precision),
        )

    def texts(self) -> dict[str, Texts]:
        """Return the training, validation and test texts."""
        from myths.lab.language.texts import read, without_empty

        if self.dataset == REVERSED_WORDS:
            return {part: reversed_words(part) for part in ("train", "val", "test")}
        parts = {part: read(self.dataset, name, "de", "en") for part, name in (("val", "val"), ("test", "test_2016_flickr"))}
        return parts | {"train": without_empty(read(self.dataset, "train", "de", "en"))}


def reversed_words(part: str) -> Texts:
    """Return pairs of a string of three to six letters and its reversal, with every letter as a word.

    There are 2,000 training, 100 validation and 100 test pairs. All pairs are different, and they are the same on every machine.
    """
    import numpy as np

    from myths.lab.language.texts import Texts

    words = np.random.Philox(key=20260702).random_raw(40_000).reshape(-1, 8) >> np.uint64(32)
    strings = list(dict.fromkeys(" ".join("abcdefgh"[int(w) % 8] for w in row[: 3 + int(row[7]) % 4]) for row in words))[:2200]
    chosen = {"train": strings[:2000], "val": strings[2000:2100], "test": strings[2100:]}[part]
    return Texts(tuple(chosen), tuple(s[::-1] for s in chosen))
