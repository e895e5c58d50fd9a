"""Tables of myth 2. Column names carry the unit (percent, or pp for percentage points)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from myths.dataset_bias import market_value as market_math
from myths.dataset_bias import published
from myths.dataset_bias import sets as sets_of
from myths.dataset_bias.sets import group_name
from myths.dataset_bias.trials import (
    ClassifyRandomParts,
    CountDuplicates,
    CrossDatasetEvaluation,
    CrossDatasetNegatives,
    LinearProbe,
    NameThatDataset,
    RecomputePublishedTables,
    TrainDatasetClassifier,
)
from myths.lab.estimate import student_t
from myths.lab.storage.store import Results
from myths.lab.tables import PROVENANCE_COLUMNS, TRIALS, provenance_columns, unite, unite_columns
from myths.lab.trial import least_faithful

if TYPE_CHECKING:
    import pandas as pd

FULL_SIZE = 700
"""Training images per dataset of the deciding claims."""
SETTINGS = ["set_group", "feature", "transform", "deduplicated"]


# --- dataset classification ----------------------------------------------------------------------------


def dataset_classification(results: Results) -> pd.DataFrame:
    """Return one row per random split and training size: accuracy and chance.

    ``n_per_set`` is the requested number of training images per dataset, ``n_train`` the number of training images in total.
    """
    table = _classification(results, "learning_curve")
    if table.empty:
        return table
    table["above_chance_pp"] = table["accuracy_percent"] - table["chance_percent"]
    table["times_chance"] = table["accuracy_percent"] / table["chance_percent"]
    table["way_to_100_percent"] = 100 * table["above_chance_pp"] / (100 - table["chance_percent"])
    sizes = ["n_per_set", "n_train", "n_test"]
    columns = ["accuracy_percent", "chance_percent", "above_chance_pp", "times_chance", "way_to_100_percent", "svm_c", "seed"]
    return table[[*SETTINGS, "n_sets", *sizes, *columns, "is_largest_size", *PROVENANCE_COLUMNS]]


def leave_one_out(results: Results) -> pd.DataFrame:
    """Return dataset classification at the largest size, of groups of datasets and of the same groups without each dataset.

    ``group`` is the whole group, ``left_out`` the missing dataset, empty if none is. ``way_to_100_percent`` is the share of the way from
    chance to 100 %, which does not depend on the number of datasets.
    """
    table = dataset_classification(results)
    if table.empty:
        return table
    names = {sets_of.GROUP_NAMES[sets]: found for sets, found in sets_of.LEFT_OUT.items()}
    table = table[table["is_largest_size"] & (table["n_per_set"] == FULL_SIZE)].copy()
    table["left_out"] = [names.get(name, (name, ""))[1] for name in table["set_group"]]
    table["group"] = [names.get(name, (name, ""))[0] for name in table["set_group"]]
    table = table[table["group"].isin(sets_of.JACKKNIFED)]
    columns = ["n_sets", "n_train", "n_test", "accuracy_percent", "chance_percent", "way_to_100_percent", "seed"]
    return table[["group", "left_out", "feature", "transform", "deduplicated", *columns, *PROVENANCE_COLUMNS]]


def accuracy(results: Results) -> pd.DataFrame:
    """Return the mean accuracy over random splits, with Student's t interval for two or more splits."""
    import pandas as pd

    table = dataset_classification(results)
    rows = []
    for settings, group in [] if table.empty else table.groupby([*SETTINGS, "n_per_set"], sort=False):
        head = dict(zip([*SETTINGS, "n_per_set"], settings, strict=True))
        rows.append(
            head | _interval("accuracy", group["accuracy_percent"]) | _first(group, "chance_percent", "n_sets") | provenance_columns(group)
        )
    return pd.DataFrame(rows)


def confusion(results: Results) -> pd.DataFrame:
    """Return the confusion counts of all splits at the largest training size."""
    table = _classification(results, "confusion")
    if table.empty:
        return table
    keys = [*SETTINGS, "set", "predicted_set"]
    summed = (
        table.groupby(keys, sort=False)
        .agg({"n_images": "sum", "n_images_of_set": "sum", "dataset": "first", "device": "first", TRIALS: unite})
        .reset_index()
    )
    summed["percent"] = 100 * summed["n_images"] / summed["n_images_of_set"]
    summed["protocol"] = least_faithful(table["protocol"]) if table["protocol"].nunique() == 1 else None
    if table["protocol"].nunique() > 1:
        summed["protocol"] = table.groupby(keys, sort=False)["protocol"].first().to_numpy()
    return summed[[*keys, "n_images", "n_images_of_set", "percent", *PROVENANCE_COLUMNS]]


