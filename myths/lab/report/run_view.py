"""View models of runs and claims for the page templates."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from markupsafe import Markup

from myths.lab import ranking
from myths.lab.analysis import Analysis
from myths.lab.claim import Claim
from myths.lab.claim_record import ClaimRecord
from myths.lab.counting import counted
from myths.lab.data.catalog import CATALOG
from myths.lab.failures import causes, reasons, summary
from myths.lab.myth import Myth
from myths.lab.report import formatting, source_trials
from myths.lab.report.forest import forest_plot
from myths.lab.verdict import MythVerdict, Verdict

SYMBOLS = {
    Verdict.REPRODUCED: "✓",
    Verdict.BEYOND: "»",
    Verdict.NOT_SEEN: "✗",
    Verdict.NOT_REPRODUCED: "✗",
    Verdict.INCONCLUSIVE: "≈",
    Verdict.NOT_TESTED: "–",
    Verdict.ILLUSTRATION: "◇",
    Verdict.HELD: "✓",
    Verdict.FAILED: "✗",
    Verdict.UNDECIDED: "≈",
    Verdict.NOT_RUN: "–",
    MythVerdict.REFUTED: "●",
    MythVerdict.LEANS_REFUTED: "◕",
    MythVerdict.MIXED: "◑",
    MythVerdict.OPEN: "○",
    MythVerdict.LEANS_STANDING: "△",
    MythVerdict.STANDING: "▲",
}


def by_myth(analyses: Iterable[Analysis]) -> list[list[Analysis]]:
    """Group runs by myth, best first; myths are sorted by number."""
    ordered = sorted(analyses, key=lambda d: (d.myth.number, d.myth.name))
    return [ranking.best_first(group) for _, group in itertools.groupby(ordered, key=lambda d: d.myth.name)]


def intervals(analyses: Iterable[Analysis]) -> int:
    """Return the number of estimates with a confidence interval (exact numbers excluded)."""
    return sum(record.source_of_variation not in (None, "exact") for each in analyses for record in each.claims)


def slug(text: str) -> str:
    """Convert a verdict or a name to part of a CSS class or id."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


@dataclass(frozen=True)
class ClaimView:
    """A row of a claims table. Attributes that are not defined here are those of ``record``."""

    record: ClaimRecord
    claim: Claim
    run: RunView

    def __getattr__(self, name: str) -> Any:
        return getattr(self.record, name)

    @property
    def id(self) -> str:
        """Id of the claim."""
        return self.record.claim

    @property
    def table(self) -> str:
        """Name of the table that the claim is measured on."""
        return self.claim.table

    @property
    def unit(self) -> str:
        """Unit as pages show it."""
        return formatting.shown_unit(self.record.unit)

    @property
    def criterion_text(self) -> str:
        """Criterion with its unit as pages show it."""
        return formatting.format_criterion(self.record.criterion)

    @property
    def protocol(self) -> str:
        """Protocol of the number; empty if not measured."""
        return self.record.protocol or "" if self.measured else ""

    @property
    def device(self) -> str:
        """Device of the number; empty if not measured."""
        return self.record.device if self.measured else ""

    @property
    def failed(self) -> str:
        """Number of failed trials that the claim may need, with their errors; empty if none failed or the claim was not measured."""
        if self.measured is None:
            return ""
        errors = [r.error or "" for r in self.run.analysis.failed if self.claim.is_blocked_by(r.trial)]
        return f"{len(errors)} required trial{'s' * (len(errors) > 1)} failed: {causes(errors)}" if errors else ""

    @property
    def dataset_and_device(self) -> str:
        """Dataset and device of the number."""
        return ", ".join(part for part in (self.record.dataset, self.record.device) if part) if self.measured else ""

    @property
    def paper_number(self) -> str:
        """The paper's number; empty if it states none."""
        return "" if self.record.paper is None else formatting.format_reported(self.record.paper)

    @property
    def paper_range(self) -> str:
        """The range that the paper states; empty if it states none."""
        return formatting.paper_range(self.record)

    @property
    def value_text(self) -> str:
        """The measured number; empty if not measured."""
        return formatting.format_value(self.measured) if self.measured else ""

    @property
    def interval(self) -> str:
        """Interval of the measured number in brackets."""
        return formatting.format_interval(self.measured) if self.measured else ""

    @property
    def source_of_variation(self) -> str:
        """Source of variation and sample size."""
        return formatting.format_source_of_variation(self.measured) if self.measured else ""

    @property
    def plot(self) -> Markup:
        """Forest plot of the claim."""
        return forest_plot(self.record)

    @property
    def compact_plot(self) -> Markup:
        """Forest plot without labels."""
        return forest_plot(self.record, compact=True)

    @property
    def anchor(self) -> str:
        """HTML anchor of the claim on the page of its myth."""
        return f"{self.run.key}-claim-{slug(self.id)}"

    @property
    def sort(self) -> str:
        """Sort key of the measured number."""
        return "" if self.record.estimate is None else f"{self.record.estimate:.12g}"

    @property
    def source_link(self) -> str:
        """Anchor of the source trial, or of the list of source trials if there are several."""
        if len(self.record.trials) == 1:
            return source_trials.anchor(self.run.key, self.record.trials[0])
        return f"{self.anchor}-from"


