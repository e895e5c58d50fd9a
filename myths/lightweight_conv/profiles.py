"""Trials of each profile of myth 6.

All layers of a profile have the same sizes, schedule and learning rate, which were selected on validation data with a seed that no profile
uses. ``seeds`` overrides the number of seeds of training and timing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from myths.lab.data.user_corpora import languages_of
from myths.lab.language.texts import MULTI30K_TESTS
from myths.lab.language.tokenizers import tokenizer_for
from myths.lab.myth import Profile, unique_trials
from myths.lab.trial import Trial
from myths.lightweight_conv.corpora import OUT_OF_DOMAIN, SUMMARIES
from myths.lightweight_conv.layer_names import Layer
from myths.lightweight_conv.published import ABLATION
from myths.lightweight_conv.trials.kernels import ExportKernels
from myths.lightweight_conv.trials.language_models import Corpus, TrainLanguageModel
from myths.lightweight_conv.trials.speed import TimeDecoding, TimeLayer
from myths.lightweight_conv.trials.translation_models import DATES, TrainTranslationModel

Settings = Mapping[str, Any]

MAIN_LAYERS: tuple[Layer, ...] = ("attention", "lightweight", "dynamic")
TIMED_LAYERS: tuple[Layer, ...] = ("attention-materialized", "attention-window", "lightweight", "dynamic")
"""Layers that are timed in addition to attention."""
ABLATION_LAYERS: tuple[Layer, ...] = (*ABLATION, "dynamic-no-softmax")
LENGTHS = tuple(2**p for p in range(5, 15))
"""Sequence lengths of the sweep: 32 to 16,384 positions."""

SMALL: Settings = {
    "embed_dim": 128,
    "ffn_dim": 256,
    "subwords": 2000,
    "batch_tokens": 1200,
    "learning_rate": 6e-3,
    "warmup": 100,
    "schedule": "linear",
    "dropout": 0.0,
    "weight_dropout": 0.0,
}
"""A model for one or two epochs of Multi30k, without dropout because it cannot overfit in that time.

