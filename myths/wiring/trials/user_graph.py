"""Predict: what the published errors say about a graph of the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from myths.lab.setting import DatasetName, Seed
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.wiring.graphs import Wiring

PROCEDURAL = "procedural"
"""A small-world graph of 64 nodes, for tests."""


@dataclass(frozen=True, kw_only=True)
class Predict(Trial):
    """Compute the invariants of a graph of the user and predict the error of an MLP with this wiring from the 3,942 published ones.

    The prediction is that of a quadratic function of clustering, path length and log density. Its 95 % interval is for one training run:
    it covers the residuals of the fit and the noise of a seed. Outside the range of the published wirings there is no prediction.
    """

    version: ClassVar[int] = 2
    graph: DatasetName
    """Graph, as `myths data add NAME graph.csv` stored it."""
    seed: Seed = 0

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
        """Return one row, as ``prediction.describe`` does."""
        from myths.wiring import prediction

        return Outcome(rows=[prediction.describe(self._wiring(), context.generator("spins", context.device))])

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
