"""The trial on a table of items and properties: its modes, and which of the user's categories a network would find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from myths.lab.setting import DatasetName, Range
from myths.lab.trial import Context, Outcome, Trial
from myths.order.item_modes import ANIMALS_AND_PLANTS, NAMED, ItemTable, category_coherences, load_table, modes, noise_edge


@dataclass(frozen=True, kw_only=True)
class FindItemModes(Trial):
    """Decompose a table of items and properties and predict when a deep linear network learns each mode.

    A mode is a pair of singular vectors: a contrast between items, with the properties in which they differ.
    """

    version: ClassVar[int] = 2
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

        "mode": singular value, its ratio to the noise edge, predicted half-way time, items and properties on both sides (at most five
        each), number of items outside the better side of the first two categories, the error of the decomposition, and the property with
        the largest variance. "category": size and coherence.
        """
        from myths.order.deep_linear import theory_half_time

        table = load_table(self.dataset)
        found = modes(table.values, self.modes)
        items, variances, edge = len(table.values), table.values.var(0), noise_edge(table.values)
        start = self.strength * float(found.values[0] / np.sqrt(items))
        shared = {
            "items": items, "properties": table.values.shape[1], "randomized": found.randomized, "relative_error": found.error,
            "largest_variance_property": table.properties[int(variances.argmax())],
            "largest_variance_percent": 100 * float(variances.max() / variances.sum()),
        }  # fmt: skip
        rows: list[dict[str, Any]] = []
        for k, value in enumerate(found.values):
            vector, s = found.left[:, k], float(value / np.sqrt(items))
            rows.append({
                "kind": "mode", "mode": k + 1, "singular_value": float(value),
                "ratio_to_noise_edge": float(value / edge),
                "half_time": theory_half_time(s, start) if s > 2 * start else 0.0,
                "one_side": _largest(table.items, vector), "other_side": _largest(table.items, -vector),
                "one_side_properties": _largest(table.properties, found.right[k]),
                "other_side_properties": _largest(table.properties, -found.right[k]),
                "misplaced_items": _misplaced(table, vector), **shared,
            })  # fmt: skip
        rows += [
            {"kind": "category", "category": name, "items": n, "coherence": c if np.isfinite(c) else None, "found": bool(c > 1)}
            for name, (n, c) in category_coherences(table.values, table.categories).items()
        ]
        return Outcome(rows=[{"dataset": self.dataset, **row} for row in rows])


def _largest(names: Sequence[str], vector: np.ndarray) -> str:
    """Return the names of the largest positive entries of a vector, largest first."""
    strong = [i for i in np.argsort(-vector, kind="stable")[:NAMED] if vector[i] > 0.1 * np.abs(vector).max()]
    return ", ".join(names[i] for i in strong)


def _misplaced(table: ItemTable, vector: np.ndarray) -> int | None:
    """Return how many items lie on the wrong side of a mode if it is to separate two categories, or None if there are not two."""
    names: Sequence[str] = list(dict.fromkeys(table.categories))
    if len(names) != 2:
        return None
    agree = (np.array(table.categories) == names[0]) == (vector > 0)
    return int(min(agree.sum(), (~agree).sum()))
