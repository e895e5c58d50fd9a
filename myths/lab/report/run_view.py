"""What a page says of each run, made ready for the templates: best run first, every number with its label."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from markupsafe import Markup

from myths.lab.analysis import Analysis
from myths.lab.claim import Claim, MythVerdict, Verdict
from myths.lab.claim_record import ClaimRecord
from myths.lab.data.catalog import CATALOG
from myths.lab.failures import causes, reasons, summary
from myths.lab.myth import Myth, run_rank
from myths.lab.report import formatting, source_trials
from myths.lab.report.forest import forest_plot

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

_CONTROL_STATUS = {
    Verdict.NOT_REPRODUCED: "failed",
    Verdict.INCONCLUSIVE: "undecided",
    Verdict.REPRODUCED: "held",
    Verdict.NOT_TESTED: "not tested",
    Verdict.ILLUSTRATION: "on stand-in data",
}
"""What a verdict says of a control."""


def best_first(analyses: Iterable[Analysis]) -> list[Analysis]:
    """Runs of one myth by rank, published before local, then by name."""

    def place(each: Analysis) -> tuple[int, int, bool, str]:
        measured, profile = run_rank(each.profile, [j.verdict for j in each.claim_results if j.primary])
        return -measured, -profile, not each.run.is_published, each.run.name

    return sorted(analyses, key=place)


def by_myth(analyses: Iterable[Analysis]) -> list[list[Analysis]]:
    """The runs of each myth, best first; myths by number."""
    ordered = sorted(analyses, key=lambda d: (d.myth.number, d.myth.name))
    return [best_first(group) for _, group in itertools.groupby(ordered, key=lambda d: d.myth.name)]


def intervals(analyses: Iterable[Analysis]) -> int:
    """How many numbers have an interval that chance could make miss."""
    return sum(record.source_of_variation not in (None, "exact") for each in analyses for record in each.claims)


def slug(text: str) -> str:
    """A verdict or a name as part of a CSS class or an id."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


@dataclass(frozen=True)
class ClaimView:
    """A row of a claims table, which a page makes of a record: what is not defined here is a field of the record."""

    record: ClaimRecord
    claim: Claim
    run: RunView

    def __getattr__(self, name: str) -> Any:
        return getattr(self.record, name)

    @property
    def id(self) -> str:
        """The id of the claim."""
        return self.record.claim

    @property
    def table(self) -> str:
        """The table that the claim is measured on."""
        return self.claim.table

    @property
    def unit(self) -> str:
        """The unit as a page shows it."""
        return formatting.shown_unit(self.record.unit)

    @property
    def criterion_text(self) -> str:
        """The criterion with its unit as a page shows it."""
        return formatting.format_criterion(self.record.criterion)

    @property
    def protocol(self) -> str:
        """paper, reduced or stand-in; empty without a number."""
        return self.record.protocol or "" if self.measured else ""

    @property
    def device(self) -> str:
        """The kind of device of the number; empty without one."""
        return self.record.device if self.measured else ""

    @property
    def failed(self) -> str:
        """How many trials that the number may need failed, and of what; empty where none did or the reason says so."""
        if self.measured is None:
            return ""
        errors = [r.error or "" for r in self.run.analysis.failed if self.claim.is_blocked_by(r.trial)]
        return f"{len(errors)} required trial{'s' * (len(errors) > 1)} failed: {causes(errors)}" if errors else ""

    @property
    def dataset_and_device(self) -> str:
        """The data set and the device of the number."""
        return ", ".join(part for part in (self.record.dataset, self.record.device) if part) if self.measured else ""

    @property
    def paper_number(self) -> str:
        """The paper's number; empty where it gives none."""
        return "" if self.record.paper is None else formatting.format_reported(self.record.paper)

    @property
    def paper_range(self) -> str:
        """The range that the paper gives; empty where it gives none."""
        return formatting.paper_range(self.record)

    @property
    def value_text(self) -> str:
        """The number measured here; empty where there is none."""
        return formatting.format_value(self.measured) if self.measured else ""

    @property
    def interval(self) -> str:
        """Its interval in brackets."""
        return formatting.format_interval(self.measured) if self.measured else ""

    @property
    def source_of_variation(self) -> str:
        """What the interval is over, and how many of them."""
        return formatting.format_source_of_variation(self.measured) if self.measured else ""

    @property
    def plot(self) -> Markup:
        """The drawing."""
        return forest_plot(self.record)

    @property
    def compact_plot(self) -> Markup:
        """The drawing on one line, without numbers."""
        return forest_plot(self.record, compact=True)

    @property
    def anchor(self) -> str:
        """Where the claim stands on the page of its myth."""
        return f"{self.run.key}-claim-{slug(self.id)}"

    @property
    def sort(self) -> str:
        """The measured number as a table is sorted by it."""
        return "" if self.record.estimate is None else f"{self.record.estimate:.12g}"

    @property
    def source_link(self) -> str:
        """The anchor of the line that the number came from; of the list of its lines where there are several."""
        if len(self.record.trials) == 1:
            return source_trials.anchor(self.run.key, self.record.trials[0])
        return f"{self.anchor}-from"


