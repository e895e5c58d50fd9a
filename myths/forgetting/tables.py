"""Results as tidy tables; quantities carry their unit in the column's name (percent, pp for percentage points)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from myths.forgetting import agreement
from myths.forgetting.held_out import FindLabelErrors
from myths.forgetting.naming import LEAST_FORGOTTEN, order_name
from myths.forgetting.own import ListExamples
from myths.forgetting.train_kept import RemoveNothing, ScoreExamples, TrainKept, counted_with, ranked_by
from myths.forgetting.training import dataset_name
from myths.forgetting.trials import CompareCounts, CountForgetting, Stability, Unforgettable
from myths.lab.estimate import clopper_pearson, student_t
from myths.lab.store import Results
from myths.lab.tables import ABOUT, TRIALS, unite, unite_columns
from myths.lab.trial import PROTOCOLS
from myths.lab.vision.classifier import RELATIVE_COST

if TYPE_CHECKING:
    import pandas as pd

TRIALS_OF_LOSS = "trials_of_loss"
"""A column inside: the trials that ``loss_pp`` comes from, without those that only ``above_random_pp`` comes from."""
SETTING = ("dataset", "network", "epochs", "protocol", "device")
"""What rows of different trainings must share to be put together, in tables that aggregate."""


def counts(results: Results) -> pd.DataFrame:
    """A row for each training that counted: the shares never forgotten and never learnt, the mean count, what it goes along with."""
    table = _kind(results.frame(CountForgetting, dataset=dataset_name), "summary")
    if table.empty:
        return table
    table["unforgettable_percent"] = 100 * table["unforgettable"] / table["n"]
    table["never_learnt_percent"] = 100 * table["never_learnt"] / table["n"]
    if "flipped" in table:
        table["flipped_unforgettable_percent"] = 100 * table["flipped_unforgettable"] / table["flipped"]
    return _nearest(table, ["dataset", "label_noise", "pixel_noise"])


def histogram(results: Results) -> pd.DataFrame:
    """How many examples were forgotten how often, a row for each count and training; the never learnt are at the last."""
    table = _kind(results.frame(CountForgetting, dataset=dataset_name), "histogram")
    if table.empty:
        return table
    table = table[(table["label_noise"] == 0) & (table["pixel_noise"] == 0)]
    names = ["dataset", "network", "epochs", "seed", "count", "examples", "protocol", "device", TRIALS]
    return _nearest(table[names].astype({"count": int, "examples": int}), ["dataset"])


def unforgettable(results: Results) -> pd.DataFrame:
    """Examples that no training of a group of five forgets (the paper's Sec. 4.1), with the Clopper–Pearson interval over examples."""
    table = results.frame(Unforgettable, **_of_first(Unforgettable))
    if table.empty:
        return table
    shares = [clopper_pearson(int(k), int(n)).affine(100) for k, n in zip(table["unforgettable"], table["n"], strict=True)]
    table["unforgettable_percent"] = [s.value for s in shares]
    table["low_percent"], table["high_percent"] = [s.low for s in shares], [s.high for s in shares]
    return _nearest(table.drop(columns=["least_forgotten", "most_forgotten"]), ["dataset"])


def extremes(results: Results) -> pd.DataFrame:
    """The indices of the least and of the most forgotten training examples, for looking at them."""
    import pandas as pd

    table = results.frame(Unforgettable, **_of_first(Unforgettable))
    if table.empty:
        return table
    first = table[table["first_seed"] == 0]
    rows = [
        {name: line[name] for name in (*SETTING, TRIALS)} | {"which": which, "rank": rank, "index": index}
        for line in first.to_dict("records")
        for which in ("least_forgotten", "most_forgotten")
        for rank, index in enumerate(line[which], start=1)
    ]
    return _nearest(pd.DataFrame(rows), ["dataset"]) if rows else first.iloc[:0]


def stability(results: Results) -> pd.DataFrame:
    """Pearson's r of the counts: mean over pairs of trainings with a jackknife interval over seeds, and between sums of halves."""
    import pandas as pd

    table = results.frame(Stability, **_of_first(Stability))
    if table.empty:
        return table
    rows: list[dict[str, Any]] = []
    for setting, group in table.groupby(list(SETTING), sort=False, dropna=False):
        told = dict(zip(SETTING, setting, strict=True))
        pairs = group[group["kind"] == "pair"].dropna(subset="pearson")
        found = agreement.mean_correlation(
            {(int(a), int(b)): float(r) for a, b, r in zip(pairs["first"], pairs["second"], pairs["pearson"], strict=True)}
        )
        if found is not None:
            rows.append(
                {"kind": "pairs", "pearson": found.value, "low": found.low, "high": found.high, "seeds": found.n, "trainings": 1}
                | told
                | {TRIALS: unite(pairs[TRIALS])}
            )
        rows += [
            {"kind": "sums", "pearson": line["pearson"], "trainings": int(line["trainings"]), "n": int(line["n"])}
            | told
            | {TRIALS: line[TRIALS]}
            for line in group[group["kind"] == "sums"].to_dict("records")
            if line["pearson"] == line["pearson"]
        ]
    return _nearest(pd.DataFrame(rows), ["dataset", "kind"]) if rows else table.iloc[:0]


def joint_counts(results: Results) -> pd.DataFrame:
    """How many examples are forgotten so often in one training and so often in the next, for two trainings a data set."""
    table = results.frame(Stability, **_of_first(Stability))
    if table.empty:
        return table
    return _nearest(_kind(table, "joint"), ["dataset"])


def agreements(results: Results) -> pd.DataFrame:
    """Counts by a short schedule or another network against the reference: rank correlation, and both shares of unforgettable examples."""
    table = results.frame(
        CompareCounts,
        **_of_first(CompareCounts),
        reference_network=lambda t: t.reference[0].network,
        reference_epochs=lambda t: t.reference[0].epochs,
        reference_protocol=lambda t: t.reference[0].protocol,
    )
    if table.empty:
        return table
    for prefix in ("", "reference_"):
        table[f"{prefix}unforgettable_percent"] = 100 * table[f"{prefix}unforgettable"] / table["n"]
    table["shift_pp"] = table["unforgettable_percent"] - table["reference_unforgettable_percent"]
    return table


def scored(results: Results) -> pd.DataFrame:
    """Early scores: after how many epochs, their mean, and what the scoring took."""
    return results.frame(ScoreExamples, dataset=dataset_name)


def removal(results: Results) -> pd.DataFrame:
    """A row for each training on what a removal leaves: accuracy, and what it lost against the full training set.

    ``loss_pp`` is against the training of the same settings and seed from which nothing was removed; ``above_random_pp`` against
    the one from which as much was removed at random. ``transfer``: the trained network is not the one that was counted with.
    """
    return _removal(results).drop(columns=TRIALS_OF_LOSS, errors="ignore")


def _removal(results: Results) -> pd.DataFrame:
    """The table ``removal``, with the trials of the loss alone in a further column."""
    table = results.frame(TrainKept, dataset=dataset_name, ranked_by=ranked_by, counted_with=counted_with, setting=_setting)
    if table.empty:
        return table
    table["order"] = [order_name(by, order) for by, order in zip(table["ranked_by"], table["order"], strict=True)]
    table["removed_percent"], table["skipped_percent"] = 100 * table["removed"], 100 * table["skip"]
    table["window"] = (table["removed_percent"].round(6) == 10) & (table["order"] == LEAST_FORGOTTEN)
    other = [b != "" and a.removesuffix("_dropout") != b for a, b in zip(table["network"], table["counted_with"], strict=True)]
    table["transfer"] = table.assign(other=other).groupby("setting")["other"].transform("any")
    accuracy, key = table["test_accuracy_percent"], ["setting", "seed", "removed"]
    random = table[table["order"] == "random"].set_index(key)
    at_random, ids = random["test_accuracy_percent"].to_dict(), random[TRIALS].to_dict()
    same = list(table[key].itertuples(index=False, name=None))
    full = [(setting, seed, 0.0) for setting, seed, _ in same]
    table["loss_pp"] = np.array([at_random.get(each, np.nan) for each in full]) - accuracy
    table["above_random_pp"] = accuracy - np.array([at_random.get(each, np.nan) for each in same])
    table[TRIALS_OF_LOSS] = unite_columns(table[TRIALS], map(ids.get, full))
    table[TRIALS] = unite_columns(table[TRIALS_OF_LOSS], map(ids.get, same))
    names = [
        *("dataset", "network", "order", "counted_with", "transfer", "removed_percent", "skipped_percent", "window", "seed", "epochs"),
        *("test_accuracy_percent", "n_test", "n_train", "loss_pp", "above_random_pp", "removed_lowest", "removed_mean", "removed_highest"),
        *("same_updates", "steps", "train_loss", "train_seconds", "diverged_at", "protocol", "device", TRIALS, TRIALS_OF_LOSS),
    ]
    table = table[[name for name in names if name in table]].copy()
    return _nearest(table, ["dataset", "transfer"])


def removal_curve(results: Results) -> pd.DataFrame:
    """What removals lose on average over seeds, with paired t intervals: the table ``removal``, put together."""
    import pandas as pd

    table = _removal(results)
    if table.empty:
        return table
    rows = []
    keys = [*SETTING, "order", "transfer", "removed_percent", "skipped_percent"]
    for setting, group in table.groupby(keys, sort=False):
        lost = group.dropna(subset="loss_pp")
        losses = lost["loss_pp"].tolist()
        row = dict(zip(keys, setting, strict=True)) | {"seeds": len(losses), "nearest": bool(group["nearest"].all())}
        row[TRIALS] = unite((lost if losses else group)[TRIALS_OF_LOSS])
        if len(losses) > 1:
            found = student_t(losses, "seeds")
            row |= {"loss_pp": found.value, "loss_low_pp": found.low, "loss_high_pp": found.high}
        elif losses:
            row |= {"loss_pp": losses[0]}
        rows.append(row)
    return pd.DataFrame(rows)


def nothing_removed(results: Results) -> pd.DataFrame:
    """The control of the machinery: weights that differ between plain training and training with a removal of nothing."""
    return results.frame(RemoveNothing, dataset=dataset_name)


def forgetting(results: Results) -> pd.DataFrame:
    """The user's own data, a row for each example: how often it is forgotten, when first learnt, and whether it was never forgotten.

    The most suspicious labels, of the smallest margin, come first. ``events`` is a mean over trainings, in which a training that
    never learns the example counts as many as there were presentations.
    """
    table = results.frame(ListExamples, **_of_first(ListExamples))
    if table.empty:
        return table
    first = ["index", "file", "label", "events", "first_learnt", "never_learnt_in", "margin", "may_be_dropped"]
    table = table[[*first, *(c for c in table.columns if c not in first)]].rename(columns={"may_be_dropped": "never_forgotten"})
    return table.sort_values(["dataset", "suspicion_rank"], kind="stable")


def label_errors(results: Results) -> pd.DataFrame:
    """The user's own data: examples whose label is likely wrong, the likeliest first, by networks that were trained without them.

    ``label_probability`` is that of the given label, ``confidence`` that of the predicted class, both at a common temperature.
    """
    table = _kind(results.frame(FindLabelErrors, dataset=_of_held_out), "error")
    if table.empty:
        return table
    columns = ["rank", "file", "index", "label", "predicted", "label_probability", "confidence", "flipped"]
    return table[[*(c for c in columns if c in table), *ABOUT]].sort_values(["dataset", "rank"], kind="stable")


def held_out(results: Results) -> pd.DataFrame:
    """The user's own data: how well networks predict the labels of examples that they were trained without, and how many they doubt."""
    return _kind(results.frame(FindLabelErrors, dataset=_of_held_out), "summary")


def removal_list(results: Results) -> pd.DataFrame:
    """The user's own data: every example in the order of removal by forgetting alone. It may remove a class: see removal_list_balanced."""
    table = forgetting(results)
    if table.empty:
        return table
    ordered = table.sort_values(["dataset", "removal_rank"], kind="stable")
    return ordered[["index", "file", "label", "never_forgotten", "events", *ABOUT]]


def removal_list_balanced(results: Results) -> pd.DataFrame:
    """The user's own data: every example in an order of removal that shrinks all classes alike, and whether it may be dropped."""
    import pandas as pd

    from myths.forgetting.pruning import balanced

    table = forgetting(results)
    if table.empty:
        return table
    parts = []
    for _, rows in table.groupby("dataset", sort=False):
        place, droppable = balanced(rows["label"].tolist(), rows["events"].to_numpy(), rows["removal_rank"].to_numpy())
        parts.append(rows.assign(balanced_rank=place, may_be_dropped=droppable).sort_values("balanced_rank"))
    return pd.concat(parts)[["index", "file", "label", "may_be_dropped", "events", *ABOUT]]


# --- names ---------------------------------------------------------------------------------------


def _setting(trial: TrainKept) -> str:
    """Everything that a removal and its baseline share, seed apart."""
    from dataclasses import fields

    left_out = {"ranking", "removed", "order", "skip", "seed"}
    return repr([(f.name, getattr(trial, f.name)) for f in fields(trial) if f.name not in left_out])


def _of_held_out(trial: FindLabelErrors) -> str:
    return dataset_name(trial.held_out[0])


def _of_first(kind: type) -> dict[str, Any]:
    """Columns of a trial on several countings: the setting that these share."""
    return {
        "dataset": lambda t: dataset_name(t.counts[0]),
        "network": lambda t: t.counts[0].network,
        "epochs": lambda t: t.counts[0].epochs,
    }


def _kind(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    rows = table if table.empty else table[table["kind"] == kind]
    return rows if rows.empty else rows.dropna(axis=1, how="all").drop(columns="kind").copy()


def _nearest(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Adds ``nearest``: whether the row is of the setting that speaks for its keys.

    A run may hold several settings of one data set. Claims speak of one, never of a mixture: of that nearest to the paper's
    protocol, then of that with the most trainings, the most epochs, the larger network. Stand-in data speak only where a run
    holds nothing else.
    """
    if table.empty:
        return table
    own = [*keys, "network", "epochs", "protocol"]
    per = table.groupby(own, dropna=False)["seed" if "seed" in table else "protocol"]
    merit = table.assign(
        _protocol=table["protocol"].map(PROTOCOLS.index),
        _trainings=-per.transform("nunique" if "seed" in table else "size"),
        _epochs=-table["epochs"],
        _size=-table["network"].map(lambda network: RELATIVE_COST.get(network, 0.0)),
    )
    ranked = merit.sort_values(["_protocol", "_trainings", "_epochs", "_size"], kind="stable")
    speaks = ranked.drop_duplicates(keys)[own].assign(nearest=True)
    if (speaks["protocol"] != "stand-in").any():
        speaks = speaks[speaks["protocol"] != "stand-in"]
    marked = table.merge(speaks, how="left", on=own)
    return marked.assign(nearest=marked["nearest"].notna())
