"""Compute tables, claims and figures from stored trials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from myths.lab import pictures
from myths.lab.claim import ClaimResult, evaluate_claims, myth_judgment
from myths.lab.claim_definition import change_since, is_older
from myths.lab.claim_record import COLUMNS, ClaimRecord
from myths.lab.data import prepared
from myths.lab.myth import Myth
from myths.lab.skips import skipped_trials
from myths.lab.storage import provenance
from myths.lab.storage.run_folder import RunFolder, write_atomically
from myths.lab.storage.store import Results, Store, TrialRecord
from myths.lab.tables import as_csv, checked, trial_ids
from myths.lab.trial import Trial
from myths.lab.verdict import MythJudgment

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Analysis:
    """A myth in a run: tables, results of the claims, and warnings.

    Attributes:
        myth: The myth.
        run: The run.
        profile: Profiles of the run, separated by commas.
        tables: Tables by name.
        claim_results: Result of each claim.
        records: Records that the tables are computed from.
        warnings: What the reader must know about the results, one sentence each.
        failed: Newest failure of each trial without a result.
        skipped: Trials without a result that could not run on that machine, with the reason.
        stale: Number of stored trials of another version of the suite.
        repeated: Successes of each trial that has several, the oldest first. Those that count are among ``records``.
    """

    myth: Myth
    run: RunFolder
    profile: str
    tables: Mapping[str, pd.DataFrame]
    claim_results: tuple[ClaimResult, ...]
    records: tuple[TrialRecord, ...]
    warnings: tuple[str, ...]
    failed: tuple[TrialRecord, ...] = ()
    skipped: tuple[tuple[Trial, str], ...] = ()
    stale: int = 0
    repeated: tuple[tuple[TrialRecord, ...], ...] = ()

    @cached_property
    def judgment(self) -> MythJudgment:
        """Verdict on the myth, with its reason."""
        return myth_judgment(self.claim_results)

    def records_of(self, claim_result: ClaimResult) -> tuple[TrialRecord, ...]:
        """Return the records that the estimate of a claim is computed from, in stored order; none without an estimate.

        The rows of a claim name these trials. Trials that the claim does not select are left out, because a row may contain comparisons
        with several baselines of which a claim concerns one.

        Args:
            claim_result: Result of a claim.
        """
        return _records_of(claim_result, self.tables, self.records)

    @cached_property
    def claims(self) -> tuple[ClaimRecord, ...]:
        """Record of each claim, in the order of the claims."""
        return tuple(ClaimRecord.of(each, self.myth.name, self.profile, self.records_of(each)) for each in self.claim_results)

    def claims_table(self) -> pd.DataFrame:
        """Return the content of ``claims.csv``, one row per claim."""
        import pandas as pd

        return pd.DataFrame([record.cells() for record in self.claims], columns=list(COLUMNS))


def analyze(myth: Myth, run: RunFolder) -> Analysis:
    """Compute tables and results of the claims of a myth from the stored trials of a run.

    Args:
        myth: The myth.
        run: The run.
    """
    metadata, store = run.metadata(), run.store(myth)
    hosts = {str(i["id"]): provenance.host_class(i["machine"]) for i in metadata["invocations"]}
    results = Results(store.records, prepared.hash_lookup(), hosts)
    tables = {name: checked(name, table(results)) for name, table in myth.tables.items()}
    done = {record.trial.id for record in store.records if record.status == "ok"}
    failed = tuple({r.trial.id: r for r in store.records if r.trial.id not in done}.values())
    skipped = tuple(skipped_trials(myth, metadata["invocations"], store.records))
    invocations = [i for i in metadata["invocations"] if myth.name in i["arguments"].get("myths", [])]
    evaluated = evaluate_claims(myth.claims, tables, skipped, [(record.trial, record.error or "") for record in failed])
    claim_results = [_with_criterion_first(result, tables, results.records, invocations) for result in evaluated]
    profile = ", ".join(dict.fromkeys(i["arguments"]["profile"] for i in invocations))
    warnings = (*map(str, metadata.get("notes", ())), *_warnings(myth, store, results, invocations))
    attempts = (tuple(store.attempts(record.trial)) for record in results.records)
    return Analysis(
        myth, run, profile, tables, tuple(claim_results), tuple(results.records), warnings, failed, skipped, len(store.stale),
        tuple(each for each in attempts if len(each) > 1),
    )  # fmt: skip


def render_figures(analysis: Analysis) -> dict[str, str]:
    """Return every figure that has something to plot, as SVG text by name."""
    from myths.lab.report import style

    figures = {name: figure(analysis.tables) for name, figure in analysis.myth.figures.items()}
    return {name: style.svg(figure) for name, figure in figures.items() if figure is not None}


def write(analysis: Analysis) -> None:
    """Write the non-empty tables, ``claims.csv``, ``figures/*.svg`` and the pictures into the run folder.

    Files of tables that became empty, and of figures that have nothing to plot any more, are deleted.
    """
    folder = analysis.run.path / analysis.myth.folder
    tables = {**analysis.tables, "claims": analysis.claims_table()}
    texts = {folder / f"{name}.csv": as_csv(table) for name, table in tables.items() if len(table)}
    texts |= {folder / "figures" / f"{name}.svg": svg for name, svg in render_figures(analysis).items()}
    possible = [*(folder / f"{name}.csv" for name in tables), *(folder / "figures" / f"{name}.svg" for name in analysis.myth.figures)]
    for file in possible:
        if file in texts:
            write_atomically(file, texts[file])
        else:
            file.unlink(missing_ok=True)
    write_pictures(analysis)


def write_pictures(analysis: Analysis) -> None:
    """Write ``pictures/*.png``, which show images of datasets, if the data are available on this machine."""
    pictures.draw(analysis.myth, analysis.tables, analysis.run.store(analysis.myth), analysis.run.path / analysis.myth.folder / "pictures")


def _records_of(claim_result: ClaimResult, tables: Mapping[str, pd.DataFrame], records: Iterable[TrialRecord]) -> tuple[TrialRecord, ...]:
    claim = claim_result.claim
    named = trial_ids(claim.rows(tables)) if claim_result.estimate is not None else ()
    return tuple(r for r in records if r.trial.id in named and (claim.selects(r.trial) or claim.is_only_cited))


def _with_criterion_first(
    claim_result: ClaimResult, tables: Mapping[str, pd.DataFrame], records: Iterable[TrialRecord], invocations: Iterable[Mapping[str, Any]]
) -> ClaimResult:
    """Return the result with whether the criterion came first: no trial of the claim ran in an invocation that is older than it."""
    used = {record.invocation for record in _records_of(claim_result, tables, records)}
    return replace(claim_result, criterion_first=not any(is_older(i, claim_result.claim) for i in invocations if i["id"] in used))


def _warnings(myth: Myth, store: Store, results: Results, invocations: list[dict[str, Any]]) -> tuple[str, ...]:
    warnings = []
    used = {record.invocation for record in results.records}
    for claim in myth.claims:
        changes = {change_since(i, claim) for i in invocations if i["id"] in used and claim.id in i["criteria"]} - {""}
        warnings += [f"{claim.id} changed after its trials ran: {change}." for change in sorted(changes)]
    if any(i["dirty"] for i in invocations if i["id"] in used):
        warnings.append("Some trials ran from a checkout with uncommitted changes.")
    if store.stale:
        versions = ", ".join(sorted(set(store.stale))[:5])
        warnings.append(f"Stored trials of another version, left out: {len(store.stale)} ({versions}).")
    if results.n_excluded:
        warnings.append(f"Stored trials that used other contents of their datasets, left out: {results.n_excluded}.")
    if results.timed_on is not None:
        warnings.append(
            f"Times of different kinds of machines are not combined: those of {', '.join(results.timed_on)} count, and "
            f"{results.n_other_machines} trials that were timed on other machines are left out."
        )
    return tuple(warnings)