@dataclass(frozen=True)
class DataNote:
    """What is known of a data set that a run used."""

    name: str
    note: str
    source: str
    modified: bool
    """Whether the content differs from the official one."""


@dataclass(frozen=True)
class RunView:
    """A myth in a run, as a section of its page; ``files`` are the parts that ``site`` adds."""

    analysis: Analysis
    key: str
    metadata: Mapping[str, Any]
    figures: Mapping[str, Markup] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)
    tables: Sequence[tuple[str, Markup, str, int]] = ()
    """Name, HTML, link to the CSV, rows."""

    @property
    def name(self) -> str:
        """The run's name."""
        return self.analysis.run.name

    @property
    def location(self) -> str:
        """Published, or from this machine."""
        return "published" if self.analysis.run.is_published else "local"

    @property
    def verdict(self) -> MythVerdict:
        """The verdict on the myth in this run."""
        return self.analysis.verdict

    @property
    def verdict_text(self) -> str:
        """What the verdict says of the belief."""
        return self.analysis.myth.verdict_text(self.verdict)

    @cached_property
    def claims(self) -> list[ClaimView]:
        """All claims, in their order."""
        pairs = zip(self.analysis.claims, self.analysis.claim_results, strict=True)
        return [ClaimView(record, claim_result.claim, self) for record, claim_result in pairs]

    @property
    def primary(self) -> list[ClaimView]:
        """The claims that decide on the myth."""
        return [claim for claim in self.claims if claim.primary]

    def claims_of_kind(self, *kinds: str) -> list[ClaimView]:
        """The claims of some kinds that have a number here or decide, those that decide first."""
        shown = [claim for claim in self.claims if claim.kind in kinds and (claim.measured or claim.primary)]
        return sorted(shown, key=lambda claim: not claim.primary)

    @property
    def claims_with_value(self) -> list[ClaimView]:
        """The claims with a number here."""
        return [claim for claim in self.claims if claim.measured]

    @property
    def other_claims(self) -> list[ClaimView]:
        """The claims that neither have a number nor decide."""
        return [claim for claim in self.claims if not claim.measured and not claim.primary]

    @property
    def failed_controls(self) -> list[ClaimView]:
        """The controls that did not hold: the first thing to know of a run."""
        return self._controls(Verdict.NOT_REPRODUCED)

    @property
    def undecided_controls(self) -> list[ClaimView]:
        """The controls of which the interval straddles the criterion: the next thing to know."""
        return self._controls(Verdict.INCONCLUSIVE)

    @property
    def control_summary(self) -> str:
        """How many controls were measured, and how they turned out."""
        found = [claim.verdict for claim in self.claims_of_kind("control")]
        counted = ", ".join(f"{found.count(verdict)} {said}" for verdict, said in _CONTROL_STATUS.items() if verdict in found)
        return f"{len(found)}: {'all of them held' if set(found) == {Verdict.REPRODUCED} else counted}"

    def _controls(self, verdict: Verdict) -> list[ClaimView]:
        return [claim for claim in self.claims if claim.kind == "control" and claim.verdict is verdict]

    @cached_property
    def user_datasets(self) -> frozenset[str]:
        """The user's own datasets that the run measured."""
        return user_dataset_names(self.invocations)

    @property
    def user_summary(self) -> list[str]:
        """What the run found of the user's own data, a paragraph each; empty where it measured none."""
        said = (
            self.analysis.myth.summarize_user_data(self.analysis.tables)
            if self.user_datasets and self.analysis.myth.summarize_user_data
            else None
        )
        return [line.strip() for line in (said or "").splitlines() if line.strip()]

    @property
    def is_user_data_only(self) -> bool:
        """Whether the run is about the user's own data alone: no claim that decides on the myth has a number."""
        return bool(self.user_datasets) and not any(claim.measured for claim in self.primary)

    @property
    def no_results_reason(self) -> str:
        """Why the run says nothing of the myth; empty where it says something."""
        if self.analysis.records:
            return ""
        if self.analysis.failed:
            return f"No trial of this run finished: {len(self.analysis.failed)} failed."
        if self.analysis.stale:
            return "The trials of this run were made by another version of the suite."
        return "No trial of this run has finished yet."

    @property
    def failures(self) -> str:
        """All failed trials in a sentence; empty where none failed."""
        failed = [(record.trial, record.error or "") for record in self.analysis.failed]
        return summary(failed, total=len(failed) + len(self.analysis.records)) if failed else ""

    @property
    def failed_groups(self) -> tuple[source_trials.TrialGroup, ...]:
        """The failed trials by class."""
        return source_trials.group_by_class(self.analysis.failed, self.key)

    @property
    def skipped(self) -> list[tuple[str, int]]:
        """Why trials were skipped, with how many."""
        return reasons(self.analysis.skipped)

    @property
    def affected_by_failures(self) -> list[ClaimView]:
        """The claims that failed trials may hinder."""
        return [claim for claim in self.claims if any(claim.claim.is_blocked_by(r.trial) for r in self.analysis.failed)]

    @cached_property
    def trial_groups(self) -> tuple[source_trials.TrialGroup, ...]:
        """The trials by class."""
        return source_trials.group_by_class(self.analysis.records, self.key, self.user_datasets)

    @property
    def repeated(self) -> tuple[source_trials.Repeated, ...]:
        """The trials that ran several times, with all their attempts."""
        return source_trials.repeated(self.analysis.repeated, self.analysis.records)

    @cached_property
    def invocations(self) -> list[Mapping[str, Any]]:
        """The invocations that made the trials; where none is named, those that ran the myth."""
        used = {record.invocation for record in (*self.analysis.records, *self.analysis.failed)}
        all_of_them = self.metadata.get("invocations", [])
        made = [i for i in all_of_them if i.get("id") in used]
        return made or [i for i in all_of_them if self.analysis.myth.name in i.get("arguments", {}).get("myths", [])]

    @property
    def jobs(self) -> dict[str, int]:
        """How many trials that time nothing ran at a time, by invocation."""
        said = {str(i.get("id")): i.get("arguments", {}).get("jobs") for i in self.invocations}
        return {identity: jobs if isinstance(jobs, int) else 1 for identity, jobs in said.items()}

    @property
    def machines(self) -> str:
        """The computing devices in words."""
        return "; ".join(dict.fromkeys(filter(None, (machine_summary(i.get("machine", {})) for i in self.invocations))))

    @property
    def precision(self) -> str:
        """Driver, CUDA and precision of the newest invocation, where they were recorded."""
        machine = self.invocations[-1].get("machine", {}) if self.invocations else {}
        named = {
            "instruction_set": "instruction set",
            "driver": "driver",
            "cuda": "CUDA",
            "cudnn": "cuDNN",
            "threads": "threads",
            "float32_matmul_precision": "float32 matmul precision",
        }
        return ", ".join(f"{word} {machine[name]}" for name, word in named.items() if machine.get(name) is not None)

    @property
    def hardware(self) -> str:
        """In a few words for the front page: the machine, else its class."""
        return self.machines or str(self.metadata.get("machine_class") or "unknown machine")

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
    def cost_summary(self) -> str:
        """How many trials, how long they took together, and how many of them ran at a time."""
        records = self.analysis.records
        if not records:
            return "no finished trial"
        trials = f"{len(records):,} trial{'' if len(records) == 1 else 's'}"
        jobs = max(self.jobs.values(), default=1)
        together = f", up to {jobs} at a time where nothing is timed" if jobs > 1 else ""
        alone = [r for r in records if r.has_comparable_seconds]
        if not alone:
            return f"{trials}, run at the same time on one device: their times are not comparable"
        joules = sum(r.energy_joules or 0 for r in alone)
        energy = f", {formatting.format_energy(joules)} by the GPU's sampled power" if joules else ""
        return f"{trials}, {formatting.format_duration(sum(float(r.seconds) for r in alone))} of computing{together}{energy}"

    @property
    def data(self) -> list[DataNote]:
        """Notes of the data sets that the trials read."""
        used = {name for record in self.analysis.records for name in record.data}
        return data_notes(self.metadata, used)

    @property
    def commands(self) -> list[str]:
        """What to type for these numbers."""
        return commands(self.analysis.myth, self.analysis.profile, self.name, self.invocations)

    @property
    def retry_command(self) -> str:
        """The command that runs the newest failed trials again."""
        newest = self.analysis.failed[-1].invocation if self.analysis.failed else ""
        arguments: dict[str, Any] = next((i.get("arguments", {}) for i in self.invocations if i.get("id") == newest), {})
        return run_command(self.analysis.myth, self.name, {"profile": self.analysis.profile.split(", ")[-1], **arguments})


