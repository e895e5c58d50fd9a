"""The ``myths`` command. Heavy imports are inside the commands, so that ``myths --help`` does not import torch."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import shlex
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from myths.lab.counting import counted
from myths.lab.errors import CannotStart, MythsError, UsageError
from myths.lab.execution import interruption
from myths.run_options import RunOptions, place
from myths.terminal import Terminal

if TYPE_CHECKING:
    from myths.lab.analysis import Analysis
    from myths.lab.execution.runner import Progress
    from myths.lab.execution.session import MythResult, RunRequest
    from myths.lab.myth import Myth
    from myths.lab.storage.run_folder import RunFolder

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
data_app = typer.Typer(no_args_is_help=True, help="List, download, verify, add and remove datasets.")
app.add_typer(data_app, name="data")
launch_app = typer.Typer(no_args_is_help=True, help="Submit a run to a cluster.")
app.add_typer(launch_app, name="launch")
terminal = Terminal()
log = logging.getLogger(__name__)
debugging = False

Names = Annotated[list[str] | None, typer.Argument(metavar="[MYTH]...", help="Names of myths (see `myths list`). Default: all.")]
ProfileOption = Annotated[
    str | None,
    typer.Option(help="quick, laptop, overnight, gpu or paper. Default: quick, or with --from the profile of the published run."),
]
DeviceOption = Annotated[str, typer.Option(help="Device: auto, cpu, cuda, cuda:0 or mps.")]
JobsOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Number of parallel trials per GPU, or per machine on a CPU. Trials that measure time run alone. Default: one per GPU; on a "
        "CPU one per core, at most four.",
    ),
]
ClaimOption = Annotated[
    list[str] | None,
    typer.Option(help="Run only the trials that these claims need: ids, prefixes of ids up to a hyphen, or `primary`. Default: all."),
]
TrialOption = Annotated[list[str] | None, typer.Option(help="Run only trials of these classes and their dependencies. Default: all.")]
BudgetOption = Annotated[
    str | None,
    typer.Option(
        help="Time budget, such as 90s, 9m or 1.5h. A trial does not start if it is expected to exceed the budget. A trial that still "
        "runs when the budget ends is stopped and not stored."
    ),
]
AgainOption = Annotated[
    list[str] | None, typer.Option(help="Re-run the finished trial with this id. Both results are kept; the last one counts.")
]

FirstSeedOption = Annotated[
    int,
    typer.Option(metavar="N", help="First seed, a multiple of 1000. Runs with different first seeds are independent. Default: 0."),
]

ShardOption = Annotated[
    str | None,
    typer.Option(metavar="K/N", help="Run only part K of N. Each part can run on another machine; `myths merge` joins the runs."),
]

ClusterOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Run the trials on the nodes of a Ray cluster: HOST:PORT, or auto for the cluster in RAY_ADDRESS or of this machine.",
    ),
]

FromOption = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="PUBLISHED", help="Continue this published run: copy it to results/local and run only the remaining trials."
    ),
]


def _folder(given: str) -> Path:
    if not given:
        raise typer.BadParameter('the path is empty (""): expected a folder')
    return Path(given)


ResultsOption = Annotated[
    Path | None, typer.Option(parser=_folder, metavar="PATH", help="Directory that holds the runs. Default: results/local.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Entry point of the ``myths`` command."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # an encoding may lack ≥, or an em dash
    error_once = functools.cache(terminal.error)
    warnings.showwarning = lambda message, *_, **__: error_once(str(message))
    interruption.install()
    app()


def command(
    target: typer.Typer, name: str, *, if_interrupted: str = "", **options: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command. Errors print one line and set the exit status that README.md documents.

    Args:
        target: The typer application.
        name: Name of the command.
        if_interrupted: What became of the results if the user interrupts the command, as a sentence. Default: nothing is said.
        **options: Options of typer.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except (typer.Exit, typer.Abort):
                raise
            except KeyboardInterrupt:
                terminal.stop_progress()
                terminal.error(f"Interrupted. {if_interrupted}".rstrip())
                # CPython remembers an interrupt inside eval() and exits because of it later; the next eval() clears it.
                eval("None")
                raise typer.Exit(130) from None
            except MythsError as error:
                _exit_with_error(str(error), error.exit_status)
            except Exception as error:  # noqa: BLE001 (unexpected errors print one line as well)
                _exit_with_error(f"Unexpected {type(error).__name__}: {error}. Run `myths --debug COMMAND …` to see the traceback.", 1)

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
    """Re-run the experiments that challenge seven beliefs of machine learning, and further ones; compare your results with the papers."""
    global debugging
    debugging = debug


@command(app, "list")
def list_(results: ResultsOption = None, as_json: Json = False) -> None:
    """List the myths and their verdict in the best available run."""
    _print_summaries(as_json, results)


@command(app, "show")
def show(myth: str, results: ResultsOption = None, as_json: Json = False) -> None:
    """Show one myth: belief, findings, claims and latest verdicts."""
    from myths import show, suite

    show.show_myth(suite.find(myth), terminal, as_json, results)


@command(app, "run", if_interrupted="Finished trials are saved; run the same command to resume.")
def run(
    myths: Names = None,
    profile: ProfileOption = None,
    device: DeviceOption = "auto",
    run: Annotated[str | None, typer.Option(help="Name of the run. Default: MACHINE-PROFILE.")] = None,
    results: ResultsOption = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Number of seeds. Default: that of the profile.")] = None,
    first_seed: FirstSeedOption = 0,
    data: Annotated[str | None, typer.Option(help="Names of your datasets (see `myths data add`), separated by commas.")] = None,
    budget: BudgetOption = None,
    jobs: JobsOption = None,
    claim: ClaimOption = None,
    trial: TrialOption = None,
    again: AgainOption = None,
    shard: ShardOption = None,
    source: FromOption = None,
    cluster: ClusterOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan without running it.")] = False,
    with_report: Annotated[
        bool, typer.Option("--report", help="Rebuild the report and list the verdicts after the run, even if trials failed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON. Requires --dry-run.")] = False,
) -> None:
    """Run the trials of one or more myths. Finished trials are reused."""
    if as_json and not dry_run:
        raise UsageError("--json requires --dry-run. Results of a run are in claims.csv and the other tables")
    options = RunOptions(
        myths=myths, profile=profile, device=device, run=run, results=results, seeds=seeds, first_seed=first_seed, data=data, budget=budget,
        jobs=jobs, claim=claim, trial=trial, again=again, shard=shard, source=source, cluster=cluster,
    )  # fmt: skip
    request = _placed(options, announced=not dry_run)
    if dry_run:
        with terminal.waiting("planning"):
            _print_plan(request, as_json)
        return
    wrong = _run(request)
    if with_report:
        with terminal.waiting("report", ticking=False):
            wrong += _write_report([], results)
        _print_summaries(results=results)
        _print_next(request, results)
    _end_with(wrong)


@command(app, "try", if_interrupted="`myths try` stores no results.", add_help_option=False)
def try_(
    context: typer.Context,
    myth: Annotated[str | None, typer.Argument(metavar="MYTH", help="Name of a myth (see `myths list`).")] = None,
    trial: Annotated[str | None, typer.Argument(metavar="TRIAL", help="Class of a trial (see `myths try MYTH --help`).")] = None,
    settings: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings of the trial.")] = None,
    device: DeviceOption = "auto",
    results: ResultsOption = None,
    help_: Annotated[bool, typer.Option("--help", help="Show this help, the trials of MYTH, or the settings of TRIAL.")] = False,
) -> None:
    """Run one trial and print its rows without storing them.

    `myths try MYTH TRIAL --help` lists the settings of a trial: valid values, default, meaning. Set fields of a nested trial with
    KEY.KEY=VALUE. If the trial has figures with images, they are written to results/local/pictures and
    their paths are printed.
    """
    from myths import suite
    from myths.lab.execution import try_trial

    if myth is None:
        typer.echo(context.get_help())
        if not help_:
            raise UsageError("MYTH and TRIAL are required. `myths list` lists the myths, `myths try MYTH --help` the trials")
    elif help_ and trial is None:
        terminal.table(f"Trials of {suite.find(myth).name}", try_trial.list_trials(suite.find(myth)), False)
    elif help_ and trial is not None:
        about, lines = try_trial.describe_settings(suite.find(myth), trial)
        terminal.table(about, lines or [{"setting": "none"}], False)
    elif trial is None:
        raise UsageError(f"TRIAL is required. Trials of {suite.find(myth).name}: {', '.join(suite.find(myth).types_by_name)}")
    else:
        with terminal.waiting(f"{myth} {trial}"):
            tried = try_trial.run(suite.find(myth), trial, settings or [], device, (results or suite.LOCAL) / "pictures")
        for row in tried.rows:
            terminal.print("  ".join(f"{key}={value}" for key, value in row.items()))
        for picture in tried.pictures:
            terminal.print(f"figure: {picture}")


@command(app, "report")
def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN]...", help="Names of runs, or archives that `myths submit` wrote. Default: all available runs."),
    ] = None,
    results: ResultsOption = None,
) -> None:
    """Rebuild tables, claims, figures and the HTML report.

    They are computed from the stored trials of the runs. Claims of independent runs are combined.
    """
    with terminal.waiting("report", ticking=False):
        wrong = _write_report(runs or [], results)
    _end_with(wrong)


@command(app, "table")
def table_(
    myth: str,
    table: str,
    columns: Annotated[str, typer.Option(help="Columns, separated by commas. Default: all.")] = "",
    where: Annotated[list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="Print only these rows. Can be repeated.")] = None,
    within: Annotated[
        str,
        typer.Option(
            metavar="COLUMN,...",
            help="Mark the best number among rows that agree in these columns. Default: the columns that state the test conditions.",
        ),
    ] = "",
    format_: Annotated[str, typer.Option("--format", help="Output format: latex, markdown or csv.")] = "latex",
    run: Annotated[str | None, typer.Option(help="Name of a run. Default: the best available run.")] = None,
    caption: Annotated[str, typer.Option(help="Caption. Default: name of the table and the run.")] = "",
    label: Annotated[str, typer.Option(help="Label for LaTeX. Default: tab:MYTH-TABLE.")] = "",
    results: ResultsOption = None,
) -> None:
    """Print a table of a run for a paper. Numbers are rounded by their intervals; the best are bold."""
    from myths import suite
    from myths.table import PaperTable

    printed = PaperTable(suite.find(myth), table, run, tuple(where or ()), results)
    as_text = printed.written(_names(columns), _names(within), form=format_, caption=caption, label=label)
    typer.echo(as_text, nl=False)


def _names(words: str) -> list[str]:
    return [word.strip() for word in words.split(",") if word.strip()]


@command(app, "compare")
def compare(baseline: str, candidate: str, results: ResultsOption = None, as_json: Json = False) -> None:
    """Compare two runs: numbers, verdicts and times. Exit with status 1 if a number or time differs significantly."""
    from myths import compare, suite

    with terminal.waiting(f"comparing {baseline} and {candidate}"):
        found = compare.compare_runs(*(suite.find_run(name, *suite.roots(results)) for name in (baseline, candidate)))
    terminal.table(f"{baseline} and {candidate}", compare.lines(found), as_json)
    if not as_json:
        terminal.print(found.summary)
    if found.changed_numbers or found.changed_times:
        raise typer.Exit(1)


@command(app, "publish")
def publish_(run: str, results: ResultsOption = None) -> None:
    """Copy a run to results/published and update the scoreboard.

    All trials of the run must have been made from clean commits.
    """
    from myths import suite
    from myths.lab.report.scoreboard import scoreboard
    from myths.lab.storage.publish import publish
    from myths.lab.storage.run_folder import write_atomically

    with terminal.waiting(f"publishing {run}"):
        folder = publish(suite.find_run(run, results or suite.LOCAL), suite.PUBLISHED, suite.MYTHS)
        found, wrong = _derive(suite.runs(suite.PUBLISHED))
    board = scoreboard(found)
    write_atomically(Path("results/README.md"), board)
    terminal.print(f"published: {folder}; scoreboard: results/README.md")
    _end_with(wrong)


@command(app, "merge")
def merge_(
    sources: Annotated[list[str], typer.Argument(metavar="RUN...", help="Names of runs, or archives that `myths submit` wrote.")],
    into: Annotated[str, typer.Option(metavar="NAME", help="Name of the new run.")],
    results: ResultsOption = None,
) -> None:
    """Merge runs of one machine class into a new run.

    Equal results of a trial are taken once. If results differ, the first run counts; exit with status 1.
    """
    from myths import suite
    from myths.lab import analysis
    from myths.lab.storage.merging import CONFLICTS, merge

    with tempfile.TemporaryDirectory() as scratch, terminal.waiting(f"merging {len(sources)} runs"):
        merged = merge(_runs(sources, scratch, results), _merged_run(into, results), suite.MYTHS)
        derived, wrong = _derive([merged.run])
        for each in derived:
            analysis.write(each)
    terminal.print(f"merged: {merged.run.path}, {merged.trials} trials; {merged.repeated} results were in several runs")
    for conflict in merged.conflicts:
        terminal.print(str(conflict))
    if merged.conflicts:
        n = counted(len(merged.conflicts), "result differs", "results differ")
        wrong = [*wrong, f"{n} between the runs; those of the later runs are in MYTH/{CONFLICTS}"]
    _end_with(wrong)


def _merged_run(name: str, results: Path | None) -> RunFolder:
    """Return the folder of a merged run. A published run of this name would be hidden by it.

    Raises:
        UsageError: The name is invalid, or that of a published run.
    """
    from myths import suite

    if any(run.name == name for run in suite.runs(suite.PUBLISHED, suite.BUNDLED)):
        raise UsageError(f"Invalid --into {name!r}: a published run has this name. Choose a different one")
    return suite.new_run(name, results, "--into")


@command(app, "submit")
def submit_(run: str, results: ResultsOption = None) -> None:
    """Pack the publishable files of a run into RUN.tar.gz.

    `myths verify` checks the archive.
    """
    from myths import suite
    from myths.lab.storage.submission import submit

    with terminal.waiting(f"packing {run}"):
        archive = submit(suite.find_run(run, results or suite.LOCAL, suite.PUBLISHED), Path(), suite.MYTHS)
    terminal.print(f"packed: {archive}. To check it: myths verify {archive}")


@command(app, "verify")
def verify_(archive: Path) -> None:
    """Verify a submitted archive. Exit with status 1 if a check fails.

    The checks cover checksums, record format, trial ids, commits, and tables, claims and figures rebuilt from the trials.
    """
    from myths import suite
    from myths.lab.storage import provenance
    from myths.lab.storage.submission import verify

    with terminal.waiting(f"verifying {archive}"):
        found = verify(archive, suite.MYTHS, provenance.ROOT if (provenance.ROOT / ".git").exists() else None)
    for sentence in found.wrong:
        terminal.print(sentence)
    for sentence in found.unchecked:
        terminal.print(f"not checked: {sentence}")
    if found.wrong:
        raise MythsError(f"{archive} is invalid: {len(found.wrong)} finding{'s' * (len(found.wrong) > 1)}")
    what = "all other checks" if found.unchecked else "checksums, records, ids, commits, tables, claims and figures"
    terminal.print(f"{archive}: {what} passed")


@command(app, "protocols")
def protocols_() -> None:
    """Print all claims and trials as Markdown (docs/protocols.md)."""
    from myths import suite
    from myths.lab.report.protocols import protocols

    typer.echo(protocols(suite.OURS), nl=False)


@command(app, "site")
def site_(folder: Annotated[Path, typer.Argument()] = Path("site")) -> None:
    """Build a static site of the published runs."""
    from myths import suite
    from myths.lab.report import site

    with terminal.waiting("site", ticking=False):
        found, wrong = _derive(suite.runs(suite.PUBLISHED, suite.BUNDLED))
        page = site.build(found, folder, suite.OURS)
    terminal.print(f"site: {page.resolve().as_uri()}")
    terminal.print(f"Any web server can serve the folder {folder}.")
    _end_with(wrong)


@command(app, "doctor")
def doctor(
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Check the nodes of a Ray cluster instead: auto or HOST:PORT.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check device, packages, datasets and disk space.

    The output suggests a fix for every problem.
    """
    from myths import doctor

    with terminal.waiting("checking this machine" if cluster is None else "checking the nodes"):
        checks = doctor.checks() if cluster is None else doctor.cluster_checks(cluster)
    terminal.table("", checks, as_json)


