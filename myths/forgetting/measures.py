"""How claims are measured: rows of a table -> an estimate with its interval, or None where the rows do not suffice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from myths.lab.estimate import Estimate, clopper_pearson, exact, fisher_z, student_t

if TYPE_CHECKING:
    import pandas as pd

RANDOM = "random"


def mean_of(column: str, rows: pd.DataFrame) -> Estimate | None:
    """The mean of a column over trainings, with a t interval over their seeds; pairing lies in the column."""
    values = rows[column].dropna().tolist() if column in rows else []
    return student_t(values, "seeds") if len(values) > 1 else None


def of_all(column: str, rows: pd.DataFrame) -> Estimate | None:
    """The one number of a comparison of fixed counts: nothing varies."""
    values = rows[column].dropna().tolist() if column in rows else []
    return exact(float(values[0]), int(rows["n"].iloc[0])) if values else None


def largest(column: str, rows: pd.DataFrame) -> Estimate | None:
    """The largest of the numbers found."""
    return exact(float(rows[column].max()), len(rows))


def intersection_share(rows: pd.DataFrame) -> Estimate | None:
    """Share (percent) of examples that the first five trainings together never forget; interval over examples."""
    row = rows.iloc[0]
    return replace(clopper_pearson(int(row["unforgettable"]), int(row["n"])).scaled(100), covers="training examples")


def share_difference(more: str, fewer: tuple[str, ...], rows: pd.DataFrame) -> Estimate | None:
    """Share of unforgettable examples in one training (percent), one data set minus another, paired by seed."""
    shares = rows.pivot_table(index="seed", columns="dataset", values="unforgettable_percent")
    other = next((name for name in fewer if name in shares), None)
    if more not in shares or other is None:
        return None
    differences = (shares[more] - shares[other]).dropna().tolist()
    return student_t(differences, "seeds") if len(differences) > 1 else None


def as_tabled(rows: pd.DataFrame) -> Estimate | None:
    """The mean correlation with its jackknife interval over seeds, as it stands in the table."""
    row = rows.iloc[0]
    return Estimate(float(row["pearson"]), float(row["low"]), float(row["high"]), "seeds", int(row["seeds"]))


def over_examples(column: str, kind: Literal["pearson", "spearman"], rows: pd.DataFrame) -> Estimate | None:
    """A correlation over all examples with Fisher's z over examples: it says nothing of other seeds."""
    row = rows.iloc[0]
    return None if row[column] != row[column] else fisher_z(float(row[column]), int(row["n"]), "training examples", kind)


def worst_window(rows: pd.DataFrame) -> pd.DataFrame:
    """For each seed its training on the window that is worst for the other seeds: chosen and measured on different seeds."""
    import pandas as pd

    windows = rows[rows["window"].astype(bool)]
    wide = windows.pivot_table(index="seed", columns="skipped_percent", values="test_accuracy_percent").dropna()
    if len(wide) < 3 or wide.shape[1] < 3:
        return pd.DataFrame()
    random = rows[(rows["order"] == RANDOM) & (rows["removed_percent"].round(6) == 10)].set_index("seed")["test_accuracy_percent"]
    found = []
    for seed in wide.index:
        worst = wide.drop(seed).mean().idxmin()
        found.append({"seed": seed, "below_random_pp": random.get(seed, float("nan")) - wide.loc[seed, worst],
                      "below_last_pp": wide.loc[seed, wide.columns.max()] - wide.loc[seed, worst]})  # fmt: skip
    return pd.DataFrame(found)


def window_depth(column: str, rows: pd.DataFrame) -> Estimate | None:
    """How far the worst window lies below something (pp), over seeds."""
    found = worst_window(rows)
    return mean_of(column, found) if len(found) else None


def smallest_rise(rows: pd.DataFrame) -> Estimate | None:
    """The smallest rise of the mean count from one pixel noise to the next, paired by seed: all rise if even this one does."""
    counts = rows.pivot_table(index="seed", columns="pixel_noise", values="mean_count").dropna()
    if len(counts) < 2 or counts.shape[1] < 3:
        return None
    rises = counts.sort_index(axis=1).diff(axis=1).iloc[:, 1:]
    return student_t(rises[rises.mean().idxmin()].tolist(), "seeds")
