"""The claims: what the paper says, the number that tests it, and the criterion, which stood here before the runs.

The paper's numbers were read in a digest of it ("read") or recalled. All criteria are this suite's proposals. A claim that layers differ
or are alike is held against differences between trainings with equal seeds, on Multi30k: the paper's own corpora are not at hand.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from myths.lab.claim import Checked, Claim, Criterion, above, at_least, at_most, between
from myths.lightweight_conv import measures
from myths.lightweight_conv.language_models import TrainLanguageModel
from myths.lightweight_conv.published import ABLATION
from myths.lightweight_conv.speed import TimeDecoding, TimeLayer
from myths.lightweight_conv.tables import SLOPE_LENGTHS
from myths.lightweight_conv.translators import TrainTranslator

PROPOSAL = "proposed by this suite"
TABLE_2 = "Wu et al. 2019, Table 2 (IWSLT De-En)"
TABLE_3 = "Wu et al. 2019, Table 3 (newstest2013)"
ABSTRACT = "Wu et al. 2019, abstract: O(n) against O(n²)"

TESTS = {"dataset": ("multi30k", "dates"), "test": ("test_2016_flickr", "test")}
"""Written dates stand in where a run holds nothing else: then nothing is concluded."""
DECODED = (16, 24)
"""Tokens of the sentences that are decoded; the paper's have some 27 words. Longer ones are in the table."""
BLOCKS = {"scope": "block", "direction": "training", "causal": False}
QUALITY = ("L0-shuffled", "L0-parameters")
DIFFER = (*QUALITY, "L0-seeds")
"""Of claims that one layer is better than another."""
TIMED = ("L0-exact",)


def _is_on_the_slope(length: int) -> bool:
    """Whether the regression of times against lengths includes a length."""
    return SLOPE_LENGTHS[0] <= length <= SLOPE_LENGTHS[1]


def _difference(
    id: str, layer: str, against: str, statement: str, paper: float | None, criterion: Criterion, source: str = TABLE_3, **more: Any
) -> Claim:
    """BLEU of one layer less that of another with the same seed, averaged over seeds."""
    return Claim(
        id=id,
        kind="effect",
        statement=statement,
        source=source,
        paper=paper,
        paper_checked="read",
        unit="BLEU",
        table="compared",
        where={**TESTS, "layer": layer, "against": against, "nearest": True},
        trial=TrainTranslator,
        needs=({"layer": (layer, against), "shuffled": False},),
        measure=partial(measures.over_seeds, "bleu_difference"),
        criterion=criterion,
        controls=DIFFER if criterion.strict else QUALITY,
        **more,
    )


def _decoding(id: str, statement: str, column: str, paper: float | None, criterion: Criterion, **more: Any) -> Claim:
    """Sentences a second of DynamicConv over those of another layer, whole models at beam 4."""
    settings: dict[str, Any] = {"kind": "effect", "source": TABLE_3, "paper_checked": "read", "controls": TIMED, **more}
    return Claim(
        id=id,
        statement=statement,
        paper=paper,
        unit="x",
        table="decoding",
        where={"layer": "dynamic", "length": DECODED},
        trial=TimeDecoding,
        measure=partial(measures.ratio_over_repeats, column),
        criterion=criterion,
        **settings,
    )


def _length(id: str, statement: str, column: str) -> Claim:
    return Claim(
        id=id,
        kind="effect",
        statement=statement,
        source=f"{ABSTRACT}; the limit is {PROPOSAL}",
        paper=None,
        paper_checked="read",
        unit="x",
        table="speed",
        where={**BLOCKS, "layer": "dynamic", "length": tuple(2**p for p in range(7, 15))},
        trial=TimeLayer,
        measure=partial(measures.smallest_ratio, column),
        criterion=above(1),
        controls=TIMED,
    )