@command(data_app, "list")
def data_list(as_json: Json = False) -> None:
    """List known and available datasets."""
    from myths.lab.data import fetch

    terminal.table("", fetch.list_datasets(), as_json, columns=("name", "state", "bytes", "license", "note"))


@command(data_app, "get")
def data_get(names: list[str]) -> None:
    """Download and prepare datasets."""
    from myths.lab.data import fetch

    for name in names:
        found = fetch.get(name, progress=terminal.out.is_terminal)
        terminal.print(f"{name}: {found.path or f'nothing to download, {found.source}'}")


@command(data_app, "verify")
def data_verify(names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...")] = None, as_json: Json = False) -> None:
    """Recompute the hashes of datasets. Exit with status 3 if one is corrupt.

    A dataset is present, modified, not downloaded or corrupt.
    """
    from dataclasses import asdict

    from myths.lab.data import fetch, prepared
    from myths.lab.data.catalog import CATALOG

    if unknown := [name for name in names or [] if name not in CATALOG and prepared.find(name) is None]:
        raise UsageError(f"Unknown dataset {unknown[0]!r}. `myths data list` lists the datasets")
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
    settings: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...")] = None,
) -> None:
    """Copy your data under a name, for `myths run --data NAME`.

    PATH is a folder of images or parallel texts, an image, an .npz file, a table or an edge list (.csv), predictions, or weights.
    Parallel texts take source=LANGUAGE and target=LANGUAGE. See docs/own-data.md.
    """
    from myths.lab.data import fetch

    pairs = [setting.partition("=") for setting in settings or []]
    if wrong := next((key + equals + value for key, equals, value in pairs if not (key and value)), None):
        raise UsageError(f"Invalid setting {wrong!r}: expected KEY=VALUE, such as source=fr target=de")
    with terminal.waiting(f"reading {path}"):
        added = fetch.add(name, path, {key: value for key, _, value in pairs})
    terminal.print(f"{added.name}: {added.path}" + ("" if added.name == name else f" (use {added.name} or {name})"))
    for line in added.summary:
        terminal.print(f"  {line}")


