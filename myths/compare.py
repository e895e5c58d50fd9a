"""Compare two runs: numbers, verdicts and times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from myths import suite
from myths.lab.errors import UsageError
from myths.lab.storage.run_folder import RunFolder

if TYPE_CHECKING:
    from myths.lab.report.comparison import Comparison
    from myths.lab.report.run_view import ClaimView


def compare_runs(baseline: RunFolder, candidate: RunFolder) -> Comparison:
    """Compare two runs: claims that both measured, and times of trials that both finished.

    Args:
        baseline: The run to compare with.
        candidate: The run to compare.

    Raises:
        UsageError: The runs have nothing in common.
    """
    from myths.lab.analysis import analyze
    from myths.lab.report.comparison import compared
    from myths.lab.report.run_view import RunView

    sides = [
        [
            RunView(analyze(myth, run), run.name, run.metadata())
            for myth in suite.MYTHS
            if baseline.has_results(myth) and candidate.has_results(myth)
        ]
        for run in (baseline, candidate)
    ]
    found = compared(*sides)
    if found is None or not (found.pairs or found.time_ratios):
        raise UsageError(f"Runs {baseline.name!r} and {candidate.name!r} have no measured claim in common")
    return found


def lines(comparison: Comparison) -> list[dict[str, Any]]:
    """Return one line per claim, then one per class of timed trials. ``differs`` marks significant differences."""
    claims = [
        {
            "myth": pair.myth.name,
            "what": pair.baseline.id,
            "baseline": _numbers(pair.baseline),
            "candidate": _numbers(pair.candidate),
            "verdicts": pair.baseline.verdict if not pair.changed else f"{pair.baseline.verdict} → {pair.candidate.verdict}",
            "changed": pair.changed,
            "differs": pair.differs,
        }
        for pair in sorted(comparison.pairs, key=lambda pair: (pair.myth.name, pair.baseline.id))
    ]
    times = [
        {
            "myth": ratio.myth.name,
            "what": f"time of {ratio.kind} (n = {ratio.estimate.n})",
            "baseline": "× 1",
            "candidate": f"× {ratio.estimate.value:.3g}"
            + (f" [{ratio.estimate.low:.3g}, {ratio.estimate.high:.3g}]" if ratio.estimate.n > 1 else ""),
            "verdicts": "",
            "changed": False,
            "differs": ratio.differs,
        }
        for ratio in comparison.time_ratios
    ]
    return claims + times


def _numbers(claim: ClaimView) -> str:
    return " ".join(part for part in (claim.value_text, claim.interval, claim.unit) if part)
