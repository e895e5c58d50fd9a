"""What a page says of each run, made ready for the templates: best run first, every number with its label."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from markupsafe import Markup

from myths.lab.claim import Judgement, MythVerdict, Verdict
from myths.lab.derived import Derived
from myths.lab.myth import Myth, rank
from myths.lab.report import words
from myths.lab.report.forest import forest

SYMBOLS = {
    Verdict.REPRODUCED: "✓",
    Verdict.NOT_REPRODUCED: "✗",
    Verdict.INCONCLUSIVE: "≈",
    Verdict.NOT_TESTED: "–",
    Verdict.ILLUSTRATION: "◇",
    MythVerdict.REFUTED: "●",
    MythVerdict.STILL_STANDING: "▲",
    MythVerdict.OPEN: "○",
    MythVerdict.AGED: "◐",
}


def best_first(derived: Iterable[Derived]) -> list[Derived]:
    """Runs of one myth by rank, published before local, then by name."""
    return sorted(derived, key=lambda d: (-rank(d.profile), not is_published(d), d.run.name))


def by_myth(derived: Iterable[Derived]) -> list[list[Derived]]:
    """The runs of each myth, best first; myths by number."""
    ordered = sorted(derived, key=lambda d: (d.myth.number, d.myth.name))
    return [best_first(group) for _, group in itertools.groupby(ordered, key=lambda d: d.myth.name)]


def is_published(derived: Derived) -> bool:
    """Whether the run lies among the published ones."""
    return derived.run.path.resolve().parent.name == "published"


def intervals(derived: Iterable[Derived]) -> int:
    """How many numbers have an interval that chance could make miss."""
    return sum(j.estimate is not None and j.estimate.covers != "exact" for d in derived for j in d.judgements)


def slug(text: str) -> str:
    """A verdict or a name as part of a CSS class or an id."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


@dataclass(frozen=True)
class ClaimView:
    """A row of a claims table."""

    judgement: Judgement

    def __getattr__(self, name: str) -> Any:
        return getattr(self.judgement.claim, name)

    @property
    def verdict(self) -> Verdict:
        """What the run says of the claim."""
        return self.judgement.verdict

    @property
    def reason(self) -> str:
        """Why, where the criterion alone does not say it."""
        return self.judgement.reason

    @property
    def protocol(self) -> str:
        """paper, reduced or stand-in; empty without a number."""
        return self.judgement.protocol if self.judgement.estimate else ""

    @property
    def circumstances(self) -> str:
        """The data set and the device of the number."""
        return ", ".join(part for part in (self.judgement.dataset, self.judgement.device) if part) if self.judgement.estimate else ""

    @property
    def paper_number(self) -> str:
        """The paper's number; empty where it gives none."""
        return "" if self.judgement.claim.paper is None else words.printed(self.judgement.claim.paper)

    @property
    def paper_range(self) -> str:
        """The range that the paper gives; empty where it gives none."""
        return words.paper_range(self.judgement.claim)

    @property
    def here(self) -> str:
        """The number measured here; empty where there is none."""
        return words.measured(self.judgement.estimate) if self.judgement.estimate else ""

    @property
    def interval(self) -> str:
        """Its interval in brackets."""
        return words.interval(self.judgement.estimate) if self.judgement.estimate else ""

    @property
    def covers(self) -> str:
        """What the interval covers."""
        return words.covers(self.judgement.estimate) if self.judgement.estimate else ""

    @property
    def forest(self) -> Markup:
        """The small drawing."""
        return forest(self.judgement)


@dataclass(frozen=True)
class DataNote:
    """What is known of a data set that a run used."""

    name: str
    note: str
    origin: str
    variant: bool
    """Whether the content differs from the official one."""


