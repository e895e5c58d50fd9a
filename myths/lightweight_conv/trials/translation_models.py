"""Train a translation model whose encoder and decoder use one kind of layer, and measure its quality."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from myths.lab.data.prepared import examples_of
from myths.lab.errors import UsageError
from myths.lab.setting import (
    Count,
    DatasetName,
    Dropout,
    Items,
    LabelSmoothing,
    LearningRate,
    Range,
    Seed,
    Subwords,
    TrainExamples,
    WeightDecay,
    check_divides,
)
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.lightweight_conv.corpora import SUMMARIES, SYNTHETIC, UNAVAILABLE, data_names
from myths.lightweight_conv.layer_names import Layer, increasing_kernel_sizes

if TYPE_CHECKING:
    from myths.lab.language.texts import Texts
    from myths.lab.language.training import TrainConfig
    from myths.lab.language.transformer import EncoderDecoder
    from myths.lab.language.vocabulary import Vocabulary

DATES: Mapping[str, Any] = {
    "dataset": "dates",
    "test_sets": ("test",),
    "embed_dim": 64,
    "ffn_dim": 128,
    "heads": 2,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "subwords": 0,
    "max_length": 40,
    "batch_tokens": 500,
    "learning_rate": 3e-3,
    "warmup": 40,
    "schedule": "linear",
    "dropout": 0.0,
    "weight_dropout": 0.0,
    "label_smoothing": 0.0,
    "beam_size": 2,
    "precision": "fp32",
}
"""Settings of a model that learns written dates in seconds."""


@dataclass(frozen=True, kw_only=True)
class TrainTranslationModel(Trial):
    """Train a model with one kind of layer to translate or summarize, and measure its quality (Wu et al. 2019, Sec. 5).

    ``dataset`` is "multi30k", "bbc_news_summary", "dates" or "numbers" (both synthetic), or a parallel corpus of the user with the prepared
    texts DATASET.train.SOURCE, DATASET.val.SOURCE, DATASET.TEST.SOURCE and the same for TARGET. Sizes and schedule are the same for every
    layer. ``shuffle_sources`` pairs each target with the source of another, as a control.
    """

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"train_seconds", "target_tokens_per_second", "sentences_per_second"})
    rows_only: ClassVar[tuple[str, ...]] = ("candidates",)

    dataset: DatasetName = "multi30k"
    source: DatasetName = "de"
    """Code of the source language, which is the suffix of its files."""
    target: DatasetName = "en"
    """Code of the target language, which is the suffix of its files."""
    test_sets: Annotated[tuple[DatasetName, ...], Items()] = ("test_2016_flickr",)
    """Names of the test sets."""
    layer: Layer
    """Layer that replaces self-attention."""
    embed_dim: Count = 128
    """Embedding dimension of the model."""
    ffn_dim: Count = 512
    """Hidden dimension of the feed-forward layers."""
    heads: Count = 4
    """Number of attention heads. Must divide ``embed_dim``."""
    encoder_layers: Count = 2
    """Number of layers of the encoder."""
    decoder_layers: Count = 2
    """Number of layers of the decoder."""
    subwords: Subwords = 4000
    """Size of the joint subword vocabulary of both languages; 0 uses characters."""
    max_length: Count = 256
    """Maximum number of tokens; longer training pairs and test sources are truncated."""
    n_train_pairs: TrainExamples = 0
    """Number of training pairs, from the first; 0 uses all."""
    updates: Count
    """Number of training steps."""
    batch_tokens: Count = 4000
    """Number of tokens per training step."""
    learning_rate: LearningRate = 5e-4
    warmup: Count = 4000
    """Number of warm-up steps of the learning rate."""
    schedule: Literal["inverse-sqrt", "linear"] = "inverse-sqrt"
    """Schedule of the learning rate after warm-up."""
    dropout: Dropout = 0.3
    weight_dropout: Dropout = 0.1
    """Dropout rate of attention weights, and DropConnect rate of kernels."""
    label_smoothing: LabelSmoothing = 0.1
    weight_decay: WeightDecay = 1e-4
    clip_norm: Annotated[float, Range(at_least=0)] = 0.0
    """Maximum gradient norm; 0 disables clipping."""
    beam_size: Count = 4
    """Beam size of the beam search."""
    shuffle_sources: bool = False
    """Whether each target is paired with the source of another, as a control."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Floating-point precision; "auto" is bf16 where it is faster."""
    tokenizer: Literal["", "13a", "intl", "char", "zh", "ja-mecab", "ko-mecab", "none", "spm", "flores101", "flores200", "spBLEU-1K"] = ""
    """Tokenizer of sacrebleu for BLEU; empty uses that of the target language (``lab.language.tokenizers``)."""
    candidates: tuple[TrainTranslationModel, ...] = ()
    """Training runs with other learning rates. That of the smallest validation loss is used; without candidates, ``learning_rate`` is."""
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Raise UsageError if ``heads`` does not divide ``embed_dim``."""
        super().__post_init__()
        check_divides(self, "heads", "embed_dim")

    @property
    def protocol(self) -> Protocol:
        """Reduced on real data, because the datasets and models of the paper are larger."""
        return "stand-in" if self.dataset in SYNTHETIC else "reduced"

    @property
    def relative_cost(self) -> float:
        """Number of target tokens in training and decoding, times number of weights."""
        layers = self.encoder_layers + self.decoder_layers
        weights = layers * self.embed_dim * (4 * self.embed_dim + 2 * self.ffn_dim) + self.embed_dim * max(self.subwords, 50)
        tested = (examples_of(self.dataset, "test") or 1000) / 1000
        return (self.updates + 50 * tested * len(self.test_sets)) * self.batch_tokens * weights / 1e12

    @property
    def data(self) -> tuple[str, ...]:
        """Names of the prepared texts of both languages."""
        return data_names(self.dataset, self.source, self.target, self.test_sets)

    @classmethod
    def test_instance(cls) -> TrainTranslationModel:
        """Return a trial with a few updates on written dates."""
        few = {"updates": 8, "n_train_pairs": 200, "embed_dim": 16, "ffn_dim": 16, "beam_size": 2}
        return cls(**{**DATES, **few}, layer="dynamic")

    def skip_reason(self) -> str | None:
        """Return a reason for datasets that are not available, and for a missing package that ROUGE requires."""
        if self.dataset in UNAVAILABLE:
            return UNAVAILABLE[self.dataset]
        if self.dataset == SUMMARIES and importlib.util.find_spec("rouge_score") is None:
            return "ROUGE requires the package rouge-score: pip install rouge-score"
        return None

    def run(self, context: Context) -> Outcome:
        """Return one row per test set: BLEU (or ROUGE), speed, number of parameters and validation loss.

        ``valid_loss_nats`` is the loss per target token. ``source_use_nats`` is its increase with the source of another pair, with an
        interval over sentences. The arrays are the learned kernels and the translations of each test set.

        Raises:
            UsageError: There is no training pair.
        """
        import numpy as np

        from myths.lab.language.parallel_corpus import encode
        from myths.lab.language.training import fit, predict_pairs, translation_batches
        from myths.lab.language.transformer import parameters
        from myths.lightweight_conv import evaluation
        from myths.lightweight_conv.kernel_export import learned_kernels
        from myths.lightweight_conv.trials.learning_rates import selected_learning_rate

        vocabulary, parts = self.texts(context)
        train, valid = (encode(parts[name], vocabulary, self.max_length, context.device, cut=True) for name in ("train", "val"))
        model = self.initial_network(context, vocabulary.size)
        config = self.train_config(context.device, selected_learning_rate(self, context))
        batches = translation_batches(train, config.batch_tokens, context.generator("order"))
        with context.seed_torch("dropout"):
            done = fit(model, partial(predict_pairs, model), batches, config, device=context.device)
        about: dict[str, Any] = {
            "parameters": parameters(model),
            "vocabulary_size": vocabulary.size,
            "n_train": len(train),
            "epochs": done.tokens / int((train.target_lengths - 1).sum()),
            "train_seconds": done.seconds,
            "target_tokens_per_second": done.tokens / done.seconds,
            "learning_rate": config.learning_rate,
            "train_loss": done.loss,
            "diverged_at": done.diverged_at,
            "precision": config.precision,
        }
        if done.diverged_at is not None:
            return Outcome(rows=[{"test_set": test, **about} for test in self.test_sets])
        about |= evaluation.source_dependence(model, valid, context.rng("other sources"), config.precision)
        rows, arrays = [], learned_kernels(model, valid)
        for test in self.test_sets:
            sentences = parts[test]
            pairs = encode(sentences, vocabulary, self.max_length, context.device, cut=True)
            translations, speed = evaluation.translations(model, pairs, vocabulary, self.beam_size, config.precision)
            scores = evaluation.translation_quality(
                self.dataset, test, translations, sentences.target, context.rng("resampling"), self._tokenizer()
            )
            rows.append({"test_set": test, "n_test": len(sentences), **scores, **speed, **about})
            arrays[f"translations_{test}"] = np.array(translations)
        return Outcome(rows=rows, arrays=arrays)

    def _tokenizer(self) -> str:
        from myths.lab.language.tokenizers import tokenizer_for

        return "char" if self.dataset in SYNTHETIC else self.tokenizer or tokenizer_for(self.target).name

    def texts(self, context: Context) -> tuple[Vocabulary, dict[str, Texts]]:
        """Return the vocabulary, learned from the training set only, and the texts of each part."""
        from myths.lab.language.parallel_corpus import learn_subwords
        from myths.lab.language.texts import shuffled_sources, without_empty
        from myths.lab.language.vocabulary import Characters
        from myths.lightweight_conv.corpora import texts

        parts = {part: texts(self.dataset, part, self.source, self.target) for part in ("train", "val", *self.test_sets)}
        train = without_empty(parts["train"].first(self.n_train_pairs))
        if not len(train):
            raise UsageError(f"{self.dataset} has no training pair whose two sentences are not empty.")
        vocabulary = learn_subwords(train, self.subwords) if self.subwords else Characters([*train.source, *train.target])
        parts["train"] = shuffled_sources(train, context.rng("shuffle")) if self.shuffle_sources else train
        return vocabulary, parts

    def initial_network(self, context: Context, vocabulary: int) -> EncoderDecoder:
        """Return the initialized model."""
        from myths.lab.language.transformer import EncoderDecoder, TransformerConfig
        from myths.lightweight_conv.layers import builder

        config = TransformerConfig(
            vocabulary=vocabulary,
            embed_dim=self.embed_dim,
            ffn_dim=self.ffn_dim,
            heads=self.heads,
            encoder_layers=self.encoder_layers,
            decoder_layers=self.decoder_layers,
            max_length=self.max_length,
            dropout=self.dropout,
        )
        kernel_sizes = increasing_kernel_sizes(max(self.encoder_layers, self.decoder_layers))
        build = builder(self.layer, channels=self.embed_dim, heads=self.heads, kernel_sizes=kernel_sizes, dropout=self.weight_dropout)
        with context.seed_torch("init"):
            return EncoderDecoder(config, build)

    def train_config(self, device: str, learning_rate: float) -> TrainConfig:
        """Return the hyperparameters for the training loop on a device."""
        from myths.lab.language.training import TrainConfig
        from myths.lab.measurement.device import precision_of

        return TrainConfig(
            updates=self.updates,
            batch_tokens=self.batch_tokens,
            learning_rate=learning_rate,
            warmup=self.warmup,
            schedule=self.schedule,
            label_smoothing=self.label_smoothing,
            weight_decay=self.weight_decay,
            clip=self.clip_norm,
            precision=precision_of(device, self.precision),
        )
