"""Tables of myth 6. Column names contain the unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from myths.lab.storage.store import Results
from myths.lab.tables import TRIALS, unite, unite_columns
from myths.lab.trial import least_faithful
from myths.lightweight_conv.corpora import SUMMARIES
from myths.lightweight_conv.published import ABLATION
from myths.lightweight_conv.trials.kernels import ExportKernels
from myths.lightweight_conv.trials.language_models import TrainLanguageModel
from myths.lightweight_conv.trials.speed import TimeDecoding, TimeLayer
from myths.lightweight_conv.trials.translation_models import TrainTranslationModel

if TYPE_CHECKING:
    import pandas as pd

COMPARED_LAYERS: tuple[tuple[str, str], ...] = (
    ("attention-window", "attention"), ("lightweight", "attention"), ("dynamic", "attention"),
    ("depthwise", "dense-conv"), ("increasing-kernel", "depthwise"), ("dropconnect", "increasing-kernel"),
    ("shared-kernel", "dropconnect"), ("lightweight", "shared-kernel"),
    ("dynamic", "lightweight"), ("dynamic", "dense-conv"), ("dynamic", "dynamic-no-softmax"),
)  # fmt: skip
"""Pairs of layers that are compared between training runs with equal seeds."""

SLOPE_LENGTHS = (1024, 8192)


def translation(results: Results) -> pd.DataFrame:
    """Return one row per translation model and test set: BLEU with its interval over sentences, parameters, speed, source use."""
    table = _translation_models(results)
    if table.empty:
        return table
    names = [
        *("dataset", "test_set", "layer", "shuffle_sources", "seed", "bleu", "bleu_low", "bleu_high", "exact_match_percent"),
        *("rouge1", "rouge2", "rougeL", "valid_loss_nats", "source_use_nats", "source_use_nats_low", "source_use_nats_high"),
        *("n_valid", "n_test", "n_train", "epochs", "updates"),
        *("parameters", "parameter_ratio", "embed_dim", "encoder_layers", "decoder_layers", "vocabulary_size", "beam_size"),
        *("sentences_per_second", "target_tokens_per_second", "train_seconds", "train_loss", "diverged_at", "precision", "signature"),
        *("protocol", "device", TRIALS),
    ]
    attention = table[table["layer"] == "attention"].sort_values(["shuffle_sources", "seed"])
    attention = attention.drop_duplicates("setting").set_index("setting")
    table["parameter_ratio"] = table["parameters"] / table["setting"].map(attention["parameters"])
    table[TRIALS] = unite_columns(table[TRIALS], table["setting"].map(attention[TRIALS]))
    return table[[name for name in names if name in table]]


def bleu_differences(results: Results) -> pd.DataFrame:
    """Return the BLEU difference of two layers that were trained with the same settings and seed. A diverged run has BLEU 0.

    ``main_setting`` marks the rows with the most updates for a pair of layers. Claims use only these.
    """
    import pandas as pd

    table = _translation_models(results)
    if table.empty:
        return table
    table = table[~table["shuffle_sources"] & (table["dataset"] != SUMMARIES)]
    if "bleu" not in table:
        return table.iloc[:0]
    lines = {(line["setting"], line["layer"], line["test_set"], line["seed"]): line for line in table.to_dict("records")}
    score = {key: 0.0 if pd.notna(line["diverged_at"]) else line["bleu"] for key, line in lines.items()}
    rows = [
        {
            **{name: line[name] for name in ("dataset", "test_set", "seed", "updates", "layer")},
            "baseline": other,
            "bleu_difference": score[own] - score[key],
            **{name: line[name] for name in ("protocol", "device")},
            TRIALS: unite([line[TRIALS], lines[key][TRIALS]]),
        }
        for own, line in lines.items()
        for layer, other in COMPARED_LAYERS
        if line["layer"] == layer and (key := (line["setting"], other, line["test_set"], line["seed"])) in score
    ]
    found = pd.DataFrame(rows)
    if found.empty:
        return found
    most_updates = found.groupby(["dataset", "test_set", "layer", "baseline"])["updates"].transform("max")
    return found.assign(main_setting=found["updates"] == most_updates)


def ablation(results: Results) -> pd.DataFrame:
    """Return the mean and standard deviation of BLEU over seeds, with the values of the paper's Table 3."""
    import pandas as pd

    table = _translation_models(results)
    if table.empty:
        return table
    table = table[~table["shuffle_sources"] & (table["dataset"] != SUMMARIES)]
    rows = []
    for (dataset, test, setting, layer), group in table.groupby(["dataset", "test_set", "setting", "layer"], sort=False):
        fine = group[group["diverged_at"].isna()] if "bleu" in group else group.iloc[:0]
        paper = ABLATION.get(layer)
        rows.append(
            {
                "dataset": dataset,
                "test_set": test,
                "updates": int(group["updates"].iloc[0]),
                "layer": layer,
                "seeds": len(group),
                "diverged": len(group) - len(fine),
                "bleu": fine["bleu"].mean() if len(fine) else np.nan,
                "bleu_std": fine["bleu"].std(ddof=1) if len(fine) > 1 else np.nan,
                "parameters": int(group["parameters"].iloc[0]),
                "paper_bleu": paper.bleu if paper else np.nan,
                "paper_bleu_std": paper.std if paper else np.nan,
                "paper_sentences_per_second": paper.sentences_per_second if paper else np.nan,
                "protocol": least_faithful(group["protocol"]),
                "device": group["device"].iloc[0],
                "setting": setting,
                TRIALS: unite(group[TRIALS]),
            }
        )
    return pd.DataFrame(rows).drop(columns="setting") if rows else table.iloc[:0]


