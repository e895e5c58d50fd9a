"""One invocation of the suite: plan, check the data, run, analyze. Used by the command line and the Python interface."""

from __future__ import annotations

import contextlib
import functools
import math
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, cast

from myths.lab import analysis
from myths.lab.analysis import Analysis
from myths.lab.claim import Claim
from myths.lab.data import prepared
from myths.lab.data.names import canonical_name
from myths.lab.errors import CannotStart, MythsError, UsageError
from myths.lab.execution import continuation, runner, selection
from myths.lab.execution.cluster import Cluster
from myths.lab.execution.cluster_node import Wanted
from myths.lab.execution.executors import Executor, SerialExecutor
from myths.lab.execution.local_workers import LocalGpus
from myths.lab.execution.runner import Budget, MythTrials, Plan, Progress, UnavailableReason
from myths.lab.execution.shards import Shard
from myths.lab.execution.worker_pool import WorkerPool, local_pool
from myths.lab.measurement import device
from myths.lab.myth import PROFILES, Myth, Profile, parse_profile
from myths.lab.seeds import check_seeds, starting_at
from myths.lab.storage import provenance
from myths.lab.storage.run_folder import RunFolder
from myths.lab.storage.store import Store, TrialRecord
from myths.lab.trial import Trial, canonical

MIN_FREE_BYTES = 200 * 2**20
"""Minimum free disk space to start a run."""


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What to run: myths, profile, device and run.

    Attributes:
        myths: Myths to run.
        profile: Name of the profile.
        run: The run that receives the results.
        device: Device as torch names it.
        seeds: Number of seeds. Default: that of the profile.
        first_seed: First seed, a multiple of 1000.
        data: Names of user datasets.
        budget: Time budget in seconds. Default: none.
        jobs: Number of parallel trials per device. Exclusive trials always run alone.
        claims: Claims whose trials are run: ids, prefixes of ids up to a hyphen, or "primary". Default: all.
        trial_classes: Names of trial classes to run, with their dependencies. Default: all.
        again: Ids of stored trials to run once more. Nothing else is run.
        shard: Part of the trials to run. Default: all.
        source: Published run to copy first, unless the run already holds its results.
        other_runs: Runs whose trials predict durations.
        cluster: Cluster that runs the trials. Default: this machine.
    """

    myths: Sequence[Myth]
    profile: str
    run: RunFolder
    device: str
    seeds: int | None = None
    first_seed: int = 0
    data: tuple[str, ...] = ()
    budget: float | None = None
    jobs: int = 1
    claims: tuple[str, ...] = ()
    trial_classes: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    shard: Shard | None = None
    source: RunFolder | None = None
    other_runs: tuple[RunFolder, ...] = ()
    cluster: Cluster | None = None

    def __post_init__(self) -> None:
        """Check the arguments.

        Raises:
            UsageError: A value is invalid, or arguments exclude each other.
        """
        parse_profile(self.profile)
        device.check_device_name(self.device)
        if self.budget is not None and not 0 < self.budget < math.inf:
            raise UsageError(f"Invalid budget={self.budget:g}: expected a positive number of seconds")
        check_seeds(self.seeds, self.first_seed)
        if self.first_seed and self.source is not None:
            raise UsageError(f"--from {self.source.name} continues the seeds of that run. Leave out --first-seed")
        if self.jobs < 1:
            raise UsageError(f"Invalid jobs={self.jobs}: expected at least 1")
        if self.again and (self.claims or self.trial_classes):
            raise UsageError(f"--again {self.again[0]} excludes --claim and --trial. Leave them out")
        object.__setattr__(self, "data", tuple(map(canonical_name, self.data)))

    def default_name(self, machine_class: str) -> str:
        """Return the name of the run if the user gives none.

        Args:
            machine_class: Machine class of the run.
        """
        name = f"{machine_class}-{self.profile}" if self.source is None else self.source.name
        name += f"-seed{self.first_seed}" if self.first_seed else ""
        return name if self.shard is None else f"{name}-{self.shard.index}of{self.shard.count}"

    @property
    def machine_class(self) -> str:
        """Machine class of the run: that of this machine, or of the nodes that measure time."""
        return device.machine_class(self.device) if self.cluster is None else self._timed_kind(self.cluster)[0]

    def _timed_kind(self, cluster: Cluster) -> tuple[str, str]:
        return cluster.timed_kind(self.run.metadata()["machine_class"])

    def executor(self, bounded: bool, data: Mapping[str, str]) -> AbstractContextManager[Executor]:
        """Return what runs the trials, as a context manager.

        Args:
            bounded: Whether every trial must be stoppable.
            data: Content hash of each dataset that the trials read.

        Raises:
            CannotStart: A node of the cluster cannot be used.
        """
        if self.cluster is None:
            gpus = LocalGpus.of(self.device)
            alone = self.jobs == 1 and not gpus.visible and not bounded
            return contextlib.nullcontext(SerialExecutor()) if alone else local_pool(self.jobs, self.device, bounded)
        from myths.lab.execution.cluster_workers import ClusterWorkers

        return WorkerPool(
            ClusterWorkers(self.cluster, wanted_on_nodes(self.device, self.myths, data), self.jobs), self._timed_kind(self.cluster)
        )

    def machine(self) -> dict[str, Any]:
        """Return what ``run.json`` records about the machine, or about the nodes."""
        if self.cluster is None:
            return {"machine": provenance.machine(self.device)}
        return {"machine": dict(self.cluster.machine(self._timed_kind(self.cluster))), "nodes": self.cluster.summary()}

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments as recorded with the results, without paths."""
        chosen = {"claims": list(self.claims), "trials": list(self.trial_classes)}
        return {
            "myths": [myth.name for myth in self.myths],
            "profile": self.profile,
            "seeds": self.seeds,
            "data": list(self.data),
            "budget_seconds": self.budget,
            "device": self.device,
            "jobs": self.jobs,
            **{name: words for name, words in chosen.items() if words},
            **({"first_seed": self.first_seed} if self.first_seed else {}),
            **({"shard": str(self.shard)} if self.shard is not None else {}),
            **({"from": self.source.name} if self.source is not None else {}),
        }