@command(data_app, "remove")
def data_remove(names: list[str]) -> None:
    """Delete datasets that `myths data add` copied. The originals and results made from the datasets are kept."""
    from myths.lab.data import prepared

    for name in names:
        for path in prepared.remove(name):
            terminal.print(f"deleted: {path}")


@command(launch_app, "slurm")
def launch_slurm(
    words: Annotated[list[str], typer.Argument(metavar="-- run [MYTH]... [OPTION]...", help="The run, as after `myths`.")],
    time: Annotated[str, typer.Option(help="Time limit of the job, such as 45m, 8h or 2d.")],
    nodes: Annotated[int, typer.Option(min=1, help="Number of nodes. Several nodes run the trials together, by Ray.")] = 1,
    gpus_per_node: Annotated[int | None, typer.Option(min=1, help="GPUs per node. Default: none.")] = None,
    cpus_per_node: Annotated[int | None, typer.Option(min=1, help="CPU cores per node. Default: that of the cluster.")] = None,
    restarts: Annotated[int, typer.Option(min=0, help="How often the job is requeued after its time limit.")] = 10,
    sbatch: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Further option of sbatch, such as partition=gpu. Can be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the batch script without submitting it.")] = False,
) -> None:
    """Submit a run as one Slurm job, which is requeued after preemption and after its time limit.

    All nodes must see this folder. Example: myths launch slurm --nodes 4 --gpus-per-node 8 --time 8h -- run --profile paper
    """
    from myths import launch

    _check_run(words, "cpu" if gpus_per_node is None else "cuda")
    asked = launch.Allocation(launch.parse_time(time), nodes, gpus_per_node, cpus_per_node, restarts, launch.parse_sbatch(sbatch or ()))
    job = launch.SlurmJob(tuple(words), asked, Path("results/local/slurm").resolve())
    if dry_run:
        typer.echo(job.script(), nl=False)
        return
    job_id = job.submit()
    terminal.print(f"submitted: job {job_id}, {' '.join(words)}")
    terminal.print(f"log: {os.path.relpath(job.log(job_id))}; state: squeue -j {job_id}; stop: scancel {job_id}")