@dataclass(frozen=True)
class DataNote:
    """Provenance of a dataset that a run used."""

    name: str
    note: str
    source: str
    modified: bool
    """Whether the content differs from the official one."""


@dataclass(frozen=True)
class RunView:
    """A myth in a run: one section of the page of the myth."""

    analysis: Analysis
    key: str
    metadata: Mapping[str, Any]
    figures: Mapping[str, Markup] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)
    tables: Sequence[tuple[str, Markup, str, int]] = ()
    """Name, HTML, link to the CSV, rows."""

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.analysis.run.name

    @property
    def location(self) -> str:
        """Where the run comes from: published, submitted or local."""
        return self.analysis.run.location

    @property
    def verdict(self) -> MythVerdict:
        """Verdict on the myth in this run."""
        return self.analysis.judgment.verdict

    @property
    def today(self) -> str:
        """What follow-up claims add to the verdict; empty if nothing."""
        return self.analysis.judgment.today or ""

    @property
    def verdict_text(self) -> str:
        """Explanation of the verdict."""
        return self.analysis.myth.verdict_text(self.analysis.judgment)

    @cached_property
    def claims(self) -> list[ClaimView]:
        """All claims, in the order of the myth."""
        pairs = zip(self.analysis.claims, self.analysis.claim_results, strict=True)
        return [ClaimView(record, claim_result.claim, self) for record, claim_result in pairs]

    @property
    def primary(self) -> list[ClaimView]:
        """Primary claims."""
        return [claim for claim in self.claims if claim.primary]

    def claims_of_kind(self, *kinds: str) -> list[ClaimView]:
        """Return claims of the given kinds that are measured or primary; primary claims come first."""
        shown = [claim for claim in self.claims if claim.kind in kinds and (claim.measured or claim.primary)]
        return sorted(shown, key=lambda claim: not claim.primary)

    @property
    def claims_with_value(self) -> list[ClaimView]:
        """Claims that were measured."""
        return [claim for claim in self.claims if claim.measured]

    @property
    def other_claims(self) -> list[ClaimView]:
        """Claims that are neither measured nor primary."""
        return [claim for claim in self.claims if not claim.measured and not claim.primary]

    @property
    def failed_controls(self) -> list[ClaimView]:
        """Controls that failed."""
        return self._controls(Verdict.FAILED)

    @property
    def undecided_controls(self) -> list[ClaimView]:
        """Controls that were measured and are undecided."""
        return self._controls(Verdict.UNDECIDED)

    def hindered_by(self, controls: Sequence[ClaimView]) -> list[ClaimView]:
        """Claims that depend on one of the controls.

        Args:
            controls: Controls of this run.
        """
        ids = {control.id for control in controls}
        return [claim for claim in self.claims if ids.intersection(claim.record.controls)]

    @property
    def control_summary(self) -> str:
        """Number of measured controls and their status."""
        found = [claim.verdict for claim in self.claims_of_kind("control")]
        counted = ", ".join(f"{found.count(verdict)} {verdict}" for verdict in Verdict if verdict in found)
        return f"{len(found)}: {'all held' if set(found) == {Verdict.HELD} else counted}"

    def _controls(self, verdict: Verdict) -> list[ClaimView]:
        return [claim for claim in self.claims if claim.kind == "control" and claim.verdict is verdict]

    @cached_property
    def user_datasets(self) -> frozenset[str]:
        """Names of the user's datasets that the run used."""
        return user_dataset_names(self.invocations)

    @property
    def user_summary(self) -> list[str]:
        """Results on the user's data, one paragraph each; empty if the run used none."""
        said = (
            self.analysis.myth.summarize_user_data(self.analysis.tables)
            if self.user_datasets and self.analysis.myth.summarize_user_data
            else None
        )
        return [line.strip() for line in (said or "").splitlines() if line.strip()]

    @property
    def is_user_data_only(self) -> bool:
        """Whether the run used only the user's data: no primary claim was measured."""
        return bool(self.user_datasets) and not any(claim.measured for claim in self.primary)

    @property
    def has_decided_on_gpu(self) -> bool:
        """Whether the run decided a claim other than a control on a GPU."""
        on_gpu = self.metadata.get("machine_class") not in (None, "cpu")
        return on_gpu and any(claim.kind != "control" and claim.verdict.decides for claim in self.claims)

    @property
    def no_results_reason(self) -> str:
        """Why the run has no results; empty if it has some."""
        if self.analysis.records:
            return ""
        if self.analysis.failed:
            return f"No trial of this run finished: {len(self.analysis.failed)} failed."
        if self.analysis.stale:
            return "The trials of this run were made by another version of the suite."
        return "No trial of this run has finished yet."

    @property
    def failures(self) -> str:
        """Summary of the failed trials; empty if none failed."""
        failed = [(record.trial, record.error or "") for record in self.analysis.failed]
        return summary(failed, total=len(failed) + len(self.analysis.records)) if failed else ""

    @property
    def failed_groups(self) -> tuple[source_trials.TrialGroup, ...]:
        """Failed trials by class."""
        return source_trials.group_by_class(self.analysis.failed, self.key)

    @property
    def skipped(self) -> list[tuple[str, int]]:
        """Reasons why trials were skipped, with counts."""
        return reasons(self.analysis.skipped)

    @property
    def affected_by_failures(self) -> list[ClaimView]:
        """Claims that may need a failed trial."""
        return [claim for claim in self.claims if any(claim.claim.is_blocked_by(r.trial) for r in self.analysis.failed)]

    @cached_property
    def trial_groups(self) -> tuple[source_trials.TrialGroup, ...]:
        """Trials by class."""
        return source_trials.group_by_class(self.analysis.records, self.key, self.user_datasets)

    @property
    def repeated(self) -> tuple[source_trials.Repeated, ...]:
        """Trials with several successful attempts."""
        return source_trials.repeated(self.analysis.repeated, self.analysis.records)

    @cached_property
    def invocations(self) -> list[Mapping[str, Any]]:
        """Invocations that made the trials. If no trial names one: invocations that ran the myth."""
        used = {record.invocation for record in (*self.analysis.records, *self.analysis.failed)}
        all_of_them = self.metadata.get("invocations", [])
        made = [i for i in all_of_them if i.get("id") in used]
        return made or [i for i in all_of_them if self.analysis.myth.name in i.get("arguments", {}).get("myths", [])]

    @property
    def jobs(self) -> dict[str, int]:
        """Maximum number of parallel trials, by invocation."""
        said = {str(i.get("id")): i.get("arguments", {}).get("jobs") for i in self.invocations}
        return {identity: jobs if isinstance(jobs, int) else 1 for identity, jobs in said.items()}

    @property
    def machines(self) -> str:
        """Devices of the invocations."""
        return "; ".join(sorted(set(filter(None, (machine_summary(i.get("machine", {})) for i in self.invocations)))))

    @property
    def precision(self) -> str:
        """Instruction set, driver, CUDA and precision of the latest invocation, as far as recorded."""
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
        """Devices, or the machine class if no device was recorded."""
        return self.machines or str(self.metadata.get("machine_class") or "unknown machine")

    @property
    def commits(self) -> list[tuple[str, bool]]:
        """Distinct short commits, each with whether the checkout was dirty."""
        return list(dict.fromkeys(((i.get("commit") or "no commit")[:10], bool(i.get("dirty"))) for i in self.invocations))

    @property
    def packages(self) -> str:
        """Package versions of the latest invocation."""
        newest = self.invocations[-1] if self.invocations else {}
        python = newest.get("machine", {}).get("python")
        found = {**({"python": python} if python else {}), **newest.get("packages", {})}
        return ", ".join(f"{name} {version}" for name, version in found.items())

    @property
    def dates(self) -> str:
        """Date of the invocations, or the first and the last date."""
        days = sorted(str(i["started"])[:10] for i in self.invocations if i.get("started"))
        return "" if not days else days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"

    @property
    def cost_summary(self) -> str:
        """Number of trials, total compute time, parallelism and GPU energy."""
        records = self.analysis.records
        if not records:
            return "no finished trial"
        trials = counted(len(records), "trial")
        jobs = max(self.jobs.values(), default=1)
        together = f", up to {jobs} in parallel" if jobs > 1 else ""
        alone = [r for r in records if r.has_comparable_seconds]
        if not alone:
            return f"{trials}, run in parallel on one device: their times are not comparable"
        joules = sum(r.energy_joules or 0 for r in alone)
        energy = f", {formatting.format_energy(joules)} of GPU energy (sampled power)" if joules else ""
        return f"{trials}, {formatting.format_duration(sum(float(r.seconds) for r in alone))} of compute time{together}{energy}"

    @property
    def data(self) -> list[DataNote]:
        """Datasets that the trials used."""
        used = {name for record in self.analysis.records for name in record.data}
        return data_notes(self.metadata, used)

    @property
    def commands(self) -> list[str]:
        """Commands that reproduce the run."""
        return commands(self.analysis.myth, self.analysis.profile, self.name, self.invocations)

    @property
    def retry_command(self) -> str:
        """Command that re-runs the latest failed trials."""
        newest = self.analysis.failed[-1].invocation if self.analysis.failed else ""
        arguments: dict[str, Any] = next((i.get("arguments", {}) for i in self.invocations if i.get("id") == newest), {})
        return run_command(self.analysis.myth, self.name, {"profile": self.analysis.profile.split(", ")[-1], **arguments})


