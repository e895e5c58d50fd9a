"""Claims and their verdicts. This module does not depend on how a number was measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from myths.lab.criterion import Criterion
from myths.lab.estimate import Estimate, SourceOfVariation
from myths.lab.failures import causes
from myths.lab.trial import Protocol, Trial, dependency_types, least_faithful
from myths.lab.verdict import FULL_STRENGTH, STRENGTHS, Direction, Evidence, MythJudgment, Strength, Verdict, judge_myth

if TYPE_CHECKING:
    import pandas as pd

ClaimKind = Literal["effect", "absolute", "control", "follow-up"]
PaperSource = Literal["read", "secondary source", "computed", "from memory", "from memory, unverified"]

PROPOSAL = "proposed by this suite"
"""``source`` of a claim that no paper makes."""


def cited(
    checked: PaperSource, source: str, paper: float | None = None, low: float | None = None, high: float | None = None
) -> dict[str, Any]:
    """Return the fields of a claim that state what a paper says: ``Claim(**cited("read", "Fig. 2", 4.68), ...)``.

    Args:
        checked: How the number or the sentence is known.
        source: Section, table or figure of the paper.
        paper: The paper's number, or None if it states none.
        low: Lower end of the range that the paper states.
        high: Upper end of the range that the paper states.
    """
    return {"source": source, "paper": paper, "paper_low": low, "paper_high": high, "paper_value_source": checked}


PROPOSED = cited("computed", PROPOSAL)
"""Fields of a claim that no paper makes."""


class FirstOf(tuple[str, ...]):
    """Values of a column in the order of preference. Rows with the first value that occurs are selected, never a mixture."""

    __slots__ = ()

    def __new__(cls, *values: str) -> FirstOf:
        """Make it from the values, the preferred one first."""
        return super().__new__(cls, values)


MINIMUM_REPETITIONS: Mapping[SourceOfVariation, int] = {"processes": 5, "seeds": 3}
"""Number of repetitions below which an interval decides nothing, unless the claim has another minimum. Other units have none."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement of a paper with the measure and the criterion that test it.

    A claim concerns one number, one dataset and one kind of device. ``measure`` computes an estimate from selected rows of a table.
    The claim is reproduced if the whole confidence interval satisfies ``criterion``.

    Attributes:
        id: Unique within the myth, for example "F7".
        kind: "effect" (a difference or direction), "absolute" (a value that depends on the protocol), "control" (must be reproduced for
            other claims to count) or "follow-up" (a change since the paper).
        statement: One declarative sentence that stands alone.
        source: Section, table or figure of the paper.
        paper: The paper's value in ``unit``, or None if it states none.
        paper_low: Lower end of the range that the paper states, or None.
        paper_high: Upper end of the range that the paper states, or None.
        paper_value_source: How the paper's value was obtained.
        unit: Unit of value, interval and criterion; empty for a pure number. It is recorded with every run: do not reword it.
        table: Name of the table to select rows from.
        where: Column filters. Maps a column to a value, to a tuple of allowed values, or to ``FirstOf`` for values of which one is used.
        trial: Class of the trials that produce the rows.
        needs: Planned trials that the rows are computed from. Each entry selects trials whose ``columns`` match ``where``, updated with the
            columns of the entry: a value, a tuple of values, a predicate, or ``...`` for any value; ``trial`` selects another class. Empty
            if no profile measures the claim.
        measure: Returns an estimate, or None if the rows do not suffice.
        criterion: Range that the whole interval must lie in.
        repetition_unit: What a repetition of the experiment would draw anew: processes for a time, seeds for a training, test examples for
            an attack, datasets or models if the statement is about these, "exact" if it would give the same number. An interval over
            anything else decides nothing.
        min_repetitions: Number of repetitions below which the interval decides nothing. Default: that of the repetition unit.
        blind: Whether the criterion, the choice that the claim is primary, and the number of repetitions were committed before anybody
            knew the number. A run that is older than the criterion is not blind in any case (``claim_definition.is_older``).
        direction: What a reproduced follow-up claim means for the paper's refutation; None for other claims.
        primary: Whether the verdict on the myth depends on this claim.
        superseded_by: Id of a claim that is primary instead of this one if it was tested with an equal or stronger protocol.
        controls: Ids of control claims, beside those that guard the trials. If one did not hold, this claim is inconclusive.
        without_controls: Controls that guard the trials but not this claim: id -> reason.
        guards: Classes of trials. A control guards all claims that are measured on them and do not contradict ``guarded``.
        guarded: Column filters of the claims that a control guards.
        brings_trials: Whether a request for a claim also runs the trials of this control. False for a control that every trial of the claim
            gives rows to.
        calibration: Id of the control that must be reproduced before a reduced protocol may test an "absolute" claim.
        misprint: Whether the paper's number is a misprint, which the statement corrects.
        version: Raise it when the meaning changes inside a function, such as the measure. ``claim_definition`` sees all other changes.

    Example:
        >>> Claim(
        ...     id="E1", statement="After five heads in a row, tails is as frequent as heads.", trial=TossCoin,
        ...     **cited("computed", "Tversky & Kahneman 1974, p. 1125", 50.0), unit="% tails",
        ...     table="tails_after_heads", measure=tails_percent, criterion=between(49.0, 51.0), primary=True,
        ... )                                                                           # doctest: +SKIP
    """

    id: str
    kind: ClaimKind = "effect"
    statement: str
    source: str
    paper: float | None = None
    paper_low: float | None = None
    paper_high: float | None = None
    paper_value_source: PaperSource
    unit: str = ""
    table: str
    where: Mapping[str, Any] = field(default_factory=dict)
    trial: type[Trial]
    needs: tuple[Mapping[str, Any], ...] = ({},)
    measure: Callable[[pd.DataFrame], Estimate | None]
    criterion: Criterion
    repetition_unit: SourceOfVariation
    min_repetitions: int | None = None
    blind: bool = True
    direction: Direction | None = None
    primary: bool = False
    superseded_by: str | None = None
    controls: tuple[str, ...] = ()
    without_controls: Mapping[str, str] = field(default_factory=dict)
    guards: tuple[type[Trial], ...] = ()
    guarded: Mapping[str, Any] = field(default_factory=dict)
    brings_trials: bool = True
    calibration: str | None = None
    misprint: bool = False
    version: int = 1

    def __post_init__(self) -> None:
        if (self.direction is not None) != (self.kind == "follow-up"):
            raise ValueError(f"claim {self.id}: a follow-up claim has a direction, and no other claim")
        if (self.guards or self.guarded) and self.kind != "control":
            raise ValueError(f"claim {self.id}: only controls guard trials")

    def guards_claim(self, claim: Claim) -> bool:
        """Return whether this control is a default control of a claim.

        Args:
            claim: Another claim of the myth.
        """
        return (
            claim.kind != "control"
            and claim.trial in self.guards
            and all(_overlap(claim.where[name], value) for name, value in self.guarded.items() if name in claim.where)
        )

    def selects(self, trial: Trial) -> bool:
        """Return whether the claim is measured on a trial.

        Args:
            trial: A planned or stored trial.

        Returns:
            Whether the ``columns`` of the trial match ``where``, updated with one of ``needs``. Columns of ``where`` that only rows have
            are ignored.
        """
        return any(self._selects(trial, need) for need in self.needs)

    def _selects(self, trial: Trial, need: Mapping[str, Any]) -> bool:
        if type(trial) is not need.get("trial", self.trial):
            return False
        columns = trial.columns
        wanted = {**{name: value for name, value in self.where.items() if name in columns}, **need}
        return all(_matches(columns[name], value) for name, value in wanted.items() if name != "trial")

    def is_measured_on(self, device: str) -> bool:
        """Return whether the claim can be measured on a device.

        Args:
            device: Device as torch names it.

        Returns:
            False if ``where`` requires another ``device_kind``, "cpu" or "gpu".
        """
        return _matches("cpu" if device == "cpu" else "gpu", self.where.get("device_kind", ...))

    def is_blocked_by(self, trial: Trial) -> bool:
        """Return whether the claim has no result if a trial has none.

        Trials that depend on a failed trial are not stored. A trial of a class that they can depend on therefore counts, unless one of its
        settings contradicts ``where``.

        Args:
            trial: A failed trial.
        """
        kinds = {kind for need in self.needs for kind in dependency_types(need.get("trial", self.trial))}
        return self.selects(trial) or (
            type(trial) in kinds and all(_matches(getattr(trial, column, value), value) for column, value in self.where.items())
        )

    @property
    def is_only_cited(self) -> bool:
        """Whether no profile measures the claim, so that it only shows the paper's number."""
        return not self.needs

    @property
    def needed_repetitions(self) -> int:
        """Number of repetitions below which the interval decides nothing."""
        return MINIMUM_REPETITIONS.get(self.repetition_unit, 0) if self.min_repetitions is None else self.min_repetitions

    @property
    def criterion_text(self) -> str:
        """The criterion with its unit, as recorded with every run."""
        return f"{self.criterion} {self.unit}".rstrip()

    def rows(self, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        """Return the rows that the claim is measured on.

        Args:
            tables: The tables of the myth by name.

        Raises:
            ValueError: ``where`` names a column that the table does not have. A table without rows may lack any column.
        """
        rows = tables[self.table]
        if len(rows) and (unknown := [column for column in self.where if column not in rows]):
            known = ", ".join(map(str, rows.columns))
            raise ValueError(f"claim {self.id}: table {self.table} has no column {unknown[0]!r}. Available: {known}")
        for column, value in self.where.items() if len(rows) else ():
            rows = rows[rows[column].isin(value if isinstance(value, tuple) else (value,))]
        for column, value in self.where.items() if len(rows) else ():
            if isinstance(value, FirstOf):
                rows = rows[rows[column] == next(each for each in value if each in set(rows[column]))]
        return rows


@dataclass(frozen=True)
class ClaimResult:
    """A claim, its estimate in a run, and the verdict with its reason."""

    claim: Claim
    estimate: Estimate | None
    verdict: Verdict
    reason: str = ""
    protocol: Protocol | None = None
    strength: Strength | None = None
    controls: tuple[str, ...] = ()
    dataset: str = ""
    device: str = ""
    primary: bool = False
    criterion_first: bool = True
    """Whether every run that the estimate is computed from recorded the criterion."""

    @property
    def blind(self) -> bool:
        """Whether the criterion was committed before anybody knew the number."""
        return self.claim.blind and self.criterion_first

    @property
    def evidence(self) -> Evidence:
        """What the verdict on the myth depends on."""
        return Evidence(self.claim.id, self.verdict, self.strength, self.blind, self.claim.direction)


def control_ids(claim: Claim, claims: Iterable[Claim]) -> tuple[str, ...]:
    """Return the ids of the controls that a claim requires: its own and the default controls of its trials.

    Args:
        claim: A claim that is no control.
        claims: All claims of the myth.
    """
    guards = (each.id for each in claims if each.guards_claim(claim) and each.id not in claim.without_controls)
    return tuple(dict.fromkeys([*claim.controls, *guards]))


def evaluate_claims(
    claims: Sequence[Claim],
    tables: Mapping[str, pd.DataFrame],
    skipped: Iterable[tuple[Trial, str]] = (),
    failed: Iterable[tuple[Trial, str]] = (),
) -> list[ClaimResult]:
    """Return the result of every claim, in the order of the claims.

    Args:
        claims: All claims of a myth.
        tables: The tables of the myth by name.
        skipped: Trials that could not run on this machine, each with the reason. Claims without a number state it.
        failed: Trials that failed, each with its error. Claims without a number state it.
    """
    skipped, failed = list(skipped), list(failed)
    measured = {claim.id: _measure(claim, tables, skipped, failed) for claim in claims}
    controls = {claim.id: _judge_control(measured[claim.id]) for claim in claims if claim.kind == "control"}
    judged = {claim.id: controls.get(claim.id) or _judge(measured[claim.id], controls) for claim in claims}
    deciding = {_primary_id(claim, judged) for claim in claims if claim.primary}
    return [replace(result, primary=result.claim.id in deciding) for result in judged.values()]


def myth_judgment(claim_results: Sequence[ClaimResult]) -> MythJudgment:
    """Return the verdict on a myth from the results of its claims."""
    follow_ups = [result.evidence for result in claim_results if result.claim.kind == "follow-up"]
    return judge_myth([result.evidence for result in claim_results if result.primary], follow_ups)


def _matches(value: Any, wanted: Any) -> bool:
    """Return whether a column, or one of the values that it holds, is wanted. Everything matches ``...``."""
    if wanted is ...:
        return True
    if callable(wanted):
        return bool(wanted(value))
    options = wanted if isinstance(wanted, tuple) else (wanted,)
    return any(each in options for each in (value if isinstance(value, tuple) else (value,)))


def _overlap(left: Any, right: Any) -> bool:
    """Return whether two column filters share a value."""
    return any(_matches(value, right) for value in (left if isinstance(left, tuple) else (left,)))


def _measure(
    claim: Claim, tables: Mapping[str, pd.DataFrame], skipped: Sequence[tuple[Trial, str]], failed: Sequence[tuple[Trial, str]]
) -> ClaimResult:
    """Return the estimate of a claim. The verdict is preliminary: "not tested" without an estimate and "inconclusive" with one."""
    if claim.is_only_cited:
        return ClaimResult(claim, None, Verdict.NOT_TESTED, "no profile measures it")
    rows = claim.rows(tables)
    estimate = claim.measure(rows) if len(rows) else None
    if estimate is None:
        return ClaimResult(claim, None, Verdict.NOT_TESTED, _not_tested_reason(claim, skipped, failed, len(rows)))
    protocol = least_faithful(rows["protocol"])
    return ClaimResult(
        claim, estimate, Verdict.INCONCLUSIVE, "", protocol, protocol,
        dataset=_distinct(rows, "dataset"), device=_distinct(rows, "device"),
    )  # fmt: skip


def _judge_control(result: ClaimResult) -> ClaimResult:
    claim, estimate = result.claim, result.estimate
    if estimate is None:
        return replace(result, verdict=Verdict.NOT_RUN)
    if reason := _undecided_reason(claim, estimate):
        return replace(result, verdict=Verdict.UNDECIDED, reason=reason)
    return replace(result, verdict=Verdict.HELD if claim.criterion.place(estimate) == "inside" else Verdict.FAILED)


def _judge(result: ClaimResult, controls: Mapping[str, ClaimResult]) -> ClaimResult:
    """Return the result of a claim that is no control, with its strength, its controls and its verdict."""
    claim, estimate = result.claim, result.estimate
    names = control_ids(claim, (control.claim for control in controls.values()))
    result = replace(result, controls=names)
    if estimate is None:
        return result
    if result.protocol == "stand-in":
        return _with_verdict(result, Verdict.ILLUSTRATION, "stand-in data: no conclusion is drawn")
    if result.protocol == "reduced" and _calibrated(claim, controls):
        result = replace(result, strength="calibrated")
    if claim.kind == "absolute" and result.strength == "reduced":
        return _with_verdict(result, Verdict.NOT_TESTED, "reduced protocol: absolute values need a calibration that held")
    reason = _undecided_reason(claim, estimate)
    for control in names:
        if controls[control].verdict is not Verdict.HELD:
            reason = reason or f"control {control} {_HINDRANCES[controls[control].verdict]}"
    if reason:
        return _with_verdict(result, Verdict.INCONCLUSIVE, reason)
    place = claim.criterion.place(estimate)
    if place == "outside":
        return replace(result, verdict=Verdict.NOT_REPRODUCED if result.strength in FULL_STRENGTH else Verdict.NOT_SEEN)
    if place == "beyond":
        return _with_verdict(result, Verdict.BEYOND, "better than the paper's: check the baseline")
    return replace(result, verdict=Verdict.REPRODUCED)


_HINDRANCES = {Verdict.FAILED: "failed", Verdict.UNDECIDED: "is undecided", Verdict.NOT_RUN: "was not run"}
"""Verdicts of a control that make its claims inconclusive, as text."""


def _undecided_reason(claim: Claim, estimate: Estimate) -> str:
    """Return why an interval decides nothing; empty if it decides."""
    unit = claim.repetition_unit
    if estimate.source_of_variation != unit:
        return f"the interval covers {_covered(estimate.source_of_variation)}, not {_covered(unit)}"
    if estimate.n < claim.needed_repetitions:
        return f"{estimate.n} {unit}, at least {claim.needed_repetitions} are needed"
    if unit != "exact" and math.isclose(estimate.low, estimate.high):
        return f"the interval has width 0 although {unit} vary"
    return "the interval crosses the bound of the criterion" if claim.criterion.place(estimate) == "straddles" else ""


def _covered(unit: SourceOfVariation) -> str:
    return "nothing" if unit == "exact" else unit


def _calibrated(claim: Claim, controls: Mapping[str, ClaimResult]) -> bool:
    if claim.calibration is None:
        return False
    calibration = controls[claim.calibration]
    return calibration.verdict is Verdict.HELD and calibration.protocol != "stand-in"


def _primary_id(claim: Claim, judged: Mapping[str, ClaimResult]) -> str:
    """Return the id of the claim that is primary: the better one if it was tested with an equal or stronger protocol."""
    if claim.superseded_by is None:
        return claim.id
    own, better = judged[claim.id].strength, judged[claim.superseded_by]
    if better.strength is None or better.verdict in (Verdict.NOT_TESTED, Verdict.ILLUSTRATION):
        return claim.id
    return claim.id if own is not None and STRENGTHS.index(better.strength) > STRENGTHS.index(own) else better.claim.id


def _with_verdict(result: ClaimResult, verdict: Verdict, reason: str) -> ClaimResult:
    return replace(result, verdict=verdict, reason=reason)


def _not_tested_reason(claim: Claim, skipped: Sequence[tuple[Trial, str]], failed: Sequence[tuple[Trial, str]], rows: int) -> str:
    reasons = sorted({reason for trial, reason in skipped if claim.selects(trial)})
    if errors := [error for trial, error in failed if claim.is_blocked_by(trial)]:
        reasons.append(f"{len(errors)} required trial{'s' * (len(errors) > 1)} failed: {causes(errors)}")
    if reasons:
        return "; ".join(reasons)
    return "too few results" if rows else "no trial of this run measures it"


def _distinct(rows: pd.DataFrame, column: str) -> str:
    return ", ".join(sorted({part for value in rows[column] for part in str(value).split(", ")})) if column in rows else ""
