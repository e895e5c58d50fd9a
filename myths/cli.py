"""The ``myths`` command. Heavy imports stand inside the commands: ``myths --help`` must not wait for torch."""

from __future__ import annotations

import functools
import logging
import os
import re
import shlex
import shutil
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from myths.lab.errors import CannotStart, MythsError, UsageError
from myths.terminal import Terminal

if TYPE_CHECKING:
    from myths.lab.analysis import Analysis
    from myths.lab.run_folder import RunFolder
    from myths.lab.runner import Progress
    from myths.lab.session import MythResult, RunRequest

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
data_app = typer.Typer(no_args_is_help=True, help="List, download, check and add data sets.")
app.add_typer(data_app, name="data")
terminal = Terminal()
log = logging.getLogger(__name__)
debugging = False

Names = Annotated[list[str] | None, typer.Argument(metavar="[MYTH]...", help="Myths, as `myths list` names them; all if none.")]
ProfileOption = Annotated[
    str | None, typer.Option(help="quick, laptop, gpu or paper. Default: quick; with --from the profile of the published run.")
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:0 or mps.")]
JobsOption = Annotated[
    int | None,
    typer.Option(min=1, help="Trials to run at once; those that measure time run alone. Default: one per core up to four, on a GPU one."),
]
ClaimOption = Annotated[
    list[str] | None,
    typer.Option(help="Run only what these claims need: ids, beginnings of ids up to a hyphen, or `primary`. Default: all."),
]
TrialOption = Annotated[list[str] | None, typer.Option(help="Run only trials of these classes and what they depend on. Default: all.")]
BudgetOption = Annotated[
    str | None,
    typer.Option(help="Time for all trials: 90s, 9m, 1.5h. A trial that runs when it ends is stopped; nothing of it is stored."),
]
AgainOption = Annotated[
    list[str] | None, typer.Option(help="Run the finished trial of this id once more; both results are kept, the last counts.")
]

FromOption = Annotated[
    str | None,
    typer.Option("--from", metavar="PUBLISHED", help="Continue this published run: copy it to results/local and run only what is open."),
]


def _folder(given: str) -> Path:
    if not given:
        raise typer.BadParameter('the path is empty (""): give a folder')
    return Path(given)


ResultsOption = Annotated[Path | None, typer.Option(parser=_folder, metavar="PATH", help="Another folder for runs than results/local.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Entry point of the ``myths`` command."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # an encoding may lack ≥, or an em dash
    error_once = functools.cache(terminal.error)
    warnings.showwarning = lambda message, *_, **__: error_once(str(message))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as `kill`, `timeout` and job schedulers end a command
    app()


def command(target: typer.Typer, name: str, **options: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers a command whose errors end in one line and the exit status of the README; ``options`` are typer's."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except (typer.Exit, typer.Abort):
                raise
            except KeyboardInterrupt:
                terminal.stop_progress()
                terminal.error("interrupted; all that was finished is kept. The same command goes on from here")
                # CPython keeps an interrupt that struck within eval() in mind and dies of it later; the next eval() clears that.
                eval("None")
                raise typer.Exit(130) from None
            except MythsError as error:
                _exit_with_error(str(error), error.exit_status)
            except Exception as error:  # noqa: BLE001 (a bug, or a machine in a state nobody thought of: still one line)
                _exit_with_error(f"unexpected {type(error).__name__}: {error}; --debug before the command shows where", 1)

        return target.command(name, **options)(wrapper)

    return register


def _exit_with_error(sentence: str, status: int) -> None:
    terminal.stop_progress()
    if debugging:
        traceback.print_exc()
    terminal.error(" ".join(sentence.split()))
    raise typer.Exit(status)


@app.callback()
def options(debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False) -> None:
    """Seven beliefs of machine-learning folklore, and the evidence against them, run on your machine."""
    global debugging
    debugging = debug


@command(app, "list")
def list_(results: ResultsOption = None, as_json: Json = False) -> None:
    """The myths, and where each stands in the best run at hand."""
    _print_summaries(as_json, results)


@command(app, "show")
def show(myth: str, results: ResultsOption = None, as_json: Json = False) -> None:
    """A myth as a page: belief, what the papers found, the claims with their criteria, the latest verdicts."""
    from myths import run_summaries, suite

    run_summaries.show(suite.find(myth), terminal, as_json, results)


@command(app, "run")
def run(
    myths: Names = None,
    profile: ProfileOption = None,
    device: DeviceOption = "auto",
    run: Annotated[str | None, typer.Option(help="Name of the run; by default MACHINE-PROFILE.")] = None,
    results: ResultsOption = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds a trial, instead of the profile's own number.")] = None,
    data: Annotated[str | None, typer.Option(help="Names of own data sets (myths data add), separated by commas.")] = None,
    budget: BudgetOption = None,
    jobs: JobsOption = None,
    claim: ClaimOption = None,
    trial: TrialOption = None,
    again: AgainOption = None,
    source: FromOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")] = False,
    with_report: Annotated[
        bool, typer.Option("--report", help="Rebuild the report after the run and list the verdicts, also if trials failed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run myths; what is finished already is not run again."""
    if as_json and not dry_run:
        raise UsageError("--json goes with --dry-run; what a run gives is in its claims.csv and tables")
    from myths.lab.data.names import canonical_names

    sets = () if data is None else canonical_names(data)
    request = _request(
        myths, profile, device, _Named(run, results, source), seeds=seeds, data=sets, budget=_seconds(budget), jobs=jobs,
        claims=_words("--claim", claim), trial_classes=_words("--trial", trial), again=_words("--again", again), announced=not dry_run,
    )  # fmt: skip
    from myths.lab import publish, session, worker_pool

    if dry_run:
        with terminal.waiting("planning"):
            _print_plan(request, as_json)
        return
    if (slow := worker_pool.excess_jobs_warning(request.jobs, request.device)) is not None:
        terminal.error(slow)
    if (why := publish.unpublishable_reason(request.run)) is not None:
        terminal.print(f"This run cannot be published: {why}.", "dim")
    with terminal.waiting("checking datasets and stored trials"):
        myth_results = session.run(request, terminal.progress)
    terminal.stop_progress()
    wrong = _print_results(myth_results, request)
    if with_report:
        with terminal.waiting("report", ticking=False):
            wrong += _write_report([], results)
        _print_summaries(results=results)
        _print_next(request, results)
    _end_with(wrong)


@command(app, "try", add_help_option=False)
def try_(
    context: typer.Context,
    myth: Annotated[str | None, typer.Argument(metavar="MYTH", help="A myth, as `myths list` names it.")] = None,
    trial: Annotated[str | None, typer.Argument(metavar="TRIAL", help="A trial; `myths try MYTH --help` lists them.")] = None,
    settings: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings of the trial.")] = None,
    device: DeviceOption = "auto",
    results: ResultsOption = None,
    help_: Annotated[bool, typer.Option("--help", help="Show this text; the trials of MYTH; the settings of TRIAL.")] = False,
) -> None:
    """Run one trial with any settings and print its rows. No result is stored. Pictures go to results/local/pictures; their places
    are printed.

    `myths try MYTH TRIAL --help` lists the settings of a trial: default, valid range, meaning. A setting of a trial inside a trial
    is KEY.KEY=VALUE.
    """
    from myths import suite
    from myths.lab import try_trial

    if myth is None:
        typer.echo(context.get_help())
        if not help_:
            raise UsageError("name a MYTH and a TRIAL: `myths list` has the myths, `myths try MYTH --help` the trials")
    elif help_ and trial is None:
        terminal.table(f"Trials of {suite.find(myth).name}", try_trial.list_trials(suite.find(myth)), False)
    elif help_ and trial is not None:
        about, lines = try_trial.describe_settings(suite.find(myth), trial)
        terminal.table(about, lines or [{"setting": "none"}], False)
    elif trial is None:
        raise UsageError(f"name a TRIAL of {suite.find(myth).name}: {', '.join(suite.find(myth).types_by_name)}")
    else:
        with terminal.waiting(f"{myth} {trial}"):
            tried = try_trial.run(suite.find(myth), trial, settings or [], device, (results or suite.LOCAL) / "pictures")
        for row in tried.rows:
            terminal.print("  ".join(f"{key}={value}" for key, value in row.items()))
        for picture in tried.pictures:
            terminal.print(f"picture: {picture}")


@command(app, "report")
def report(
    runs: Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help="Runs; all that are at hand if none.")] = None,
    results: ResultsOption = None,
) -> None:
    """Make tables, claims, figures and the report again from the stored trials."""
    with terminal.waiting("report", ticking=False):
        wrong = _write_report(runs or [], results)
    _end_with(wrong)


@command(app, "table")
def table_(
    myth: str,
    table: str,
    columns: Annotated[str, typer.Option(help="Columns, separated by commas; all by default.")] = "",
    where: Annotated[list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="Print only these rows; may be repeated.")] = None,
    within: Annotated[
        str,
        typer.Option(
            metavar="COLUMN,...",
            help="Mark the best number among rows that agree in these columns. Default: in what they were measured on.",
        ),
    ] = "",
    format_: Annotated[str, typer.Option("--format", help="latex, markdown or csv.")] = "latex",
    run: Annotated[str | None, typer.Option(help="A run; the best available by default.")] = None,
    caption: Annotated[str, typer.Option(help="Caption; says what and which run by default.")] = "",
    label: Annotated[str, typer.Option(help="Label for LaTeX; tab:MYTH-TABLE by default.")] = "",
    results: ResultsOption = None,
) -> None:
    """Print a table of a run for a paper: chosen columns, rounded by their intervals, the best in bold."""
    from myths import run_summaries, suite

    printed = run_summaries.PrintedTable(suite.find(myth), table, run, tuple(where or ()), results)
    as_text = printed.written(_names(columns), _names(within), form=format_, caption=caption, label=label)
    typer.echo(as_text, nl=False)


def _names(words: str) -> list[str]:
    return [word.strip() for word in words.split(",") if word.strip()]


@command(app, "compare")
def compare(baseline: str, candidate: str, results: ResultsOption = None, as_json: Json = False) -> None:
    """Put two runs side by side: numbers, verdicts, times; exit status 1 when a number or a time moved beyond its noise."""
    from myths import run_summaries, suite

    with terminal.waiting(f"comparing {baseline} and {candidate}"):
        found = run_summaries.compare(*(suite.find_run(name, *suite.roots(results)) for name in (baseline, candidate)))
    terminal.table(f"{baseline} and {candidate}", run_summaries.compared_lines(found), as_json)
    if not as_json:
        terminal.print(found.summary)
    if found.changed_numbers or found.changed_times:
        raise typer.Exit(1)


@command(app, "publish")
def publish_(run: str, results: ResultsOption = None) -> None:
    """Copy a run, made from a clean commit, to results/published and renew the scoreboard."""
    from myths import suite
    from myths.lab.publish import publish
    from myths.lab.report.scoreboard import scoreboard
    from myths.lab.run_folder import write_atomically

    with terminal.waiting(f"publishing {run}"):
        folder = publish(suite.find_run(run, results or suite.LOCAL), suite.PUBLISHED, suite.MYTHS)
        found, wrong = _derive(suite.runs(suite.PUBLISHED))
    board = scoreboard(found)
    write_atomically(Path("results/README.md"), board)
    terminal.print(f"published: {folder}; scoreboard: results/README.md")
    _end_with(wrong)


@command(app, "submit")
def submit_(run: str, results: ResultsOption = None) -> None:
    """Pack what may be published of a run into RUN.tar.gz, for others to check with `myths verify`."""
    from myths import suite
    from myths.lab.submission import submit

    with terminal.waiting(f"packing {run}"):
        archive = submit(suite.find_run(run, results or suite.LOCAL, suite.PUBLISHED), Path(), suite.MYTHS)
    terminal.print(f"packed: {archive}; to check it: myths verify {archive}")


@command(app, "verify")
def verify_(archive: Path) -> None:
    """Check a submitted archive: checksums, lines, ids, commits, tables, claims and figures; exit status 1 when something is wrong."""
    from myths import suite
    from myths.lab import provenance
    from myths.lab.submission import verify

    with terminal.waiting(f"verifying {archive}"):
        found = verify(archive, suite.MYTHS, provenance.ROOT if (provenance.ROOT / ".git").exists() else None)
    for sentence in found.wrong:
        terminal.print(sentence)
    for sentence in found.unchecked:
        terminal.print(f"not checked: {sentence}")
    if found.wrong:
        raise MythsError(f"{archive} is invalid: {len(found.wrong)} finding{'s' * (len(found.wrong) > 1)}")
    what = "all else is" if found.unchecked else "checksums, lines, ids, commits, tables, claims and figures are"
    terminal.print(f"{archive}: {what} right")


@command(app, "protocols")
def protocols_() -> None:
    """Every claim and every trial of the seven myths as Markdown; what docs/protocols.md holds."""
    from myths import suite
    from myths.lab.report.protocols import protocols

    typer.echo(protocols(suite.OURS), nl=False)


@command(app, "site")
def site_(folder: Annotated[Path, typer.Argument()] = Path("site")) -> None:
    """Build the site of the published runs, those that came with the suite included, into one folder."""
    from myths import suite
    from myths.lab.report import site

    with terminal.waiting("site", ticking=False):
        found, wrong = _derive(suite.runs(suite.PUBLISHED, suite.BUNDLED))
        page = site.build(found, folder, suite.OURS)
    terminal.print(f"site: {page.resolve().as_uri()}")
    terminal.print(f"Any web server can serve the folder {folder} as it is.")
    _end_with(wrong)


@command(app, "doctor")
def doctor(as_json: Json = False) -> None:
    """What this machine has: device, packages, data, room; with what to do about what it lacks."""
    from myths import doctor

    with terminal.waiting("checking this machine"):
        checks = doctor.checks()
    terminal.table("", checks, as_json)


@command(data_app, "list")
def data_list(as_json: Json = False) -> None:
    """Data sets that are known or at hand."""
    from myths.lab.data import fetch

    terminal.table("", fetch.list_datasets(), as_json, columns=("name", "state", "bytes", "license", "note"))


@command(data_app, "get")
def data_get(names: list[str]) -> None:
    """Download data sets and prepare them."""
    from myths.lab.data import fetch

    for name in names:
        found = fetch.get(name, progress=terminal.out.is_terminal)
        terminal.print(f"{name}: {found.path or f'nothing to download, {found.source}'}")


@command(data_app, "verify")
def data_verify(names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...")] = None, as_json: Json = False) -> None:
    """Compute the hashes of data sets again: present, absent, variant, or corrupt (then exit status 3)."""
    from dataclasses import asdict

    from myths.lab.data import fetch, prepared
    from myths.lab.data.catalog import CATALOG

    if unknown := [name for name in names or [] if name not in CATALOG and prepared.find(name) is None]:
        raise UsageError(f"there is no data set {unknown[0]!r}: `myths data list` names them")
    chosen = names or [line["name"] for line in fetch.list_datasets() if line["state"] != "not downloaded"]
    with terminal.waiting("computing hashes"):
        found = [asdict(prepared.verify(name)) for name in chosen]
    lines = [{key: value if value is None or isinstance(value, str) else str(value) for key, value in line.items()} for line in found]
    terminal.table("", lines, as_json, columns=("name", "state", "note", "expected", "found"))
    if any(line["state"] == "corrupt" for line in lines):
        raise CannotStart("corrupt: " + ", ".join(str(line["name"]) for line in lines if line["state"] == "corrupt"))


@command(data_app, "add")
def data_add(
    name: str,
    path: str,
    settings: Annotated[list[str] | None, typer.Argument(metavar="[source=LANGUAGE target=LANGUAGE]")] = None,
) -> None:
    """Copy your images, parallel texts, arrays (.npz) or weights under a name, for `myths run --data NAME`. See docs/own-data.md."""
    from myths.lab.data import fetch

    pairs = [setting.partition("=") for setting in settings or []]
    if wrong := next((key + equals + value for key, equals, value in pairs if not (key and value)), None):
        raise UsageError(f"{wrong!r} is no setting: write KEY=VALUE, such as source=fr target=de")
    with terminal.waiting(f"reading {path}"):
        added = fetch.add(name, path, {key: value for key, _, value in pairs})
    terminal.print(f"{added.name}: {added.path}" + ("" if added.name == name else f" (use {added.name} or {name})"))
    for line in added.summary:
        terminal.print(f"  {line}")


@command(data_app, "remove")
def data_remove(names: list[str]) -> None:
    """Delete data sets that `myths data add` brought. What they were copied from, and results made from them, stay."""
    from myths.lab.data import prepared

    for name in names:
        for path in prepared.remove(name):
            terminal.print(f"deleted: {path}")


@dataclass(frozen=True)
class _Named:
    """The run that is made or gone on with, as the user names it: its name, its folder, and the published run that it continues."""

    run: str | None
    results: Path | None
    source: str | None


def _request(
    myths: list[str] | None, profile: str | None, device: str, named: _Named, *, jobs: int | None, announced: bool, **more: Any
) -> RunRequest:
    from myths import suite
    from myths.lab import continuation
    from myths.lab.myth import parse_profile

    run, results, source = named.run, named.results, named.source
    for option, given in (("--run", run), ("--from", source)):
        if given == "":
            raise UsageError(f"{option} '': it names no run (an unset shell variable?); leave out {option} or give a name")
    chosen = [suite.find(name) for name in myths or []] or list(suite.MYTHS)
    published = None if source is None else suite.find_run(source, suite.PUBLISHED, suite.BUNDLED)
    profile = parse_profile(profile if profile is not None else continuation.profile_of(published) if published is not None else "quick")
    if run is not None:
        suite.new_run(run, results)
    if announced:
        terminal.print(f"profile {profile}: {', '.join(myths or ['all myths'])}")  # before torch is imported, which takes seconds
    from myths.lab import device as devices
    from myths.lab import worker_pool
    from myths.lab.session import RunRequest

    place = devices.select_device(device)
    name = run or (published.name if published is not None else f"{devices.machine_class(place)}-{profile}")
    return RunRequest(
        myths=chosen,
        profile=profile,
        run=suite.new_run(name, results),
        device=place,
        jobs=jobs or worker_pool.default_jobs(place),
        source=published,
        **more,
    )


def _words(option: str, given: list[str] | None) -> tuple[str, ...]:
    """Return what an option lists, given several times or separated by commas. Raises UsageError for an option that lists nothing."""
    for each in given or ():
        if not each.replace(",", "").strip():
            raise UsageError(f"{option} {each!r}: it names nothing (an unset shell variable?); leave out {option} for all")
    return tuple(word.strip() for each in given or () for word in each.split(",") if word.strip())


def _seconds(budget: str | None) -> float | None:
    if budget is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)", budget)
    if match is None:
        raise UsageError(f"--budget {budget!r}: say seconds, minutes or hours, such as 90s, 9m or 1.5h")
    if float(match[1]) == 0:
        raise UsageError(f"--budget {budget!r}: nothing can run in no time; give more, such as 90s, or --dry-run to see what would run")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def _print_plan(request: RunRequest, as_json: bool) -> None:
    from myths.lab import device as devices
    from myths.lab import session
    from myths.lab.data.catalog import CATALOG
    from myths.lab.runner import Estimates

    machine_class = devices.machine_class(request.device)
    lines = []
    to_download = functools.cache(lambda name: name in CATALOG and session.unavailable_reason(name) is not None)
    planned = session.plans(request, lambda name: None if to_download(name) else session.unavailable_reason(name))
    if (reason := session.nothing_runnable_reason(planned)) is not None:
        raise CannotStart(reason)
    for each in planned:
        estimate = Estimates(each.store.records, machine_class)
        for step in each.plan.steps:
            seconds = estimate(step.trial) if step.state == "pending" else None
            to_fetch = [name for name in step.trial.data if step.state == "pending" and to_download(name)]
            lines.append(
                {
                    "myth": each.myth.name,
                    "state": step.state,
                    "trial": str(step.trial),
                    "id": step.trial.id,
                    "estimated_seconds": seconds,
                    "download": ", ".join(to_fetch),
                    "download_bytes": sum(CATALOG[name].download_bytes for name in to_fetch),
                    "reason": step.reason,
                }
            )
    terminal.table(
        f"run {request.run.name}, profile {request.profile}, device {request.device}",
        lines,
        as_json,
        ("myth", "state", "trial", "estimated_seconds", "download", "reason"),
    )


def _print_summaries(as_json: bool = False, results: Path | None = None) -> None:
    from myths import run_summaries, suite

    lines = [
        {"number": myth.number, "myth": myth.name, "belief": myth.belief, "verdict": best and best.verdict, "run": best and best.run}
        for myth, best in ((myth, run_summaries.best_run(myth, results)) for myth in suite.MYTHS)
    ]
    terminal.table("", lines, as_json)


def _write_report(runs: Sequence[str], results: Path | None) -> list[str]:
    """Rebuild the report from some runs, or from all. Return what could not be rebuilt, a sentence each."""
    from myths import suite
    from myths.lab import analysis
    from myths.lab.report import site
    from myths.lab.report.parallel_map import parallel_map

    roots = (results or suite.LOCAL, suite.PUBLISHED)
    chosen = [suite.find_run(name, *roots, suite.BUNDLED) for name in runs] if runs else suite.runs(*roots)
    found, wrong = _derive(chosen)
    ours = [each for each in found if not each.run.is_published]
    parallel_map([functools.partial(analysis.write, each) for each in ours], "tables and figures of runs")
    page = site.build(found, (results or Path("results")) / "report", suite.MYTHS)
    terminal.print(f"report: {page.resolve().as_uri()}")
    return wrong


def _derive(chosen: Sequence[RunFolder]) -> tuple[list[Analysis], list[str]]:
    """Derive each myth of each run. What cannot be derived costs only itself and is returned as a sentence."""
    from myths import suite
    from myths.lab import analysis

    found: list[Analysis] = []
    wrong: list[str] = []
    for run in chosen:
        for myth in (myth for myth in suite.MYTHS if run.has_results(myth)):
            log.info("%s: tables of %s", run.name, myth.name)
            try:
                found.append(analysis.analyze(myth, run))
            except MythsError as error:
                wrong.append(f"{run.name}, {myth.name} left out: {error}")
            except Exception as error:  # noqa: BLE001 (rows that a table does not expect: the other myths have their pages)
                wrong.append(f"{run.name}, {myth.name} left out: {type(error).__name__}: {error}")
    return found, wrong


def _print_next(request: RunRequest, results: Path | None) -> None:
    command, place = _called_as(), "" if results is None else f" --results {shlex.quote(str(results))}"
    example = next((myth.name for myth in request.myths if request.run.has_results(myth)), request.myths[0].name)
    terminal.print("next:")
    terminal.print(f"  {command} show {example}{place}    one myth, claim by claim")
    profile = "laptop" if request.profile == "quick" else request.profile
    dry_run = f"{command} run {example} --profile {profile}{place} --dry-run"
    terminal.print(f"  {dry_run}    what would run, for how long, and which datasets it needs")


def _called_as() -> str:
    """The command as the user can type it: ``myths`` if the shell finds it, else its path."""
    return "myths" if shutil.which("myths") or not Path(sys.argv[0]).name.startswith("myths") else os.path.relpath(sys.argv[0])


def _print_results(myth_results: Mapping[str, MythResult], request: RunRequest) -> list[str]:
    """Print the verdicts and what the budget left. Return what went wrong, a sentence each."""
    from myths.lab.data.catalog import CATALOG

    user_data = any(name not in CATALOG for name in request.data)
    for result in myth_results.values():
        if result.analysis is not None and result.analysis.run.has_results(result.analysis.myth):
            _print_verdict(result.analysis, user_data)
    progress = {name: result.progress for name, result in myth_results.items()}
    _print_not_run(progress)
    return [
        *_failures(progress, request.run),
        *(f"{name}: {result.analysis_error}" for name, result in myth_results.items() if result.analysis_error),
    ]


def _print_verdict(found: Analysis, user_data: bool) -> None:
    """Print how a myth stands after a run; after one on own data, what was found of them, which is no verdict on the paper."""
    if not user_data:
        counts = {str(j.verdict): sum(k.verdict is j.verdict for k in found.claim_results) for j in found.claim_results}
        terminal.print(f"{found.myth.name}: the myth is {found.verdict} ({', '.join(f'{n} {v}' for v, n in counts.items())})")
        terminal.print(f"  {found.myth.verdict_text(found.verdict)}")
    if found.myth.summarize_user_data is not None and (words := found.myth.summarize_user_data(found.tables)):
        terminal.print(words)
    if user_data:
        terminal.print(f"  {found.myth.name} measured your data. That tests no claim of the paper.")
    terminal.print(f"  results: {found.run.path / found.myth.folder}")


def _print_not_run(myth_results: Mapping[str, Progress]) -> None:
    left = sum(len(progress.not_started) for progress in myth_results.values())
    if left:
        terminal.print(f"the budget is used up; {left} trials are left. The same command goes on from here")
    if over_budget := [str(trial) for progress in myth_results.values() for trial in progress.over_budget]:
        terminal.print(f"longer than the whole budget, so never begun within it: {'; '.join(over_budget)}")
    if stopped := [str(trial) for progress in myth_results.values() for trial in progress.stopped]:
        terminal.print(f"stopped when the budget ended, and not stored: {'; '.join(stopped)}")


def _failures(myth_results: Mapping[str, Progress], run: RunFolder) -> list[str]:
    """One sentence for each myth with failed trials."""
    from myths import suite

    said = []
    for name, progress in myth_results.items():
        if progress.failed:
            details = run.path / suite.find(name).folder / "errors"
            said.append(f"{name}: {progress.failure_summary}; details: {details}/. The same command tries them again")
    return said


def _end_with(wrong: Sequence[str]) -> None:
    """Print all but the last sentence and raise with the last; return if there is none."""
    for sentence in wrong[:-1]:
        terminal.error(" ".join(sentence.split()))
    if wrong:
        raise MythsError(wrong[-1])
