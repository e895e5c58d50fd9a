"""One invocation of the suite: plan, check the data, run, derive. What the command and the Python interface share."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from myths.lab import derived, device, provenance, runner
from myths.lab.data import prepared
from myths.lab.derived import Derived
from myths.lab.errors import CannotStart, UsageError
from myths.lab.myth import PROFILES, Myth, Profile
from myths.lab.run_folder import RunFolder
from myths.lab.runner import Budget, Plan, Progress
from myths.lab.side_by_side import SideBySide
from myths.lab.store import Record
from myths.lab.trial import Trial, canonical

ROOM_BYTES = 200 * 2**20
"""Free space below which a run is not begun."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for: which myths, in which profile, on what device, into which run."""

    myths: Sequence[Myth]
    profile: str
    run: RunFolder
    device: str
    seeds: int | None = None
    data: tuple[str, ...] = ()
    budget: float | None = None
    """Seconds."""
    jobs: int = 1
    """Trials side by side, where nothing is timed."""

    def __post_init__(self) -> None:
        """Raises UsageError for a profile, a run's name, a number of seeds or of jobs that cannot be."""
        if self.profile not in PROFILES:
            raise UsageError(f"there is no profile {self.profile!r}; there are: {', '.join(PROFILES)}")
        if self.seeds is not None and self.seeds < 1:
            raise UsageError(f"seeds={self.seeds}: at least one")
        if self.jobs < 1:
            raise UsageError(f"jobs={self.jobs}: at least one")
        if self.jobs > 1 and self.device != "cpu":
            raise UsageError(f"jobs={self.jobs}: on {self.device} one trial at a time has the device for itself")

    @property
    def arguments(self) -> dict[str, Any]:
        """As recorded with the results: no paths."""
        return {
            "myths": [myth.name for myth in self.myths],
            "profile": self.profile,
            "seeds": self.seeds,
            "data": list(self.data),
            "budget_seconds": self.budget,
            "device": self.device,
            "jobs": self.jobs,
        }


Watch = Callable[[Myth, Plan], Callable[[Trial, Record | None], None]]
"""Called when a myth begins; gives what is called before (None) and after (a record) each of its trials."""


def plans(request: Request) -> dict[str, Plan]:
    """What each myth of a request comes to, by name: what is done, to do, missing."""
    return {
        myth.name: runner.plan(
            myth.trials(cast(Profile, request.profile), request.seeds, request.data), request.run.store(myth), prepared.sha256_of
        )
        for myth in request.myths
    }


@dataclass(frozen=True)
class Ran:
    """What happened to a myth in a run, and what follows from all that the run now holds of it."""

    progress: Progress
    derived: Derived


def run(request: Request, watch: Watch) -> dict[str, Ran]:
    """Runs a request and derives its tables, claims and figures; gives what came of each myth, by name.

    Raises CannotStart before the first trial when data are missing or corrupt, the run belongs to
    another machine class, the folder cannot be written, or another run is going on in it.
    """
    budget = Budget(request.budget) if request.budget is not None else None
    machine_class = device.machine_class(request.device)
    with request.run.locked(), SideBySide(request.jobs) as workers:
        planned = plans(request)
        notes = _check_data(planned)
        _check_room(request.run)
        claims = [claim for myth in request.myths for claim in myth.claims]
        invocation = provenance.invocation(request.device, request.arguments, claims)
        invocation["absent"] = [
            {"myth": name, "trial": canonical(trial), "reason": reason} for name, plan in planned.items() for trial, reason in plan.absent
        ]
        request.run.begin(machine_class, invocation, notes)
        happened = {}
        for myth in request.myths:
            progress = runner.run(
                planned[myth.name],
                request.run.store(myth),
                device=request.device,
                hashes=prepared.sha256_of,
                invocation=invocation["id"],
                machine_class=machine_class,
                budget=budget,
                executor=workers if request.jobs > 1 else None,
                report=watch(myth, planned[myth.name]),
            )
            found = derived.derive(myth, request.run)
            derived.write(found)
            happened[myth.name] = Ran(progress, found)
    return happened


def _check_data(planned: Mapping[str, Plan]) -> dict[str, Any]:
    """The notes of the data sets that are to be read, for ``run.json``; raises CannotStart for one that is absent or corrupt."""
    names = dict.fromkeys(name for plan in planned.values() for name in plan.data)
    return {name: prepared.intact(name).facts() for name in names}


def _check_room(run: RunFolder) -> None:
    free = shutil.disk_usage(run.path).free
    if free < ROOM_BYTES:
        raise CannotStart(f"only {free / 2**20:.0f} MiB are free in {run.path}: make room or choose another folder with --results")