@dataclass(frozen=True)
class Footnote:
    """A caveat about a paper's number: quoted from memory, or a misprint."""

    number: int
    claim: Claim
    text: str


def footnotes(claims: Iterable[Claim]) -> dict[str, Footnote]:
    """Return the footnotes of a page by claim id."""
    found: dict[str, Footnote] = {}
    for claim in claims:
        recalled = claim.paper_value_source.startswith("from memory") and formatting.format_paper(claim) != "–"
        if claim.misprint or recalled:
            said = formatting.PAPER_SOURCE_TEXT[claim.paper_value_source]
            number = f"{formatting.format_paper(claim)} was {said}" if recalled else claim.statement
            found[claim.id] = Footnote(len(found) + 1, claim, f"{formatting.strip_period(number)} ({claim.source}).")
    return found


def data_notes(metadata: Mapping[str, Any], names: Iterable[str] | None = None) -> list[DataNote]:
    """Return the datasets in ``run.json``, or those of ``names``. A dataset without an entry has an empty note."""
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
    """Return a short description of a machine: its GPU, or its CPU if it has none."""
    if machine.get("gpu"):
        return str(machine["gpu"])
    cores = f", {machine['cores']} cores" if machine.get("cores") else ""
    return f"{machine['cpu']}{cores}" if machine.get("cpu") else ""


