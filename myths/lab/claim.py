"""Claims, their criteria, and the verdicts on claims and myths. This module does not depend on how a number was measured."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from myths.lab.estimate import Estimate
from myths.lab.failures import causes
from myths.lab.trial import Protocol, Trial, dependency_types, least_faithful

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


class Verdict(StrEnum):
    """The verdict of a run on a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTED = "not tested"
    ILLUSTRATION = "illustration"

    @property
    def decides(self) -> bool:
        """Whether the claim is reproduced or not reproduced."""
        return self in (Verdict.REPRODUCED, Verdict.NOT_REPRODUCED)


_CONTROL_FAILURES = {Verdict.NOT_REPRODUCED: "failed", Verdict.INCONCLUSIVE: "is inconclusive"}
"""Verdicts of a control that make its claims inconclusive, as text."""


class MythVerdict(StrEnum):
    """The verdict of a run on a myth."""

    REFUTED = "refuted"
    STILL_STANDING = "still standing"
    OPEN = "open"
    AGED = "aged"


@dataclass(frozen=True)
class Criterion:
    """A range that the whole confidence interval must lie in.

    Attributes:
        low: Lower end.
        high: Upper end.
        strict: Whether the ends are excluded.
    """

    low: float = -math.inf
    high: float = math.inf
    strict: bool = False

    def __post_init__(self) -> None:
        empty = not self.low <= self.high or (self.strict and self.low == self.high)
        if empty or (self.low == -math.inf and self.high == math.inf):
            raise ValueError(
                f"Criterion({self.low}, {self.high}, strict={self.strict}): expected a range that excludes some number, not all"
            )

    def __str__(self) -> str:
        low, high = (f"{end:.12g}" for end in (self.low, self.high))
        if self.low == self.high:
            return f"= {low}"
        lower, upper = f"{'>' if self.strict else '≥'} {low}", f"{'<' if self.strict else '≤'} {high}"
        if self.low > -math.inf and self.high < math.inf:
            return f"{lower} and {upper}" if self.strict else f"in {low}…{high}"
        return lower if self.low > -math.inf else upper

    @classmethod
    def parse(cls, text: str) -> Criterion | None:
        """Return the criterion at the start of a text, as ``str`` prints it, or None. The rest of the text is the unit."""
        if (found := _CRITERION_PATTERN.match(text)) is None:
            return None
        part = found.groupdict()
        low, high = part["equal"] or part["first"] or part["low"], part["equal"] or part["last"] or part["top"] or part["high"]
        try:
            return cls(float(low or -math.inf), float(high or math.inf), strict=found[0][0] in "<>")
        except ValueError:
            return None

    def contains(self, value: float) -> bool:
        """Return whether a number lies in the range."""
        if self.strict and math.isfinite(value):
            return self.low < value < self.high
        return self.low <= value <= self.high

    def judge(self, estimate: Estimate) -> Verdict:
        """Return the verdict on an estimate.

        Returns:
            Reproduced if the whole interval lies in the range, not reproduced if none of it does, and inconclusive otherwise.
        """
        if self.contains(estimate.low) and self.contains(estimate.high):
            return Verdict.REPRODUCED
        disjoint = estimate.high < self.low or estimate.low > self.high
        touching = self.strict and (estimate.high == self.low or estimate.low == self.high)
        return Verdict.NOT_REPRODUCED if disjoint or touching else Verdict.INCONCLUSIVE


_NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?"
_CRITERION_PATTERN = re.compile(
    rf"= (?P<equal>{_NUMBER})|in (?P<first>{_NUMBER})…(?P<last>{_NUMBER})"
    rf"|[>≥] (?P<low>{_NUMBER})(?: and < (?P<top>{_NUMBER}))?|[<≤] (?P<high>{_NUMBER})"
)
"""Matches the text of a ``Criterion``."""


def at_least(value: float) -> Criterion:
    """Return a criterion: the interval lies at or above ``value``."""
    return Criterion(low=value)


def at_most(value: float) -> Criterion:
    """Return a criterion: the interval lies at or below ``value``."""
    return Criterion(high=value)


def above(value: float) -> Criterion:
    """Return a criterion: the interval lies above ``value``."""
    return Criterion(low=value, strict=True)


def below(value: float) -> Criterion:
    """Return a criterion: the interval lies below ``value``."""
    return Criterion(high=value, strict=True)


def between(low: float, high: float) -> Criterion:
    """Return a criterion: the interval lies between ``low`` and ``high``, ends included."""
    return Criterion(low=low, high=high)


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
        where: Column filters. Maps a column to a value or to a tuple of allowed values.
        trial: Class of the trials that produce the rows.
        needs: Planned trials that the rows are computed from. Each entry selects trials whose ``columns`` match ``where``, updated with the
            columns of the entry: a value, a tuple of values, a predicate, or ``...`` for any value; ``trial`` selects another class. Empty
            if no profile measures the claim.
        measure: Returns an estimate, or None if the rows do not suffice.
        criterion: Range that the whole interval must lie in.
        primary: Whether the verdict on the myth depends on this claim.
        superseded_by: Id of a claim that is primary instead of this one if it could be tested.
        controls: Ids of control claims. If one is not reproduced or inconclusive, this claim is inconclusive.
        calibration: Id of the control that must be reproduced before a reduced protocol may test an "absolute" claim.
        misprint: Whether the paper's number is a misprint, which the statement corrects.

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
    primary: bool = False
    superseded_by: str | None = None
    controls: tuple[str, ...] = ()
    calibration: str | None = None
    misprint: bool = False

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
        return rows


