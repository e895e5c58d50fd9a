"""Which trials each profile runs.

Every layer of a profile has the same sizes, schedule and rate, chosen on validation data of a seed that no profile has; ``seeds``
replaces how many seeds are trained and timed.
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
"""Timed beside attention."""
ABLATION_LAYERS: tuple[Layer, ...] = (*ABLATION, "dynamic-no-softmax")
LENGTHS = tuple(2**p for p in range(5, 15))
"""32 to 16,384 positions."""

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
"""A model for one or two passes over Multi30k, too few to overfit: nothing is dropped.

The rate is the best for each layer on the validation sentences, of 1.5, 3, 6 and 12 thousandths with seed 99: 2.78, 2.37 and 2.36 nats a
subword for attention, lightweight and dynamic convolution (attention: 2.78 at 3 too), by
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
"""The IWSLT recipe of Wu et al. 2019 (fairseq), with as many encoder layers for all."""


@unique_trials
def trials(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
    """What a profile runs; ``seeds`` replaces its number of seeds. With own parallel texts, layers trained on those and nothing else."""
    if data:
        return [trial for name in data for trial in _user_runs(name.replace("-", "_"), profile, seeds)]
    return {"quick": _quick, "laptop": _laptop, "gpu": _gpu, "paper": _paper}[profile](seeds)


# --- parts that profiles are made of ---------------------------------------------------------------


def _translation_models(settings: Settings, layers: Iterable[Layer], seeds: int, **changed: Any) -> list[TrainTranslationModel]:
    return [TrainTranslationModel(**{**settings, **changed}, layer=layer, seed=seed) for seed in range(seeds) for layer in layers]


def _control(settings: Settings, **changed: Any) -> TrainTranslationModel:
    """The model whose sources were shuffled."""
    return TrainTranslationModel(**{**settings, **changed}, layer="dynamic", shuffle_sources=True)


def _kernels(translators: Sequence[TrainTranslationModel]) -> list[Trial]:
    """Of the first seed."""
    return [ExportKernels(model=model) for model in translators if model.seed == 0 and model.layer in ("lightweight", "dynamic")]


def _sweep(lengths: Iterable[int], **changed: Any) -> list[Trial]:
    """Layers and blocks, forward and training, at each length."""
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
    """Written dates to ISO, drawn here, and a few timings of toys: the machinery at work; nothing is concluded."""
    translators = _translation_models(DATES, MAIN_LAYERS, seeds or 2, updates=400)
    return [
        *translators,
        _control(DATES, updates=60),
        *_kernels(translators),
        *(
            TimeLayer(layers=TIMED_LAYERS, length=length, batch_tokens=1024, embed_dim=64, direction=direction)
            for length in (64, 256, 1024)
            for direction in ("forward", "training")
        ),
        *_decoding(seeds or 2, (16,), embed_dim=64, ffn_dim=128, encoder_layers=1, decoder_layers=2, vocabulary_size=500, batch_size=8),
    ]


def _laptop(seeds: int | None) -> list[Trial]:
    """Most of Multi30k once by a small model, the sweep to 16,384 positions in full, Tiny Shakespeare.

    Some thirteen minutes on two cores: 13 trainings of translators of 40 to 80 s and 6 of language models of 30, two at a time; the sweep
    6 minutes. One pass favors what learns fast, which is not quite what the paper's long trainings ask.
    """
    multi30k: Settings = {**SMALL, "updates": 400}
    translators = _translation_models(multi30k, MAIN_LAYERS, seeds or 3)
    return [
        *translators,
        *_translation_models(multi30k, ("attention-window",), seeds or 3),
        _control(multi30k, updates=200),
        *_kernels(translators),
        *_sweep(LENGTHS, embed_dim=128, batch_tokens=4096),
        *_decoding(seeds or 3, (24,)),
        *_language("tinyshakespeare", seeds or 3, ("attention", "dynamic"), updates=300, ffn_dim=256, heads=2, batch_size=16),
    ]


def _gpu(seeds: int | None) -> list[Trial]:
    """For ten minutes on one H200-class GPU; an estimate until one has run it.

    Translators wait for kernel launches, perhaps 12 ms an update: 20 of 1,000 updates 240 s, 30 steps of the ablation of 400 updates
    150 s, with decoding another 60 s. The sweep takes a minute, the language models half of one, the summaries one.
    """
    five, three = seeds or 5, seeds or 3
    multi30k: Settings = {**MEDIUM, "updates": 1000, "test_sets": (*MULTI30K_TESTS, OUT_OF_DOMAIN)}
    steps: Settings = {**MEDIUM, "updates": 400}
    translators = _translation_models(multi30k, (*MAIN_LAYERS, "attention-window"), five)
    sized: Settings = {"embed_dim": 1024, "heads": 16, "batch_tokens": 16_384, "dtype": "bfloat16"}
    return [
        *translators,
        _control(multi30k, updates=300, test_sets=("test_2016_flickr",)),
        *_kernels(translators),
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
    """As near to the paper's recipe as the data at hand allow; its own corpora are named and missing."""
    five = seeds or 5
    multi30k: Settings = {**IWSLT, "updates": 50_000, "test_sets": (*MULTI30K_TESTS, OUT_OF_DOMAIN)}
    translators = _translation_models(multi30k, ABLATION_LAYERS, five)
    large: Settings = {"embed_dim": 1024, "heads": 16, "batch_tokens": 16_384}
    return [
        *translators,
        _control(multi30k, updates=2000, test_sets=("test_2016_flickr",)),
        *_kernels(translators),
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
    """The main layers on the user's own parallel texts, in the direction in which they were added."""
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