ProgressFactory = Callable[[Myth, Plan], Callable[[Trial, TrialRecord | None], None]]
"""Called with each myth and its plan. Returns a callback that is called before (with None) and after (with the record) each trial."""


@dataclass(frozen=True)
class MythPlan:
    """A myth of a request with its plan.

    Attributes:
        myth: The myth.
        store: Its stored results.
        plan: Its trials.
        named: Claims that the request names, each followed by its controls.
        unmeasured: Named claims that no trial of the profile measures, each with the profiles that measure it, as text.
    """

    myth: Myth
    store: Store
    plan: Plan
    named: tuple[Claim, ...] = ()
    unmeasured: tuple[str, ...] = ()


def plans(request: RunRequest, unavailable: UnavailableReason = lambda name: None) -> list[MythPlan]:
    """Plan every myth of a request.

    Args:
        request: What to run.
        unavailable: Returns why a dataset cannot be read. Trials that read it are skipped.

    Returns:
        The plans, in the order of the myths. Myths without requested trials are left out.

    Raises:
        UsageError: A claim, a trial class or an id of the request does not exist.
        CannotStart: A requested dataset is not available, or the published run cannot be continued in this run.
    """
    for name in request.data:
        prepared.require(name)
    if request.source is not None and continuation.needs_copy(request.source, request.run, request.machine_class):
        request = replace(request, run=request.source, source=None)
    stores = {myth.name: request.run.store(myth) for myth in request.myths}
    listed = {myth.name: _listed(request, myth, stores[myth.name]) for myth in request.myths}
    if request.again and (unknown := set(request.again) - {trial.id for trials in listed.values() for trial in trials}):
        raise UsageError(f"Unknown --again {min(unknown)}: run {request.run.name!r} has no finished trial with this id")
    named: dict[str, list[Claim]] = {}
    unmeasured: dict[str, list[Claim]] = {}
    if request.claims:
        named = selection.claims(request.myths, request.claims, functools.partial(_is_open, request.run), request.device)
        unmeasured = {name: selection.unmeasured(claims, listed[name]) for name, claims in named.items()}
        asked = [claim.id for claims in named.values() for claim in claims if claim.kind != "control"]
        if asked and len(asked) == sum(map(len, unmeasured.values())):  # their controls alone decide nothing
            listed = {}
        listed = {name: selection.needed_by(named[name], trials) for name, trials in listed.items() if name in named}
    if request.trial_classes:
        kinds = selection.trial_classes(request.myths, request.trial_classes)
        listed = {name: selection.of_classes(kinds, trials) for name, trials in listed.items()}
    if request.claims or request.trial_classes or request.again:
        listed = {name: trials for name, trials in listed.items() if trials}
        if not listed:
            raise UsageError(_nothing_chosen(request, unmeasured))
    if request.shard is not None:  # it may be empty: a run without trials
        listed = request.shard.of(listed, _shard_cost(request))
    hashes, again = prepared.hash_lookup(), frozenset(request.again)
    return [
        MythPlan(
            myth,
            stores[myth.name],
            runner.plan(listed[myth.name], stores[myth.name], hashes, unavailable, again),
            tuple(named.get(myth.name, ())),
            tuple(_id_with_profiles(myth, claim) for claim in unmeasured.get(myth.name, ())),
        )
        for myth in request.myths
        if myth.name in listed
    ]


