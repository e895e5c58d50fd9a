"""Results as tidy tables; quantities carry their unit in the column's name (percent, pp for percentage points)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from myths.cifar10_1 import accuracy_line, order
from myths.cifar10_1.ladder import EvaluateModel, LadderOrder, model_name
from myths.cifar10_1.own import PlaceModel
from myths.cifar10_1.reuse import ReuseTestSet
from myths.cifar10_1.trials import PublishedAccuracy, PublishedHardImages, PublishedOrder
from myths.cifar10_1.weights import PredictClasses
from myths.lab.estimate import Estimate, clopper_pearson, difference_of_proportions, ratio_of_proportions
from myths.lab.store import Results
from myths.lab.tables import ABOUT, TRIALS, about, unite

if TYPE_CHECKING:
    import pandas as pd

DATASETS = {"original": "cifar10", "v4": "cifar10_1_v4", "v6": "cifar10_1_v6"}
BOOTSTRAP = 20_000
"""Resamples of a fit; they are drawn from a stream of their own, so a table made twice is the same."""


def accuracies(results: Results) -> pd.DataFrame:
    """A row for each published model and test set (Table 1 and Appendix D of Recht et al. 2018).

    Accuracy with its Clopper–Pearson interval; and on the new sets the gap to the original in percentage points with
    Newcombe's interval, the ratio of error rates, and how many ranks the model moved up. Computed from the published predictions
    where the run has them, else from the known table: ``source`` says which.
    """
    import pandas as pd

    counts = results.frame(PublishedAccuracy)
    if counts.empty:
        return counts
    counts = counts[counts["source"] == ("predictions" if "predictions" in set(counts["source"]) else "known table")]
    originals = counts[counts["test_set"] == "original"].sort_values(["correct", "model"], ascending=[False, True]).set_index("model")
    places = {"test_set": {name: i for i, name in enumerate(DATASETS)}, "model": {model: i for i, model in enumerate(originals.index)}}
    counts = counts.sort_values(["test_set", "model"], key=lambda column: column.map(places[column.name]))
    original_ranks = dict(zip(originals.index, order.ranks(originals["correct"].to_numpy()), strict=True))
    rows = []
    for test_set, group in counts.groupby("test_set", sort=False):
        ids = unite([*group[TRIALS], *originals[TRIALS]])  # a rank comes from all models
        for line, rank in zip(group.to_dict("records"), order.ranks(group["correct"].to_numpy()), strict=True):
            original = originals.loc[line["model"]]
            row = {
                "model": line["model"],
                "test_set": test_set,
                "dataset": _named(str(test_set), line["source"]),
                "n": line["n"],
                "correct": line["correct"],
                **_percent("accuracy", clopper_pearson(line["correct"], line["n"])),
                "balanced_percent": line["balanced_percent"],
                "rank": rank,
            }
            if test_set != "original":
                row |= _against(int(original["correct"]), int(original["n"]), line["correct"], line["n"])
                row["rank_change"] = original_ranks[line["model"]] - rank
            rows.append(row | {name: line[name] for name in ("source", "protocol", "device")} | {TRIALS: ids})
    return pd.DataFrame(rows)


def recomputed(results: Results) -> pd.DataFrame:
    """Each number of the known table beside the same number computed here from the predictions; ``equal`` to its last digit."""
    counts = results.frame(PublishedAccuracy)
    if counts.empty or set(counts["source"]) != {"predictions", "known table"}:
        return counts.iloc[:0]
    keys = ["model", "test_set", "quantity", "protocol", "device"]
    numbers = counts.melt([*(key for key in keys if key != "quantity"), "source", TRIALS], ["n", "correct", "balanced_percent"], "quantity")
    wide = numbers.pivot(index=keys, columns="source", values="value")
    wide = wide.join(numbers.groupby(keys)[TRIALS].agg(unite)).reset_index()
    wide = wide.rename(columns={"known table": "known", "predictions": "computed"})
    wide["equal"] = (wide["known"] - wide["computed"]).abs() < 0.5e-4 + 1e-9  # the known table has four decimals
    wide["dataset"] = wide["test_set"].map(DATASETS)
    return wide.rename_axis(columns=None)


def fits(results: Results) -> pd.DataFrame:
    """The line through the published models, for each new set and scale, with bootstrap intervals over models.

    On the probit scale the intercept is in probits. ``off_line``: models farther than two binomial standard errors of the
    new set from the line.
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
        told = {"test_set": test_set, **about(group), "dataset": _named(str(test_set), source), "source": source}
        told[TRIALS] = unite([*group[TRIALS], *original[TRIALS]])
        rows += _fit_rows(original, group["correct"], group["n"], told)
    return pd.DataFrame(rows)