@dataclass(frozen=True)
class ClaimResult:
    """A claim, its estimate in a run, and the verdict with its reason."""

    claim: Claim
    estimate: Estimate | None
    verdict: Verdict
    reason: str = ""
    protocol: Protocol | None = None
    dataset: str = ""
    device: str = ""
    primary: bool = False


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
    first = {claim.id: _measure(claim, tables, skipped, failed) for claim in claims}
    judged = {claim.id: _with_controls(first[claim.id], first) for claim in claims}
    deciding = {_primary_id(claim, judged) for claim in claims if claim.primary}
    return [replace(result, primary=result.claim.id in deciding) for result in judged.values()]


def myth_verdict(claim_results: Sequence[ClaimResult]) -> MythVerdict:
    """Return the verdict on a myth from the results of its claims."""
    return verdict_of(
        [result.verdict for result in claim_results if result.primary],
        [result.verdict for result in claim_results if result.claim.kind == "follow-up"],
    )


def verdict_of(primary: Iterable[Verdict], follow_up: Iterable[Verdict]) -> MythVerdict:
    """Return the verdict on a myth from the verdicts on its claims.

    Args:
        primary: Verdicts on the primary claims.
        follow_up: Verdicts on the follow-up claims.

    Returns:
        "refuted" if all primary claims are reproduced, "aged" if a follow-up claim is reproduced as well, "still standing" if all primary
        claims are not reproduced, and "open" otherwise.
    """
    found = set(primary)
    if found == {Verdict.REPRODUCED}:
        return MythVerdict.AGED if Verdict.REPRODUCED in follow_up else MythVerdict.REFUTED
    return MythVerdict.STILL_STANDING if found == {Verdict.NOT_REPRODUCED} else MythVerdict.OPEN


def _matches(value: Any, wanted: Any) -> bool:
    """Return whether a column, or one of the values that it holds, is wanted. Everything matches ``...``."""
    if wanted is ...:
        return True
    if callable(wanted):
        return bool(wanted(value))
    options = wanted if isinstance(wanted, tuple) else (wanted,)
    return any(each in options for each in (value if isinstance(value, tuple) else (value,)))


def _measure(
    claim: Claim, tables: Mapping[str, pd.DataFrame], skipped: Sequence[tuple[Trial, str]], failed: Sequence[tuple[Trial, str]]
) -> ClaimResult:
    if claim.is_only_cited:
        return ClaimResult(claim, None, Verdict.NOT_TESTED, "no profile measures it")
    rows = claim.rows(tables)
    estimate = claim.measure(rows) if len(rows) else None
    if estimate is None:
        return ClaimResult(claim, None, Verdict.NOT_TESTED, _not_tested_reason(claim, skipped, failed, len(rows)))
    protocol = least_faithful(rows["protocol"])
    found = ClaimResult(
        claim, estimate, claim.criterion.judge(estimate), "", protocol,
        dataset=_distinct(rows, "dataset"), device=_distinct(rows, "device"),
    )  # fmt: skip
    if protocol == "stand-in" and claim.kind != "control":
        return _with_verdict(found, Verdict.ILLUSTRATION, "stand-in data: no conclusion is drawn")
    if found.verdict is Verdict.INCONCLUSIVE:
        return _with_verdict(found, Verdict.INCONCLUSIVE, "the interval crosses the bound of the criterion")
    return found


def _with_controls(result: ClaimResult, results: Mapping[str, ClaimResult]) -> ClaimResult:
    claim = result.claim
    if result.verdict in (Verdict.NOT_TESTED, Verdict.ILLUSTRATION):
        return result
    if claim.kind == "absolute" and result.protocol != "paper" and not _calibrated(claim, results):
        return _with_verdict(result, Verdict.NOT_TESTED, "reduced protocol: absolute values need a passed calibration")
    if result.verdict is Verdict.INCONCLUSIVE:
        return result
    for control in claim.controls:
        if results[control].verdict in _CONTROL_FAILURES:
            return _with_verdict(result, Verdict.INCONCLUSIVE, f"control {control} {_CONTROL_FAILURES[results[control].verdict]}")
    return result


def _calibrated(claim: Claim, results: Mapping[str, ClaimResult]) -> bool:
    if claim.calibration is None:
        return False
    calibration = results[claim.calibration]
    return calibration.verdict is Verdict.REPRODUCED and calibration.protocol != "stand-in"


def _primary_id(claim: Claim, judged: Mapping[str, ClaimResult]) -> str:
    better = claim.superseded_by
    return better if better and judged[better].verdict not in (Verdict.NOT_TESTED, Verdict.ILLUSTRATION) else claim.id


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
