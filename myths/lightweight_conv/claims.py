"""Claims of myth 6, with their measures and criteria.

The paper's numbers come from a summary of it (a secondary source) or are from memory. All criteria are proposals of this suite. Claims
that compare layers use paired differences between training runs with equal seeds on Multi30k, each layer with its own best learning rate.
The paper's own corpora are not available. Before the criteria of L2, L6 and L7 were written, only training runs of less than three epochs
had been seen, in which DynamicConv is far ahead because attention is not yet trained. The claims on DynamicConv are not blind, because
their schedule was changed after a run in which attention was not trained either (cpu-undertrained).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from myths.lab.claim import PROPOSAL, PROPOSED, Claim, FirstOf, cited
from myths.lab.criterion import Criterion, above, at_least, at_most, between, within
from myths.lab.measures import largest, mean_over_seeds
from myths.lab.seeds import is_first_seed
from myths.lightweight_conv import measures
from myths.lightweight_conv.published import ABLATION
from myths.lightweight_conv.tables import RECALL_ATTENTION, RECALL_CONVOLUTION, RECALL_HYBRID, SLOPE_LENGTHS
from myths.lightweight_conv.trials.language_models import TrainLanguageModel
from myths.lightweight_conv.trials.recall import TrainRecall
from myths.lightweight_conv.trials.speed import TimeDecoding, TimeLayer
from myths.lightweight_conv.trials.translation_models import TrainTranslationModel

PAPER = "Wu et al. 2019"
SUMMARY = f"a summary of {PAPER} (secondary source)"
TABLE_2 = f"{SUMMARY}, Table 2 (IWSLT De-En)"
TABLE_3 = f"{SUMMARY}, Table 3 (newstest2013)"
ABSTRACT = f"{SUMMARY}, abstract: O(n) versus O(n²)"
RECALL = cited("secondary source", f"{PROPOSAL}, after the abstract of Arora et al. 2024, arXiv 2312.04927 (secondary source)")

TESTS = {"dataset": FirstOf("multi30k", "dates"), "test_set": FirstOf("test_2016_flickr", "test")}
"""Written dates are stand-in data for runs without Multi30k; no conclusion is drawn from them."""
MARGIN_BLEU, MARGIN_NATS, MARGIN_PERCENT = 0.8, 0.04, 2.0
"""Differences that count as none. 0.8 BLEU is the largest difference in the paper's Table 2. It corresponds to about 0.04 nats per
token: on this data a nat is worth some 20 BLEU (trial runs of 1,200 updates that were not published)."""
IN_BLEU = Criterion(-MARGIN_BLEU, 2 * MARGIN_BLEU, beyond="high")
"""No worse by more than the margin, and no better by more than the paper's difference and the margin: that would be untrained attention."""
IN_NATS = Criterion(-2 * MARGIN_NATS, MARGIN_NATS, beyond="low")
"""The same in nats per token, where less is better."""
DECODED_LENGTHS = {"cpu": (16, 24, 64, 128), "gpu": (24, 128)}
"""Lengths of decoded sentences in tokens. Those of the paper have about 27 words."""
TRAINED_LENGTHS = {"cpu": tuple(2**p for p in range(7, 13)), "gpu": tuple(2**p for p in range(7, 15))}
"""Lengths at which blocks are timed."""
TIMED: dict[str, dict[str, Any]] = {
    "cpu": {"device_kind": "cpu", "dtype": "float32", "threads": 1},
    "gpu": {"device_kind": "gpu", "dtype": "bfloat16"},
}
"""Conditions of the timings. On a CPU they use one thread, so that the other processes of the machine matter less."""
ON = {"cpu": "On a CPU with one thread", "gpu": "On a GPU"}


def _in_slope_range(length: int) -> bool:
    """Return whether the regression of time on length includes a length."""
    return SLOPE_LENGTHS[0] <= length <= SLOPE_LENGTHS[1]


def _on(id: str, device: str) -> str:
    """Return the id of a claim on a device: L4-decoding, L4-gpu-decoding."""
    return id if device == "cpu" else id.replace("-", "-gpu-", 1)


_translation = partial(Claim, table="translation", trial=TrainTranslationModel)


def _difference(id: str, layer: str, against: str, statement: str, said: dict[str, Any], criterion: Criterion, **more: Any) -> Claim:
    """Return a claim on the difference of two layers with the same seed, averaged over seeds; of BLEU unless ``more`` says otherwise."""
    return Claim(
        **{
            "id": id,
            "statement": statement,
            **said,
            "unit": "BLEU",
            "table": "bleu_differences",
            "where": {**TESTS, "layer": layer, "baseline": against, "main_setting": True},
            "trial": TrainTranslationModel,
            "needs": ({"layer": (layer, against), "shuffle_sources": False},),
            "measure": partial(mean_over_seeds, "bleu_difference"),
            "criterion": criterion,
            "repetition_unit": "seeds",
            **more,
        }
    )


