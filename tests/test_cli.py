"""The command as a user meets it: exit statuses, one clear line for every mistake, nothing lost."""

import contextlib
import errno
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from myths import cli
from tests.lab.report import coin

MYTH = "cifar10-1"
ROOT = Path(__file__).parents[1]


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def environment(folder):
    return {"MYTHS_DATA": str(Path(folder) / "data"), "HOME": str(folder)}


def myths(*words, cwd, **env):
    """The command in this process: a fresh interpreter would spend seconds on importing torch."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(cwd)
        for name, value in {**environment(cwd), "COLUMNS": "200", **env}.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as stopped:
            cli.app(list(words), prog_name="myths")
    return Done(stopped.value.code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A folder in which the quick profile has run once."""
    folder = tmp_path_factory.mktemp("quick")
    done = myths("run", MYTH, "--seeds", "2", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def trial_lines(run: Path) -> list[dict]:
    return [json.loads(line) for file in sorted(run.glob("*/trials.jsonl")) for line in file.read_text().splitlines()]


def one_clear_line(done, status, *words):
    assert done.returncode == status, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("run", "cifar11"), ("cifar11", "cifar10-1")),
        (("run", MYTH, "--profile", "fast"), ("fast", "quick, laptop, overnight, gpu, paper")),
        (("run", MYTH, "--budget", "soon"), ("soon", "9m")),
        (("run", MYTH, "--budget", "0m"), ("0m", "90s")),
        (("run", MYTH, "--trial", "PublishedAcuracy"), ("PublishedAcuracy", "Similar: PublishedAccuracy")),
        (("run", MYTH, "--run", "../elsewhere"), ("../elsewhere",)),
        (("run", MYTH, "--device", "abacus"), ("abacus",)),
        (("try", MYTH, "Guess"), ("Guess", "PublishedAccuracy")),
        (("try", MYTH, "PublishedAccuracy", "sauce=predictions"), ("sauce", "source")),
        (("try", MYTH, "PublishedAccuracy", "source=hearsay"), ("hearsay", "reference table")),
        (("try", MYTH, "PublishedAccuracy"), ("requires source",)),
        (("report", "nowhere"), ("nowhere",)),
        (("compare", "one", "other"), ("one",)),
        (("publish", "nowhere"), ("nowhere",)),
        (("show", "cifar11"), ("cifar11",)),
        (("run", MYTH, "--json"), ("--dry-run",)),
        (("data", "verify", "nope"), ("nope",)),
    ],
)
def test_wrong_usage_is_named(words, named, tmp_path):
    one_clear_line(myths(*words, cwd=tmp_path), 2, *named)


@pytest.mark.parametrize(
    "words",
    [("cifar11",), ("--profile", "fast"), ("--budget", "0s"), ("--run", "../x"), ("--from", "nowhere"), ("--data", "../x"), ("--json",)],
)
def test_nothing_is_announced_before_the_usage_is_checked(words, tmp_path):
    assert myths("run", *words, cwd=tmp_path).stdout == ""