@dataclass(frozen=True)
class Footnote:
    """What must be known of a paper's number: that it was recalled, or that it is a misprint."""

    number: int
    claim: Claim
    text: str


def footnotes(claims: Iterable[Claim]) -> dict[str, Footnote]:
    """The footnotes of a page, by the claim's id."""
    found: dict[str, Footnote] = {}
    for claim in claims:
        recalled = claim.paper_value_source.startswith("from memory") and formatting.format_paper(claim) != "–"
        if claim.misprint or recalled:
            said = formatting.PAPER_SOURCE_TEXT[claim.paper_value_source]
            number = f"{formatting.format_paper(claim)} was {said}" if recalled else claim.statement
            found[claim.id] = Footnote(len(found) + 1, claim, f"{formatting.strip_period(number)} ({claim.source}).")
    return found


def data_notes(metadata: Mapping[str, Any], names: Iterable[str] | None = None) -> list[DataNote]:
    """The notes in ``run.json``, of some sets or of all; a set without an entry has an empty note."""
    noted = metadata.get("data", {})
    found = []
    for name in sorted(noted if names is None else names):
        entry = noted.get(name) or {}
        entry = entry if isinstance(entry, Mapping) else {"note": str(entry)}
        source = ", ".join(
            filter(None, [str(entry.get("source") or ""), f"SHA-256 {str(entry['sha256'])[:12]}…" if entry.get("sha256") else ""])
        )
        found.append(DataNote(name, str(entry.get("note") or ""), source, entry.get("state") == "modified"))
    return found


