"""What every myth claims and measures, on one page, made from the claims and trials themselves."""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from myths.lab.claim import Claim
from myths.lab.claim_record import ClaimRecord
from myths.lab.myth import PROFILES, Myth
from myths.lab.report import formatting
from myths.lab.trial import Trial

_HEAD = """# Protocols

Made by `myths protocols` from the claims and trials of the suite; do not edit it. A number of a paper is marked † where it was
recalled and not read again, ‡ where it was recalled without confidence. How a criterion becomes a verdict stands in the
[README](../README.md#how-to-read-a-verdict).
"""
_MARKS = {"from memory": " †", "from memory, unverified": " ‡"}


def protocols(myths: Iterable[Myth]) -> str:
    """The page as Markdown: of each myth its claims with their criteria, its trials with their settings, and what each profile runs."""
    return "\n".join([_HEAD, *(line for myth in myths for line in _myth(myth))])


def _myth(myth: Myth) -> Iterator[str]:
    yield f"## {myth.number}. {myth.name}\n"
    yield f"Belief: {myth.belief}\n"
    yield from (f"- {paper}" for paper in myth.papers)
    yield "\n### Claims\n"
    yield from _table(
        ("claim", "statement", "source", "paper", "criterion", "measured on", "holds only with"),
        (_claim(claim, ClaimRecord.declared(claim, myth.name)) for claim in myth.claims),
    )
    yield "\n### Trials\n"
    yield from (_trial(kind) for kind in myth.trial_types)
    yield "\n### Profiles\n"
    yield "How many trials of each class a profile lists; those that they depend on run as well, once.\n"
    yield from _table(("profile", "trials", "protocol", "data"), (_profile(profile, _listed(myth, profile)) for profile in PROFILES))
    yield ""


def _claim(claim: Claim, record: ClaimRecord) -> tuple[str, ...]:
    where = ", ".join(f"{column} = {_value(value, ' or ')}" for column, value in claim.where.items())
    calibration = [f"{claim.calibration} (calibration)"] if claim.calibration else []
    return (
        f"{record.claim}: {record.kind}"
        + ", primary" * record.primary
        + f" unless {claim.superseded_by} is judged" * bool(claim.superseded_by),
        record.statement,
        record.source,
        formatting.format_paper(record) + _MARKS.get(record.paper_value_source, "") * (record.paper is not None),
        formatting.shown_unit(record.criterion),
        f"{claim.trial.__name__}, table {claim.table}" + f": {where}" * bool(where),
        ", ".join([*claim.controls, *calibration]),
    )


def _trial(kind: type[Trial]) -> str:
    facts = [f"version {kind.version}"] + ["runs alone"] * kind.exclusive
    if kind.memory_limit_bytes:
        facts.append(f"in a process of its own with {kind.memory_limit_bytes / 2**30:g} GiB")
    if kind.nondeterministic_columns:
        facts.append(f"measures {', '.join(sorted(kind.nondeterministic_columns))}")
    settings = ", ".join(_setting(f, typing.get_type_hints(kind)[f.name]) for f in dataclasses.fields(kind))
    first = " ".join(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].split())
    return f"- **{kind.__name__}** ({'; '.join(facts)}): {first}  \n  Settings: {settings or 'none'}."


def _setting(f: dataclasses.Field, hint: object) -> str:
    of_trials = re.findall(r"\w+\.(\w+)", str(hint)) if "myths." in str(hint) else []
    if isinstance(hint, type) and issubclass(hint, Trial):
        of_trials = [hint.__name__]
    if of_trials:
        return f"`{f.name}` (trials that are looked up)"
    return f"`{f.name}`" if f.default is dataclasses.MISSING else f"`{f.name} = {_value(f.default)}`"


def _value(value: object, between: str = ", ") -> str:
    return (between.join(map(str, value)) if isinstance(value, tuple) else str(value)) or "none"


def _listed(myth: Myth, profile: str) -> Sequence[Trial]:
    return myth.trials(typing.cast(typing.Any, profile), None, ())


def _profile(profile: str, listed: Sequence[Trial]) -> tuple[str, ...]:
    kinds = Counter(type(trial).__name__ for trial in listed)
    named = Counter(trial.protocol for trial in listed)
    return (
        profile,
        ", ".join(f"{count} {kind}" for kind, count in kinds.items()),
        ", ".join(f"{count} {protocol}" for protocol, count in named.items()),
        ", ".join(sorted({name for trial in listed for name in trial.data})),
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'--|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(_cell(text) for text in row)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("*", "\\*")