def related_sets(results: Results) -> pd.DataFrame:
    """Return, for each split, how often images are misclassified as a related dataset, relative to a uniform spread of errors.

    There is one row for all datasets with a relative ("all") and one per dataset. ``ratio_to_uniform`` is the ratio.
    """
    import pandas as pd

    table = _classification(results, "confusion")
    rows: list[dict[str, Any]] = []
    for (*settings, seed), group in [] if table.empty else table.groupby([*SETTINGS, "seed"], sort=False):
        names = list(dict.fromkeys(group["set"]))
        related = {name: {n for f in sets_of.RELATED_SETS if name in f for n in f & set(names)} - {name} for name in names}
        wrong = group[group["set"] != group["predicted_set"]]
        errors = wrong.groupby("set")["n_images"].sum()
        hits = wrong[[n in related[s] for s, n in zip(wrong["set"], wrong["predicted_set"], strict=True)]].groupby("set")["n_images"].sum()
        with_related = [name for name in names if related[name] and errors.get(name, 0)]
        expected = {name: float(errors[name]) * len(related[name]) / (len(names) - 1) for name in with_related}
        head = dict(zip(SETTINGS, settings, strict=True)) | {"seed": seed}
        for name, members in [("all", with_related), *((n, [n]) for n in with_related)] if with_related else []:
            found, chance = sum(int(hits.get(m, 0)) for m in members), sum(expected[m] for m in members)
            errors_here = sum(int(errors[m]) for m in members)
            rows.append(
                head
                | {"set": name, "errors": errors_here, "on_related": found, "ratio_to_uniform": found / chance}
                | provenance_columns(group)
            )
    return pd.DataFrame(rows)


def null_control(results: Results) -> pd.DataFrame:
    """Return the null control: classification of random parts of one dataset. ``above_chance_pp`` should vary around zero."""
    table = results.frame(ClassifyRandomParts, dataset=lambda t: _dataset([t.set]))
    if table.empty:
        return table
    table["above_chance_pp"] = table["accuracy_percent"] - table["chance_percent"]
    table["n_train"] = table["n_images"] - table["n_test"]
    columns = ["parts", "n_images", "n_train", "n_test", "n_correct", "accuracy_percent", "chance_percent", "above_chance_pp", "seed"]
    return table[["set", "feature", *columns, *PROVENANCE_COLUMNS]]


def preprocessing_effect(results: Results) -> pd.DataFrame:
    """Return, for each split, the percentage of the accuracy above chance that remains after a transform of all images."""
    table = dataset_classification(results)
    if table.empty:
        return table
    table = table[table["is_largest_size"]]
    keys = ["set_group", "feature", "seed"]
    plain = table[(table["transform"] == "none") & ~table["deduplicated"].astype(bool)].set_index(keys)
    changed = table[(table["transform"] != "none") | table["deduplicated"].astype(bool)].copy()
    pairs = list(changed[keys].itertuples(index=False, name=None))
    changed["baseline_above_chance_pp"] = [plain["above_chance_pp"].get(key, np.nan) for key in pairs]
    changed[TRIALS] = unite_columns(changed[TRIALS], (plain[TRIALS].get(key) for key in pairs))
    changed["retained_percent"] = 100 * changed["above_chance_pp"] / changed["baseline_above_chance_pp"]
    changed["transform"] = changed["transform"].where(~changed["deduplicated"].astype(bool), "without near-duplicates")
    columns = ["set_group", "feature", "transform", "baseline_above_chance_pp", "above_chance_pp", "retained_percent", "accuracy_percent"]
    return changed.dropna(subset="baseline_above_chance_pp")[[*columns, "chance_percent", "n_train", "n_test", "seed", *PROVENANCE_COLUMNS]]


def near_duplicates(results: Results) -> pd.DataFrame:
    """Return the number of images with a near-duplicate in the same and in each other dataset. Pairs without any are left out."""
    table = results.frame(CountDuplicates, dataset=lambda t: _dataset(t.sets), set_group=lambda t: group_name(t.sets))
    if table.empty:
        return table
    found = table[(table["n_pairs"] > 0) | (table["set"] == table["other"])]
    return found[["set_group", "set", "other", "n_pairs", "n_with_duplicate", "n_images", "max_hash_distance", *PROVENANCE_COLUMNS]]