def speed(results: Results) -> pd.DataFrame:
    """Return time, speedup over attention and peak memory, with one row per layer, length, direction and scope.

    ``speedup_over_attention`` and ``speedup_over_materialized`` above 1 mean faster than full attention of today and of 2019.
    """
    table = _timings(results, TimeLayer, scope=lambda t: "block" if t.block else "layer")
    if table.empty:
        return table
    if "seconds" not in table:
        return table.assign(seconds=np.nan, microseconds_per_token=np.nan, seconds_per_sequence=np.nan, speedup_over_materialized=np.nan)
    table["microseconds_per_token"] = 1e6 * table["seconds"] / (table["batch_size"] * table["length"])
    table["seconds_per_sequence"] = table["seconds"] / table["batch_size"]
    keys = ["requested_layers", "length", "direction", "scope", "causal", "dtype", "embed_dim", "batch_tokens", "seed", "device"]
    return _with_speedups(table, keys)


def slopes(results: Results) -> pd.DataFrame:
    """Return the exponent of the time per sequence in the length, from 1,024 to 8,192 positions, with its regression interval."""
    import pandas as pd
    from scipy import stats

    table = speed(results)
    if table.empty:
        return table
    table = table[(table["status"] == "ok") & table["length"].between(*SLOPE_LENGTHS)]
    keys = ["layer", "direction", "scope", "causal", "dtype", "embed_dim", "dataset", "protocol", "device"]
    rows = []
    for key, group in table.groupby(keys, sort=False):
        x, y = np.log(group["length"].to_numpy(float)), np.log(group["seconds_per_sequence"].to_numpy(float))
        if len(set(x.tolist())) < 3:
            continue
        found = stats.linregress(x, y)
        half = stats.t.ppf(0.975, len(x) - 2) * found.stderr
        lengths = {"from_length": int(group["length"].min()), "to_length": int(group["length"].max())}
        rows.append(
            dict(zip(keys, key, strict=True))
            | {"slope": found.slope, "slope_low": found.slope - half, "slope_high": found.slope + half, "points": len(x)}
            | lengths
            | {TRIALS: unite(group[TRIALS])}
        )
    return pd.DataFrame(rows)


def crossover(results: Results) -> pd.DataFrame:
    """Return the shortest length from which a layer is faster than full attention, or NaN if it is slower at the longest."""
    import pandas as pd

    table = speed(results)
    if table.empty:
        return table
    keys = ["layer", "direction", "scope", "causal", "dtype", "embed_dim", "dataset", "protocol", "device"]
    rows = []
    for key, group in table[table["layer"] != "attention"].groupby(keys, sort=False):
        row: dict[str, Any] = dict(zip(keys, key, strict=True))
        for name, column in (
            ("crossover_length", "speedup_over_attention"),
            ("crossover_length_materialized", "speedup_over_materialized"),
        ):
            if column in group:
                row[name] = _first_faster(group.dropna(subset=column).groupby("length")[column].median())
        rows.append(row | {TRIALS: unite(group[TRIALS])})
    return pd.DataFrame(rows)


