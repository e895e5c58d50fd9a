"""Summary of the results on graphs of the user, printed after a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def summarize_user_data(tables: Mapping[str, pd.DataFrame]) -> str | None:
    """Return a few lines of text per graph of the user, or None if the run has none."""
    text = []
    for row in tables["user_graphs"].to_dict("records"):
        text.append(
            f"  {row['graph']}: {row['nodes']} nodes, {row['edges']:,} edges, density {row['density']:.3f}; clustering "
            f"{row['clustering']:.3f}, path length {row['path_length']:.3f}, spectral gap {row['spectral_gap']:.3f}, "
            f"10^{row['log10_spanning_trees']:.1f} spanning trees"
        )
        points = ", ".join(f"{row[f'mean_field_potts_{q}']:.4f} for q = {q}" for q in (2, 3))
        text.append(f"    Potts transition in mean field (β·J = q / largest eigenvalue): {points}")
        if row["outside"]:
            text.append(f"    no prediction, outside the range seen: {row['outside']}")
            continue
        interval = f"[{row['predicted_low_percent']:.2f}, {row['predicted_high_percent']:.2f}]"
        line = f"    predicted test error of the authors' MLP on CIFAR-10: {row['predicted_percent']:.2f} % {interval} for one training run"
        if row["wirings"]:
            line += f"; {row['better_percent']:.0f} % of {row['wirings']:,} published wirings of this density are better"
        text.append(line)
    return "\n".join(text) or None
