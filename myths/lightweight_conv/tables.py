"""Tables of myth 6. Column names contain the unit."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from myths.lab.storage.store import Results
from myths.lab.tables import TRIALS, unite, unite_columns
from myths.lab.trial import least_faithful
from myths.lightweight_conv.corpora import SUMMARIES
from myths.lightweight_conv.published import ABLATION
from myths.lightweight_conv.trials.kernels import ExportKernels
from myths.lightweight_conv.trials.language_models import TrainLanguageModel
from myths.lightweight_conv.trials.recall import ATTENTION, CONVOLUTION, HYBRID, TrainRecall
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
    """Return one row per translation model and test set: BLEU with its interval over sentences, parameters, speed, source use.

    ``candidate`` marks the training runs that only select a learning rate. ``main_setting`` marks the rows of the setting with the most
    updates for which several layers were trained.
    """
    table = _translation_models(results)
    if table.empty:
        return table
    names = [
        *("dataset", "test_set", "layer", "shuffle_sources", "seed", "bleu", "bleu_low", "bleu_high", "exact_match_percent"),
        *("rouge1", "rouge2", "rougeL", "valid_loss_nats", "source_use_nats", "source_use_nats_low", "source_use_nats_high"),
        *("n_valid", "n_test", "n_train", "epochs", "updates", "learning_rate", "candidate", "main_setting"),
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
    """Return the differences of BLEU and validation loss of two layers that were trained with the same settings and seed.

    A run that diverged has BLEU 0 and no loss.

    ``main_setting`` marks the rows with the most updates for a pair of layers. Claims use only these.
    """
    import pandas as pd

    table = _translation_models(results)
    if table.empty:
        return table
    table = table[~table["shuffle_sources"] & ~table["candidate"] & (table["dataset"] != SUMMARIES)]
    if "bleu" not in table:
        return table.iloc[:0]
    lines = {(line["setting"], line["layer"], line["test_set"], line["seed"]): line for line in table.to_dict("records")}
    score = {key: 0.0 if pd.notna(line["diverged_at"]) else line["bleu"] for key, line in lines.items()}
    rows = [
        {
            **{name: line[name] for name in ("dataset", "test_set", "seed", "updates", "layer")},
            "baseline": other,
            "bleu_difference": score[own] - score[key],
            "loss_difference_nats": line.get("valid_loss_nats", np.nan) - lines[key].get("valid_loss_nats", np.nan),
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
    table = table[~table["shuffle_sources"] & ~table["candidate"] & (table["dataset"] != SUMMARIES)]
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

    ``speedup_over_attention`` and ``speedup_over_materialized`` above 1 mean faster than full attention of today and of 2019, in the same
    process.
    """
    table = _timings(results, TimeLayer, scope=lambda t: "block" if t.block else "layer")
    if table.empty:
        return table
    if "seconds" not in table:
        return table.assign(seconds=np.nan, microseconds_per_token=np.nan, seconds_per_sequence=np.nan, speedup_over_materialized=np.nan)
    table["microseconds_per_token"] = 1e6 * table["seconds"] / (table["batch_size"] * table["length"])
    table["seconds_per_sequence"] = table["seconds"] / table["batch_size"]
    return _with_speedups(table)


def slopes(results: Results) -> pd.DataFrame:
    """Return the exponent of the time per sequence in the length, from 1,024 to 8,192 positions, with one row per layer and process."""
    import pandas as pd
    from scipy import stats

    table = speed(results)
    if table.empty:
        return table
    table = table[(table["status"] == "ok") & table["length"].between(*SLOPE_LENGTHS)]
    rows = []
    for key, group in table.groupby([*_SERIES, "seed"], sort=False):
        x, y = np.log(group["length"].to_numpy(float)), np.log(group["seconds_per_sequence"].to_numpy(float))
        if len(set(x.tolist())) < 3:
            continue
        lengths = {"from_length": int(group["length"].min()), "to_length": int(group["length"].max())}
        found = {"slope": float(stats.linregress(x, y).slope), "points": len(x)}
        rows.append(dict(zip([*_SERIES, "seed"], key, strict=True)) | found | lengths | {TRIALS: unite(group[TRIALS])})
    return pd.DataFrame(rows)


_SERIES = ["layer", "direction", "scope", "causal", "dtype", "embed_dim", "threads", "dataset", "protocol", "device", "device_kind"]
"""Columns that timings at several lengths have in common."""