@dataclass(frozen=True)
class MythResult:
    """The result of a myth in a run.

    Attributes:
        progress: Counts and lists of the trials of this invocation.
        analysis: Tables and claims from all stored trials of the run, or None if they could not be computed.
        analysis_error: Why the tables could not be computed; empty if they could.
    """

    progress: Progress
    analysis: Analysis | None
    analysis_error: str = ""


def run(request: RunRequest, progress_of: ProgressFactory) -> dict[str, MythResult]:
    """Run a request and compute its tables, claims and figures.

    Args:
        request: What to run.
        progress_of: Called with each myth and its plan before the first trial.

    Returns:
        The result of each myth, by name.

    Raises:
        CannotStart: No requested trial can run on this machine, the run belongs to another machine class, its folder cannot be written,
            another run is writing to it, or a node of the cluster cannot be used.
    """
    budget = Budget(request.budget) if request.budget is not None else None
    machine_class = request.machine_class
    with request.run.locked(), contextlib.ExitStack() as stack:
        if request.cluster is not None:
            stack.callback(request.cluster.close)
        if request.source is not None and continuation.needs_copy(request.source, request.run, machine_class):
            continuation.copy(request.source, request.run)
        planned, notes = _with_data(request)
        _check_free_space(request.run)
        executor = stack.enter_context(request.executor(budget is not None, {name: str(about["sha256"]) for name, about in notes.items()}))
        invocation = provenance.invocation(request.machine(), request.arguments, [c for p in planned for c in p.myth.claims])
        invocation["skipped"] = [
            {"myth": p.myth.name, "trial": canonical(trial), "reason": prepared.without_paths(reason)}
            for p in planned
            for trial, reason in p.plan.skipped
        ]
        if again := [trial.id for p in planned for trial in p.plan.in_state("pending") if p.store.attempts(trial)]:
            invocation["again"] = again
        request.run.add_invocation(machine_class, invocation, notes)
        myth_results: dict[str, MythResult] = {}
        runner.run_queue(
            [_myth_trials(p, request, progress_of, myth_results) for p in planned],
            runner.Invocation(request.device, prepared.hash_lookup(), invocation["id"], machine_class),
            budget=budget,
            executor=executor,
        )
        return {p.myth.name: myth_results[p.myth.name] for p in planned}


def open_cluster(address: str, device: str, myths: Iterable[Myth], say: Callable[[str], None]) -> tuple[Cluster, str]:
    """Connect to a cluster and check its nodes.

    Args:
        address: "auto" or HOST:PORT.
        device: Device as the user gives it.
        myths: Myths to run.
        say: Shows one line to the user.

    Returns:
        The cluster, and the device: "cpu" or "cuda".

    Raises:
        UsageError: The address or the device is invalid.
        CannotStart: There is no such cluster, or its nodes cannot run the myths.
    """
    cluster = Cluster.connect(address, say)
    try:
        chosen = cluster.select_device(device)
        cluster.describe(wanted_on_nodes(chosen, myths))
    except MythsError:
        cluster.close()
        raise
    return cluster, chosen


def wanted_on_nodes(device: str, myths: Iterable[Myth], data: Mapping[str, str] | None = None) -> Wanted:
    """Return what the nodes of a cluster need to run myths.

    Args:
        device: "cpu" or "cuda".
        myths: The myths.
        data: Content hash of each dataset that their trials read.
    """
    code = dict.fromkeys(["myths", *(kind.__module__.partition(".")[0] for myth in myths for kind in myth.trial_types)])
    return Wanted(device, tuple(code), data or {}, str(prepared.roots()[0]))


def nothing_runnable_reason(planned: Sequence[MythPlan]) -> str | None:
    """Return why no trial can run on this machine, or None if one can or is already done."""
    if any(step.state != "skipped" for p in planned for step in p.plan.steps):
        return None
    return next((reason for p in planned for _, reason in p.plan.skipped), None)


def _listed(request: RunRequest, myth: Myth, store: Store) -> list[Trial]:
    if request.again:
        return list({r.trial.id: r.trial for r in store.records if r.trial.id in request.again and r.status == "ok"}.values())
    move = starting_at(request.first_seed)
    return [move(trial) for trial in myth.trials(cast(Profile, request.profile), request.seeds, request.data)]


