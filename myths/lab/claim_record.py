"""The record of a judged claim: a line of ``claims.csv``, an entry of ``claims.json``, and what ``myths show`` reads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from myths.lab.claim import Claim, ClaimKind, ClaimResult, PaperSource, Verdict
from myths.lab.estimate import Estimate, SourceOfVariation
from myths.lab.setting import Range, Text
from myths.lab.store import TrialRecord
from myths.lab.trial import Protocol

TrialId = Annotated[str, Text(r"[0-9a-f]{12}", "12 hexadecimal digits")]


@dataclass(frozen=True, kw_only=True)
class ClaimRecord:
    """A claim and how a run judged it. The fields, in their order, are the columns of ``claims.csv`` and the keys of ``claims.json``."""

    claim: str
    """Id of the claim, distinct within its myth."""
    myth: str
    """Name of the myth."""
    kind: ClaimKind
    """effect: a direction or difference. absolute: a number that depends on the protocol. control: must hold, or others are inconclusive.
    follow-up: what has changed since the paper."""
    statement: str
    """What is claimed, in a sentence."""
    source: str
    """Section, table or figure of the paper."""
    paper: float | None
    """Number of the paper."""
    paper_low: float | None
    """Low end of the range that the paper gives."""
    paper_high: float | None
    """High end of the range that the paper gives."""
    unit: str
    """Unit of the paper's number, the estimate, its interval and the criterion; empty for a pure number."""
    paper_value_source: PaperSource
    """How the paper's number got here."""
    criterion: str
    """Range that the whole interval must lie in, with its unit; committed before the run."""
    criterion_low: float | None
    """Low end of that range; null if it is open."""
    criterion_high: float | None
    """High end of that range; null if it is open."""
    criterion_strict: bool
    """Whether the ends are left out."""
    estimate: float | None = None
    """Number measured; null if the run has none."""
    low: float | None = None
    """Low end of its 95 % interval."""
    high: float | None = None
    """High end of its 95 % interval."""
    source_of_variation: SourceOfVariation | None = None
    """What the interval is over; exact if nothing varies."""
    n: Annotated[int, Range(at_least=0)] | None = None
    """How many of them."""
    verdict: Verdict
    """Result of the comparison of the interval with the criterion."""
    reason: str
    """Why, where the criterion alone does not say it."""
    primary: bool
    """Whether the verdict on the myth rests on it."""
    protocol: Protocol | None
    """Weakest protocol among the trials of the number."""
    profile: str
    """quick, laptop, gpu, paper, or several, separated by commas."""
    device: str
    """Devices of these trials; empty without a number."""
    dataset: str
    """Datasets of these trials; empty without a number."""
    invocations: tuple[str, ...]
    """Ids of the invocations that made these trials."""
    trials: tuple[TrialId, ...]
    """Ids of the trials that the number comes from: all of them and no others."""

    @classmethod
    def of(cls, claim_result: ClaimResult, myth: str, profile: str = "", records: Sequence[TrialRecord] = ()) -> ClaimRecord:
        """Return the record of a claim's result.

        Args:
            claim_result: A claim with the number measured for it and the verdict.
            myth: The name of its myth.
            profile: The profiles of the run.
            records: The stored trials that the number comes from.
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
            **measured,
            verdict=claim_result.verdict,
            reason=claim_result.reason,
            primary=claim_result.primary,
            protocol=claim_result.protocol,
            profile=profile,
            device=claim_result.device,
            dataset=claim_result.dataset,
            invocations=tuple(dict.fromkeys(record.invocation for record in records)),
            trials=tuple(record.trial.id for record in records),
        )

    @classmethod
    def declared(cls, claim: Claim, myth: str) -> ClaimRecord:
        """Return the record of a claim that no run has judged: not tested, and primary if it is declared so."""
        return cls.of(ClaimResult(claim, None, Verdict.NOT_TESTED, primary=claim.primary), myth)

    @classmethod
    def read(cls, line: Mapping[str, str]) -> ClaimRecord:
        """Return the record that a line of ``claims.csv`` holds.

        Raises:
            KeyError: A column is missing.
            ValueError: A cell is not of the type of its column.
        """
        return cls(**{name: _read(line[name], hint) for name, hint in _hints().items()})

    @property
    def measured(self) -> Estimate | None:
        """The number measured with its interval."""
        if self.estimate is None or self.low is None or self.high is None or self.source_of_variation is None or self.n is None:
            return None
        return Estimate(self.estimate, self.low, self.high, self.source_of_variation, self.n)

    def cells(self) -> dict[str, Any]:
        """Return the fields as cells of a table: ids with spaces between them."""
        found = {name: getattr(self, name) for name in _hints()}
        return {name: " ".join(value) if isinstance(value, tuple) else value for name, value in found.items()}

    def json(self) -> dict[str, Any]:
        """Return the fields as JSON holds them: ids in a list; an infinite number, which JSON does not know, is null."""
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
        raise ValueError(f"{cell!r} is none of {', '.join(choices)}")
    return choices[cell] if choices else hint(cell)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Verdict) else value


def _closed(end: float) -> float | None:
    return end if math.isfinite(end) else None
