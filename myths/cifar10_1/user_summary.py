"""Summary of the results on models of the user, printed after a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def summarize_user_data(tables: Mapping[str, pd.DataFrame]) -> str | None:
    """Return a few lines of text per model of the user, or None if the run has none."""
    from myths.lab.data.user_predictions import CLASSES

    models, comparisons, normalizations = tables["user_models"], tables["user_model_comparisons"], tables["normalizations"]
    text = []
    for row in models.to_dict("records"):
        name = f"{row['predictions']} on {row['test_set']}"
        accuracy = f"{row['accuracy_percent']:.2f} % [{row['accuracy_low_percent']:.2f}, {row['accuracy_high_percent']:.2f}]"
        line = f"  {name}: {accuracy}, rank {row['rank']} of {row['models']}"
        if row["test_set"] != "original":
            line += f"; {row['gap_pp']:.2f} points below the original [{row['gap_low_pp']:.2f}, {row['gap_high_pp']:.2f}]"
            if row["residual_pp"] == row["residual_pp"]:
                side = "above" if row["residual_pp"] >= 0 else "below"
                errors = f"{abs(row['residual_pp'] / row['standard_error_pp']):.1f} standard errors"
                line += f"; {abs(row['residual_pp']):.2f} points {side} the linear fit of the published models ({errors})"
        text.append(line)
        others = comparisons[(comparisons["predictions"] == row["predictions"]) & (comparisons["test_set"] == row["test_set"])]
        closest = others.loc[(others["difference_pp"]).abs().idxmin()]
        difference = f"difference {closest['difference_pp']:+.2f} points, McNemar's exact p = {closest['p_value']:.2g}"
        text.append(f"    most similar accuracy: {closest['model']}, {difference}")
        if row["class_permutation"]:
            pairs = (pair.split(">") for pair in row["class_permutation"].split())
            swaps = ", ".join(f"{CLASSES[int(a)]} means {CLASSES[int(b)]}" for a, b in pairs)
            text.append(f"    check the order of the classes: {row['permuted_percent']:.2f} % would be correct if {swaps}")
    if len(normalizations):
        for weights, rows in normalizations.groupby("weights", sort=False):
            text += _normalization_lines(str(weights), rows)
    return "\n".join(text) or None


def _normalization_lines(weights: str, rows: pd.DataFrame) -> list[str]:
    """Return the normalization that was used and, if one is significantly better, how to change it."""
    used, best = rows.iloc[0], rows.loc[rows["accuracy_percent"].idxmax()]
    line = f"  {weights} is a {used['architecture']}, pixels normalized with {used['normalization']}"
    if not best["significantly_better"]:
        return [f"{line}; none of {len(rows) - 1} others is significantly better on the first {used['n']:,} images"]
    return [
        line,
        f"    check the normalization: with {best['normalization']} {best['accuracy_percent']:.1f} % of the first {used['n']:,} images "
        f"would be correct instead of {used['accuracy_percent']:.1f} %: run myths data remove {weights}, "
        f"then myths data add {weights} FILE normalization={best['normalization']}",
    ]
