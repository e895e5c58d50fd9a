"""Tables of the results. Column names carry the unit (percent; pp for percentage points)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from myths.cifar10_1 import linear_fit, rank_comparison
from myths.cifar10_1.class_permutation import SIGNIFICANCE_LEVEL
from myths.cifar10_1.published import family
from myths.cifar10_1.trials import (
    CompareModelRanks,
    CompareUserModel,
    EvaluateModel,
    ExcludeTestImages,
    PredictClasses,
    PublishedAccuracy,
    PublishedHardImages,
    PublishedMeanDrop,
    PublishedRanks,
    ReuseTestSet,
    SelectPublishedModel,
)
from myths.cifar10_1.trials.new_models import model_family, model_name
from myths.cifar10_1.user_networks import IMAGES
from myths.lab.estimate import Estimate, clopper_pearson, difference_of_proportions, ratio_of_proportions
from myths.lab.storage.store import Results
from myths.lab.tables import PROVENANCE_COLUMNS, TRIALS, provenance_columns, rows_of_kind, unite
from myths.lab.vision.classifier import TrainClassifier

if TYPE_CHECKING:
    import pandas as pd


def accuracies(results: Results) -> pd.DataFrame:
    """Return one row per published model and test set (Recht et al. 2018, Table 1 and Appendix D).

    Columns: accuracy with its Clopper–Pearson interval; on the new test sets also the gap to the original test set in percentage points
    with Newcombe's interval, the ratio of the error rates, and the number of ranks that the model moved up. The column ``source`` is
    "predictions" if the run has computed the accuracies from the published predictions, otherwise "reference table".
    """
    import pandas as pd

    counts = results.frame(PublishedAccuracy)
    if counts.empty:
        return counts
    counts = counts[counts["source"] == ("predictions" if "predictions" in set(counts["source"]) else "reference table")]
    originals = counts[counts["test_set"] == "original"].sort_values(["correct", "model"], ascending=[False, True]).set_index("model")
    positions = {"test_set": {name: i for i, name in enumerate(IMAGES)}, "model": {model: i for i, model in enumerate(originals.index)}}
    counts = counts.sort_values(["test_set", "model"], key=lambda column: column.map(positions[column.name]))
    original_ranks = dict(zip(originals.index, rank_comparison.ranks(originals["correct"].to_numpy()), strict=True))
    rows = []
    for test_set, group in counts.groupby("test_set", sort=False):
        ids = unite([*group[TRIALS], *originals[TRIALS]])  # a rank depends on all models
        for line, rank in zip(group.to_dict("records"), rank_comparison.ranks(group["correct"].to_numpy()), strict=True):
            original = originals.loc[line["model"]]
            row = {
                "model": line["model"],
                "family": family(line["model"]),
                "test_set": test_set,
                "dataset": _dataset_text(str(test_set), line["source"]),
                "n": line["n"],
                "correct": line["correct"],
                **_percent("accuracy", clopper_pearson(line["correct"], line["n"])),
                "balanced_percent": line["balanced_percent"],
                "rank": rank,
            }
            if test_set != "original":
                row |= _gap_columns(int(original["correct"]), int(original["n"]), line["correct"], line["n"])
                row["rank_change"] = original_ranks[line["model"]] - rank
            rows.append(row | {name: line[name] for name in ("source", "protocol", "device")} | {TRIALS: ids})
    return pd.DataFrame(rows)


def recomputed(results: Results) -> pd.DataFrame:
    """Return each number of the reference table and the number computed from the predictions; ``equal`` compares all digits."""
    counts = results.frame(PublishedAccuracy)
    if counts.empty or set(counts["source"]) != {"predictions", "reference table"}:
        return counts.iloc[:0]
    keys = ["model", "test_set", "quantity", "protocol", "device"]
    numbers = counts.melt([*(key for key in keys if key != "quantity"), "source", TRIALS], ["n", "correct", "balanced_percent"], "quantity")
    wide = numbers.pivot(index=keys, columns="source", values="value")
    wide = wide.join(numbers.groupby(keys)[TRIALS].agg(unite)).reset_index()
    wide = wide.rename(columns={"reference table": "reference", "predictions": "computed"})
    wide["equal"] = (wide["reference"] - wide["computed"]).abs() < 0.5e-4 + 1e-9  # the reference table has four decimals
    wide["dataset"] = wide["test_set"].map(IMAGES)
    return wide.rename_axis(columns=None)


def fits(results: Results) -> pd.DataFrame:
    """Return the linear fit of the published models for each new test set and scale, with intervals over families of models.

    On the probit scale the intercept is in probits. ``n_outliers`` counts the models that deviate from the fit by more than two binomial
    standard errors of the new test set.
    """
    import pandas as pd

    table = accuracies(results)
    if table.empty:
        return table
    rows = []
    originals = table[table["test_set"] == "original"].set_index("model")
    for test_set, group in table[table["test_set"] != "original"].groupby("test_set", sort=False):
        original = originals.loc[group["model"]]
        source = group["source"].iloc[0]
        common = {"test_set": test_set, **provenance_columns(group), "dataset": _dataset_text(str(test_set), source), "source": source}
        common[TRIALS] = unite([*group[TRIALS], *original[TRIALS]])
        rows += _fit_rows(original, group["correct"], group["n"], group["family"], common)
    return pd.DataFrame(rows)


def ranks(results: Results) -> pd.DataFrame:
    """Return the number of rank reversals between published models, and of significant ones (exact McNemar, p < .05, uncorrected)."""
    return rows_of_kind(results.frame(PublishedRanks, dataset=lambda t: IMAGES[t.test_set]), "total")


def rank_reversals(results: Results) -> pd.DataFrame:
    """Return every reversed pair of published models with its exact McNemar p-value on the new images."""
    return rows_of_kind(results.frame(PublishedRanks, dataset=lambda t: IMAGES[t.test_set]), "reversal")


def hard_images(results: Results) -> pd.DataFrame:
    """Return how many images none, or all, of the published models classify correctly.

    ``ratio`` is the fraction in the new test set over the fraction in the original one, with Katz's log interval.
    """
    import pandas as pd

    rows = []
    for line in results.frame(PublishedHardImages, dataset=lambda t: IMAGES[t.test_set]).to_dict("records"):
        for correct_by, column in (("no model", "none_correct"), ("all models", "all_correct")):
            new, original = (line[f"new_{column}"], line["new_n"]), (line[f"original_{column}"], line["original_n"])
            row = {
                "test_set": line["test_set"],
                "correct_by": correct_by,
                "models": line["models"],
                "original_images": original[0],
                "original_n": original[1],
                "original_percent": 100 * original[0] / original[1],
                "new_images": new[0],
                "new_n": new[1],
                "new_percent": 100 * new[0] / new[1],
            }
            if new[0] and original[0]:
                row |= _columns("ratio", ratio_of_proportions((new[0], original[0]), (new[1], original[1])))
            rows.append(row | {name: line[name] for name in PROVENANCE_COLUMNS})
    return pd.DataFrame(rows)


def mean_drops(results: Results) -> pd.DataFrame:
    """Return the mean accuracy drop of the published models on each new test set, with its interval over images."""
    table = results.frame(PublishedMeanDrop, dataset=lambda t: IMAGES[t.test_set])
    first = ["test_set", "models", "n", "drop_pp", "drop_low_pp", "drop_high_pp"]
    return table if table.empty else table[[*first, *PROVENANCE_COLUMNS]]


def drop_explanations(results: Results) -> pd.DataFrame:
    """Return the percentage of the mean drop of the published models that each explanation accounts for, with intervals over images."""
    import pandas as pd

    excluded = results.frame(ExcludeTestImages, explanation=lambda t: f"{t.reason}s excluded", dataset=lambda t: IMAGES["v4"])
    selected = results.frame(SelectPublishedModel, explanation=lambda t: "best model selected", dataset=lambda t: IMAGES[t.test_set])
    columns = ["explanation", "test_set", "n", "n_excluded", "models", "share_percent", "share_low_percent", "share_high_percent"]
    columns += PROVENANCE_COLUMNS
    found = pd.concat([table for table in (excluded, selected) if len(table)] or [excluded])
    return found.reindex(columns=columns) if len(found) else found


def trained_networks(results: Results) -> pd.DataFrame:
    """Return the accuracy of each network trained by this suite on the whole test set of its dataset."""
    table = results.frame(TrainClassifier, model=model_name, dataset=lambda t: t.dataset, seed=lambda t: t.seed)
    first = ["model", "dataset", "seed", "n_train", "n_test", "test_accuracy_percent"]
    return table if table.empty else table[[*first, *(name for name in PROVENANCE_COLUMNS if name not in first)]]


def new_models(results: Results) -> pd.DataFrame:
    """Return the accuracies of each new model on the original and the new test set, one row per test set and number of classes.

    The original test set is restricted to the classes of the new one. ``n_classes`` is the number of classes that the model chooses from:
    all of them, or only those of the new test set.
    """
    import pandas as pd

    evaluations = results.frame(
        EvaluateModel, model=lambda t: model_name(t.model), family=lambda t: model_family(t.model), dataset=lambda t: t.test_set
    )
    rows = []
    for line in evaluations.to_dict("records"):
        original = clopper_pearson(line["original_correct"], line["original_n"])
        new = clopper_pearson(line["new_correct"], line["new_n"])
        rows.append(
            {
                **{name: line[name] for name in ("model", "family", "test_set", "n_classes", "model_seed")},
                **{name: line[name] for name in ("original_n", "original_correct")},
                **_percent("original", original),
                **{name: line[name] for name in ("new_n", "new_correct")},
                **_percent("new", new),
                **_gap_columns(line["original_correct"], line["original_n"], line["new_correct"], line["new_n"]),
                **{name: line[name] for name in PROVENANCE_COLUMNS},
            }
        )
    return pd.DataFrame(rows)


def new_model_fits(results: Results) -> pd.DataFrame:
    """Return the linear fit of the new models (pooled over seeds) for each test set, number of classes and scale.

    Intervals are over families of models.
    """
    import pandas as pd

    table = new_models(results)
    rows: list[dict[str, Any]] = []
    if table.empty:
        return table
    for (test_set, n_classes), group in table.groupby(["test_set", "n_classes"], sort=False):
        sums = group.groupby("model", sort=False)[["original_correct", "original_n", "new_correct", "new_n"]].sum()
        common = {"test_set": test_set, "n_classes": n_classes, **provenance_columns(group), "dataset": test_set}
        original = sums.rename(columns={"original_correct": "correct", "original_n": "n"})
        families = group.groupby("model", sort=False)["family"].first()
        # All seeds share the test images, so the standard error is that of the images of one seed.
        rows += _fit_rows(original, sums["new_correct"], sums["new_n"], families, common, images=int(group["new_n"].iloc[0]))
    return pd.DataFrame(rows)


def new_model_ranks(results: Results) -> pd.DataFrame:
    """Return the rank correlation and the rank reversals of the new models between the original and each new test set."""
    return results.frame(CompareModelRanks, dataset=lambda t: t.evaluations[0].test_set, test_set=lambda t: t.evaluations[0].test_set)


def reuse(results: Results) -> pd.DataFrame:
    """Return accuracy on the reused and the fresh half, and their optimism, by strategy, number of queries k and seed."""
    table = results.frame(ReuseTestSet, dataset=lambda t: t.candidates.dataset, n_candidates=lambda t: t.candidates.n_candidates)
    if table.empty:
        return table
    first = ["dataset", "strategy", "k", "seed", "n_candidates", "n_splits"]
    return table[[*first, *(c for c in table.columns if c not in first)]]


def reuse_share(results: Results) -> pd.DataFrame:
    """Return the optimism as a percentage of the accuracy drop of the published models on v4: of the mean and of the smallest drop.

    The simulated optimism differs from that of published models in two ways. It is too high because 5,000 reused images and candidates
    with about 52 % accuracy are noisier than 10,000 images and models with 97 %. It is too low because the 1,000 queries are not designed
    to overfit.
    """
    table, published = reuse(results), accuracies(results)
    if table.empty or published.empty:
        return table.iloc[:0]
    v4 = published[published["test_set"] == "v4"]
    gaps = v4["gap_pp"]
    table = table[["dataset", "strategy", "k", "seed", "n_reused", "optimism_pp", "protocol", "device", TRIALS]].copy()
    table[TRIALS] = [unite([ids, *v4[TRIALS]]) for ids in table[TRIALS]]
    table["dataset"] += f", {IMAGES['v4']}"
    table.insert(6, "drop_pp", gaps.mean())
    table.insert(7, "share_percent", 100 * table["optimism_pp"] / gaps.mean())
    table.insert(8, "share_of_smallest_percent", 100 * table["optimism_pp"] / gaps.min())
    return table


def user_models(results: Results) -> pd.DataFrame:
    """Return accuracy, gap, rank among the published models and residual of their fit for each model of the user and test set.

    ``residual_pp`` is the accuracy minus the linear fit of the published models (table ``fits``), ``residual_probit_pp`` the same for the
    fit on the probit scale; ``standard_error_pp`` is the binomial standard error at the fitted accuracy. ``class_permutation`` names the
    class numbers that seem to be exchanged in the predictions, ``permuted_percent`` is the accuracy with the exchange undone.
    """
    import pandas as pd

    lines = rows_of_kind(results.frame(CompareUserModel, dataset=_datasets_of), "test set")
    if lines.empty:
        return lines
    published = fits(results)
    rows = []
    for name, group in lines.groupby("predictions", sort=False):
        original = group[group["test_set"] == "original"].iloc[0]
        for line in group.to_dict("records"):
            n, correct = int(line["n"]), int(line["correct"])
            row = {"predictions": name, "test_set": line["test_set"], "n": n, "correct": correct}
            row |= _percent("accuracy", clopper_pearson(correct, n)) | {"rank": int(line["rank"]), "models": int(line["models"])}
            if line["test_set"] != "original":
                row |= _gap_columns(int(original["correct"]), int(original["n"]), correct, n)
                row |= _residuals(published, line["test_set"], original["correct"] / original["n"], correct / n, n)
            row |= {"class_permutation": line["class_permutation"], "permuted_percent": 100 * line["permuted_correct"] / n}
            ids = [
                line[TRIALS],
                original[TRIALS],
                *(published[published["test_set"] == line["test_set"]][TRIALS] if len(published) else ()),
            ]
            rows.append(row | {column: line[column] for column in PROVENANCE_COLUMNS} | {TRIALS: unite(ids)})
    return pd.DataFrame(rows)


def user_model_comparisons(results: Results) -> pd.DataFrame:
    """Return the accuracy difference and McNemar's exact test for each pair of a user's and a published model."""
    table = rows_of_kind(results.frame(CompareUserModel, dataset=_datasets_of), "model")
    if table.empty:
        return table
    difference = 100 * (table["only_user_correct"] - table["only_published_correct"]) / table["n"]
    table.insert(list(table).index("model_correct") + 1, "difference_pp", difference)
    return table


def normalizations(results: Results) -> pd.DataFrame:
    """Return the accuracy of each network of the user with each pixel normalization, on the first test images.

    The first row of a network is the normalization that was used. ``p_value`` is that of a sign test of the images gained and lost with
    another normalization, with a Bonferroni correction for the number of normalizations.
    """
    from scipy import stats

    rows = results.frame(PredictClasses, dataset=lambda t: ", ".join(t.data))
    table = rows_of_kind(rows, "normalization")
    if table.empty:
        return table
    architecture = rows_of_kind(rows, "model").set_index("weights")["architecture"]
    others = table.groupby("weights")["normalization"].transform("size") - 1
    changed = zip(table["gained"].astype(int), table["lost"].astype(int), others.astype(int), strict=True)
    p_values = [min(1.0, k * stats.binomtest(g, g + n, alternative="greater").pvalue) if g + n else 1.0 for g, n, k in changed]
    table = table.astype(dict.fromkeys(("n", "correct", "gained", "lost"), int)).assign(
        architecture=table["weights"].map(architecture),
        accuracy_percent=100 * table["correct"] / table["n"],
        p_value=p_values,
        significantly_better=[p <= SIGNIFICANCE_LEVEL for p in p_values],
    )
    columns = [
        "weights",
        "architecture",
        "normalization",
        "n",
        "correct",
        "accuracy_percent",
        "gained",
        "lost",
        "p_value",
        "significantly_better",
    ]
    return table[[*columns, *PROVENANCE_COLUMNS]]


def _datasets_of(trial: CompareUserModel) -> str:
    return f"{trial.predictions}, {trial.published}"


def _residuals(published: pd.DataFrame, test_set: str, original: float, new: float, n: int) -> dict[str, float]:
    residuals: dict[str, float] = {"residual_pp": float("nan"), "residual_probit_pp": float("nan"), "standard_error_pp": float("nan")}
    for row in published.to_dict("records") if len(published) else ():
        if row["test_set"] == test_set:
            scale: linear_fit.Scale = row["scale"]
            x = linear_fit.to_scale(linear_fit.clipped_accuracy(np.array([original * n]), np.array([n])), scale)
            fitted = float(linear_fit.from_scale(row["slope"] * x + row["intercept"], scale)[0])
            residuals["residual_pp" if scale == "accuracy" else "residual_probit_pp"] = 100 * (new - fitted)
            if scale == "accuracy":
                clipped = min(max(fitted, 0.5 / n), 1 - 0.5 / n)
                residuals["standard_error_pp"] = 100 * float(np.sqrt(clipped * (1 - clipped) / n))
    return residuals


def _fit_rows(
    original: pd.DataFrame, correct: pd.Series, n: pd.Series, families: pd.Series, common: dict[str, Any], images: int | None = None
) -> list[dict[str, Any]]:
    x = linear_fit.clipped_accuracy(original["correct"].to_numpy(), original["n"].to_numpy())
    y = linear_fit.clipped_accuracy(correct.to_numpy(), n.to_numpy())
    n_new = n.to_numpy() if images is None else np.full(len(n), images)
    first = {name: common[name] for name in ("test_set", "n_classes") if name in common}
    rows = []
    for scale in linear_fit.SCALES:
        line = linear_fit.fit(x, y, scale, families.to_numpy())
        if line is not None:
            columns = _columns("slope", line.slope) | _columns("intercept", line.intercept) | _columns("r2", line.r2)
            counts = {"models": len(x), "n_outliers": linear_fit.count_outliers(line, x, y, n_new)}
            rows.append(first | {"scale": scale} | columns | counts | common)
    return rows


def _gap_columns(original_correct: int, original_n: int, new_correct: int, new_n: int) -> dict[str, float]:
    gap = difference_of_proportions((original_correct, new_correct), (original_n, new_n)).affine(100)
    missed = original_n - original_correct
    ratio = (new_n - new_correct) / new_n / (missed / original_n) if missed else float("nan")
    return {
        "original_accuracy_percent": 100 * original_correct / original_n,
        "gap_pp": gap.value,
        "gap_low_pp": gap.low,
        "gap_high_pp": gap.high,
        "error_ratio": ratio,
    }


def _dataset_text(test_set: str, source: str) -> str:
    """Return the datasets of a number of the published models, with "(reference table)" if it was copied."""
    datasets = IMAGES[test_set] if test_set == "original" else f"{IMAGES['original']}, {IMAGES[test_set]}"
    return datasets if source == "predictions" else f"{datasets} ({source})"


def _percent(name: str, fraction: Estimate) -> dict[str, float]:
    found = {"": fraction.value, "_low": fraction.low, "_high": fraction.high}
    return {f"{name}{end}_percent": 100 * value for end, value in found.items()}


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