def network(results: Results) -> pd.DataFrame:
    """Return one row per network trained to classify datasets."""
    table = results.frame(
        TrainDatasetClassifier, dataset=lambda t: _dataset(t.sets), set_group=lambda t: group_name(t.sets), n_sets=lambda t: len(t.sets)
    )
    if table.empty:
        return table
    table["above_chance_pp"] = table["accuracy_percent"] - table["chance_percent"]
    columns = ["n_per_set", "n_test", "accuracy_percent", "chance_percent", "above_chance_pp", "train_loss", "train_seconds", "seed"]
    return table[["set_group", "network", "image_size", "epochs", "transform", "n_sets", *columns, *PROVENANCE_COLUMNS]]


def linear_probe(results: Results) -> pd.DataFrame:
    """Return the accuracy of linear object classifiers on features of a dataset classifier, of the untrained network, and on pixels."""
    table = results.frame(
        LinearProbe, dataset=lambda t: _dataset([*t.classifier.sets, *sets_of.TASKS[t.task]]), network=lambda t: t.classifier.network
    )
    if table.empty:
        return table
    columns = ["task", "network", "features", "n_classes", "n_train", "n_test", "accuracy_percent", "chance_percent", "seed"]
    return table[[*columns, *PROVENANCE_COLUMNS]]


# --- across datasets ----------------------------------------------------------------------------------


def cross_dataset(results: Results) -> pd.DataFrame:
    """Return the mean AP over splits of each dataset's classifier on each dataset (2011, Table 1), at the largest training size."""
    import pandas as pd

    table = _crossed(results)
    rows = []
    for (task, feature, train, test), group in (
        [] if table.empty else table.groupby(["task", "feature", "train_set", "test_set"], sort=False)
    ):
        last = group[group["n_per_class"] == group["n_per_class"].max()]
        head = {"task": task, "feature": feature, "train_set": train, "test_set": test}
        rows.append(head | _interval("ap", last["ap_percent"]) | _first(last, "n_per_class", "n_classes") | provenance_columns(last))
    return pd.DataFrame(rows)


def cross_dataset_drop(results: Results, permuted: bool = False) -> pd.DataFrame:
    """Return, for each split, the AP "self" and "mean others", the drop of their means, and the in-domain advantage of an additive model.

    ``better_in_domain_percent`` is the percentage of training sets with a higher AP in-domain than on the mean of the other test sets.
    ``advantage_pp`` is the residual of the diagonal in the additive model. ``advantage_log_odds`` is that residual in log odds of AP, where
    a precision near 100 % does not limit it. There, the AP of a cell counts as at most 99.9 % and at least 0.1 %.
    """
    import pandas as pd
    from scipy.special import logit

    from myths.dataset_bias.domain_gap import drop_of_means, in_domain_advantage, mean_others_ap, self_ap

    rows = []
    for task, feature, group, ap, _ in _matrices(results, permuted):
        largest = group[group["n_per_class"] == group["n_per_class"].max()]
        for seed, one in zip(group["seed"].unique(), ap[..., -1], strict=True):
            own, others = self_ap(one), mean_others_ap(one)
            rows.append({
                "task": task, "feature": feature, "seed": int(seed), "self_percent": own.mean(), "mean_others_percent": others.mean(),
                "drop_percent": float(drop_of_means(one)), "better_in_domain_percent": 100 * (own > others).mean(),
                "advantage_pp": float(in_domain_advantage(one).mean()),
                "advantage_log_odds": float(in_domain_advantage(logit(np.clip(one / 100, 0.001, 0.999))).mean()), "n_sets": len(one),
                "n_train": float(largest["n_train"].mean()), "n_test": float(largest["n_test"].mean()),
                **provenance_columns(group[group["seed"] == seed]),
            })  # fmt: skip
    return pd.DataFrame(rows)


def permuted_sets(results: Results) -> pd.DataFrame:
    """Return ``cross_dataset_drop`` after the images of each class were assigned to the datasets at random: the null control."""
    return cross_dataset_drop(results, permuted=True)