def user_dataset_names(invocations: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the user's datasets that invocations used with ``--data``: those that are not in the catalog."""
    given = (i.get("arguments", {}).get("data") or () for i in invocations)
    names = {name for each in given for name in ([each] if isinstance(each, str) else each)}
    return frozenset(names.difference(CATALOG))


def commands(myth: Myth, profile: str, run: str, invocations: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the commands that reproduce a run; complete ones for invocations with seeds or data."""
    found = [f"myths data add {name} PATH" for name in sorted(user_dataset_names(invocations))]
    for invocation in invocations:
        arguments = invocation.get("arguments", {})
        more = arguments.get("seeds") or arguments.get("first_seed") or arguments.get("data")
        found.append(run_command(myth, run, arguments) if more else myth.command(arguments["profile"]))
    by_profile = [myth.command(each) for each in profile.split(", ") if each] or [myth.command()]
    return list(dict.fromkeys(found or by_profile))


def run_command(myth: Myth, run: str, arguments: Mapping[str, Any]) -> str:
    """Return the command of an invocation from its recorded arguments."""
    parts = ["myths run", myth.name, f"--profile {arguments.get('profile')}", f"--run {run}"]
    if seeds := arguments.get("seeds"):
        parts.append(f"--seeds {seeds}")
    if first_seed := arguments.get("first_seed"):
        parts.append(f"--first-seed {first_seed}")
    if data := arguments.get("data"):
        parts.append(f"--data {data if isinstance(data, str) else ','.join(data)}")
    parts += [f"--{name.removesuffix('s')} {','.join(words)}" for name in ("claims", "trials") if (words := arguments.get(name))]
    if shard := arguments.get("shard"):
        parts.append(f"--shard {shard}")
    return " ".join(parts)
