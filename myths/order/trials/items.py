"""The trial on a table of items and properties: its modes, and which of the user's categories a network would find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from myths.lab.setting import DatasetName, Range
from myths.lab.trial import Context, Outcome, Trial
from myths.order.item_modes import ANIMALS_AND_PLANTS, NAMED, ItemTable, category_coherence, load_table, modes, noise_edge


@dataclass(frozen=True, kw_only=True)
class FindItemModes(Trial):
    """Decompose a table of items and properties and predict when a deep linear network learns each mode."""

    dataset: DatasetName = ANIMALS_AND_PLANTS
    modes: Annotated[int, Range(at_least=1, at_most=100)] = 10
    """Largest number of modes."""
    strength: Annotated[float, Range(above=0, below=1)] = 1e-3
    """Initial strength a₀ of each mode, relative to the strongest singular value."""

    @property
    def data(self) -> tuple[str, ...]:
        """Return the dataset, if it is not built-in."""
        return () if self.dataset == ANIMALS_AND_PLANTS else (self.dataset,)

    @classmethod
    def test_instance(cls) -> FindItemModes:
        """Return the built-in table."""
        return cls()

    def run(self, context: Context) -> Outcome:
        """Return rows of ``kind`` "mode" and "category".

        "mode": singular value, its ratio to the noise edge, predicted half-way time, items on both sides (at most five each), number of
        items outside the better side of the first two categories, and the error of the decomposition. "category": size and coherence.
        """
        from myths.order.deep_linear import theory_half_time

        table = load_table(self.dataset)
        found = modes(table.values, self.modes)
        edge, items = noise_edge(table.values), len(table.values)
        start = self.strength * float(found.values[0] / np.sqrt(items))
        rows: list[dict[str, Any]] = []
        for k, value in enumerate(found.values):
            vector = found.left[:, k]
            s = float(value / np.sqrt(items))
            rows.append({
                "kind": "mode", "mode": k + 1, "singular_value": float(value), "ratio_to_noise_edge": float(value / edge),
                "half_time": theory_half_time(s, start) if s > 2 * start else 0.0,
                "one_side": _named(table, vector), "other_side": _named(table, -vector),
                "misplaced_items": _misplaced(table, vector), "items": items, "properties": table.values.shape[1],
                "randomized": found.randomized, "relative_error": found.error,
            })  # fmt: skip
        for name in dict.fromkeys(table.categories):
            members = np.array([each == name for each in table.categories])
            if 0 < members.sum() < items:
                coherence = category_coherence(table.values, members)
                rows.append({
                    "kind": "category", "category": name, "items": int(members.sum()),
                    "coherence": coherence if np.isfinite(coherence) else None, "found": bool(coherence > 1),
                })  # fmt: skip
        return Outcome(rows=[{"dataset": self.dataset, **row} for row in rows])


def _named(table: ItemTable, vector: np.ndarray) -> str:
    """Return the items with the largest positive entries of a vector, most extreme first."""
    strong = [i for i in np.argsort(-vector, kind="stable")[:NAMED] if vector[i] > 0.1 * np.abs(vector).max()]
    return ", ".join(table.items[i] for i in strong)


def _misplaced(table: ItemTable, vector: np.ndarray) -> int | None:
    """Return how many items lie on the wrong side of a mode if it is to separate two categories, or None if there are not two."""
    names: Sequence[str] = list(dict.fromkeys(table.categories))
    if len(names) != 2:
        return None
    agree = (np.array(table.categories) == names[0]) == (vector > 0)
    return int(min(agree.sum(), (~agree).sum()))