def _check_run(words: Sequence[str], device: str) -> None:
    """Check a run that starts later, so that a mistake does not wait in a queue.

    Args:
        words: The run.
        device: Kind of device that the job has.

    Raises:
        UsageError: It is no ``run``, or names something that does not exist.
    """
    if words[0] != "run":
        raise UsageError(f"Cannot launch `myths {words[0]}`: only `run` can be launched, as in `myths launch slurm --time 8h -- run`")
    wrong_usage: Any = typer.BadParameter.__base__  # of click, which is a part of newer versions of typer
    try:
        given = typer.main.get_group(app).commands["run"].make_context("myths run", list(words[1:])).params
    except wrong_usage as error:
        raise UsageError(f"myths run: {error.format_message()}") from error
    if given["dry_run"] or given["as_json"]:
        raise UsageError(
            "A job does not run with --dry-run. Print the plan with `myths run --dry-run`, the job with `launch slurm --dry-run`"
        )
    RunOptions.of(given).check(device)


def _placed(options: RunOptions, announced: bool) -> RunRequest:
    asked = options.request()
    if announced:  # before torch is imported, which takes seconds
        terminal.print(f"profile {asked.profile}: {', '.join(options.myths or ['all myths'])}")
    with contextlib.nullcontext() if options.cluster is None else terminal.waiting("connecting to the cluster"):
        return place(asked, options.run, options.results, options.jobs, options.cluster, terminal.print)


