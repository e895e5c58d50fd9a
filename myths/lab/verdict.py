"""Verdicts on claims, controls and myths, and the rule that derives the verdict on a myth from its claims."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

Strength = Literal["paper", "calibrated", "recomputed", "reduced", "stand-in"]
"""How much a number says about the paper's claim: measured with the paper's protocol; with a reduced protocol that a calibration shows to
give the same number; computed from the authors' published data; with a reduced protocol; on stand-in data."""
STRENGTHS: tuple[Strength, ...] = get_args(Strength)
"""From the strongest to the weakest."""
FULL_STRENGTH: frozenset[Strength] = frozenset({"paper", "calibrated", "recomputed"})
"""Strengths at which a number can contradict the paper."""

Direction = Literal["strengthens", "weakens", "overtakes"]
"""What a follow-up claim means for the paper's refutation today."""


class Verdict(StrEnum):
    """The verdict of a run on a claim, or, for the last four, on a control."""

    REPRODUCED = "reproduced"
    BEYOND = "beyond the paper"
    NOT_SEEN = "not seen at this scale"
    NOT_REPRODUCED = "not reproduced"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTED = "not tested"
    ILLUSTRATION = "illustration"
    HELD = "held"
    FAILED = "failed"
    UNDECIDED = "undecided"
    NOT_RUN = "not run"

    @property
    def decides(self) -> bool:
        """Whether the interval decides: it lies inside the criterion or outside."""
        return self in _DECIDED


_DECIDED = {Verdict.REPRODUCED, Verdict.BEYOND, Verdict.NOT_SEEN, Verdict.NOT_REPRODUCED, Verdict.HELD, Verdict.FAILED}
_AGAINST = {Verdict.NOT_REPRODUCED, Verdict.NOT_SEEN}


class MythVerdict(StrEnum):
    """The verdict of a run on a myth."""

    REFUTED = "refuted"
    LEANS_REFUTED = "leans refuted"
    MIXED = "mixed"
    OPEN = "open"
    LEANS_STANDING = "leans standing"
    STANDING = "standing"


Today = Literal["stronger today", "aged", "overtaken"]
"""What follow-up claims add to the verdict on a myth."""
_TODAY: dict[Direction, Today] = {"overtakes": "overtaken", "weakens": "aged", "strengthens": "stronger today"}
"""The first direction that a reproduced follow-up claim has gives the word; the reason names the claims of every direction."""


@dataclass(frozen=True)
class Evidence:
    """What the verdict on a myth needs to know of a claim."""

    claim: str
    verdict: Verdict
    strength: Strength | None
    blind: bool
    direction: Direction | None = None


@dataclass(frozen=True)
class MythJudgment:
    """The verdict on a myth, what follow-up claims add, and the reason.

    Attributes:
        verdict: The verdict.
        today: What follow-up claims add; None if nothing.
        reason: Why it is no stronger, as sentences; empty if it is "refuted" or "standing" and no follow-up claim adds anything.
    """

    verdict: MythVerdict
    today: Today | None
    reason: str

    def __str__(self) -> str:
        return f"{self.verdict}, {self.today}" if self.today else str(self.verdict)


def judge_myth(primary: Sequence[Evidence], follow_ups: Iterable[Evidence]) -> MythJudgment:
    """Return the verdict on a myth from the evidence of its claims.

    The verdict is "open" if a primary claim is undecided or lies beyond the paper. It is "refuted" if all are reproduced, "standing" if
    none is, and "mixed" otherwise. "Refuted" and "standing" only lean that way if a primary claim is weaker than the paper's protocol, or
    if no criterion was committed before its number was known.

    Args:
        primary: The primary claims.
        follow_ups: The follow-up claims. Those that are reproduced add to every verdict but "open".
    """
    if not primary:
        return MythJudgment(MythVerdict.OPEN, None, "No primary claim.")
    if undecided := [each for each in primary if not each.verdict.decides or each.verdict is Verdict.BEYOND]:
        return MythJudgment(MythVerdict.OPEN, None, _sentence(undecided))
    against = [each for each in primary if each.verdict in _AGAINST]
    limits = [_limit for _limit in (_weak(primary), _seen(primary)) if _limit]
    if not against:
        verdict, reasons = (MythVerdict.LEANS_REFUTED if limits else MythVerdict.REFUTED), limits
    elif len(against) == len(primary):
        verdict, reasons = (MythVerdict.LEANS_STANDING if limits else MythVerdict.STANDING), limits
    else:
        verdict, reasons = MythVerdict.MIXED, [_sentence(primary)]
    shown = [each for each in follow_ups if each.verdict is Verdict.REPRODUCED]
    said: dict[Today, str] = {}
    for direction, today in _TODAY.items():
        if found := [each.claim for each in shown if each.direction == direction]:
            said[today] = f"{today.capitalize()}: {_listed(found)} {'was' if len(found) == 1 else 'were'} reproduced."
    return MythJudgment(verdict, next(iter(said), None), " ".join([*reasons, *said.values()]))


def _weak(primary: Sequence[Evidence]) -> str:
    """Return which claims are weaker than the paper's protocol, as a sentence; empty if none is."""
    weakest: dict[str, list[str]] = {}
    for each in primary:
        if each.strength is not None and each.strength not in FULL_STRENGTH:
            weakest.setdefault(each.strength, []).append(each.claim)
    return " ".join(f"The protocol of {_listed(claims)} is {strength}." for strength, claims in weakest.items())


def _seen(primary: Sequence[Evidence]) -> str:
    return "" if any(each.blind for each in primary) else "Every primary claim, or its criterion, was chosen after its number was known."


def _sentence(evidence: Sequence[Evidence]) -> str:
    """Return the verdicts on claims as one sentence."""
    found: dict[Verdict, list[str]] = {}
    for each in evidence:
        found.setdefault(each.verdict, []).append(each.claim)
    parts = [f"{_listed(claims)} {'is' if len(claims) == 1 else 'are'} {verdict}" for verdict, claims in found.items()]
    return f"{'; '.join(parts)}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