The learning rate is the best of 0.0015, 0.003, 0.006 and 0.012 for every layer on the validation set with seed 99. Its losses are 2.78,
2.37 and 2.36 nats per subword for attention, lightweight and dynamic convolution (attention also 2.78 at 0.003), measured with
`myths try lightweight-conv TrainTranslationModel layer=LAYER learning_rate=RATE updates=500 warmup=100 schedule=linear dropout=0
weight_dropout=0 subwords=2000 batch_tokens=1200 ffn_dim=256 seed=99`.
"""
MEDIUM: Settings = {
    "embed_dim": 256,
    "ffn_dim": 512,
    "encoder_layers": 3,
    "decoder_layers": 3,
    "subwords": 6000,
    "batch_tokens": 6000,
    "learning_rate": 2e-3,
    "warmup": 200,
    "schedule": "linear",
    "dropout": 0.3,
    "weight_dropout": 0.1,
}
IWSLT: Settings = {
    "embed_dim": 512,
    "ffn_dim": 1024,
    "encoder_layers": 6,
    "decoder_layers": 6,
    "subwords": 10_000,
    "batch_tokens": 4000,
    "learning_rate": 5e-4,
    "warmup": 4000,
    "schedule": "inverse-sqrt",
    "dropout": 0.3,
    "weight_dropout": 0.1,
}
"""IWSLT settings of Wu et al. 2019 (fairseq), with the same number of encoder layers for all models."""


@unique_trials
def trials(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
    """Return the trials of a profile.

    Args:
        profile: Name of the profile.
        seeds: Number of seeds. Default: that of the profile.
        data: Parallel corpora of the user. If given, only models on these are trained.
    """
    if data:
        return [trial for name in data for trial in _user_runs(name.replace("-", "_"), profile, seeds)]
    return {"quick": _quick, "laptop": _laptop, "overnight": _overnight, "gpu": _gpu, "paper": _paper}[profile](seeds)


# --- building blocks of profiles -------------------------------------------------------------------


def _translation_models(settings: Settings, layers: Iterable[Layer], seeds: int, **changed: Any) -> list[TrainTranslationModel]:
    return [TrainTranslationModel(**{**settings, **changed}, layer=layer, seed=seed) for seed in range(seeds) for layer in layers]


def _control(settings: Settings, **changed: Any) -> TrainTranslationModel:
    """Return the control model with shuffled sources."""
    return TrainTranslationModel(**{**settings, **changed}, layer="dynamic", shuffle_sources=True)


def _kernels(models: Sequence[TrainTranslationModel]) -> list[Trial]:
    """Return the kernel exports of the convolutional models with the first seed."""
    return [ExportKernels(model=model) for model in models if model.seed == 0 and model.layer in ("lightweight", "dynamic")]


def _sweep(lengths: Iterable[int], **changed: Any) -> list[Trial]:
    """Return the timings of layers and blocks, forward and training, at each length."""
    shared = {"layers": TIMED_LAYERS, **changed}
    return [
        TimeLayer(**shared, length=length, direction=direction, block=block)
        for length in lengths
        for block in (False, True)
        for direction in ("forward", "training")
    ]


def _decoding(seeds: int, lengths: Iterable[int], **changed: Any) -> list[Trial]:
    return [TimeDecoding(**{"layers": TIMED_LAYERS, **changed}, length=length, seed=seed) for length in lengths for seed in range(seeds)]


def _language(dataset: Corpus, seeds: int, kinds: Sequence[Layer] = MAIN_LAYERS, **settings: Any) -> list[Trial]:
    return [TrainLanguageModel(dataset=dataset, layer=layer, seed=seed, **settings) for seed in range(seeds) for layer in kinds]


# --- the profiles ------------------------------------------------------------------------------------


def _quick(seeds: int | None) -> list[Trial]:
    """Return small models on synthetic dates and small timings. No conclusion is drawn from them."""
    models = _translation_models(DATES, MAIN_LAYERS, seeds or 2, updates=400)
    return [
        *models,
        _control(DATES, updates=60),
        *_kernels(models),
        *(
            TimeLayer(layers=TIMED_LAYERS, length=length, batch_tokens=1024, embed_dim=64, direction=direction)
            for length in (64, 256, 1024)
            for direction in ("forward", "training")
        ),
        *_decoding(seeds or 2, (16,), embed_dim=64, ffn_dim=128, encoder_layers=1, decoder_layers=2, vocabulary_size=500, batch_size=8),
    ]


def _laptop(seeds: int | None) -> list[Trial]:
    """Return small models for most of one epoch of Multi30k, the sweep to 16,384 positions, and Tiny Shakespeare.

    This takes about 13 minutes on two cores: 13 translation models of 40 to 80 s each and 6 language models of 30 s, two at a time, and
    6 minutes for the sweep. One epoch favors layers that learn fast, unlike the long training of the paper.
    """
    multi30k: Settings = {**SMALL, "updates": 400}
    models = _translation_models(multi30k, MAIN_LAYERS, seeds or 3)
    return [
        *models,
        *_translation_models(multi30k, ("attention-window",), seeds or 3),
        _control(multi30k, updates=200),
        *_kernels(models),
        *_sweep(LENGTHS, embed_dim=128, batch_tokens=4096),
        *_decoding(seeds or 3, (24,)),
        *_language("tinyshakespeare", seeds or 3, ("attention", "dynamic"), updates=300, ffn_dim=256, heads=2, batch_size=16),
    ]


# --- overnight -------------------------------------------------------------------------------------


def _overnight(seeds: int | None) -> list[Trial]:
    """Return no trials yet."""
    return []


def _gpu(seeds: int | None) -> list[Trial]:
    """Return trials for ten minutes on one H200-class GPU (estimated, not measured).

    Kernel launches bound the translation models to about 12 ms per update: 240 s for 20 models of 1,000 updates, 150 s for the 30 models
    of the ablation of 400 updates, and 60 s for decoding. The sweep takes 60 s, the language models 30 s and the summaries 60 s.
    """
    five, three = seeds or 5, seeds or 3
    multi30k: Settings = {**MEDIUM, "updates": 1000, "test_sets": (*MULTI30K_TESTS, OUT_OF_DOMAIN)}
    steps: Settings = {**MEDIUM, "updates": 400}
    models = _translation_models(multi30k, (*MAIN_LAYERS, "attention-window"), five)
    sized: Settings = {"embed_dim": 1024, "heads": 16, "batch_tokens": 16_384, "dtype": "bfloat16"}
    return [
        *models,
        _control(multi30k, updates=300, test_sets=("test_2016_flickr",)),
        *_kernels(models),
        *_translation_models(steps, ABLATION_LAYERS, three),
        *_translation_models(MEDIUM, MAIN_LAYERS, 1, dataset=SUMMARIES, test_sets=("test",), updates=400, max_length=512),
        *_sweep(LENGTHS, **sized),
        *_decoding(
            three, (24, 128), embed_dim=512, ffn_dim=1024, encoder_layers=6, decoder_layers=6, batch_size=256, dtype="bfloat16", heads=8
        ),
        *_language("tinyshakespeare", three, updates=500, embed_dim=256, ffn_dim=512, layers=4, context_length=256, batch_size=64),
        *_language("ptb", three, updates=150, embed_dim=256, ffn_dim=512, context_length=64, batch_size=64, subwords=4000, dropout=0.3),
    ]


def _paper(seeds: int | None) -> list[Trial]:
    """Return trials with the settings of the paper on the available data. Trials on its own corpora are listed and skipped."""
    five = seeds or 5
    multi30k: Settings = {**IWSLT, "updates": 50_000, "test_sets": (*MULTI30K_TESTS, OUT_OF_DOMAIN)}
    models = _translation_models(multi30k, ABLATION_LAYERS, five)
    large: Settings = {"embed_dim": 1024, "heads": 16, "batch_tokens": 16_384}
    return [
        *models,
        _control(multi30k, updates=2000, test_sets=("test_2016_flickr",)),
        *_kernels(models),
        *_translation_models(IWSLT, MAIN_LAYERS, five, dataset=SUMMARIES, test_sets=("test",), updates=20_000, max_length=600),
        TrainTranslationModel(
            **IWSLT, dataset="wmt14_en_de", source="en", target="de", test_sets=("newstest2014",), layer="dynamic", updates=30_000
        ),
        TrainTranslationModel(**IWSLT, dataset="cnn_dm", test_sets=("test",), layer="dynamic", updates=30_000),
        TrainLanguageModel(dataset="billion_word", layer="dynamic", updates=1),
        *_sweep(LENGTHS, **large, dtype="bfloat16"),
        *_sweep(LENGTHS, **large, dtype="bfloat16", causal=True),
        *_decoding(five, (24, 128), embed_dim=1024, ffn_dim=4096, encoder_layers=6, decoder_layers=6, batch_size=256, heads=16),
        *_language("tinyshakespeare", five, updates=5000, embed_dim=512, ffn_dim=1024, layers=6, context_length=256, batch_size=64),
        *_language("ptb", five, updates=2000, embed_dim=256, ffn_dim=512, layers=4, subwords=6000, dropout=0.3),
        *_language("wikitext2", five, updates=2000, embed_dim=256, ffn_dim=512, layers=4, subwords=6000, dropout=0.3),
    ]


def _user_runs(name: str, profile: Profile, seeds: int | None) -> list[Trial]:
    """Return the main layers on a parallel corpus of the user, in the direction in which it was added."""
    source, target = languages_of(name)
    large = profile in ("gpu", "paper")
    settings: Settings = {
        **(MEDIUM if large else SMALL),
        "dataset": name,
        "source": source,
        "target": target,
        "test_sets": ("test",),
        "tokenizer": tokenizer_for(target).name,
        "updates": 2000 if large else 500,
    }
    return list(_translation_models(settings, MAIN_LAYERS, seeds or 3))