def _nothing_chosen(request: RunRequest, unmeasured: Mapping[str, Sequence[Claim]]) -> str:
    if request.claims == (selection.PRIMARY,) and not any(unmeasured.values()):
        return f"--claim primary: run {request.run.name!r} has decided every primary claim that profile {request.profile} measures"
    wanted = [_id_with_profiles(myth, claim) for myth in request.myths for claim in unmeasured.get(myth.name, ())] or list(request.claims)
    return f"Profile {request.profile} has no trial of {', '.join((*wanted, *request.trial_classes))}. Use another --profile"


def _id_with_profiles(myth: Myth, claim: Claim) -> str:
    """Return the id of a claim and the profiles that measure it: of these, "quick" only if no other does, because it decides nothing."""
    found = [profile for profile in PROFILES if any(claim.selects(trial) for trial in myth.trials(profile, None, ()))]
    found = [profile for profile in found if profile != "quick"] or found
    return f"{claim.id} (in {', '.join(found)})" if found else f"{claim.id} (in no profile)"


def _shard_cost(request: RunRequest) -> Callable[[Trial], float]:
    """Return the expected seconds of a trial. They depend on other runs only, so that all shards agree."""
    machine_class = request.machine_class
    other = [record for myth in request.myths for record in records_of_other_runs(request, myth)]
    estimates = runner.Estimates((), machine_class, other)

    def cost(trial: Trial) -> float:
        seconds = estimates(trial)
        return trial.relative_cost if seconds is None else seconds

    return cost


def records_of_other_runs(request: RunRequest, myth: Myth) -> list[TrialRecord]:
    """Return the trials of a myth in the other runs of a request, to predict durations."""
    others = (run for run in request.other_runs if run.path.resolve() != request.run.path.resolve() and run.has_results(myth))
    return [record for run in others for record in run.store(myth).records]


def _myth_trials(planned: MythPlan, request: RunRequest, progress_of: ProgressFactory, myth_results: dict[str, MythResult]) -> MythTrials:
    def ended(progress: Progress) -> None:
        myth_results[planned.myth.name] = _analyze(planned.myth, request.run, progress)

    other_records = records_of_other_runs(request, planned.myth)
    urgent = selection.most_urgent(planned.myth.claims, planned.plan.in_state("pending"), planned.named)
    return MythTrials(planned.plan, planned.store, urgent, other_records, progress_of(planned.myth, planned.plan), ended)


def _analyze(myth: Myth, run: RunFolder, progress: Progress) -> MythResult:
    try:
        found = analysis.analyze(myth, run)
        analysis.write(found)
    except MythsError:
        raise
    except Exception as error:  # noqa: BLE001 (unexpected rows: the other myths still run)
        return MythResult(progress, None, f"its tables cannot be computed ({type(error).__name__}: {error})")
    return MythResult(progress, found)


def _is_open(run: RunFolder, myth: Myth) -> Callable[[str], bool]:
    """Return a function that tells whether a run has not decided a claim of a myth, by id."""
    decided = {j.claim.id for j in analysis.analyze(myth, run).claim_results if j.verdict.decides} if run.has_results(myth) else set[str]()
    return lambda identity: identity not in decided


def _with_data(request: RunRequest) -> tuple[list[MythPlan], dict[str, Any]]:
    """Return the plans, with trials skipped whose datasets are unavailable or corrupt, and the metadata of the datasets to read."""
    corrupt: dict[str, str] = {}
    notes: dict[str, Any] = {}
    while True:
        planned = plans(request, lambda name: corrupt.get(name) or unavailable_reason(name))
        if (reason := nothing_runnable_reason(planned)) is not None:
            raise CannotStart(reason)
        new = [name for name in dict.fromkeys(name for p in planned for name in p.plan.data) if name not in notes]
        for name in new:
            try:
                notes[name] = prepared.require_verified(name).metadata()
            except CannotStart as error:
                corrupt[name] = str(error)
        if not corrupt.keys() & set(new):
            return planned, {name: notes[name] for p in planned for name in p.plan.data}


def unavailable_reason(name: str) -> str | None:
    """Return why a dataset is not available on this machine and how to get it, or None."""
    try:
        prepared.require(name)
    except CannotStart as error:
        return str(error)
    return None


def _check_free_space(run: RunFolder) -> None:
    free = shutil.disk_usage(run.path).free
    if free < MIN_FREE_BYTES:
        raise CannotStart(f"Only {free / 2**20:.0f} MiB free in {run.path}. Free disk space or use a different --results folder")
