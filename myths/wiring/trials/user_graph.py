"""Predict: what the published errors say about a graph of the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from myths.lab.setting import DatasetName
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.wiring.graphs import Invariants, Wiring

PROCEDURAL = "procedural"
"""A small-world graph of 64 nodes, for tests."""
NEAR = 0.1
"""Wirings whose density differs by at most this fraction are of the same density."""


@dataclass(frozen=True, kw_only=True)
class Predict(Trial):
    """Compute the invariants of a graph of the user and predict the error of an MLP with this wiring from the 3,942 published ones.

    The prediction is that of a quadratic function of clustering, path length and log density. Its 95 % interval is for one training run:
    it covers the residuals of the fit and the noise of a seed. Outside the range of the published wirings there is no prediction.
    """

    graph: DatasetName
    """Graph, as `myths data add NAME graph.csv` stored it."""

    @property
    def protocol(self) -> Protocol:
        """Return "recomputed": errors are the authors'; "stand-in" for the procedural graph."""
        return "stand-in" if self.graph == PROCEDURAL else "recomputed"

    @property
    def data(self) -> tuple[str, ...]:
        """Return the graph, unless it is procedural."""
        return () if self.graph == PROCEDURAL else (self.graph,)

    @classmethod
    def test_instance(cls) -> Predict:
        """Return the procedural graph."""
        return cls(graph=PROCEDURAL)

    def run(self, context: Context) -> Outcome:
        """Return one row.

        Columns: nodes, edges, density, the invariants, mean-field Potts points, outside (why there is no prediction; else empty),
        predicted_percent with its interval, wirings (published ones of the same density) and better_percent (of these, those with a lower
        mean error than predicted).
        """
        from dataclasses import asdict

        from myths.wiring import graphs

        wiring = self._wiring()
        found = graphs.invariants(wiring)
        row: dict[str, Any] = {"nodes": wiring.nodes, "edges": len(wiring.edges), "density": wiring.density, **asdict(found)}
        row |= {f"mean_field_potts_{q}": q / found.spectral_radius for q in (2, 3)}
        row["outside"] = _outside(wiring, found)
        return Outcome(rows=[row if row["outside"] else row | _prediction(wiring, found)])

    def _wiring(self) -> Wiring:
        from myths.lab.data import prepared, user_graphs
        from myths.lab.errors import UsageError
        from myths.wiring import graphs

        if self.graph == PROCEDURAL:
            return graphs.watts_strogatz(64, 12, 0.1, 0)
        arrays = prepared.load(self.graph)
        if not user_graphs.holds_graph(tuple(arrays)):
            raise UsageError(f"{self.graph} is no graph: add an edge list with `myths data add NAME graph.csv`")
        return graphs.of_edges(len(arrays["nodes"]), ((int(a), int(b)) for a, b in arrays["edges"]))


def _outside(wiring: Wiring, found: Invariants) -> str:
    """Return why the published wirings say nothing about a wiring; empty if they do."""
    from myths.wiring import facts

    if wiring.nodes != 64:
        return f"{wiring.nodes} nodes; the published wirings have 64"
    seen, _ = facts.errors("MLP")
    numbers = {"density": wiring.density, "clustering": found.clustering, "path_length_hops": found.path_length}
    for column, number in numbers.items():
        low, high = float(seen[column].min()), float(seen[column].max())
        if not low - 1e-6 <= number <= high + 1e-6:
            return f"{column.removesuffix('_hops').replace('_', ' ')} {number:.3f}; the published wirings have {low:.3f} to {high:.3f}"
    return ""


def _prediction(wiring: Wiring, found: Invariants) -> dict[str, Any]:
    from myths.wiring import facts

    table, _ = facts.errors("MLP")
    errors = table[facts.seed_columns(table)].to_numpy()
    y = errors.mean(1)
    known = np.column_stack([table["clustering"], table["path_length_hops"], np.log(table["density"])])
    point = np.array([[found.clustering, found.path_length, np.log(wiring.density)]])
    center, scale = known.mean(0), known.std(0)
    terms, at = _terms((known - center) / scale), _terms((point - center) / scale)
    weights = np.linalg.lstsq(terms, y, rcond=None)[0]
    residual = y - terms @ weights
    noise = (errors - y[:, None]).var(ddof=0) * errors.shape[1] / (errors.shape[1] - 1)
    # The residuals of means over seeds hold a fraction of the noise already.
    half = 1.96 * float(np.sqrt(residual.var(ddof=terms.shape[1]) + noise * (1 - 1 / errors.shape[1])))
    predicted = float((at @ weights)[0])
    near = y[np.abs(np.log(table["density"].to_numpy() / wiring.density)) <= NEAR]
    return {
        "predicted_percent": predicted, "predicted_low_percent": predicted - half, "predicted_high_percent": predicted + half,
        "wirings": len(near), "better_percent": 100 * float((near < predicted).mean()) if len(near) else None,
    }  # fmt: skip


def _terms(x: np.ndarray) -> np.ndarray:
    products = [x[:, i] * x[:, j] for i in range(x.shape[1]) for j in range(i + 1)]
    return np.column_stack([np.ones(len(x)), x, *products])
