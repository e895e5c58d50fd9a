"""Trials of each profile of myth 6.

All layers of a profile have the same sizes and schedule. Where a verdict depends on a comparison, each layer has its own learning rate,
which shorter training runs with a seed of their own select on validation data, the same number for every layer. ``seeds`` overrides the
number of seeds of training and timing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

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
from myths.lightweight_conv.trials.recall import ATTENTION, CONVOLUTION, HYBRID, TrainRecall
from myths.lightweight_conv.trials.speed import TimeDecoding, TimeLayer
from myths.lightweight_conv.trials.translation_models import DATES, TrainTranslationModel

Settings = Mapping[str, Any]

MAIN_LAYERS: tuple[Layer, ...] = ("attention", "lightweight", "dynamic")
TIMED_LAYERS: tuple[Layer, ...] = ("attention-materialized", "attention-window", "lightweight", "dynamic")
"""Layers that are timed in addition to attention."""
ABLATION_LAYERS: tuple[Layer, ...] = (*ABLATION, "dynamic-no-softmax")
LENGTHS = tuple(2**p for p in range(5, 15))
"""Sequence lengths of the sweep: 32 to 16,384 positions."""

SELECTION_SEED = 99
"""Seed of the training runs that select a learning rate."""

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
"""A model for one or two epochs of a small corpus, without dropout because it cannot overfit in that time.

The learning rate is the best of 0.0015, 0.003, 0.006 and 0.012 for every layer on the validation set of Multi30k with seed 99, measured
with `myths try lightweight-conv TrainTranslationModel layer=LAYER learning_rate=RATE updates=500 warmup=100 schedule=linear dropout=0
weight_dropout=0 subwords=2000 batch_tokens=1200 ffn_dim=256 seed=99`.
"""
CONVERGED: Settings = {**SMALL, "updates": 6000, "batch_tokens": 2400, "warmup": 300, "dropout": 0.05, "weight_dropout": 0.05}
"""The same model for 24 epochs of Multi30k. Whether this is enough is a control: attention with twice the updates.