def _run(request: RunRequest) -> list[str]:
    """Run a request and print its verdicts. Return errors, one sentence each."""
    from myths.lab.execution import session, worker_pool
    from myths.lab.storage import publish

    if request.cluster is None and (slow := worker_pool.excess_jobs_warning(request.jobs, request.device)) is not None:
        terminal.error(slow)
    if (why := publish.unpublishable_reason(request.run)) is not None:
        terminal.print(f"Results of this run cannot be published: {why}.", "dim")
    with terminal.waiting("checking datasets and stored trials"):
        myth_results = session.run(request, terminal.progress)
    terminal.stop_progress()
    _note_empty_part(request, myth_results)
    return _print_results(myth_results, request)


def _note_empty_part(request: RunRequest, chosen: Collection[object]) -> None:
    """Say so if a part of a request has no trials: there are more parts than trials."""
    if request.shard is not None and not chosen:
        terminal.print(f"part {request.shard} has no trials: there are fewer trials than parts")


def _print_plan(request: RunRequest, as_json: bool) -> None:
    from myths.lab.data.catalog import CATALOG
    from myths.lab.execution import session
    from myths.lab.execution.runner import Estimates

    lines = []
    to_download = functools.cache(lambda name: name in CATALOG and session.unavailable_reason(name) is not None)
    planned = session.plans(request, lambda name: None if to_download(name) else session.unavailable_reason(name))
    if (reason := session.nothing_runnable_reason(planned)) is not None:
        raise CannotStart(reason)
    if not as_json:
        _note_empty_part(request, planned)
    for each in planned:
        estimate = Estimates(each.store.records, request.machine_class, session.records_of_other_runs(request, each.myth))
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
    if not as_json:
        for each in planned:
            terminal.print(_planned_time(each.myth.name, [line for line in lines if line["myth"] == each.myth.name]))
            if each.unmeasured:
                terminal.print(f"{each.myth.name}: profile {request.profile} does not measure {', '.join(each.unmeasured)}")


