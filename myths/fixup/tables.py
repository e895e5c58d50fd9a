"""Tables of myth 5. Column names contain the unit: percent, pp (percentage points), seconds, bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from myths.fixup.methods import METHODS
from myths.fixup.trials.image_training import ImageTraining, nominal_depth
from myths.fixup.trials.training_runs import FIRST_EPOCH, TrainFullSchedule, TrainOneEpoch
from myths.fixup.trials.translation import TrainTransformer
from myths.fixup.trials.update import MeasureUpdate
from myths.lab.estimate import clopper_pearson
from myths.lab.storage.store import Results
from myths.lab.tables import TRIALS, mark_main_setting, rows_of_kind, unite, unite_columns

if TYPE_CHECKING:
    import pandas as pd

SETTING = ("dataset", "architecture", "width", "image_size", "train_examples", "epochs", "batch_size", "device")
"""Columns that training runs must share to be compared."""
SHALLOW = 20
"""Nominal depth of the network that deep ones are compared with."""
CHANCE_PERCENT = 10.0
"""Accuracy of a guess: all image datasets of the claims have ten classes."""


def one_epoch(results: Results) -> pd.DataFrame:
    """Return one row per training run of one epoch, with the Clopper-Pearson interval of its accuracy over test examples."""
    return _mark_main_setting(_training_runs(results, TrainOneEpoch))


def depth_sweep(results: Results) -> pd.DataFrame:
    """Return the accuracy after one epoch by depth at the paper's learning rate: mean, minimum and maximum over seeds (Fig. 3)."""
    table = one_epoch(results)
    if table.empty:
        return table
    return _over_seeds(table[table["learning_rate"] == FIRST_EPOCH["learning_rate"]], [*SETTING, "depth", "nominal_depth", "branches"])


def share_of_shallow(results: Results) -> pd.DataFrame:
    """Return the accuracy above chance of each run of one epoch as a percentage of that of 22 layers with Fixup, seed and setting alike.

    ``shallow_accuracy_percent`` is the accuracy of the 22-layer network, the shallow end of Fig. 3 (nominal depth 20).
    """
    table = one_epoch(results)
    if table.empty:
        return table
    keys = [*SETTING, "learning_rate", "seed"]
    shallow = table[(table["nominal_depth"] == SHALLOW) & (table["method"] == "fixup")]
    pairs = table.merge(shallow[[*keys, "test_accuracy_percent", TRIALS]], on=keys, suffixes=("", "_of_shallow"))
    pairs[TRIALS] = unite_columns(pairs[TRIALS], pairs.pop(f"{TRIALS}_of_shallow"))
    pairs = pairs.rename(columns={"test_accuracy_percent_of_shallow": "shallow_accuracy_percent"})
    above_chance = pairs[["test_accuracy_percent", "shallow_accuracy_percent"]] - CHANCE_PERCENT
    share = 100 * above_chance["test_accuracy_percent"] / above_chance["shallow_accuracy_percent"]
    return pairs.assign(share_of_shallow_percent=share.where(above_chance["shallow_accuracy_percent"] > 0))


def sensitivity(results: Results) -> pd.DataFrame:
    """Return the accuracy after one epoch by learning rate, for settings with at least three learning rates."""
    table = one_epoch(results)
    if table.empty:
        return table
    keys = [*SETTING, "depth", "nominal_depth", "method"]
    tried = table.groupby(keys, dropna=False)["learning_rate"].transform("nunique")
    return _over_seeds(table[tried >= 3], [*SETTING, "depth", "nominal_depth", "learning_rate"])


def full_training(results: Results) -> pd.DataFrame:
    """Return one row per training run on a full schedule (Table 1).

    ``main_setting`` marks the best protocol with the most epochs, of each network.
    """
    table = _training_runs(results, TrainFullSchedule)
    if table.empty:
        return table
    network = ["dataset", "architecture", "depth"]
    return mark_main_setting(table, network, [*network, "protocol", "epochs"], (table["epochs"],))