CONTROLS = (
    *(
        Claim(
            id=f"L0-exact{suffix}",
            kind="control",
            statement=f"Every timed convolution in {dtype} agrees with its unfolding in float64 (relative error at most {limit}).",
            **PROPOSED,
            unit="relative error",
            table="speed",
            where={"dtype": dtype},
            trial=TimeLayer,
            measure=partial(largest, "relative_error"),
            criterion=at_most(limit),
            repetition_unit="exact",
            guards=(TimeLayer, TimeDecoding),
            guarded={"dtype": dtype},
        )
        for suffix, dtype, limit in (("", "float32", 1e-3), ("-bfloat16", "bfloat16", 2e-2))
    ),
    *(
        Claim(
            id=f"L0-processes-{table}",
            kind="control",
            statement=f"The speedup of DynamicConv over attention differs by at most 25 % between the processes of the run ({what}).",
            **PROPOSED,
            unit="%",
            table=table,
            where={"layer": "dynamic"},
            trial=trial,
            measure=partial(measures.process_spread, "speedup_over_attention"),
            criterion=at_most(25),
            repetition_unit="exact",
            guards=(trial,),
        )
        for table, trial, what in (("decoding", TimeDecoding, "beam search"), ("speed", TimeLayer, "layers and blocks"))
    ),
    _translation(
        id="L0-parameters",
        kind="control",
        statement="No convolutional model has more than 1.02 times the parameters of the model with self-attention.",
        **cited("secondary source", f"{SUMMARY}, Table 3: 195M and 200M versus 210M", 0.95),
        unit="x",
        where={**TESTS, "layer": ("lightweight", "dynamic")},
        needs=({}, {"layer": "attention", "shuffle_sources": False, "seed": is_first_seed}),
        measure=partial(largest, "parameter_ratio"),
        criterion=at_most(1.02),
        repetition_unit="exact",
        guards=(TrainTranslationModel,),
        guarded=TESTS,
    ),
    _translation(
        id="L0-shuffled",
        kind="control",
        statement="A model trained with shuffled sources ignores the source: exchanging it changes the loss by at most 0.05 nats/token.",
        **PROPOSED,
        unit="nats per token",
        where={**TESTS, "shuffle_sources": True},
        measure=partial(mean_over_seeds, "source_use_nats"),
        criterion=between(-0.05, 0.05),
        repetition_unit="seeds",
        guards=(TrainTranslationModel,),
        guarded=TESTS,
    ),
    _translation(
        id="L0-seeds",
        kind="control",
        statement="The standard deviation of BLEU over the seeds of a layer is at most 1.5 for every layer.",
        **cited("computed", f"{PROPOSAL}: one of eight seeds that fails by 4 BLEU exceeds it"),
        unit="BLEU",
        where={**TESTS, "shuffle_sources": False, "main_setting": True},
        needs=({"layer": ("attention", "lightweight", "dynamic")},),
        measure=measures.largest_std,
        criterion=at_most(1.5),
        repetition_unit="seeds",
        guards=(TrainTranslationModel,),
        guarded=TESTS,
    ),
    *(
        Claim(
            id=f"L0-trained-{model}",
            kind="control",
            statement=f"Twice the number of updates lowers the validation loss of the {what} with self-attention by at most {margin} nats.",
            **cited("computed", f"{PROPOSAL}: the margin of the comparisons"),
            unit="nats per token",
            table="longer_training",
            where={"model": model, **where},
            trial=trial,
            needs=needs,
            measure=partial(measures.largest_gain, "gain_nats"),
            criterion=at_most(margin),
            repetition_unit="seeds",
            min_repetitions=2,  # Twice the updates cost an hour per seed, and what they gain hardly varies between seeds.
            guards=(trial,),
            guarded=where,
        )
        for model, what, trial, margin, where, needs in (
            (
                "translation", "translation model", TrainTranslationModel, MARGIN_NATS, {"dataset": TESTS["dataset"]},
                ({"layer": "attention", "shuffle_sources": False},),
            ),
            ("language", "language model", TrainLanguageModel, MARGIN_PERCENT / 100, {}, ({"layer": "attention"},)),
        )
    ),
    Claim(
        id="L0-trained-recall",
        kind="control",
        statement="A model with two layers of self-attention recalls at least 95 % of the values.",
        **RECALL,
        unit="%",
        table="recall",
        where={"layers": RECALL_ATTENTION, "gap": 33, "candidate": False},
        trial=TrainRecall,
        measure=partial(measures.percentage_over_seeds, "accuracy_percent"),
        criterion=at_least(95),
        repetition_unit="seeds",
        guards=(TrainRecall,),
    ),
    Claim(
        id="L0-parameters-recall",
        kind="control",
        statement="No model of the recall task has more than 1.02 times the parameters of the model with self-attention.",
        **PROPOSED,
        unit="x",
        table="recall",
        trial=TrainRecall,
        measure=partial(largest, "parameter_ratio"),
        criterion=at_most(1.02),
        repetition_unit="exact",
        guards=(TrainRecall,),
    ),
)  # fmt: skip

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
        repetition_unit="seeds",
        controls=("L0-parameters",),
    ),
    *(
        _difference(
            f"L2-{layer}", layer, "attention",
            f"Translation models with {name} are at most 0.8 BLEU worse and at most 1.6 BLEU better than with self-attention.",
            cited("secondary source", TABLE_2, paper), IN_BLEU, primary=True, blind=layer != "dynamic",
        )
        for layer, name, paper in (("dynamic", "DynamicConv", 0.8), ("lightweight", "LightConv", 0.4))
    ),
    *(
        _difference(
            f"L2-{layer}-loss", layer, "attention",
            f"The validation loss of translation models with {name} is at most 0.04 nats per token above and at most 0.08 below that with "
            "self-attention.",
            cited("computed", f"{PROPOSAL}: 0.8 and 1.6 BLEU in nats"), IN_NATS,
            measure=partial(mean_over_seeds, "loss_difference_nats"), unit="nats per token", blind=layer != "dynamic",
        )
        for layer, name in (("dynamic", "DynamicConv"), ("lightweight", "LightConv"))
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
    _translation(
        id="L3-order", statement="The BLEU of the seven convolutions of the ablation ranks as in the paper (mean over seeds).",
        **cited("secondary source", TABLE_3, 1), unit="Spearman ρ",
        where={**TESTS, "shuffle_sources": False, "main_setting": True}, needs=({"layer": tuple(ABLATION)},),
        measure=measures.rank_correlation_with_paper, criterion=above(0), repetition_unit="seeds",
    ),
)  # fmt: skip


