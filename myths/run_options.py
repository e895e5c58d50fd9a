"""The options of ``myths run`` as the user gives them, and the request that they make. Torch is imported when the request is placed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from myths.lab.errors import UsageError

if TYPE_CHECKING:
    from myths.lab.execution.session import RunRequest


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of ``myths run`` by the names of its parameters. None is an option that was not given."""

    myths: Sequence[str] | None = None
    profile: str | None = None
    device: str = "auto"
    run: str | None = None
    results: Path | None = None
    seeds: int | None = None
    first_seed: int = 0
    data: str | None = None
    budget: str | None = None
    jobs: int | None = None
    claim: Sequence[str] | None = None
    trial: Sequence[str] | None = None
    again: Sequence[str] | None = None
    shard: str | None = None
    source: str | None = None
    cluster: str | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> RunOptions:
        """Return the options in the parameters of the command, which has others besides."""
        return cls(**{field.name: parameters[field.name] for field in fields(cls)})

    def request(self) -> RunRequest:
        """Return the request with its device as the user gives it.

        Raises:
            UsageError: A value is invalid, or values exclude each other.
        """
        from myths import suite
        from myths.lab.data.names import canonical_names
        from myths.lab.execution import continuation
        from myths.lab.execution.session import RunRequest
        from myths.lab.execution.shards import Shard
        from myths.lab.myth import parse_profile

        for option, given in (("--run", self.run), ("--from", self.source)):
            if given == "":
                raise UsageError(f"Invalid {option} '': expected the name of a run. Is a shell variable unset?")
        myths_found = [suite.find(name) for name in self.myths or []] or list(suite.MYTHS)
        published = None if self.source is None else suite.find_run(self.source, suite.PUBLISHED, suite.BUNDLED)
        default_profile = "quick" if published is None else continuation.profile_of(published)
        profile = parse_profile(default_profile if self.profile is None else self.profile)
        return RunRequest(
            myths=myths_found,
            profile=profile,
            run=suite.new_run(profile if self.run is None else self.run, self.results),
            device=self.device,
            seeds=self.seeds,
            first_seed=self.first_seed,
            data=() if self.data is None else canonical_names(self.data),
            budget=None if self.budget is None else _seconds(self.budget),
            claims=_words("--claim", self.claim),
            trial_classes=_words("--trial", self.trial),
            again=_words("--again", self.again),
            shard=None if self.shard is None else Shard.parse(self.shard),
            source=published,
            other_runs=tuple(suite.runs(suite.BUNDLED)),
        )

    def check(self, device: str) -> None:
        """Check the options of a run that starts later, so that a mistake does not wait in a queue.

        Args:
            device: Kind of device that the run will have, for ``auto``.

        Raises:
            UsageError: An option is invalid, or names something that does not exist.
        """
        from myths.lab.execution import selection
        from myths.lab.execution.cluster import parse_address

        request = self.request()
        selection.trial_classes(request.myths, request.trial_classes)
        on_device = device if self.device == "auto" else self.device
        selection.claims(request.myths, request.claims, lambda myth: lambda claim: True, on_device)
        if self.cluster is not None:
            parse_address(self.cluster)


def place(
    request: RunRequest,
    run: str | None,
    results: Path | None = None,
    jobs: int | None = None,
    cluster: str | None = None,
    report: Callable[[str], None] = print,
) -> RunRequest:
    """Return a request with the device, the number of trials at a time and the name of the run that its machine, or its cluster, gives it.

    Args:
        request: A request whose device is as the user gives it.
        run: Name of the run. Default: that of ``RunRequest.default_name``.
        results: Folder of the runs. Default: results/local.
        jobs: Number of parallel trials. Default: that of the device.
        cluster: Address of a Ray cluster. Default: this machine.
        report: Receives what the cluster consists of, by lines.

    Raises:
        UsageError: The device or the address is invalid.
        CannotStart: The device is not available, or the cluster cannot be reached.
    """
    from myths import suite
    from myths.lab.execution import worker_pool
    from myths.lab.execution.session import open_cluster
    from myths.lab.measurement import device as devices

    if cluster is None:
        nodes, device = None, devices.select_device(request.device)
        machine_class, default_jobs = devices.machine_class(device), worker_pool.default_jobs(device)
    else:
        nodes, device = open_cluster(cluster, request.device, request.myths, report)
        machine_class, default_jobs = nodes.timed_kind()[0], nodes.default_jobs(device)
    folder = suite.new_run(request.default_name(machine_class), results) if run is None else request.run
    return replace(request, run=folder, device=device, jobs=jobs or default_jobs, cluster=nodes)


def _words(option: str, given: Sequence[str] | None) -> tuple[str, ...]:
    """Return the items of an option that is repeated or separated by commas.

    Raises:
        UsageError: The option is empty.
    """
    for each in given or ():
        if not each.replace(",", "").strip():
            raise UsageError(f"Invalid {option} {each!r}: expected a name. Leave out {option} for all. Is a shell variable unset?")
    return tuple(word.strip() for each in given or () for word in each.split(",") if word.strip())


def _seconds(budget: str) -> float:
    """Return the seconds of a time budget such as 90s, 9m or 1.5h."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)", budget)
    if match is None:
        raise UsageError(f"Invalid --budget {budget!r}: expected a number with a unit, such as 90s, 9m or 1.5h")
    if float(match[1]) == 0:
        raise UsageError(f"Invalid --budget {budget!r}: expected more than 0, such as 90s. --dry-run prints the plan without running it")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]
