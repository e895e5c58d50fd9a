"""The record of a claim's result: a line of ``claims.csv`` and an entry of ``claims.json``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from myths.lab.claim import Claim, ClaimKind, ClaimResult, PaperSource, control_ids
from myths.lab.estimate import Estimate, SourceOfVariation
from myths.lab.setting import Range, Text
from myths.lab.storage.store import TrialRecord
from myths.lab.trial import Protocol
from myths.lab.verdict import Direction, Evidence, Strength, Verdict

TrialId = Annotated[str, Text(r"[0-9a-f]{12}", "12 hexadecimal digits")]


@dataclass(frozen=True, kw_only=True)
class ClaimRecord:
    """The result of a claim in a run. The fields, in order, are the columns of ``claims.csv`` and the keys of ``claims.json``."""

    claim: str
    """Id of the claim, unique within the suite."""
    myth: str
    """Name of the myth."""
    kind: ClaimKind
    """effect: a difference or direction. absolute: a value that depends on the protocol. control: must be reproduced for other claims to
    count. follow-up: a change since the paper.
    """
    statement: str
    """The claim as one sentence."""
    source: str
    """Section, table or figure of the paper."""
    paper: float | None
    """Value stated by the paper."""
    paper_low: float | None
    """Lower end of the range that the paper states."""
    paper_high: float | None
    """Upper end of the range that the paper states."""
    unit: str
    """Unit of the paper's value, the estimate, its interval and the criterion; empty for a pure number."""
    paper_value_source: PaperSource
    """How the paper's value was obtained."""
    criterion: str
    """Range that the whole interval must lie in, with its unit."""
    criterion_low: float | None
    """Lower end of the range; null if it is open."""
    criterion_high: float | None
    """Upper end of the range; null if it is open."""
    criterion_strict: bool
    """Whether the ends are excluded."""
    criterion_beyond: Literal["low", "high"] | None
    """End past which a number is better than the paper's; null if there is none."""
    repetition_unit: SourceOfVariation
    """What a repetition of the experiment would draw anew; exact if it would give the same number."""
    blind: bool
    """Whether the criterion was committed before anybody knew the number."""
    direction: Direction | None
    """What a reproduced follow-up claim means for the paper's refutation; null for other claims."""
    estimate: float | None = None
    """Measured value; null if the run has none."""
    low: float | None = None
    """Lower end of the 95 % confidence interval."""
    high: float | None = None
    """Upper end of the 95 % confidence interval."""
    source_of_variation: SourceOfVariation | None = None
    """What the interval accounts for; exact if nothing varies."""
    n: Annotated[int, Range(at_least=0)] | None = None
    """Number of items (seeds, test examples, …) that the interval is based on."""
    verdict: Verdict
    """Result of comparing the interval with the criterion. A control held, failed, is undecided or was not run."""
    reason: str
    """Reason of the verdict, if the criterion alone does not explain it."""
    controls: tuple[str, ...]
    """Ids of the controls that must hold for the claim to be decided."""
    primary: bool
    """Whether the verdict on the myth depends on the claim."""
    protocol: Protocol | None
    """Protocol of the trials that is furthest from the paper's."""
    strength: Strength | None
    """How much the number says about the paper's claim; null without a number."""
    profile: str
    """quick, laptop, overnight, gpu, paper, or several, separated by commas."""
    device: str
    """Devices of the trials; empty without an estimate."""
    dataset: str
    """Datasets of the trials; empty without an estimate."""
    invocations: tuple[str, ...]
    """Ids of the invocations that ran the trials."""
    trials: tuple[TrialId, ...]
    """Ids of exactly the trials that the estimate is computed from."""

    @classmethod
    def of(cls, claim_result: ClaimResult, myth: str, profile: str = "", records: Sequence[TrialRecord] = ()) -> ClaimRecord:
        """Return the record of a claim's result.

        Args:
            claim_result: Claim, estimate and verdict.
            myth: Name of the myth.
            profile: Profiles of the run.
            records: Stored trials that the estimate is computed from.
        """
        claim, found = claim_result.claim, claim_result.estimate
        measured: dict[str, Any] = {}
        if found is not None:
            measured = {"estimate": found.value, "low": found.low, "high": found.high, "n": found.n}
            measured["source_of_variation"] = found.source_of_variation
        return cls(
            claim=claim.id,
            myth=myth,
            kind=claim.kind,
            statement=claim.statement,
            source=claim.source,
            paper=claim.paper,
            paper_low=claim.paper_low,
            paper_high=claim.paper_high,
            unit=claim.unit,
            paper_value_source=claim.paper_value_source,
            criterion=claim.criterion_text,
            criterion_low=_closed(claim.criterion.low),
            criterion_high=_closed(claim.criterion.high),
            criterion_strict=claim.criterion.strict,
            criterion_beyond=claim.criterion.beyond,
            repetition_unit=claim.repetition_unit,
            blind=claim_result.blind,
            direction=claim.direction,
            **measured,
            verdict=claim_result.verdict,
            reason=claim_result.reason,
            controls=claim_result.controls,
            primary=claim_result.primary,
            protocol=claim_result.protocol,
            strength=claim_result.strength,
            profile=profile,
            device=claim_result.device,
            dataset=claim_result.dataset,
            invocations=tuple(dict.fromkeys(record.invocation for record in records)),
            trials=tuple(record.trial.id for record in records),
        )

    @classmethod
    def declared(cls, claim: Claim, myth: str, claims: Iterable[Claim] = ()) -> ClaimRecord:
        """Return the record of a claim that no run has tested, with ``primary`` as declared.

        Args:
            claim: The claim.
            myth: Name of the myth.
            claims: All claims of the myth, among them the default controls.
        """
        verdict = Verdict.NOT_RUN if claim.kind == "control" else Verdict.NOT_TESTED
        return cls.of(ClaimResult(claim, None, verdict, controls=control_ids(claim, claims), primary=claim.primary), myth)

    @classmethod
    def read(cls, line: Mapping[str, str]) -> ClaimRecord:
        """Return the record of a line of ``claims.csv``.

        Args:
            line: Cells by column.

        Raises:
            KeyError: A column is missing.
            ValueError: A cell does not have the type of its column.
        """
        return cls(**{name: _read(line[name], hint) for name, hint in _hints().items()})

    @property
    def measured(self) -> Estimate | None:
        """The measured estimate with its interval, or None."""
        if self.estimate is None or self.low is None or self.high is None or self.source_of_variation is None or self.n is None:
            return None
        return Estimate(self.estimate, self.low, self.high, self.source_of_variation, self.n)

    @property
    def evidence(self) -> Evidence:
        """What the verdict on the myth depends on."""
        return Evidence(self.claim, self.verdict, self.strength, self.blind, self.direction)

    def cells(self) -> dict[str, Any]:
        """Return the fields as cells of a table. Ids are separated by spaces."""
        found = {name: getattr(self, name) for name in _hints()}
        return {name: " ".join(value) if isinstance(value, tuple) else value for name, value in found.items()}

    def json(self) -> dict[str, Any]:
        """Return the fields as JSON values. Ids are lists; infinite numbers are null."""
        return {name: _plain(getattr(self, name)) for name in _hints()}


COLUMNS = tuple(field.name for field in fields(ClaimRecord))


@cache
def _hints() -> dict[str, Any]:
    return {name: get_type_hints(ClaimRecord, include_extras=True)[name] for name in COLUMNS}


def _read(cell: str, hint: Any) -> Any:
    if type(None) in get_args(hint):
        return None if cell == "" else _read(cell, next(each for each in get_args(hint) if each is not type(None)))
    if get_origin(hint) is Annotated:
        return _read(cell, get_args(hint)[0])
    if get_origin(hint) is tuple:
        return tuple(cell.split())
    if hint is int:
        return int(float(cell))
    choices = {"True": True, "False": False} if hint is bool else {each: each for each in get_args(hint)}
    if choices and cell not in choices:
        raise ValueError(f"invalid cell {cell!r}: expected {', '.join(choices)}")
    return choices[cell] if choices else hint(cell)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Verdict) else value


def _closed(end: float) -> float | None:
    return end if math.isfinite(end) else None
