"""View of a claim in all runs that measured it: their intervals on one scale, and the combined number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from myths.lab import meta_analysis
from myths.lab.claim_record import ClaimRecord
from myths.lab.meta_analysis import Pooled, Replication
from myths.lab.report import formatting
from myths.lab.report.forest import strips
from myths.lab.report.run_view import RunView


@dataclass(frozen=True)
class Row:
    """A run of a claim, or the combination of runs.

    Attributes:
        name: Name of the run, or what the row shows.
        key: Key of the run; empty for a combination.
        plot: Interval on the scale of all rows.
        number: The number with its interval.
        verdict: Verdict of the run; empty for a combination.
        remark: Why the run does not count, or what the combination is of.
    """

    name: str
    key: str
    plot: Markup
    number: str
    verdict: str
    remark: str


@dataclass(frozen=True)
class ReplicationView:
    """A claim that several runs measured.

    Attributes:
        claim: Result of the claim in the best of these runs.
        criterion_text: Criterion as pages show it.
        sentence: In how many independent runs it was reproduced, and the combined number; empty if only one run counts.
        pooled: The combined number as text; empty if there is none.
        rows: The runs, best first, then the combined number and the interval for another run.
    """

    claim: ClaimRecord
    criterion_text: str
    sentence: str
    pooled: str
    rows: Sequence[Row]


def of_runs(runs: Sequence[RunView]) -> dict[str, ReplicationView]:
    """Return the claims that several runs of a myth measured, by id.

    Args:
        runs: All runs of the myth, best first.
    """
    found = meta_analysis.replications([run.analysis for run in runs])
    names = Counter(run.name for run in runs)
    # Runs of several people have the same name by default.
    shown = [run.name if names[run.name] == 1 else f"{run.name} ({run.location}, {run.key})" for run in runs]
    return {claim: _view(each, [run.key for run in runs], shown) for claim, each in found.items()}


def _view(replication: Replication, keys: Sequence[str], names: Sequence[str]) -> ReplicationView:
    first, pooled = replication.results[0].record, replication.pooled
    combined = [] if pooled is None else [_with_interval(first, pooled, end) for end in ("", "predicted_")]
    plots = strips([*(each.record for each in replication.results), *combined])
    rows = [
        Row(names[each.place], keys[each.place], plot, _number(each.record), each.record.verdict, reason or "counts")
        for each, plot, reason in zip(replication.results, plots, replication.reasons, strict=False)
    ]
    counting = [names[each.place] for each in replication.independent]
    if pooled is None:
        return ReplicationView(first, formatting.format_criterion(first.criterion), formatting.format_replication(replication), "", rows)
    number, (predicted, i_squared) = formatting.format_pooled(pooled, first.unit), formatting.format_heterogeneity(pooled)
    rows.append(Row("combined", "", plots[-2], number, "", f"{len(pooled.runs)} runs: {', '.join(counting)}"))
    rows.append(Row("another run", "", plots[-1], predicted, "", f"95 % prediction interval; {i_squared}"))
    said = f"{number}, another run in {predicted}, {i_squared}, {len(pooled.runs)} runs"
    return ReplicationView(first, formatting.format_criterion(first.criterion), formatting.format_replication(replication), said, rows)


def _with_interval(record: ClaimRecord, pooled: Pooled, end: str) -> ClaimRecord:
    low, high = getattr(pooled, f"{end}low"), getattr(pooled, f"{end}high")
    return replace(record, estimate=pooled.value, low=low, high=high)


def _number(record: ClaimRecord) -> str:
    found = record.measured
    return "" if found is None else f"{formatting.value_with_unit(found, record.unit)} {formatting.format_interval(found)}".rstrip()