def in_domain_test(results: Results) -> pd.DataFrame:
    """Return the permutation test of the in-domain advantage over one-to-one assignments of test sets to training sets.

    ``n_better_in_domain`` counts the training sets whose AP, averaged over splits, is higher in-domain than on the other test sets.
    The p-value is at least one over the number of permutations: 1/6 for three datasets and 1/24 for four.
    """
    import pandas as pd

    from myths.dataset_bias import domain_gap

    rows = []
    for task, feature, group, ap, _ in _matrices(results):
        found = domain_gap.in_domain_test(ap[..., -1], np.random.default_rng(0))
        mean = ap[..., -1].mean(0)
        better = domain_gap.self_ap(mean) > domain_gap.mean_others_ap(mean)
        rows.append({
            "task": task, "feature": feature, "n_better_in_domain": int(better.sum()), "n_sets": len(better),
            "advantage_pp": found.advantage, "p_value": found.p_value,
            "n_permutations": found.permutations, "n_splits": len(ap), **provenance_columns(group),
        })  # fmt: skip
    return pd.DataFrame(rows)


def market_value(results: Results) -> pd.DataFrame:
    """Return the market value α of each pair of datasets (2011, Table 3), with its bootstrap interval over splits.

    The source set "basket" is the mean of a column.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for task, feature, group, ap, sizes in _matrices(results):
        if len(ap) < 2 or len(sizes) < 2:
            continue
        names = list(dict.fromkeys(group["train_set"]))
        found = market_math.market_value(ap, sizes, np.random.default_rng(0))
        value, low, high = found.interval()
        basket = found.interval(market_math.basket_of_currencies)
        told = {"n_splits": len(ap), **provenance_columns(group)}
        for j, market in enumerate(names):
            for i, sample in enumerate(names):
                cell = {"alpha": value[i, j], "alpha_low": low[i, j], "alpha_high": high[i, j], "note": found.note[i][j]}
                rows.append({"task": task, "feature": feature, "source_set": sample, "target_set": market, **cell, **told})
            ends = {"alpha": basket[0][j], "alpha_low": basket[1][j], "alpha_high": basket[2][j], "note": "mean of the column"}
            rows.append({"task": task, "feature": feature, "source_set": "basket", "target_set": market, **ends, **told})
    return pd.DataFrame(rows)


def relative_value_share(results: Results) -> pd.DataFrame:
    """Return the percentage of pairs of different datasets with α < 1, and with 0 < α < 1, with bootstrap intervals."""
    import pandas as pd

    rows = []
    for task, feature, group, ap, sizes in _matrices(results):
        if len(ap) < 2 or len(sizes) < 2:
            continue
        found = market_math.market_value(ap, sizes, np.random.default_rng(0))
        n_pairs = ap.shape[1] * (ap.shape[1] - 1)
        below = [100 * float(x) for x in found.interval(market_math.fraction_below_one)]
        between = [100 * float(x) for x in found.interval(market_math.fraction_between_zero_and_one)]
        rows.append({
            "task": task, "feature": feature, "n_pairs": n_pairs, "n_below_one": round(below[0] * n_pairs / 100),
            "below_one_percent": below[0],
            "below_one_low_percent": below[1], "below_one_high_percent": below[2], "between_percent": between[0],
            "between_low_percent": between[1], "between_high_percent": between[2], "n_splits": len(ap), **provenance_columns(group),
        })  # fmt: skip
    return pd.DataFrame(rows)


def negatives(results: Results) -> pd.DataFrame:
    """Return, for each split, the AP of each dataset's detector with its own negatives and with those of all datasets (2011, Table 2)."""
    table = results.frame(CrossDatasetNegatives, dataset=lambda t: _dataset(t.sets))
    if table.empty:
        return table
    table["drop_percent"] = 100 * (1 - table["ap_all_negatives_percent"] / table["ap_own_negatives_percent"])
    table["n_train"], table["n_test"] = 2 * table["n_per_class"], table["n_positive"] + table["n_negative"]
    columns = ["ap_own_negatives_percent", "ap_all_negatives_percent", "drop_percent", "n_positive", "n_negative"]
    columns += ["n_train", "n_test", "seed"]
    return table[["task", "feature", "permuted", "set", *columns, *PROVENANCE_COLUMNS]]


# --- the paper's tables ---------------------------------------------------------------------------