@dataclass(frozen=True)
class RunView:
    """A myth in a run, as a section of its page; ``files`` are the parts that ``site`` adds."""

    derived: Derived
    key: str
    facts: Mapping[str, Any]
    figures: Mapping[str, Markup] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)
    tables: Sequence[tuple[str, Markup, str, int]] = ()
    """Name, HTML, link to the CSV, rows."""

    @property
    def name(self) -> str:
        """The run's name."""
        return self.derived.run.name

    @property
    def where(self) -> str:
        """Published, or from this machine."""
        return "published" if is_published(self.derived) else "local"

    @property
    def verdict(self) -> MythVerdict:
        """The verdict on the myth in this run."""
        return self.derived.verdict

    @property
    def meaning(self) -> str:
        """What the verdict says of the belief."""
        return self.derived.myth.meaning(self.verdict)

    @cached_property
    def claims(self) -> list[ClaimView]:
        """All claims, in their order."""
        return [ClaimView(j) for j in self.derived.judgements]

    @property
    def decisive(self) -> list[ClaimView]:
        """The claims that decide on the myth."""
        return [claim for claim in self.claims if claim.judgement.claim.decisive]

    @property
    def tested(self) -> list[ClaimView]:
        """The claims with a number here, and those that decide."""
        return [claim for claim in self.claims if claim.judgement.estimate or claim.judgement.claim.decisive]

    @property
    def untested(self) -> list[ClaimView]:
        """All others."""
        return [claim for claim in self.claims if not claim.judgement.estimate and not claim.judgement.claim.decisive]

    @cached_property
    def invocations(self) -> list[Mapping[str, Any]]:
        """The invocations that made the trials; where none is named, those that ran the myth."""
        used = {record.invocation for record in self.derived.records}
        all_of_them = self.facts.get("invocations", [])
        made = [i for i in all_of_them if i.get("id") in used]
        return made or [i for i in all_of_them if self.derived.myth.name in i.get("arguments", {}).get("myths", [])]

    @property
    def machines(self) -> str:
        """The computing devices in words."""
        return "; ".join(dict.fromkeys(filter(None, (machine_words(i.get("machine", {})) for i in self.invocations))))

    @property
    def commits(self) -> list[tuple[str, bool]]:
        """Short commit and whether the checkout was dirty, each once."""
        return list(dict.fromkeys(((i.get("commit") or "no commit")[:10], bool(i.get("dirty"))) for i in self.invocations))

    @property
    def packages(self) -> str:
        """Package versions of the newest invocation."""
        newest = self.invocations[-1] if self.invocations else {}
        python = newest.get("machine", {}).get("python")
        found = {**({"python": python} if python else {}), **newest.get("packages", {})}
        return ", ".join(f"{name} {version}" for name, version in found.items())

    @property
    def dates(self) -> str:
        """The day, or the first and the last."""
        days = sorted(str(i["started"])[:10] for i in self.invocations if i.get("started"))
        return "" if not days else days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"

    @property
    def effort(self) -> str:
        """How many trials, and how long they took together."""
        records = self.derived.records
        trials = f"{len(records):,} trial{'' if len(records) == 1 else 's'}"
        return f"{trials}, {words.duration(sum(float(r.seconds) for r in records))} of computing" if records else "no finished trial"

    @property
    def data(self) -> list[DataNote]:
        """Notes of the data sets that the trials read."""
        used = {name for record in self.derived.records for name in record.data}
        return data_notes(self.facts, used)

    @property
    def commands(self) -> list[str]:
        """What to type for these numbers."""
        return commands(self.derived.myth, self.derived.profile, self.name, self.invocations)


def data_notes(facts: Mapping[str, Any], names: Iterable[str] | None = None) -> list[DataNote]:
    """The notes in ``run.json``, of some sets or of all; a set without an entry has an empty note."""
    noted = facts.get("data", {})
    found = []
    for name in sorted(noted if names is None else names):
        entry = noted.get(name) or {}
        entry = entry if isinstance(entry, Mapping) else {"note": str(entry)}
        origin = ", ".join(
            filter(None, [str(entry.get("source") or ""), f"SHA-256 {entry['sha256'][:12]}…" if entry.get("sha256") else ""])
        )
        found.append(DataNote(name, str(entry.get("note") or ""), origin, entry.get("state") == "variant"))
    return found


def machine_words(machine: Mapping[str, Any]) -> str:
    """A machine in a few words: its accelerator, else its processor."""
    if machine.get("gpu"):
        return str(machine["gpu"])
    cores = f", {machine['cores']} cores" if machine.get("cores") else ""
    return f"{machine['cpu']}{cores}" if machine.get("cpu") else ""


def commands(myth: Myth, profile: str, run: str, invocations: Sequence[Mapping[str, Any]]) -> list[str]:
    """The make targets of the profiles, and the full command where an invocation was given more than a profile."""
    lines = [f"make {myth.name} PROFILE={p}" for p in profile.split(", ") if p] or [f"make {myth.name}"]
    for invocation in invocations:
        arguments = invocation.get("arguments", {})
        seeds, data = arguments.get("seeds"), arguments.get("data")
        if seeds or data:
            extra = [f"--seeds {seeds}"] * bool(seeds) + [f"--data {data if isinstance(data, str) else ','.join(data or ())}"] * bool(data)
            lines.append(f"myths run {myth.name} --profile {arguments.get('profile')} --run {run} {' '.join(extra)}")
    return list(dict.fromkeys(lines))