With half the updates it is not: twice the updates lower the validation loss of attention by 0.07 nats (cpu-overnight), and with dropout 0.2
by 0.115 nats (cpu-undertrained). Without dropout, attention overfits within 12 epochs: a label-smoothed training loss of 1.90 nats, a
validation loss of 1.73 (`myths try lightweight-conv TrainTranslationModel layer=attention ffn_dim=256 subwords=2000 batch_tokens=2400
updates=3000 warmup=300 schedule=linear learning_rate=8e-3 dropout=0 weight_dropout=0 seed=99`).
"""
CONVERGED_RATES = (4e-3, 8e-3, 1.6e-2)
CANDIDATE_UPDATES = 750
"""Updates of a training run that selects a learning rate."""
LANGUAGE: Settings = {"updates": 3000, "ffn_dim": 256, "heads": 2, "batch_size": 16}
"""A language model for six epochs of Tiny Shakespeare."""
LANGUAGE_RATES = (1e-3, 2e-3, 4e-3)
RECALL_RATES = (1e-3, 2e-3, 4e-3, 8e-3)
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


Model = TypeVar("Model", TrainTranslationModel, TrainLanguageModel, TrainRecall)
Baseline = TypeVar("Baseline", TrainTranslationModel, TrainLanguageModel)


def _tuned(models: Iterable[Model], rates: Sequence[float], **shorter: Any) -> list[Model]:
    """Return the models with the learning rate that is best in shorter training runs."""
    return [
        replace(model, candidates=tuple(replace(model, learning_rate=rate, seed=SELECTION_SEED, **shorter) for rate in rates))
        for model in models
    ]


def _longer(models: Iterable[Baseline], seeds: int) -> list[Baseline]:
    """Return the models with attention and the first seeds, with twice the number of updates."""
    return [replace(model, updates=2 * model.updates) for model in models if model.seed < seeds and model.layer == "attention"]


def _translation_models(settings: Settings, layers: Iterable[Layer], seeds: int, **changed: Any) -> list[TrainTranslationModel]:
    return [TrainTranslationModel(**{**settings, **changed}, layer=layer, seed=seed) for seed in range(seeds) for layer in layers]


def _by_seed(models: Sequence[TrainTranslationModel], few: int) -> list[TrainTranslationModel]:
    """Return the models in the order in which an interrupted run decides most.

    Attention and DynamicConv with the first seeds, their controls, LightConv with the first seeds, and the other seeds.
    """
    first = [model for model in models if model.seed < few]
    return [
        *(model for model in first if model.layer != "lightweight"),
        *_longer(models, few),
        *_controls(CONVERGED, few, updates=1000),
        *first,
        *models,
    ]


def _controls(settings: Settings, seeds: int, **changed: Any) -> list[TrainTranslationModel]:
    """Return the control models with shuffled sources."""
    return [TrainTranslationModel(**{**settings, **changed}, layer="dynamic", shuffle_sources=True, seed=seed) for seed in range(seeds)]


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


def _decoding_on_cpu(seeds: int) -> list[Trial]:
    """Return the timings of beam search with one thread (claim L4-decoding), in as many processes as there are seeds."""
    compared: tuple[Layer, ...] = ("attention-materialized", "attention-window", "dynamic")
    return _decoding(seeds, (16, 24, 64, 128), layers=compared, threads=1, batch_size=16)


def _processes(
    seeds: int, lengths: Iterable[int], block: bool, layers: tuple[Layer, ...] = TIMED_LAYERS, **changed: Any
) -> list[TimeLayer]:
    """Return the timings of training a layer or block at each length, each in as many processes as there are seeds."""
    return [TimeLayer(layers=layers, length=n, block=block, seed=seed, **changed) for seed in range(seeds) for n in lengths]


def _language(dataset: Corpus, seeds: int, kinds: Sequence[Layer] = MAIN_LAYERS, **settings: Any) -> list[TrainLanguageModel]:
    return [TrainLanguageModel(dataset=dataset, layer=layer, seed=seed, **settings) for seed in range(seeds) for layer in kinds]


def _recall(seeds: int, kinds: Iterable[tuple[Layer, ...]], **settings: Any) -> list[TrainRecall]:
    """Return the models of the recall task, with the learning rate that is best in training runs of the same length.

    After 2,000 updates self-attention recalls 27 % of the values, after 4,000 it recalls 26 % with some seeds and all with others
    (trial runs that were not published).
    """
    models = [TrainRecall(layers=layers, updates=8000, seed=seed, **settings) for seed in range(seeds) for layers in kinds]
    return _tuned(models, RECALL_RATES)


# --- the profiles ------------------------------------------------------------------------------------


def _quick(seeds: int | None) -> list[Trial]:
    """Return small models on synthetic dates and small timings. No conclusion is drawn from them."""
    models = _translation_models(DATES, MAIN_LAYERS, seeds or 2, updates=400)
    return [
        *models,
        *_controls(DATES, 1, updates=60),
        *_kernels(models),
        *(
            TimeLayer(layers=TIMED_LAYERS, length=length, batch_tokens=1024, embed_dim=64, direction=direction)
            for length in (64, 256, 1024)
            for direction in ("forward", "training")
        ),
        *_decoding(seeds or 2, (16,), embed_dim=64, ffn_dim=128, encoder_layers=1, decoder_layers=2, vocabulary_size=500, batch_size=8),
    ]


def _laptop(seeds: int | None) -> list[Trial]:
    """Return what 20 minutes decide: speed in five processes with one thread.

    Beam search takes 10 minutes and the layers 8, one after another. Models are trained in a night (``_overnight``).
    """
    five = seeds or 5
    timed: Settings = {"threads": 1, "embed_dim": 128, "batch_tokens": 4096}
    return [
        *_decoding_on_cpu(five),
        *_processes(five, (1024, 2048, 4096, 8192), False, ("dynamic",), **timed),
        *_processes(five, (128, 256, 512, 1024, 2048, 4096), True, ("attention-materialized", "dynamic"), **timed),
    ]


def _overnight(seeds: int | None) -> list[Trial]:
    """Return models that are trained until they improve no more, seed by seed, so that an interrupted night leaves complete pairs.

    Beam search is timed first, in 14 minutes. In cpu-overnight, a core trained a translation model of 6,000 updates in 22 to 36
    minutes, and attention with 12,000 updates in 52 to 69. DynamicConv and attention come first, with three seeds and their controls.
    LightConv, further seeds and the recall task follow, then the window, language models, shorter schedules for the figure,
    and timings at more lengths. `--dry-run` predicts the time of all of it.
    """
    eight, five, three, two = seeds or 8, seeds or 5, seeds or 3, seeds or 2
    models = _tuned(_translation_models(CONVERGED, MAIN_LAYERS, eight), CONVERGED_RATES, updates=CANDIDATE_UPDATES)
    language = _tuned(_language("tinyshakespeare", five, ("attention", "dynamic"), **LANGUAGE), LANGUAGE_RATES, updates=1000)
    return [
        *_decoding_on_cpu(five),
        *_by_seed(models, three),
        *_kernels(models),
        *_recall(five, (CONVOLUTION, ATTENTION, HYBRID)),
        *_recall(five, (CONVOLUTION,), gap=0),
        *language,
        *_longer(language, three),
        *_tuned(_translation_models(CONVERGED, ("attention-window",), eight), CONVERGED_RATES, updates=CANDIDATE_UPDATES),
        *(replace(model, updates=3000) for model in models if model.seed < two),
        *_sweep(LENGTHS, embed_dim=128, batch_tokens=4096),
    ]


def _gpu(seeds: int | None) -> list[Trial]:
    """Return the translation models of ``_overnight``, attention and DynamicConv first, then timings on an H200-class GPU.

    How long the models take on a GPU was not measured. Training a layer is timed in 8 s, 40 times (320 s, measured on an H200). Language
    models, recall, summaries, ablations and the other timings are in the profile "paper".
    """
    five = seeds or 5
    models = _tuned(_translation_models(CONVERGED, MAIN_LAYERS, seeds or 8), CONVERGED_RATES, updates=CANDIDATE_UPDATES)
    sized: Settings = {"embed_dim": 1024, "heads": 16, "batch_tokens": 16_384, "dtype": "bfloat16"}
    decoder: Settings = {"embed_dim": 512, "ffn_dim": 1024, "encoder_layers": 6, "decoder_layers": 6, "heads": 8}
    return [
        *_by_seed(models, seeds or 3),
        *_kernels(models),
        *_decoding(five, (24, 128), **decoder, batch_size=256, dtype="bfloat16"),
        *_processes(five, LENGTHS[2:], True, **sized),
    ]


def _paper(seeds: int | None) -> list[Trial]:
    """Return trials with the settings of the paper on the available data. Trials on its own corpora are listed and skipped."""
    five = seeds or 5
    multi30k: Settings = {**IWSLT, "updates": 50_000, "test_sets": (*MULTI30K_TESTS, OUT_OF_DOMAIN)}
    models = _translation_models(multi30k, ABLATION_LAYERS, five)
    language = [
        *_language("tinyshakespeare", five, updates=5000, embed_dim=512, ffn_dim=1024, layers=6, context_length=256, batch_size=64),
        *_language("ptb", five, updates=2000, embed_dim=256, ffn_dim=512, layers=4, subwords=6000, dropout=0.3),
        *_language("wikitext2", five, updates=2000, embed_dim=256, ffn_dim=512, layers=4, subwords=6000, dropout=0.3),
    ]
    large: Settings = {"embed_dim": 1024, "heads": 16, "batch_tokens": 16_384}
    return [
        *models,
        *_controls(multi30k, seeds or 3, updates=2000, test_sets=("test_2016_flickr",)),
        *_longer(models, seeds or 3),
        *_kernels(models),
        *_translation_models(IWSLT, MAIN_LAYERS, five, dataset=SUMMARIES, test_sets=("test",), updates=20_000, max_length=600),
        TrainTranslationModel(
            **IWSLT, dataset="wmt14_en_de", source="en", target="de", test_sets=("newstest2014",), layer="dynamic", updates=30_000
        ),
        TrainTranslationModel(**IWSLT, dataset="cnn_dm", test_sets=("test",), layer="dynamic", updates=30_000),
        TrainLanguageModel(dataset="billion_word", layer="dynamic", updates=1),
        *_sweep(LENGTHS, **large, dtype="bfloat16"),
        *_processes(five, LENGTHS[2:], True, **large, dtype="bfloat16"),
        *_processes(five, (1024, 2048, 4096, 8192), False, **large, dtype="bfloat16"),
        *_sweep(LENGTHS, **large, dtype="bfloat16", causal=True),
        *_decoding(
            five, (24, 128), embed_dim=1024, ffn_dim=4096, encoder_layers=6, decoder_layers=6, batch_size=256, heads=16, dtype="bfloat16"
        ),
        *_recall(five, (CONVOLUTION, ATTENTION, HYBRID)),
        *_recall(five, (CONVOLUTION,), gap=0),
        *language,
        *_longer(language, seeds or 3),
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
