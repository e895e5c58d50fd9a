"""Which run of a myth a list shows, and what the other runs of the myth add to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

from myths.lab.claim import ClaimKind
from myths.lab.claim_record import ClaimRecord
from myths.lab.myth import PROFILES
from myths.lab.storage.run_folder import RunFolder
from myths.lab.verdict import MythJudgment, Verdict


@runtime_checkable
class Judged(Protocol):
    """A myth in a run: an ``Analysis``, or a summary that was read from ``claims.csv``."""

    @property
    def run(self) -> RunFolder:
        """The run."""

    @property
    def profile(self) -> str:
        """Profiles of the run, separated by commas."""

    @property
    def claims(self) -> Sequence[ClaimRecord]:
        """Record of each claim."""

    @property
    def judgment(self) -> MythJudgment:
        """Verdict on the myth."""


J = TypeVar("J", bound=Judged)


def run_rank(profiles: str, primary: Iterable[Verdict], follow_ups: Iterable[Verdict]) -> tuple[int, int, int, int]:
    """Return the rank of a run of a myth; a higher rank is better.

    The run with more tested primary claims ranks higher, then that which decided more of them, then that of the larger profile, then that
    which decided more follow-up claims. A complete run of a small profile therefore ranks above an incomplete run of a large one, and of
    two equal runs the one that says more about today ranks higher.

    Args:
        profiles: Profiles of the run, separated by commas.
        primary: Verdicts on its primary claims.
        follow_ups: Verdicts on its follow-up claims.

    Returns:
        Number of primary claims tested on real data, number decided, the profile (paper 5, gpu 4, overnight 3, laptop 2, quick 1,
        unknown 0), and number of follow-up claims decided.
    """
    tested = [verdict for verdict in primary if verdict not in (Verdict.NOT_TESTED, Verdict.ILLUSTRATION)]
    return (
        len(tested),
        sum(verdict.decides for verdict in tested),
        max((PROFILES.index(p) + 1 for p in PROFILES if p in profiles.split(", ")), default=0),
        sum(verdict.decides for verdict in follow_ups),
    )


def best_first(runs: Iterable[J]) -> list[J]:
    """Sort the runs of one myth: by rank (``run_rank``), published before local, then by name."""

    def place(each: J) -> tuple[int, int, int, int, bool, str]:
        tested, decided, profile, today = _rank(each)
        return -tested, -decided, -profile, -today, not each.run.is_published, each.run.name

    return sorted(runs, key=place)


def other_verdicts(runs: Sequence[J]) -> list[J]:
    """Return the runs that tested as many primary claims as the best one and have another verdict on the myth.

    Args:
        runs: Runs of one myth, best first.
    """
    return [each for each in runs[1:] if _rank(each)[0] == _rank(runs[0])[0] and str(each.judgment) != str(runs[0].judgment)]


def decided_otherwise(best: Judged, other: Judged) -> str:
    """Return the follow-up claims that both runs decided with different verdicts, and the verdicts of ``other``, as text or ""."""
    own = {claim.claim: claim.verdict for claim in best.claims if claim.kind == "follow-up" and claim.verdict.decides}
    differ = [claim for claim in other.claims if claim.claim in own and claim.verdict.decides and claim.verdict != own[claim.claim]]
    return ", ".join(f"{claim.claim} is {claim.verdict}" for claim in differ)


def measured_elsewhere(runs: Sequence[J], also: Sequence[ClaimKind] = ()) -> dict[str, tuple[J, ClaimRecord]]:
    """Return the best other run with a number, and its record, for each primary claim of which the best run has no number, by id.

    Lists show that number with the name of its run. It does not change the verdict of the best run.

    Args:
        runs: Runs of one myth, best first.
        also: Kinds of claims that count as well as primary ones.
    """
    lacking = [claim for each in runs[:1] for claim in each.claims if claim.measured is None]
    missing = {claim.claim for claim in lacking if claim.primary or claim.kind in also}
    found: dict[str, tuple[J, ClaimRecord]] = {}
    for each in reversed(runs[1:]):
        found |= {claim.claim: (each, claim) for claim in each.claims if claim.claim in missing and claim.measured is not None}
    return found


def _rank(each: Judged) -> tuple[int, int, int, int]:
    primary = [claim.verdict for claim in each.claims if claim.primary]
    return run_rank(each.profile, primary, [claim.verdict for claim in each.claims if claim.kind == "follow-up"])