def crossover(results: Results) -> pd.DataFrame:
    """Return the shortest length from which a layer is faster than full attention, or NaN if it is slower at the longest."""
    import pandas as pd

    table = speed(results)
    if table.empty:
        return table
    rows = []
    for key, group in table[table["layer"] != "attention"].groupby(_SERIES, sort=False):
        row: dict[str, Any] = dict(zip(_SERIES, key, strict=True))
        for name, column in (
            ("crossover_length", "speedup_over_attention"),
            ("crossover_length_materialized", "speedup_over_materialized"),
        ):
            if column in group:
                row[name] = _first_faster(group.dropna(subset=column).groupby("length")[column].median())
        rows.append(row | {TRIALS: unite(group[TRIALS])})
    return pd.DataFrame(rows)


def decoding(results: Results) -> pd.DataFrame:
    """Return sentences per second of whole models in beam search and the speedup over attention in the same process, by layer."""
    table = _timings(results, TimeDecoding)
    if table.empty:
        return table
    return _with_speedups(table)


def language_modeling(results: Results) -> pd.DataFrame:
    """Return perplexity, bits per byte and perplexity relative to attention, with one row per language model.

    ``candidate`` and ``main_setting`` are those of the table "translation".
    """
    table = _models(results, TrainLanguageModel)
    if table.empty:
        return table
    table["main_setting"] = _is_main_setting(table)
    if "perplexity" in table:
        keys = list(table[["setting", "seed"]].itertuples(index=False, name=None))
        attention = {key: line for key, line in zip(keys, table.to_dict("records"), strict=True) if line["layer"] == "attention"}
        others = [attention.get(key, {}) for key in keys]
        table["perplexity_ratio"] = table["perplexity"] / np.array([other.get("perplexity", np.nan) for other in others], dtype=float)
        table[TRIALS] = unite_columns(table[TRIALS], (other.get(TRIALS) for other in others))
    return table.drop(columns="setting")


def longer_training(results: Results) -> pd.DataFrame:
    """Return what twice the number of updates gains, with one row per model of the main setting with attention.

    A small gain in validation loss means that the baseline of the comparisons is trained. Of several test sets, the BLEU is that of the
    first.
    """
    import pandas as pd

    rows = []
    kinds: dict[str, type[TrainTranslationModel | TrainLanguageModel]] = {
        "translation": TrainTranslationModel,
        "language": TrainLanguageModel,
    }
    for name, kind in kinds.items():
        table = _models(results, kind, schedule=partial(_setting, without=("updates",)))
        if table.empty or "valid_loss_nats" not in table:
            continue
        table["main_setting"] = _is_main_setting(table)
        table = table[table["layer"] == "attention"].drop_duplicates(TRIALS)
        table = table[~table["shuffle_sources"]] if "shuffle_sources" in table else table
        lines = {(line["schedule"], line["seed"], line["updates"]): line for line in table.to_dict("records")}
        for (schedule, seed, updates), line in lines.items():
            if not line["main_setting"] or (longer := lines.get((schedule, seed, 2 * updates))) is None:
                continue
            rows.append(
                {
                    "model": name,
                    **{column: line[column] for column in ("dataset", "layer", "seed", "updates")},
                    "longer_updates": longer["updates"],
                    "valid_loss_nats": line["valid_loss_nats"],
                    "longer_valid_loss_nats": longer["valid_loss_nats"],
                    "gain_nats": line["valid_loss_nats"] - longer["valid_loss_nats"],
                    "gain_bleu": longer.get("bleu", np.nan) - line.get("bleu", np.nan),
                    **{column: line[column] for column in ("protocol", "device")},
                    TRIALS: unite([line[TRIALS], longer[TRIALS]]),
                }
            )
    return pd.DataFrame(rows)


def recall(results: Results) -> pd.DataFrame:
    """Return the percentage of recalled values, with one row per model.

    ``gap_closed_percent`` is the part of the difference between attention and DynamicConv with the same seed that a model recovers.
    ``candidate`` marks the training runs that only select a learning rate.
    """
    table = _models(results, TrainRecall, dataset=lambda trial: "associative recall")
    if table.empty:
        return table
    lines = {(line["setting"], line["layers"], line["seed"]): line for line in table.to_dict("records") if not line["candidate"]}
    any_seed = {(setting, layers): line for (setting, layers, _), line in lines.items()}
    columns: dict[str, list[Any]] = {"parameter_ratio": [], "gap_closed_percent": [], TRIALS: []}
    for line in table.to_dict("records"):
        full, none = (lines.get((line["setting"], layers, line["seed"]), {}) for layers in (RECALL_ATTENTION, RECALL_CONVOLUTION))
        baseline = any_seed.get((line["setting"], RECALL_ATTENTION), {})
        top, bottom = (other.get("accuracy_percent", np.nan) for other in (full, none))
        columns["parameter_ratio"].append(line["parameters"] / baseline.get("parameters", np.nan))
        recovered = line.get("accuracy_percent", np.nan) - bottom
        columns["gap_closed_percent"].append(100 * recovered / (top - bottom) if top > bottom else np.nan)
        columns[TRIALS].append(unite([line[TRIALS], full.get(TRIALS), none.get(TRIALS), baseline.get(TRIALS)]))
    return table.assign(**columns).drop(columns="setting")