def _planned_time(myth: str, lines: Sequence[Mapping[str, Any]]) -> str:
    """Return how long the pending trials of a myth take one after another, and how many have no estimate."""
    from myths.lab.report.formatting import format_duration

    seconds = [line["estimated_seconds"] for line in lines if line["state"] == "pending"]
    known = [each for each in seconds if each is not None]
    if not known:
        return f"{myth}: {counted(len(seconds), 'trial')} to run" + (", without an estimate" if seconds else "")
    unknown = f", and {len(seconds) - len(known)} without an estimate" if len(known) < len(seconds) else ""
    return f"{myth}: {counted(len(seconds), 'trial')} to run, {format_duration(sum(known))} one after another{unknown}"


def _print_summaries(as_json: bool = False, results: Path | None = None) -> None:
    from myths import suite
    from myths.lab.myth import FURTHER
    from myths.lab.ranking import other_verdicts
    from myths.run_summaries import summaries

    def line(myth: Myth) -> dict[str, Any]:
        runs = summaries(myth, results)
        found = {"verdict": str(runs[0].judgment), "run": runs[0].run.name} if runs else {"verdict": None, "run": None}
        also = [f"{each.run.name}: {each.judgment}" for each in other_verdicts(runs)]
        return {"number": myth.number, "myth": myth.name, "belief": myth.belief, **found, "other_verdicts": "; ".join(also)}

    def lines(myths: Iterable[Myth]) -> list[dict[str, Any]]:
        return [line(myth) for myth in myths]

    if as_json:
        terminal.table("", lines(suite.MYTHS), as_json)
        return
    terminal.table("", lines(myth for myth in suite.MYTHS if not myth.is_further), as_json)
    if further := lines(myth for myth in suite.MYTHS if myth.is_further):
        terminal.print()
        terminal.table(FURTHER, further, as_json)


