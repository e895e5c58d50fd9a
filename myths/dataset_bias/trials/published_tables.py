"""The papers' printed margins, recomputed from their printed cells."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from myths.lab.trial import Context, Outcome, Protocol, Trial


@dataclass(frozen=True, kw_only=True)
class RecomputePublishedTables(Trial):
    """Every drop, mean and basket of Tables 1 to 3 (2011) from the printed cells. Arithmetic: nothing is drawn, nothing measured."""

    @property
    def protocol(self) -> Protocol:
        """The paper's own numbers."""
        return "paper"

    @classmethod
    def test_instance(cls) -> RecomputePublishedTables:
        """All of it."""
        return cls()

    def run(self, context: Context) -> Outcome:
        """A row for each printed margin: printed, recomputed, tolerance (what rounding can do), agrees."""
        from myths.dataset_bias.published import recomputed

        return Outcome(rows=[asdict(r) | {"agrees": r.agrees} for r in recomputed()])