RECALL_ATTENTION, RECALL_CONVOLUTION, RECALL_HYBRID = (", ".join(layers) for layers in (ATTENTION, CONVOLUTION, HYBRID))
"""Layers of the recall models as the table has them."""


def learned_kernels(results: Results) -> pd.DataFrame:
    """Return the weights of the learned kernels."""
    return results.frame(
        ExportKernels,
        dataset=lambda t: t.model.dataset,
        layer=lambda t: t.model.layer,
        seed=lambda t: t.model.seed,
    )


def _translation_models(results: Results) -> pd.DataFrame:
    table = _models(results, TrainTranslationModel)
    return table.assign(main_setting=_is_main_setting(table)) if len(table) else table


Model = TrainTranslationModel | TrainLanguageModel | TrainRecall


def _models(results: Results, kind: type[Model], **columns: Any) -> pd.DataFrame:
    """Return the rows of training runs with their setting, and whether they are candidates of others."""
    candidates = {each.id for trial, _ in results.of(kind) for each in trial.candidates}
    return results.frame(kind, setting=_setting, candidate=lambda trial: trial.id in candidates, **columns)


def _setting(trial: Model, without: tuple[str, ...] = ()) -> str:
    """Return all settings except the layers, the seed and ``shuffle_sources``. Of the candidates it has the rates and updates."""
    from dataclasses import fields

    excluded = ("layer", "seed", "shuffle_sources", "candidates", *without)
    if isinstance(trial, TrainRecall):
        excluded = (*excluded, "layers")
    candidates = [(each.learning_rate, each.updates) for each in trial.candidates]
    return repr([*((f.name, getattr(trial, f.name)) for f in fields(trial) if f.name not in excluded), candidates])


def _is_main_setting(table: pd.DataFrame) -> pd.Series:
    """Return whether each row has the most updates of its dataset, among settings with several layers if there are any."""
    runs = table[~table["candidate"]]
    several = runs.groupby(["dataset", "setting"])["layer"].nunique().gt(1).rename("several")
    found = runs.join(several, on=["dataset", "setting"])
    rank = found["updates"] + found["several"] * (found["updates"].max() + 1)
    main = rank == rank.groupby(found["dataset"]).transform("max")
    return main.reindex(table.index, fill_value=False).astype(bool)


def _timings(results: Results, kind: type[TimeLayer | TimeDecoding], **columns: Any) -> pd.DataFrame:
    """Return the rows of timings. A worker that was killed for memory returns one row without a layer: its layer is all of them."""
    table = results.frame(kind, **columns, dataset=lambda t: "random input", requested_layers=lambda t: ", ".join(t.layers))
    if table.empty:
        return table
    layers = table.get("layer", table["requested_layers"]).fillna(table["requested_layers"])
    return table.assign(layer=layers, device_kind=["cpu" if device == "cpu" else "gpu" for device in table["device"]])


def _with_speedups(table: pd.DataFrame) -> pd.DataFrame:
    """Add speedups over the attention layers of the same trial, which is one process."""
    speedups = {}
    for name, layer in (
        ("speedup_over_attention", "attention"),
        ("speedup_over_materialized", "attention-materialized"),
        ("speedup_over_window", "attention-window"),
    ):
        reference = table[table["layer"] == layer].drop_duplicates(TRIALS).set_index(TRIALS)["seconds"]
        speedups[name] = table[TRIALS].map(reference) / table["seconds"]
    return table.assign(**speedups)


def _first_faster(ratios: pd.Series) -> float:
    faster = [bool(ratio > 1) for ratio in ratios]
    while_faster = [int(length) for i, length in enumerate(ratios.index) if all(faster[i:])]
    return float(while_faster[0]) if while_faster else np.nan