def _write_report(runs: Sequence[str], results: Path | None) -> list[str]:
    """Rebuild the report from some runs, or from all. Return errors, one sentence each."""
    from myths import suite
    from myths.lab import analysis
    from myths.lab.report import site
    from myths.lab.report.parallel_map import parallel_map

    with tempfile.TemporaryDirectory() as scratch:
        chosen = _runs(runs, scratch, results) if runs else suite.runs(results or suite.LOCAL, suite.PUBLISHED)
        found, wrong = _derive(chosen)
        ours = [each for each in found if each.run.location == "local"]
        parallel_map([functools.partial(analysis.write, each) for each in ours], "tables and figures of runs")
        page = site.build(found, (results or Path("results")) / "report", suite.MYTHS)
    terminal.print(f"report: {page.resolve().as_uri()}")
    return wrong


def _runs(names: Sequence[str], scratch: str, results: Path | None) -> list[RunFolder]:
    """Return runs by name or folder. Archives are unpacked into a folder of their own.

    Raises:
        UsageError: There is no such run or archive.
        CannotStart: A file is not an archive of a run, or it was changed.
    """
    from myths import suite
    from myths.lab.storage import submission

    return [
        submission.extract(Path(name), Path(scratch) / str(place), suite.MYTHS)
        if name.endswith(".tar.gz")
        else suite.find_run(name, *suite.roots(results))
        for place, name in enumerate(names)
    ]