def _decoding(id: str, device: str, statement: str, column: str, **more: Any) -> Claim:
    """Return a claim on the time of beam search at each length."""
    lengths = ", ".join(map(str, DECODED_LENGTHS[device][:-1])) + f" and {DECODED_LENGTHS[device][-1]}"
    return Claim(
        **{
            "id": _on(id, device),
            "statement": f"{ON[device]}, {statement}, at {lengths} tokens each (beam search, models with random weights).",
            "unit": "x",
            "table": "decoding",
            "where": {**TIMED[device], "layer": "dynamic", "length": DECODED_LENGTHS[device]},
            "trial": TimeDecoding,
            "measure": partial(measures.smallest_ratio, column, DECODED_LENGTHS[device]),
            "criterion": above(1),
            "repetition_unit": "processes",
            **more,
        }
    )


def _beam_search(device: str) -> tuple[Claim, ...]:
    """Return the claims on the speed of beam search on a device."""
    return (
        *(
            _decoding(
                id, device, f"DynamicConv translates more sentences per second than self-attention {how}", column,
                **cited("secondary source", TABLE_3, ratio), **more,
            )
            for id, how, ratio, column, more in (
                (
                    "L4-decoding", "as implemented in 2019", 1.20, "speedup_over_materialized",
                    {"primary": True, "superseded_by": "L4-gpu-decoding"} if device == "cpu" else {},
                ),
                ("L4-decoding-window", "with a window of the same size", 1.14, "speedup_over_window", {}),
            )
        ),
        _decoding(
            "T6-fused-decoding", device,
            "DynamicConv translates at most 1.05 times as many sentences per second as full self-attention as implemented today",
            "speedup_over_attention", **PROPOSED, kind="follow-up", direction="weakens", criterion=at_most(1.05), blind=device == "gpu",
            measure=partial(measures.largest_ratio, "speedup_over_attention", DECODED_LENGTHS[device]),
        ),
    )  # fmt: skip


