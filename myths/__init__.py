"""Seven Myths: the evidence against seven beliefs of machine-learning folklore, run again.

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
    data: tuple[str, ...] = (),
    budget_seconds: float | None = None,
    jobs: int = 1,
    claims: tuple[str, ...] = (),
) -> str:
    """Runs the named myths (all when none is named) as ``myths run`` does; gives the name of the run.

    With more than one of ``jobs``, trials that time nothing run side by side; with ``budget_seconds``, a trial that is running when
    they are over is stopped. Both take worker processes, for which a script needs its ``if __name__ == "__main__":``. ``claims``
    are ids, beginnings of ids up to a hyphen, or "primary": only what these need is run.

    Raises MythsError, with the sentence that the command would print, when it cannot start or a trial fails.
    """
    from myths import suite
    from myths.lab import device as devices
    from myths.lab import session
    from myths.lab.errors import MythsError

    chosen = devices.select_device(device)
    folder = suite.new_run(run or f"{devices.machine_class(chosen)}-{profile}")
    request = session.RunRequest(
        myths=[suite.find(name) for name in names] or suite.MYTHS,
        profile=profile,
        run=folder,
        device=chosen,
        seeds=seeds,
        data=data,
        budget=budget_seconds,
        jobs=jobs,
        claims=claims,
    )
    myth_results = session.run(request, lambda myth, plan: lambda trial, record: None)
    wrong = [f"{name}: {result.progress.failure_summary}" for name, result in myth_results.items() if result.progress.failed]
    wrong += [f"{name}: {result.analysis_error}" for name, result in myth_results.items() if result.analysis_error]
    if wrong:
        raise MythsError("; ".join(wrong))
    return folder.name


def results(name: str, run: str | None = None) -> dict[str, pd.DataFrame]:
    """The tables of a myth in a run (by default the newest local one, else the newest published one), and ``claims``."""
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
    raise UsageError(f"no run holds results of {myth.name}: myths run {myth.name}")
