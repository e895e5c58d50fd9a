"""Train a translator in which the self-attention of encoder and decoder is one of the layers, and see how well it translates."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
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
"""A model that learns written dates in seconds."""


@dataclass(frozen=True, kw_only=True)
class TrainTranslationModel(Trial):
    """Learn to translate (or, from articles to summaries, to sum up) with one kind of layer (Wu et al. 2019, Sec. 5).

    ``dataset`` is "multi30k", "bbc_news_summary", "dates" or "numbers" (drawn here), or a parallel text of one's own: prepared texts
    DATASET.train.SOURCE, DATASET.val.SOURCE, DATASET.TEST.SOURCE and as many of TARGET. All sizes and the schedule are the same for
    every layer. ``shuffled`` puts each target beside the source of another, for the control.
    """

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"train_seconds", "target_tokens_per_second", "sentences_per_second"})

    dataset: DatasetName = "multi30k"
    source: DatasetName = "de"
    """Code of the source language, the ending of its files."""
    target: DatasetName = "en"
    """Code of the target language, the ending of its files."""
    test_sets: Annotated[tuple[DatasetName, ...], Items()] = ("test_2016_flickr",)
    """Test parts."""
    layer: Layer
    """Layer that takes the place of self-attention."""
    embed_dim: Count = 128
    """Channels of the model."""
    ffn_dim: Count = 512
    """Channels inside the feed-forward layers."""
    heads: Count = 4
    """Attention heads; a divisor of the channels."""
    encoder_layers: Count = 2
    """Layers of the encoder."""
    decoder_layers: Count = 2
    """Layers of the decoder."""
    subwords: Subwords = 4000
    """Size of the vocabulary that both languages share; 0 takes characters."""
    max_length: Count = 256
    """Tokens; longer training pairs, and longer sources of a test, are cut there."""
    n_train_pairs: TrainExamples = 0
    """The first so many pairs; 0 is all."""
    updates: Count
    """Number of training steps."""
    batch_tokens: Count = 4000
    """Tokens per step."""
    learning_rate: LearningRate = 5e-4
    warmup: Count = 4000
    """Steps over which the learning rate rises."""
    schedule: Literal["inverse-sqrt", "linear"] = "inverse-sqrt"
    """How the learning rate falls after warm-up."""
    dropout: Dropout = 0.3
    weight_dropout: Dropout = 0.1
    """Dropout of attention weights, and DropConnect of kernels."""
    label_smoothing: LabelSmoothing = 0.1
    weight_decay: WeightDecay = 1e-4
    clip_norm: Annotated[float, Range(at_least=0)] = 0.0
    """Largest norm of the gradient; 0 does not clip."""
    beam_size: Count = 4
    """Width of the beam search."""
    shuffle_sources: bool = False
    """Whether each target is put beside the source of another, for the control."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Precision of the arithmetic; auto is bf16 where the device has it."""
    tokenizer: Literal["", "13a", "intl", "char", "zh", "ja-mecab", "ko-mecab", "none", "spm", "flores101", "flores200", "spBLEU-1K"] = ""
    """Tokenizer of sacrebleu for BLEU; empty takes the one for the target language (``lab.language.tokenizers``)."""
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Raises UsageError for heads that do not divide the channels."""
        super().__post_init__()
        check_divides(self, "heads", "embed_dim")

    @property
    def protocol(self) -> Protocol:
        """Reduced on real data: the paper's data sets are larger, and so are its models."""
        return "stand-in" if self.dataset in SYNTHETIC else "reduced"

    @property
    def relative_cost(self) -> float:
        """Target tokens that may be seen, times weights, and what decoding takes of it."""
        layers = self.encoder_layers + self.decoder_layers
        weights = layers * self.embed_dim * (4 * self.embed_dim + 2 * self.ffn_dim) + self.embed_dim * max(self.subwords, 50)
        tested = (examples_of(self.dataset, "test") or 1000) / 1000
        return (self.updates + 50 * tested * len(self.test_sets)) * self.batch_tokens * weights / 1e12

    @property
    def data(self) -> tuple[str, ...]:
        """The texts of both languages."""
        return data_names(self.dataset, self.source, self.target, self.test_sets)

    @classmethod
    def test_instance(cls) -> TrainTranslationModel:
        """A few updates on written dates."""
        few = {"updates": 8, "n_train_pairs": 200, "embed_dim": 16, "ffn_dim": 16, "beam_size": 2}
        return cls(**{**DATES, **few}, layer="dynamic")

    def skip_reason(self) -> str | None:
        """Data sets that the suite does not bring, and packages that only some of them need."""
        if self.dataset in UNAVAILABLE:
            return UNAVAILABLE[self.dataset]
        if self.dataset == SUMMARIES and importlib.util.find_spec("rouge_score") is None:
            return "ROUGE needs a package: pip install rouge-score"
        return None

    def run(self, context: Context) -> Outcome:
        """A row a test part: BLEU (ROUGE of summaries, share of exact answers of drawn texts), speed, parameters, validation loss.

        ``valid_nats`` is a target token's cross-entropy; ``source_nats`` how much more it is with the source of another pair, with its
        interval over sentences. Arrays: the kernels that were learnt, and the translations of each test part.
        Raises UsageError when there is no training pair, or the heads do not divide the channels.
        """
        import numpy as np

        from myths.lab.language.parallel_corpus import encode
        from myths.lab.language.training import fit, translation_batches
        from myths.lab.language.transformer import parameters
        from myths.lightweight_conv import evaluation
        from myths.lightweight_conv.kernel_export import kernels

        vocabulary, parts = self.texts(context)
        train, valid = (encode(parts[name], vocabulary, self.max_length, context.device, cut=True) for name in ("train", "val"))
        model = self.initial_network(context, vocabulary.size)
        config = self.train_config(context.device)
        batches = translation_batches(model, train, config.batch_tokens, context.generator("order"))
        with context.seed_torch("dropout"):
            done = fit(model, batches, config, device=context.device)
        about: dict[str, Any] = {
            "parameters": parameters(model),
            "vocabulary_size": vocabulary.size,
            "n_train": len(train),
            "epochs": done.tokens / int((train.target_lengths - 1).sum()),
            "train_seconds": done.seconds,
            "target_tokens_per_second": done.tokens / done.seconds,
            "train_loss": done.loss,
            "diverged_at": done.diverged_at,
            "precision": config.precision,
        }
        if done.diverged_at is not None:
            return Outcome(rows=[{"test_set": test, **about} for test in self.test_sets])
        about |= evaluation.source_dependence(model, valid, context.rng("other sources"), config.precision)
        rows, arrays = [], kernels(model, valid)
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
        """The vocabulary, learnt from the training part alone, and the texts of each part."""
        from myths.lab.language.parallel_corpus import learn_subwords
        from myths.lab.language.texts import shuffled_sources, without_empty
        from myths.lab.language.vocabulary import Characters
        from myths.lightweight_conv.corpora import texts

        parts = {part: texts(self.dataset, part, self.source, self.target) for part in ("train", "val", *self.test_sets)}
        train = without_empty(parts["train"].first(self.n_train_pairs))
        if not len(train):
            raise UsageError(f"{self.dataset} has no training pair of which both sides say something")
        vocabulary = learn_subwords(train, self.subwords) if self.subwords else Characters([*train.source, *train.target])
        parts["train"] = shuffled_sources(train, context.rng("shuffle")) if self.shuffle_sources else train
        return vocabulary, parts

    def initial_network(self, context: Context, vocabulary: int) -> EncoderDecoder:
        """The model before training."""
        from myths.lab.language.transformer import EncoderDecoder, TransformerConfig
        from myths.lightweight_conv.layers import builder

        shape = TransformerConfig(
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
            return EncoderDecoder(shape, build)

    def train_config(self, device: str) -> TrainConfig:
        """The settings as the training loop takes them, with the precision that "auto" means on ``device``."""
        from myths.lab.device import precision_of
        from myths.lab.language.training import TrainConfig

        return TrainConfig(
            updates=self.updates,
            batch_tokens=self.batch_tokens,
            learning_rate=self.learning_rate,
            warmup=self.warmup,
            schedule=self.schedule,
            label_smoothing=self.label_smoothing,
            weight_decay=self.weight_decay,
            clip=self.clip_norm,
            precision=precision_of(device, self.precision),
        )