def decoding(results: Results) -> pd.DataFrame:
    """Return sentences per second of whole models in beam search and the speedup over attention, with one row per layer."""
    table = _timings(results, TimeDecoding)
    if table.empty:
        return table
    return _with_speedups(table, ["requested_layers", "length", "embed_dim", "dtype", "seed", "device", "batch_size"])


def language_modeling(results: Results) -> pd.DataFrame:
    """Return perplexity, bits per byte and perplexity relative to attention, with one row per language model."""
    table = results.frame(TrainLanguageModel, setting=_setting)
    if table.empty or "perplexity" not in table:
        return table.drop(columns="setting") if len(table) else table
    keys = list(table[["setting", "seed"]].itertuples(index=False, name=None))
    attention = {key: line for key, line in zip(keys, table.to_dict("records"), strict=True) if line["layer"] == "attention"}
    others = [attention.get(key, {}) for key in keys]
    table["perplexity_ratio"] = table["perplexity"] / np.array([other.get("perplexity", np.nan) for other in others], dtype=float)
    table[TRIALS] = unite_columns(table[TRIALS], (other.get(TRIALS) for other in others))
    return table.drop(columns="setting")


def learned_kernels(results: Results) -> pd.DataFrame:
    """Return the weights of the learned kernels."""
    return results.frame(
        ExportKernels,
        dataset=lambda t: t.model.dataset,
        layer=lambda t: t.model.layer,
        seed=lambda t: t.model.seed,
    )


def _translation_models(results: Results) -> pd.DataFrame:
    return results.frame(TrainTranslationModel, setting=_setting)


def _setting(trial: TrainTranslationModel | TrainLanguageModel) -> str:
    """Return all settings except the layer, the seed and ``shuffle_sources``."""
    from dataclasses import fields

    return repr([(f.name, getattr(trial, f.name)) for f in fields(trial) if f.name not in ("layer", "seed", "shuffle_sources")])


def _timings(results: Results, kind: type[TimeLayer | TimeDecoding], **columns: Any) -> pd.DataFrame:
    """Return the rows of timings. A worker that was killed for memory returns one row without a layer: its layer is all of them."""
    table = results.frame(kind, **columns, dataset=lambda t: "random input", requested_layers=lambda t: ", ".join(t.layers))
    return table.assign(layer=table.get("layer", table["requested_layers"]).fillna(table["requested_layers"])) if len(table) else table


def _with_speedups(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Add speedups over attention layers of the same trial. ``_low`` and ``_high`` come from the quartiles of both times."""
    lines = table.to_dict("records")
    columns: dict[str, list[float]] = {}
    ids: list[list[str]] = [[line[TRIALS]] for line in lines]
    for name, layer in (
        ("speedup_over_attention", "attention"),
        ("speedup_over_materialized", "attention-materialized"),
        ("speedup_over_window", "attention-window"),
    ):
        others = {tuple(line[k] for k in keys): line for line in lines if line["layer"] == layer}
        other = [others.get(tuple(line[k] for k in keys), {}) for line in lines]
        for each, found in zip(ids, other, strict=True):
            each.append(found.get(TRIALS, ""))
        for suffix, over, under in (("", "", ""), ("_low", "q25_", "q75_"), ("_high", "q75_", "q25_")):
            columns[name + suffix] = [
                o.get(f"{over}seconds", np.nan) / line[f"{under}seconds"] for o, line in zip(other, lines, strict=True)
            ]
    return table.assign(**columns, **{TRIALS: list(map(unite, ids))})


def _first_faster(ratios: pd.Series) -> float:
    faster = [bool(ratio > 1) for ratio in ratios]
    while_faster = [int(length) for i, length in enumerate(ratios.index) if all(faster[i:])]
    return float(while_faster[0]) if while_faster else np.nan
