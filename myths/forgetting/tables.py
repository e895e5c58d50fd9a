"""Tables of the results. Column names carry the unit (percent; pp for percentage points)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from myths.forgetting import correlations
from myths.forgetting.pruning_order import LEAST_FORGOTTEN, order_name
from myths.forgetting.trials import (
    CompareCounts,
    CorrelateCounts,
    CountForgetting,
    CountUnforgettable,
    FindLabelErrors,
    PruneNothing,
    RankUserExamples,
    ScoreExamples,
    TrainPruned,
)
from myths.forgetting.trials.pruning import score_name, score_network
from myths.forgetting.trials.training import dataset_name
from myths.lab.estimate import clopper_pearson, student_t
from myths.lab.storage.store import Results
from myths.lab.tables import PROVENANCE_COLUMNS, TRIALS, mark_main_setting, rows_of_kind, unite, unite_columns
from myths.lab.trial import PROTOCOLS
from myths.lab.vision.classifier import RELATIVE_COST

if TYPE_CHECKING:
    import pandas as pd

TRIALS_OF_LOSS = "trials_of_loss"
"""Internal column: the trials of ``loss_pp``, without those that only ``above_random_pp`` uses."""
SETTING = ("dataset", "network", "epochs", "protocol", "device")
"""Columns that training runs share to be aggregated."""


def counts(results: Results) -> pd.DataFrame:
    """Return one row per counting run: percentages never forgotten and never learned, mean count, and correlations of the counts."""
    table = rows_of_kind(results.frame(CountForgetting, dataset=dataset_name), "summary")
    if table.empty:
        return table
    table["unforgettable_percent"] = 100 * table["unforgettable"] / table["n"]
    table["never_learned_percent"] = 100 * table["never_learned"] / table["n"]
    if "flipped" in table:
        table["flipped_unforgettable_percent"] = 100 * table["flipped_unforgettable"] / table["flipped"]
    return _mark_main_setting(table, ["dataset", "label_noise", "pixel_noise"])


def histogram(results: Results) -> pd.DataFrame:
    """Return the number of examples with each count, by counting run. Examples that were never learned have the maximum count."""
    table = rows_of_kind(results.frame(CountForgetting, dataset=dataset_name), "histogram")
    if table.empty:
        return table
    table = table[(table["label_noise"] == 0) & (table["pixel_noise"] == 0)]
    names = ["dataset", "network", "epochs", "seed", "count", "examples", "protocol", "device", TRIALS]
    return _mark_main_setting(table[names].astype({"count": int, "examples": int}), ["dataset"])


def unforgettable(results: Results) -> pd.DataFrame:
    """Return the percentage of examples that none of five runs forgets (Sec. 4.1), with a Clopper–Pearson interval over examples."""
    table = results.frame(CountUnforgettable, **COUNTING_SETTING)
    if table.empty:
        return table
    percents = [clopper_pearson(int(k), int(n)).affine(100) for k, n in zip(table["unforgettable"], table["n"], strict=True)]
    table["unforgettable_percent"] = [p.value for p in percents]
    table["low_percent"], table["high_percent"] = [p.low for p in percents], [p.high for p in percents]
    return _mark_main_setting(table.drop(columns=["least_forgotten", "most_forgotten"]), ["dataset"])


def extreme_examples(results: Results) -> pd.DataFrame:
    """Return the indices of the least and of the most forgotten training examples, for a figure of their images."""
    import pandas as pd

    table = results.frame(CountUnforgettable, **COUNTING_SETTING)
    if table.empty:
        return table
    first = table[table["first_seed"] == table["first_seed"].min()]
    rows = [
        {name: line[name] for name in (*SETTING, TRIALS)} | {"which": which, "rank": rank, "index": index}
        for line in first.to_dict("records")
        for which in ("least_forgotten", "most_forgotten")
        for rank, index in enumerate(line[which], start=1)
    ]
    return _mark_main_setting(pd.DataFrame(rows), ["dataset"]) if rows else first.iloc[:0]


def count_correlations(results: Results) -> pd.DataFrame:
    """Return Pearson correlations of counts: the mean over pairs of runs with a jackknife interval over seeds, and that of sums of runs."""
    import pandas as pd

    table = results.frame(CorrelateCounts, **COUNTING_SETTING)
    if table.empty:
        return table
    rows: list[dict[str, Any]] = []
    for setting, group in table.groupby(list(SETTING), sort=False, dropna=False):
        common = dict(zip(SETTING, setting, strict=True))
        pairs = group[group["kind"] == "pair"].dropna(subset="pearson")
        found = correlations.mean_correlation(
            {(int(a), int(b)): float(r) for a, b, r in zip(pairs["first_seed"], pairs["second_seed"], pairs["pearson"], strict=True)}
        )
        if found is not None:
            rows.append(
                {"kind": "pairs", "pearson": found.value, "low": found.low, "high": found.high, "seeds": found.n, "training_runs": 1}
                | common
                | {TRIALS: unite(pairs[TRIALS])}
            )
        rows += [
            {"kind": "sums", "pearson": line["pearson"], "training_runs": int(line["training_runs"]), "n": int(line["n"])}
            | common
            | {TRIALS: line[TRIALS]}
            for line in group[group["kind"] == "sums"].to_dict("records")
            if line["pearson"] == line["pearson"]
        ]
    return _mark_main_setting(pd.DataFrame(rows), ["dataset", "kind"]) if rows else table.iloc[:0]


def joint_counts(results: Results) -> pd.DataFrame:
    """Return the number of examples by their counts in two training runs, for each dataset."""
    table = results.frame(CorrelateCounts, **COUNTING_SETTING)
    if table.empty:
        return table
    return _mark_main_setting(rows_of_kind(table, "joint"), ["dataset"])


def count_comparisons(results: Results) -> pd.DataFrame:
    """Return rank correlations of counts with those of a reference schedule or network, and the unforgettable percentages of both."""
    table = results.frame(
        CompareCounts,
        **COUNTING_SETTING,
        first_seed=lambda t: t.count_trials[0].seed,
        runs=lambda t: len(t.count_trials),
        reference_network=lambda t: t.reference_trials[0].network,
        reference_epochs=lambda t: t.reference_trials[0].epochs,
        reference_protocol=lambda t: t.reference_trials[0].protocol,
    )
    if table.empty:
        return table
    for prefix in ("", "reference_"):
        table[f"{prefix}unforgettable_percent"] = 100 * table[f"{prefix}unforgettable"] / table["n"]
    table["shift_pp"] = table["unforgettable_percent"] - table["reference_unforgettable_percent"]
    return table


def early_scores(results: Results) -> pd.DataFrame:
    """Return the epochs, the mean score and the duration of each scoring run."""
    return results.frame(ScoreExamples, dataset=dataset_name)


def pruning(results: Results) -> pd.DataFrame:
    """Return one row per training run on a pruned set: its accuracy, and its accuracy loss against the full training set.

    ``loss_pp`` is relative to the run with the same settings and seed on the full set, ``above_random_pp`` to the run with as many examples
    pruned at random. ``transfer`` is True if the scores come from another network than the one trained.
    """
    return _pruning(results).drop(columns=TRIALS_OF_LOSS, errors="ignore")


def _pruning(results: Results) -> pd.DataFrame:
    """Return the table ``pruning`` with the internal column ``TRIALS_OF_LOSS``."""
    table = results.frame(
        TrainPruned, dataset=dataset_name, score_name=score_name, score_network=score_network, setting=_setting, ranking=_ranking
    )
    if table.empty:
        return table
    table["pruning_order"] = [order_name(score, order) for score, order in zip(table["score_name"], table["pruning_order"], strict=True)]
    table["pruned_percent"], table["skipped_percent"] = 100 * table["pruned_fraction"], 100 * table["skipped_fraction"]
    table["window"] = (table["pruned_percent"].round(6) == 10) & (table["pruning_order"] == LEAST_FORGOTTEN)
    other = [b != "" and a.removesuffix("_dropout") != b for a, b in zip(table["network"], table["score_network"], strict=True)]
    table["transfer"] = table.assign(other=other).groupby("setting")["other"].transform("any")
    accuracy, key = table["test_accuracy_percent"], ["setting", "seed", "pruned_fraction"]
    random = table[table["pruning_order"] == "random"].set_index(key)
    at_random, ids = random["test_accuracy_percent"].to_dict(), random[TRIALS].to_dict()
    same = list(table[key].itertuples(index=False, name=None))
    full = [(setting, seed, 0.0) for setting, seed, _ in same]
    table["loss_pp"] = np.array([at_random.get(each, np.nan) for each in full]) - accuracy
    table["above_random_pp"] = accuracy - np.array([at_random.get(each, np.nan) for each in same])
    table[TRIALS_OF_LOSS] = unite_columns(table[TRIALS], map(ids.get, full))
    table[TRIALS] = unite_columns(table[TRIALS_OF_LOSS], map(ids.get, same))
    names = [
        *(
            "dataset",
            "train_examples",
            "network",
            "pruning_order",
            "score_network",
            "ranking",
            "transfer",
            "pruned_percent",
            "skipped_percent",
            "window",
            "seed",
            "epochs",
        ),
        *("test_accuracy_percent", "n_test", "n_train", "loss_pp", "above_random_pp"),
        *("pruned_score_min", "pruned_score_mean", "pruned_score_max"),
        *("match_updates", "steps", "train_loss", "train_seconds", "diverged_at", "protocol", "device", TRIALS, TRIALS_OF_LOSS),
    ]
    # A baseline and the runs on sets that a score of another paper prunes share one training, whose protocol is that of the baseline.
    training = table.groupby("setting")["protocol"].transform(lambda protocols: PROTOCOLS[min(map(PROTOCOLS.index, protocols))])
    protocol, table = table["protocol"].to_numpy(), table[[name for name in names if name in table]].assign(protocol=training)
    return _mark_main_setting(table, ["dataset", "train_examples", "transfer"]).assign(protocol=protocol)


def pruning_curve(results: Results) -> pd.DataFrame:
    """Return the mean accuracy loss of the table ``pruning`` over seeds, with paired t intervals."""
    import pandas as pd

    table = _pruning(results)
    if table.empty:
        return table
    rows = []
    keys = [*SETTING, "train_examples", "pruning_order", "transfer", "pruned_percent", "skipped_percent"]
    for setting, group in table.groupby(keys, sort=False):
        paired = group.dropna(subset="loss_pp")
        losses = paired["loss_pp"].tolist()
        row = dict(zip(keys, setting, strict=True)) | {"seeds": len(losses), "main_setting": bool(group["main_setting"].all())}
        row[TRIALS] = unite((paired if losses else group)[TRIALS_OF_LOSS])
        if len(losses) > 1:
            found = student_t(losses, "seeds")
            row |= {"loss_pp": found.value, "loss_low_pp": found.low, "loss_high_pp": found.high}
        elif losses:
            row |= {"loss_pp": losses[0]}
        rows.append(row)
    return pd.DataFrame(rows)


def prune_nothing(results: Results) -> pd.DataFrame:
    """Return the control: the number of weights that differ between plain training and training with 0 % pruned."""
    return results.frame(PruneNothing, dataset=dataset_name)


def user_examples(results: Results) -> pd.DataFrame:
    """Return one row per example of a dataset of the user. The most suspicious labels, with the smallest margins, come first.

    ``events`` is the mean number of forgetting events over training runs. A run that never learns the example counts its presentations.
    """
    table = results.frame(RankUserExamples, **COUNTING_SETTING)
    if table.empty:
        return table
    first = ["index", "file", "label", "events", "first_learned", "runs_never_learned", "margin", "never_forgotten"]
    return table[[*first, *(c for c in table.columns if c not in first)]].sort_values(["dataset", "suspicion_rank"], kind="stable")


def label_errors(results: Results) -> pd.DataFrame:
    """Return the likely label errors of a dataset of the user, the most likely first, from networks trained without the example.

    ``label_probability`` is the probability of the given label, ``confidence`` that of the predicted class, at one temperature for all.
    """
    table = rows_of_kind(results.frame(FindLabelErrors, dataset=_held_out_dataset), "error")
    if table.empty:
        return table
    columns = ["rank", "file", "index", "label", "predicted", "label_probability", "confidence", "flipped"]
    table = table.astype({"rank": int, "index": int})  # "summary" rows have neither
    return table[[*(c for c in columns if c in table), *PROVENANCE_COLUMNS]].sort_values(["dataset", "rank"], kind="stable")


def held_out(results: Results) -> pd.DataFrame:
    """Return the accuracy of held-out predictions on a dataset of the user, and the number of likely label errors."""
    return rows_of_kind(results.frame(FindLabelErrors, dataset=_held_out_dataset), "summary")


def pruning_list(results: Results) -> pd.DataFrame:
    """Return the examples of a dataset of the user in the order of pruning by forgetting alone, which may remove whole classes."""
    table = user_examples(results)
    if table.empty:
        return table
    ordered = table.sort_values(["dataset", "pruning_rank"], kind="stable")
    return ordered[["index", "file", "label", "never_forgotten", "events", *PROVENANCE_COLUMNS]]


def pruning_list_balanced(results: Results) -> pd.DataFrame:
    """Return the examples of a dataset of the user in an order that shrinks all classes equally, and whether each can be pruned."""
    import pandas as pd

    from myths.forgetting.balanced_pruning import balanced

    table = user_examples(results)
    if table.empty:
        return table
    parts = []
    for _, rows in table.groupby("dataset", sort=False):
        rank, prunable = balanced(rows["label"].tolist(), rows["events"].to_numpy(), rows["pruning_rank"].to_numpy())
        parts.append(rows.assign(balanced_rank=rank, prunable=prunable).sort_values("balanced_rank"))
    return pd.concat(parts)[["index", "file", "label", "prunable", "events", *PROVENANCE_COLUMNS]]


# --- settings --------------------------------------------------------------------------------------

COUNTING_SETTING: dict[str, Any] = {
    "dataset": lambda t: dataset_name(t.count_trials[0]),
    "network": lambda t: t.count_trials[0].network,
    "epochs": lambda t: t.count_trials[0].epochs,
}
"""Columns of trials on several counting runs: the setting that the runs share."""


def _setting(trial: TrainPruned) -> str:
    """Return the settings that a run on a pruned set and its baseline share, except the seed."""
    from dataclasses import fields

    varied = {"score_trials", "pruned_fraction", "pruning_order", "skipped_fraction", "seed"}
    return repr([(f.name, getattr(trial, f.name)) for f in fields(trial) if f.name not in varied])


def _ranking(trial: TrainPruned) -> str:
    """Return the seeds of the training runs that rank the examples, or "" if none does."""
    return ", ".join(str(each.seed) for each in trial.score_trials)


def _held_out_dataset(trial: FindLabelErrors) -> str:
    return dataset_name(trial.held_out[0])


def _mark_main_setting(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Mark the main setting of the keys: with the most training runs, the most epochs and the largest network."""
    if table.empty:
        return table
    setting = [*keys, "network", "epochs", "protocol"]
    per_setting = table.groupby(setting, dropna=False)["seed" if "seed" in table else "protocol"]
    runs = per_setting.transform("nunique" if "seed" in table else "size")
    size = table["network"].map(lambda network: RELATIVE_COST.get(network, 0.0))
    return mark_main_setting(table, keys, setting, (runs, table["epochs"], size))
