"""Claims of myth 6, with their measures and criteria.

The paper's numbers come from a summary of it (a secondary source) or are from memory. All criteria are proposals of this suite. Claims
that compare layers use paired differences between training runs with equal seeds on Multi30k. The paper's own corpora are not available.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from myths.lab.claim import PROPOSAL, PROPOSED, Claim, cited
from myths.lab.criterion import Criterion, above, at_least, at_most, between
from myths.lab.measures import largest, mean_over_seeds
from myths.lightweight_conv import measures
from myths.lightweight_conv.published import ABLATION
from myths.lightweight_conv.tables import SLOPE_LENGTHS
from myths.lightweight_conv.trials.language_models import TrainLanguageModel
from myths.lightweight_conv.trials.speed import TimeDecoding, TimeLayer
from myths.lightweight_conv.trials.translation_models import TrainTranslationModel

PAPER = "Wu et al. 2019"
SUMMARY = f"a summary of {PAPER} (secondary source)"
TABLE_2 = f"{SUMMARY}, Table 2 (IWSLT De-En)"
TABLE_3 = f"{SUMMARY}, Table 3 (newstest2013)"
ABSTRACT = f"{SUMMARY}, abstract: O(n) versus O(n²)"

TESTS = {"dataset": ("multi30k", "dates"), "test_set": ("test_2016_flickr", "test")}
"""Written dates are stand-in data for runs without Multi30k; no conclusion is drawn from them."""
DECODED_LENGTHS = (16, 24)
"""Lengths of decoded sentences in tokens. Those of the paper have about 27 words. The table has longer ones."""
BLOCKS = {"scope": "block", "direction": "training", "causal": False}
QUALITY = ("L0-shuffled", "L0-parameters")
DIFFER = (*QUALITY, "L0-seeds")
"""Control claims of claims that one layer is better than another."""
TIMED = ("L0-exact",)


def _in_slope_range(length: int) -> bool:
    """Return whether the regression of time on length includes a length."""
    return SLOPE_LENGTHS[0] <= length <= SLOPE_LENGTHS[1]


_translation = partial(Claim, table="translation", trial=TrainTranslationModel)
_decoding = partial(
    Claim,
    unit="x",
    table="decoding",
    where={"layer": "dynamic", "length": DECODED_LENGTHS},
    trial=TimeDecoding,
    controls=TIMED,
)


def _difference(id: str, layer: str, against: str, statement: str, said: dict[str, Any], criterion: Criterion, **more: Any) -> Claim:
    """Return a claim on the BLEU difference of two layers with the same seed, averaged over seeds."""
    return Claim(
        id=id,
        statement=statement,
        **said,
        unit="BLEU",
        table="bleu_differences",
        where={**TESTS, "layer": layer, "baseline": against, "main_setting": True},
        trial=TrainTranslationModel,
        needs=({"layer": (layer, against), "shuffle_sources": False},),
        measure=partial(mean_over_seeds, "bleu_difference"),
        criterion=criterion,
        controls=DIFFER if criterion.strict else QUALITY,
        **more,
    )


CONTROLS = (
    Claim(
        id="L0-exact",
        kind="control",
        statement="Every timed convolution in float32 agrees with its unfolding in float64 (relative error at most 0.001).",
        **PROPOSED,
        unit="relative error",
        table="speed",
        where={"dtype": "float32"},
        trial=TimeLayer,
        measure=partial(largest, "relative_error"),
        criterion=at_most(1e-3),
    ),
    _translation(
        id="L0-parameters",
        kind="control",
        statement="No convolutional model has more than 1.02 times the parameters of the model with self-attention.",
        **cited("secondary source", f"{SUMMARY}, Table 3: 195M and 200M versus 210M", 0.95),
        unit="x",
        where={**TESTS, "layer": ("lightweight", "dynamic")},
        needs=({}, {"layer": "attention", "shuffle_sources": False, "seed": 0}),
        measure=partial(largest, "parameter_ratio"),
        criterion=at_most(1.02),
    ),
    _translation(
        id="L0-shuffled",
        kind="control",
        statement="A model trained with shuffled sources ignores the source: exchanging it changes the loss by at most 0.05 nats/token.",
        **PROPOSED,
        unit="nats a token",
        where={**TESTS, "shuffle_sources": True},
        measure=measures.source_use,
        criterion=between(-0.05, 0.05),
    ),
    _translation(
        id="L0-seeds",
        kind="control",
        statement="The standard deviation of BLEU over the seeds of one layer is at most 1.",
        **cited("computed", f"{PROPOSAL}: the difference between DynamicConv and a dense convolution in the paper"),
        unit="BLEU",
        where={"dataset": "multi30k", "test_set": "test_2016_flickr", "shuffle_sources": False},
        measure=measures.std_over_seeds,
        criterion=at_most(1.0),
    ),
)

QUALITY_OF_TRANSLATION = (
    _translation(
        id="L1-wmt-en-de",
        kind="absolute",
        statement="On WMT En-De, DynamicConv reaches at least 29.2 BLEU.",
        **cited("secondary source", f"{SUMMARY}, Table 1 (newstest2014); self-attention in another paper: 29.3", 29.7),
        unit="BLEU",
        where={"dataset": "wmt14_en_de", "layer": "dynamic"},
        measure=partial(mean_over_seeds, "bleu"),
        criterion=at_least(29.7 - 0.5),
    ),
    _difference(
        "L2-dynamic", "dynamic", "attention", "Translation models with DynamicConv are non-inferior to self-attention (margin 0.5 BLEU).",
        cited("secondary source", TABLE_2, 0.8), at_least(-0.5), primary=True,
    ),
    _difference(
        "L2-lightweight", "lightweight", "attention",
        "Translation models with LightConv are non-inferior to self-attention (margin 1 BLEU).",
        cited("secondary source", TABLE_2, 0.4), at_least(-1.0), primary=True,
    ),
    _difference(
        "L3-kernels", "increasing-kernel", "depthwise", "Kernel sizes that increase with depth reach higher BLEU than kernel size 3.",
        cited("secondary source", TABLE_3, 0.3), above(0),
    ),
    _difference(
        "L3-tied", "shared-kernel", "dropconnect", "Sharing kernels across channels is non-inferior in BLEU (margin 0.3).",
        cited("secondary source", TABLE_3, 0.0), at_least(-0.3),
    ),
    _difference(
        "L3-softmax", "lightweight", "shared-kernel", "A softmax over the kernel weights is non-inferior in BLEU (margin 0.3).",
        cited("secondary source", TABLE_3, 0.1), at_least(-0.3),
    ),
    _difference(
        "L3-dynamic", "dynamic", "lightweight", "Kernels that depend on the position reach higher BLEU than fixed kernels.",
        cited("secondary source", TABLE_3, 0.3), above(0),
    ),
    _difference(
        "L3-cnn", "dynamic", "dense-conv", "DynamicConv reaches higher BLEU than a dense convolution with kernel size 3.",
        cited("secondary source", TABLE_3, 1.0), above(0),
    ),
    _difference(
        "L3-diverges", "dynamic", "dynamic-no-softmax",
        "DynamicConv without the softmax diverges (BLEU 0) or reaches more than 5 BLEU less than with it.",
        cited("secondary source", TABLE_3), above(5),
    ),
    Claim(
        id="L3-order", statement="The seven convolutions of the ablation rank by BLEU as in the paper.",
        **cited("secondary source", TABLE_3, 1), unit="Spearman ρ",
        table="ablation", where=TESTS, trial=TrainTranslationModel, needs=({"shuffle_sources": False, "layer": tuple(ABLATION)},),
        measure=measures.rank_correlation_with_paper, criterion=above(0), controls=DIFFER,
    ),
)  # fmt: skip

SPEED = (
    *(
        _decoding(
            id=id,
            statement=f"DynamicConv translates more sentences per second than self-attention {how}.",
            **cited("secondary source", TABLE_3, ratio),
            measure=partial(measures.geometric_mean_ratio, column),
            criterion=above(1),
            primary=id == "L4-decoding",
        )
        for id, how, ratio, column in (
            ("L4-decoding", "as implemented in 2019", 1.20, "speedup_over_materialized"),
            ("L4-decoding-window", "with a window of the same size", 1.14, "speedup_over_window"),
        )
    ),
    _decoding(
        id="L4-today-decoding",
        kind="follow-up",
        direction="weakens",
        statement="DynamicConv translates at most 1.05 times as many sentences per second as full self-attention as implemented today.",
        **PROPOSED,
        measure=partial(measures.geometric_mean_ratio, "speedup_over_attention"),
        criterion=at_most(1.05),
    ),
    *(
        Claim(
            id=f"L4-length-{suffix}",
            statement=f"At every length from 128 to 16,384, a block with DynamicConv trains faster than one with attention {how}.",
            **cited("secondary source", f"{ABSTRACT}; the limit is {PROPOSAL}"),
            unit="x",
            table="speed",
            where={**BLOCKS, "layer": "dynamic", "length": tuple(2**p for p in range(7, 15))},
            trial=TimeLayer,
            measure=partial(measures.min_ratio, column),
            criterion=above(1),
            controls=TIMED,
        )
        for suffix, how, column in (
            ("plain", "as implemented in 2019", "speedup_over_materialized"),
            ("fused", "as implemented in torch today", "speedup_over_attention"),
        )
    ),
    *(
        Claim(
            id=f"L5-{layer}",
            statement=f"The time of {name} grows {how} with the length, from 1,024 to 8,192 positions.",
            **cited("secondary source", ABSTRACT, exponent),
            unit="exponent",
            table="slopes",
            where={"layer": layer, "scope": "layer", "direction": "training", "causal": False},
            trial=TimeLayer,
            needs=({"length": _in_slope_range},),
            measure=measures.slope,
            criterion=criterion,
        )
        for layer, name, how, exponent, criterion in (
            ("dynamic", "DynamicConv", "linearly (exponent at most 1.2)", 1, at_most(1.2)),
            ("attention", "self-attention", "quadratically (exponent at least 1.6)", 2, at_least(1.6)),
        )
    ),
)

CLAIMS: tuple[Claim, ...] = (
    *CONTROLS,
    *QUALITY_OF_TRANSLATION,
    *SPEED,
    _difference(
        "L6-window",
        "attention-window",
        "attention",
        "Self-attention with a window of 3 to 31 positions is non-inferior to full self-attention (margin 0.3 BLEU).",
        cited("secondary source", TABLE_3, 0.0),
        at_least(-0.3),
    ),
    *(
        Claim(
            id=f"L7-{suffix}",
            statement=f"On {name}, a language model with DynamicConv has at most 1.02 times the perplexity of one with self-attention.",
            **cited("from memory", f"{PAPER}, Table 4 (Billion Word, test: 26.67 / 26.73)", 0.998),
            unit="x",
            table="language_modeling",
            where={"dataset": dataset, "layer": "dynamic"},
            trial=TrainLanguageModel,
            needs=({"layer": ("dynamic", "attention")},),
            measure=partial(mean_over_seeds, "perplexity_ratio"),
            criterion=at_most(1.02),
        )
        for suffix, dataset, name in (
            ("tinyshakespeare", ("tinyshakespeare", "numbers"), "Tiny Shakespeare (stand-in: written numbers)"),
            ("ptb", "ptb", "a part of the Penn Treebank"),
            ("wikitext2", "wikitext2", "a part of WikiText-2"),
        )
    ),
    _translation(
        id="L8-cnn-dm",
        kind="absolute",
        statement="On CNN/DailyMail, DynamicConv reaches a ROUGE-1 of at least 39.34.",
        **cited("secondary source", f"{SUMMARY}, Table 5; a known replication reached 34.18 (fairseq#594)", 39.84),
        unit="ROUGE-1",
        where={"dataset": "cnn_dm", "layer": "dynamic"},
        measure=partial(mean_over_seeds, "rouge1"),
        criterion=at_least(39.84 - 0.5),
    ),
)