def _blocks(device: str) -> tuple[Claim, ...]:
    """Return the claims on the speed of blocks by length on a device."""
    return tuple(
        Claim(
            id=_on(f"L4-length-{suffix}", device),
            statement=(
                f"{ON[device]}, a block with DynamicConv trains faster than one with attention {how}, at each length from "
                f"{TRAINED_LENGTHS[device][0]} to {TRAINED_LENGTHS[device][-1]:,}."
            ),
            **cited("secondary source", f"{ABSTRACT}; the limit is {PROPOSAL}"),
            unit="x",
            table="speed",
            where={
                **TIMED[device],
                "scope": "block",
                "direction": "training",
                "causal": False,
                "layer": "dynamic",
                "length": TRAINED_LENGTHS[device],
            },
            trial=TimeLayer,
            needs=({"block": True, "layers": lambda layers: "attention-materialized" in layers},),
            measure=partial(measures.smallest_ratio, column, TRAINED_LENGTHS[device]),
            criterion=above(1),
            repetition_unit="processes",
        )
        for suffix, how, column in (
            ("plain", "as implemented in 2019", "speedup_over_materialized"),
            ("fused", "as implemented in torch today", "speedup_over_attention"),
        )
    )


def _exponents(device: str) -> tuple[Claim, ...]:
    """Return the claims on the exponent of the time in the length on a device."""
    return tuple(
        Claim(
            id=_on(f"L5-{layer}", device),
            statement=f"{ON[device]}, the time of {name} grows {how} with the length, from 1,024 to 8,192 positions.",
            **cited("secondary source", ABSTRACT, exponent),
            unit="exponent",
            table="slopes",
            where={**TIMED[device], "layer": layer, "scope": "layer", "direction": "training", "causal": False},
            trial=TimeLayer,
            needs=({"length": _in_slope_range, "block": False},),
            measure=partial(measures.mean_over_processes, "slope"),
            criterion=criterion,
            repetition_unit="processes",
        )
        for layer, name, how, exponent, criterion in (
            ("dynamic", "DynamicConv", "linearly (exponent at most 1.2)", 1, at_most(1.2)),
            ("attention", "self-attention", "quadratically (exponent at least 1.6)", 2, at_least(1.6)),
        )
    )


def _recall(id: str, layers: str, gap: int, statement: str, column: str, criterion: Criterion, **more: Any) -> Claim:
    """Return a follow-up claim on the recall task."""
    return Claim(
        id=id,
        kind="follow-up",
        direction="overtakes",
        statement=statement,
        **RECALL,
        unit="%",
        table="recall",
        where={"layers": layers, "gap": gap, "candidate": False},
        trial=TrainRecall,
        criterion=criterion,
        repetition_unit="seeds",
        **{"measure": partial(measures.percentage_over_seeds, column), **more},
    )


FOLLOW_UPS = (
    _recall(
        "T6-recall", RECALL_CONVOLUTION, 33,
        "A model with two layers of DynamicConv recalls at most 50 % of the values if the pairs are beyond the reach of its kernels.",
        "accuracy_percent", at_most(50),
    ),
    _recall(
        "T6-recall-near", RECALL_CONVOLUTION, 0,
        "A model with two layers of DynamicConv recalls at most 50 % of the values even if all pairs are within the reach of its kernels.",
        "accuracy_percent", at_most(50),
    ),
    _recall(
        "T6-hybrid", RECALL_HYBRID, 33,
        "Attention in the second of the two layers closes at least 90 % of the difference in recall between DynamicConv and attention.",
        "gap_closed_percent", at_least(90), blind=False, measure=partial(mean_over_seeds, "gap_closed_percent"),
        needs=({}, {"layers": (RECALL_ATTENTION, RECALL_CONVOLUTION)}),
    ),
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (
    *CONTROLS,
    *QUALITY_OF_TRANSLATION,
    *(claim for device in TIMED for made in (_beam_search, _blocks, _exponents) for claim in made(device)),
    _difference(
        "L6-window",
        "attention-window",
        "attention",
        "Self-attention with a window of 3 to 31 positions and full self-attention differ by at most 0.8 BLEU.",
        cited("secondary source", TABLE_3, 0.0),
        within(MARGIN_BLEU, beyond="high"),
    ),
    *(
        Claim(
            id=f"L7-{suffix}",
            statement=f"On {name}, the perplexities of language models with DynamicConv and with self-attention differ by at most 2 %.",
            **cited("from memory", f"{PAPER}, Table 4 (Billion Word, test: 26.67 / 26.73)", 0.998),
            unit="x",
            table="language_modeling",
            where={"dataset": dataset, "layer": "dynamic", "main_setting": True},
            trial=TrainLanguageModel,
            needs=({"layer": ("dynamic", "attention")},),
            measure=partial(mean_over_seeds, "perplexity_ratio"),
            criterion=Criterion(1 - MARGIN_PERCENT / 100, 1 + MARGIN_PERCENT / 100, beyond="low"),
            repetition_unit="seeds",
        )
        for suffix, dataset, name in (
            ("tinyshakespeare", FirstOf("tinyshakespeare", "numbers"), "Tiny Shakespeare (stand-in: written numbers)"),
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
        repetition_unit="seeds",
        controls=("L0-parameters",),
    ),
    *FOLLOW_UPS,
)