def difference_from_bn(results: Results) -> pd.DataFrame:
    """Return the accuracy difference of each training run from batch normalization with the same seed and setting.

    The column ``experiment`` is "one epoch" or "full schedule".
    """
    import pandas as pd

    trained = (("one epoch", one_epoch(results)), ("full schedule", full_training(results)))
    parts = [_differences_from(table, "batch-norm", "bn").assign(experiment=name) for name, table in trained if len(table)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def difference_from_no_branches(results: Results) -> pd.DataFrame:
    """Return the accuracy difference of each run of one epoch from the network of its seed and setting without residual branches."""
    table = one_epoch(results)
    return table if table.empty else _differences_from(table, "no-branches", "no_branches")


def _differences_from(table: pd.DataFrame, method: str, suffix: str) -> pd.DataFrame:
    """Return one row per training run with another method, with its accuracy difference from ``method`` with the same seed and setting."""
    keys = [*SETTING, "protocol", "depth", "nominal_depth", "learning_rate", "mixup", "seed", "main_setting"]
    values = [*keys, "method", "test_accuracy_percent", TRIALS]
    reference = table[table["method"] == method][values].drop(columns="method")
    pairs = table[table["method"] != method][values].merge(reference, on=keys, suffixes=("", f"_of_{suffix}"))
    pairs[f"difference_from_{suffix}_pp"] = pairs["test_accuracy_percent"] - pairs[f"test_accuracy_percent_of_{suffix}"]
    pairs[TRIALS] = unite_columns(pairs[TRIALS], pairs.pop(f"{TRIALS}_of_{suffix}"))
    return pairs


def translations(results: Results) -> pd.DataFrame:
    """Return the BLEU of each transformer, and its difference from and ratio to layer normalization with the same seed and setting."""
    table = results.frame(TrainTransformer)
    if table.empty:
        return table
    keys = ["dataset", "embed_dim", "ffn_dim", "heads", "layers", "updates", "learning_rate", "dropout", "protocol", "device", "seed"]
    normalized = table[table["normalization"] == "layer"][[*keys, "bleu", TRIALS]]
    found = table.merge(normalized, how="left", on=keys, suffixes=("", "_of_layer_norm"))
    found[TRIALS] = unite_columns(found[TRIALS], found.pop(f"{TRIALS}_of_layer_norm"))
    found["difference_from_layer_norm"] = found["bleu"] - found["bleu_of_layer_norm"]
    found["ratio_to_layer_norm"] = found["bleu"] / found["bleu_of_layer_norm"].where(lambda bleu: bleu > 0)
    most_updates = found["updates"] == found.groupby("dataset")["updates"].transform("max")
    return _without_stand_ins(found.assign(main_setting=most_updates))


def curves(results: Results) -> pd.DataFrame:
    """Return the training loss by step, averaged over about 30 intervals per training run."""
    import pandas as pd

    parts = [
        rows_of_kind(results.frame(kind, experiment=lambda t: "one epoch" if isinstance(t, TrainOneEpoch) else "full schedule"), "curve")
        for kind in (TrainOneEpoch, TrainFullSchedule)
    ]
    parts = [part for part in parts if len(part)]
    if not parts:
        return pd.DataFrame()
    names = [*SETTING, "protocol", "experiment", "depth", "method", "learning_rate", "mixup", "seed", "step", "loss", TRIALS]
    return pd.concat([part[names] for part in parts], ignore_index=True)


def updates(results: Results) -> pd.DataFrame:
    """Return one row per measured step: change of the function, gradient norm, and largest logit before the step."""
    table = rows_of_kind(results.frame(MeasureUpdate), "step")
    return _without_stand_ins(table) if len(table) else table


def gradients(results: Results) -> pd.DataFrame:
    """Return the gradient norm of the convolutions of each block, at the first and the last step."""
    return rows_of_kind(results.frame(MeasureUpdate), "layer")


def slopes(results: Results) -> pd.DataFrame:
    """Return the growth of updates and gradients with the number L of branches, per seed and step with at least four finite depths.

    ``update_slope`` and ``update_over_learning_rate_slope`` are d log ‖Δf‖ / d log L; ``gradient_growth`` is the factor by which each
    further branch multiplies the gradient norm, minus 1.
    """
    import pandas as pd

    table = updates(results)
    keys = ["dataset", "architecture", "width", "image_size", "examples_per_step", "learning_rate", "method", "seed", "step", "protocol"]
    keys += ["device", "main_setting"]
    rows: list[dict[str, Any]] = []
    for values, group in table.groupby(keys, dropna=False) if len(table) else ():
        line = dict(zip(keys, values, strict=True))
        for column in ("update", "update_over_learning_rate", "gradient_norm"):
            found = group[["branches", column]].dropna() if column in group else group.iloc[:0]
            found = found[found[column] > 0] if len(found) else found
            if len(found) < 4:
                continue
            logarithm = np.log(found[column].astype(float))
            if column == "gradient_norm":
                line["gradient_growth"] = float(np.expm1(np.polyfit(found["branches"], logarithm, 1)[0]))
            else:
                line[f"{column}_slope"] = float(np.polyfit(np.log(found["branches"]), logarithm, 1)[0])
        rows.append(line | {"depths": len(group), TRIALS: unite(group[TRIALS])})
    return pd.DataFrame(rows)


def _training_runs(results: Results, kind: type[ImageTraining]) -> pd.DataFrame:
    table = rows_of_kind(results.frame(kind, nominal_depth=lambda t: nominal_depth(t.depth)), "summary")
    if table.empty:
        return table
    peak = [record.peak_memory_bytes for _, record in results.of(kind)]
    found = [clopper_pearson(int(k), int(n)).affine(100) for k, n in zip(table["n_correct"], table["n_test"], strict=True)]
    return table.assign(
        diverged_at=table.get("diverged_at"),
        low_percent=[f.low for f in found],
        high_percent=[f.high for f in found],
        peak_memory_bytes=peak,
    )


def _over_seeds(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    table = table.assign(method_label=table["method"].map(lambda name: METHODS[name].label))
    grouped = table.groupby([*keys, "method", "method_label"], dropna=False)
    return grouped.agg(
        protocol=("protocol", "first"),
        test_accuracy_percent=("test_accuracy_percent", "mean"),
        min_percent=("test_accuracy_percent", "min"),
        max_percent=("test_accuracy_percent", "max"),
        seeds=("seed", "nunique"),
        diverged=("diverged_at", "count"),
        seconds_per_step=("seconds_per_step", "median"),
        peak_memory_bytes=("peak_memory_bytes", "max"),
        blocks_per_segment=("blocks_per_segment", "max"),
        parameters=("parameters", "first"),
        **{TRIALS: (TRIALS, unite)},
    ).reset_index()


def _mark_main_setting(table: pd.DataFrame) -> pd.DataFrame:
    """Mark the main setting of each depth: at the usual rate, with the most methods, the most images and the largest images.

    If all are equal, it is the wide residual network, as in the paper's Fig. 3.
    """
    if table.empty:
        return table
    usual = table["learning_rate"] == FIRST_EPOCH["learning_rate"]
    columns = ["nominal_depth", *SETTING]
    methods = table[usual].groupby(columns, dropna=False)["method"].transform("nunique").reindex(table.index)
    return mark_main_setting(
        table,
        ["nominal_depth"],
        columns,
        (methods, table["n_train"], table["image_size"].replace(0, 1000), (table["architecture"] == "wide-resnet").astype(int)),
        eligible=usual,
    )


def _without_stand_ins(table: pd.DataFrame) -> pd.DataFrame:
    real = table["protocol"] != "stand-in"
    return table.assign(main_setting=table.get("main_setting", True) & (real | ~real.any()))
