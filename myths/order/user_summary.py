"""Summary of the results on tables of the user, printed after a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from myths.lab.counting import counted
from myths.order.item_modes import ANIMALS_AND_PLANTS

if TYPE_CHECKING:
    import pandas as pd

SHOWN_MODES = 5
"""Number of modes that the summary describes."""
SHOWN_CATEGORIES = 20
"""Number of categories that the summary lists."""
DOMINANT_PERCENT = 50
"""Percentage of the variance from which one property determines the first mode."""


def summarize_user_data(tables: Mapping[str, pd.DataFrame]) -> str | None:
    """Return the modes of the user's tables and which categories a network would find, or None if the run has no table of the user."""
    table = tables["item_modes"]
    if table.empty or set(table["dataset"]) == {ANIMALS_AND_PLANTS}:
        return None
    lines = []
    for name, rows in table[table["dataset"] != ANIMALS_AND_PLANTS].groupby("dataset", sort=False):
        first = rows.iloc[0]
        how = f"; randomized decomposition, relative error {first['relative_error']:.1g}" if first["randomized"] else ""
        lines.append(
            f"{name}: {int(first['items']):,} items × {counted(int(first['properties']), 'property', 'properties')}{how} (item_modes.csv)"
        )
        if first["largest_variance_percent"] > DOMINANT_PERCENT and first["properties"] > 1:
            lines.append(
                f"  {first['largest_variance_property']} has {first['largest_variance_percent']:.0f} % of the variance and determines the "
                "first mode; divide the properties by their standard deviations if their units differ"
            )
        lines += [_mode_line(row) for row in rows.head(SHOWN_MODES).to_dict("records")]
        categories = tables["item_categories"]
        found = categories if categories.empty else categories[categories["dataset"] == name]
        lines += [
            _category_line(row["category"], int(row["items"]), row["coherence"]) for row in found[:SHOWN_CATEGORIES].to_dict("records")
        ]
        if len(found) > SHOWN_CATEGORIES:
            lines.append(f"  {len(found) - SHOWN_CATEGORIES:,} more categories in item_categories.csv")
    return "\n".join(lines)


def _mode_line(row: Mapping[str, Any]) -> str:
    sides = (f"{row[side]} ({row[f'{side}_properties'] or 'no property'})" for side in ("one_side", "other_side"))
    return (
        f"  mode {int(row['mode'])}: s = {row['singular_value']:.4g} ({row['ratio_to_noise_edge']:.2f} × the noise edge), half learned at "
        f"{row['half_time']:.3g} τ: {' | '.join(sides)}"
    )


def _category_line(name: str, items: int, coherence: float | None) -> str:
    size = counted(items, "item")
    if coherence is None or coherence != coherence:
        return f"  category {name} ({size}): no variation inside, found at once"
    verdict = "found as a mode of its own" if coherence > 1 else "below the threshold, not found by itself"
    return f"  category {name} ({size}): C = {coherence:.3g}, {verdict}"