def _slope(suffix: str, layer: str, statement: str, paper: float, criterion: Criterion) -> Claim:
    return Claim(
        id=f"L5-{suffix}",
        kind="effect",
        statement=statement,
        source=ABSTRACT,
        paper=paper,
        paper_checked="read",
        unit="exponent",
        table="slopes",
        where={"layer": layer, "scope": "layer", "direction": "training", "causal": False},
        trial=TimeLayer,
        needs=({"length": _is_on_the_slope},),
        measure=measures.slope,
        criterion=criterion,
    )


def _perplexity(suffix: str, dataset: str | tuple[str, ...], name: str) -> Claim:
    return Claim(
        id=f"L7-{suffix}",
        kind="effect",
        statement=f"A DynamicConv language model of {name} has at most 1.02 times the perplexity of one with self-attention.",
        source="Wu et al. 2019, Table 4 (Billion Word, test: 26.67 / 26.73)",
        paper=0.998,
        paper_checked="recalled",
        unit="x",
        table="language",
        where={"dataset": dataset, "layer": "dynamic"},
        trial=TrainLanguageModel,
        needs=({"layer": ("dynamic", "attention")},),
        measure=partial(measures.over_seeds, "perplexity_ratio"),
        criterion=at_most(1.02),
    )


def _cited(id: str, statement: str, source: str, paper: float, unit: str, dataset: str, column: str, checked: Checked) -> Claim:
    """Too large to run: named with the paper's number, and not tested."""
    return Claim(
        id=id,
        kind="level",
        statement=statement,
        source=source,
        paper=paper,
        paper_checked=checked,
        unit=unit,
        table="translation",
        where={"dataset": dataset, "layer": "dynamic"},
        trial=TrainTranslator,
        measure=partial(measures.over_seeds, column),
        criterion=at_least(paper - 0.5),
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="L0-exact",
        kind="control",
        statement="Every timed convolution in float32 gives what its unfolding in float64 gives.",
        source=PROPOSAL,
        paper=0,
        paper_checked="computed",
        unit="relative error",
        table="speed",
        where={"dtype": "float32"},
        trial=TimeLayer,
        measure=partial(measures.largest, "relative_error"),
        criterion=at_most(1e-3),
    ),
    Claim(
        id="L0-parameters",
        kind="control",
        statement="No convolutional model has more parameters than the model with self-attention (2 % allowed).",
        source="Wu et al. 2019, Table 3: 195M and 200M against 210M",
        paper=0.95,
        paper_checked="read",
        unit="x",
        table="translation",
        where={**TESTS, "layer": ("lightweight", "dynamic")},
        trial=TrainTranslator,
        needs=({}, {"layer": "attention", "shuffled": False, "seed": 0}),
        measure=partial(measures.largest, "parameter_ratio"),
        criterion=at_most(1.02),
    ),
    Claim(
        id="L0-shuffled",
        kind="control",
        statement="A model trained beside the sources of other pairs is but a language model: its source is worth nothing to it.",
        source=PROPOSAL,
        paper=0,
        paper_checked="computed",
        unit="nats a token",
        table="translation",
        where={**TESTS, "shuffled": True},
        trial=TrainTranslator,
        measure=measures.source_use,
        criterion=between(-0.05, 0.05),
    ),
    Claim(
        id="L0-seeds",
        kind="control",
        statement="Seeds of one layer deviate by less than DynamicConv and a plain convolution differ in the paper.",
        source=PROPOSAL,
        paper=None,
        paper_checked="computed",
        unit="BLEU",
        table="translation",
        where={"dataset": "multi30k", "test": "test_2016_flickr", "shuffled": False},
        trial=TrainTranslator,
        measure=measures.deviation_over_seeds,
        criterion=at_most(1.0),
    ),
    _cited(
        "L1-wmt-en-de", "DynamicConv reaches 29.7 BLEU on WMT En-De (self-attention in another paper: 29.3).",
        "Wu et al. 2019, Table 1 (newstest2014)", 29.7, "BLEU", "wmt14_en_de", "bleu", "read",
    ),
    _difference(
        "L2-dynamic", "dynamic", "attention", "Translators with DynamicConv are no worse than with self-attention (half a point allowed).",
        0.8, at_least(-0.5), TABLE_2, decisive=True,
    ),
    _difference(
        "L2-lightweight", "lightweight", "attention", "Translators with LightConv are no worse than with self-attention (a point allowed).",
        0.4, at_least(-1.0), TABLE_2, decisive=True,
    ),
    _difference("L3-kernels", "growing", "depthwise", "Kernels that grow with depth translate better than short ones.", 0.3, above(0)),
    _difference("L3-tied", "tied", "dropconnect", "Sharing kernels among channels costs nothing (0.3 allowed).", 0.0, at_least(-0.3)),
    _difference("L3-softmax", "lightweight", "tied", "The softmax over the taps costs nothing (0.3 allowed).", 0.1, at_least(-0.3)),
    _difference("L3-dynamic", "dynamic", "lightweight", "Kernels that positions make translate better than fixed ones.", 0.3, above(0)),
    _difference("L3-cnn", "dynamic", "cnn", "DynamicConv translates better than a plain convolution of three taps.", 1.0, above(0)),
    _difference(
        "L3-diverges", "dynamic", "dynamic-no-softmax", "Without the softmax, DynamicConv diverges (BLEU 0) or falls far behind.",
        None, above(5),
    ),
    Claim(
        id="L3-order",
        kind="effect",
        statement="The seven convolutions of the ablation come out in the paper's order.",
        source=TABLE_3,
        paper=1,
        paper_checked="read",
        unit="Spearman ρ",
        table="ablation",
        where=TESTS,
        trial=TrainTranslator,
        needs=({"shuffled": False, "layer": tuple(ABLATION)},),
        measure=measures.order_of_the_paper,
        criterion=above(0),
        controls=DIFFER,
    ),
    _decoding(
        "L4-decoding", "DynamicConv translates more sentences a second than self-attention as it was computed in 2019.", "ratio_plain",
        1.20, above(1), decisive=True,
    ),
    _decoding(
        "L4-decoding-window", "DynamicConv translates more sentences a second than self-attention of the same reach.", "ratio_window",
        1.14, above(1),
    ),
    _decoding(
        "L4-today-decoding", "Today, full self-attention translates as many sentences a second as DynamicConv (a twentieth less allowed).",
        "ratio", None, at_most(1.05), kind="today", source=PROPOSAL,
    ),
    _length(
        "L4-length-plain", "From 128 positions on, a block with DynamicConv trains faster than with attention as it was computed in 2019.",
        "ratio_plain",
    ),
    _length(
        "L4-length-fused", "From 128 positions on, a block with DynamicConv trains faster than with attention as torch computes it today.",
        "ratio",
    ),
    _slope("dynamic", "dynamic", "The time of DynamicConv is linear in the length, from 1,024 to 8,192 positions.", 1, at_most(1.2)),
    _slope("attention", "attention", "The time of self-attention is quadratic in the length, from 1,024 to 8,192.", 2, at_least(1.6)),
    _difference(
        "L6-window", "attention-window", "attention", "Self-attention that sees 3 to 31 positions translates as well (0.3 allowed).",
        0.0, at_least(-0.3),
    ),
    _perplexity("tinyshakespeare", ("tinyshakespeare", "numbers"), "Tiny Shakespeare"),
    _perplexity("ptb", "ptb", "a part of the Penn Treebank"),
    _perplexity("wikitext2", "wikitext2", "a part of WikiText-2"),
    _cited(
        "L8-cnn-dm", "DynamicConv reaches ROUGE-1 39.84 on CNN/DailyMail. A known replication got 34.18 (fairseq#594).",
        "Wu et al. 2019, Table 5", 39.84, "ROUGE-1", "cnn_dm", "rouge1", "read",
    ),
)  # fmt: skip