def test_without_a_profile_a_published_run_is_continued_in_its_own(tmp_path):
    done = myths("run", MYTH, "--from", "cpu-laptop", "--dry-run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    states = {line["state"] for line in json.loads(done.stdout)}
    assert "done" in states
    assert done.stdout == myths("run", MYTH, "--from", "cpu-laptop", "--profile", "laptop", "--dry-run", "--json", cwd=tmp_path).stdout


def test_every_command_that_reads_runs_finds_those_of_another_folder(tmp_path):
    for part in ("run.json", "cifar10_1/trials.jsonl", "cifar10_1/claims.csv"):
        (tmp_path / "mine/run-1" / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "results/published/cpu-laptop" / part, tmp_path / "mine/run-1" / part)
    claims = tmp_path / "mine/run-1/cifar10_1/claims.csv"
    claims.write_text(claims.read_text().replace(",laptop,", ",paper,"))  # it counts most, so that `list` and `show` take it
    for words in (("list",), ("show", MYTH), ("table", MYTH, "claims", "--run", "run-1"), ("compare", "run-1", "cpu-laptop")):
        done = myths(*words, "--results", "mine", cwd=tmp_path)
        assert "run-1" in done.stdout, (words, done.stderr)
        assert "run-1" not in myths(*words, cwd=tmp_path).stdout


def test_after_a_run_in_another_folder_the_verdicts_and_the_next_commands_are_of_that_folder(quick, tmp_path, monkeypatch):
    shutil.copytree(quick / "results/local", tmp_path / "a b")
    monkeypatch.setattr(cli, "_write_report", lambda runs, results: [])  # it takes long, and other tests look at it
    done = myths("run", MYTH, "--seeds", "2", "--results", "a b", "--report", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    following = done.stdout.partition("Next:")[2]
    commands = [line.strip().partition("    ")[0] for line in following.strip().splitlines()]
    assert len(commands) == 2
    for command in commands:
        assert "--results 'a b'" in command
        assert myths(*shlex.split(command)[1:], cwd=tmp_path).returncode in (0, 3), command  # 3: the real data are not here


def test_an_unknown_option_is_wrong_usage(tmp_path):
    done = myths("run", MYTH, "--fast", cwd=tmp_path)
    assert done.returncode == 2
    assert "--fast" in done.stderr


def test_where_nothing_can_run_for_want_of_data_nothing_begins(tmp_path):
    done = myths("run", "forgetting", "--profile", "laptop", cwd=tmp_path)
    one_clear_line(done, 3, "is not downloaded", "myths data get")
    assert not list(tmp_path.rglob("trials.jsonl"))


def test_missing_data_cost_the_trials_that_read_them_and_each_reason_is_said_once(tmp_path):
    done = myths("run", MYTH, "--profile", "laptop", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("myths data get cifar10`") == 1
    lines = trial_lines(tmp_path / "results/local/cpu-laptop")
    assert [(line["trial"], line["status"]) for line in lines] == [("PublishedAccuracy", "ok"), *2 * [("ExcludeTestImages", "ok")]]
    assert lines[0]["settings"] == {"source": "reference table"}
    skipped = json.loads((tmp_path / "results/local/cpu-laptop/run.json").read_text())["invocations"][0]["skipped"]
    assert all(
        "is not downloaded" in entry["reason"] or "is not available" in entry["reason"] or "not on this machine" in entry["reason"]
        for entry in skipped
    )
    assert len(skipped) > 20


def test_quick_runs_without_any_data_and_says_what_came_out(quick):
    again = myths("run", MYTH, "--seeds", "2", cwd=quick)
    assert again.returncode == 0
    assert "0 trials to run" in again.stdout
    assert f"{MYTH}: " in again.stdout
    assert (quick / "results/local/cpu-quick/cifar10_1/claims.csv").exists()


def test_both_spellings_are_understood(quick):
    assert myths("show", "cifar10_1", cwd=quick).stdout == myths("show", MYTH, cwd=quick).stdout


@pytest.mark.parametrize("words", [("list",), ("show", MYTH), ("run", MYTH, "--dry-run"), ("data", "list"), ("doctor",)])
def test_listings_have_json(words, quick):
    done = myths(*words, "--json", cwd=quick)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


def test_the_report_is_written(quick):
    done = myths("report", cwd=quick)
    assert done.returncode == 0, done.stderr
    assert (quick / "results/report/index.html").exists()


def test_a_run_does_not_differ_from_itself(quick):
    assert myths("compare", "cpu-quick", "cpu-quick", cwd=quick).returncode == 0


def test_publishing_needs_a_clean_commit(quick):
    done = myths("publish", "cpu-quick", cwd=quick, GIT_DIR=str(quick / "no-repository"))
    run = quick / "results/local/cpu-quick"
    made = {json.loads(line)["invocation"] for file in run.glob("*/trials.jsonl") for line in file.read_text().splitlines()}
    if any(i["dirty"] or i["commit"] is None for i in json.loads((run / "run.json").read_text())["invocations"] if i["id"] in made):
        one_clear_line(done, 3, "commit")
    else:
        assert done.returncode == 0


def test_another_machine_class_is_refused(quick, tmp_path):
    run = tmp_path / "results/local/cpu-quick"
    run.mkdir(parents=True)
    (run / "run.json").write_text('{"machine_class": "h200", "data": {}, "invocations": []}')
    one_clear_line(myths("run", MYTH, cwd=tmp_path), 3, "h200", "--run")


def test_a_cut_last_line_is_forgiven_and_its_trial_runs_again(quick, tmp_path):
    source = quick / "results/local/cpu-quick/cifar10_1/trials.jsonl"
    target = tmp_path / "results/local/cpu-quick/cifar10_1/trials.jsonl"
    target.parent.mkdir(parents=True)
    content = source.read_bytes()
    target.write_bytes(content[:-20])
    with pytest.warns(UserWarning, match="the last line is truncated"):
        done = myths("run", MYTH, "--seeds", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 trial to run" in done.stdout or "2 trials to run" in done.stdout
    assert len(target.read_bytes().splitlines()) >= len(content.splitlines())


def test_a_mangled_line_is_named(quick, tmp_path):
    source = quick / "results/local/cpu-quick/cifar10_1/trials.jsonl"
    target = tmp_path / "results/local/cpu-quick/cifar10_1/trials.jsonl"
    target.parent.mkdir(parents=True)
    first, *others = source.read_text().splitlines(keepends=True)
    target.write_text("".join([first.replace('"rows"', '"rose"'), *others]))
    before = target.read_bytes()
    one_clear_line(myths("run", MYTH, cwd=tmp_path), 3, "line 1", "Delete the line")
    assert target.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    ["{}", '{"machine_class": "cpu", "data": [], "invocations": []}', '{"machine_class": "cpu", "data": {}, "invocations": [{}]}'],
)
def test_a_mangled_run_json_is_named(content, tmp_path):
    run = tmp_path / "results/local/cpu-quick"
    run.mkdir(parents=True)
    (run / "run.json").write_text(content)
    one_clear_line(myths("run", MYTH, cwd=tmp_path), 3, "run.json", "--run")


def test_own_data_that_are_not_here_stop_a_dry_run(tmp_path):
    one_clear_line(myths("run", MYTH, "--profile", "laptop", "--dry-run", "--data", "zzz", cwd=tmp_path), 3, "zzz", "myths data add")


@pytest.mark.parametrize("cluster", [None, "auto"])
@pytest.mark.parametrize(
    "wrong", [{"run": "../evil"}, {"run": ""}, {"profile": "bogus"}, {"seeds": 0}, {"budget_seconds": -1}, {"jobs": 0}]
)
def test_the_python_interface_checks_before_it_connects_as_the_command_does(wrong, cluster, tmp_path, monkeypatch):
    import myths as suite
    from myths.lab.errors import UsageError
    from myths.lab.execution import session

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session, "open_cluster", lambda *given: pytest.fail("a cluster was connected"))
    with pytest.raises(UsageError):
        suite.run(MYTH, cluster=cluster, **wrong)
    assert not list(tmp_path.iterdir())


def test_a_results_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    one_clear_line(myths("run", MYTH, "--results", "taken", cwd=tmp_path), 3, "taken", "--results")


def test_a_second_run_on_the_same_folder_is_refused(quick, tmp_path):
    import fcntl

    run = tmp_path / "results/local/cpu-quick"
    run.mkdir(parents=True)
    with (run / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        one_clear_line(myths("run", MYTH, cwd=tmp_path), 3, "Another `myths run`")


def test_a_corrupt_data_set_costs_its_own_trials_and_is_named_with_both_hashes(tmp_path):
    import numpy as np

    (tmp_path / "data").mkdir()
    for name in ("cifar10", "cifar10_1_predictions", "cifar10_tiny_imagenet"):
        np.savez(tmp_path / "data" / f"{name}.npz", x=np.arange(3))
        (tmp_path / "data" / f"{name}.json").write_text(json.dumps({"source": "a test", "note": "", "sha256": "0" * 64}))
    done = myths("run", MYTH, "--profile", "laptop", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0" * 12 in done.stdout
    assert "cifar10.npz does not match cifar10.json" in done.stdout
    assert (tmp_path / "data" / "cifar10.npz").exists()
    finished = [line["trial"] for line in trial_lines(tmp_path / "results/local/cpu-laptop")]
    assert finished == ["PublishedAccuracy", "ExcludeTestImages", "ExcludeTestImages"]


def test_a_trial_that_raises_is_named_and_the_others_finish(tmp_path, monkeypatch):
    from myths.cifar10_1.trials.reuse import ReuseTestSet

    def run(self, context):
        raise RuntimeError("the dog ate it")

    monkeypatch.setattr(ReuseTestSet, "run", run)
    done = myths("run", MYTH, "--seeds", "1", "--jobs", "1", cwd=tmp_path)
    one_clear_line(done, 1, "the dog ate it", "ReuseTestSet", "to retry them")
    statuses = [json.loads(line)["status"] for line in next(tmp_path.rglob("trials.jsonl")).read_text().splitlines()]
    assert sorted(set(statuses)) == ["failed", "ok"]
    monkeypatch.undo()
    assert myths("run", MYTH, "--seeds", "1", cwd=tmp_path).returncode == 0


def test_failures_are_one_line_and_the_report_is_written_all_the_same(tmp_path, monkeypatch):
    from myths.cifar10_1.trials import PublishedAccuracy

    def run(self, context):
        raise RuntimeError(f"no [/bold] luck with {self.source}")

    monkeypatch.setattr(PublishedAccuracy, "run", run)
    done = myths("run", MYTH, "--seeds", "1", "--jobs", "1", "--report", cwd=tmp_path)
    errors = "details: results/local/cpu-quick/cifar10_1/errors/"
    one_clear_line(done, 1, f"{MYTH}: 1 of ", "RuntimeError (1)", "no [/bold] luck with reference table", errors, "to retry them")
    assert list((tmp_path / "results/local/cpu-quick/cifar10_1/errors").iterdir())
    page = (tmp_path / "results/report/index.html").resolve()
    assert page.exists()
    assert f"report: {page.as_uri()}\n" in done.stdout
    assert done.stdout.index("report: ") < done.stdout.index("Next:")


def test_a_myth_whose_tables_break_costs_itself_only(quick, tmp_path, monkeypatch):
    from dataclasses import replace

    from myths import suite

    def table(results):
        raise KeyError("an odd row")

    def broken(myth):
        return replace(myth, tables=dict.fromkeys(myth.tables, table)) if myth.name == "hessian-cost" else myth

    monkeypatch.setattr(suite, "MYTHS", tuple(map(broken, suite.MYTHS)))
    shutil.copytree(quick / "results", tmp_path / "results")
    shutil.copytree(ROOT / "results/published/cpu-laptop/hessian_cost", tmp_path / "results/local/cpu-quick/hessian_cost")
    one_clear_line(myths("report", cwd=tmp_path), 1, "hessian-cost", "KeyError", "an odd row")
    assert (tmp_path / "results/report/cifar10-1.html").exists()
    assert not (tmp_path / "results/report/hessian-cost.html").exists()


@pytest.mark.parametrize("words", ["mine: 3 of 4 tosses may be dropped", None])
def test_after_a_run_on_own_data_comes_what_was_found_of_them_and_no_verdict_on_the_paper(words, tmp_path):
    found = coin.analysis(tmp_path / "local/cpu-laptop", myth=replace(coin.COIN, summarize_user_data=lambda tables: words))
    said = {}
    for own in (False, True):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            cli._print_verdict(found, user_data=own)
        said[own] = out.getvalue().splitlines()
    assert said[True][:-1] == [*filter(None, [words]), "  fair-coin measured your data. This does not test a claim of the paper."]
    assert said[False][0].startswith("fair-coin: ")
    assert not any("your data" in line for line in said[False])


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    assert myths("run", MYTH, "--seeds", "1", cwd=tmp_path).returncode == 0
    trials = next(tmp_path.rglob("trials.jsonl"))
    before = trials.read_bytes()

    def fsync(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    one_clear_line(myths("run", MYTH, "--seeds", "2", cwd=tmp_path), 3, "No space left", "--results")
    assert trials.read_bytes().startswith(before)


def test_a_budget_in_which_nothing_ends_leaves_a_valid_run(tmp_path):
    done = myths("run", MYTH, "--seeds", "2", "--budget", "0.001s", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "not started" in done.stdout


def test_one_trial_can_be_tried(tmp_path):
    done = myths("try", MYTH, "PublishedAccuracy", "source=reference table", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "alexnet" in done.stdout
    assert not (tmp_path / "results").exists()


def test_help_does_not_wait_for_torch(tmp_path):
    heavy = "('torch', 'pandas', 'sklearn', 'matplotlib', 'scipy.stats')"
    code = f"import sys\nfrom myths.cli import app\nfrom myths import suite\nprint([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_kill_keep_what_was_finished(tmp_path, how):
    command = [sys.executable, "-m", "myths", "run", MYTH, "--jobs", "1", "--seeds", "30"]  # does not end before the signal
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, **environment(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    trials = tmp_path / "results/local/cpu-quick/cifar10_1/trials.jsonl"
    give_up = time.monotonic() + 60
    while not (trials.exists() and trials.read_bytes().count(b"\n") >= 1):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    process.send_signal(how)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130, complaint
    assert "the same command to resume" in complaint
    assert "Traceback" not in complaint
    for line in trials.read_text().splitlines():
        assert json.loads(line)["status"] == "ok"


@pytest.mark.parametrize("option", ["--claim", "--trial", "--again", "--run", "--from", "--budget", "--data", "--profile", "--device"])
@pytest.mark.parametrize("nothing", ["", " ", ","])
def test_an_option_that_says_nothing_is_refused_instead_of_read_as_everything(option, nothing, tmp_path):
    one_clear_line(myths("run", MYTH, "--dry-run", option, nothing, cwd=tmp_path), 2)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("run", MYTH, "--data", "../x9"), ("Invalid dataset name",)),
        (("run", MYTH, "--data", ""), ("empty name",)),
        (("run", MYTH, "--data", "a,,b"), ("empty name",)),
        (("data", "add", "x", ""), ("path is empty",)),
        (("data", "add", "x", ".", "source"), ("KEY=VALUE",)),
        (("data", "remove", "nothing"), ("nothing",)),
        (("data", "verify", "../x"), ("Invalid dataset name",)),
    ],
)
def test_what_is_no_name_or_no_path_is_refused(words, named, tmp_path):
    one_clear_line(myths(*words, cwd=tmp_path), 2, *named)


def test_an_empty_folder_name_is_no_folder(tmp_path):
    done = myths("report", "--results", "", cwd=tmp_path)
    assert done.returncode == 2
    assert "the path is empty" in done.stderr


def test_data_that_are_added_are_described_found_by_either_spelling_and_removed(tmp_path):
    from PIL import Image

    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(tmp_path / "pets" / name / "1.png")
    added = myths("data", "add", "my-pets", "pets", cwd=tmp_path)
    assert added.returncode == 0, added.stderr
    assert "my_pets: " in added.stdout
    assert "use my_pets or my-pets" in added.stdout
    assert "2 classes: cat 1, dog 1" in added.stdout
    assert "my_pets" in myths("data", "verify", "my-pets", cwd=tmp_path).stdout
    assert "None" not in myths("data", "get", "digits", cwd=tmp_path).stdout
    assert myths("data", "remove", "my-pets", cwd=tmp_path).returncode == 0
    assert "my_pets" not in myths("data", "list", cwd=tmp_path).stdout


def test_the_site_is_of_the_runs_that_the_suite_carries_where_the_folder_has_none(tmp_path, monkeypatch):
    from myths import suite
    from myths.lab.report import site

    chosen = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "_derive", lambda runs: (chosen.extend(runs) or [], []))
    monkeypatch.setattr(site, "build", lambda found, folder, myths: folder / "index.html")
    cli.site_(tmp_path / "site")
    assert [run.name for run in chosen] == [run.name for run in suite.runs(suite.BUNDLED)] != []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", MYTH, "--shard", "9/8"), "Invalid --shard 9/8: expected K/N"),
        (("run", MYTH, "--first-seed", "7"), "Invalid --first-seed 7: expected a multiple of 1000"),
        (("run", MYTH, "--from", "cpu-laptop", "--first-seed", "1000"), "--from cpu-laptop continues the seeds of that run"),
        (("run", MYTH, "--shard", "half"), "Invalid --shard 'half': expected K/N"),
        (("merge", "cpu-laptop", "--into", "x"), "at least two"),
        (("merge", "cpu-laptop", "nope", "--into", "x"), "Unknown run 'nope'"),
        (("merge", "cpu-laptop", "cpu-laptop", "--into", "x"), "Run 'cpu-laptop' is named twice"),
        (("merge", "cpu-laptop", "h200-gpu", "--into", "h200-gpu"), "Invalid --into 'h200-gpu': a published run has this name"),
        (("merge", "cpu-laptop", "h200-gpu", "--into", "../x"), "Invalid --into '../x'"),
        (("merge", "cpu-laptop", "h200-gpu", "--into", "x"), "different machine classes"),
        (("merge", "cpu-laptop", "nope.tar.gz", "--into", "x"), "nope.tar.gz does not exist"),
    ],
)
def test_shards_seeds_and_merges_that_cannot_be_are_refused_in_one_line(words, said, tmp_path):
    one_clear_line(myths(*words, cwd=tmp_path), 3 if "different" in said else 2, said)
    assert not (tmp_path / "results").exists()


def test_an_empty_part_says_so(tmp_path):
    for more in ((), ("--dry-run",)):
        done = myths("run", "wiring", "--trial", "CheckIdentity", "--shard", "90/99", *more, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "part 90/99 has no trials: there are fewer trials than parts" in done.stdout


def test_a_first_seed_gives_a_run_of_its_own_whose_shards_share_no_trial_with_others(tmp_path):
    def planned(*words):
        done = myths("run", MYTH, "--dry-run", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ids(*words):
        return {line["id"]: line["trial"] for line in json.loads(planned("--json", *words))}

    assert "run cpu-quick-seed3000-1of2" in planned("--first-seed", "3000", "--shard", "1/2")
    first, other = ids(), ids("--first-seed", "3000")
    assert len(first) == len(other)
    assert {first[same] for same in first.keys() & other.keys()} == {trial for trial in first.values() if "seed" not in trial}
    assert other.keys() == {*ids("--first-seed", "3000", "--shard", "1/2"), *ids("--first-seed", "3000", "--shard", "2/2")}


@pytest.mark.parametrize(
    ("words", "interrupted", "said"),
    [
        (("run", MYTH), "myths.lab.execution.session.run", "Interrupted. Finished trials are saved; run the same command to resume."),
        (("try", MYTH, "FitClassical"), "myths.lab.execution.try_trial.run", "Interrupted. `myths try` stores no results."),
        (("list",), "myths.run_summaries.summaries", "Interrupted."),
    ],
)
def test_an_interruption_says_what_became_of_the_results(words, interrupted, said, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(interrupted, interrupt)
    done = myths(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr.strip()) == (130, f"myths: {said}")