def order_kept(results: Results) -> pd.DataFrame:
    """Pairs of published models whose order the new set reverses, and how many significantly (exact McNemar, p < .05, uncorrected)."""
    return _kind_of(results.frame(PublishedOrder, dataset=lambda t: DATASETS[t.test_set]), "total")


def flips(results: Results) -> pd.DataFrame:
    """Every reversed pair of published models with its exact McNemar p-value on the new set's images."""
    return _kind_of(results.frame(PublishedOrder, dataset=lambda t: DATASETS[t.test_set]), "flip")


def hard_images(results: Results) -> pd.DataFrame:
    """Images that none, or all, of the published models get right; the ratio of shares has Katz's log interval."""
    import pandas as pd

    rows = []
    for line in results.frame(PublishedHardImages, dataset=lambda t: DATASETS[t.test_set]).to_dict("records"):
        for which in ("all_wrong", "all_right"):
            new, original = (line[f"new_{which}"], line["new_n"]), (line[f"original_{which}"], line["original_n"])
            row = {
                "test_set": line["test_set"],
                "which": which,
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
            rows.append(row | {name: line[name] for name in ABOUT})
    return pd.DataFrame(rows)


def ladder(results: Results) -> pd.DataFrame:
    """A row for each model trained here, test set and number of ways: accuracy on the original test set and on the new one.

    The original is restricted to the classes of the new one. ``ways`` 7: the answer is the best of the seven classes that
    the new set has; 10: the best of all.
    """
    import pandas as pd

    rows = []
    for line in results.frame(EvaluateModel, model=model_name, dataset=lambda t: t.test_set).to_dict("records"):
        original = clopper_pearson(line["original_correct"], line["original_n"])
        new = clopper_pearson(line["new_correct"], line["new_n"])
        rows.append(
            {
                **{name: line[name] for name in ("model", "test_set", "ways", "model_seed")},
                **{name: line[name] for name in ("original_n", "original_correct")},
                **_percent("original", original),
                **{name: line[name] for name in ("new_n", "new_correct")},
                **_percent("new", new),
                **_against(line["original_correct"], line["original_n"], line["new_correct"], line["new_n"]),
                **{name: line[name] for name in ABOUT},
            }
        )
    return pd.DataFrame(rows)


def ladder_fits(results: Results) -> pd.DataFrame:
    """The line through the models trained here (means over seeds), for each test set, number of ways and scale; intervals over models."""
    import pandas as pd

    table = ladder(results)
    rows: list[dict[str, Any]] = []
    if table.empty:
        return table
    for (test_set, ways), group in table.groupby(["test_set", "ways"], sort=False):
        sums = group.groupby("model", sort=False)[["original_correct", "original_n", "new_correct", "new_n"]].sum()
        told = {"test_set": test_set, "ways": ways, **about(group), "dataset": test_set}
        original = sums.rename(columns={"original_correct": "correct", "original_n": "n"})
        # Seeds share the images, so the images of one seed are what the new set's noise comes from.
        rows += _fit_rows(original, sums["new_correct"], sums["new_n"], told, images=int(group["new_n"].iloc[0]))
    return pd.DataFrame(rows)


def ladder_order(results: Results) -> pd.DataFrame:
    """Order of the models trained here on the original and the new set: Spearman, flips, significant flips."""
    return results.frame(LadderOrder, dataset=lambda t: t.evaluations[0].test_set, test_set=lambda t: t.evaluations[0].test_set)


def reuse(results: Results) -> pd.DataFrame:
    """For each strategy, number of queries k and seed: accuracy on the reused and on the fresh half, and the optimism between them."""
    table = results.frame(ReuseTestSet, dataset=lambda t: t.candidates.dataset, candidates=lambda t: t.candidates.candidates)
    if table.empty:
        return table
    first = ["dataset", "strategy", "k", "seed", "candidates", "splits"]
    return table[[*first, *(c for c in table.columns if c not in first)]]


def reuse_share(results: Results) -> pd.DataFrame:
    """What part of the published models' drop (original to v4) the optimism of reuse comes to: of their mean drop, and of the smallest.

    Two things set the optimism here apart from the community's. 5,000 reused images and candidates of some 52 % accuracy are
    noisier than 10,000 images and models of 97 %, which overstates it; and 1,000 queries that are not made to overfit understate what
    a determined search could do.
    """
    table, published = reuse(results), accuracies(results)
    if table.empty or published.empty:
        return table.iloc[:0]
    v4 = published[published["test_set"] == "v4"]
    gaps = v4["gap_pp"]
    table = table[["dataset", "strategy", "k", "seed", "n_reused", "optimism_pp", "protocol", "device", TRIALS]].copy()
    table[TRIALS] = [unite([ids, *v4[TRIALS]]) for ids in table[TRIALS]]
    table["dataset"] += f", {DATASETS['v4']}"
    table.insert(6, "drop_pp", gaps.mean())
    table.insert(7, "share_percent", 100 * table["optimism_pp"] / gaps.mean())
    table.insert(8, "share_of_smallest_percent", 100 * table["optimism_pp"] / gaps.min())
    return table


def placed(results: Results) -> pd.DataFrame:
    """A row for each model of the user's and test set: accuracy, gap, place among the published models, and distance from their line.

    ``place`` 1 is the best. ``residual_pp`` is the accuracy above the line that the published models make (``fits``, on accuracies), and
    ``residual_probit_pp`` above the line of probits; ``standard_error_pp`` is the binomial one of the test set at the accuracy of the line.
    ``reordering`` names the classes that seem to be confused in the order of the predictions, ``reordered_percent`` what they would bring.
    """
    import pandas as pd

    lines = _kind_of(results.frame(PlaceModel, dataset=_sets_of), "test set")
    if lines.empty:
        return lines
    published = fits(results)
    rows = []
    for mine, group in lines.groupby("predictions", sort=False):
        original = group[group["test_set"] == "original"].iloc[0]
        for line in group.to_dict("records"):
            n, correct = int(line["n"]), int(line["correct"])
            row = {"predictions": mine, "test_set": line["test_set"], "n": n, "correct": correct}
            row |= _percent("accuracy", clopper_pearson(correct, n)) | {"place": int(line["place"]), "of": int(line["of"])}
            if line["test_set"] != "original":
                row |= _against(int(original["correct"]), int(original["n"]), correct, n)
                row |= _off_line(published, line["test_set"], original["correct"] / original["n"], correct / n, n)
            row |= {"reordering": line["reordering"], "reordered_percent": 100 * line["reordered_correct"] / n}
            ids = [
                line[TRIALS],
                original[TRIALS],
                *(published[published["test_set"] == line["test_set"]][TRIALS] if len(published) else ()),
            ]
            rows.append(row | {name: line[name] for name in ABOUT} | {TRIALS: unite(ids)})
    return pd.DataFrame(rows)


def placed_against(results: Results) -> pd.DataFrame:
    """Each published model beside each of the user's, on the same images: the difference of accuracy, and McNemar's exact test."""
    table = _kind_of(results.frame(PlaceModel, dataset=_sets_of), "model")
    if table.empty:
        return table
    table.insert(list(table).index("model_correct") + 1, "difference_pp", 100 * (table["only_mine"] - table["only_theirs"]) / table["n"])
    return table


def normalizations(results: Results) -> pd.DataFrame:
    """Networks of the user's: how many of the first test images are correct with each normalization of the pixels; the one used first.

    ``p_value`` is that of a sign test of the images that the other normalization gains and loses, times the number of others.
    """
    from scipy import stats

    from myths.cifar10_1.weights import LEVEL

    every = results.frame(PredictClasses, dataset=lambda t: ", ".join(t.data))
    table = _kind_of(every, "normalization")
    if table.empty:
        return table
    architecture = _kind_of(every, "model").set_index("weights")["architecture"]
    others = table.groupby("weights")["normalization"].transform("size") - 1
    changed = zip(table["gained"].astype(int), table["lost"].astype(int), others.astype(int), strict=True)
    p_values = [min(1.0, k * stats.binomtest(g, g + n, alternative="greater").pvalue) if g + n else 1.0 for g, n, k in changed]
    table = table.astype(dict.fromkeys(("n", "correct", "gained", "lost"), int)).assign(
        architecture=table["weights"].map(architecture),
        accuracy_percent=100 * table["correct"] / table["n"],
        p_value=p_values,
        clearly_better=[p <= LEVEL for p in p_values],
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
        "clearly_better",
    ]
    return table[[*columns, *ABOUT]]


def _sets_of(trial: PlaceModel) -> str:
    return f"{trial.predictions}, {trial.published}"


def _off_line(published: pd.DataFrame, test_set: str, original: float, new: float, n: int) -> dict[str, float]:
    found: dict[str, float] = {"residual_pp": float("nan"), "residual_probit_pp": float("nan"), "standard_error_pp": float("nan")}
    for row in published.to_dict("records") if len(published) else ():
        if row["test_set"] == test_set:
            scale: accuracy_line.Scale = row["scale"]
            at = accuracy_line.to_scale(accuracy_line.share(np.array([original * n]), np.array([n])), scale)
            line = float(accuracy_line.from_scale(row["slope"] * at + row["intercept"], scale)[0])
            found["residual_pp" if scale == "accuracy" else "residual_probit_pp"] = 100 * (new - line)
            if scale == "accuracy":
                held = min(max(line, 0.5 / n), 1 - 0.5 / n)
                found["standard_error_pp"] = 100 * float(np.sqrt(held * (1 - held) / n))
    return found


def _fit_rows(
    original: pd.DataFrame, correct: pd.Series, n: pd.Series, told: dict[str, Any], images: int | None = None
) -> list[dict[str, Any]]:
    x = accuracy_line.share(original["correct"].to_numpy(), original["n"].to_numpy())
    y = accuracy_line.share(correct.to_numpy(), n.to_numpy())
    of = n.to_numpy() if images is None else np.full(len(n), images)
    head = {name: told[name] for name in ("test_set", "ways") if name in told}
    rows = []
    for scale in accuracy_line.SCALES:
        line = accuracy_line.fit(x, y, scale, np.random.default_rng(0), BOOTSTRAP)
        if line is not None:
            columns = _columns("slope", line.slope) | _columns("intercept", line.intercept) | _columns("r2", line.r2)
            off = {"models": len(x), "off_line": accuracy_line.off_the_line(line, x, y, of)}
            rows.append(head | {"scale": scale} | columns | off | told)
    return rows


def _against(original_correct: int, original_n: int, new_correct: int, new_n: int) -> dict[str, float]:
    gap = difference_of_proportions((original_correct, new_correct), (original_n, new_n)).scaled(100)
    missed = original_n - original_correct
    ratio = (new_n - new_correct) / new_n / (missed / original_n) if missed else float("nan")
    return {
        "original_accuracy_percent": 100 * original_correct / original_n,
        "gap_pp": gap.value,
        "gap_low_pp": gap.low,
        "gap_high_pp": gap.high,
        "error_ratio": ratio,
    }


def _named(test_set: str, source: str) -> str:
    """The data sets that a number of published models is about; a copied number says so."""
    sets = DATASETS[test_set] if test_set == "original" else f"{DATASETS['original']}, {DATASETS[test_set]}"
    return sets if source == "predictions" else f"{sets} ({source})"


def _percent(name: str, share: Estimate) -> dict[str, float]:
    return {f"{name}_percent": 100 * share.value, f"{name}_low_percent": 100 * share.low, f"{name}_high_percent": 100 * share.high}


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _kind_of(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    rows = table if table.empty else table[table["kind"] == kind]
    return rows if rows.empty else rows.dropna(axis=1, how="all").drop(columns="kind")
