"""Recompute the margins of the published tables from their cells."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from myths.lab.trial import Context, Outcome, Protocol, Trial


@dataclass(frozen=True, kw_only=True)
class RecomputePublishedTables(Trial):
    """Recompute every drop, mean and basket of Tables 1 to 3 (2011) from the published cells. Nothing is sampled or measured."""

    @property
    def protocol(self) -> Protocol:
        """Protocol: "recomputed", because the numbers are those of the paper."""
        return "recomputed"

    @classmethod
    def test_instance(cls) -> RecomputePublishedTables:
        """Return the complete trial."""
        return cls()

    def run(self, context: Context) -> Outcome:
        """Return one row per published margin: reported, recomputed, tolerance (the largest rounding error), agrees."""
        from myths.dataset_bias.published import recomputed

        return Outcome(rows=[asdict(r) | {"agrees": r.agrees} for r in recomputed()])
