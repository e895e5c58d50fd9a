"""Summarize the results of a run on parallel corpora of the user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from myths.lab.data.catalog import CATALOG
from myths.lab.estimate import student_t
from myths.lightweight_conv.corpora import SYNTHETIC

if TYPE_CHECKING:
    import pandas as pd

LAYER_LABELS = {"attention": "self-attention", "lightweight": "LightConv", "dynamic": "DynamicConv"}


def summarize_user_data(tables: Mapping[str, pd.DataFrame]) -> str | None:
    """Return the BLEU of each layer on user corpora and the differences with intervals, or None if the run has no user corpus."""
    ablation, compared = tables["ablation"], tables["bleu_differences"]
    if ablation.empty:
        return None
    known = {name.partition(".")[0] for name in CATALOG} | set(SYNTHETIC)
    sentences = []
    for (name, updates), rows in ablation[~ablation["dataset"].isin(known)].groupby(["dataset", "updates"], sort=False):
        seeds = int(rows["seeds"].max())
        means = ", ".join(
            f"{LAYER_LABELS.get(row['layer'], row['layer'])} {row['bleu']:.1f}" for row in rows.dropna(subset="bleu").to_dict("records")
        )
        sentences.append(f"{name}: BLEU on the test set after {updates:,} updates, {_counted(seeds)}: {means}")
        if diverged := int(rows["diverged"].sum()):
            sentences.append(f"  {diverged} of {int(rows['seeds'].sum())} training runs diverged")
        pairs = compared[(compared["dataset"] == name) & (compared["updates"] == updates) & (compared["baseline"] == "attention")]
        for layer, differences in pairs.groupby("layer", sort=False)["bleu_difference"]:
            sentences.append(f"  {LAYER_LABELS.get(str(layer), layer)} minus self-attention: {_interval(differences.tolist())}")
    return "\n".join(sentences) or None


def _counted(seeds: int) -> str:
    return f"mean of {seeds} training runs" if seeds > 1 else "one training run each"


def _interval(differences: list[float]) -> str:
    if len(differences) < 2:
        return f"{differences[0]:+.1f} BLEU; one training run gives no interval; use --seeds 3"
    found = student_t(differences, "seeds")
    return f"{found.value:+.1f} BLEU [{found.low:+.1f}, {found.high:+.1f}] over {len(differences)} seeds"