def machine_summary(machine: Mapping[str, Any]) -> str:
    """A machine in a few words: its accelerator, else its processor."""
    if machine.get("gpu"):
        return str(machine["gpu"])
    cores = f", {machine['cores']} cores" if machine.get("cores") else ""
    return f"{machine['cpu']}{cores}" if machine.get("cpu") else ""


def user_dataset_names(invocations: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the user's own datasets that invocations were given with ``--data``: those that the catalog does not have."""
    given = (i.get("arguments", {}).get("data") or () for i in invocations)
    names = {name for each in given for name in ([each] if isinstance(each, str) else each)}
    return frozenset(names.difference(CATALOG))


def commands(myth: Myth, profile: str, run: str, invocations: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what to type for a run: its myth's command, and the full one where an invocation was given more than a profile."""
    found = [f"myths data add {name} PATH" for name in sorted(user_dataset_names(invocations))]
    for invocation in invocations:
        arguments = invocation.get("arguments", {})
        more = arguments.get("seeds") or arguments.get("data")
        found.append(run_command(myth, run, arguments) if more else myth.command(arguments["profile"]))
    by_profile = [myth.command(each) for each in profile.split(", ") if each] or [myth.command()]
    return list(dict.fromkeys(found or by_profile))


def run_command(myth: Myth, run: str, arguments: Mapping[str, Any]) -> str:
    """Return the command that makes an invocation again from its recorded arguments."""
    parts = ["myths run", myth.name, f"--profile {arguments.get('profile')}", f"--run {run}"]
    if seeds := arguments.get("seeds"):
        parts.append(f"--seeds {seeds}")
    if data := arguments.get("data"):
        parts.append(f"--data {data if isinstance(data, str) else ','.join(data)}")
    return " ".join(parts)