def _derive(chosen: Sequence[RunFolder]) -> tuple[list[Analysis], list[str]]:
    """Analyze each myth of each run. Return the analyses and errors, one sentence each."""
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
            except Exception as error:  # noqa: BLE001 (unexpected rows: the other myths are still shown)
                wrong.append(f"{run.name}, {myth.name} left out: {type(error).__name__}: {error}")
    return found, wrong


def _print_next(request: RunRequest, results: Path | None) -> None:
    command, place = _called_as(), "" if results is None else f" --results {shlex.quote(str(results))}"
    example = next((myth.name for myth in request.myths if request.run.has_results(myth)), request.myths[0].name)
    terminal.print("Next:")
    terminal.print(f"  {command} show {example}{place}    show one myth with all its claims")
    profile = "laptop" if request.profile == "quick" else request.profile
    dry_run = f"{command} run {example} --profile {profile}{place} --dry-run"
    terminal.print(f"  {dry_run}    print what would run, for how long, and which datasets it needs")


def _called_as() -> str:
    """Return the command as the user can type it: ``myths`` if the shell finds it, else its path."""
    return "myths" if shutil.which("myths") or not Path(sys.argv[0]).name.startswith("myths") else os.path.relpath(sys.argv[0])


def _print_results(myth_results: Mapping[str, MythResult], request: RunRequest) -> list[str]:
    """Print the verdicts and the trials that were not run. Return errors, one sentence each."""
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
    """Print the verdict on a myth after a run. For user data, print the summary instead, because they do not test a claim of a paper."""
    if not user_data:
        counts = {str(j.verdict): sum(k.verdict is j.verdict for k in found.claim_results) for j in found.claim_results}
        terminal.print(f"{found.myth.name}: {found.judgment} ({', '.join(f'{n} {v}' for v, n in counts.items())})")
        terminal.print(f"  {found.myth.verdict_text(found.judgment)}")
    if found.myth.summarize_user_data is not None and (words := found.myth.summarize_user_data(found.tables)):
        terminal.print(words)
    if user_data:
        terminal.print(f"  {found.myth.name} measured your data. This does not test a claim of the paper.")
    terminal.print(f"  results: {found.run.path / found.myth.folder}")


def _print_not_run(myth_results: Mapping[str, Progress]) -> None:
    left = sum(len(progress.not_started) for progress in myth_results.values())
    if left:
        terminal.print(f"Time budget exhausted; {left} trials not started. Run the same command to resume.")
    if over_budget := [str(trial) for progress in myth_results.values() for trial in progress.over_budget]:
        terminal.print(f"Expected to take longer than the whole budget (raise --budget to run them): {'; '.join(over_budget)}")
    if stopped := [str(trial) for progress in myth_results.values() for trial in progress.stopped]:
        terminal.print(f"Stopped when the budget ended, not stored: {'; '.join(stopped)}")


def _failures(myth_results: Mapping[str, Progress], run: RunFolder) -> list[str]:
    """Return one sentence for each myth with failed trials."""
    from myths import suite

    said = []
    for name, progress in myth_results.items():
        if progress.failed:
            details = run.path / suite.find(name).folder / "errors"
            said.append(f"{name}: {progress.failure_summary}; details: {details}/. Run the same command to retry them")
    return said


def _end_with(wrong: Sequence[str]) -> None:
    """Print all sentences but the last as errors and raise the last one; return if there are none."""
    for sentence in wrong[:-1]:
        terminal.error(" ".join(sentence.split()))
    if wrong:
        raise MythsError(wrong[-1])
