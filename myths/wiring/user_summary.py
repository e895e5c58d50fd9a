"""Summary of the results on graphs of the user, printed after a run and in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def summarize_user_data(tables: Mapping[str, pd.DataFrame]) -> str | None:
    """Return a few lines of text per graph of the user, or None if the run has none."""
    return "\n".join(summarize(row["graph"], row) for row in tables["user_graphs"].to_dict("records")) or None


def summarize(name: str, row: Mapping[Any, Any]) -> str:
    """Return a few lines of text about one graph.

    Args:
        name: Name of the graph.
        row: Its numbers, as ``prediction.describe`` returns them.
    """
    trees = round(row["log10_spanning_trees"], 1) + 0.0  # a tree has one, whose logarithm is rounded to -0
    text = [
        f"  {name}: {row['nodes']} nodes, {row['edges']:,} edges, density {row['density']:.3f}; clustering "
        f"{row['clustering']:.3f}, path length {row['path_length']:.3f}, spectral gap {row['spectral_gap']:.3f}, "
        f"10^{trees:.1f} spanning trees"
    ]
    text += [f"    Potts transition for q = {q}: {_transition(row, q)}" for q in (2, 3)]
    if row["outside"]:
        return "\n".join([*text, f"    no prediction, outside the range seen: {row['outside']}"])
    interval = f"[{row['predicted_low_percent']:.2f}, {row['predicted_high_percent']:.2f}]"
    line = f"    predicted test error of the authors' MLP on CIFAR-10: {row['predicted_percent']:.2f} % {interval} for one training run"
    if row["wirings"]:
        place = f"{row['better_percent']:.0f} % [{row['better_low_percent']:.0f}, {row['better_high_percent']:.0f}]"
        line += f"; {place} of {row['wirings']:,} published wirings of this density are better"
    return "\n".join([*text, line])


def _transition(row: Mapping[Any, Any], states: int) -> str:
    """Return the Potts transition as text. A missing number is None in a row and NaN in a table."""
    mean_field, sampled, error = (row[name] for name in (f"mean_field_potts_{states}", f"potts_{states}", f"potts_{states}_error"))
    measured = "no peak of the heat capacity in the range that was sampled"
    if sampled is not None and sampled == sampled:
        accuracy = f" ± {error:.4f}" if error is not None and error == error else ""
        measured = f"β = {sampled:.4f}{accuracy} (peak of the heat capacity)"
    return f"{measured}; in mean field {mean_field:.4f} (q / largest eigenvalue)"