def published_margins(results: Results) -> pd.DataFrame:
    """Return every published margin of Tables 1 to 3 (2011) and its recomputed value. ``agrees``: rounding explains the difference."""
    return results.frame(RecomputePublishedTables, dataset=lambda t: "Torralba & Efros 2011")


def published_cross_dataset(results: Results) -> pd.DataFrame:
    """Return Table 1 of 2011 as published: AP in percent by training set and test set."""
    import pandas as pd

    rows = []
    for trial, record in results.of(RecomputePublishedTables):
        told = {"dataset": "Torralba & Efros 2011", "protocol": "paper", "device": record.device, TRIALS: trial.id}
        for t in published.cross_set():
            for i, train in enumerate(published.SETS):
                for j, test in enumerate(published.SETS):
                    cell = {"task": t.task, "train_set": train, "test_set": test, "ap_percent": float(t.ap[i, j])}
                    rows.append(cell | {"paper_value_source": t.paper_value_source, "source": t.source} | told)
    return pd.DataFrame(rows)


def published_market_value(results: Results) -> pd.DataFrame:
    """Return Table 3 of 2011 as published. One LabelMe car is worth 0.26 PASCAL cars on PASCAL."""
    import pandas as pd

    rows = []
    for trial, record in results.of(RecomputePublishedTables):
        told = {"dataset": "Torralba & Efros 2011", "protocol": "paper", "device": record.device, TRIALS: trial.id}
        t = published.market_value()
        for j, market in enumerate(published.CURRENCIES):
            for sample, alpha in [*zip(published.CURRENCIES, t.alpha[:, j], strict=True), ("basket", t.basket[j])]:
                checked = t.paper_value_source.get((sample, market), "from memory")
                rows.append({"source_set": sample, "target_set": market, "alpha": float(alpha), "paper_value_source": checked, **told})
    return pd.DataFrame(rows)


# --- inside ---------------------------------------------------------------------------------------


def _classification(results: Results, kind: str) -> pd.DataFrame:
    table = results.frame(
        NameThatDataset,
        dataset=lambda t: _dataset(t.sets),
        set_group=lambda t: group_name(t.sets, t.subset),
        n_sets=lambda t: len(t.sets),
        max_train_size=lambda t: max(t.train_sizes),
    )
    if table.empty:
        return table
    table = table[table["kind"] == kind].copy()
    if kind == "learning_curve":
        table["is_largest_size"] = table["n_per_set"] == table["max_train_size"]
    return table


def _crossed(results: Results, permuted: bool = False) -> pd.DataFrame:
    table = results.frame(CrossDatasetEvaluation, dataset=lambda t: _dataset(t.sets), sizes_of=lambda t: ",".join(map(str, t.train_sizes)))
    return table if table.empty else table[table["permuted"].astype(bool) == permuted]


def _matrices(results: Results, permuted: bool = False) -> list[tuple[str, str, pd.DataFrame, np.ndarray, np.ndarray]]:
    """Return task, feature, rows, AP in percent [splits train test sizes] and the sizes."""
    table = _crossed(results, permuted)
    found = []
    for (task, feature, _), group in [] if table.empty else table.groupby(["task", "feature", "sizes_of"], sort=False):
        names, seeds, sizes = (list(dict.fromkeys(group[c])) for c in ("train_set", "seed", "n_per_class"))
        wide = group.set_index(["seed", "train_set", "test_set", "n_per_class"])["ap_percent"]
        ap = wide.loc[[(s, i, j, n) for s in seeds for i in names for j in names for n in sizes]].to_numpy()
        shape = (len(seeds), len(names), len(names), len(sizes))
        found.append((str(task), str(feature), group, ap.reshape(shape), np.array(sizes)))
    return found


def _dataset(sets: Sequence[str]) -> str:
    return ", ".join(sets_of.required_datasets(sets)) or "simulated cameras"


def _interval(name: str, values: pd.Series) -> dict[str, float]:
    n = {"n_splits": len(values)}
    if len(values) < 2:
        return {f"{name}_percent": float(values.mean()), f"{name}_low_percent": np.nan, f"{name}_high_percent": np.nan, **n}
    e = student_t(values.to_numpy(dtype=float), "seeds")
    return {f"{name}_percent": e.value, f"{name}_low_percent": e.low, f"{name}_high_percent": e.high, **n}


def _first(group: pd.DataFrame, *columns: str) -> dict[str, Any]:
    return {column: group[column].iloc[0] for column in columns}
