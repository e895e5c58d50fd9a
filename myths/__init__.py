"""Seven Myths: re-run the experiments that challenge seven beliefs of machine learning, and further ones.

Example:
    >>> import myths
    >>> myths.run("cifar10-1")                       # doctest: +SKIP
    >>> myths.results("cifar10-1")["claims"]         # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from myths.lab.myth import Profile

__all__ = ["results", "run"]


def run(
    *names: str,
    profile: Profile = "quick",
    device: str = "auto",
    run: str | None = None,
    seeds: int | None = None,
    first_seed: int = 0,
    data: tuple[str, ...] = (),
    budget_seconds: float | None = None,
    jobs: int = 1,
    claims: tuple[str, ...] = (),
    cluster: str | None = None,
) -> str:
    """Run the trials of myths, as ``myths run`` does, and return the name of the run.

    ``jobs`` above 1 and ``budget_seconds`` start worker processes, for which a script needs ``if __name__ == "__main__":``.

    Args:
        *names: Names of myths. Default: all.
        profile: The profile.
        device: Device as ``myths run --device`` accepts it.
        run: Name of the run. Default: MACHINE-PROFILE, or MACHINE-PROFILE-seedN with ``first_seed`` N.
        seeds: Number of seeds. Default: that of the profile.
        first_seed: First seed, a multiple of 1000. Runs with different first seeds are independent.
        data: Names of user datasets.
        budget_seconds: Time budget. A trial that still runs when it ends is stopped and not stored.
        jobs: Number of parallel trials per GPU, or per machine on a CPU. Trials that measure time run alone.
        claims: Claims whose trials are run: ids, prefixes of ids up to a hyphen, or "primary". Default: all.
        cluster: Ray cluster that runs the trials, as ``myths run --cluster`` accepts it. Default: this machine.

    Raises:
        MythsError: The run cannot start, or a trial failed. The message is that of the command.
    """
    from myths import suite
    from myths.lab.errors import MythsError
    from myths.lab.execution import session
    from myths.run_options import place

    asked = session.RunRequest(
        myths=[suite.find(name) for name in names] or list(suite.MYTHS),
        profile=profile,
        run=suite.new_run(profile if run is None else run),
        device=device,
        seeds=seeds,
        first_seed=first_seed,
        data=data,
        budget=budget_seconds,
        jobs=jobs,
        claims=claims,
        other_runs=tuple(suite.runs(suite.BUNDLED)),
    )
    request = place(asked, run, jobs=jobs, cluster=cluster)
    myth_results = session.run(request, lambda myth, plan: lambda trial, record: None)
    wrong = [f"{name}: {result.progress.failure_summary}" for name, result in myth_results.items() if result.progress.failed]
    wrong += [f"{name}: {result.analysis_error}" for name, result in myth_results.items() if result.analysis_error]
    if wrong:
        raise MythsError("; ".join(wrong))
    return request.run.name


def results(name: str, run: str | None = None) -> dict[str, pd.DataFrame]:
    """Return the tables of a myth in a run, and "claims".

    Args:
        name: Name of the myth.
        run: Name of the run. Default: the newest local run, else the newest published run.

    Raises:
        UsageError: There is no such myth or run, or no run has results of the myth.
    """
    from myths import suite
    from myths.lab.analysis import analyze
    from myths.lab.errors import UsageError

    myth = suite.find(name)
    newest_first = sorted(suite.runs(), key=lambda r: (r.is_published, -(r.path / "run.json").stat().st_mtime))
    folders = [suite.find_run(run)] if run else newest_first
    for folder in folders:
        if folder.has_results(myth):
            found = analyze(myth, folder)
            return {**found.tables, "claims": found.claims_table()}
    raise UsageError(f"No run has results of {myth.name}. Run `myths run {myth.name}` first")
